"""Permutation importance: what a model's performance rests on, with intervals, in pairs of models.

>>> import numpy as np
>>> from sklearn.linear_model import LogisticRegression
>>> X = np.random.default_rng(0).normal(size=(400, 2))
>>> y = X[:, 0] > 0
>>> found = permutation_importance({"lr": LogisticRegression().fit(X, y)}, X, y, "accuracy")
>>> found.matters["lr"]
('0',)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, NamedTuple

import numpy as np

from assay.adapters.arguments import name_models
from assay.adapters.collect import collect
from assay.audit.inputs import Break, list_parts
from assay.comparison.corrections import holm
from assay.comparison.fold_values import select_models
from assay.core.arguments import check_share, check_whole
from assay.core.progress import show_progress
from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.engines.base import Job
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.intervals.proportions import t_quantile
from assay.intervals.resampling import compute_replicates, draw_buckets
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import choose_default, resolve
from assay.table.predictions import Predictions

__all__ = ["Importance", "ImportanceRow", "permutation_importance"]

REPLICATES = 1000
REPLICATES_OF_ROWS = 200  # where each costs a pass over the rows
SHOWN = 20  # parts that the table shows of each model


@dataclass(frozen=True)
class ImportanceRow:
    """How much worse a model is by the metric without the bond of one part of its inputs.

    `importance` in [`low`, `high`] is what is lost, above 0 where the part helps; `broken` the
    value of the metric then; `p` the p-value that nothing is lost, `p_adjusted` with Holm's
    correction over the parts of the model.
    """

    model: str
    part: str
    importance: float
    low: float
    high: float
    broken: float
    p: float
    p_adjusted: float


class ImportanceDifference(NamedTuple):
    """Importance of a part to the model `a` minus that to `b`, on the same rows."""

    part: str
    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float


@dataclass(frozen=True, repr=False)
class Importance(Result):
    """What each model's performance rests on, and where two models rest on other parts.

    `matters` names the parts of each model whose loss is significant, the most important first.
    """

    schema_name: ClassVar[str] = "assay.importance/1"

    metric: str
    rows: tuple[ImportanceRow, ...]
    values: Mapping[str, float]
    differences: tuple[ImportanceDifference, ...]
    n: int
    repeats: int
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def matters(self) -> dict[str, tuple[str, ...]]:
        """The parts that significantly help each model, the most important first."""
        return {
            model: tuple(
                row.part
                for row in self._rank(model)
                if row.importance > 0 and row.p_adjusted < 1 - self.confidence
            )
            for model in self.values
        }

    def _rank(self, model: str) -> list[ImportanceRow]:
        """The rows of a model, the most important part first."""
        own = [row for row in self.rows if row.model == model]
        return sorted(own, key=lambda row: -row.importance)

    @property
    def verdict(self) -> str:
        """What each model rests on, a line each."""
        return "\n".join(self.verdict_lines)

    @property
    def verdict_lines(self) -> list[str]:
        lines = []
        for model, parts in self.matters.items():
            own = self._rank(model)
            if not parts:
                lines.append(f"{model}: no part of the inputs matters that these rows show.")
                continue
            first = own[0]
            lines.append(
                f"{model}: {first.part} matters most: without it {self.metric} goes from "
                f"{format_number(self.values[model])} to {format_number(first.broken)}; "
                f"{len(parts)} of {len(own)} parts matter significantly."
            )
        return lines

    @property
    def details(self) -> list[str]:
        """How the importance was found."""
        return [
            f"Loss of {self.metric} where a part of the inputs is taken from another row, mean of "
            f"{self.repeats}; {self.confidence:.0%} intervals over {self.n:,} rows"
        ]

    @property
    def tables(self) -> list[TextTable]:
        """The importance of the parts, the most important first, a table for each model."""
        result = []
        for model in self.values:
            body = [
                [
                    row.part,
                    format_estimate(row.importance, row.low, row.high),
                    format_number(row.broken),
                    f"{row.p_adjusted:.2g}",
                ]
                for row in self._rank(model)[:SHOWN]
            ]
            header = [model, "importance", f"{self.metric} without", "p (Holm)"]
            result.append(TextTable(header, body))
        found = [d for d in self.differences if d.p_adjusted < 1 - self.confidence]
        body = [
            [d.part, f"{d.a} - {d.b}", format_estimate(d.difference, d.low, d.high)] for d in found
        ]
        if body:
            result.append(TextTable(["rested on unequally", "models", "difference"], body))
        return result


def permutation_importance(  # noqa: PLR0913 - each option stands for itself
    models: Mapping[str, Any] | Sequence[Any],
    X: Any,
    y: Any,
    metric: str | Metric | None = None,
    *,
    features: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None,
    patch: tuple[int, int] | None = None,
    words: Sequence[str] | None = None,
    repeats: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
    **columns: Any,
) -> Importance:
    """How much each part of the inputs contributes to the performance of fitted models.

    A part (a column, a group of columns, a patch of an image) is taken from other rows, drawn at
    random; a word is left out. What the metric loses is the importance of the part to this model,
    given the others: of two columns that say the same either may seem to matter little, so give
    them as one group. Intervals hold the error of the rows and of the draws; models are compared on
    the same draws of both. Give rows that the models were not trained on.

    Sources: Breiman (2001), Machine Learning 45:5-32; Fisher, Rudin & Dominici (2019), JMLR 20:177.

    Parameters:
        models: Name -> fitted model of any framework, as for `collect`; or a list of them.
        X: Inputs (n, ...): an array, a data frame, a sparse matrix, images, or a list of texts.
        y: Truth of the rows (n,).
        metric: A metric with one value a model; default: f1, or mse in regression.
        features: Columns, or groups of columns by name; default: every column.
        patch: Height and width of the patches of images; default: a quarter of each.
        words: Words of texts to leave out; default: the 20 that are in the most texts.
        repeats: Draws of each part, 1 or more; default 5. Words are left out once.
        confidence: Level of the intervals, in (0, 1); default 0.95.
        seed: Seed of the draws, 0 or more; default 0.
        batch_size: Rows predicted at a time; default: what suits the framework.
        device: Device to predict on; default: where each model is.
        progress: Whether to show a bar on standard error; default: on a terminal.
        **columns: Further keywords of `Predictions.from_arrays`, as classes, positive, weight, id,
            cluster.

    Returns:
        The importance of every part to every model, and the differences between models.

    Raises:
        UnsupportedError: Inputs of unknown parts, no such column, a metric that gives one value a
            class or ranks no models, or models that `collect` cannot read.

    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X = np.arange(60.0).reshape(30, 2)
    >>> tree = DecisionTreeRegressor(random_state=0).fit(X, X[:, 1])
    >>> permutation_importance([tree], X, X[:, 1], "mae", repeats=2).metric
    'mae'
    """
    check_share("confidence", confidence)
    check_whole("repeats", repeats, 1)
    check_whole("seed", seed, 0)
    named = name_models(models, "fitted model")
    parts = list_parts(X, features, patch, words)
    if not parts:
        raise UnsupportedError("the inputs have no parts to break")
    options = {"batch_size": batch_size, "device": device, "progress": False, **columns}
    whole = collect(named, X, y, **options)
    text, bound = resolve(metric or choose_default(whole.schema), whole.schema)[0]
    if bound.granularity != "table":
        raise UnsupportedError(
            f"{text} has one value a class; go by one value, as in f1(average=macro)"
        )
    _ = bound.sign  # where neither higher nor lower is better it raises
    reader = _Reader(bound, select_models(whole, bound), seed)
    base = reader.read(whole)
    rng = np.random.default_rng(seed)
    times = 1 if isinstance(X, list | tuple) else repeats
    losses: dict[str, list[_Values]] = {}
    with show_progress("breaking inputs", len(parts) * times, progress) as update:
        for done, (part, break_part) in enumerate(parts.items()):
            for repeat in range(times):
                table = _predict(named, break_part, X, y, rng, whole, options)
                losses.setdefault(part, []).append(reader.read(table))
                update(done * times + repeat + 1, part)
    judge = _Judge(bound, base, confidence)
    rows = judge.list_rows(losses, reader.models)
    return Importance(
        metric=text,
        rows=rows,
        values={model: base.value[i] for i, model in enumerate(reader.models)},
        differences=judge.list_differences(losses, reader.models),
        n=whole.n,
        repeats=times,
        confidence=confidence,
        notes=tuple(whole.notes),
    )


def _predict(
    models: Mapping[str, Any],
    break_part: Break,
    X: Any,
    y: Any,
    rng: np.random.Generator,
    whole: Predictions,
    options: Mapping[str, Any],
) -> Predictions:
    """What the models say with one part of the inputs taken from other rows."""
    changed = break_part(X, rng.permutation(whole.n))
    known = {} if whole.task == "regression" else {"classes": list(whole.classes)}
    # Where broken inputs give numbers of another range, they are of the kind that they were.
    single = {name: next(iter(kinds)) for name, kinds in whole.outputs.items() if len(kinds) == 1}
    given = {**known, "task": whole.task, "kinds": single, **options}
    found: Predictions = collect(models, changed, y, **given)
    return found


class _Values(NamedTuple):
    """Value (models,) of a metric, and its replicates (models, draws), drawn alike for all."""

    value: Array
    drawn: Array
    units: int


class _Reader(NamedTuple):
    """Reads the metric of every model on a table, with replicates of the same buckets of rows."""

    metric: Metric
    models: list[str]
    seed: int

    def read(self, table: Predictions) -> _Values:
        """The values on `table`, and on its replicates."""
        state = self.metric.state
        jobs = [Job(state, (model,), bucketed=True) for model in self.models]
        folded = Local(progress=False).fold(table, jobs)
        few = state.keeps or getattr(state, "costly", False)
        counts: Array | None = None
        values = []
        drawn = []
        units = 0
        for job in jobs:
            value = folded[job]
            whole = state.resample(value, np.ones((1, _count_buckets(value)), np.int64))
            values.append(self.metric.estimate(state.summary(whole, table.schema))[0])
            if counts is None:
                rows = _count_rows(value)
                units = int(np.count_nonzero(rows))
                size = REPLICATES_OF_ROWS if few else REPLICATES
                counts = draw_buckets(rows, np.random.default_rng(self.seed), size)
            replicates = compute_replicates(self.metric, state, value, counts, table.schema)
            drawn.append(np.ravel(replicates))
        return _Values(np.array(values), np.array(drawn), units)


def _count_rows(value: Any) -> Array:
    """Number of rows in each bucket of a state's `value`."""
    return np.asarray(value.rows)


