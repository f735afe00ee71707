"""Leakage."""

from typing import Any

import numpy as np

from assay.advice.base import Advice, Seen
from assay.io.stream import Stream
from assay.kernels import Array
from assay.table.predictions import Rows

__all__ = ["odd_fold", "shared_across_splits"]
FAR = 3.5  # robust standard deviations


def odd_fold(seen: Seen) -> list[Advice]:
    """The figure of one fold lies far outside those of the others, by more than rows and folds vary."""
    p = seen.sample
    if "fold" not in p.columns or not p.n:
        return []
    code, names = p.group("fold")
    # With few rows a fold (leave-one-out at the extreme) no figure of one means anything.
    if len(names) < 3 or len(names) > p.n / 10:
        return []
    from statistics import NormalDist

    bar = NormalDist().inv_cdf(1 - seen.level / len(names) / 2)
    found = []
    for model, rows in seen.views("value" if p.task == "regression" else "label"):
        mean, apart = fold_distances(_losses(rows), rows.weight, code, len(names))
        far = int(np.argmax(apart))
        if apart[far] > max(bar, FAR):
            of = "mean absolute error" if p.task == "regression" else "error rate"
            others = float(np.median(np.delete(mean, far)))
            found.append(
                Advice(
                    "A009",
                    f"Fold {names[far]!r} is unlike the others for model {model!r}.",
                    f"Its {of} there is {mean[far]:.3g}, in the other folds {others:.3g} by the median: "
                    f"{apart[far]:.1f} robust standard deviations away.",
                    "Look for a change of source, time or labels in that fold, a leak, or a fit that failed; a mean "
                    "over such folds describes none of them.",
                )
            )
    return found


def fold_distances(
    loss: Array, weight: Array | None, code: Array, folds: int
) -> tuple[Array, Array]:
    """Mean loss of each fold, and how many robust standard deviations it lies from the median of the others (folds,).

    The deviation is the larger of what the rows' spread gives by chance and of what the other folds vary by (their
    median absolute deviation), so that folds that all differ are no news.
    """
    w = np.ones(len(loss)) if weight is None else weight
    mass = np.maximum(np.bincount(code, w, folds), 1e-300)
    mean = np.bincount(code, w * loss, folds) / mass
    n = mass**2 / np.maximum(np.bincount(code, w**2, folds), 1e-300)
    centre = np.average(loss, weights=w)
    variance = float(np.average((loss - centre) ** 2, weights=w))
    others = [np.delete(mean, f) for f in range(folds)]
    median = np.array([np.median(each) for each in others])
    spread = np.array(
        [1.4826 * np.median(np.abs(each - m)) for each, m in zip(others, median, strict=True)]
    )
    # The median of several folds varies pi / 2 times as much as their mean.
    chance = np.sqrt(variance / n + np.pi / 2 * variance / np.maximum(n.sum() - n, 1))
    # Whole rows are right or wrong: half a row is no distance.
    step = 0.5 / n if loss.dtype == bool else 0.0
    scale = np.maximum(chance, spread)
    return mean, np.divide(
        np.maximum(np.abs(mean - median) - step, 0), scale, out=np.zeros(folds), where=scale > 0
    )


def _losses(rows: Rows) -> Array:
    if rows.schema.task == "regression":
        return np.asarray(np.abs(rows.truth - np.asarray(rows.value, np.float64)))
    wrong = np.asarray(rows.truth != rows.label)
    return np.asarray(wrong.mean(axis=1)) if wrong.ndim == 2 else wrong


def shared_across_splits(seen: Seen) -> list[Advice]:
    """The same id, or rows of one cluster, are in several splits or folds."""
    found = []
    for unit in ("id", "cluster"):
        for apart in ("split", "fold"):
            shared = _shared(seen, unit, apart)
            if shared is not None:
                n, example, where = shared
                found.append(
                    Advice(
                        "A010",
                        f"Rows of the same {unit} are in several {apart}s.",
                        f"{n} {unit}s are, {example!r} for one, in {' and '.join(map(repr, where))}: what was seen "
                        f"in one gives away the other, and every figure is too good.",
                        f"Keep all rows of a {unit} in one {apart} (a grouped splitter does), and fit again.",
                    )
                )
    return found


def _shared(seen: Seen, unit: str, apart: str) -> tuple[int, Any, list[Any]] | None:
    """How many units are in more than one of the parts, one of them, and the parts it is in."""
    columns = seen.table.columns  # of a stream, those of its first rows
    if unit not in columns or apart not in columns:
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    units, parts = columns[unit], columns[apart]
    if unit == "id" and len(units.unique()) == len(units):
        return None
    pairs = (
        pa.table({"unit": units, "part": parts})
        .group_by(["unit", "part"], use_threads=False)
        .aggregate([])
    )
    counted = pairs["unit"].value_counts()
    several = counted.filter(pc.greater(counted.field("counts"), 1))
    if not len(several):
        return None
    one = several[0]["values"]
    where = pairs["part"].filter(pc.equal(pairs["unit"], one)).to_pylist()
    return len(several), one.as_py(), sorted(where, key=str)


def training_rows(seen: Seen) -> list[Advice]:
    """Rows marked as training rows are among those evaluated."""
    p = seen.sample if isinstance(seen.table, Stream) else seen.table
    if "split" not in p.columns or not p.n:
        return []
    codes, names = p.group("split")
    if "train" not in names:
        return []
    n = int((codes == names.index("train")).sum())
    return [
        Advice(
            "A005",
            "Training rows are being evaluated.",
            f"{n} of {p.n} rows have split 'train': they flatter every model, and most the one that overfits.",
            "Keep the rows of one split: predictions.where(split='test'), or by='split' to see them apart.",
        )
    ]
