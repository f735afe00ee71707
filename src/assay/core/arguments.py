"""Checks of arguments that several verbs take, each with one message.

>>> check_share("confidence", 0.95)
"""

from collections.abc import Iterable
from numbers import Real
from typing import Any

from assay.errors import UnsupportedError

__all__ = ["check_share", "check_whole", "list_names"]


def check_share(name: str, value: Any) -> None:
    """Raise UnsupportedError unless the argument `name` has a `value` strictly between 0 and 1.

    >>> check_share("confidence", 95)
    Traceback (most recent call last):
    assay.errors.UnsupportedError: confidence must be between 0 and 1; got 95
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 < value < 1:
        raise UnsupportedError(f"{name} must be between 0 and 1; got {value!r}")


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise UnsupportedError unless the argument `name` has a whole `value` of `least` or more.

    >>> check_whole("seed", "one", 0)
    Traceback (most recent call last):
    assay.errors.UnsupportedError: seed must be a whole number of 0 or more; got 'one'
    """
    if not hasattr(value, "__index__") or value < least:
        raise UnsupportedError(f"{name} must be a whole number of {least} or more; got {value!r}")


def list_names(option: str, names: Any) -> tuple[str, ...]:
    """The `names` of columns or models that an `option` gives: a text, several, or None for none.

    >>> list_names("by", "site"), list_names("by", ["site", "age"]), list_names("by", None)
    (('site',), ('site', 'age'), ())
    >>> list_names("by", 3)
    Traceback (most recent call last):
    assay.errors.UnsupportedError: by must be the name of a column, or several; got 3
    """
    if names is None:
        return ()
    listed = [names] if isinstance(names, str) else names
    is_list = isinstance(listed, Iterable) and not isinstance(listed, bytes)
    if not is_list or not all(isinstance(name, str) for name in listed):
        what = "model" if option == "models" else "column"
        raise UnsupportedError(f"{option} must be the name of a {what}, or several; got {names!r}")
    return tuple(listed)
