"""Parquet footers: what files declare before a row is read, and whether they are one table.

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
    "explain_mismatch",
    "find_common_types",
    "find_leaf_column",
    "list_id_bounds",
    "open_parquet",
    "read_footer",
]

# Characters below which a footer holds the bounds of a text column in full.
SHORT = 32
# The family of a column for which no row of a file has a value.
NOTHING = "an empty"


def read_footer(path: str | os.PathLike[str]) -> Any:
    """The footer of the Parquet file at `path`."""
    import pyarrow.parquet as parquet

    try:
        return parquet.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"{path}: cannot be read as parquet ({error}); write it again") from error


def open_parquet(path: str, footer: Any) -> Any:
    """The file at `path`, whose `footer` is known; texts but ids are read as dictionaries."""
    import pyarrow.parquet as parquet

    schema = footer.schema.to_arrow_schema()
    texts = [field.name for field in schema if is_text(field.type) and field.name != "id"]
    return parquet.ParquetFile(path, metadata=footer, read_dictionary=texts)


def explain_mismatch(footers: Mapping[str, Any]) -> str:
    """How the columns of one file differ from those of the first; "" where none does.

    `footers` are those of the files, by path. Columns differ in what they are read as.
    """
    # By column: the file that shows what it is read as, and that.
    first: dict[str, tuple[str, str]] = {}
    for path, footer in footers.items():
        families = {
            field.name: _name_family(field.type) for field in footer.schema.to_arrow_schema()
        }
        first = first or {name: (path, family) for name, family in families.items()}
        for name in sorted(first.keys() | families.keys()):
            at, family = first.get(name, (next(iter(footers)), "no"))
            other = families.get(name, "no")
            if not _is_compatible(family, other):
                return f"{path} has {other} column {name!r}, {at} has {family} column {name!r}"
            if family == NOTHING:
                first[name] = path, families[name]
    return ""


def _is_compatible(a: str, b: str) -> bool:
    """Whether columns of two files are read as one.

    A column without values is read as the others; whole and real numbers are numbers.
    """
    either = {a, b}
    return a == b or (
        "no" not in either and (NOTHING in either or either == {"an integer", "a real"})
    )


def _name_family(kind: pa.DataType) -> str:
    """What a column is read as, however wide its numbers are, with or without a dictionary."""
    if is_text(kind):
        return "a text"
    if pa.types.is_integer(kind):
        return "an integer"
    if pa.types.is_floating(kind):
        return "a real"
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"a list of {_name_family(kind.value_type)}"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return "a nested"
    return NOTHING if pa.types.is_null(kind) else f"a {kind}"


def find_common_types(footers: Mapping[str, Any]) -> dict[str, pa.DataType]:
    """The types to read columns as that differ between the files whose `footers` are given.

    They have no type in some of the files, or are whole numbers in some only.
    """
    kinds_of: dict[str, list[pa.DataType]] = {}
    for footer in footers.values():
        for field in footer.schema.to_arrow_schema():
            kinds_of.setdefault(field.name, []).append(field.type)
    types = {}
    for name, kinds in kinds_of.items():
        typed = [kind for kind in kinds if not pa.types.is_null(kind)]
        families = set(map(_name_family, typed))
        if families == {"an integer", "a real"}:
            types[name] = pa.float64()
        elif typed and len(typed) < len(kinds):
            types[name] = pa.string() if is_text(typed[0]) else typed[0]
    return types


def find_leaf_column(footer: Any, name: str) -> int:
    """Position of the column `name` among those of a `footer`, of which a nested one is several."""
    return next(i for i in range(footer.num_columns) if footer.schema.column(i).path == name)


def list_id_bounds(column: Any) -> list[Any]:
    """The least and the greatest id of a row group, where the statistics of its `column` have them.

    Long texts may be cut off there, and are left out.
    """
    statistics = column.statistics if column.is_stats_set else None
    if statistics is None or not statistics.has_min_max:
        return []
    return sorted(
        end
        for end in {statistics.min, statistics.max}
        if isinstance(end, int) or (isinstance(end, str) and len(end) < SHORT)
    )
