"""Fairness: how the metrics of a model differ between groups, each difference with an interval.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> row = np.arange(400)
>>> sex = np.array(["f", "m"] * 200)
>>> y = row // 2 % 2
>>> label = np.where((sex == "f") & (row % 5 == 0), 0, y)
>>> p = Predictions.from_arrays(y, {"m": label}, groups={"sex": sex}, positive=1)
>>> [(c.name, round(c.difference, 2)) for c in fairness(p, by="sex").criteria]
[('demographic_parity', 0.1), ('equal_opportunity', 0.2), ('equalized_odds', 0.2)]
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np

from assay.core.arguments import check_share, list_names
from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.evaluation.values import Row
from assay.intervals.differences import (
    UNKNOWN,
    Estimate,
    max_min_difference,
    mean_chance_gap,
    min_max_ratio,
    mover_difference,
)
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import list_default_metrics
from assay.table.groups import Slices, group_rows
from assay.table.predictions import Predictions
from assay.table.splits import tells_training

__all__ = ["Criterion", "Fairness", "Gap", "GroupValue", "fairness"]

# What the named criteria compare.
RATES = ("selection_rate", "recall", "false_positive_rate")
# The criteria of a single rate.
ONE_RATE = {"demographic_parity": "selection_rate", "equal_opportunity": "recall"}
MOST_NAMED = 4  # metrics that the verdict names

Key: TypeAlias = tuple[str, str, Any]  # model, metric, group
Values: TypeAlias = dict[Key, Row]
Rest: TypeAlias = dict[tuple[str, str], Row]  # by model and metric


@dataclass(frozen=True)
class GroupValue:
    """Value of one group in [`low`, `high`] on `n` rows, and its difference from that of `against`.

    `against` is a group, or "rest": all other rows. The difference has an interval, too.
    """

    model: str
    metric: str
    group: Any
    value: float
    low: float
    high: float
    n: int
    against: Any
    difference: float
    difference_low: float
    difference_high: float
    note: str


@dataclass(frozen=True)
class Gap:
    """Largest value of a group less the smallest, and smallest over largest, with intervals.

    `chance` is the difference to be expected from groups of these sizes if all were alike: the
    largest of several values less the smallest is never 0. An interval that reaches down to 0 (up
    to a ratio of 1) shows no difference.
    """

    model: str
    metric: str
    difference: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    smallest: Any
    largest: Any
    chance: float


@dataclass(frozen=True)
class Criterion:
    """A named criterion of fairness of a binary model: the gap that should be 0 (its ratio 1)."""

    model: str
    name: str
    difference: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True, repr=False)
class Fairness(Result):
    """Values of each group, gaps between groups, and the criteria of fairness of each model.

    >>> from assay.table.predictions import Predictions
    >>> y = ["a", "b"] * 50
    >>> p = Predictions.from_arrays(y, {"m": y}, groups={"site": [1] * 50 + [2] * 50})
    >>> fairness(p, "site", "accuracy").gap("accuracy").difference
    0.0
    """

    schema_name: ClassVar[str] = "assay.fairness/1"

    by: tuple[str, ...]
    groups: tuple[Any, ...]
    reference: Any
    positive: Any
    rows: tuple[GroupValue, ...]
    gaps: tuple[Gap, ...]
    criteria: tuple[Criterion, ...]
    n: int
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    def gap(self, metric: str | Metric, model: str | None = None) -> Gap:
        """The gap of one metric.

        Parameters:
            metric: Its text, or a Metric.
            model: The model; default: the first that has the gap.

        Returns:
            The gap.

        Raises:
            UnsupportedError: There is no such gap; the message names the metrics there are.
        """
        for gap in self.gaps:
            if gap.metric == str(metric) and model in (None, gap.model):
                return gap
        there = ", ".join(dict.fromkeys(gap.metric for gap in self.gaps))
        raise UnsupportedError(
            f"no gap of metric {str(metric)!r}, model {model!r}; metrics: {there}"
        )

    @property
    def verdict(self) -> str:
        """Which metrics differ between the groups beyond chance."""
        clear = [f"{gap.metric} of {gap.model}" for gap in self.gaps if gap.low > 0]
        groups = f"the groups of {', '.join(self.by)}"
        if not clear:
            return f"No metric differs significantly between {groups}."
        more = f" and {len(clear) - MOST_NAMED} more" if len(clear) > MOST_NAMED else ""
        return f"Significantly different between {groups}: {', '.join(clear[:MOST_NAMED])}{more}."

    @property
    def details(self) -> list[str]:
        """How many rows and groups there are, and the level of the intervals."""
        about = f"{self.n} rows, {len(self.groups)} groups, {self.confidence:.0%} intervals"
        return [f"Fairness by {', '.join(self.by)}: {about}"]

    @property
    def tables(self) -> list[TextTable]:
        """The values of the groups; then the gaps between groups, and the criteria."""
        header = ["model", "metric", "group", "rows", "value", "against", "difference"]
        values = [
            [
                row.model,
                row.metric,
                str(row.group),
                str(row.n),
                format_estimate(row.value, row.low, row.high),
                str(row.against),
                format_estimate(row.difference, row.difference_low, row.difference_high),
            ]
            for row in self.rows
        ]
        gaps = [[g.model, g.metric, *_format_gap(g, format_number(g.chance))] for g in self.gaps]
        criteria = [[c.model, c.name, *_format_gap(c, "")] for c in self.criteria]
        between = [
            "model",
            "between groups",
            "largest - smallest",
            "by chance",
            "smallest / largest",
        ]
        return [TextTable(header, values), TextTable(between, [*gaps, *criteria])]

    @property
    def footnotes(self) -> list[str]:
        """Reasons of undefined values (eight at most), and notes."""
        reasons = [f"{r.model}, {r.metric}, {r.group}: {r.note}" for r in self.rows if r.note]
        return [*reasons[:8], *self.notes]


def _format_gap(gap: Gap | Criterion, chance: str) -> list[str]:
    """Difference, what chance would give, and ratio, as text."""
    difference = format_estimate(gap.difference, gap.low, gap.high)
    return [difference, chance, format_estimate(gap.ratio, gap.ratio_low, gap.ratio_high)]


@accept_arrays
def fairness(
    predictions: Source,
    by: str | Sequence[str],
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    *,
    reference: Any = None,
    confidence: float = 0.95,
    seed: int = 0,
    where: str | None = None,
) -> Fairness:
    """How the metrics of every model differ between the groups that the columns `by` form.

    Binary tasks always have selection_rate, recall and false_positive_rate, and the criteria

      demographic_parity  the gap of the selection rate (Calders et al., 2009)
      equal_opportunity   the gap of the recall (Hardt et al., 2016)
      equalized_odds      the larger of the gaps of the recall and the false positive rate (Hardt
                          et al., 2016)

    The interval of a difference or ratio is made of those of the two values (MOVER), groups being
    different rows. Gaps: the largest value less the smallest is biased upwards, the more the more
    groups, so its interval is not put around it, but holds the true gap: it is the range of the
    intervals of all pairs of groups, at levels that make all of them right together (Bonferroni).
    Equalized odds is corrected for its two rates besides. Groups without a value (nan) are left out
    of gaps. Same values as fairlearn's MetricFrame.difference() and ratio().

    Sources: MOVER: Newcombe (1998), Stat. Med. 17:873-890; Zou & Donner (2008), Stat. Med.
    27:1693-1702; Hardt, Price & Srebro (2016), NIPS, 3315-3323; Calders, Kamiran & Pechenizkiy
    (2009), ICDM workshops, 13-18.

    Parameters:
        predictions: A table, a data frame, the path of a file or of several, or the truth followed
            by what models predict, as for `evaluate`.
        by: The column of groups, or several, which are crossed.
        metrics: Metrics of one value; default: those of the task.
        reference: The group that the others are held against; default: all other rows.
        confidence: Level of the intervals, in (0, 1); default 0.95.
        seed: Seed of the draws, at least 0; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        A `Fairness`.

    Raises:
        UnsupportedError: There is one group only, no group `reference`, or a metric gives one
            value a class.

    >>> y = ["a", "b"] * 50
    >>> p = Predictions.from_arrays(y, {"m": y}, groups={"site": [1] * 50 + [2] * 50})
    >>> fairness(p, "site", "accuracy").verdict
    'No metric differs significantly between the groups of site.'
    """
    check_share("confidence", confidence)
    names = list_names("by", by)
    judging = not any(map(tells_training, names))
    table = open_table(predictions, in_memory=True, where=where, judging=judging)
    table = replace(table, rows_chosen=True)
    chosen = _choose_metrics(table, metrics)
    grouping = group_rows(table, names)
    groups = [key[0] if len(key) == 1 else key for key in grouping.keys]
    if len(groups) < 2:
        raise UnsupportedError(
            f"column {', '.join(names)} has one group only, {groups}; fairness is between groups"
        )
    if reference is not None and reference not in groups:
        raise UnsupportedError(
            f"no group is {reference!r} to be the reference; groups are "
            f"{', '.join(map(str, groups))}"
        )
    options: dict[str, Any] = {"confidence": confidence, "seed": seed}
    evaluation = evaluate(table, chosen, by=names, **options)
    values = {_key(row): row for row in evaluation.rows if row.group is not None}
    comparators = [
        _find_comparator(values, groups, place, reference)
        or _evaluate_rest(table.take(grouping.codes != place), chosen, options)
        for place in range(len(groups))
    ]
    by_group = dict(zip(groups, comparators, strict=True))
    spans = {str(m): m.bounds[1] - m.bounds[0] for m in chosen}
    binary = table.task == "binary"
    return Fairness(
        by=names,
        groups=tuple(groups),
        reference=reference,
        positive=table.schema.positive if binary else None,
        rows=tuple(_compare_row(row, *by_group[row.group]) for row in values.values()),
        gaps=tuple(_find_gaps(values, groups, spans, confidence, seed)),
        criteria=tuple(_find_criteria(values, table, groups, confidence)) if binary else (),
        n=table.n,
        confidence=confidence,
        notes=(*table.notes, *_note_clusters(table, grouping)),
    )


def _choose_metrics(table: Predictions, metrics: Any) -> list[Metric]:
    """The metrics that were named, and in binary tasks those that the criteria need."""
    if metrics is None:
        metrics = list_default_metrics(table)
    several = isinstance(metrics, Iterable) and not isinstance(metrics, str)
    texts = list(metrics) if several else [metrics]
    strange = [metric for metric in texts if not isinstance(metric, str | Metric)]
    if strange:
        raise UnsupportedError(f"expected metrics as text or Metric objects; got {strange[0]!r}")
    gives_labels = any(table.schema.offers(model, "label") for model in table.models)
    if table.task == "binary" and gives_labels:
        texts = [*RATES, *texts]
    chosen = list(dict.fromkeys(map(METRICS.parse, texts)))
    wide = [str(m) for m in chosen if m.bind(table.schema).granularity != "table"]
    if wide:
        raise UnsupportedError(
            f"{', '.join(wide)}: one value a class; fairness takes metrics of one value"
        )
    return chosen


def _key(row: Row) -> Key:
    return row.model, row.metric, row.group


def _find_comparator(
    values: Values, groups: Sequence[Any], place: int, reference: Any
) -> tuple[Any, Rest] | None:
    """The group that the one at `place` is held against, and its values; None where it is the rest.

    That is the reference, or the other of two groups.
    """
    if reference is None and len(groups) > 2:
        return None
    other = reference if reference is not None else groups[1 - place]
    if other == groups[place]:
        return other, {}
    return other, {(m, t): row for (m, t, group), row in values.items() if group == other}


def _evaluate_rest(
    rest: Predictions, metrics: Sequence[Metric], options: dict[str, Any]
) -> tuple[str, Rest]:
    """The values of all other rows."""
    rows = evaluate(rest, metrics, **options).rows
    return "rest", {(row.model, row.metric): row for row in rows}


def _estimate(row: Row) -> Estimate:
    return Estimate(row.value, row.low, row.high)


def _compare_row(row: Row, against: Any, others: Rest) -> GroupValue:
    """The value of a group, held against that of the others."""
    other = others.get((row.model, row.metric))
    difference = UNKNOWN
    if other is not None:
        difference = mover_difference(_estimate(row), _estimate(other))
    return GroupValue(
        model=row.model,
        metric=row.metric,
        group=row.group,
        value=row.value,
        low=row.low,
        high=row.high,
        n=row.n,
        against=against,
        difference=difference.value,
        difference_low=difference.low,
        difference_high=difference.high,
        note=row.note,
    )


def _find_gaps(
    values: Values,
    groups: Sequence[Any],
    spans: dict[str, float],
    confidence: float,
    seed: int,
) -> Iterator[Gap]:
    """The gap of every metric of every model; `spans` are the widths of the metrics' ranges."""
    for model, metric in dict.fromkeys((model, metric) for model, metric, _ in values):
        by_group = _defined_estimates(values, model, metric, groups)
        if len(by_group) < 2:
            continue
        estimates = list(by_group.values())
        difference = max_min_difference(estimates, confidence, most=spans[metric])
        ratio = min_max_ratio(estimates, confidence)
        smallest = min(by_group, key=lambda group: by_group[group].value)
        largest = max(by_group, key=lambda group: by_group[group].value)
        chance = mean_chance_gap(estimates, confidence, seed)
        yield Gap(model, metric, *difference, *ratio, smallest, largest, chance)


