"""Null band: the calibration error that chance alone gives a perfectly calibrated model.

The calibration error of a model is read against this band.

>>> from assay.states.reliability import Bins
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 0, 1, 1], {"m.proba": [0.2, 0.2, 0.9, 0.6]}, positive=1)
>>> round(null_band(Bins(2).observe(p.rows("m"))).mean, 2)
0.23
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from assay.kernels import Array, divide
from assay.states.reliability import Binned

__all__ = ["NullBand", "null_band", "worst_bin_band"]

HALF_NORMAL_SKEW = float(np.sqrt(2) * (4 - np.pi) / (np.pi - 2) ** 1.5)
DRAWS = 1000


class NullBand(NamedTuple):
    """What a perfectly calibrated model would score.

    `mean` and `spread` are those of its error; the error stays below `high` in 95 of 100 tables.
    """

    mean: float
    spread: float
    high: float

    def __str__(self) -> str:
        return (
            f"a perfectly calibrated model scores {self.mean:.2g} on such rows, "
            f"below {self.high:.2g} in 95%"
        )


def null_band(b: Binned, confidence: float = 0.95, variance: Array | None = None) -> NullBand:
    """The ECE that chance alone gives a calibrated model of the probabilities of `b`.

    They are those of the first stratum. In each bin the sum of (right - p) is then about normal,
    with variance sum w^2 p (1 - p), here at the bin's mean p, or with the given `variance`
    (bins,). The ECE is a sum of half-normals, whose upper quantile at `confidence` is taken with
    its skewness (Cornish-Fisher).
    """
    if variance is None:
        p = _compute_mean_proba(b)
        variance = b.squares[0] * np.clip(p * (1 - p), 0, None)
    sigma = np.sqrt(variance) / max(float(b.weight[0]), 1e-300)
    mean = float(np.sqrt(2 / np.pi) * sigma.sum())
    spread = float(np.sqrt((1 - 2 / np.pi) * (sigma**2).sum()))
    if not spread or not ((sigma**2).sum() ** 1.5):
        return NullBand(mean, spread, mean)
    z = NormalDist().inv_cdf(confidence)
    skew = HALF_NORMAL_SKEW * float((sigma**3).sum()) / float((sigma**2).sum()) ** 1.5
    return NullBand(mean, spread, mean + spread * (z + (z**2 - 1) * skew / 6))


def worst_bin_band(b: Binned, confidence: float = 0.95) -> NullBand:
    """The MCE that chance alone gives: the largest gap of binomial draws of each bin of `b`.

    The bins are those of the first stratum; the band ends at the quantile `confidence`. A bin of
    weighted rows is drawn as so many rows as they are worth (Kish). A normal law would be wrong in
    bins of few rows, which are where the largest gap mostly lies.
    """
    filled = b.mass[0] > 0
    if not filled.any():
        return NullBand(np.nan, np.nan, np.nan)
    rows = np.maximum(np.rint(b.mass[0][filled] ** 2 / b.squares[0][filled]), 1).astype(np.int64)
    p = np.clip(_compute_mean_proba(b)[filled], 0.0, 1.0)
    drawn = np.random.default_rng(0).binomial(rows, p, (DRAWS, len(p))) / rows
    worst = np.abs(drawn - p).max(axis=1)
    return NullBand(float(worst.mean()), float(worst.std()), float(np.quantile(worst, confidence)))


def _compute_mean_proba(b: Binned) -> Array:
    """Mean probability in each bin of the first stratum (bins,); 0 in an empty one."""
    return divide(b.proba[0], b.mass[0])
