"""How charts are drawn: the points of a curve, the palette, and the diagrams themselves."""
