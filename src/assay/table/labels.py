"""Labels as codes: every label column is encoded once, on entry, to the smallest unsigned integers.

>>> codes, distinct = encode(["cat", "dog", "cat"])
>>> codes.tolist(), distinct
([0, 1, 0], ['cat', 'dog'])
>>> recode(codes, distinct, ("dog", "cat"), "column 'y'").tolist()
[1, 0, 1]
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnseenLabelError
from assay.kernels import Array, map_codes, pair_values
from assay.table.columns import (
    Column,
    RowNamer,
    arrow_to_numpy,
    find_first_null,
    name_by_position,
    normalise,
    numpy_to_arrow,
    require_one,
)
from assay.table.label_sets import IGNORED, Label, advise_ignore, advise_map, find_likely_map

__all__ = [
    "Label",
    "check_classes",
    "count_label_pairs",
    "encode",
    "encode_declared",
    "list_spellings",
    "recode",
]

# Above this, neighbouring whole numbers are one and the same float64.
EXACT = 2**53
# Integers of a range up to this are encoded by a table of the range.
MAX_RANGE = 1 << 16


def encode(
    values: Any, where: str = "labels", name_row: RowNamer = name_by_position
) -> tuple[Array, list[Label]]:
    """Codes (n,) and the distinct labels they stand for, each of which occurs.

    The labels in `values` are str, int or bool; floats are taken as int when every one is whole.
    Missing labels are refused by a message that names the column by `where`, the row by `name_row`.
    """
    column = require_one(normalise(values, where), where)
    if isinstance(column, pa.Array) and _is_numeric(column):
        column = arrow_to_numpy(column)
    if isinstance(column, np.ndarray):
        is_float = column.dtype.kind == "f"
        whole = _convert_to_whole(column, where, name_row) if is_float else column
        if len(whole):
            low = int(whole.min())
            high = int(whole.max())
            if high - low < MAX_RANGE:
                return _encode_integers(whole, low, high)
        column = numpy_to_arrow(whole)
    return _encode_arrow(column, where, name_row)


def _is_numeric(column: pa.Array) -> bool:
    """Whether a column holds numbers or booleans, and no gap."""
    kind = column.type
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(number and not column.null_count)


def _convert_to_whole(values: Array, where: str, name_row: RowNamer) -> Array:
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    wrong = (whole != values) | (np.abs(values) > EXACT)
    if wrong.any():
        row = int(np.argmax(wrong))
        if np.isnan(values[row]):
            raise _missing_label_error(where, name_row(row), int(np.isnan(values).sum()))
        raise _not_a_label_error(float(values[row]), where, name_row(row))
    return whole


def _encode_integers(values: Array, low: int, high: int) -> tuple[Array, list[Label]]:
    """A small range of integers is its own dictionary: one counting pass, no hashing."""
    if values.dtype.kind == "b":
        return _encode_booleans(values)
    size = high - low + 1
    table = _shrink(np.arange(size + 1), size + 1)
    if high >= 1 << 63:  # map_codes takes signed integers
        codes = map_codes(values - values.min(), 0, table)
    else:
        codes = map_codes(values, low, table)
    used = _find_used(codes, size)
    if len(used) < size:
        codes = _number_used(used, size)[codes]
    return _shrink(codes, len(used)), [int(value) + low for value in used]


def _encode_booleans(values: Array) -> tuple[Array, list[Label]]:
    has_true = bool(values.any())
    if has_true and not values.all():
        return values.astype(np.uint8), [False, True]
    return np.zeros(len(values), np.uint8), [has_true]


def _encode_arrow(column: pa.Array, where: str, name_row: RowNamer) -> tuple[Array, list[Label]]:
    if column.null_count:
        row = name_row(find_first_null(column))
        raise _missing_label_error(where, row, column.null_count)
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = arrow_to_numpy(encoded.indices)
    dictionary = encoded.dictionary
    # A dictionary may list values that no row holds: categories, or slices of a longer column.
    used = _find_used(codes, len(dictionary))
    if len(used) < len(dictionary):
        codes = _number_used(used, len(dictionary))[codes]
        dictionary = dictionary.take(numpy_to_arrow(used))
    values = dictionary.to_pylist()
    labels = [_convert_to_label(value) for value in values]
    if None in labels:
        code = labels.index(None)
        rows = codes == code
        row = name_row(int(np.argmax(rows)))
        if values[code] is None:
            raise _missing_label_error(where, row, int(rows.sum()))
        raise _not_a_label_error(values[code], where, row)
    return codes, [label for label in labels if label is not None]


def _find_used(codes: Array, size: int) -> Array:
    """Which of the codes below `size` occur, ascending; mostly the first rows show that all do."""
    head = codes[: 64 * size + 1024]
    for part in (head, codes):
        counts = np.bincount(part.astype(np.intp, copy=False), minlength=size)
        used = np.flatnonzero(counts)
        if len(used) == size:
            break
    return used


def _number_used(used: Array, size: int) -> Array:
    """A table (size,) that numbers the codes in `used` consecutively, in the smallest integers."""
    table = np.zeros(size, np.int64)
    table[used] = np.arange(len(used))
    return _shrink(table, len(used))


def encode_declared(
    values: Any,
    classes: Sequence[Label],
    where: str,
    name_row: RowNamer = name_by_position,
) -> Array:
    """Codes (n,) of a column of labels over declared `classes`, in one pass where possible.

    `values`, `where` and `name_row` are as of `encode`; a label outside the classes is refused as
    in `recode`.

    >>> encode_declared(np.array([7, 5, 7]), (5, 7), "column 'y'").tolist()
    [1, 0, 1]
    """
    column = require_one(normalise(values, where), where)
    plan = _plan_codes(column, classes)
    codes = _allocate_codes(len(column), len(classes))
    if plan is not None and _write_codes(codes, plan):
        return codes
    return recode(*encode(column, where, name_row), classes, where, name_row)


def _allocate_codes(n: int, classes: int) -> Array:
    """Memory for the codes (n,) of so many classes.

    It comes from Arrow's pool, which hands out memory that was returned to it without clearing it
    anew: the codes of many batches share theirs.
    """
    dtype = _smallest_type(classes)
    return np.frombuffer(pa.allocate_buffer(n * dtype.itemsize), dtype)


def count_label_pairs(truth: Column, predicted: Column, classes: Sequence[Label]) -> Array | None:
    """How often each class was predicted for each true class (k, k), without encoding the columns.

    `truth` and `predicted` are columns of labels as they come, of declared `classes`. None where
    this cannot be done; then see `encode_declared`.

    >>> count_label_pairs(np.array([7, 5, 7]), np.array([7, 7, 7]), (5, 7)).tolist()
    [[0, 1], [0, 2]]
    """
    first = _plan_codes(truth, classes)
    second = _plan_codes(predicted, classes)
    if first is None or second is None or first.low != second.low:
        return None
    tables = (first.table, second.table)
    counts = pair_values(first.values, second.values, first.low, tables, len(classes))
    return counts if len(counts) else None


class _CodeMap(NamedTuple):
    """Integers (n,), and the table of `map_codes` that gives their codes, from `low` on."""

    values: Array
    low: int
    table: Array


def _plan_codes(column: Column, classes: Sequence[Label]) -> _CodeMap | None:
    """What `map_codes` needs to give the codes of a column; None where it cannot."""
    if isinstance(column, pa.Array) and pa.types.is_integer(column.type) and not column.null_count:
        column = arrow_to_numpy(column)
    if isinstance(column, np.ndarray):
        if column.dtype.kind not in "iu" or type(classes[0]) is not int:
            return None
        low, table = _tabulate_classes(tuple(classes))
        return None if table is None else _CodeMap(column, low, table)
    if not pa.types.is_dictionary(column.type) or column.null_count:
        return None
    table = _tabulate_dictionary(column.dictionary.to_pylist(), classes)
    return None if table is None else _CodeMap(arrow_to_numpy(column.indices), 0, table)


@lru_cache(maxsize=64)
def _tabulate_classes(classes: tuple[Any, ...]) -> tuple[int, Array | None]:
    """The least class, and a table for `map_codes` of all integers from there on.

    The table is None where the classes are few for the range they span.
    """
    low = min(classes)
    high = max(classes)
    if high - low >= min(MAX_RANGE, 64 * len(classes) + 1024) or high >= 1 << 63:
        return low, None
    table = _make_table(high - low + 1, len(classes))
    table[np.array(classes, np.int64) - low] = np.arange(len(classes))
    table.flags.writeable = False
    return low, table


def _tabulate_dictionary(values: Sequence[Any], classes: Sequence[Label]) -> Array | None:
    """A table for `map_codes` of the places in a dictionary.

    None where its values are very many, or not of the type of the classes.
    """
    kind = type(classes[0])
    if len(values) >= MAX_RANGE or not all(type(value) is kind for value in values):
        return None
    code = {label: i for i, label in enumerate(classes)}
    table = _make_table(len(values), len(classes))
    table[:-1] = [code.get(value, table[-1]) for value in values]
    return table


def _make_table(size: int, classes: int) -> Array:
    """An empty table for `map_codes`: every entry is the last one, which stands for no class.

    No class and no place in the table has that number, so that a table of places in order holds no
    unknown label.
    """
    none = max(size, classes)
    return np.full(size + 1, none, _smallest_type(none + 1))


def _write_codes(codes: Array, plan: _CodeMap) -> bool:
    """Write the codes that a plan gives; False where some label has none."""
    values, low, table = plan
    mapped = map_codes(values, low, table, codes if codes.dtype == table.dtype else None)
    complete = len(mapped) == len(values)
    if complete and mapped.dtype != codes.dtype:
        codes[:] = mapped
    return complete


def recode(
    codes: Array,
    distinct: Sequence[Label],
    classes: Sequence[Label],
    where: str,
    name_row: RowNamer = name_by_position,
) -> Array:
    """The `codes` (n,) over `distinct` labels as codes over `classes`.

    UnseenLabelError for a label outside the classes; it names the column by `where` and the first
    such row by `name_row`.
    """
    position = {label: i for i, label in enumerate(classes)}
    binary = set(classes) <= {0, 1}  # False and True are 0 and 1 where these are the classes
    new_codes = [
        position.get(label, -1) if binary or _is_same_kind(label, classes) else -1
        for label in distinct
    ]
    mapping = np.array(new_codes, np.int64)
    outside = np.flatnonzero(mapping < 0)
    if len(outside):
        row = min(int(np.argmax(codes == i)) for i in outside)
        label = distinct[int(codes[row])]
        raise UnseenLabelError(
            f"{where} has label {label!r} at {name_row(row)}, {_advise(label, distinct, classes)}"
        )
    in_order = np.array_equal(mapping, np.arange(len(mapping)))
    if codes.dtype == _smallest_type(len(classes)) and in_order:
        return codes
    recoded = _allocate_codes(len(codes), len(classes))
    table = _make_table(len(mapping), len(classes))
    table[:-1] = mapping
    complete = _write_codes(recoded, _CodeMap(codes, 0, table))
    assert complete, "codes lie in their dictionary"
    return recoded


def check_classes(classes: Any) -> tuple[Label, ...]:
    """The declared `classes` as str, int or bool; SchemaError unless of one type and distinct."""
    if isinstance(classes, str | bytes):
        raise SchemaError(f"classes must be a list of labels; got the text {classes!r}")
    values = classes.tolist() if hasattr(classes, "tolist") else classes
    if not isinstance(values, Iterable):
        raise SchemaError(f"classes must be a list of labels; got {classes!r}")
    labels = []
    for value in values:
        label = _convert_to_label(value.item() if isinstance(value, np.generic) else value)
        if label is None:
            raise SchemaError(f"class {value!r} is no label; expected str, int or bool")
        labels.append(label)
    if not labels:
        raise SchemaError(
            "classes is empty; name at least one class, or leave it out to take them from the data"
        )
    if len({type(label) for label in labels}) > 1:
        raise SchemaError(
            f"classes mix types: {labels[:10]}; '1', 1 and True are different labels, use one type"
        )
    if len(set(map(str, labels))) < len(labels):
        raise SchemaError(f"classes must be distinct; got {labels[:10]}")
    return tuple(labels)


def list_spellings(label: Label) -> tuple[str, ...]:
    """How a column may spell a `label` in its name: as text, and true/false/1/0 for a bool.

    >>> list_spellings(True), list_spellings(3)
    (('True', 'true', 'TRUE', '1'), ('3',))
    """
    text = str(label)
    if isinstance(label, bool):
        return text, text.lower(), text.upper(), str(int(label))
    return (text,)


def _is_same_kind(label: Label, classes: Sequence[Label]) -> bool:
    return not classes or isinstance(label, bool) == isinstance(classes[0], bool)


def _advise(label: Label, distinct: Sequence[Label], classes: Sequence[Label]) -> str:
    shown = ", ".join(repr(c) for c in classes[:10]) + (", ..." if len(classes) > 10 else "")
    twin = next((c for c in classes if str(c) == str(label)), None)
    if twin is not None:
        kinds = f"{type(label).__name__} {label!r} and {type(twin).__name__} {twin!r}"
        return (
            f"but the classes are {shown}: {kinds} are different labels; "
            f"cast one column to the other's type, or say labels={{{label!r}: {twin!r}}} "
            "(--labels MAP.json)."
        )
    outside = f"which is outside the declared classes {shown}"
    if label in IGNORED and not isinstance(classes[0], str):
        return f"{outside}. {advise_ignore(label)}"
    if find_likely_map([label], classes) is not None:
        return f"{outside}. {advise_map([label], classes)}"
    if len(distinct) > 1 and not set(distinct) & set(classes):
        return f"{outside}, as are all its labels. {advise_map(distinct, classes)}"
    return f"{outside}; declare it in classes or correct the label."


def _convert_to_label(value: Any) -> Label | None:
    """A value as a label; None for one that is no label."""
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    return None


def _missing_label_error(where: str, row: str, count: int) -> SchemaError:
    return SchemaError(
        f"{where} has no label at {row} ({count} such rows); fill it or drop the row."
    )


def _not_a_label_error(value: Any, where: str, row: str) -> SchemaError:
    if isinstance(value, bytes):
        return SchemaError(f"{where} holds bytes {value!r} at {row}; decode them to text first.")
    return SchemaError(
        f"{where} holds {value!r} at {row}, which is no label (expected str, int or bool). "
        "If these are scores, name the column <model>.score; if probabilities, <model>.proba; "
        "if a prediction of a number, use task='regression'."
    )


def _shrink(codes: Array, size: int) -> Array:
    return codes.astype(_smallest_type(size), copy=False)


def _smallest_type(size: int) -> np.dtype[Any]:
    """The smallest unsigned integers that hold the codes below `size`."""
    if size <= 1 << 8:
        return np.dtype(np.uint8)
    return np.dtype(np.uint16 if size <= 1 << 16 else np.uint32)
