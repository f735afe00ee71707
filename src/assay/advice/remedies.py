"""Checks of how a model's outputs could be used better: a temperature, a threshold, costs.

>>> from assay.calibration.temperature import fit_temperature
>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> sure = np.tile([0.999, 0.001], (100, 1))
>>> p = Predictions.from_arrays(["a"] * 80 + ["b"] * 20, {"m.proba": sure}, classes=["a", "b"])
>>> fit = fit_temperature(p, "m")
>>> round(fit.temperature, 2), round(fit.before, 2), round(fit.after, 2)
(4.98, 1.38, 0.5)
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from assay.advice.base import Advice, Check, CheckContext, Z
from assay.calibration.temperature import fit_temperature
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.buckets import BUCKETS, assign_buckets
from assay.table.rows import Rows

if TYPE_CHECKING:
    from assay.states.null_band import NullBand

__all__ = ["MovedThreshold", "Uncalibrated", "UnequalCosts"]

SINGLE_LABEL = ("binary", "multiclass")
WORTH = 0.01  # of a probability, or of F1: a smaller difference is not worth an advice


class Uncalibrated(Check):
    """The calibration error of a model lies above what chance gives a calibrated one."""

    name = "A006"
    title = "The probabilities of model {model!r} are not calibrated."

    def find(self, context: CheckContext) -> list[Advice]:
        if context.table.task not in SINGLE_LABEL or not context.table.n:
            return []
        findings = []
        for model, rows in context.read_models("proba"):
            error, band = _compute_error_and_band(context, rows)
            if error > band.high and error - band.mean > WORTH:
                findings.append(
                    self.report(
                        f"Its calibration error (ece) is {error:.3g}; a calibrated model would "
                        f"have {band.mean:.2g}, and above {band.high:.2g} with a chance of "
                        f"{context.level:.1g}.",
                        _advise_temperature(context, model),
                        model=model,
                    )
                )
        return findings


class MovedThreshold(Check):
    """F1 gains by another threshold, chosen on other rows than judge it (only where thorough)."""

    name = "A007"
    title = "The threshold of model {model!r} is better moved."

    def find(self, context: CheckContext) -> list[Advice]:
        if context.table.task != "binary" or not context.thorough:
            return []
        from assay.calibration.threshold import tune_threshold

        findings = []
        for model, _ in context.read_models("score"):
            try:
                tuned = tune_threshold(context.sample, model, "f1", seed=context.seed)
            except UnsupportedError:  # no positive row, or none that may be chosen on
                continue
            if tuned.gain_low > 0 and tuned.gain > WORTH:
                findings.append(
                    self.report(
                        f"Its labels have F1 {tuned.before:.4g}; {tuned.value:.4g} with a "
                        f"threshold chosen on other rows, better by {tuned.gain:.3g} "
                        f"[{tuned.gain_low:.3g}, {tuned.gain_high:.3g}].",
                        f"Say {tuned.positive!r} from {tuned.threshold:.3g} on, if F1 is what "
                        f"counts; tune_threshold(...) shows the trade-off, and takes costs of "
                        f"false alarms and misses.",
                        model=model,
                    )
                )
        return findings


class UnequalCosts(Check):
    """Deciding by expected cost is significantly cheaper (only where costs are given)."""

    name = "A013"
    title = "Errors differ in cost, and model {model!r} decides as if they did not."

    def find(self, context: CheckContext) -> list[Advice]:
        costs = context.costs
        if costs is None or context.table.task not in SINGLE_LABEL or not context.table.n:
            return []
        k = len(costs)
        if k not in (1, context.table.schema.k):
            raise UnsupportedError(
                f"the costs have {k} rows, the table has {context.table.schema.k} classes; give "
                f"one row a true class and one column a predicted class"
            )
        if k == 1 or np.ptp((costs - np.diag(costs)[:, None])[np.eye(k) == 0]) == 0:
            return []
        findings = [
            self._test(context, model, rows, costs) for model, rows in context.read_models("proba")
        ]
        return [advice for advice in findings if advice is not None]

    def _test(self, context: CheckContext, model: str, rows: Rows, costs: Array) -> Advice | None:
        cheapest = np.argmin(rows.proba @ costs, axis=1)
        cost = costs[rows.truth, rows.label]
        least = costs[rows.truth, cheapest]
        saved = cost - least
        mean = float(np.average(saved, weights=rows.weight))
        variance = float(np.average((saved - mean) ** 2, weights=rows.weight))
        error = math.sqrt(variance / max(context.effective_rows - 1, 1))
        if mean <= Z * error or not mean > 0:
            return None
        before = float(np.average(cost, weights=rows.weight))
        after = float(np.average(least, weights=rows.weight))
        share = f", {mean / before:.0%} less" if before > 0 else ""
        return self.report(
            f"Its labels cost {before:.4g} a row; deciding by expected cost {after:.4g}{share}.",
            f"With calibrated probabilities, {_describe_decision(context, costs)}; "
            f"tune_threshold(..., costs=...) finds it for those that are not.",
            model=model,
        )


def _compute_error_and_band(context: CheckContext, rows: Rows) -> "tuple[float, NullBand]":
    """The calibration error of a model, and the band in which that of a calibrated one lies."""
    from assay.metrics.calibration import ECE
    from assay.states.null_band import null_band  # a table of labels alone does without
    from assay.states.reliability import Bins

    state = Bins()
    if "cluster" not in context.table.columns:
        value = state.observe(rows)
        return float(ECE().compute(value)[0]), null_band(value, 1 - context.level)
    value = state.observe(rows, assign_buckets(context.sample), BUCKETS)
    whole = state.resample(value, np.ones((1, BUCKETS), np.int64))
    # Rows of a cluster come true together: the residuals of whole clusters are what varies.
    squares = ((value.right - value.proba) ** 2).sum(axis=0)
    return float(ECE().compute(whole)[0]), null_band(whole, 1 - context.level, squares)


def _advise_temperature(context: CheckContext, model: str) -> str:
    """What to do about the calibration; where thorough, what a temperature reaches."""
    general = (
        "Fit a temperature on held-out rows (logits divided by T), or isotonic regression where "
        "rows are many"
    )
    if not context.thorough:
        return f"{general}; advise(..., thorough=True) says what a temperature would reach."
    try:
        fit = fit_temperature(context.sample, model, context.seed)
    except UnsupportedError as error:
        return f"{general} ({error})."
    if fit.after < fit.before - 1e-3 * abs(fit.before):
        return (
            f"Divide its logits (the logs of its probabilities) by a temperature of "
            f"{fit.temperature:.3g}: log loss {fit.before:.4g} -> {fit.after:.4g} ({fit.how})."
        )
    return (
        f"A temperature does not fix it (log loss {fit.before:.4g} -> {fit.after:.4g}, {fit.how}); "
        f"fit isotonic regression or one slope a class on held-out rows."
    )


def _describe_decision(context: CheckContext, costs: Array) -> str:
    """How to decide by expected cost: in a binary task, from which probability on."""
    schema = context.table.schema
    if len(costs) == 2:
        positive = schema.positive_code
        negative = 1 - positive
        alarm = costs[negative, positive] - costs[negative, negative]
        miss = costs[positive, negative] - costs[positive, positive]
        if alarm + miss > 0:
            return f"say {schema.positive!r} from {alarm / (alarm + miss):.3g} on"
    return "predict the class of least expected cost, sum over classes of probability x cost"
