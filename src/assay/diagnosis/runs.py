"""rank_runs: which of several runs is best, whether seeds explain it, and which epochs were wasted.

>>> from assay.diagnosis.judge import judge_run
>>> from assay.diagnosis.runs import rank_runs
>>> from assay.readers.history import History
>>> lowest = {"a_s1": 0.50, "a_s2": 0.52, "a_s3": 0.51, "b_s1": 0.60, "b_s2": 0.61, "b_s3": 0.59}
>>> curves = {name: [1.0, loss, loss + 0.1] for name, loss in lowest.items()}
>>> logs = [History.from_lists(val_loss=curve, name=name) for name, curve in curves.items()]
>>> ranking = rank_runs([judge_run(log) for log in logs])
>>> ranking.best, ranking.tied, ranking.runs[0].name
('a', ('a',), 'a_s1')
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.core.text import TextTable, format_number
from assay.core.types import Better
from assay.diagnosis.run_diagnosis import Epoch, RunDiagnosis
from assay.diagnosis.run_names import group_runs, shorten_names

__all__ = ["RankedGroup", "RankedRun", "Ranking", "rank_runs"]

BROKEN = ("diverged", "collapsed")
SURE = 0.05  # chance of naming one of two equal groups
NAME_WIDTH = 28  # characters; so that the table fits 80 columns


@dataclass(frozen=True)
class RankedRun:
    """One run among several.

    `value` is that of the metric at the epoch to keep, None where it was not measured. The epochs
    after the one to keep, `wasted` (first, last), changed the model for nothing; `wasted_share` is
    their share of all.
    """

    name: str
    group: str
    value: float | None
    status: str
    best_epoch: Epoch | None
    last_epoch: Epoch
    wasted: tuple[Epoch, Epoch] | None
    wasted_share: float


@dataclass(frozen=True)
class RankedGroup:
    """The runs that differ in their seed alone: their number, mean and standard deviation.

    `broken` of the runs diverged or collapsed and are not in the mean. `p` is that of the
    difference from the best group, None where seeds cannot tell.
    """

    name: str
    runs: int
    broken: int
    mean: float
    deviation: float | None
    p: float | None


@dataclass(frozen=True)
class Ranking:
    """Several runs, the best first, and groups of runs with other seeds.

    `best` is the group whose difference from every other seeds do not explain, or None; `tied` are
    the groups that may be best. Differences are tested by Student's t with the standard deviation
    that seeds make in all groups together, corrected for the number of groups after Bonferroni.
    `has_seeds` says whether any group has several runs.
    """

    metric: str
    better: Better
    best: str | None
    tied: tuple[str, ...]
    has_seeds: bool
    groups: tuple[RankedGroup, ...]
    runs: tuple[RankedRun, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Which run or group is best, and whether seeds explain it."""
        by = "validation loss" if self.metric.endswith("loss") else self.metric
        first = self.groups[0]
        value = format_number(first.mean)
        if len(self.groups) == 1:
            return f"{first.name}: {by} {value}, {_describe_scatter(first)}"
        second = self.groups[1]
        follows = f"{second.name} ({format_number(second.mean)})"
        if not self.has_seeds:
            return (
                f"{first.name} has the best {by} ({value}), before {follows}; one run each, so "
                f"that chance is not ruled out: train each with three to five seeds, or compare "
                f"what they predict"
            )
        scatter = _describe_scatter(first)
        if self.best is not None:
            return f"{first.name} is best by {by} ({value}, {scatter}), beyond what seeds explain"
        others = ", ".join(name for name in self.tied if name != first.name)
        return (
            f"{first.name} has the best {by} ({value}, {scatter}), but seeds explain its "
            f"difference from {others}"
        )

    @property
    def places(self) -> dict[str, int]:
        """The place of each run by its name, 0 for the best."""
        return {run.name: place for place, run in enumerate(self.runs)}

    @property
    def waste(self) -> str:
        """How many epochs came after the one to keep."""
        shares = [run.wasted_share for run in self.runs]
        count = sum(share > 0 for share in shares)
        return (
            f"{100 * np.mean(shares):.0f} % of the training came after the epoch to keep, in "
            f"{count} of {len(shares)} runs"
        )

    @property
    def tables(self) -> list[TextTable]:
        """The groups, where there are any with several runs, and the runs, within 80 columns."""
        names = shorten_names([run.name for run in self.runs], NAME_WIDTH)
        rows = [
            [
                name,
                format_number(run.value),
                run.status.replace("_", " "),
                "-" if run.best_epoch is None else f"{run.best_epoch:g}",
                f"{run.last_epoch:g}",
                f"{100 * run.wasted_share:.0f} %",
            ]
            for name, run in zip(names, self.runs, strict=True)
        ]
        table = TextTable(["run", _cut(self.metric), "status", "best", "of", "wasted"], rows)
        return [self._list_groups(), table] if self.has_seeds else [table]

    def _list_groups(self) -> TextTable:
        names = shorten_names([group.name for group in self.groups], NAME_WIDTH)
        rows = [
            [
                f"* {name}" if group.name in self.tied else f"  {name}",
                str(group.runs),
                format_number(group.mean),
                format_number(group.deviation),
                format_number(group.p),
            ]
            for name, group in zip(names, self.groups, strict=True)
        ]
        return TextTable(["  group", "runs", f"mean {_cut(self.metric)}", "sd", "p"], rows)


