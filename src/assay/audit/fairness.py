"""fairness: how the figures of a model differ between groups of rows, with an interval for every difference.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> sex, y = np.array(["f", "m"] * 200), np.arange(400) // 2 % 2
>>> said = np.where((sex == "f") & (np.arange(400) % 5 == 0), 0, y)
>>> found = fairness(Predictions.from_arrays(y, {"m": said}, groups={"sex": sex}, positive=1), by="sex")
>>> [(c.name, round(c.difference, 2), round(c.ratio, 2)) for c in found.criteria]
[('demographic_parity', 0.1, 0.8), ('equal_opportunity', 0.2, 0.8), ('equalized_odds', 0.2, nan)]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.evaluation.values import Row
from assay.intervals.differences import Estimate, mean_chance_gap, mover_difference, min_max_ratio, max_min_difference
from assay.io.read_write import Source, table_of
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import defaults
from assay.table.groups import Slices, group_rows
from assay.table.predictions import Predictions

__all__ = ["Criterion", "Fairness", "Gap", "GroupFigure", "fairness"]

# What the named criteria compare.
RATES = ("selection_rate", "recall", "false_positive_rate")
MOST_NAMED = 4  # metrics that the verdict names


@dataclass(frozen=True)
class GroupFigure:
    """Figure of one group in [`low`, `high`] on `n` rows, and its difference from that of `against`, with an interval.

    `against` is a group, or "rest": all other rows.
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
    """Largest figure of a group less the smallest, and smallest over largest, each with an interval for the true one.

    `chance` is the difference to be expected from groups of these sizes if all were alike: the largest of several
    figures less the smallest is never 0. An interval that reaches down to 0 (up to a ratio of 1) shows no difference.
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
    """A named criterion of fairness of a binary model: the gap that it asks to be 0 (its ratio 1)."""

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
    """Figures of each group, gaps between groups, and the criteria of fairness of each model."""

    schema_name: ClassVar[str] = "assay.fairness/1"

    by: tuple[str, ...]
    groups: tuple[Any, ...]
    reference: Any
    positive: Any
    rows: tuple[GroupFigure, ...]
    gaps: tuple[Gap, ...]
    criteria: tuple[Criterion, ...]
    n: int
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    def gap(self, metric: str | Metric, model: str | None = None) -> Gap:
        """The gap of one metric (of one model, where there are several); an error names what there is."""
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


def fairness(
    predictions: Source,
    by: str | Sequence[str],
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    *,
    reference: Any = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Fairness:
    """How the figures of every model differ between the groups that the columns `by` form.

    metrics: any; binary tasks always have selection_rate, recall and false_positive_rate too, and by them the criteria
      demographic_parity  the gap of the selection rate (Calders et al., 2009)
      equal_opportunity   the gap of the recall (Hardt et al., 2016)
      equalized_odds      the larger of the gaps of the recall and the false positive rate (Hardt et al., 2016)
    reference: the group that the others are held against; by default each is held against all other rows.

    The interval of a difference or ratio is made of those of the two figures (MOVER), groups being different rows.
    Gaps: the largest figure less the smallest is biased upwards, the more the more groups, so its interval is not put
    around it, but holds the true gap: it is the range of the intervals of all pairs of groups, at levels that make all
    of them right together (Bonferroni). Equalized odds is corrected for its two rates besides.
    Groups without a figure (nan) are left out of gaps. Same values as fairlearn's MetricFrame.difference() and ratio().

    Sources: MOVER: Newcombe (1998), Stat. Med. 17:873-890; Zou & Donner (2008), Stat. Med. 27:1693-1702; Hardt, Price &
    Srebro (2016), NIPS, 3315-3323; Calders, Kamiran & Pechenizkiy (2009), ICDM workshops, 13-18.
    """
    table = table_of(predictions)
    names = (by,) if isinstance(by, str) else tuple(by)
    asked = _asked(table, metrics)
    grouping = group_rows(table, names)
    groups = [key[0] if len(key) == 1 else key for key in grouping.keys]
    if len(groups) < 2:
        raise UnsupportedError(
            f"column {', '.join(names)} has one group only, {groups}; fairness is between groups"
        )
    if reference is not None and reference not in groups:
        raise UnsupportedError(
            f"no group is {reference!r} to be the reference; groups are {', '.join(map(str, groups))}"
        )
    options: dict[str, Any] = {"confidence": confidence, "seed": seed}
    found = evaluate(table, asked, by=names, **options)
    own = {_key(row): row for row in found.rows if row.group is not None}
    against = _against(table, grouping, groups, reference, asked, own, options)
    rows = [_figure(row, *against[key]) for key, row in own.items()]
    spans = {str(m): m.bounds[1] - m.bounds[0] for m in asked}
    gaps = _gaps(own, groups, spans, confidence, seed)
    criteria = _criteria(own, table, groups, confidence) if table.task == "binary" else []
    positive = table.schema.positive if table.task == "binary" else None
    notes = (*table.notes, *_notes(table, grouping))
    return Fairness(
        names,
        tuple(groups),
        reference,
        positive,
        tuple(rows),
        tuple(gaps),
        tuple(criteria),
        table.n,
        confidence,
        notes,
    )


def _asked(table: Predictions, metrics: Any) -> list[Metric]:
    """The metrics asked for, and in binary tasks those that the criteria need."""
    texts = (
        defaults(table)
        if metrics is None
        else [metrics]
        if isinstance(metrics, str | Metric)
        else metrics
    )
    if table.task == "binary" and any(
        table.schema.offers(model, "label") for model in table.models
    ):
        texts = [*RATES, *texts]
    found = list(dict.fromkeys(map(METRICS.parse, texts)))
    wide = [str(m) for m in found if m.bind(table.schema).granularity != "table"]
    if wide:
        raise UnsupportedError(
            f"{', '.join(wide)}: one figure a class; fairness takes metrics of one figure"
        )
    return found


def _key(row: Row) -> tuple[str, str, Any]:
    return row.model, row.metric, row.group


def _against(
    table: Predictions, grouping: Slices, groups: list[Any], reference: Any, asked: list[Metric],
    own: dict[tuple[str, str, Any], Row], options: dict[str, Any],
) -> dict[tuple[str, str, Any], tuple[Any, Row | None]]:  # fmt: skip
    """For each figure of a group, what it is held against: the reference, the other of two groups, or the rest."""
    found: dict[tuple[str, str, Any], tuple[Any, Row | None]] = {}
    for place, group in enumerate(groups):
        if reference is not None or len(groups) == 2:
            other = reference if reference is not None else groups[1 - place]
            same = {(m, t): row for (m, t, g), row in own.items() if g == other}
            label = other
        else:
            rest = evaluate(table.take(grouping.codes != place), asked, **options)
            same = {(row.model, row.metric): row for row in rest.rows}
            label = "rest"
        for model, metric, g in own:
            if g == group:
                found[model, metric, g] = (label, None if label == group else same[model, metric])
    return found


def _ranged(row: Row) -> Estimate:
    return Estimate(row.value, row.low, row.high)


def _figure(row: Row, against: Any, other: Row | None) -> GroupFigure:
    difference = (
        Estimate(np.nan, np.nan, np.nan) if other is None else mover_difference(_ranged(row), _ranged(other))
    )
    return GroupFigure(
        row.model,
        row.metric,
        row.group,
        row.value,
        row.low,
        row.high,
        row.n,
        against,
        *difference,
        row.note,
    )


def _gaps(
    own: dict[tuple[str, str, Any], Row],
    groups: list[Any],
    spans: dict[str, float],
    confidence: float,
    seed: int,
) -> list[Gap]:
    """The gap of every metric of every model."""
    found = []
    for model, metric in dict.fromkeys((m, t) for m, t, _ in own):
        figures = {g: _ranged(own[model, metric, g]) for g in groups}
        figures = {g: f for g, f in figures.items() if not np.isnan(f.value)}
        if len(figures) < 2:
            continue
        smallest = min(figures, key=lambda g: figures[g].value)
        largest = max(figures, key=lambda g: figures[g].value)
        several = list(figures.values())
        difference, ratio = (
            max_min_difference(several, confidence, most=spans[metric]),
            min_max_ratio(several, confidence),
        )
        chance = mean_chance_gap(several, confidence, seed)
        found.append(Gap(model, metric, *difference, *ratio, smallest, largest, chance))
    return found


def _criteria(
    own: dict[tuple[str, str, Any], Row], table: Predictions, groups: list[Any], confidence: float
) -> list[Criterion]:
    """The named criteria of each model that gives labels."""
    found = []
    for model in (m for m in table.models if table.schema.offers(m, "label")):
        of = {
            metric: [
                f for f in (_ranged(own[model, metric, g]) for g in groups) if not np.isnan(f.value)
            ]
            for metric in RATES
        }
        plain = {"demographic_parity": "selection_rate", "equal_opportunity": "recall"}
        for name, metric in plain.items():
            if len(of[metric]) > 1:
                both = max_min_difference(of[metric], confidence, most=1.0), min_max_ratio(of[metric], confidence)
                found.append(Criterion(model, name, *both[0], *both[1]))
        rates = [of["recall"], of["false_positive_rate"]]
        if all(len(rate) > 1 for rate in rates):
            gaps = [max_min_difference(rate, confidence, 2, most=1.0) for rate in rates]
            ratios = [min_max_ratio(rate, confidence, 2) for rate in rates]
            worst = Estimate(*(float(np.max([g[i] for g in gaps])) for i in range(3)))
            least = Estimate(*(float(np.min([r[i] for r in ratios])) for i in range(3)))
            found.append(Criterion(model, "equalized_odds", *worst, *least))
    return found


def _notes(table: Predictions, grouping: Slices) -> list[str]:
    if "cluster" not in table.columns:
        return []
    codes, names = table.group("cluster")
    pairs = np.unique(codes * len(grouping.keys) + grouping.codes)
    if len(pairs) == len(names):
        return []
    return [
        "Clusters lie in several groups: intervals of differences take groups as independent, which may be too wide."
    ]
