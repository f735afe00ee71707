"""Checks of arguments that several verbs take, each with one message.

>>> check_share("confidence", 0.95)
"""

from assay.errors import UnsupportedError

__all__ = ["check_share"]


def check_share(name: str, value: float) -> None:
    """Raise UnsupportedError unless the argument `name` has a `value` strictly between 0 and 1.

    >>> check_share("confidence", 95)
    Traceback (most recent call last):
    assay.errors.UnsupportedError: confidence must be between 0 and 1; got 95
    """
    if not 0 < value < 1:
        raise UnsupportedError(f"{name} must be between 0 and 1; got {value}")
