"""How training curves are read: what a log holds, what is measured on it, what follows, and in which words."""
