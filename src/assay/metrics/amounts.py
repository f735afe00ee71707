"""Metrics of predicted amounts, which cannot be negative: counts, prices, durations, claims.

>>> PoissonDeviance()([2.0, 0.0, 1.0], [1.0, 0.5, 1.0])
0.5909
"""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.metrics.base import REGRESSION, Metric, RowMetric, ratio
from assay.states.base import State
from assay.states.moments import Moments, Sums
from assay.table.rows import Rows

__all__ = ["MSLE", "RMSLE", "D2Tweedie", "GammaDeviance", "PoissonDeviance", "TweedieDeviance"]


class MSLE(RowMetric):
    """Mean squared error of the logarithms.

    In [0, inf), lower is better; a factor counts alike at any size. mean (log(1 + y) - log(1 +
    f))^2. Too low costs more than too high by as much.
    An error names the rows where truth or prediction is -1 or less. Undefined (no_samples) without
    rows.
    Same value as scikit-learn's mean_squared_log_error.

    >>> MSLE()([0.0, 9.0], [0.0, 99.0])
    2.651
    """

    name = "msle"
    aliases = ("mean_squared_log_error", "neg_mean_squared_log_error")
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    oracle = "sklearn.metrics.mean_squared_log_error(y, value, sample_weight=w)"

    def compute_rows(self, rows: Rows) -> Array:
        y = np.asarray(rows.truth, np.float64)
        f = np.asarray(rows.value, np.float64)
        for what, values in (("truth", y), (f"the value of model {rows.model!r}", f)):
            refuse_rows(values <= -1, values, rows, f"msle needs {what} above -1")
        return log_ratio(1 + y, 1 + f, y - f) ** 2


class RMSLE(Metric):
    """Root of the mean squared error of the logarithms.

    In [0, inf), lower is better; about the typical factor less 1. sqrt mean (log(1 + y) - log(1 +
    f))^2. An error names the rows where truth or prediction is -1 or less.
    Undefined (no_samples) without rows. Same value as scikit-learn's root_mean_squared_log_error.

    >>> RMSLE()([0.0, 9.0], [0.0, 10.0])
    0.06739
    """

    name = "rmsle"
    aliases = ("root_mean_squared_log_error", "neg_root_mean_squared_log_error")
    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))
    needs = Moments(MSLE())
    oracle = "sklearn.metrics.root_mean_squared_log_error(y, value, sample_weight=w)"

    def compute(self, summary: Sums) -> Array:
        return np.sqrt(summary.mean[..., 0])

    def divisor(self, value: Sums, summary: Sums) -> Array:
        """Weight of each stratum of `value` (strata,), whatever the `summary`."""
        return value.weight


class Deviance(RowMetric):
    """Base of the mean deviances of the Tweedie family."""

    reads = "value"
    tasks = REGRESSION
    better = "lower"
    bounds = (0.0, float("inf"))

    @property
    @abstractmethod
    def exponent(self) -> float:
        """How the spread of the truth grows with its mean: variance ~ mean^exponent."""

    def compute_rows(self, rows: Rows) -> Array:
        y = np.asarray(rows.truth, np.float64)
        f = np.asarray(rows.value, np.float64)
        power = self.exponent
        if power >= 2:
            refuse_rows(y <= 0, y, rows, f"{self} needs truth above 0")
        elif power >= 1:
            refuse_rows(y < 0, y, rows, f"{self} needs truth at least 0")
        if power:
            refuse_rows(f <= 0, f, rows, f"{self} needs the value of model {rows.model!r} above 0")
        return deviance(y, f, power)


