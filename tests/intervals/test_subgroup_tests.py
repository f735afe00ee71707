"""Tests of subgroups against all other rows: each against its closed form or scipy's."""

import numpy as np
import pytest
import scipy.stats

from assay.intervals.subgroup_tests import Contrast, hypergeometric


@pytest.mark.parametrize("total", [50, 1000, 100_000])
def test_the_exact_test_equals_the_hypergeometric_distribution_of_scipy(total):
    rng = np.random.default_rng(0)
    drawn = rng.integers(10, total // 2, 100)
    good = rng.integers(total // 2, total, 100)
    mean = drawn * good / total
    successes = np.clip(
        np.rint(mean - rng.uniform(0, 5, 100) * np.sqrt(mean * (1 - good / total))), 0, None
    )
    successes = np.maximum(successes, drawn + good - total)
    law = scipy.stats.hypergeom(total, good, drawn)
    expected = law.cdf(successes - 1) + law.pmf(successes) / 2
    ours = hypergeometric(successes, drawn, good, np.full(100, total))
    small = expected < 0.2
    assert small.sum() > 20
    np.testing.assert_allclose(ours[small], expected[small], rtol=1e-8)
    np.testing.assert_allclose(ours, expected, atol=0.05)


def test_the_test_of_losses_is_the_larger_of_welchs_and_the_pooled_t():
    rng = np.random.default_rng(1)
    value = rng.gamma(1.0, size=200)
    code = (rng.random(200) < 0.3).astype(int)
    tests = Contrast(value, higher=False).test(code, 2)
    for subgroup in (0, 1):
        inside = value[code == subgroup]
        outside = value[code != subgroup]
        expected = max(
            scipy.stats.ttest_ind(inside, outside, equal_var=e, alternative="greater").pvalue
            for e in (True, False)
        )
        assert tests.p[subgroup] == pytest.approx(expected, rel=1e-9)
        assert tests.value[subgroup] == pytest.approx(inside.mean())
        assert tests.outside[subgroup] == pytest.approx(outside.mean())


def test_weights_that_are_whole_numbers_give_the_values_of_repeated_rows():
    rng = np.random.default_rng(2)
    value = rng.normal(size=80)
    code = rng.integers(0, 3, 80)
    times = rng.integers(1, 4, 80)
    a = Contrast(value, higher=True, weight=times.astype(float)).test(code, 3)
    b = Contrast(np.repeat(value, times), higher=True).test(np.repeat(code, times), 3)
    np.testing.assert_allclose(a.value, b.value)
    np.testing.assert_allclose(a.outside, b.outside)
    assert (a.error > b.error).all()  # a weighted row is one row


def test_the_cluster_test_is_the_t_of_cluster_sums():
    """By hand: the influence of each cluster on the difference of two means, squared and summed."""
    rng = np.random.default_rng(3)
    value = rng.normal(size=120)
    code = rng.integers(0, 3, 120)
    cluster = np.arange(120) // 4
    tests = Contrast(value, higher=True, cluster=cluster).test(code, 3)
    inside = code == 1
    a = value[inside].mean()
    b = value[~inside].mean()
    influence = np.where(inside, (value - a) / inside.sum(), -(value - b) / (~inside).sum())
    sums = np.bincount(cluster, influence)
    k = min(len(set(cluster[inside])), len(set(cluster[~inside])))
    error = np.sqrt((sums**2).sum() * k / (k - 1))
    assert tests.p[1] == pytest.approx(scipy.stats.t.sf((b - a) / error, k - 1), rel=1e-9)
