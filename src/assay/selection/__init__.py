"""Choosing a model when time, rows or compute are short."""
