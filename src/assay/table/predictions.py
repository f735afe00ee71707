"""Predictions: what several models predicted for the same rows, beside the truth.

This is the one table that everything else reads.

>>> import numpy as np
>>> proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
>>> models = {"a": ["cat", "dog", "dog"], "b": proba}
>>> p = Predictions.from_arrays(["cat", "dog", "cat"], models, classes=["cat", "dog"])
>>> p
Predictions: 3 rows, binary (cat, dog; positive: dog), 2 models: a (label), b (proba)
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import (
    Array,
    count_pairs,
)
from assay.table.columns import convert_to_arrow, name_columns, normalise, numpy_to_arrow
from assay.table.condition import Condition
from assay.table.conversions import (
    AS_GIVEN,
    Conversions,
    drop_rows,
    make_conversions,
    mark_kept_rows,
)
from assay.table.indexes import align_indexes
from assay.table.labels import Label
from assay.table.outputs import RawOutputs, group_by_model
from assay.table.rows import Rows
from assay.table.schema import SPECIAL, WRITTEN, Kind, Schema, Task
from assay.table.splits import tells_training
from assay.table.texts import measure_row, refuse_token_lists, restore_texts
from assay.table.validation import check_model, validate_table

__all__ = ["Predictions", "assemble", "require_weight", "restore_labels", "tell_ignored"]


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """Truth and the outputs of each model on the same rows, validated; nothing is changed in place.

    `truth` holds class codes (n,), 0/1 (n, labels) for multi-label, numbers (n,) for regression,
    (n, outputs) for multi-output, or texts (n,). `outputs` maps model -> kind -> array: label codes
    (n,), proba and logit (n, k), score and value (n,), interval (n, 2), text (n,); 0/1 labels (n,
    labels) for multi-label, values (n, outputs) for multi-output.
    `columns` keeps id, fold, split, cluster and every group column as Arrow arrays. A batch of a
    table is itself a (short) table, so whatever works on the whole works on a batch.

    >>> p = Predictions.from_arrays(["cat", "dog"], {"a": ["cat", "cat"]})
    >>> p.n, p.models, p.classes
    (2, ['a'], ('cat', 'dog'))
    """

    schema: Schema
    truth: Array
    outputs: Mapping[str, Mapping[Kind, Array]]
    weight: Array | None = None
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    offset: int = 0
    streamed: int = 0  # rows of the stream that this is a batch of; 0: the table is in memory
    rows_chosen: bool = (
        False  # whether rows have been chosen: training rows that are left shall judge
    )

    @staticmethod
    def from_arrays(  # noqa: PLR0913 - the columns that a table may have
        y: Any,
        models: Mapping[str, Any],
        *,
        classes: Sequence[Label] | None = None,
        task: Task | None = None,
        positive: Label | None = None,
        weight: Any = None,
        id: Any = None,
        fold: Any = None,
        split: Any = None,
        cluster: Any = None,
        groups: Mapping[str, Any] | None = None,
        normalise: bool = False,
        percent: bool = False,
        labels: Mapping[Label, Label] | None = None,
        class_names: Sequence[str] | None = None,
        ignore_label: Label | None = None,
    ) -> "Predictions":
        """A validated table from arrays, lists, Arrow, pandas or polars columns.

        Parameters:
            y: Truth: labels (n,), numbers (n,) for regression, (n, outputs) for several outputs,
                0/1 (n, labels) for multi-label, or texts (n,).
            models: Name of each model -> labels (n,), or probabilities (n, k) in the order of
                `classes`; any other kind is named, as in {"a.logit": (n, k), "b.score": (n,),
                "c.value": (n,), "c.interval": (n, 2), "d.text": (n,)}. In a binary task "a.proba"
                may be the probabilities of the positive class (n,).
            classes: Class labels in their order; default: those of the data, sorted.
            task: binary, multiclass, multilabel, regression, multioutput, text or detection;
                default: what the columns show, which is neither of the last two.
            positive: Positive class of a binary task; default: the last of the two classes.
            weight: Weights (n,) of the rows, 0 or more; default: each row counts once.
            id: Unique name of each row (n,), by which files are joined and messages name rows.
            fold: Fold in which each row was predicted (n,).
            split: Split of each row (n,), such as train and test.
            cluster: Cluster of each row (n,): rows of one cluster are resampled together.
            groups: Further columns (n,) by name, to slice by.
            normalise: Whether to divide the probabilities of each row by their sum; default False:
                rows that do not sum to 1 are refused, unless the rounding of the numbers explains
                it.
            percent: Whether probabilities are percentages, in 0..100; default False.
            labels: Label that is meant for each label of the truth, of models and of class
                columns, as in {"LABEL_0": "no"}; others stay. Default: none is renamed.
            class_names: Names of the classes 0, 1, ..., in the order of the columns of
                probabilities; whole numbers and LABEL_0 are read as these names. Default: none.
            ignore_label: Rows whose truth this is are left out, as -100; default: none.

        Returns:
            The table.

        Raises:
            SchemaError: The columns cannot be used; it names the first offending row.

        >>> Predictions.from_arrays([1.5, 2.0], {"a": [1.0, 2.5]}, task="regression")
        Predictions: 2 rows, regression, 1 model: a (value)
        """
        models = name_columns(models, "models")
        groups = name_columns({} if groups is None else groups, "groups")
        reserved = [name for name in groups if name in SPECIAL]
        if reserved:
            raise SchemaError(
                f"a group column cannot be named {reserved[0]!r}; "
                f"give it as {reserved[0]}=... or rename it"
            )
        if task in WRITTEN:
            refuse_token_lists(y, "truth")
            for name, texts in models.items():
                refuse_token_lists(texts, f"text of {name!r}")
        special = {"id": id, "fold": fold, "split": split, "cluster": cluster, **groups}
        columns = {name: values for name, values in special.items() if values is not None}
        y, models, columns, weight, moved = _match_indexes(y, models, columns, weight)
        table = require_weight(
            assemble(
                y,
                group_by_model(models, task),
                columns,
                classes=classes,
                task=task,
                positive=positive,
                weight=weight,
                conversions=make_conversions(
                    normalise=normalise,
                    percent=percent,
                    labels=labels,
                    class_names=class_names,
                    ignore_label=ignore_label,
                    classes=classes,
                ),
            )
        )
        return replace(table, notes=(*moved, *table.notes))

    def __eq__(self, other: object) -> bool:
        """Same schema and same values in every row; notes and offset do not count."""
        if not isinstance(other, Predictions):
            return NotImplemented
        return self is other or _is_same(self, other)

    def __hash__(self) -> int:
        return hash((self.task, self.classes, self.n, tuple(self.models)))

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.truth)

    def __len__(self) -> int:
        return self.n

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the table."""
        return list(self.schema.models)

    @property
    def task(self) -> Task:
        """binary, multiclass, multilabel, regression, multioutput, text or detection."""
        return self.schema.task

    @property
    def classes(self) -> tuple[Label, ...]:
        """Class labels in their declared order."""
        return self.schema.classes

    def rows(self, model: str) -> Rows:
        """What one model predicted, as states read it.

        Parameters:
            model: Name of the model.

        Raises:
            SchemaError: No model has that name.
        """
        if model not in self.schema.models:
            raise SchemaError(
                f"no model is named {model!r}; the table has {', '.join(self.models)}"
            )
        return Rows(self, model)

    def batches(self, size: int = 1 << 20) -> Iterator["Predictions"]:
        """Consecutive slices of the table (views, not copies).

        Parameters:
            size: Most rows of a slice; default 1048576.
        """
        for start in range(0, self.n, size):
            yield self.slice(start, start + size)

    @property
    def head(self) -> "Predictions":
        """The first rows: all of them, since they are in memory (see `Table`)."""
        return self

    @property
    def is_in_memory(self) -> bool:
        """True (see `Table`)."""
        return True

    @property
    def classes_assumed(self) -> bool:
        """False: the classes are declared, or those of all rows (see `Table`)."""
        return False

    @property
    def paths(self) -> tuple[str, ...]:
        """No files: the rows are in memory (see `Table`)."""
        return ()

    @property
    def condition(self) -> str:
        """None: the rows are those at hand (see `Table`)."""
        return ""

    def parts(self, rows: int = 1 << 20) -> "Iterator[MemoryPart]":
        """Consecutive parts of at most `rows` rows (see `Table`)."""
        for start in range(0, self.n, rows):
            yield MemoryPart(self, start, min(start + rows, self.n))

    def count_parts(self, rows: int = 1 << 20) -> int:
        """Number of the parts of at most `rows` rows."""
        return -(-self.n // rows)

    def narrow(self, reads: Mapping[str, set[str]], columns: Sequence[str]) -> "Predictions":
        """The table itself, all of which is in memory.

        Parameters:
            reads: What is needed of each model, as of `Table`.
            columns: Further columns that are needed.
        """
        return self

    def settle_classes(self, classes: Sequence[Label] | None = None) -> "Predictions":
        """The table itself, whose classes are settled already.

        Parameters:
            classes: Ignored.
        """
        return self

    def column_chunks(self, name: str) -> Iterator[pa.Array]:
        """The further column `name`, in one chunk."""
        yield self.columns[name]

    def close(self) -> None:
        """Nothing is open (see `Table`)."""

    def slice(self, start: int, stop: int) -> "Predictions":
        """Consecutive rows as a table (a view).

        Parameters:
            start: First row, 0 or more.
            stop: Row after the last one.
        """

        def cut(column: pa.Array) -> pa.Array:
            return column.slice(start, stop - start)

        return self._pick(slice(start, stop), cut, self.offset + start)

    def every(self, step: int) -> "Predictions":
        """One row in `step`, evenly spread, as a table of their own (numbers are views).

        Parameters:
            step: Distance of the rows, 1 or more.
        """
        places = numpy_to_arrow(np.arange(0, self.n, step))
        return self._pick(slice(None, None, step), lambda c: c.take(places), 0)

    def take(self, rows: Any) -> "Predictions":
        """Some rows as a table of their own.

        Parameters:
            rows: A mask (n,), or positions of rows in the order wanted.

        Raises:
            SchemaError: The mask has another number of rows.
        """
        rows = np.asarray(rows)
        if rows.dtype == bool and len(rows) != self.n:
            raise SchemaError(
                f"the mask has {len(rows)} rows, the table has {self.n}; give one value a row"
            )
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64, copy=False)
        return self._pick(rows, lambda c: c.take(numpy_to_arrow(rows)), 0)

    def where(self, condition: str | None = None, /, **equal: Label) -> "Predictions":
        """Rows of which a condition is true, and whose columns have the given values.

        Rows that are chosen by a column that tells training rows are all taken to judge models.

        Parameters:
            condition: A test of further columns, of `weight` and of the truth as `y`, as in
                'split == "test" and age >= 18'; default: none.
            **equal: Column and the value that its rows shall have, as in `where(split="test")`.

        Raises:
            UnsupportedError: The condition cannot be read.
            SchemaError: No column has that name, or its values cannot be compared so.

        >>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]}, groups={"age": [7, 30, 40]})
        >>> p.where("age > 18").n
        2
        """
        keep = np.ones(self.n, bool)
        names = list(equal)
        if condition is not None:
            test = Condition(condition)
            keep &= test.mark_rows(self._list_testable())
            names += test.columns
        for name, value in equal.items():
            codes, values = self.group(name)
            keep &= codes == values.index(value) if value in values else False
        chosen = self.rows_chosen or any(map(tells_training, names))
        return replace(self.take(keep), rows_chosen=chosen)

    def _list_testable(self) -> Mapping[str, Any]:
        """The columns that a condition may name."""
        columns = dict(self.columns)
        if self.weight is not None:
            columns.setdefault("weight", numpy_to_arrow(self.weight))
        if self.truth.ndim == 1:
            columns.setdefault("y", restore_labels(self.schema, self.truth))
        return columns

    def _pick(self, rows: Any, pick: Any, offset: int) -> "Predictions":
        outputs = {
            m: {kind: a[rows] for kind, a in kinds.items()} for m, kinds in self.outputs.items()
        }
        columns = {name: pick(column) for name, column in self.columns.items()}
        weight = None if self.weight is None else self.weight[rows]
        return replace(
            self,
            truth=self.truth[rows],
            outputs=outputs,
            weight=weight,
            columns=columns,
            offset=offset,
        )

    def pairs(self, rows: Rows) -> Array:
        """How often each class was predicted for each true class (k, k), each row once.

        Parameters:
            rows: One model's rows of this table.
        """
        return count_pairs(rows.truth, rows.label, self.schema.k)

    def row_bytes(self, models: Collection[str]) -> int:
        """Bytes that a row of the truth and of the outputs takes.

        Parameters:
            models: Names of the models whose outputs count.
        """
        outputs = [array for name in models for array in self.outputs[name].values()]
        return sum(measure_row(array) for array in [self.truth, *outputs])

    def group(self, name: str) -> tuple[Array, list[Any]]:
        """Codes (n,) and sorted values of a further column.

        Parameters:
            name: Name of the column.

        Raises:
            SchemaError: The table has no such column.
        """
        if name not in self.columns:
            known = ", ".join(self.columns) or "none"
            raise SchemaError(
                f"no column is named {name!r} to group by; the table's further columns are: {known}"
            )
        column = _decode(self.columns[name]).dictionary_encode(null_encoding="encode")
        values = ["(missing)" if v is None or v != v else v for v in column.dictionary.to_pylist()]
        levels = sorted(dict.fromkeys(values), key=lambda v: (v == "(missing)", v))
        place = {level: i for i, level in enumerate(levels)}
        rank = np.array([place[value] for value in values], np.int64)
        codes = np.from_dlpack(column.indices) if len(column) else np.zeros(0, np.int64)
        return rank[codes] if len(values) else codes, levels

    def append(self, name: str, **kinds: Any) -> "Predictions":
        """The table with one more model, validated as the others were.

        Parameters:
            name: Name of the model.
            **kinds: Its outputs: label (n,), proba or logit (n, k) with columns in the order of
                `classes`, score or value (n,), interval (n, 2), text (n,).

        Raises:
            SchemaError: The name is taken, or the outputs cannot be used.

        >>> p = Predictions.from_arrays(["cat", "dog"], {"a": ["cat", "cat"]})
        >>> p.append("b", label=["dog", "dog"]).models
        ['a', 'b']
        """
        if name in self.schema.models:
            raise SchemaError(
                f"a model is already named {name!r}; choose another name for the one to append"
            )
        if not kinds:
            raise SchemaError(
                f"nothing is given for model {name!r}; "
                "expected label, proba, logit, score, value, interval or text"
            )
        outputs, notes = check_model(name, kinds, self.schema, self.n, self.columns.get("id"))
        schema = replace(self.schema, models={**self.schema.models, name: tuple(outputs)})
        return replace(
            self,
            schema=schema,
            outputs={**self.outputs, name: outputs},
            notes=(*self.notes, *notes),
        )

    def select(self, models: Sequence[str]) -> "Predictions":
        """The table with some of its models alone.

        Parameters:
            models: Names of the models, in the order wanted.
        """
        for name in models:
            self.rows(name)
        schema = replace(self.schema, models={m: self.schema.models[m] for m in models})
        return replace(self, schema=schema, outputs={m: self.outputs[m] for m in models})

    def __repr__(self) -> str:
        s = self.schema
        shown = ", ".join(map(str, s.classes[:6])) + (f", ... {s.k} in all" if s.k > 6 else "")
        positive = f"; positive: {s.positive}" if s.task == "binary" else ""
        classes = f" ({shown}{positive})" if s.classes else ""
        count = "1 model" if len(s.models) == 1 else f"{len(s.models)} models"
        models = ", ".join(f"{m} ({', '.join(kinds)})" for m, kinds in s.models.items())
        return f"Predictions: {self.n} rows, {s.task}{classes}, {count}: {models}"


