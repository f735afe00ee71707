"""Correlations of order: pairs of rows, ties, replicates."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from assay.evaluation.evaluate import evaluate
from assay.metrics.ranks import KendallTau, PairOrder
from assay.table.predictions import Predictions


def test_kendall_counts_pairs_that_tie_in_neither():
    """Of 6 pairs one ties in the truth and one in the prediction; 3 agree, 1 does not."""
    tau = KendallTau()([1.0, 2.0, 2.0, 3.0], [1.0, 3.0, 1.0, 2.0])
    assert float(tau) == pytest.approx((3 - 1) / np.sqrt(5 * 5))


def test_replicates_of_kendall_are_the_values_of_the_repeated_rows():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 6, (40, 2)).astype(float)
    counts = rng.integers(0, 3, (20, 40)).astype(float)
    ours = PairOrder.from_values(values).correlate(counts)
    for tau, count in zip(ours, counts, strict=True):
        repeated = np.repeat(values, count.astype(int), axis=0)
        assert tau == pytest.approx(kendalltau(*repeated.T).statistic, rel=1e-12)


def test_kendall_of_many_rows_is_that_of_scipy():
    rng = np.random.default_rng(0)
    y = rng.normal(size=5000)
    value = y + rng.normal(size=5000)
    p = Predictions.from_arrays(y, {"m": value}, task="regression")
    assert evaluate(p, "kendall", intervals=False).value == pytest.approx(
        kendalltau(y, value).statistic, rel=1e-12
    )


def test_the_interval_of_kendall_holds_its_value():
    rng = np.random.default_rng(1)
    y = rng.normal(size=80)
    p = Predictions.from_arrays(y, {"m": y + rng.normal(size=80)}, task="regression")
    row = evaluate(p, "kendall_tau").rows[0]
    assert 0 < row.low < row.value < row.high < 1
