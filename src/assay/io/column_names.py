"""Names of columns without the blanks and quotes around them.

>>> [strip_name(name) for name in (" y", '"m.label"', "m.proba.a ")]
['y', 'm.label', 'm.proba.a ']
"""

import re
from collections.abc import Sequence

from assay.io.delimited import strip_blanks
from assay.io.formats import File

__all__ = ["strip_name", "strip_names"]


def strip_names(file: File) -> File:
    """The `file` with the names of its columns stripped, and a note of it.

    Those that this house wrote stay, as do all where two would become one.
    """
    names = file.table.column_names
    stripped = [strip_name(name) for name in names]
    changed = {old: new for old, new in zip(names, stripped, strict=True) if old != new}
    unclear = len(set(stripped)) < len(names) or "" in changed.values()
    if not changed or unclear or file.metadata.models is not None:
        return file
    note = (
        f"Blanks and quotes around names of columns of {file.path} are left out: "
        f"{_list_names(list(changed))}."
    )
    return file.rename(changed, note)


def strip_name(name: str) -> str:
    """A `name` without blanks or a pair of quotes around it.

    Where a class is at its end, as in m.proba.yes or y.yes, the blanks behind it are kept.
    """
    quoted = re.fullmatch(r"""\s*(["'])(.+)\1\s*""", name)
    if quoted:
        return quoted[2]
    return strip_blanks(name)


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