def _count_buckets(value: Any) -> int:
    return len(_count_rows(value))


class _Loss(NamedTuple):
    """What is lost: its value, and interval and p-value that nothing is."""

    value: float
    low: float
    high: float
    p: float


class _Judge(NamedTuple):
    """Tells what is lost from what rows and draws vary by."""

    metric: Metric
    base: _Values
    confidence: float

    def list_rows(
        self, losses: Mapping[str, list[_Values]], models: Sequence[str]
    ) -> tuple[ImportanceRow, ...]:
        """The importance of every part to every model."""
        rows = []
        for i, model in enumerate(models):
            found = [self._judge(*self._lose(values, i)) for values in losses.values()]
            adjusted = holm([loss.p for loss in found])
            for (part, values), loss, p in zip(losses.items(), found, adjusted, strict=True):
                broken = float(np.mean([each.value[i] for each in values]))
                rows.append(ImportanceRow(model, part, *loss[:3], broken, loss.p, p))
        return tuple(rows)

    def list_differences(
        self, losses: Mapping[str, list[_Values]], models: Sequence[str]
    ) -> tuple[ImportanceDifference, ...]:
        """The differences of every two models, in every part."""
        found = []
        for part, values in losses.items():
            for i, j in combinations(range(len(models)), 2):
                a = self._lose(values, i)
                b = self._lose(values, j)
                loss = self._judge(a[0] - b[0], a[1] - b[1])
                found.append((part, models[i], models[j], *loss))
        adjusted = holm([row[-1] for row in found])
        return tuple(ImportanceDifference(*row, p) for row, p in zip(found, adjusted, strict=True))

    def _lose(self, values: Sequence[_Values], model: int) -> tuple[Array, Array]:
        """What one model loses in each repeat (r,), and the mean loss on each replicate (b,)."""
        sign = self.metric.sign
        lost = np.array([sign * (self.base.value[model] - each.value[model]) for each in values])
        drawn = np.mean([each.drawn[model] for each in values], axis=0)
        return lost, sign * (self.base.drawn[model] - drawn)

    def _judge(self, lost: Array, drawn: Array) -> _Loss:
        """The mean of `lost` (r,), whose error is that of its replicates `drawn` (b,) and of the
        draws of the part.
        """
        from scipy.special import stdtr

        value = float(lost.mean())
        defined = drawn[np.isfinite(drawn)]
        units = max(self.base.units, 2)
        if not np.isfinite(value) or not len(defined):
            return _Loss(value, math.nan, math.nan, 1.0)
        of_rows = float(defined.std() ** 2) * units / (units - 1)
        of_draws = float(lost.var(ddof=1)) / len(lost) if len(lost) > 1 else 0.0
        error = math.sqrt(of_rows + of_draws)
        half = t_quantile((1 + self.confidence) / 2, units - 1) * error
        if not error:
            return _Loss(value, value, value, 1.0)
        return _Loss(
            value, value - half, value + half, 2 * float(stdtr(units - 1, -abs(value) / error))
        )