def _defined_estimates(
    values: Values, model: str, metric: str, groups: Sequence[Any]
) -> dict[Any, Estimate]:
    """The values of the groups that have one."""
    estimates = {group: _estimate(values[model, metric, group]) for group in groups}
    return {group: e for group, e in estimates.items() if not np.isnan(e.value)}


def _find_criteria(
    values: Values, table: Predictions, groups: Sequence[Any], confidence: float
) -> Iterator[Criterion]:
    """The named criteria of each model that gives labels."""
    for model in table.models:
        if not table.schema.offers(model, "label"):
            continue
        rates = {
            metric: list(_defined_estimates(values, model, metric, groups).values())
            for metric in RATES
        }
        for name, metric in ONE_RATE.items():
            if len(rates[metric]) > 1:
                difference = max_min_difference(rates[metric], confidence, most=1.0)
                ratio = min_max_ratio(rates[metric], confidence)
                yield Criterion(model, name, *difference, *ratio)
        odds = [rates["recall"], rates["false_positive_rate"]]
        if all(len(rate) > 1 for rate in odds):
            differences = [max_min_difference(rate, confidence, 2, most=1.0) for rate in odds]
            ratios = [min_max_ratio(rate, confidence, 2) for rate in odds]
            # Value by value, as of the ends: the larger of the gaps, the smaller of the ratios.
            worst = Estimate(*np.max(differences, axis=0).tolist())
            least = Estimate(*np.min(ratios, axis=0).tolist())
            yield Criterion(model, "equalized_odds", *worst, *least)


def _note_clusters(table: Predictions, grouping: Slices) -> list[str]:
    """A note where clusters lie in several groups."""
    if "cluster" not in table.columns:
        return []
    codes, names = table.group("cluster")
    pairs = np.unique(codes * len(grouping.keys) + grouping.codes)
    if len(pairs) == len(names):
        return []
    return [
        "Clusters lie in several groups: intervals of differences take groups as independent, "
        "which may be too wide."
    ]
