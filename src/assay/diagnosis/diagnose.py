"""diagnose: is a run over- or under-fitting, where was it best, and what to do about it.

>>> from assay.readers.history import History
>>> from assay.diagnosis.diagnose import diagnose
>>> train = [1.2, 0.9, 0.7, 0.55, 0.45, 0.35, 0.3, 0.24, 0.2, 0.16, 0.13, 0.1]
>>> val = [1.3, 1.0, 0.85, 0.8, 0.79, 0.82, 0.86, 0.9, 0.95, 1.0, 1.06, 1.1]
>>> run = diagnose(History.from_lists(train_loss=train, val_loss=val), n_classes=10).runs[0]
>>> run.status, run.severity, run.best_epoch, run.good_range
('overfit', 'severe', 5, (4, 5))
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from assay.core.result import Result, to_plain
from assay.core.types import Better
from assay.diagnosis.curves import find_divergence
from assay.diagnosis.flags import find_flags
from assay.diagnosis.judge import RunDiagnosis, judge_run
from assay.diagnosis.measurements import measure
from assay.diagnosis.rules import STATUSES, is_memorising
from assay.diagnosis.runs import Ranking, rank_runs
from assay.diagnosis.sketch import sketch_losses
from assay.errors import SchemaError
from assay.readers.cells import list_names
from assay.readers.columns import Choice
from assay.readers.history import History, Series
from assay.readers.naming import parse_curve_name
from assay.readers.read_history import read_runs

__all__ = ["STATUSES", "Diagnosis", "History", "RunDiagnosis", "diagnose"]

MOST_IN_FULL = 5  # runs; of more, a table alone is printed


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """The diagnosis of each run, in the order of the logs.

    Attributes:
        runs: What the curves of each run say.
        notes: Places below a folder that could not be read, and why.
        ranking: Which of several runs is best, whether seeds explain it, and which epochs were
            wasted; None of one run, and where runs have no metric in common.

    >>> from assay import History, diagnose
    >>> history = History.from_lists(val_loss=[0.9, 0.7, 0.6, 0.55, 0.52, 0.5], name="a")
    >>> diagnose(history, baseline=1.0).verdict
    'a: still improving - validation loss still falls at the end of the run (0.7 to 0.5)'
    """

    runs: tuple[RunDiagnosis, ...]
    notes: tuple[str, ...] = ()
    ranking: Ranking | None = None

    schema_name: ClassVar[str] = "assay.diagnosis/1"

    @property
    def rows(self) -> tuple[RunDiagnosis, ...]:
        """The runs: one tidy row each."""
        return self.runs

    @property
    def verdict(self) -> str:
        """The verdict on each run, a line each."""
        return "\n".join(run.summary for run in self.runs)

    def __repr__(self) -> str:
        words = list(map(repr, self.runs)) if len(self.runs) <= MOST_IN_FULL else []
        return "\n\n".join([*words, *self._describe_ranking(), *self.notes])

    def list_best(self, most: int) -> tuple[RunDiagnosis, ...]:
        """The runs in their order, or of more than so many the best ones.

        Parameters:
            most: How many runs at most.

        Returns:
            Runs; the best first where some are left out.
        """
        if len(self.runs) <= most:
            return self.runs
        places = {} if self.ranking is None else self.ranking.places
        return tuple(sorted(self.runs, key=lambda run: places.get(run.name, 0))[:most])

    def draw_text(self, width: int = 80) -> str:
        """What `repr` says, with the losses of each run as curves of plain text.

        Parameters:
            width: Characters of a line of the curves, at least 24; default 80.

        Returns:
            The text; of more than five runs without the curves.
        """
        if len(self.runs) > MOST_IN_FULL:
            return repr(self)
        words = [part for run in self.runs for part in (repr(run), sketch_losses(run, width=width))]
        return "\n\n".join([*filter(None, words), *self._describe_ranking(), *self.notes])

    def _describe_ranking(self) -> list[str]:
        """The ranking in words and tables; of many runs, how many have which status."""
        counts = Counter(run.status.replace("_", " ") for run in self.runs)
        listed = ", ".join(f"{count} {status}" for status, count in counts.most_common())
        total = f"{len(self.runs)} runs: {listed}"
        if self.ranking is None:
            many = [total, *(run.summary for run in self.runs)]
            return many if len(self.runs) > MOST_IN_FULL else []
        ranking = self.ranking
        lines = [] if len(self.runs) <= MOST_IN_FULL else [total]
        lines += [ranking.verdict, ranking.waste, *ranking.notes]
        return ["\n".join(lines), *map(str, ranking.tables)]

    def to_dict(self) -> dict[str, Any]:
        names = [f.name for f in fields(RunDiagnosis) if f.name != "history"]
        runs = [{name: getattr(run, name) for name in names} for run in self.runs]
        further = {"ranking": self.ranking, "notes": list(self.notes)}
        return {"runs": to_plain(runs), **{key: value for key, value in further.items() if value}}

    @property
    def records(self) -> list[dict[str, Any]]:
        return [_convert_to_record(run) for run in self.runs]


def diagnose(  # noqa: PLR0913
    histories: Any,
    *,
    reference: float | None = None,
    n_val: int | None = None,
    n_classes: int | None = None,
    baseline: float | None = None,
    better: Mapping[str, Better] | None = None,
    metric: str | None = None,
    train: str | None = None,
    val: str | None = None,
    x: str | None = None,
    seed_pattern: str | None = None,
) -> Diagnosis:
    r"""Judge training runs by what they logged.

    Parameters:
        histories: A history, the path of a log of any format that is read, a folder of logs, what
            `assay.read_history` takes from memory, or an iterable of these.
        reference: Loss known to be possible on the validation rows; default: the best of the other
            runs of the same loss and metrics, where there are any.
        n_val: Number of validation rows, at least 1; with it, noise is told from signal. Default:
            what the log says.
        n_classes: Number of classes, at least 2; the baseline follows from it, with classes assumed
            equally frequent. Default: what the log says.
        baseline: Loss of a model that knows only how frequent each outcome is. Default: what the
            log says, or follows from `n_classes`; else it is guessed from the first epoch, and the
            confidence is lower.
        better: "lower" or "higher" by metric, for those whose name does not tell.
        metric: The metric by which the epoch to keep is chosen, as in "accuracy" or
            "foo:higher"; default: that which the log chooses by, else the loss.
        train: Column of the training loss, in logs that are files with named columns; default: by
            its name.
        val: Column of the validation loss; default: by its name.
        x: Column that numbers the rows; default: by its name.
        seed_pattern: Regular expression of the part of a run's name that tells its seed, as in
            r"try\d+"; default: words such as seed=3, seed3, s3.

    Returns:
        The diagnosis of each run; those below a folder are named by their place in it.

    Raises:
        ReadError: A log is missing, empty, cut off or of no known format.
        SchemaError: A log has no curves, a number is out of its range, or no run has the metric
            or the seed that is named.

    >>> from assay import History, diagnose
    >>> diagnose(History.from_lists(val_loss=[0.9, 0.7, 0.6], name="a")).runs[0].best_epoch
    3
    """
    _require_range(reference=reference, n_val=n_val, n_classes=n_classes, baseline=baseline)
    runs = read_runs(histories, Choice(train, val, x))
    metric, direction = _split_metric(metric)
    if metric is not None and direction is not None:
        better = {**(better or {}), metric: direction}
    _require_metric(metric, runs.histories)
    stated = [
        _state(history, n_val, n_classes, baseline) for history in _make_unique(runs.histories)
    ]
    # Losses may be huge: overflow to inf compares as it should.
    with np.errstate(all="ignore"):
        references = _References(stated)
        judged = [
            judge_run(
                history,
                reference=references.find(history) if reference is None else reference,
                reference_given=reference is not None,
                better=better,
                metric=metric,
            )
            for history in map(_restore_sign, map(_drop_unmeasured, stated))
        ]
    ranking = rank_runs(judged, metric=metric, seed_pattern=seed_pattern)
    return Diagnosis(tuple(judged), runs.notes, ranking)


def _require_range(**numbers: float | None) -> None:
    for name, value in numbers.items():
        lowest = {"n_val": 1, "n_classes": 2}.get(name, -math.inf)
        if value is not None and not (math.isfinite(value) and value >= lowest):
            whole = f"a whole number of at least {lowest}"
            expected = "a finite number" if math.isinf(lowest) else whole
            raise SchemaError(f"{name} must be {expected}; got {value}")


def _split_metric(metric: str | None) -> tuple[str | None, Better | None]:
    """Name and direction of "name" or "name:higher", the name as histories write it."""
    if metric is None:
        return None, None
    name, _, direction = metric.partition(":")
    if direction not in ("", "lower", "higher"):
        raise SchemaError(
            f"metric must be a name, or a name with its better direction as in "
            f"'{name}:higher'; got {metric!r}"
        )
    parsed = parse_curve_name(name)[1]
    directions: dict[str, Better | None] = {"": None, "lower": "lower", "higher": "higher"}
    return parsed, directions[direction]


def _require_metric(metric: str | None, histories: Iterable[History]) -> None:
    """An error where no run has the metric that the epoch is to be chosen by."""
    if metric is None:
        return
    names = {h.loss for h in histories} | {name for h in histories for name in h.metrics}
    if metric not in names:
        known = sorted(name for name in names if name)
        raise SchemaError(f"no run has a validation metric {metric!r}; {list_names(known, 'has')}")


def _make_unique(histories: Iterable[History]) -> list[History]:
    """Logs often share a file name: then the folder tells them apart, or else a count.

    Runs below a folder have names of several parts already.
    """
    histories = list(histories)
    repeated = Counter(history.name for history in histories)
    uses: Counter[str] = Counter()
    unique = []
    for history in histories:
        name = history.name
        if repeated[name] > 1 and history.source is not None and "/" not in name:
            name = f"{Path(history.source).parent.name}/{name}"
        uses[name] += 1
        count = f" ({uses[name]})" if uses[name] > 1 else ""
        unique.append(replace(history, name=f"{name}{count}"))
    return unique


def _state(
    history: History, n_val: int | None, n_classes: int | None, baseline: float | None
) -> History:
    """What the caller says about the data goes before what the log says."""
    return replace(
        history,
        n_val=history.n_val if n_val is None else n_val,
        n_classes=history.n_classes if n_classes is None else n_classes,
        baseline=history.baseline if baseline is None else baseline,
    )


def _drop_unmeasured(history: History) -> History:
    """A history without validation values that are nan because no validation was run.

    Some loggers write nan throughout, or at regular gaps. A run that diverged has nan in training
    too, to the end.
    """
    train = history.find("train", history.loss or "")
    if train is None or not all(map(math.isfinite, train.values)):
        return history
    curves = (s if s.split == "train" else _drop_regular_nan(s) for s in history.series)
    series = tuple(curve for curve in curves if curve.values)
    if series == history.series:
        return history
    note = (
        "nan in validation was read as not measured: training is finite, and it is nan throughout "
        "or at regular gaps"
    )
    return replace(history, series=series, notes=(*history.notes, note))


def _restore_sign(history: History) -> History:
    """A history with the negative of a loss as the loss: scores of scikit-learn are negative."""
    losses = [s for s in history.series if s.metric == history.loss and s.values]
    train = next((s for s in losses if s.split == "train"), None)
    is_negative = all(max(s.values) < 0 for s in losses)
    if train is None or not is_negative or train.values[-1] <= train.values[0]:
        return history
    series = tuple(
        replace(s, values=tuple(-value for value in s.values)) if s in losses else s
        for s in history.series
    )
    note = "all losses are negative and rise: they were read as the negative of a loss"
    return replace(history, series=series, notes=(*history.notes, note))


def _drop_regular_nan(series: Series) -> Series:
    """The curve without nan where all is nan or every k-th value was measured."""
    measured = [i for i, value in enumerate(series.values) if not math.isnan(value)]
    if not measured:
        return series.take([])
    gaps = set(np.diff(measured).tolist())
    gap = min(gaps, default=0)
    is_regular = len(gaps) == 1 and gap >= 2 and len(series.values) - measured[-1] <= gap
    return series.take(measured) if is_regular else series


class _References:
    """The lowest credible validation loss of each run, to judge other runs by."""

    def __init__(self, histories: list[History]) -> None:
        self.losses: list[tuple[str, Any, float]] = []
        for history in histories if len(histories) > 1 else []:
            loss = _find_credible_loss(history)
            if loss is not None:
                self.losses.append((history.name, _identify_curves(history), loss))

    def find(self, history: History) -> float | None:
        """The lowest of the other runs that measured the same as `history`; None without any."""
        curves = _identify_curves(history)
        others = (
            loss
            for name, other_curves, loss in self.losses
            if name != history.name and other_curves == curves
        )
        return min(others, default=None)


def _identify_curves(history: History) -> tuple[str | None, frozenset[str]]:
    return history.loss, frozenset(history.metrics)


def _find_credible_loss(history: History) -> float | None:
    """The lowest validation loss, unless the run diverged or its validation is suspicious."""
    val = history.find(history.validation_split, history.loss or "")
    if val is None or find_divergence(history) is not None:
        return None
    run = measure(history)
    is_suspicious = "too_good" in find_flags("good_fit", run, ()) or is_memorising(run)
    return None if is_suspicious else run.lowest


def _convert_to_record(run: RunDiagnosis) -> dict[str, Any]:
    first, last = run.good_range or (None, None)
    return {
        "name": run.name,
        "status": run.status,
        "severity": run.severity,
        "best_epoch": run.best_epoch,
        "good_from": first,
        "good_to": last,
        "loss": run.loss["metric"],
        "loss_best": run.loss["best"],
        "loss_final": run.loss["final"],
        "onset": run.onset,
        "confidence": run.confidence,
        "finding": run.evidence["finding"],
    }
