"""compare: paired differences of every two models on the same rows or folds; who is tied for best.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> y = np.arange(400) % 2
>>> p = Predictions.from_arrays(y, {"good": y, "poor": np.where(np.arange(400) % 5 == 0, 1 - y, y)})
>>> compare(p, "accuracy").best, compare(p, "accuracy").tied
('good', ('good',))
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from statistics import NormalDist
from typing import Any, ClassVar, Literal, NamedTuple

from assay.comparison.bayesian_fold_test import bayesian_fold_test
from assay.comparison.corrections import CORRECTIONS, NAMES, adjust_level
from assay.comparison.fold_tests import FoldValues
from assay.comparison.fold_values import FoldsError, select_models
from assay.comparison.paired_tests import PairedValues, RawDifference
from assay.comparison.seeds import describe_seeds
from assay.comparison.selection_bias import SelectionBias, selection_bias
from assay.core.arguments import check_share
from assay.core.result import Result, to_plain
from assay.core.text import TextTable, format_about, format_number
from assay.engines.base import Engine, resolve_engine
from assay.errors import UnsupportedError
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.metrics.base import Metric
from assay.metrics.resolve import choose_default, resolve
from assay.table.predictions import Predictions

__all__ = ["Comparison", "Difference", "compare"]

ABOUT_ROWS = (
    "Rows come from cross-validation: the comparison is of these fitted models on these rows; how "
    "the algorithms would rank when trained on other data is less certain than the p-values say: "
    "compare by folds answers that."
)

# Verdicts on two models, beside "<model> is better".
OPEN = "not distinguishable"
EQUIVALENT = "equivalent"


@dataclass(frozen=True)
class Difference:
    """Value of `a` minus value of `b` on the same rows: interval, p-value and verdict.

    `low`, `high` and `p` are those of this pair alone; `low_adjusted`, `high_adjusted` and
    `p_adjusted` are corrected for all pairs, and agree with the verdict. Over folds, where a
    margin of equivalence was given, `p_a`, `p_equal` and `p_b` are the probabilities that `a` is
    better by more than the margin, that the two are equal within it, and that `b` is better
    (Bayesian correlated t).
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    method: str
    verdict: str
    low_adjusted: float = math.nan
    high_adjusted: float = math.nan
    p_a: float | None = None
    p_equal: float | None = None
    p_b: float | None = None


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Which model is best by one metric, and which are not significantly worse.

    `tied` holds the best model and every model whose difference from it is not significant after
    correction over all pairs, or that is equivalent to it. That is a multiple comparison with the
    best: with Holm's correction it holds the model that is truly best in 95 of 100 tables, and
    leaves out none that is as good. `rows_to_decide` estimates how many rows would settle the
    closest of them (None where nothing is tied, or the comparison is by folds). `left_out` says why
    a model of the table is not among those compared; `selected` what the best is worth on other
    rows, corrected for having been selected on these.

    >>> p = Predictions.from_arrays([0, 1] * 50, {"a": [0, 1] * 50, "b": [0] * 100})
    >>> compare(p, "accuracy").tied
    ('a',)
    """

    schema_name: ClassVar[str] = "assay.comparison/1"

    metric: str
    best: str
    tied: tuple[str, ...]
    rows_to_decide: int | None
    pairs: tuple[Difference, ...]
    values: dict[str, float]
    n: int
    confidence: float = 0.95
    notes: tuple[str, ...] = ()
    unit: str = "rows"
    correction: str = "holm"
    equivalence: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    selected: SelectionBias | None = None

    @property
    def rows(self) -> tuple[Difference, ...]:
        """The pairs: one tidy row each."""
        return self.pairs

    @property
    def records(self) -> list[dict[str, Any]]:
        # The probabilities are there where a margin was given, or not at all.
        return [
            {name: v for name, v in pair.__dict__.items() if v is not None} for pair in self.pairs
        ]

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"pairs": to_plain(self.records)}

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        # The mean over folds is another number than that of all rows, which stands in tables.
        over = ", mean over folds" if self.unit == "folds" else ""
        value = f"{format_number(self.values[self.best])}{over}"
        if len(self.values) == 1:
            return f"{self.best} is the only model: {self.metric} {value}."
        if len(self.tied) == 1:
            return (
                f"{self.best} is best by {self.metric} ({value}); every other model is "
                f"significantly worse."
            )
        lead = f"{self.best} has the best {self.metric} ({value})"
        equal = self.equivalent
        verb = "is" if len(equal) == 1 else "are"
        same = f"; {', '.join(equal)} {verb} equivalent to it within {self.equivalence}"
        others = [name for name in self.tied if name != self.best and name not in equal]
        if not others:
            return f"{lead}{same}."
        where = f"on these {self.n:,} rows" if self.unit == "rows" else "over these folds"
        needed = ""
        if self.rows_to_decide:
            needed = f" About {format_about(self.rows_to_decide)} rows would settle it."
        return (
            f"{lead}, but {where} it is not significantly different from {', '.join(others)}"
            f"{same if equal else ''}.{needed}"
        )

    @property
    def equivalent(self) -> tuple[str, ...]:
        """The models that are shown to differ from the best by less than the margin."""
        verdicts = _list_verdicts(self.pairs, self.best)
        return tuple(m for m in self.tied if verdicts.get(m) == EQUIVALENT)

    @property
    def correction_name(self) -> str:
        """Name of the correction of the p-values, as in "Holm"."""
        return NAMES[self.correction]

    @property
    def _correction_mark(self) -> str:
        """That intervals are corrected, where there are several pairs to correct for."""
        return f" ({self.correction_name})" if len(self.pairs) > 1 else ""

    @property
    def details(self) -> list[str]:
        """What the best is worth, corrected for the selection."""
        return [] if self.selected is None else [self.selected.verdict]

    @property
    def tables(self) -> list[TextTable]:
        """The pairs of models."""
        header = [
            "difference",
            self.metric,
            f"{self.confidence:.0%} interval{self._correction_mark}",
            f"p ({self.correction_name})",
            "verdict",
        ]
        has_probabilities = any(d.p_equal is not None for d in self.pairs)
        if has_probabilities:
            header.insert(-1, f"P(first | equal within {self.equivalence:g} | second)")
        body = [
            [
                f"{d.a} - {d.b}",
                f"{d.difference:+.4f}",
                f"[{d.low_adjusted:+.4f}, {d.high_adjusted:+.4f}]",
                f"{d.p_adjusted:.2g}",
                *([f"{d.p_a:.2f} | {d.p_equal:.2f} | {d.p_b:.2f}"] if has_probabilities else []),
                d.verdict,
            ]
            for d in self.pairs
        ]
        return [TextTable(header, body)] if body else []


@accept_arrays
def compare(  # noqa: PLR0913
    predictions: Source,
    metric: str | Metric | None = None,
    *,
    unit: Literal["auto", "rows", "folds"] = "auto",
    correction: Literal["holm", "benjamini_hochberg"] = "holm",
    equivalence: float | None = None,
    selected: bool = False,
    confidence: float = 0.95,
    engine: str | Engine | None = None,
    seed: int = 0,
    where: str | None = None,
) -> Comparison:
    """Compare every two models by one metric, and name those that are tied for best.

    By rows the test fits the metric: McNemar's mid-p for shares of rows that are right, paired
    DeLong for areas under the ROC curve, paired t on per-row losses, else a paired bootstrap (of
    the joint table of truth and both predictions, or of buckets of rows; of clusters, where there
    is a cluster column). By folds it is the corrected resampled t-test on the values fold by fold
    (Nadeau & Bengio, 2003). On rows pooled over folds, two equally good algorithms would be called
    different in 5 to 13 % of tables (bench/false_winners.py).

    Two models whose difference lies within +-`equivalence`, by two one-sided tests (Schuirmann,
    1987), are called equivalent. By folds each pair then also gets the probabilities that the first
    is better by more than the margin, that they are equal for practical purposes, and that the
    second is better (Corani & Benavoli, 2015).

    Parameters:
        predictions: A table, a `Stream`, a data frame, the path of a file or of several, or the
            truth followed by what models predict, as for `evaluate`.
        metric: A metric with one value a model; default: f1, or mse in regression.
        unit: "rows" asks which fitted model is better, "folds" which algorithm. "auto", the
            default: folds where two or more define the metric, else rows; a note says where the
            folds of a table could not be used.
        correction: Of the p-values over all pairs: "holm", the default (any false verdict in at
            most 1 - `confidence` of tables), or "benjamini_hochberg" (at most that share of the
            verdicts false).
        equivalence: The difference that does not matter, above 0, in units of the metric; default:
            none, and no model is called equivalent.
        selected: Whether to say also what the best is worth on other rows (`selection_bias`).
        confidence: Level of the intervals and of the tests, in (0, 1); default 0.95. Above 0.5 with
            an `equivalence`.
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.
        seed: Of the bootstrap; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        The best model, those tied with it, and every pair. A model whose value is undefined, or
        that does not give what the metric reads, is left out, and `left_out` says why.

    Raises:
        UnsupportedError: The value of every model is undefined, the metric has one value a class,
            or an option is out of range.
        FoldsError: `unit` is "folds", and the folds cannot say which algorithm is better.

    >>> p = Predictions.from_arrays([0, 1] * 50, {"a": [0, 1] * 50, "b": [0] * 100})
    >>> compare(p, "accuracy").pairs[0].verdict
    'a is better'
    """
    _check_options(unit, correction, equivalence, confidence)
    table = open_table(predictions, in_memory=True, where=where, judging=True)
    wanted = metric if metric is not None else choose_default(table.schema)
    text, bound = resolve(wanted, table.schema)[0]
    if bound.granularity != "table":
        raise UnsupportedError(
            f"{text} has one value a class; compare by one value, as in f1(average=macro)"
            if table.schema.task != "multioutput"
            else f"{text} has one value an output; compare by the mean over outputs: {bound.name}"
        )
    models = select_models(table, bound)
    comparer = _Comparer(table, bound, models, resolve_engine(engine), seed)
    answer = comparer.answer(unit, confidence)
    values = answer.values
    best = max(values, key=lambda m: (bound.sign * values[m], -models.index(m)))
    equal: frozenset[tuple[str, str]] = frozenset()
    if equivalence is not None:
        equal = answer.find_equivalent(equivalence, confidence)
    alpha = 1 - confidence
    pairs = _add_verdicts(answer, bound.sign, alpha, correction, equal)
    if equivalence is not None and answer.unit == "folds":
        pairs = comparer.add_probabilities(pairs, equivalence)
    rivals = _list_verdicts(pairs, best)
    tied = tuple(m for m in values if m == best or rivals.get(m) in (OPEN, EQUIVALENT))
    rows_to_decide = None
    if answer.unit == "rows":
        undecided = [m for m in tied if rivals.get(m) == OPEN]
        rows_to_decide = _rows_to_decide(answer.differences, best, undecided, table.n, alpha)
    left_out, notes = _explain_missing(table, text, bound, values)
    others = sorted((m for m in values if m != best), key=lambda m: -bound.sign * values[m])
    notes += describe_seeds(table, bound, best, others)
    worth = None
    if selected:
        worth, unknown = comparer.estimate_worth(text, list(values), confidence)
        notes += unknown
    return Comparison(
        metric=text,
        best=best,
        tied=tied,
        rows_to_decide=rows_to_decide,
        pairs=pairs,
        values=values,
        n=table.n,
        confidence=confidence,
        notes=(*table.notes, *answer.notes, *notes),
        unit=answer.unit,
        correction=correction,
        equivalence=equivalence,
        left_out=left_out,
        selected=worth,
    )


def _explain_missing(
    table: Predictions, text: str, metric: Metric, values: Mapping[str, float]
) -> tuple[dict[str, str], list[str]]:
    """Why each model that is not among the `values` has none, and the notes on them."""
    able = select_models(table, metric)
    undefined = [m for m in able if m not in values]
    lacking = [m for m in table.models if m not in able]
    why = f"undefined ({metric.undefined})"
    reasons = dict.fromkeys(undefined, why)
    reasons |= dict.fromkeys(lacking, f"not given (it has no {metric.reads})")
    notes = []
    if undefined:
        notes.append(f"left out, their {text} being {why}: {', '.join(undefined)}")
    if lacking:
        notes.append(f"left out, giving no {metric.reads}: {', '.join(lacking)}")
    return reasons, notes


def _check_options(
    unit: str, correction: str, equivalence: float | None, confidence: float
) -> None:
    check_share("confidence", confidence)
    for name, value, known in (
        ("unit", unit, ("auto", "rows", "folds")),
        ("correction", correction, CORRECTIONS),
    ):
        if value not in known:
            raise UnsupportedError(f"{name} must be one of {', '.join(known)}; got {value!r}")
    is_number = isinstance(equivalence, Real)
    if equivalence is not None and not (is_number and 0 < equivalence < math.inf):
        raise UnsupportedError(
            f"equivalence must be above 0, the difference that does not matter in practice; "
            f"got {equivalence!r}"
        )
    if equivalence is not None and confidence <= 0.5:
        raise UnsupportedError(
            f"two one-sided tests of equivalence need a confidence above 0.5; got {confidence}"
        )


class _Answer(NamedTuple):
    """Value of each model, difference of every two, and by which unit they were compared."""

    values: dict[str, float]
    differences: list[RawDifference]
    notes: list[str]
    unit: str
    judge: Callable[[float], list[RawDifference]]

    def find_equivalent(self, margin: float, confidence: float) -> frozenset[tuple[str, str]]:
        """Pairs whose interval lies within +-`margin`: two one-sided tests at `confidence`."""
        differences = self.judge(2 * confidence - 1)
        return frozenset((d.a, d.b) for d in differences if -margin < d.low and d.high < margin)


@dataclass(frozen=True)
class _Comparer:
    """What is compared, by what, and what reads it."""

    table: Predictions
    metric: Metric
    models: list[str]
    engine: Engine
    seed: int

    def answer(self, unit: str, confidence: float) -> _Answer:
        """The comparison by a unit, by that which suits the table where it is "auto"."""
        if unit == "folds":
            return self._compare_folds(confidence)
        if unit == "rows" or "fold" not in self.table.columns:
            return self._compare_rows(confidence)
        if len(self.table.group("fold")[1]) < 2:
            return self._compare_rows(confidence)
        # Rows held out of different fits share training rows; folds allow for that.
        try:
            return self._compare_folds(confidence)
        except FoldsError as error:
            answer = self._compare_rows(confidence)
            note = f"compared by rows, because the folds cannot be used: {error}"
            return answer._replace(notes=[*answer.notes, note])

    def _compare_folds(self, confidence: float) -> _Answer:
        read = FoldValues.read(self.table, self.metric, self.models, self.engine)
        return _Answer(read.means, read.judge(confidence), [*read.notes], "folds", read.judge)

    def _compare_rows(self, confidence: float) -> _Answer:
        read = PairedValues.read(self.table, self.metric, self.models, self.engine, self.seed)
        notes = [ABOUT_ROWS] if "fold" in self.table.columns else []
        return _Answer(read.values, read.judge(confidence), notes, "rows", read.judge)

    def estimate_worth(
        self, text: str, models: Sequence[str], confidence: float
    ) -> tuple[SelectionBias | None, list[str]]:
        """What the best of the models is worth on other rows, or a note why that is unknown."""
        try:
            worth = selection_bias(
                self.table,
                text,
                models=models,
                confidence=confidence,
                engine=self.engine,
                seed=self.seed,
            )
        except UnsupportedError as error:
            return None, [f"what the best is worth cannot be said: {error}"]
        return worth, []

    def add_probabilities(
        self, pairs: tuple[Difference, ...], equivalence: float
    ) -> tuple[Difference, ...]:
        """The pairs with the probabilities of what holds between them, by the folds."""
        test = bayesian_fold_test(self.table, self.metric, equivalence, self.models, self.engine)
        chances = {(row.a, row.b): (row.p_a, row.p_equal, row.p_b) for row in test.rows}
        result = []
        for pair in pairs:
            p_a, p_equal, p_b = chances[pair.a, pair.b]
            result.append(replace(pair, p_a=p_a, p_equal=p_equal, p_b=p_b))
        return tuple(result)


def _add_verdicts(
    answer: _Answer, sign: int, alpha: float, correction: str, equal: frozenset[tuple[str, str]]
) -> tuple[Difference, ...]:
    """The differences with their corrected p-values and intervals, and verdicts."""
    adjusted = CORRECTIONS[correction]([d.p for d in answer.differences])
    level = adjust_level(correction, adjusted, alpha)
    corrected = answer.differences if level == alpha else answer.judge(1 - level)
    pairs = []
    for d, p, wide in zip(answer.differences, adjusted, corrected, strict=True):
        verdict = EQUIVALENT if (d.a, d.b) in equal else _verdict(d, sign, p, alpha)
        own = (d.a, d.b, d.difference, d.low, d.high, d.p, p, d.method, verdict)
        pairs.append(Difference(*own, wide.low, wide.high))
    return tuple(pairs)


def _verdict(d: RawDifference, sign: int, p: float, alpha: float) -> str:
    if not p < alpha:
        return OPEN
    return f"{d.a if sign * d.difference > 0 else d.b} is better"


def _list_verdicts(pairs: Sequence[Difference], best: str) -> dict[str, str]:
    """The verdict on each model and the `best`."""
    return {d.b if d.a == best else d.a: d.verdict for d in pairs if best in (d.a, d.b)}


def _rows_to_decide(
    differences: Sequence[RawDifference], best: str, undecided: Sequence[str], n: int, alpha: float
) -> int | None:
    """Rows at which the smallest difference from the best, were it the true one, would be found.

    They find it with a probability (power) of 0.8.
    """
    # The p-values are corrected for all pairs; the strictest level is that of one pair of so many.
    level = alpha / max(len(differences), 1)
    z = NormalDist().inv_cdf(1 - level / 2) + NormalDist().inv_cdf(0.8)
    rivals = [d for d in differences if best in (d.a, d.b) and {d.a, d.b} & set(undecided)]
    # No number of rows tells apart two models that do not differ.
    if not rivals or not all(d.difference and 0 < d.error < math.inf for d in rivals):
        return None
    needed = max(n * (z * d.error / d.difference) ** 2 for d in rivals)
    # Fewer rows than these cannot reach the level even if all of them speak for one model.
    least = math.ceil(1 - math.log2(level))
    return max(n + 1, least, math.ceil(needed)) if needed < 1e12 else None
