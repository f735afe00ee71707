"""Adapters, one framework a file: the only place where frameworks are imported, and then only when one is used."""
