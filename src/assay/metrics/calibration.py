"""Metrics of calibration: whether what a model gives 80 % happens 80 % of the time.

Binary models are judged by the probability of the positive class against how often that class is
true (of=positive), those of several classes by the probability of the class answered against how
often the answer is right (of=answer).

>>> ECE(bins=2)([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
0.2
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import SINGLE_LABEL, Metric, ratio
from assay.states.base import State
from assay.states.null_band import NullBand, null_band, worst_bin_band
from assay.states.reliability import GRID, Binned, BinRule, Bins, Judged, merge_to_equal_mass
from assay.table.schema import Schema

__all__ = [
    "ECE",
    "MCE",
    "Binned",
    "Bins",
    "BrierCalibration",
    "BrierResolution",
    "BrierUncertainty",
    "NullBand",
    "null_band",
]


@dataclass(frozen=True)
class CalibrationMetric(Metric):
    """Base of metrics of the frequency of bins against the mean probability stated there.

    Parameters:
        bins: How many; default 15, at most 256.
        equal: What is alike of the bins: `width` (default) or `mass`.
        of: Which probability is judged: of the `positive` class or of the `answer`; default
            `auto`: positive for binary tasks.
    """

    bins: int = 15
    equal: BinRule = "width"
    of: Judged = "auto"
    reads = "proba"
    tasks = SINGLE_LABEL
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"

    def __post_init__(self) -> None:
        if not 1 <= self.bins <= GRID:
            raise UnsupportedError(
                f"bins of {self.name} must be between 1 and {GRID}; got {self.bins}"
            )

    @property
    def state(self) -> State[Any]:
        return Bins(self.bins if self.equal == "width" else 0, self.of)

    def bind(self, schema: Schema) -> Self:
        super().bind(schema)
        if self.of == "positive" and schema.task != "binary":
            raise UnsupportedError(
                f"{self}: of=positive needs a binary task, this is {schema.task}; use of=answer"
            )
        if self.of == "auto":
            return replace(self, of="positive" if schema.task == "binary" else "answer")
        return self

    def select_bins(self, summary: Binned) -> Binned:
        """The bins that the value is read off, made of those of the `summary`."""
        return summary if self.equal == "width" else merge_to_equal_mass(summary, self.bins)


@dataclass(frozen=True)
class ECE(CalibrationMetric):
    """Expected calibration error: mean gap between stated probability and frequency.

    In [0, 1], lower is better.
    sum_b n_b / n |frequency_b - mean probability_b| over `bins` of equal `width` in [0, 1] (an edge
    belongs to the bin above it), or of about equal `mass` (joined from a grid of 256 cells of equal
    width in log-odds). of: the probability of the `positive` class (binary tasks, the default
    there) or of the `answer` (top-label). Even a perfectly calibrated model has an ECE above 0; the
    note says how much on as many rows. `debiased` takes off, bin by bin, what chance is expected to
    add (never below 0). Undefined (no_samples) without rows.
    Same value as a sum over numpy.histogram's bins.
    Sources: Guo et al. (2017), ICML, 1321-1330; debiased: Kumar et al. (2019), NeurIPS, their
    normal approximation.

    >>> ECE(bins=2)(["a", "b", "c"], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    0.03333
    """

    name = "ece"
    measures_gaps: ClassVar[bool] = True
    debiased: bool = False
    cases = ({"bins": 10}, {"bins": 4, "of": "answer"})
    oracle = "binned_ece(proba)"

    def compute(self, summary: Binned) -> Array:
        b = self.select_bins(summary)
        if not self.debiased:
            return ratio(np.abs(b.right - b.proba).sum(axis=-1), b.weight)
        gap = np.abs(ratio(b.right - b.proba, b.mass))
        excess = np.nan_to_num(gap - _chance(gap, b)) * b.mass
        return np.maximum(ratio(excess.sum(axis=-1), b.weight), 0)

    def note(self, summary: Binned, schema: Schema) -> str:
        if self.debiased:
            return ""
        return str(null_band(self.select_bins(summary)))


class MCE(CalibrationMetric):
    """Maximum calibration error: the largest gap between stated probability and frequency in a bin.

    In [0, 1]; lower.
    max_b |frequency_b - mean probability_b| over bins as in `ece`. A bin of a few rows can be far
    off by chance: the note says where the gap is, on how many rows, and what a perfectly calibrated
    model would score.
    Undefined (no_samples) without rows.
    Same value as the largest of numpy.histogram's bins.
    Source: Naeini et al. (2015), AAAI, 2901-2907.

    >>> MCE(bins=2)([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
    0.2
    """

    name = "mce"
    measures_gaps: ClassVar[bool] = True
    cases = ({"bins": 10}, {"bins": 4, "of": "answer"})
    oracle = "binned_mce(proba)"

    def compute(self, summary: Binned) -> Array:
        gap = np.abs(self._gaps(self.select_bins(summary)))
        return np.where(summary.weight > 0, np.nan_to_num(gap).max(axis=-1), np.nan)

    def note(self, summary: Binned, schema: Schema) -> str:
        b = self.select_bins(summary)
        worst = int(np.nanargmax(np.abs(self._gaps(b)[0]))) if b.weight[0] else 0
        if not b.mass[0, worst]:
            return ""
        stated = b.proba[0, worst] / b.mass[0, worst]
        frequency = b.right[0, worst] / b.mass[0, worst]
        share = b.mass[0, worst] / b.weight[0]
        return (
            f"largest where {stated:.2f} is stated and {frequency:.2f} comes true, "
            f"{share:.1%} of the weight; {worst_bin_band(b)}"
        )

    def _gaps(self, b: Binned) -> Array:
        return ratio(b.right - b.proba, b.mass)


class BrierCalibration(CalibrationMetric):
    """The part of the Brier score that miscalibration costs (Murphy's reliability term).

    In [0, 1], lower is better.
    sum_b n_b / n (frequency_b - mean probability_b)^2 over bins as in `ece`. With p the probability
    that is judged, mean (p - came true)^2 = brier_calibration - brier_resolution +
    brier_uncertainty + what varies within bins, which is 0 where a bin holds equal forecasts, and
    at most 1 / (2 bins) + 1 / (4 bins^2) in size for bins of equal width.
    In binary tasks the left side is brier(scale_by_half=true). Undefined (no_samples) without rows.
    Same value as a sum over numpy.histogram's bins.
    Sources: Murphy (1973), J. Appl. Meteorol. 12:595-600; within bins: Stephenson et al. (2008),
    Weather Forecast. 23.

    >>> BrierCalibration(bins=2)([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
    0.04
    """

    name = "brier_calibration"
    measures_gaps: ClassVar[bool] = True
    cases = ({"bins": 10}, {"bins": 4, "of": "answer"})
    oracle = "murphy('reliability', proba)"

    def compute(self, summary: Binned) -> Array:
        b = self.select_bins(summary)
        gap = np.nan_to_num(ratio(b.right - b.proba, b.mass))
        return ratio((b.mass * gap**2).sum(axis=-1), b.weight)


class BrierResolution(CalibrationMetric):
    """What the forecasts take off the Brier score by telling rows apart.

    In [0, 0.25], higher is better.
    sum_b n_b / n (frequency_b - overall frequency)^2 over bins as in `ece`: 0 for a model that says
    the same of every row, brier_uncertainty for one that separates all of them. See
    brier_calibration for how the parts add up.
    Undefined (no_samples) without rows. Same value as a sum over numpy.histogram's bins.
    Source: Murphy (1973), J. Appl. Meteorol. 12:595-600.

    >>> BrierResolution(bins=2)([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
    0.25
    """

    name = "brier_resolution"
    better = "higher"
    bounds = (0.0, 0.25)
    cases = ({"bins": 10}, {"bins": 4, "of": "answer"})
    oracle = "murphy('resolution', proba)"

    def compute(self, summary: Binned) -> Array:
        b = self.select_bins(summary)
        overall = ratio(b.right.sum(axis=-1), b.weight)[..., None]
        difference = np.nan_to_num(ratio(b.right, b.mass) - overall)
        resolution = ratio((b.mass * difference**2).sum(axis=-1), b.weight)
        return np.where(b.weight > 0, resolution, np.nan)


class BrierUncertainty(CalibrationMetric):
    """The Brier score of always forecasting the overall frequency.

    In [0, 0.25]; for of=positive no model moves it. frequency (1 - frequency) of what is judged;
    bins do not matter. A fact of the data more than of the model: neither higher nor lower is
    better. See brier_calibration for how the parts add up.
    Undefined (no_samples) without rows. Same value as the variance of what came true.
    Source: Murphy (1973), J. Appl. Meteorol. 12:595-600.

    >>> BrierUncertainty()([0, 0, 1, 1], [0.2, 0.2, 0.9, 0.7])
    0.25
    """

    better = "neither"
    rank_by = "brier"
    name = "brier_uncertainty"
    bounds = (0.0, 0.25)
    cases = ({"of": "answer"},)
    oracle = "murphy('uncertainty', proba)"

    def compute(self, summary: Binned) -> Array:
        frequency = ratio(summary.right.sum(axis=-1), summary.weight)
        return np.asarray(frequency * (1 - frequency))


def _chance(gap: Array, b: Binned) -> Array:
    """How much the noise of each bin's frequency is expected to add to its gap (..., bins).

    0 without spread.
    """
    from scipy.special import ndtr

    rate = ratio(b.right, b.mass)
    error = np.sqrt(rate * (1 - rate) * ratio(b.squares, b.mass**2))
    noisy = error > 0
    z = np.divide(gap, error, out=np.zeros_like(gap), where=noisy)
    # The mean of |N(gap, error)|, a folded normal.
    folded = error * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + gap * (2 * ndtr(z) - 1)
    return np.where(noisy, folded - gap, 0.0)