class MemoryPart(NamedTuple):
    """Rows start..stop of a table in memory; to another process only these rows travel."""

    table: Predictions
    start: int
    stop: int

    def load(self) -> Predictions:
        """The rows, as a view."""
        whole = self.start == 0 and self.stop == self.table.n
        return self.table if whole else self.table.slice(self.start, self.stop)

    def __str__(self) -> str:
        first = self.table.offset + self.start
        return f"rows {first} to {first + self.stop - self.start - 1}"

    def __reduce__(self) -> tuple[Any, ...]:
        # A slice of an Arrow array is pickled with all that it is a slice of: rows are copied.
        rows = self.table.take(np.arange(self.start, self.stop))
        rows = replace(rows, offset=self.table.offset + self.start)
        return MemoryPart, (rows, 0, rows.n)


def assemble(  # noqa: PLR0913 - the columns that a table may have
    y: Any,
    models: Mapping[str, RawOutputs],
    columns: Mapping[str, Any],
    *,
    classes: Sequence[Label] | None = None,
    task: Task | None = None,
    positive: Label | None = None,
    weight: Any = None,
    like: Schema | None = None,
    conversions: Conversions = AS_GIVEN,
) -> Predictions:
    """A validated table from columns whose names have been read, as those of files.

    `y`, `classes`, `task`, `positive` and `weight` are as of `Predictions.from_arrays`. `models`
    are the columns of each model by kind, `columns` the further ones. `like` is the schema of the
    table that these rows are a part of, if they are one. `conversions` says what is done to the
    columns before they are checked.
    """
    further = {
        name: convert_to_arrow(values, f"column {name!r}") for name, values in columns.items()
    }
    remarks: tuple[str, ...] = ()
    if conversions.ignore_label is not None:
        y, models, further, weight, remarks = _ignore_rows(
            y, models, further, weight, conversions.ignore_label
        )
    if "id" in further:
        further["id"] = _decode(further["id"])
    schema, truth, outputs, weight, notes = validate_table(
        y,
        models,
        classes=classes,
        task=task,
        positive=positive,
        weight=weight,
        columns=further,
        like=like,
        conversions=conversions,
    )
    return Predictions(schema, truth, outputs, weight, further, (*remarks, *notes))


