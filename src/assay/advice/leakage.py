"""Checks of splits and folds: training rows, shared rows, and a fold unlike the others.

>>> loss = np.array([0.1, 0.1, 0.2, 0.2, 0.9, 0.9])
>>> compute_fold_distances(loss, None, np.array([0, 0, 1, 1, 2, 2]), 3)[0].tolist()
[0.1, 0.2, 0.9]
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from assay.advice.base import Advice, Check, CheckContext
from assay.kernels import Array
from assay.table.judging import find_training
from assay.table.rows import Rows

__all__ = ["OddFold", "SharedAcrossSplits", "TrainingRows", "compute_fold_distances"]

FAR = 3.5  # robust standard deviations


class TrainingRows(Check):
    """Training rows are among those evaluated: all are, or rows were chosen so."""

    name = "A005"
    title = "Training rows are being evaluated."

    def find(self, context: CheckContext) -> list[Advice]:
        table = context.table.head
        training = find_training(table)
        if not training.columns or not table.n:
            return []
        n = int((~training.condition.mark_rows(table.columns)).sum())
        name = next(iter(training.columns))
        return [
            self.report(
                f"{n} of {table.n} rows are training rows ({training.describe()}): they flatter "
                f"every model, and most the one that overfits.",
                f"Judge by rows that no model was trained on: choose no training rows (where=), "
                f"or give by={name!r} to see the splits side by side.",
            )
        ]


class OddFold(Check):
    """The error of one fold is far from those of the others, beyond what rows and folds vary."""

    name = "A009"
    title = "Fold {fold!r} is unlike the others for model {model!r}."

    def find(self, context: CheckContext) -> list[Advice]:
        sample = context.sample
        if "fold" not in sample.columns or not sample.n:
            return []
        codes, names = sample.group("fold")
        # With few rows a fold (leave-one-out at the extreme) the error of one means nothing.
        if len(names) < 3 or len(names) > sample.n / 10:
            return []
        bar = max(NormalDist().inv_cdf(1 - context.level / len(names) / 2), FAR)
        reads = "value" if sample.task == "regression" else "label"
        findings = [
            self._test(model, rows, codes, names, bar) for model, rows in context.read_models(reads)
        ]
        return [advice for advice in findings if advice is not None]

    def _test(
        self, model: str, rows: Rows, codes: Array, names: Sequence[Any], bar: float
    ) -> Advice | None:
        mean, distance = compute_fold_distances(
            _compute_losses(rows), rows.weight, codes, len(names)
        )
        far = int(np.argmax(distance))
        if distance[far] <= bar:
            return None
        is_regression = rows.schema.task == "regression"
        error = "mean absolute error" if is_regression else "error rate"
        others = float(np.median(np.delete(mean, far)))
        return self.report(
            f"Its {error} there is {mean[far]:.3g}, in the other folds {others:.3g} by the median: "
            f"{distance[far]:.1f} robust standard deviations away.",
            "Look for a change of source, time or labels in that fold, a leak, or a fit that "
            "failed; a mean over such folds describes none of them.",
            fold=names[far],
            model=model,
        )


class SharedUnits(NamedTuple):
    """How many ids or clusters lie in more than one part, one of them, and its parts."""

    units: int
    example: Any
    parts: list[Any]


class SharedAcrossSplits(Check):
    """The same id, or rows of one cluster, are in several splits or folds."""

    name = "A010"
    title = "Rows of the same {unit} are in several {part}s."

    def find(self, context: CheckContext) -> list[Advice]:
        findings = []
        for unit in ("id", "cluster"):
            for part in ("split", "fold"):
                shared = _find_shared(context, unit, part)
                if shared is not None:
                    places = " and ".join(map(repr, shared.parts))
                    findings.append(
                        self.report(
                            f"{shared.units} {unit}s are, {shared.example!r} for one, in {places}: "
                            f"what one part was fitted on gives away the other, and every value is "
                            f"too good.",
                            f"Keep all rows of one {unit} in one {part} (a grouped splitter does), "
                            f"and fit again.",
                            unit=unit,
                            part=part,
                        )
                    )
        return findings


def compute_fold_distances(
    loss: Array, weight: Array | None, codes: Array, folds: int
) -> tuple[Array, Array]:
    """Mean loss of each fold, and how far it lies from the median of the others.

    The distance is in robust standard deviations: of what the spread of rows gives by chance, or of
    what the other folds vary by (their median absolute deviation), whichever is larger, so that
    folds that all differ are no finding.

    Parameters:
        loss: Loss of each row (n,).
        weight: Weight of each row (n,); None: all alike.
        codes: Fold of each row (n,) as codes.
        folds: Number of folds.

    Returns:
        Mean loss and distance of each fold, each (folds,).
    """
    weights = np.ones(len(loss)) if weight is None else weight
    mass = np.maximum(np.bincount(codes, weights, folds), 1e-300)
    mean = np.bincount(codes, weights * loss, folds) / mass
    n = mass**2 / np.maximum(np.bincount(codes, weights**2, folds), 1e-300)
    centre = np.average(loss, weights=weights)
    variance = float(np.average((loss - centre) ** 2, weights=weights))
    others = [np.delete(mean, fold) for fold in range(folds)]
    median = np.array([np.median(values) for values in others])
    spread = np.array(
        [
            1.4826 * np.median(np.abs(values - middle))
            for values, middle in zip(others, median, strict=True)
        ]
    )
    # The median of several folds varies pi / 2 times as much as their mean.
    chance = np.sqrt(variance / n + np.pi / 2 * variance / np.maximum(n.sum() - n, 1))
    # Whole rows are right or wrong: half a row is no distance.
    step = 0.5 / n if loss.dtype == bool else 0.0
    scale = np.maximum(chance, spread)
    distance = np.maximum(np.abs(mean - median) - step, 0)
    return mean, np.divide(distance, scale, out=np.zeros(folds), where=scale > 0)


def _compute_losses(rows: Rows) -> Array:
    """Absolute error, or whether the label is wrong (multi-label: what share), (n,)."""
    if rows.schema.task == "regression":
        return np.asarray(np.abs(rows.truth - np.asarray(rows.value, np.float64)))
    wrong = np.asarray(rows.truth != rows.label)
    return np.asarray(wrong.mean(axis=1)) if wrong.ndim == 2 else wrong


def _find_shared(context: CheckContext, unit: str, part: str) -> SharedUnits | None:
    """The units that are in more than one of the parts; None where there are none.

    Folds are those that hold rows out, of one repeat of the cross-validation each.
    """
    every = context.table if context.every is None or part == "fold" else context.every
    columns = every.columns  # of a stream, those of its first rows
    if unit not in columns or part not in columns:
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    units = columns[unit]
    if unit == "id" and len(units.unique()) == len(units):
        return None
    keys = {"unit": units, "part": columns[part]}
    if part == "fold" and "repeat" in columns:
        keys["repeat"] = columns["repeat"]
    once = pa.table(keys).group_by(list(keys), use_threads=False).aggregate([])
    places = [name for name in keys if name != "part"]
    counted = once.group_by(places, use_threads=False).aggregate([("part", "count")])
    several = counted.filter(pc.greater(counted["part_count"], 1))
    if not len(several):
        return None
    example = several.slice(0, 1).to_pylist()[0]
    own = pc.equal(once["unit"], example["unit"])
    if "repeat" in example:
        own = pc.and_(own, pc.equal(once["repeat"], example["repeat"]))
    parts = once["part"].filter(own).to_pylist()
    return SharedUnits(len(several["unit"].unique()), example["unit"], sorted(parts, key=str))
