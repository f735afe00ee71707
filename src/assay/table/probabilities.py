"""Probabilities: in [0, 1], summing to 1, or refused with what they seem to be instead.

Sums may be off by what the rounding of the numbers explains: such rows are divided by their sum,
and a note says so. Percentages and other numbers are taken when the caller says what they are.

>>> schema = Schema("multiclass", ("ant", "bee", "cat"), {})
>>> table = np.array([[0.33, 0.33, 0.33], [0.5, 0.3, 0.2]])
>>> array, note = check_probabilities(table, schema, "proba")
>>> note
'proba is rounded to 2 decimals: 1 of 2 rows sum to 0.99, and are divided by their sum.'
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.class_columns import (
    align_classes,
    find_single,
    require_finite,
    widen_floats,
)
from assay.table.columns import RowNamer, Unnamed, convert_to_numbers, name_by_position
from assay.table.conversions import AS_GIVEN, Conversions
from assay.table.schema import Schema
from assay.table.text_lists import is_text_column

__all__ = ["check_probabilities"]

# How far from 1 probabilities may sum as they are.
TOLERANCE = 1e-3
HALF_TOLERANCE = 5e-3  # of numbers that came as float16
SLACK = 1e-6  # how far beyond 0 and 1 a rounding error may lie
# How far from 1 rounding may take a sum: where it is more, the classes are too many to say.
MOST_ROUNDING = 0.1
# How far from 1 a softmax in bfloat16 may sum: ten times the rounding of one number.
BRAIN_TOLERANCE = 2e-2
MOST_DECIMALS = 6
# How far rounded decimals lie from their decimals, in each precision of numbers.
PRECISION = {"float16": 5e-4, "float32": 2e-7}


def check_probabilities(
    values: Any,
    schema: Schema,
    where: str,
    name_row: RowNamer = name_by_position,
    conversions: Conversions = AS_GIVEN,
) -> tuple[Array, str]:
    """Probabilities (n, k) that sum to 1 in each row, and a note on what was done to them, or "".

    `values` are normalised columns to fit the `schema`; `conversions` says what to do to them. A
    message names the column by `where` and a row by `name_row`.
    """
    if schema.task in ("regression", "multioutput"):
        raise SchemaError(
            f"{where}: a regression has no class probabilities; name the column <model>.value"
        )
    values = _read_percent_signs(values, where, conversions)
    column, code = find_single(values, schema, where)
    if code is not None:
        p = convert_to_numbers(column, where, name_row)
        p = _require_unit(_scale_percentages(p, where, conversions), where, name_row)
        return np.stack((1 - p, p) if code == 1 else (p, 1 - p), axis=1), ""
    precision = _name_precision(values)
    table = widen_floats(align_classes(values, schema, where, name_row))
    table = _scale_percentages(table, where, conversions)
    if schema.task == "multilabel":
        return _require_unit(table, where, name_row), ""
    if conversions.normalise:
        return _normalise_rows(table, where, name_row)
    return _require_sums(_require_unit(table, where, name_row), precision, where, name_row)


def _read_percent_signs(values: Any, where: str, conversions: Conversions) -> Any:
    """Columns of text that ends with a percent sign as numbers, where the caller says percent."""
    if isinstance(values, Mapping):
        columns = {
            name: _read_percent_signs(column, f"{where}, class {name!r}", conversions)
            for name, column in values.items()
        }
        return Unnamed(columns) if isinstance(values, Unnamed) else columns
    if not is_text_column(values) or not len(values) or not values[0].is_valid:
        return values
    first = values[0].as_py().strip()
    if not first.endswith("%"):
        return values
    if not conversions.percent:
        raise SchemaError(
            f"{where} holds percentages, as {first!r} at row 0; probabilities lie in [0, 1]. "
            "Say percent=True (--percent) to read them as such."
        )
    import pyarrow.compute as compute

    text = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    try:
        return compute.utf8_trim(text, " %").cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise SchemaError(f"{where} must hold percentages ({error}); correct the cell") from error


def _scale_percentages(p: Array, where: str, conversions: Conversions) -> Array:
    """Percentages as probabilities, where the caller says percent; rows that sum to 1 stay."""
    if not conversions.percent or not p.size:
        return p
    if p.ndim == 2 and (np.abs(p.sum(axis=1, dtype=np.float64) - 1) < MOST_ROUNDING).all():
        return p
    if p.max() <= 1:
        raise SchemaError(
            f"{where} is said to hold percentages, but its largest number is {p.max():.6g}: it "
            "seems to hold probabilities already. Leave percent out, and multiply this column by "
            "100 if others are in percent."
        )
    return p / 100


def _require_unit(p: Array, where: str, name_row: RowNamer) -> Array:
    """Numbers in [0, 1]; SchemaError, with what they seem to be, where they are not."""
    if p.size == 0 or (p.min() >= 0 and p.max() <= 1):
        return p
    require_finite(p, where, name_row)
    # A rounding error beyond the ends is no reason to refuse a table.
    bad = (p < -SLACK) | (p > 1 + SLACK)
    if bad.any():
        row = int(np.argmax(bad if bad.ndim == 1 else bad.any(axis=1)))
        value = float(p.ravel()[int(np.argmax(bad.ravel()))])
        raise SchemaError(
            f"{where} is {value:.6g} at {name_row(row)}; probabilities lie in [0, 1]. {_guess(p)}"
        )
    return np.clip(p, 0, 1)


def _guess(p: Array) -> str:
    """What numbers beyond [0, 1] may be, and how to say so."""
    percent = "say percent=True (--percent)"
    counts = "say normalise=True (--normalise), which divides each row by its sum"
    logits = "If these are logits, name the column <model>.logit; if rank scores, <model>.score."
    if p.min() < 0:
        return logits
    if p.ndim == 2:
        total = p.sum(axis=1, dtype=np.float64)
        if (np.abs(total - 100) <= max(1.0, 0.5 * p.shape[1])).all():
            return f"Each row sums to about 100: if these are percentages, {percent}."
        if (p == np.floor(p)).all():
            return f"If these are counts of votes, {counts}; if percentages, {percent}. {logits}"
    elif p.max() <= 100:
        return f"If these are percentages, {percent}. {logits}"
    return logits


def _normalise_rows(table: Array, where: str, name_row: RowNamer) -> tuple[Array, str]:
    """Each row divided by its sum, as the caller asks, and a note on the sums."""
    require_finite(table, where, name_row)
    if table.size and table.min() < -SLACK:
        row = int(np.argmax((table < -SLACK).any(axis=1)))
        raise SchemaError(
            f"{where} is {float(table[row].min()):.6g} at {name_row(row)}: negative numbers are "
            "no shares of a sum. If these are logits, name the column <model>.logit."
        )
    table = np.maximum(table, 0)
    total = table.sum(axis=1, dtype=np.float64)
    if len(total) and total.min() <= 0:
        row = int(np.argmin(total))
        raise SchemaError(
            f"{where} sums to 0 at {name_row(row)}, so it cannot be normalised; give at least one "
            "class a probability, or drop the row"
        )
    if not len(total) or np.abs(total - 1).max() <= SLACK:
        return table, ""
    note = f"{where} was normalised as asked: rows sum to {_show_range(total)}."
    return table / total[:, None], note


def _require_sums(
    table: Array, precision: str, where: str, name_row: RowNamer
) -> tuple[Array, str]:
    """Rows that sum to 1 as they are; those off by rounding alone are divided by their sum.

    Whether a row is one of these depends on its own numbers only, so that a table read in parts
    gives what it gives as a whole.
    """
    total = table.sum(axis=1, dtype=np.float64)
    tolerance = HALF_TOLERANCE if precision == "float16" else TOLERANCE
    off = np.flatnonzero(np.abs(total - 1) > tolerance)
    if not len(off):
        return table, ""
    rows = table[off]
    distance = np.abs(total[off] - 1)
    decimals = _count_decimals(rows, PRECISION.get(precision, 1e-12))
    allowed = np.minimum(table.shape[1] * 0.5 * 10.0**-decimals, MOST_ROUNDING) + SLACK
    by_decimals = (decimals > 0) & (distance <= allowed)
    by_bits = (distance <= BRAIN_TOLERANCE) & _has_few_bits(rows)
    unexplained = off[~(by_decimals | by_bits)]
    if len(unexplained):
        row = int(unexplained[0])
        raise SchemaError(
            f"{where} sums to {total[row]:.4g} at {name_row(row)}, expected 1 "
            f"({len(unexplained)} such rows). If a class has no column, add it; if classes were "
            "scored one against the rest, say normalise=True (--normalise), which divides each "
            "row by its sum; if these are logits, name the column <model>.logit; if each label "
            "stands alone, use task='multilabel'."
        )
    table = table.copy()
    table[off] = rows / total[off, None]
    if by_decimals.all():
        cause = f"is rounded to {int(decimals.max())} decimals"
    else:
        cause = "has the precision of bfloat16"
    note = (
        f"{where} {cause}: {len(off)} of {len(table)} rows sum to {_show_range(total[off])}, "
        "and are divided by their sum."
    )
    return table, note


def _count_decimals(rows: Array, slack: float) -> Array:
    """Fewest decimals, 2 or more, that write all numbers of each row (n,); 0 where none do."""
    decimals = np.zeros(len(rows), np.int64)
    wide = rows.astype(np.float64)
    for count in range(MOST_DECIMALS, 1, -1):
        scale = 10.0**count
        if slack * scale < 0.1:
            away = np.abs(wide * scale - np.rint(wide * scale)).max(axis=1)
            decimals[away <= max(slack * scale, 1e-9)] = count
    return decimals


def _has_few_bits(rows: Array) -> Array:
    """Whether every number of a row is one that bfloat16 can hold (n,)."""
    narrow = rows.astype(np.float32)
    whole = (narrow == rows).all(axis=1)
    bits = np.ascontiguousarray(narrow).view(np.uint32)
    return np.asarray(whole & ((bits & 0xFFFF) == 0).all(axis=1))


def _show_range(total: Array) -> str:
    low = f"{total.min():.4g}"
    high = f"{total.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _name_precision(values: Any) -> str:
    if isinstance(values, Mapping):
        return _name_precision(next(iter(values.values())))
    if isinstance(values, pa.Array):
        kind = str(values.type)
        return "float16" if "halffloat" in kind else "float32" if "float" in kind else "float64"
    return str(values.dtype)