def _match_indexes(
    y: Any, models: Mapping[str, Any], columns: Mapping[str, Any], weight: Any
) -> tuple[Any, dict[str, Any], dict[str, Any], Any, list[str]]:
    """The columns in the order of the truth's index, where they have one, and notes on it."""
    named = {"truth": y}
    named |= {f"model {name!r}": values for name, values in models.items()}
    named |= {f"column {name!r}": values for name, values in columns.items()}
    if weight is not None:
        named["weight"] = weight
    aligned, notes = align_indexes(named)
    return (
        aligned["truth"],
        {name: aligned[f"model {name!r}"] for name in models},
        {name: aligned[f"column {name!r}"] for name in columns},
        aligned.get("weight"),
        notes,
    )


def _ignore_rows(
    y: Any,
    models: Mapping[str, RawOutputs],
    columns: Mapping[str, pa.Array],
    weight: Any,
    ignore_label: Label,
) -> tuple[Any, dict[str, RawOutputs], dict[str, pa.Array], Any, tuple[str, ...]]:
    """The columns without the rows whose truth is `ignore_label`, and a note on how many."""
    y = normalise(y, "truth")
    keep = mark_kept_rows(y, ignore_label)
    kept = int(keep.sum())
    if not kept and len(keep):
        raise SchemaError(f"every row of the truth has the label to ignore, {ignore_label!r}")
    outputs: dict[str, RawOutputs] = {
        model: {
            kind: drop_rows(values, keep, f"{kind or 'predictions'} of model {model!r}")
            for kind, values in kinds.items()
        }
        for model, kinds in models.items()
    }
    further = {name: drop_rows(c, keep, f"column {name!r}") for name, c in columns.items()}
    if weight is not None:
        weight = drop_rows(normalise(weight, "weight"), keep, "weight")
    note = tell_ignored(len(keep) - kept, len(keep), ignore_label)
    return drop_rows(y, keep, "truth"), outputs, further, weight, (note,)


