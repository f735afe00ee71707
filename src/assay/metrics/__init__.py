"""The metric shelf: one frozen dataclass a metric, one topic a file.

Siblings never import each other.
"""