def rank_runs(
    runs: Sequence[RunDiagnosis], *, metric: str | None = None, seed_pattern: str | None = None
) -> Ranking | None:
    """Rank several runs by what their epoch to keep reached.

    Parameters:
        runs: Diagnosed runs.
        metric: Validation metric by which they are ranked; default: the one that all choose their
            epoch by, else the loss that most of them have.
        seed_pattern: Regular expression of the part of a name that tells the seed; default: words
            such as seed=3, seed3, s3.

    Returns:
        The ranking, or None of fewer than two runs, or where they have no metric in common.

    Raises:
        SchemaError: The pattern is no regular expression, or matches no name.
    """
    if len(runs) < 2:
        return None
    names = group_runs([run.name for run in runs], seed_pattern)
    metric = metric or _choose_metric(runs)
    found = [_find_value(run, metric) for run in runs]
    better = next((direction for _, direction in found if direction is not None), None)
    if metric is None or better is None or sum(value is not None for value, _ in found) < 2:
        return None
    sign = -1.0 if better == "higher" else 1.0
    ranked = sorted(
        (
            _rank(run, group, value)
            for run, group, (value, _) in zip(runs, names, found, strict=True)
        ),
        key=lambda run: (
            run.value is None,
            run.status in BROKEN,
            math.inf if run.value is None else sign * run.value,
        ),
    )
    groups = _compare_groups(ranked, sign)
    if not groups:
        return None
    has_seeds = any(group.runs - group.broken > 1 for group in groups)
    tied = tuple(g.name for g in groups if g is groups[0] or g.p is None or g.p >= SURE)
    is_decided = has_seeds and len(tied) == 1 and len(groups) > 1
    return Ranking(
        metric=metric,
        better=better,
        best=groups[0].name if is_decided else None,
        tied=tied,
        has_seeds=has_seeds,
        groups=tuple(groups),
        runs=tuple(ranked),
        notes=(*_note_left_out(ranked, groups, metric), *_note_suspicion(runs, ranked[0].name)),
    )


def _choose_metric(runs: Sequence[RunDiagnosis]) -> str | None:
    """The metric that all runs choose their epoch by, else the most frequent loss, or metric."""
    monitors = {run.history.monitor for run in runs}
    if len(monitors) == 1 and None not in monitors:
        return monitors.pop()
    losses = Counter(run.loss["metric"] for run in runs if run.loss["best"] is not None)
    metrics = Counter(m["metric"] for run in runs for m in run.metrics if m["best"] is not None)
    counted = losses or metrics
    return counted.most_common(1)[0][0] if counted else None


