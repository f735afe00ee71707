"""Differences and ratios of values of different rows: published values, and coverage."""

import numpy as np
import pytest

from assay.intervals.differences import (
    Estimate,
    max_min_difference,
    min_max_ratio,
    mover_difference,
    mover_ratio,
)
from assay.intervals.proportions import wilson


def test_the_difference_of_two_proportions_is_newcombes():
    """Newcombe (1998), table II, method 10: 56/70 against 48/80 has [0.0524, 0.3339]."""
    ends = [
        [float(x) for x in wilson(np.array(k), np.array(n), 0.95)]
        for k, n in ((56.0, 70.0), (48.0, 80.0))
    ]
    difference = mover_difference(Estimate(56 / 70, *ends[0]), Estimate(48 / 80, *ends[1]))
    assert (difference.low, difference.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_ratio_is_the_difference_of_logarithms():
    a = Estimate(0.4, 0.3, 0.5)
    b = Estimate(0.8, 0.7, 0.9)
    logs = mover_difference(Estimate(*np.log(a)), Estimate(*np.log(b)))
    assert tuple(mover_ratio(a, b)) == pytest.approx(tuple(np.exp(logs)))
    assert mover_ratio(Estimate(0.0, 0.0, 0.1), b).low == 0
    assert np.isnan(mover_ratio(a, Estimate(0.0, 0.0, 0.1)).value)


@pytest.mark.parametrize("rates", [[0.8, 0.7], [0.8] * 5, [0.95, 0.9, 0.5]], ids=str)
def test_the_interval_of_a_gap_holds_the_true_gap_in_about_95_of_100_tables_or_more(rates):
    rng = np.random.default_rng(0)
    n = 60
    covered = np.zeros(2)
    for _ in range(300):
        k = rng.binomial(n, rates).astype(float)
        low, high = wilson(k, np.full(len(rates), float(n)), 0.95)
        estimates = [Estimate(*map(float, one)) for one in zip(k / n, low, high, strict=True)]
        gap = max_min_difference(estimates, 0.95)
        ratio = min_max_ratio(estimates, 0.95)
        covered += (
            gap.low <= max(rates) - min(rates) <= gap.high,
            ratio.low <= min(rates) / max(rates) <= ratio.high,
        )
    assert (covered / 300 >= 0.92).all()
