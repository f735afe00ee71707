"""How a cross-validation is run: parts that are computed once, kept, and put together again."""