def _find_value(run: RunDiagnosis, metric: str | None) -> tuple[float | None, Better | None]:
    """The best value of a metric, and which direction is better."""
    if metric == run.loss["metric"]:
        return run.loss["best"], "lower"
    row: Any = next((m for m in run.metrics if m["metric"] == metric), None)
    return (None, None) if row is None else (row["best"], row["better"])


def _rank(run: RunDiagnosis, group: str, value: float | None) -> RankedRun:
    epochs = run.history.epochs
    after = [e for e in epochs if run.best_epoch is not None and e > run.best_epoch]
    numbers = [int(e) if float(e).is_integer() else e for e in (*after[:1], epochs[-1])]
    return RankedRun(
        name=run.name,
        group=group,
        value=value,
        status=run.status,
        best_epoch=run.best_epoch,
        last_epoch=numbers[-1],
        wasted=(numbers[0], numbers[-1]) if after else None,
        wasted_share=len(after) / len(epochs),
    )


def _compare_groups(ranked: Sequence[RankedRun], sign: float) -> list[RankedGroup]:
    """The groups with a sound run, the best mean first, each tested against the first."""
    members: dict[str, list[RankedRun]] = {}
    for run in ranked:
        members.setdefault(run.group, []).append(run)
    values = {
        name: [r.value for r in group if r.value is not None and r.status not in BROKEN]
        for name, group in members.items()
    }
    kept = sorted(
        (name for name, numbers in values.items() if numbers),
        key=lambda name: sign * float(np.mean(values[name])),
    )
    squares = sum(float(np.var(values[name])) * len(values[name]) for name in kept)
    freedom = sum(len(values[name]) - 1 for name in kept)
    pooled = math.sqrt(squares / freedom) if freedom else 0.0
    best = values[kept[0]] if kept else []
    return [
        RankedGroup(
            name=name,
            runs=len(members[name]),
            broken=sum(run.status in BROKEN for run in members[name]),
            mean=float(np.mean(values[name])),
            deviation=float(np.std(values[name], ddof=1)) if len(values[name]) > 1 else None,
            p=_test(best, values[name], pooled, freedom, len(kept)) if name != kept[0] else None,
        )
        for name in kept
    ]


def _test(
    a: Sequence[float], b: Sequence[float], pooled: float, freedom: int, groups: int
) -> float | None:
    """The p-value of the difference of two means; None where seeds showed no scatter."""
    if pooled == 0:
        return None
    from scipy.special import stdtr

    error = pooled * math.sqrt(1 / len(a) + 1 / len(b))
    t = abs(float(np.mean(a)) - float(np.mean(b))) / error
    return min(1.0, 2 * float(stdtr(freedom, -t)) * (groups - 1))


def _describe_scatter(group: RankedGroup) -> str:
    runs = group.runs - group.broken
    if group.deviation is None:
        return "one run"
    return f"mean of {runs} runs that scatter by {format_number(group.deviation)}"


def _note_left_out(
    ranked: Sequence[RankedRun], groups: Sequence[RankedGroup], metric: str
) -> list[str]:
    """Runs that are in no mean, and why."""
    without = [run.name for run in ranked if run.value is None]
    broken = sum(run.status in BROKEN and run.value is not None for run in ranked)
    notes = []
    if without:
        listed = ", ".join(without[:3]) + (f" and {len(without) - 3} more" * (len(without) > 3))
        notes.append(f"not ranked, for want of {metric}: {listed}")
    if broken:
        notes.append(f"{broken} runs diverged or collapsed: they stand last, and in no mean")
    if any(group.broken for group in groups) and groups[0].broken:
        notes.append(f"{groups[0].broken} of {groups[0].runs} runs of {groups[0].name} broke down")
    return notes


def _note_suspicion(runs: Sequence[RunDiagnosis], best: str) -> list[str]:
    """Whether the validation of the best run looks too good to be true."""
    flags = next(run.evidence["flags"] for run in runs if run.name == best)
    if "too_good" not in flags:
        return []
    return [f"validation of {best} is as good as training: look for rows that are in both"]


def _cut(metric: str) -> str:
    return metric if len(metric) <= 16 else f"{metric[:15]}…"