def tell_ignored(ignored: int, rows: int, label: Label) -> str:
    """The note that `ignored` of so many `rows` are left out, since their truth is a `label`.

    >>> tell_ignored(2, 9, -100)
    '2 of 9 rows are left out: their truth is -100.'
    """
    return f"{ignored} of {rows} rows are left out: their truth is {label!r}."


def restore_labels(schema: Schema, codes: Array) -> pa.Array:
    """Class `codes` (n,) as the labels of `schema`; numbers and texts as they are."""
    if schema.task == "regression":
        return numpy_to_arrow(codes)
    if schema.task in WRITTEN:
        return restore_texts(codes)
    if isinstance(schema.classes[0], str):
        encoded = [str(label).encode() for label in schema.classes]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        texts = pa.StringArray.from_buffers(
            len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))
        )
        return pa.DictionaryArray.from_arrays(numpy_to_arrow(codes.astype(np.int32)), texts)
    return numpy_to_arrow(np.array(schema.classes)[codes])


def require_weight(table: Predictions) -> Predictions:
    """The `table`, at least one row of which has weight; parts of a table need not have any."""
    if table.n and table.weight is not None and not table.weight.any():
        raise SchemaError("every weight is 0; give at least one row a positive weight")
    return table


def _is_same(a: Predictions, b: Predictions) -> bool:
    if a.schema != b.schema or list(map(type, a.classes)) != list(map(type, b.classes)):
        return False
    if a.models != b.models or a.columns.keys() != b.columns.keys():
        return False
    if (a.weight is None) != (b.weight is None):
        return False
    pairs = [(a.truth, b.truth)]
    for model, kinds in a.outputs.items():
        pairs += [(array, b.outputs[model][kind]) for kind, array in kinds.items()]
    if a.weight is not None and b.weight is not None:
        pairs.append((a.weight, b.weight))
    if not all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs):
        return False
    return all(
        _decode(column).equals(_decode(b.columns[name])) for name, column in a.columns.items()
    )


def _decode(column: pa.Array) -> pa.Array:
    """A dictionary column as its values: two dictionaries may spell the same column."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
