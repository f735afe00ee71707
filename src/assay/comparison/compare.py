"""compare: paired differences between every two models on the same rows or folds, and which are tied for best.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> y = np.arange(400) % 2
>>> p = Predictions.from_arrays(y, {"good": y, "poor": np.where(np.arange(400) % 5 == 0, 1 - y, y)})
>>> compare(p, "accuracy").best, compare(p, "accuracy").tied
('good', ('good',))
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any, ClassVar, Literal, TypeAlias

from assay.comparison.corrections import CORRECTIONS, Correction
from assay.comparison.fold_tests import FoldsError, OutcomeProbabilities, corrected_differences, bayesian_fold_test
from assay.comparison.paired_tests import RawDifference, paired_differences
from assay.comparison.selection_bias import SelectionBias, selection_bias
from assay.core.arguments import check_share
from assay.core.result import Result, to_plain
from assay.core.text import TextTable, format_number
from assay.engines.base import Engine
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.io.read_write import Source, table_of
from assay.metrics.base import Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.table.predictions import Predictions

__all__ = ["Comparison", "Difference", "compare"]


ABOUT_ROWS = (
    "Rows come from cross-validation: the comparison is of these fitted models on these rows; how the algorithms would "
    "rank when trained on other data is less certain than the p-values say: compare by folds answers that."
)

OPEN, EQUIVALENT = "not distinguishable", "equivalent"
NAMES = {"holm": "Holm", "benjamini_hochberg": "Benjamini-Hochberg"}
Answer: TypeAlias = tuple[dict[str, float], list[RawDifference], list[str]]


@dataclass(frozen=True)
class Difference:
    """Figure of `a` minus figure of `b` on the same rows, with interval, p-value (raw, corrected) and verdict.

    p_a, p_equal, p_b: over folds, where a margin of equivalence was given, the probabilities that `a` is better by
    more than it, that the two are equal within it, and that `b` is better (Bayesian correlated t).
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
    p_a: float | None = None
    p_equal: float | None = None
    p_b: float | None = None


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Which model is best by one metric, and which cannot be told apart from it.

    `tied` holds the best and every model whose difference from it is not significant after correction over all pairs,
    or that is equivalent to it: a multiple comparison with the best, which with Holm's correction holds the model that
    is truly best in 95 of 100 tables, and leaves out none that is as good. `rows_to_decide` estimates how many rows
    would settle the closest of them (None where nothing is tied, or the best is by folds). `left_out` says why a model
    of the table is not among those compared; `selected` what the best is worth, freed of having been chosen.
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
        value = format_number(self.values[self.best])
        if len(self.values) == 1:
            return f"{self.best} is the only model: {self.metric} {value}."
        if len(self.tied) == 1:
            return f"{self.best} is best by {self.metric} ({value}); every other model is significantly worse."
        equal = self.equivalent
        others = ", ".join(name for name in self.tied if name != self.best and name not in equal)
        more = (
            f" About {self.rows_to_decide:,} rows would settle it." if self.rows_to_decide else ""
        )
        where = f"on these {self.n:,} rows" if self.unit == "rows" else "over these folds"
        lead = f"{self.best} has the best {self.metric} ({value})"
        same = f"{', '.join(equal)} {'is' if len(equal) == 1 else 'are'} equivalent to it within {self.equivalence}"
        if not others:
            return f"{lead}; {same}."
        return f"{lead}, but {where} it cannot be told apart from {others}{f'; {same}' if equal else ''}.{more}"

    @property
    def equivalent(self) -> tuple[str, ...]:
        """The models that differ from the best by less than the margin of equivalence, for sure."""
        return tuple(name for name in self.tied if _find_verdict(self.pairs, self.best, name) == EQUIVALENT)

    @property
    def correction_name(self) -> str:
        """Name of the correction of the p-values."""
        return NAMES[self.correction]

    @property
    def details(self) -> list[str]:
        """What the best is worth, freed of having been chosen."""
        return [] if self.selected is None else [repr(self.selected)]

    @property
    def tables(self) -> list[TextTable]:
        """The pairs of models."""
        header = [
            "difference",
            self.metric,
            f"{self.confidence:.0%} interval",
            f"p ({self.correction_name})",
            "verdict",
        ]
        chances = any(d.p_equal is not None for d in self.pairs)
        if chances:
            header.insert(-1, f"P(first | equal within {self.equivalence:g} | second)")
        body = [
            [
                f"{d.a} - {d.b}",
                f"{d.difference:+.4f}",
                f"[{d.low:+.4f}, {d.high:+.4f}]",
                f"{d.p_adjusted:.2g}",
                *([f"{d.p_a:.2f} | {d.p_equal:.2f} | {d.p_b:.2f}"] if chances else []),
                d.verdict,
            ]
            for d in self.pairs
        ]
        return [TextTable(header, body)] if body else []


