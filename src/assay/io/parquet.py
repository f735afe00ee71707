"""Footers: what Parquet files say of themselves before a row is read, and whether they are pieces of one table.

>>> import tempfile, pathlib
>>> import pyarrow.parquet as parquet
>>> path = pathlib.Path(tempfile.mkdtemp()) / "a.parquet"
>>> parquet.write_table(pa.table({"id": [3, 1, 2], "y": [0, 1, 1]}), path)
>>> footer = read_footer(path)
>>> list_id_bounds(footer.row_group(0).column(find_leaf_column(footer, "id")))
[1, 3]
"""

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from assay.errors import ReadError
from assay.io.formats import is_text

__all__ = [
    "find_common_types",
    "list_id_bounds",
    "read_footer",
    "find_leaf_column",
    "open_parquet",
    "explain_mismatch",
]

# Letters up to which a footer tells a text whole.
SHORT = 32
# What a column is said to be that no row of a file gives a value.
NOTHING = "an empty"


def read_footer(path: str | os.PathLike[str]) -> Any:
    """The footer of a Parquet file."""
    import pyarrow.parquet as parquet

    try:
        return parquet.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"{path}: cannot be read as parquet ({error}); write it again") from error


def open_parquet(path: str, footer: Any) -> Any:
    """The file itself, its texts read as dictionaries, but for ids."""
    import pyarrow.parquet as parquet

    schema = footer.schema.to_arrow_schema()
    texts = [field.name for field in schema if is_text(field.type) and field.name != "id"]
    return parquet.ParquetFile(path, metadata=footer, read_dictionary=texts)


def explain_mismatch(footers: Mapping[str, Any]) -> str:
    """How the columns of one file differ from those of the first, in what they are read as; "" where none does."""
    first: dict[
        str, tuple[str, str]
    ] = {}  # by column: the file that shows what it is read as, and that
    for path, footer in footers.items():
        own = {field.name: _family(field.type) for field in footer.schema.to_arrow_schema()}
        first = first or {name: (path, family) for name, family in own.items()}
        for name in sorted(first.keys() | own.keys()):
            at, family = first.get(name, (next(iter(footers)), "no"))
            if not _alike(family, own.get(name, "no")):
                return f"{path} has {own.get(name, 'no')} column {name!r}, {at} has {family} column {name!r}"
            if family == NOTHING:
                first[name] = path, own[name]
    return ""


def _alike(a: str, b: str) -> bool:
    """Whether columns of two files are read as one: one without values as what others hold, numbers as numbers."""
    either = {a, b}
    return a == b or (
        "no" not in either and (NOTHING in either or either == {"an integer", "a real"})
    )


def _family(kind: pa.DataType) -> str:
    """What a column is read as, however wide its numbers are and whether or not its texts have a dictionary."""
    if is_text(kind):
        return "a text"
    if pa.types.is_integer(kind):
        return "an integer"
    if pa.types.is_floating(kind):
        return "a real"
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"a list of {_family(kind.value_type)}"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return "a nested"
    return NOTHING if pa.types.is_null(kind) else f"a {kind}"


def find_common_types(footers: Mapping[str, Any]) -> dict[str, pa.DataType]:
    """The types to read columns as that have no type in some of the files, or are whole numbers only in some."""
    found: dict[str, list[pa.DataType]] = {}
    for footer in footers.values():
        for field in footer.schema.to_arrow_schema():
            found.setdefault(field.name, []).append(field.type)
    types = {}
    for name, kinds in found.items():
        typed = [kind for kind in kinds if not pa.types.is_null(kind)]
        families = set(map(_family, typed))
        if families == {"an integer", "a real"}:
            types[name] = pa.float64()
        elif typed and len(typed) < len(kinds):
            types[name] = pa.string() if is_text(typed[0]) else typed[0]
    return types


def find_leaf_column(footer: Any, name: str) -> int:
    """Which of the columns that a file keeps apart (a nested one is several) has the name."""
    return next(i for i in range(footer.num_columns) if footer.schema.column(i).path == name)


def list_id_bounds(column: Any) -> list[Any]:
    """The first and the last id of a row group in their order, where its file says; long text may be cut off there."""
    told = column.statistics if column.is_stats_set else None
    found = {told.min, told.max} if told is not None and told.has_min_max else set()
    return sorted(
        end for end in found if isinstance(end, int) or (isinstance(end, str) and len(end) < SHORT)
    )
