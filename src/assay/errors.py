"""What can go wrong, said once: what was expected, what came, where, and what to do.

Every error that `assay` raises on purpose is an `AssayError`; the command line prints it as one line and exits with 2.

>>> raise SchemaError("column 'y' is missing; columns are ['a']. Name the truth column with truth='...'.")
Traceback (most recent call last):
assay.errors.SchemaError: column 'y' is missing; columns are ['a']. Name the truth column with truth='...'.
"""

from collections.abc import Iterable

__all__ = [
    "AssayError", "EngineError", "MissingDependencyError", "NameLookupError", "ReadError", "SchemaError", "UnseenLabelError",
    "UnsupportedError", "suggest",
]  # fmt: skip


class AssayError(ValueError):
    """Base of every error raised on purpose; its text is one sentence a person can act on."""


class SchemaError(AssayError):
    """The predictions table is not usable: a column, a label, a probability, an id or a size is wrong."""


class UnseenLabelError(SchemaError):
    """A label is outside the declared classes."""


class ReadError(AssayError):
    """A file cannot be read: missing, empty, truncated, or not of the format its name says."""


class NameLookupError(AssayError):
    """A metric, fusion, reader, engine or parameter of that name does not exist."""


class UnsupportedError(AssayError):
    """The question does not fit the data: for example a probability metric of a model that gave labels only."""


class EngineError(AssayError):
    """A worker of an engine ended before its work was done."""


class MissingDependencyError(AssayError, ImportError):
    """An optional dependency is needed for this; the message names the extra to install."""


def suggest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Which of the known words the given one may have been meant for, the likeliest first.

    >>> suggest("acuracy", ["accuracy", "recall"])
    ['accuracy']
    """
    import difflib  # of use where something went wrong alone

    return difflib.get_close_matches(word, list(known), n=most)
