"""Errors: what was expected, what came, where, and what to do.

Every error that `assay` raises on purpose is an `AssayError`; the command line prints it as one
line and exits with 2.

>>> raise SchemaError("column 'y' is missing. Name the truth column with truth='...'.")
Traceback (most recent call last):
assay.errors.SchemaError: column 'y' is missing. Name the truth column with truth='...'.
"""

from collections.abc import Iterable

__all__ = [
    "AssayError",
    "EngineError",
    "MissingDependencyError",
    "NameLookupError",
    "ReadError",
    "SchemaError",
    "UnseenLabelError",
    "UnsupportedError",
    "suggest",
]


class AssayError(ValueError):
    """Base of every error raised on purpose; its text is one sentence a person can act on.

    >>> import assay
    >>> try:
    ...     assay.read("missing.csv")
    ... except assay.AssayError as error:
    ...     print(type(error).__name__)
    ReadError
    """


class SchemaError(AssayError):
    """The predictions table cannot be used: a column, a label, a probability, an id or a size.

    >>> import assay
    >>> assay.Predictions.from_arrays(["a", "b"], {"m": ["a"]})
    Traceback (most recent call last):
    assay.errors.SchemaError: ...
    """


class UnseenLabelError(SchemaError):
    """A label is outside the declared classes; the message names the label and the classes.

    >>> import assay
    >>> assay.Predictions.from_arrays(["a", "b"], {"m": ["a", "c"]}, classes=["a", "b"])
    Traceback (most recent call last):
    assay.errors.UnseenLabelError: ...
    """


class ReadError(AssayError):
    """A file cannot be read: missing, empty, truncated, or not of the format its name says.

    >>> import assay
    >>> assay.read("missing.csv")
    Traceback (most recent call last):
    assay.errors.ReadError: ...
    """


class NameLookupError(AssayError):
    """A metric, fusion, reader, engine or parameter of that name does not exist.

    >>> import assay
    >>> p = assay.Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
    >>> assay.evaluate(p, "acuracy")
    Traceback (most recent call last):
    assay.errors.NameLookupError: no metric is named 'acuracy'. Did you mean accuracy ...
    """


class UnsupportedError(AssayError):
    """The question does not fit the data, as a probability metric of a model that gave labels.

    >>> import assay
    >>> p = assay.Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
    >>> assay.evaluate(p, "brier")
    Traceback (most recent call last):
    assay.errors.UnsupportedError: ...
    """


class EngineError(AssayError):
    """A worker of an engine ended before its work was done; the message says how.

    >>> issubclass(EngineError, AssayError)
    True
    """


class MissingDependencyError(AssayError, ImportError):
    """An optional dependency is needed for this; the message names the extra to install.

    >>> issubclass(MissingDependencyError, ImportError)
    True
    """


def suggest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Which of the `known` words `word` may be meant for: the likeliest first, `most` of them.

    >>> suggest("acuracy", ["accuracy", "recall"])
    ['accuracy']
    """
    import difflib  # needed only where something went wrong

    return difflib.get_close_matches(str(word), list(known), n=most)
