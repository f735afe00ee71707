"""Labels as dictionary codes: every label column is encoded once, at the door, to the smallest unsigned integers.

>>> codes, distinct = encode(["cat", "dog", "cat"])
>>> codes.tolist(), distinct
([0, 1, 0], ['cat', 'dog'])
>>> recode(codes, distinct, ("dog", "cat"), "column 'y'").tolist()
[1, 0, 1]
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnseenLabelError
from assay.kernels import Array, map_codes, pair_values
from assay.table.columns import RowNamer, Column, name_by_position, find_first_null, numpy_to_arrow, require_one, arrow_to_numpy, normalise

__all__ = ["Label", "encode_declared", "check_classes", "encode", "count_label_pairs", "recode", "list_spellings"]

Label: TypeAlias = str | int | bool

# Above this, neighbouring whole numbers are one and the same float64.
EXACT = 2**53


def encode(values: Any, where: str = "labels", at: RowNamer = name_by_position) -> tuple[Array, list[Label]]:
    """Codes (n,) and the distinct labels they stand for, each of which occurs.

    Labels are str, int or bool; floats are taken as int when every one is whole. Missing labels are refused.
    """
    column = require_one(normalise(values, where), where)
    if isinstance(column, pa.Array) and _is_plain(column):
        column = arrow_to_numpy(column)
    if isinstance(column, np.ndarray):
        whole = _whole_numbers(column, where, at) if column.dtype.kind == "f" else column
        if len(whole):
            low, high = int(whole.min()), int(whole.max())
            if high - low < 1 << 16:
                return _encode_integers(whole, low, high)
        column = numpy_to_arrow(whole)
    return _encode_arrow(column, where, at)


def _is_plain(column: pa.Array) -> bool:
    kind = column.type
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(number and not column.null_count)


def _whole_numbers(values: Array, where: str, at: RowNamer) -> Array:
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    wrong = (whole != values) | (np.abs(values) > EXACT)
    if wrong.any():
        row = int(np.argmax(wrong))
        if np.isnan(values[row]):
            raise _missing_label_error(where, at(row), int(np.isnan(values).sum()))
        raise _not_a_label_error(float(values[row]), where, at(row))
    return whole


def _encode_integers(values: Array, low: int, high: int) -> tuple[Array, list[Label]]:
    """A small range of integers is its own dictionary: one counting pass, no hashing."""
    if values.dtype.kind == "b":
        seen = [v for v, here in ((False, not values.all()), (True, values.any())) if here]
        return (
            values.astype(np.uint8) if len(seen) == 2 else np.zeros(len(values), np.uint8)
        ), list(seen)
    size = high - low + 1
    beyond = high >= 1 << 63  # what is looked up is signed
    least = 0 if beyond else low
    codes = map_codes(
        values - values.min() if beyond else values, least, _smallest(np.arange(size + 1), size + 1)
    )
    seen_at = _find_used(codes, size)
    if len(seen_at) < size:
        table = np.zeros(size, np.int64)
        table[seen_at] = np.arange(len(seen_at))
        codes = _smallest(table, len(seen_at))[codes]
    return _smallest(codes, len(seen_at)), [int(v) + low for v in seen_at]


def _encode_arrow(column: pa.Array, where: str, at: RowNamer) -> tuple[Array, list[Label]]:
    if column.null_count:
        raise _missing_label_error(where, at(find_first_null(column)), column.null_count)
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes, values = arrow_to_numpy(coded.indices), coded.dictionary
    # A dictionary may list values that no row holds (categories, slices of a longer column): they are not seen here.
    used = _find_used(codes, len(values))
    if len(used) < len(values):
        table = np.zeros(len(values), np.int64)
        table[used] = np.arange(len(used))
        codes, values = table[codes], values.take(numpy_to_arrow(used))
    found = values.to_pylist()
    distinct = [_label(value) for value in found]
    if None in distinct:
        value, rows = found[distinct.index(None)], codes == distinct.index(None)
        where_at = at(int(np.argmax(rows)))
        raise (
            _missing_label_error(where, where_at, int(rows.sum()))
            if value is None
            else _not_a_label_error(value, where, where_at)
        )
    return codes, [label for label in distinct if label is not None]


def _find_used(codes: Array, size: int) -> Array:
    """Which of the codes below `size` occur, ascending; mostly the first rows show that all do."""
    head = codes[: 64 * size + 1024]
    for some in (head, codes):
        found = np.flatnonzero(np.bincount(some.astype(np.intp, copy=False), minlength=size))
        if len(found) == size:
            break
    return found


def encode_declared(values: Any, classes: Sequence[Label], where: str, at: RowNamer = name_by_position) -> Array:
    """Codes (n,) of a column of labels over declared classes, in one pass where that can be; else as `recode`.

    >>> encode_declared(np.array([7, 5, 7]), (5, 7), "column 'y'").tolist()
    [1, 0, 1]
    """
    column = require_one(normalise(values, where), where)
    cipher, room = _plan_codes(column, classes), _allocate_codes(len(column), len(classes))
    known = cipher is not None and _write_codes(room, *cipher)
    return room if known else recode(*encode(column, where, at), classes, where, at)


def _allocate_codes(n: int, classes: int) -> Array:
    """Room for the codes (n,) of so many classes.

    It is memory of Arrow's pool, which hands out what it was given back: that of many batches is not cleared anew.
    """
    dtype = _smallest_type(classes)
    return np.frombuffer(pa.allocate_buffer(n * dtype.itemsize), dtype)


def count_label_pairs(truth: Column, said: Column, classes: Sequence[Label]) -> Array | None:
    """How often each class was said of each true class (k, k), of columns as they come; None: see `encode_declared`.

    >>> count_label_pairs(np.array([7, 5, 7]), np.array([7, 7, 7]), (5, 7)).tolist()
    [[0, 1], [0, 2]]
    """
    first, second = _plan_codes(truth, classes), _plan_codes(said, classes)
    if first is None or second is None or first.low != second.low:
        return None
    found = pair_values(
        first.values, second.values, first.low, (first.table, second.table), len(classes)
    )
    return found if len(found) else None


class _CodeMap(NamedTuple):
    """Integers (n,), and the table for `map_codes` that gives the codes they stand for, from the integer `low` on."""

    values: Array
    low: int
    table: Array


def _plan_codes(column: Column, classes: Sequence[Label]) -> _CodeMap | None:
    """What a look-up needs to give the codes of a column, where it can."""
    if isinstance(column, pa.Array) and pa.types.is_integer(column.type) and not column.null_count:
        column = arrow_to_numpy(column)
    if isinstance(column, np.ndarray):
        if column.dtype.kind not in "iu" or type(classes[0]) is not int:
            return None
        low, known = _tabulate_classes(tuple(classes))
        return None if known is None else _CodeMap(column, low, known)
    if not pa.types.is_dictionary(column.type) or column.null_count:
        return None
    table = _tabulate_dictionary(column.dictionary.to_pylist(), classes)
    return None if table is None else _CodeMap(arrow_to_numpy(column.indices), 0, table)


@lru_cache(maxsize=64)
def _tabulate_classes(classes: tuple[Any, ...]) -> tuple[int, Array | None]:
    """The least class, and a table for `map_codes` of all from there on; None where they are few for their range."""
    low, high = min(classes), max(classes)
    if high - low >= min(1 << 16, 64 * len(classes) + 1024) or high >= 1 << 63:
        return low, None
    table = _make_table(high - low + 1, len(classes))
    table[np.array(classes, np.int64) - low] = np.arange(len(classes))
    table.flags.writeable = False
    return low, table


def _tabulate_dictionary(values: Sequence[Any], classes: Sequence[Label]) -> Array | None:
    """A table for `map_codes` of the places in a dictionary; None where its values are many, or no labels."""
    kind = type(classes[0])
    if len(values) >= 1 << 16 or not all(type(value) is kind for value in values):
        return None
    place = {label: code for code, label in enumerate(classes)}
    table = _make_table(len(values), len(classes))
    table[:-1] = [place.get(value, table[-1]) for value in values]
    return table


def _make_table(size: int, classes: int) -> Array:
    """A table for `map_codes` that holds nothing yet: its last entry stands for no class.

    No class and no place in the table has that number, so that a table of places in order holds no unknown label.
    """
    none = max(size, classes)
    return np.full(
        size + 1, none, np.uint8 if none < 1 << 8 else np.uint16 if none < 1 << 16 else np.uint32
    )


def _write_codes(room: Array, column: Array, low: int, table: Array) -> bool:
    found = map_codes(column, low, table, room if room.dtype == table.dtype else None)
    if len(found) == len(column) and found.dtype != room.dtype:
        room[:] = found
    return len(found) == len(column)


def recode(
    codes: Array, distinct: Sequence[Label], classes: Sequence[Label], where: str, at: RowNamer = name_by_position
) -> Array:
    """Codes over `distinct` as codes over `classes`; a label outside the classes is an error naming its first row."""
    position = {label: i for i, label in enumerate(classes)}
    alike = set(classes) <= {0, 1}  # False and True are 0 and 1 where these are the classes
    table = np.array(
        [position.get(v, -1) if alike or _is_same_kind(v, classes) else -1 for v in distinct], dtype=np.int64
    )
    outside = np.flatnonzero(table < 0)
    if len(outside):
        row = min(int(np.argmax(codes == i)) for i in outside)
        label = distinct[int(codes[row])]
        raise UnseenLabelError(
            f"{where} has label {label!r} at {at(row)}, {_advise(label, classes)}"
        )
    if codes.dtype == _smallest_type(len(classes)) and np.array_equal(table, np.arange(len(table))):
        return codes
    room = _allocate_codes(len(codes), len(classes))
    known = _make_table(len(table), len(classes))
    known[:-1] = table
    every = _write_codes(room, codes, 0, known)
    assert every, "codes lie in their dictionary"
    return room


def check_classes(classes: Any) -> tuple[Label, ...]:
    """Declared classes as str, int or bool, of one type and distinct."""
    if isinstance(classes, str | bytes):
        raise SchemaError(f"classes must be a list of labels; got the text {classes!r}")
    found = []
    for value in classes.tolist() if hasattr(classes, "tolist") else list(classes):
        label = _label(value.item() if isinstance(value, np.generic) else value)
        if label is None:
            raise SchemaError(f"class {value!r} is no label; expected str, int or bool")
        found.append(label)
    if not found:
        raise SchemaError(
            "classes is empty; name at least one class, or leave it out to take them from the data"
        )
    if len({type(label) for label in found}) > 1:
        raise SchemaError(
            f"classes mix types: {found[:10]}; '1', 1 and True are different labels, use one type"
        )
    if len(set(map(str, found))) < len(found):
        raise SchemaError(f"classes must be distinct; got {found[:10]}")
    return tuple(found)


def list_spellings(label: Label) -> tuple[str, ...]:
    """How a column may spell a label in its name: as its text, and true/false/1/0 for a bool.

    >>> list_spellings(True), list_spellings(3)
    (('True', 'true', 'TRUE', '1'), ('3',))
    """
    text = str(label)
    return (
        (text, text.lower(), text.upper(), str(int(label))) if isinstance(label, bool) else (text,)
    )


def _is_same_kind(label: Label, classes: Sequence[Label]) -> bool:
    return not classes or isinstance(label, bool) == isinstance(classes[0], bool)


def _advise(label: Label, classes: Sequence[Label]) -> str:
    shown = ", ".join(repr(c) for c in classes[:10]) + (", ..." if len(classes) > 10 else "")
    twin = next((c for c in classes if str(c) == str(label)), None)
    if twin is not None:
        kinds = f"{type(label).__name__} {label!r} and {type(twin).__name__} {twin!r}"
        return f"but the classes are {shown}: {kinds} are different labels; cast one column to the other's type."
    return f"which is outside the declared classes {shown}; declare it in classes or correct the label."


def _label(value: Any) -> Label | None:
    if isinstance(value, str | bool | int):
        return value
    return (
        int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT
        else None
    )


def _missing_label_error(where: str, row: str, count: int) -> SchemaError:
    return SchemaError(
        f"{where} has no label at {row} ({count} such rows); fill it or drop the row."
    )


def _not_a_label_error(value: Any, where: str, row: str) -> SchemaError:
    if isinstance(value, bytes):
        return SchemaError(f"{where} holds bytes {value!r} at {row}; decode them to text first.")
    return SchemaError(
        f"{where} holds {value!r} at {row}, which is no label (expected str, int or bool). "
        f"If these are scores, name the column <model>.score; if probabilities, <model>.proba; if a prediction of a "
        f"number, use task='regression'."
    )


def _smallest(codes: Array, size: int) -> Array:
    return codes.astype(_smallest_type(size), copy=False)


def _smallest_type(size: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.uint32)
