"""Meter: metrics of batches as a training loop makes them, the same that `evaluate` gives for all.

>>> meter = Meter(["accuracy", "f1"], kind="logit")
>>> meter.update([[2.0, 0.0], [0.0, 1.0]], [0, 1])
>>> meter.update([[0.5, 0.0]], [1])
>>> meter.compute().scalars
{'accuracy': 0.6666666666666666, 'f1': 0.6666666666666666}
"""

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from assay.adapters.distributed import gather
from assay.core.arguments import check_share, check_whole
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.evaluation.batch_reader import BatchReader
from assay.evaluation.evaluate import Evaluation, build_evaluation, evaluate
from assay.evaluation.fingerprint import digest_rows
from assay.evaluation.kept_rows import MOST_BYTES, join_rows
from assay.evaluation.merge import join_states
from assay.evaluation.plan import (
    FoldedStates,
    Plan,
    describe_table,
    fold_states,
    list_jobs,
    refuse_unbounded,
)
from assay.evaluation.row_buffer import RowBuffer
from assay.evaluation.state_file import StateFile, describe_plan, describe_schema, save_states
from assay.metrics.base import METRICS, Metric
from assay.metrics.custom import make_metric
from assay.metrics.resolve import SETS, resolve
from assay.states.base import is_beyond
from assay.states.ranking import count_threads
from assay.table.labels import Label
from assay.table.predictions import Predictions, tell_ignored
from assay.table.schema import Kind, Schema, Task

__all__ = ["Meter"]