@dataclass(frozen=True)
class TweedieDeviance(Deviance):
    """Mean deviance of the Tweedie family: in [0, inf), 0 is perfect, lower is better.

    power says how the spread of the truth grows with its mean, variance ~ mean^power: 0 is mse, 1
    poisson_deviance, 2 gamma_deviance, 3 the inverse Gaussian, and between 1 and 2 (default 1.5)
    amounts with many zeros. A number between 0 and 1 has no distribution. 2 mean (max(y, 0)^(2-p) /
    ((1-p)(2-p)) - y f^(1-p) / (1-p) + f^(2-p) / (2-p)), with its limits at p = 1, 2.
    An error names the rows out of its domain: f <= 0 (p other than 0), y < 0 (p from 1), y = 0 (p
    from 2).
    Undefined (no_samples) without rows. Same value as scikit-learn's mean_tweedie_deviance.
    Source: Jorgensen (1987), JRSS B 49:127-162.

    >>> TweedieDeviance(power=1.5)([0.0, 2.0], [1.0, 2.0])
    2
    """

    name = "tweedie_deviance"
    power: float = 1.5
    cases = ({"power": 0.0}, {"power": 1.0}, {"power": 2.0}, {"power": 3.0}, {"power": -1.0})
    oracle = "sklearn.metrics.mean_tweedie_deviance(y, value, power=m.power, sample_weight=w)"

    def __post_init__(self) -> None:
        check_power(self.name, self.power)

    @property
    def exponent(self) -> float:
        return self.power


class PoissonDeviance(Deviance):
    """Mean deviance of counts that spread as their mean does.

    In [0, inf), 0 is perfect, lower is better.
    2 mean (y log(y / f) - y + f). An error names the rows where y < 0 or f <= 0.
    Undefined (no_samples) without rows. Same value as scikit-learn's mean_poisson_deviance.
    Source: McCullagh & Nelder (1989), Generalized Linear Models, section 2.3.

    >>> PoissonDeviance()([0.0, 2.0], [1.0, 2.0])
    1
    """

    name = "poisson_deviance"
    aliases = ("mean_poisson_deviance", "neg_mean_poisson_deviance")
    exponent = 1.0
    oracle = "sklearn.metrics.mean_poisson_deviance(y, value, sample_weight=w)"


class GammaDeviance(Deviance):
    """Mean deviance of amounts that spread in proportion to their size.

    In [0, inf), 0 is perfect, lower is better.
    2 mean (log(f / y) + y / f - 1): free of the units.
    An error names the rows where y <= 0 or f <= 0.
    Undefined (no_samples) without rows. Same value as scikit-learn's mean_gamma_deviance.
    Source: McCullagh & Nelder (1989), Generalized Linear Models, section 8.3.

    >>> GammaDeviance()([1.0, 4.0], [2.0, 4.0])
    0.1931
    """

    name = "gamma_deviance"
    aliases = ("mean_gamma_deviance", "neg_mean_gamma_deviance")
    exponent = 2.0
    oracle = "sklearn.metrics.mean_gamma_deviance(y, value, sample_weight=w)"


@dataclass(frozen=True)
class DevianceAndTruth:
    """Deviance, truth and potential of the truth, of each row (n, 3): what D2Tweedie needs."""

    power: float

    def compute_rows(self, rows: Rows) -> Array:
        y = np.asarray(rows.truth, np.float64)
        return np.stack(
            [TweedieDeviance(self.power).compute_rows(rows), y, potential(y, self.power)], axis=1
        )


