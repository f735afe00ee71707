"""Judging: which rows judge models; those of a training split do not, unless they are asked for.

>>> from assay.table.predictions import Predictions
>>> split = ["train", "train", "test"]
>>> table = leave_out_training(Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]}, split=split))
>>> print(table.n, table.notes[0])  # doctest: +NORMALIZE_WHITESPACE
1 2 of 3 rows are left out: column 'split' says 'train', and rows that a model was trained on do not
judge it. To let them judge, choose rows by that column: where="split in ('test', 'train')".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa

from assay.core.text import Headline
from assay.errors import SchemaError
from assay.table.condition import Condition, quote_column
from assay.table.predictions import Predictions
from assay.table.protocol import Table
from assay.table.splits import FLAGS, HELD_OUT, NO, SPLITS, TRAINING, YES, simplify, tells_training

__all__ = [
    "Training",
    "choose_rows",
    "find_training",
    "leave_out_training",
    "names_training",
    "take_training",
]

T = TypeVar("T", bound=Table)

# Rows whose columns are searched for what looks like a split under another name.
SEARCHED = 1 << 16
# Values that such a column may have.
MOST_VALUES = 8


class Training(NamedTuple):
    """The columns that tell training rows, with the values that do; and remarks on unclear ones."""

    columns: Mapping[str, Sequence[Any]]
    remarks: tuple[str, ...] = ()

    @property
    def condition(self) -> Condition:
        """What is true of the rows that no model was trained on."""
        tests = [
            f"{quote_column(name)} not in ({', '.join(map(repr, values))})"
            for name, values in self.columns.items()
        ]
        return Condition(" and ".join(tests))

    def describe(self) -> str:
        """Which column says what of them."""
        return " or ".join(
            f"column {name!r} says {', '.join(map(repr, values))}"
            for name, values in self.columns.items()
        )


def names_training(table: Table, names: Iterable[str]) -> bool:
    """Whether one of the columns `names` of `table` may tell its training rows."""
    known = find_training(table).columns
    return any(name in known or tells_training(name) for name in names)


def find_training(table: Table) -> Training:
    """What tells the training rows of `table`: columns by their name and by what they say.

    The column `split` counts whatever else it says; one of another name, such as `set` or
    `is_train`, only if all it says is of splits. Others that look like a split are remarked on.
    """
    columns: dict[str, Sequence[Any]] = {}
    remarks = []
    for name, column in table.columns.items():
        simple = simplify(name)
        if name == "id" or not _may_tell(column.type):
            continue
        if simple not in SPLITS | FLAGS:
            remarks += _remark_on_likeness(name, column)
            continue
        values = _list_values(table, name)
        training = [v for v in values if simplify(v) in (TRAINING if simple in SPLITS else YES)]
        others = {simplify(v) for v in values if v not in training}
        plain = simple == "split" or others <= (HELD_OUT if simple in SPLITS else NO)
        if training and plain:
            columns[name] = training
        elif training:
            shown = ", ".join(map(repr, values[:MOST_VALUES]))
            remarks.append(
                f"Column {name!r} is not taken as the split, for it says {shown}; if some of them "
                f"are training rows, leave them out: where='{quote_column(name)} != ...'."
            )
    return Training(columns, tuple(remarks))


def take_training(table: Predictions) -> Predictions:
    """The rows of `table` that a column says models were trained on, as rows that were chosen."""
    columns = find_training(table).columns
    if not columns:
        return replace(table.slice(0, 0), rows_chosen=True)
    keep = np.zeros(table.n, bool)
    for name, training in columns.items():
        codes, values = table.group(name)
        keep |= np.isin(codes, [i for i, value in enumerate(values) if value in training])
    return replace(table.take(keep), rows_chosen=True)


def leave_out_training(table: T) -> T:
    """The rows of `table` that may judge models, with notes on those that were left out.

    Rows that were chosen by such a column before stay. Where all rows are training rows, all stay,
    and a note says so.
    """
    if table.rows_chosen:
        return table
    training = find_training(table)
    judging = table.where(training.condition.text) if training.columns else table
    notes = [*training.remarks, *(note for note in table.notes if note not in training.remarks)]
    if table.n and not judging.n:
        judging = table
        notes = [_tell_that_all_train(table, training), *notes]
    elif judging.n < table.n:
        notes = [_tell_left_out(table, table.n - judging.n, training), *notes]
    return cast("T", replace(cast(Any, judging), notes=tuple(notes), rows_chosen=True))


def _tell_that_all_train(table: Table, training: Training) -> Headline:
    return Headline(
        f"All {table.n:,} rows are training rows ({training.describe()}): every value is too good, "
        f"most of all that of a model that overfits. Give rows that no model was trained on."
    )


def _tell_left_out(table: Table, left_out: int, training: Training) -> Headline:
    name = next(iter(training.columns))
    values = _list_values(table, name)
    known = table.columns[name].null_count == 0
    listed = ", ".join(map(repr, values if known else [*values, None]))
    keep = f"{quote_column(name)} in ({listed})" if len(values) <= MOST_VALUES else "..."
    return Headline(
        f"{left_out:,} of {table.n:,} rows are left out: {training.describe()}, and rows that a "
        f"model was trained on do not judge it. To let them judge, choose rows by that column: "
        f"where={keep!r}."
    )


def choose_rows(table: T, where: str) -> T:
    """The rows of `table` of which the condition `where` is true, with a note on how many.

    Where it names a column that tells training rows, the choice stands: none is left out later.
    """
    kept = table.where(where)
    if not kept.n and table.n:
        shown = [
            f"; {name!r} says {', '.join(map(repr, _list_values(table, name)[:MOST_VALUES]))}"
            for name in Condition(where).columns
            if name in table.columns
        ]
        raise SchemaError(
            f"where {where}: it is true of none of the {table.n:,} rows{''.join(shown)}. Choose "
            f"values that occur"
        )
    note = Headline(f"where {where}: {kept.n:,} of {table.n:,} rows.")
    return cast("T", replace(cast(Any, kept), notes=(note, *kept.notes)))


def _may_tell(kind: pa.DataType) -> bool:
    """Whether values of a `kind` can be names, or yes and no."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tells = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean)
    return any(is_kind(kind) for is_kind in (*tells, pa.types.is_integer, pa.types.is_floating))


def _list_values(table: Table, name: str) -> list[Any]:
    """The distinct values of the column `name` of all rows, in order, the missing one left out."""
    values: dict[Any, None] = {}
    for chunk in table.column_chunks(name):
        if len(values) <= SEARCHED:
            values.update(dict.fromkeys(chunk.unique().to_pylist() if len(chunk) else []))
    present = [value for value in values if value is not None and value == value]
    return sorted(present, key=lambda value: (str(type(value)), value))


def _remark_on_likeness(name: str, column: Any) -> list[str]:
    """A remark where a `column` of another name says what a split says."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return []
    values = column.slice(0, SEARCHED).unique()
    if len(values) > MOST_VALUES:
        return []
    said = {simplify(value) for value in values.to_pylist() if value is not None}
    if not said & TRAINING or not said & HELD_OUT or not said <= TRAINING | HELD_OUT:
        return []
    return [
        f"Column {name!r} looks like a split but is not named so: its training rows judge here. "
        f"Name it 'split', or choose rows: where='{quote_column(name)} == ...'."
    ]