class Meter:
    """Metrics of rows that come batch by batch: any cut into batches gives what `evaluate` gives.

    Up to 32 MB of rows are kept, and evaluated as one table: values, intervals and notes are those
    of `evaluate`. Of more rows the states are kept that a `Stream` is read into, of constant size:
    counts and means are exact, metrics of order come with the bound of their error in the note.
    NumPy, PyTorch, JAX, TensorFlow and lists are taken, in any precision, without their gradient;
    tensors of PyTorch on an accelerator are gathered there, and copied when they are read, all at
    once.

    Parameters:
        metrics: Texts such as "f1(average=micro)", Metric instances, and objects of torchmetrics,
            which see all rows at once (see `make_metric`); default: those that suit the task.
        classes: Class labels in the order of the columns; default: 0, 1, ... for outputs with a
            column for each class.
        class_names: Names of the classes 0, 1, ..., where targets are these numbers.
        kind: What outputs are: label, proba, logit, score, value, interval or text; default: label
            for whole numbers and text, value for regression, text for texts. Others must be named:
            they are not guessed.
        task: binary, multiclass, multilabel, regression, multioutput, text or detection; default:
            by kind and classes.
        positive: Positive class of a binary task; default: the last of the two.
        ignore_label: Rows whose target this is are left out, as -100; default: none.
        name: Name of the model in the results; default "model".
        intervals: As of `evaluate`; default True.
        confidence: Level of the intervals, in (0, 1); default 0.95.
        seed: Seed of the resampling, 0 or more; default 0.

    Raises:
        UnsupportedError: A metric is unknown, or an option is out of its range.

    >>> meter = Meter("accuracy", classes=["cat", "dog"])
    >>> meter.update(["cat", "dog", "dog"], ["cat", "cat", "dog"])
    >>> meter.compute().value, meter.n
    (0.6666666666666666, 3)
    """

    def __init__(  # noqa: PLR0913 - each option stands for itself
        self,
        metrics: Any = None,
        *,
        classes: Iterable[Label] | None = None,
        class_names: Iterable[str] | None = None,
        kind: Kind | None = None,
        task: Task | None = None,
        positive: Label | None = None,
        ignore_label: Label | None = None,
        name: str = "model",
        intervals: bool | str = True,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> None:
        check_share("confidence", confidence)
        check_whole("seed", seed, 0)
        self.metrics = None if metrics is None else _parse(metrics)
        self._options: dict[str, Any] = {
            "intervals": intervals,
            "confidence": confidence,
            "seed": seed,
        }
        self._declared = BatchReader(
            name=name,
            kind=kind,
            task=task,
            classes=_list_labels("classes", classes),
            class_names=_list_labels("class_names", class_names),
            positive=positive,
            ignore_label=ignore_label,
        )
        self.reset()

    def reset(self) -> None:
        """Forget all rows, for the next epoch; what was declared stays."""
        self._reader: BatchReader | None = None
        self._buffer = RowBuffer()
        self._kept: Predictions | None = None
        self._folded: FoldedStates | None = None
        self._ignored = 0

    @property
    def n(self) -> int:
        """Number of rows so far, without those that are ignored."""
        if self._declared.ignore_label is not None:
            self._fetch()
        kept = 0 if self._kept is None else self._kept.n
        folded = 0 if self._folded is None else self._folded.info.n
        return folded + kept + self._buffer.n

    def update(self, outputs: Any, target: Any, weight: Any = None) -> None:
        """Take a batch; nothing waits for an accelerator here.

        Parameters:
            outputs: What the model gives: (n, k) or (n,), also (n, length, k) of tokens.
            target: The truth (n,), also (n, length), or (n, k) of 0/1 for several labels a row.
            weight: Weight of each row (n,), 0 or more; default: all alike.

        Raises:
            UnsupportedError: The kind of outputs, or the classes, must be named.
            SchemaError: Shapes do not fit, a number is not finite, a label is none of the classes.
        """
        if self._reader is None:
            self._reader = self._declared.settle(outputs, target)
        columns, ignored = self._reader.read(outputs, target, weight)
        self._ignored += ignored
        rows = len(columns["target"])
        most = max(1, MOST_BYTES // _count_row_bytes(columns)) if rows else 1
        start = 0
        while start < rows:
            if self._count_held() >= most:
                self._fold()
            stop = min(rows, start + most - self._count_held())
            self._buffer.append({name: values[start:stop] for name, values in columns.items()})
            start = stop

    def compute(self, *, sync: bool = True) -> Evaluation:
        """The evaluation of all rows so far; nothing is forgotten, and rows may follow.

        Parameters:
            sync: Whether to join what all processes of `torch.distributed` hold, where it is
                initialised: all of them must then call this, and all get the same; default True.

        Raises:
            UnsupportedError: There are no rows, or no model can serve a metric.
        """
        whole = self._gather() if sync else self
        if whole._folded is None:
            rows = _require(whole._read_rows())
            noted = replace(rows, notes=whole._add_remark(rows.notes))
            return evaluate(noted, self.metrics, **self._options)
        plan = whole._make_plan(whole._folded.info.schema)
        states = whole._join_all(plan)
        notes = whole._add_remark(states.info.notes)
        return build_evaluation(states._replace(info=states.info._replace(notes=notes)), plan)

    def merge(self, *others: "Meter") -> None:
        """Take the rows of other meters, as of other workers, which stay as they are.

        Parameters:
            others: Meters that were asked the same of the same classes.

        Raises:
            UnsupportedError: One was asked otherwise.
        """
        for other in others:
            if other is self:
                raise UnsupportedError("a meter merged with itself would count its rows twice")
            rows = other._read_rows()
            self._ignored += other._ignored
            self._take(other._folded, rows)

    @property
    def state(self) -> bytes:
        """All of it as the bytes of a state file, as `evaluate(checkpoint=...)` writes them.

        Written to a file they can be merged with others by `assay merge`.
        """
        rows = self._read_rows()
        if self._folded is None:
            rows = _require(rows)
            plan = self._make_plan(rows.schema)
            states = fold_states(rows, plan, Local(progress=False))
            further: dict[str, Any] = {"rows": rows, "source": [["", digest_rows(rows), ""]]}
        else:
            plan = self._make_plan(self._folded.info.schema)
            states = self._join_all(plan)
            further = {"source": []}
        info = states.info._replace(notes=self._add_remark(states.info.notes))
        file = io.BytesIO()
        passes = {"whole": (1, states.whole)}
        save_states(file, info, plan, passes, ignored=self._ignored, **further)
        return file.getvalue()

    def load(self, state: bytes | str | os.PathLike[str]) -> None:
        """Take up where another meter was, in place of all that is here.

        Parameters:
            state: What its `state` was, or the path of a file that holds it.

        Raises:
            ReadError: It is no state, or a damaged one.
            UnsupportedError: It was asked otherwise.
        """
        content = state if isinstance(state, bytes) else Path(state).read_bytes()
        file = StateFile.parse(io.BytesIO(content), "state of a Meter")
        states = file.states
        self.reset()
        plan = self._make_plan(states.info.schema)
        if describe_plan(plan) != file.header["asked"]:
            asked = ", ".join(file.header["asked"]["metrics"])
            raise UnsupportedError(
                f"the state is of a meter of {asked}, or of other intervals; make this one so"
            )
        self._ignored = file.header.get("ignored", 0)
        remarks = self._add_remark((), states.info.n)
        notes = tuple(note for note in states.info.notes if note not in remarks)
        if states.rows is None:
            self._take(states._replace(info=states.info._replace(notes=notes)), None)
        else:
            self._take(None, replace(states.rows, notes=notes))

    def _count_held(self) -> int:
        return self._buffer.n + (0 if self._kept is None else self._kept.n)

    def _fetch(self) -> None:
        """Copy the rows that lie on an accelerator from there, once, and keep them as a table."""
        if self._reader is None or not self._buffer.is_on_accelerator:
            return
        columns, ignored = self._reader.leave_out(self._buffer.columns)
        if len(columns["target"]):
            made = self._reader.make_table(columns)
            self._kept = made if self._kept is None else _join_tables([self._kept, made])
        self._ignored += ignored
        self._buffer = RowBuffer()

    def _read_rows(self) -> Predictions | None:
        """The rows that are kept as such, as a table; None where there are none."""
        self._fetch()
        parts = [] if self._kept is None else [self._kept]
        if self._buffer.n and self._reader is not None:
            parts.append(self._reader.make_table(self._buffer.columns))
        return _join_tables(parts) if parts else None

    def _take(self, folded: FoldedStates | None, rows: Predictions | None) -> None:
        """Take states and rows that others kept."""
        parts = [part for part in (self._read_rows(), rows) if part is not None]
        schemas = [part.schema for part in parts]
        schemas += [part.info.schema for part in (self._folded, folded) if part is not None]
        described = [describe_schema(schema) for schema in schemas]
        if any(each != described[0] for each in described):
            raise UnsupportedError(
                "the meters have other classes, kinds of outputs or names; declare the same"
            )
        if folded is not None:
            plan = self._make_plan(folded.info.schema)
            present = [] if self._folded is None else [self._folded]
            self._folded = join_states([*present, folded], plan)
        self._kept = _join_tables(parts) if parts else None
        self._buffer = RowBuffer()
        if self._kept is not None:
            size = self._kept.n * self._kept.row_bytes(self._kept.models)
            if size > MOST_BYTES:
                self._fold()

    def _fold(self) -> None:
        """Fold the rows that are kept into states, and let go of them."""
        rows = self._read_rows()
        if rows is None:
            return
        plan = self._make_plan(rows.schema)
        parts = [] if self._folded is None else [self._folded]
        self._folded = join_states([*parts, self._fold_rows(rows, plan)], plan)
        self._kept = None
        self._buffer = RowBuffer()

    def _fold_rows(self, rows: Predictions, plan: Plan) -> FoldedStates:
        """The states of `rows`, which follow those that are folded already, as of a stream."""
        before = 0 if self._folded is None else self._folded.info.n
        n = before + rows.n
        info = describe_table(rows)._replace(n=n, long=is_beyond(n, rows.schema))
        refuse_unbounded(info, plan, 1)
        part = replace(rows, offset=before, streamed=n)
        # Sketches are large, so that each thread makes one alone.
        engine = Local(batch=-(-rows.n // count_threads(rows.n)), progress=False)
        values = engine.fold(part, list_jobs(info, plan, 1))
        return FoldedStates(info._replace(n=rows.n), values)

    def _join_all(self, plan: Plan) -> FoldedStates:
        """The states of all rows, where some are folded."""
        assert self._folded is not None
        rows = self._read_rows()
        parts = [self._folded] if rows is None else [self._folded, self._fold_rows(rows, plan)]
        return join_states(parts, plan)

    def _add_remark(self, notes: tuple[str, ...], rows: int | None = None) -> tuple[str, ...]:
        """The `notes` with one on the rows that are ignored beside so many `rows`, or all."""
        label = self._declared.ignore_label
        if not self._ignored or label is None:
            return notes
        total = self._ignored + (self.n if rows is None else rows)
        return (tell_ignored(self._ignored, total, label), *notes)

    def _make_plan(self, schema: Schema) -> Plan:
        return Plan(tuple(resolve(self.metrics, schema)), (), **self._options)

    def _gather(self) -> "Meter":
        """A meter of what all processes hold; this one where there is one process."""
        own = (self._folded, self._read_rows(), self._ignored)
        parts = gather(own)
        if len(parts) == 1:
            return self
        whole = self._copy_empty()
        for folded, rows, seen in parts:
            whole._ignored += seen
            whole._take(folded, rows)
        return whole

    def _copy_empty(self) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.reset()
        return made


def _parse(metrics: Any) -> list[str | Metric]:
    """The metrics, all of them known; callables and objects of torchmetrics made metrics."""
    listed = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else metrics
    parsed: list[str | Metric] = []
    for item in listed:
        if isinstance(item, str) and item.strip() in SETS:
            parsed.append(item)
        elif isinstance(item, str | Metric):
            parsed.append(METRICS.parse(item))
        else:
            parsed.append(make_metric(item, intervals=False))
    names = [str(metric) for metric in parsed]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UnsupportedError(
            f"two metrics are named {twice!r}; name one: assay.make_metric(metric, 'other')"
        )
    return parsed


def _list_labels(option: str, labels: Any) -> tuple[Any, ...] | None:
    """The labels that an `option` gives."""
    if labels is None:
        return None
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        raise UnsupportedError(
            f"{option} must list the labels, as in ['cat', 'dog'] or range(10); got {labels!r}"
        )
    return tuple(label.item() if hasattr(label, "item") else label for label in labels)


def _count_row_bytes(columns: Mapping[str, Any]) -> int:
    return max(1, sum(int(values[:1].nbytes) for values in columns.values()))


def _require(rows: Predictions | None) -> Predictions:
    """The `rows`, of which there must be some."""
    if rows is None:
        raise UnsupportedError(
            "this meter has no rows yet; call update(outputs, target) before compute()"
        )
    return rows


def _join_tables(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all `parts`, with the notes of each."""
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    joined = parts[0] if len(parts) == 1 else join_rows(parts)
    return replace(joined, notes=tuple(notes))
