"""Roles: which columns weigh rows, name them, and tell their folds and clusters.

>>> rename_roles(["y", "m.label", "weight", "w"], {"weight": "w"})
{'weight': 'weight_column', 'w': 'weight'}
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from assay.core.text import Headline, find_free_name, format_number
from assay.errors import SchemaError, suggest
from assay.io.formats import File
from assay.io.layout import ID, ColumnSet, Key
from assay.table.predictions import Predictions

__all__ = [
    "ROLES",
    "assign_roles",
    "demote_ids",
    "describe_roles",
    "has_repeated_ids",
    "refuse_unknown",
    "rename_roles",
    "select_roles",
]

ROLES = ("weight", "id", "fold", "cluster")


def rename_roles(names: Sequence[str], roles: Mapping[str, str | None]) -> dict[str, str]:
    """The new names of columns by their old ones.

    Parameters:
        names: Names of the columns of a file.
        roles: For roles the name of the column that shall play it, or None for no column; a role
            that is not named is played by the column of its own name.

    Raises:
        SchemaError: A column is to play two roles.
    """
    claimed: dict[str, str] = {}
    for role, column in roles.items():
        if column is None or column == role or column not in names:
            continue
        if column in claimed:
            raise SchemaError(
                f"column {column!r} is named as {claimed[column]} and as {role}; give it one role"
            )
        claimed[column] = role
    free = {
        role: find_free_name(f"{role}_column", names)
        for role, column in roles.items()
        if role in names and role not in claimed and column != role
    }
    return {**free, **claimed}


def assign_roles(files: Sequence[File], roles: Mapping[str, str | None]) -> list[File]:
    """The `files` with columns named by the `roles` that they play, as of `rename_roles`.

    SchemaError where no file has a column that is named.
    """
    known = list(dict.fromkeys(name for file in files for name in file.table.column_names))
    refuse_unknown(known, roles)
    return [_assign(file, rename_roles(file.table.column_names, roles)) for file in files]


def refuse_unknown(names: Sequence[str], roles: Mapping[str, str | None]) -> None:
    """Refuse `roles` of columns that are not among `names`."""
    for role, column in roles.items():
        if column is not None and column != role and column not in names:
            close = suggest(column, names)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise SchemaError(
                f"no column is named {column!r}{hint} to be the {role}; columns are "
                f"{', '.join(map(repr, names[:20]))}"
            )


def _assign(file: File, names: Mapping[str, str]) -> File:
    """The file with columns renamed, and a note of it."""
    if not names:
        return file
    shown = ", ".join(
        f"{old!r} as the {new}" if new in ROLES else f"{old!r} as the group {new!r}"
        for old, new in names.items()
    )
    return file.rename(names, f"Columns of {file.path} are read as asked for: {shown}.")


def describe_roles(table: Predictions, files: Sequence[File]) -> list[str]:
    """What was done with columns of `table` for their names alone, a sentence each.

    Nothing is said where this house wrote all of the `files`.
    """
    if all(file.metadata.models is not None for file in files):
        return []
    origins = {new: old for file in files for new, old in file.origins.items()}
    notes: list[str] = []
    if table.weight is not None and table.n:
        effective = float(table.weight.sum() ** 2 / (table.weight**2).sum())
        column = origins.get("weight", "weight")
        notes.append(
            Headline(
                f"Weighted by column {column!r} (effective rows: {format_number(effective)} of "
                f"{table.n:,}). Where it is no weight of rows: weight=None (--no-weight)."
            )
        )
    # Verbs that go by folds say so themselves.
    if "cluster" in table.columns:
        count = len(table.columns["cluster"].unique())
        notes.append(
            f"Column {origins.get('cluster', 'cluster')!r} tells {count:,} clusters, resampled "
            f"whole. Where it does not: cluster=None (--no-cluster)."
        )
    return notes


def has_repeated_ids(table: ColumnSet) -> bool:
    """Whether rows of a `table` share an id, and none lacks one."""
    if ID not in table.columns:
        return False
    ids = table.columns[ID]
    return not ids.null_count and len(ids.unique()) < len(ids)


def demote_ids(table: ColumnSet) -> ColumnSet:
    """The `table` whose column of repeated ids is a group, with a note of it."""
    taken = [key.name for key in table.columns if key.role == "column"]
    name = find_free_name("id_column", taken)
    columns: dict[Key, pa.Array] = {
        Key("column", name) if key == ID else key: column for key, column in table.columns.items()
    }
    count = len(table.columns[ID].unique())
    note = (
        f"Column 'id' names no single rows ({count:,} values in {table.n:,} rows) and is read as "
        f"the group {name!r}. Where rows of one value belong together (an item, a patient): "
        f"cluster='id' (--cluster id); where it tells folds: fold='id' (--fold id)."
    )
    return table._replace(columns=columns, notes=(note, *table.notes))


def select_roles(options: Mapping[str, Any]) -> dict[str, str | None]:
    """Those of the `options` that give a role to another column than that of its name."""
    return {role: options[role] for role in ROLES if options.get(role, role) != role}
