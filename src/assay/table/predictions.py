"""Predictions: what several models said of the same rows, beside the truth. The one table everything else reads.

>>> import numpy as np
>>> p = Predictions.from_arrays(["cat", "dog", "cat"], {"a": ["cat", "dog", "dog"],
...                             "b": np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])}, classes=["cat", "dog"])
>>> p
Predictions: 3 rows, binary (cat, dog; positive: dog), 2 models: a (label), b (proba)
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.core.lazy import lazy_property
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import (
    FEW_CLASSES,
    Array,
    count_labels,
    count_pairs,
    count_sets,
    get_backend,
    rank_labels,
    compute_proba_stats,
)
from assay.kernels.totals import ErrorTotals, ProbaTotals, compute_error_totals, compute_proba_totals
from assay.table.columns import convert_to_arrow, numpy_to_arrow
from assay.table.labels import Label
from assay.table.outputs import RawOutputs, group_by_model
from assay.table.schema import SPECIAL, Kind, Schema, Task
from assay.table.validation import validate_table, check_model

__all__ = ["ProbaStats", "Predictions", "Rows", "assemble", "require_weight"]


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """Truth and the outputs of each model on the same rows, checked at the door; nothing is changed in place.

    `truth` holds class codes (n,), 0/1 (n, labels) for multi-label, or numbers (n,) for regression; `outputs` maps
    model -> kind -> array: label codes (n,), proba and logit (n, k), score and value (n,), interval (n, 2); 0/1 labels
    (n, labels) for multi-label. `columns` keeps id, fold, split, cluster and every group column as Arrow. A batch of a
    table is itself a (short) table, so whatever works on the whole works on a batch.
    """

    schema: Schema
    truth: Array
    outputs: Mapping[str, Mapping[Kind, Array]]
    weight: Array | None = None
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    offset: int = 0
    streamed: int = (
        0  # rows of the stream that this is a batch of; 0 where the whole table is in memory
    )

    @staticmethod
    def from_arrays(
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
    ) -> "Predictions":
        """A checked table from arrays, lists, Arrow, pandas or polars columns.

        `models` maps a name to what it gave: labels (n,), or probabilities (n, k) whose columns are in the order of
        `classes`; any other kind is named, as in {"a.logit": (n, k), "b.score": (n,), "c.value": (n,),
        "c.interval": (n, 2)}.  In a binary task "a.proba" may be the (n,) probabilities of the positive class.
        Regression takes numbers (n,); multi-label takes y (n, labels) of 0/1 and probabilities (n, labels).

        Raises SchemaError naming the first offending row when the columns cannot be used.

        >>> Predictions.from_arrays([1.5, 2.0], {"a": [1.0, 2.5]}, task="regression")
        Predictions: 2 rows, regression, 1 model: a (value)
        """
        taken = [name for name in groups or {} if name in SPECIAL]
        if taken:
            raise SchemaError(
                f"a group column cannot be named {taken[0]!r}; give it as {taken[0]}=... or rename it"
            )
        special = {"id": id, "fold": fold, "split": split, "cluster": cluster, **(groups or {})}
        columns = {str(name): values for name, values in special.items() if values is not None}
        return require_weight(
            assemble(
                y,
                group_by_model(models),
                columns,
                classes=classes,
                task=task,
                positive=positive,
                weight=weight,
            )
        )

    def __eq__(self, other: object) -> bool:
        """Same schema and same values in every row; notes and the place in a longer table do not count."""
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
        """binary, multiclass, multilabel or regression."""
        return self.schema.task

    @property
    def classes(self) -> tuple[Label, ...]:
        """Class labels in their declared order."""
        return self.schema.classes

    def rows(self, model: str) -> "Rows":
        """What one model said, as states read it."""
        if model not in self.schema.models:
            raise SchemaError(
                f"no model is named {model!r}; the table has {', '.join(self.models)}"
            )
        return Rows(self, model)

    def batches(self, size: int = 1 << 20) -> Iterator["Predictions"]:
        """Consecutive slices of at most `size` rows (views, not copies)."""
        for start in range(0, self.n, size):
            yield self.slice(start, start + size)

    @property
    def head(self) -> "Predictions":
        """The first rows: all of them, since they are in memory (see `Table`)."""
        return self

    @property
    def in_memory(self) -> bool:
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

    def parts(self, rows: int = 1 << 20) -> "Iterator[Slice]":
        """Consecutive parts of at most `rows` rows (see `Table`)."""
        for start in range(0, self.n, rows):
            yield Slice(self, start, min(start + rows, self.n))

    def count_parts(self, rows: int = 1 << 20) -> int:
        """Number of the parts of at most `rows` rows."""
        return -(-self.n // rows)

    def narrow(self, reads: Mapping[str, set[str]], columns: Sequence[str]) -> "Predictions":
        """The table itself: what is in memory need not be read (`reads` and `columns` as of `Table`)."""
        return self

    def settle_classes(self, classes: Sequence[Label] | None = None) -> "Predictions":
        """The table itself, whose classes are settled, whatever `classes` are given (see `Table`)."""
        return self

    def column_chunks(self, name: str) -> Iterator[pa.Array]:
        """The further column `name`, in one chunk."""
        yield self.columns[name]

    def close(self) -> None:
        """Nothing is open (see `Table`)."""

    def slice(self, start: int, stop: int) -> "Predictions":
        """Rows start..stop as a table (a view)."""
        return self._pick(
            slice(start, stop), lambda c: c.slice(start, stop - start), self.offset + start
        )

    def every(self, step: int) -> "Predictions":
        """One row in `step`, evenly spread, as a table of their own (numbers are views)."""
        places = numpy_to_arrow(np.arange(0, self.n, step))
        return self._pick(slice(None, None, step), lambda c: c.take(places), 0)

    def take(self, rows: Any) -> "Predictions":
        """The rows of a mask (n,) or of positions, as a table of their own."""
        rows = np.asarray(rows)
        if rows.dtype == bool and len(rows) != self.n:
            raise SchemaError(
                f"the mask has {len(rows)} rows, the table has {self.n}; give one value a row"
            )
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64, copy=False)
        return self._pick(rows, lambda c: c.take(numpy_to_arrow(rows)), 0)

    def where(self, **equal: Label) -> "Predictions":
        """Rows whose columns have the given values, as in `where(split="test")`."""
        keep = np.ones(self.n, bool)
        for name, value in equal.items():
            codes, names = self.group(name)
            keep &= codes == names.index(value) if value in names else False
        return self.take(keep)

    def _pick(self, rows: Any, pick: Any, offset: int) -> "Predictions":
        outputs = {
            m: {kind: a[rows] for kind, a in kinds.items()} for m, kinds in self.outputs.items()
        }
        columns = {name: pick(column) for name, column in self.columns.items()}
        weight = None if self.weight is None else self.weight[rows]
        return self._but(
            truth=self.truth[rows], outputs=outputs, weight=weight, columns=columns, offset=offset
        )

    def _but(self, **parts: Any) -> "Predictions":
        """The table with some parts in place of its own."""
        return replace(self, **parts)

    def pairs(self, rows: "Rows") -> Array:
        """How often each class was said of each true class (k, k) by the model whose rows these are, each row once."""
        return count_pairs(rows.truth, rows.label, self.schema.k)

    def row_bytes(self, models: Collection[str]) -> int:
        """Bytes that a row of the truth and of what these models gave takes."""
        given = [array for name in models for array in self.outputs[name].values()]
        return sum(array[:1].nbytes for array in [self.truth, *given])

    def group(self, name: str) -> tuple[Array, list[Any]]:
        """Codes (n,) and values of a group column, values in sorted order."""
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
        """The table with one more model, checked as the others were: `p.append("mean", proba=q)`.

        Kinds are label, proba (n, k), logit, score, value or interval (n, 2); class columns in the order of `classes`.
        """
        if name in self.schema.models:
            raise SchemaError(
                f"a model is already named {name!r}; choose another name for the one to append"
            )
        if not kinds:
            raise SchemaError(
                f"nothing is given for model {name!r}; expected label, proba, logit, score, value or interval"
            )
        given = check_model(name, kinds, self.schema, self.n, self.columns.get("id"))
        schema = replace(self.schema, models={**self.schema.models, name: tuple(given)})
        return self._but(schema=schema, outputs={**self.outputs, name: given})

    def select(self, models: Sequence[str]) -> "Predictions":
        """The table with only the named models, in that order."""
        for name in models:
            self.rows(name)
        schema = replace(self.schema, models={m: self.schema.models[m] for m in models})
        return self._but(schema=schema, outputs={m: self.outputs[m] for m in models})

    def __repr__(self) -> str:
        s = self.schema
        shown = ", ".join(map(str, s.classes[:6])) + (f", ... {s.k} in all" if s.k > 6 else "")
        positive = f"; positive: {s.positive}" if s.task == "binary" else ""
        classes = f" ({shown}{positive})" if s.classes else ""
        models = ", ".join(f"{m} ({', '.join(kinds)})" for m, kinds in s.models.items())
        return f"Predictions: {self.n} rows, {s.task}{classes}, {len(s.models)} model{'s'[: len(s.models) != 1]}: {models}"


class Slice(NamedTuple):
    """Rows start..stop of a table in memory; to another process only these rows travel."""

    table: Predictions
    start: int
    stop: int

    def load(self) -> Predictions:
        """The rows, as a view."""
        return self.table.slice(self.start, self.stop)

    def __str__(self) -> str:
        first = self.table.offset + self.start
        return f"rows {first} to {first + self.stop - self.start - 1}"

    def __reduce__(self) -> tuple[Any, ...]:
        # A slice of an Arrow array would be pickled with all that it is a slice of: its rows are copied.
        rows = self.table.take(np.arange(self.start, self.stop))
        rows = replace(rows, offset=self.table.offset + self.start)
        return Slice, (rows, 0, rows.n)


def assemble(
    y: Any,
    given: Mapping[str, RawOutputs],
    columns: Mapping[str, Any],
    *,
    classes: Sequence[Label] | None = None,
    task: Task | None = None,
    positive: Label | None = None,
    weight: Any = None,
    notes: Sequence[str] = (),
    like: Schema | None = None,
) -> Predictions:
    """A checked table from columns whose names have been read: what `from_arrays` and the files have in common.

    like: the schema of the table that these rows are a part of, if they are one.
    """
    kept = {name: convert_to_arrow(values, f"column {name!r}") for name, values in columns.items()}
    if "id" in kept:
        kept["id"] = _decode(kept["id"])
    schema, truth, outputs, weight = validate_table(
        y,
        given,
        classes=classes,
        task=task,
        positive=positive,
        weight=weight,
        columns=kept,
        like=like,
    )
    return Predictions(schema, truth, outputs, weight, kept, tuple(notes))


def require_weight(table: Predictions) -> Predictions:
    """The table, at least one row of which counts; of a part of a longer one that need not be so."""
    if table.n and table.weight is not None and not table.weight.any():
        raise SchemaError("every weight is 0; give at least one row a positive weight")
    return table


def _is_same(a: Predictions, b: Predictions) -> bool:
    if a.schema != b.schema or list(map(type, a.classes)) != list(map(type, b.classes)):
        return False
    if (
        a.models != b.models
        or a.columns.keys() != b.columns.keys()
        or (a.weight is None) != (b.weight is None)
    ):
        return False
    pairs = [(a.truth, b.truth)]
    pairs += [
        (x, b.outputs[m][kind]) for m, kinds in a.outputs.items() for kind, x in kinds.items()
    ]
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


class ProbaStats(NamedTuple):
    """What the class probabilities of each row say, each (n,)."""

    own: Array  # probability of the true class
    top: Array  # highest probability
    others: Array  # sum of the squares of all but the true one
    before: Array  # how many classes come before the true one: more probable, or as probable and declared earlier
    answer: Array  # code of the most probable class


MOST_LABELS = 62  # whose sets are counted by size: a table of 2 MB


class Rows:
    """One model's rows as states read them; what the model did not give is derived once from what it gave.

    label: the declared label, or the class of highest probability or logit (the first of them when tied; for
    multi-label, p > 0.5). score (binary): the declared score, or the logit difference, or the probability of the
    positive class.
    """

    def __init__(self, predictions: Predictions, model: str) -> None:
        self._predictions = predictions
        self.model = model
        self.schema = predictions.schema
        self.weight = predictions.weight

    @property
    def predictions(self) -> Predictions:
        """The table that these rows are of."""
        return self._predictions

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.predictions.n

    @property
    def truth(self) -> Array:
        """True class codes (n,); 0/1 (n, labels) for multi-label; numbers (n,) for regression."""
        return self.predictions.truth

    @lazy_property
    def outputs(self) -> Mapping[Kind, Array]:
        """What the model gave, by kind."""
        return self.predictions.outputs[self.model]

    @lazy_property
    def pairs(self) -> Array:
        """How often each class was predicted for each true class (k, k), each row once (binary and multi-class)."""
        few = "label" not in self.schema.models[self.model] and self.schema.k <= FEW_CLASSES
        totals = self.proba_totals if few else None
        return (
            self.predictions.pairs(self) if totals is None or totals.table is None else totals.table
        )

    @lazy_property
    def label(self) -> Array:
        """Predicted class codes (n,); 0/1 (n, labels) for multi-label."""
        if "label" in self.outputs:
            return self.outputs["label"]
        scores = self._either("label", "proba", "logit")
        if self.schema.task == "multilabel":
            return (scores > (0.5 if "proba" in self.outputs else 0.0)).astype(np.uint8)
        if "proba" in self.outputs and get_backend() == "compiled":
            return self.proba_stats.answer
        codes: Array = np.argmax(scores, axis=1)
        return codes

    @lazy_property
    def proba_stats(self) -> "ProbaStats":
        """What the probabilities of each row say of its true class, in one pass (binary and multi-class)."""
        given = self.outputs.get("proba")
        return ProbaStats(*compute_proba_stats(self.proba if given is None else given, self.truth))

    @lazy_property
    def proba_totals(self) -> ProbaTotals | None:
        """What metrics of given class probabilities share, in one pass; None for other rows, and without rows."""
        proba = self.outputs.get("proba")
        if proba is None or self.schema.task not in ("binary", "multiclass") or not len(proba):
            return None
        return compute_proba_totals(
            proba, self.truth, self.schema.positive_code if self.schema.task == "binary" else -1
        )

    @lazy_property
    def error_totals(self) -> ErrorTotals | None:
        """What metrics of error share, in one pass (regression); None without rows."""
        return compute_error_totals(self.truth, self.value) if len(self.truth) else None

    @lazy_property
    def label_set_counts(self) -> tuple[Array, Array] | None:
        """Hits, true and predicted labels: per label (3, labels), and how many rows have so many of each (multi-label).

        None where there are many labels; see `assay.kernels.count_sets`.
        """
        return count_sets(self.truth, self.label) if self.schema.k <= MOST_LABELS else None

    @lazy_property
    def label_totals(self) -> tuple[Array, Array]:
        """Hits, true and predicted labels: per label (3, labels), and per row (n, 3) (multi-label)."""
        return count_labels(self.truth, self.label)

    @lazy_property
    def label_ranking(self) -> tuple[Array, Array, Array]:
        """Average precision, ranking loss and coverage of each row's labels by score, each (n,) (multi-label)."""
        return rank_labels(self.truth, self.score)

    @lazy_property
    def residual(self) -> Array:
        """Truth less predicted number (n,), float64, of a regression."""
        return np.subtract(self.truth, self.value, dtype=np.float64)

    @lazy_property
    def proba(self) -> Array:
        """Probabilities (n, k), float64; softmax of the logits (sigmoid for multi-label) where logits were given."""
        if "proba" in self.outputs:
            return np.asarray(self.outputs["proba"], np.float64)
        return np.exp(self.log_proba)

    @lazy_property
    def log_proba(self) -> Array:
        """Log of the probabilities (n, k); exact from logits, -inf where a given probability is 0."""
        if "logit" not in self.outputs:
            with np.errstate(divide="ignore"):
                return np.log(np.asarray(self._either("proba", "proba"), np.float64))
        logit = np.asarray(self.outputs["logit"], np.float64)
        if self.schema.task == "multilabel":
            return -np.logaddexp(0.0, -logit)
        shifted = logit - logit.max(axis=1, keepdims=True)
        log_proba: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return log_proba

    @lazy_property
    def score(self) -> Array:
        """Rank score of the positive class (n,), or of each class (n, k): never squashed, so that no order is lost."""
        if "score" in self.outputs:
            return self.outputs["score"]
        scores = self._either("score", "logit", "proba")
        if self.schema.task == "multiclass" and "logit" in self.outputs:
            return self._log_odds()
        if self.schema.task != "binary":
            return scores
        positive = self.schema.positive_code
        if "logit" in self.outputs:
            return np.asarray(scores[:, positive], np.float64) - scores[:, 1 - positive]
        return scores[:, positive]

    def _log_odds(self) -> Array:
        """Log odds of each class against the others (n, k), exact where the probability would round to 0 or 1.

        Logits are defined up to a constant of the row, so they rank rows only after it is taken away.
        """
        log_p = self.log_proba
        with np.errstate(divide="ignore"):
            odds: Array = log_p - np.log(-np.expm1(log_p))
        logit = np.asarray(self.outputs["logit"], np.float64)
        rows, top = np.arange(len(logit)), logit.argmax(axis=1)
        others = logit.copy()
        others[rows, top] = -np.inf
        most = others.max(axis=1)
        odds[rows, top] = (
            logit[rows, top] - most - np.log(np.exp(others - most[:, None]).sum(axis=1))
        )
        return odds

    @property
    def value(self) -> Array:
        """Predicted numbers (n,) of a regression."""
        return self._either("value", "value")

    @property
    def interval(self) -> Array:
        """Low and high end of the interval predicted for each row (n, 2) of a regression."""
        return self._either("interval", "interval")

    def _either(self, wanted: str, *kinds: Kind) -> Array:
        for kind in kinds:
            if kind in self.outputs:
                return self.outputs[kind]
        gives = ", ".join(self.outputs)
        raise UnsupportedError(
            f"{wanted} of model {self.model!r} is needed, but it gives only: {gives}"
        )
