"""Remedies: checks that say how much better a model's own outputs could be used - temperature, threshold, costs.

>>> from assay.calibration.temperature import cool
>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> sure = np.tile([0.999, 0.001], (100, 1))
>>> p = Predictions.from_arrays(["a"] * 80 + ["b"] * 20, {"m.proba": sure}, classes=["a", "b"])
>>> found = cool(p, "m")
>>> round(found.temperature, 2), round(found.before, 2), round(found.after, 2)
(4.98, 1.38, 0.5)
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from assay.advice.base import Advice, Seen, Z
from assay.calibration.temperature import cool
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.buckets import BUCKETS, buckets
from assay.table.predictions import Rows

if TYPE_CHECKING:
    from assay.states.null_band import NullBand

__all__ = ["threshold_moved", "uncalibrated", "unequal_costs"]

WORTH = 0.01  # of a probability, or of F1: less is not worth a word


def uncalibrated(seen: Seen) -> list[Advice]:
    """The calibration error lies above what chance gives a calibrated model, by WORTH at least."""
    if seen.table.task not in ("binary", "multiclass") or not seen.table.n:
        return []
    found = []
    for model, rows in seen.views("proba"):
        error, band = _error_and_band(seen, rows)
        if error > band.high and error - band.mean > WORTH:
            found.append(
                Advice(
                    "A006",
                    f"The probabilities of model {model!r} are not calibrated.",
                    f"Its calibration error (ece) is {error:.3g}; a calibrated model would have {band.mean:.2g}, and "
                    f"above {band.high:.2g} with a chance of {seen.level:.1g}.",
                    _temper(seen, model),
                )
            )
    return found


def _error_and_band(seen: Seen, rows: Rows) -> "tuple[float, NullBand]":
    from assay.metrics.calibration import ECE
    from assay.states.null_band import null_band  # a table of labels alone does without
    from assay.states.reliability import Bins

    state, clustered = Bins(), "cluster" in seen.table.columns
    if not clustered:
        value = state.observe(rows)
        return float(ECE().compute(value)[0]), null_band(value, 1 - seen.level)
    value = state.observe(rows, buckets(seen.sample), BUCKETS)
    whole = state.pool(value, np.ones((1, BUCKETS), np.int64))
    # Rows of a cluster come true together: the residuals of whole clusters are what varies.
    squares = ((value.right - value.proba) ** 2).sum(axis=0)
    return float(ECE().compute(whole)[0]), null_band(whole, 1 - seen.level, squares)


def _temper(seen: Seen, model: str) -> str:
    generic = "Fit a temperature on held-out rows (logits divided by T), or isotonic regression where rows are many"
    if not seen.thorough:
        return f"{generic}; advise(..., thorough=True) says what a temperature would reach."
    try:
        found = cool(seen.sample, model, seen.seed)
    except UnsupportedError as error:
        return f"{generic} ({error})."
    if found.after < found.before - 1e-3 * abs(found.before):
        return (
            f"Divide its logits (the logs of its probabilities) by a temperature of {found.temperature:.3g}: log loss "
            f"{found.before:.4g} -> {found.after:.4g} ({found.how})."
        )
    return (
        f"A temperature does not mend it (log loss {found.before:.4g} -> {found.after:.4g}, {found.how}); fit isotonic "
        f"regression or one slope a class on held-out rows."
    )


def threshold_moved(seen: Seen) -> list[Advice]:
    """F1 gains by another threshold, chosen on other rows than it is judged on; only where thorough."""
    if seen.table.task != "binary" or not seen.thorough:
        return []
    from assay.calibration.threshold import threshold

    found = []
    for model, _ in seen.views("score"):
        try:
            moved = threshold(seen.sample, model, "f1", seed=seen.seed)
        except UnsupportedError:  # no positive row, or none that may be chosen on
            continue
        if moved.gain_low > 0 and moved.gain > WORTH:
            found.append(
                Advice(
                    "A007",
                    f"The threshold of model {model!r} is better moved.",
                    f"Its labels have F1 {moved.before:.4g}; {moved.value:.4g} with a threshold chosen on other rows, "
                    f"better by {moved.gain:.3g} [{moved.gain_low:.3g}, {moved.gain_high:.3g}].",
                    f"Say {moved.positive!r} from {moved.threshold:.3g} on, if F1 is what counts; "
                    f"threshold(...) shows the trade-off, and takes costs of false alarms and misses.",
                )
            )
    return found


def unequal_costs(seen: Seen) -> list[Advice]:
    """Errors cost differently, and deciding by expected cost is significantly cheaper; only where costs are given."""
    if seen.costs is None or seen.table.task not in ("binary", "multiclass") or not seen.table.n:
        return []
    if len(seen.costs) not in (1, seen.table.schema.k):
        raise UnsupportedError(
            f"the costs have {len(seen.costs)} rows, the table has {seen.table.schema.k} classes; give one row a true "
            f"class and one column a predicted class"
        )
    k = len(seen.costs)
    if k == 1 or np.ptp((seen.costs - np.diag(seen.costs)[:, None])[np.eye(k) == 0]) == 0:
        return []
    return [
        one
        for model, rows in seen.views("proba")
        for one in _cheaper(seen, model, rows, seen.costs)
    ]


def _cheaper(seen: Seen, model: str, rows: Rows, costs: Array) -> list[Advice]:
    chosen = np.argmin(rows.proba @ costs, axis=1)
    now, then = costs[rows.truth, rows.label], costs[rows.truth, chosen]
    saved = now - then
    mean = float(np.average(saved, weights=rows.weight))
    spread = float(np.average((saved - mean) ** 2, weights=rows.weight))
    error = math.sqrt(spread / max(seen.effective - 1, 1))
    if mean <= Z * error or not mean > 0:
        return []
    how = "predict the class of least expected cost, sum over classes of probability x cost"
    if len(costs) == 2:
        code = seen.table.schema.positive_code
        alarm, miss = (costs[c, 1 - c] - costs[c, c] for c in (1 - code, code))
        how = (
            f"say {seen.table.schema.positive!r} from {alarm / (alarm + miss):.3g} on"
            if alarm + miss > 0
            else how
        )
    before, after = (float(np.average(each, weights=rows.weight)) for each in (now, then))
    return [
        Advice(
            "A013",
            f"Errors differ in cost, and model {model!r} decides as if they did not.",
            f"Its labels cost {before:.4g} a row; deciding by expected cost {after:.4g}, {mean / before:.0%} less."
            if before > 0
            else f"Its labels cost {before:.4g} a row; deciding by expected cost {after:.4g}.",
            f"With calibrated probabilities, {how}; threshold(..., cost=...) finds it for those that are not.",
        )
    ]