def compare(
    predictions: Source,
    metric: str | Metric | None = None,
    *,
    unit: Literal["auto", "rows", "folds"] = "auto",
    correction: Literal["holm", "benjamini_hochberg"] = "holm",
    equivalence: float | None = None,
    selected: bool = False,
    confidence: float = 0.95,
    engine: Engine | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare every two models by one metric (default: f1, or mse in regression), and name those tied for best.

    unit: "rows" asks which fitted model is better, paired on the same rows; the test fits the metric: McNemar's mid-p
    for shares of rows that are right, paired DeLong for areas under the ROC curve, paired t on per-row losses, else a
    paired bootstrap (of the joint table of truth and both predictions, or of buckets of rows; of clusters, where there
    is a cluster column). "folds" asks which algorithm is better, by the corrected resampled t on figures fold by fold
    (Nadeau & Bengio, 2003). "auto": folds where there are two or more that define the metric, rows otherwise; on rows
    pooled over folds two equally good algorithms are told apart in 5 to 13 % of tables (bench/false_winners.py).

    correction of the p-values over all pairs: Holm (any false verdict in at most 1 - confidence of tables) or Benjamini
    and Hochberg (at most that share of the verdicts false). equivalence: the region of practical equivalence, a
    difference that does not matter. Two models whose difference lies within +- this margin, by two one-sided tests
    (Schuirmann, 1987), are called equivalent; by folds each pair also gets the probabilities that the first is better
    by more, that they are equal for practical purposes, and that the second is better (Corani & Benavoli, 2015).
    selected: also say what the best is worth, once it is known that it was chosen for looking best (`selection_bias`).
    A model whose figure is undefined, or that does not give what the metric reads, is left out, and `left_out` says
    why; UnsupportedError where the figure of every model is undefined.
    """
    _check_options(unit, correction, equivalence, confidence)
    predictions = table_of(predictions)
    text, on = resolve(
        metric if metric is not None else DEFAULT[predictions.task], predictions.schema
    )[0]
    if on.granularity != "table":
        raise UnsupportedError(
            f"{text} has one figure a class; compare by one figure, as in f1(average=macro)"
        )
    models = [m for m in predictions.models if predictions.schema.offers(m, on.reads)]
    question = _Comparer(predictions, on, models, unit, engine or Local(), seed)
    if unit == "auto":
        question, (values, raw, notes) = question.of_itself(confidence)
    else:
        values, raw, notes = question.ask(confidence)
    left, said = _explain_missing(predictions, text, on, values)
    worth, more = question.worth(text, list(values), confidence) if selected else (None, [])
    sign = on.sign
    best = max(values, key=lambda m: (sign * values[m], -models.index(m)))
    equal = (
        question.equivalent(equivalence, 2 * confidence - 1)
        if equivalence is not None
        else frozenset()
    )
    pairs = _add_verdicts(raw, sign, 1 - confidence, CORRECTIONS[correction], equal)
    pairs = question.weighed(pairs, equivalence) if equivalence is not None else pairs
    tied = tuple(m for m in values if m == best or _find_verdict(pairs, best, m) in (OPEN, EQUIVALENT))
    open_ = [m for m in tied if _find_verdict(pairs, best, m) == OPEN]
    rows = (
        _rows_to_decide(raw, best, open_, predictions.n, 1 - confidence)
        if question.unit == "rows"
        else None
    )
    return Comparison(
        text, best, tied, rows, pairs, values, predictions.n, confidence,
        (*predictions.notes, *notes, *said, *more), question.unit, correction, equivalence, left, worth,
    )  # fmt: skip


def _explain_missing(
    table: Predictions, text: str, metric: Metric, values: Mapping[str, float]
) -> tuple[dict[str, str], list[str]]:
    """Why each model that is not among the `values` has none, and what to say of them."""
    able = [m for m in table.models if table.schema.offers(m, metric.reads)]
    undefined, lacking = (
        [m for m in able if m not in values],
        [m for m in table.models if m not in able],
    )
    why = f"undefined ({metric.undefined})"
    said = [f"left out, their {text} being {why}: {', '.join(undefined)}"] if undefined else []
    said += [f"left out, giving no {metric.reads}: {', '.join(lacking)}"] if lacking else []
    return dict.fromkeys(undefined, why) | dict.fromkeys(
        lacking, f"not given (it has no {metric.reads})"
    ), said


def _check_options(
    unit: str, correction: str, equivalence: float | None, confidence: float
) -> None:
    check_share("confidence", confidence)
    for name, given, known in (
        ("unit", unit, ("auto", "rows", "folds")),
        ("correction", correction, CORRECTIONS),
    ):
        if given not in known:
            raise UnsupportedError(f"{name} must be one of {', '.join(known)}; got {given!r}")
    if equivalence is not None and not 0 < equivalence < math.inf:
        raise UnsupportedError(
            f"equivalence must be above 0, the difference that does not matter in practice; got {equivalence}"
        )
    if equivalence is not None and confidence <= 0.5:
        raise UnsupportedError(
            f"two one-sided tests of equivalence need a confidence above 0.5; got {confidence}"
        )


@dataclass(frozen=True)
class _Comparer:
    """What is compared, on what, by which unit."""

    table: Predictions
    metric: Metric
    models: list[str]
    unit: str
    engine: Engine
    seed: int

    def of_itself(self, confidence: float) -> tuple["_Comparer", Answer]:
        """The question that the table asks for, and its answer.

        Folds, where the table comes from cross-validation, for rows held out of different fits share training rows;
        rows where it does not, or where no two folds define the metric.
        """
        rows = replace(self, unit="rows")
        if "fold" in self.table.columns and len(self.table.group("fold")[1]) > 1:
            folds = replace(self, unit="folds")
            try:
                return folds, folds.ask(confidence)
            except FoldsError as error:
                values, raw, notes = rows.ask(confidence)
                return rows, (values, raw, [*notes, f"compared by rows, not by folds: {error}"])
        return rows, rows.ask(confidence)

    def ask(self, confidence: float) -> Answer:
        """Figure of each model, difference of every two, and what to say beside them."""
        if self.unit == "folds":
            found = corrected_differences(
                self.table, self.metric, self.models, confidence, self.engine
            )
            return found.values, found.differences, [*found.notes]
        values, raw = paired_differences(
            self.table, self.metric, self.models, confidence, self.engine, self.seed
        )
        return values, raw, [ABOUT_ROWS] if "fold" in self.table.columns else []

    def worth(
        self, text: str, models: Sequence[str], confidence: float
    ) -> tuple[SelectionBias | None, list[str]]:
        """What the best of the models is worth on other rows, or why that cannot be said."""
        try:
            told = selection_bias(
                self.table,
                text,
                models=models,
                confidence=confidence,
                engine=self.engine,
                seed=self.seed,
            )
        except UnsupportedError as error:
            return None, [f"what the best is worth cannot be said: {error}"]
        return told, []

    def equivalent(self, margin: float, confidence: float) -> frozenset[tuple[str, str]]:
        """Pairs whose interval, of the level that makes two one-sided tests, lies within +- the margin."""
        return frozenset(
            (d.a, d.b) for d in self.ask(confidence)[1] if -margin < d.low and d.high < margin
        )

    def weighed(self, pairs: tuple[Difference, ...], equivalence: float) -> tuple[Difference, ...]:
        """The pairs with the probabilities of what holds between them, where folds say so."""
        if self.unit != "folds":
            return pairs
        found = bayesian_fold_test(self.table, self.metric, equivalence, self.models, self.engine)
        of: dict[tuple[str, str], OutcomeProbabilities] = {(one.a, one.b): one.probability for one in found}
        return tuple(
            replace(d, p_a=chance.first, p_equal=chance.equal, p_b=chance.second)
            for d in pairs
            for chance in [of[d.a, d.b]]
        )


def _add_verdicts(
    raw: Sequence[RawDifference],
    sign: int,
    alpha: float,
    corrected: Correction,
    equal: frozenset[tuple[str, str]],
) -> tuple[Difference, ...]:
    """The differences with their corrected p-values and what each says."""
    adjusted = corrected([d.p for d in raw])
    return tuple(
        Difference(
            *d[:6], p, d.method, EQUIVALENT if (d.a, d.b) in equal else _verdict(d, sign, p, alpha)
        )
        for d, p in zip(raw, adjusted, strict=True)
    )


def _verdict(d: RawDifference, sign: int, p: float, alpha: float) -> str:
    if not p < alpha:
        return OPEN
    return f"{d.a if sign * d.difference > 0 else d.b} is better"


def _find_verdict(pairs: Sequence[Difference], a: str, b: str) -> str:
    """The verdict on two models."""
    return next((d.verdict for d in pairs if {d.a, d.b} == {a, b}), "")


def _rows_to_decide(
    raw: Sequence[RawDifference], best: str, open_: Sequence[str], n: int, alpha: float
) -> int | None:
    """Rows at which the smallest difference from the best would show with power 0.8, were it the true one."""
    # The verdict is corrected for all pairs; the strictest of its levels is that of one pair among so many.
    z = NormalDist().inv_cdf(1 - alpha / 2 / max(len(raw), 1)) + NormalDist().inv_cdf(0.8)
    rivals = [d for d in raw if best in (d.a, d.b) and {d.a, d.b} & set(open_)]
    # No number of rows tells apart two models that do not differ.
    if not rivals or not all(d.difference and 0 < d.error < math.inf for d in rivals):
        return None
    needed = max(n * (z * d.error / d.difference) ** 2 for d in rivals)
    # The surest sign of so few rows, that all speak for one model, would not be sure enough.
    least = math.ceil(1 - math.log2(alpha / max(len(raw), 1)))
    return max(n + 1, least, math.ceil(needed)) if needed < 1e12 else None