@dataclass(frozen=True)
class D2Tweedie(Metric):
    """Share of the Tweedie deviance that the predictions explain.

    In (-inf, 1], 1 is perfect, 0 is predicting the mean. 1 - deviance(y, f) / deviance(y, mean y),
    with `power` as in tweedie_deviance (default 1.5); at 0 it is r2.
    Undefined (zero_variance) where the truth is constant. Same value as scikit-learn's
    d2_tweedie_score.
    Source: Hastie, Tibshirani & Wainwright (2015), Statistical Learning with Sparsity, equation
    3.11.

    >>> D2Tweedie(power=1)([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1
    """

    name = "d2_tweedie"
    power: float = 1.5
    reads = "value"
    tasks = REGRESSION
    bounds = (float("-inf"), 1.0)
    undefined = "zero_variance"
    cases = ({"power": 0.0}, {"power": 1.0}, {"power": 2.0}, {"power": 3.0})
    oracle = "sklearn.metrics.d2_tweedie_score(y, value, power=m.power, sample_weight=w)"

    def __post_init__(self) -> None:
        check_power(self.name, self.power)
        if self.power < 0:
            raise UnsupportedError(f"power of d2_tweedie must not be below 0; got {self.power}")

    @property
    def state(self) -> State[Sums]:
        return Moments(DevianceAndTruth(self.power), width=3)

    def compute(self, summary: Sums) -> Array:
        p = self.power
        mean = summary.mean[..., 1]
        m2 = summary.m2[..., 1]
        varies = m2 > summary.weight * (8 * np.finfo(np.float64).eps * mean) ** 2
        if p == 0:
            null = ratio(m2, summary.weight)
        else:
            centre = np.where(varies, mean, 1.0)
            scale = {1.0: 1.0, 2.0: -1.0}.get(p) or 1 / ((1 - p) * (2 - p))
            # The mean of a convex function of y, less the function of the mean: never below 0.
            null = 2 * scale * (summary.mean[..., 2] - potential(centre, p))
        return 1 - ratio(summary.mean[..., 0], np.where(varies, np.maximum(null, 0), 0.0))


def deviance(y: Array, f: Array, power: float) -> Array:
    """Tweedie deviance of each row (n,): truth `y`, value `f`, both in the domain of `power`."""
    if power == 0:
        return np.asarray((y - f) ** 2)
    if power == 1:
        logs = np.where(y > 0, y * log_ratio(np.where(y > 0, y, f), f, y - f), 0.0)
        return np.asarray(2 * np.maximum(logs - (y - f), 0))
    if power == 2:
        return np.asarray(2 * np.maximum((y - f) / f - log_ratio(y, f, y - f), 0))
    truth_term = np.maximum(y, 0) ** (2 - power) / ((1 - power) * (2 - power))
    cross_term = y * f ** (1 - power) / (1 - power)
    deviances = 2 * (truth_term - cross_term + f ** (2 - power) / (2 - power))
    # Three powers do not cancel to the last place.
    return np.where(y == f, 0.0, np.maximum(deviances, 0))


def potential(y: Array, power: float) -> Array:
    """The convex function of `y` whose Bregman divergence is the deviance of `power`.

    Up to its scale (n,): y^(2 - p); y log y where p is 1, log y where p is 2.
    """
    if power == 1:
        return np.asarray(y * np.log(np.where(y > 0, y, 1.0)))
    if power == 2:
        return np.asarray(np.log(y))
    return np.asarray(np.maximum(y, 0) ** (2 - power) if power else y**2)


def log_ratio(a: Array, b: Array, gap: Array) -> Array:
    """log(`a` / `b`) of numbers above 0 whose difference `gap` = a - b is known better than they.

    >>> log_ratio(np.array([2.0]), np.array([1.0]), np.array([1.0])).round(4).tolist()
    [0.6931]
    """
    near = np.abs(gap) <= b / 2
    return np.where(near, np.log1p(np.where(near, gap, 0.0) / b), np.log(a) - np.log(b))


def check_power(name: str, power: float) -> None:
    """UnsupportedError, for metric `name`, where no distribution has that `power`."""
    if 0 < power < 1 or not np.isfinite(power):
        raise UnsupportedError(
            f"power of {name} must be 0 or below, or 1 or above, and finite; got {power}"
        )


def refuse_rows(bad: Array, values: Array, rows: Rows, expected: str) -> None:
    """UnsupportedError that names the first of the `bad` rows (n,) and how many there are.

    `values` (n,) are those of the batch `rows`; `expected` says what they should be.
    """
    if not bad.any():
        return
    first = int(np.argmax(bad))
    count = int(np.count_nonzero(bad))
    raise UnsupportedError(
        f"{expected}; got {values[first]:.6g} at {rows.name_row(first)}, {count} such "
        f"row{'s'[: count != 1]} in the batch. Leave {'them' if count > 1 else 'it'} out, "
        "or use mae or rmse."
    )
