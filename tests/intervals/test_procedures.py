"""Intervals: against other packages, at the extremes, and by simulation."""

import math
from contextlib import suppress
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.intervals.procedures import PROCEDURES, compute_interval, describe_method
from assay.intervals.proportions import t_quantile, wilson
from assay.intervals.replicates import Sample
from assay.metrics.base import METRICS
from assay.states.confusion import Confusion, ConfusionTable
from assay.table.predictions import Predictions
from assay.table.schema import Schema


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 30), (28, 30), (30, 30), (500, 1000)])
def test_wilson_equals_statsmodels(k, n):
    low, high = wilson(np.array(float(k)), np.array(float(n)), 0.95)
    assert (float(low), float(high)) == pytest.approx(
        proportion_confint(k, n, method="wilson"), abs=1e-12
    )


@pytest.mark.parametrize("freedom", [1, 5, 30, 199, 200, 250, 1000, 1e6])
@pytest.mark.parametrize("p", [0.9, 0.975, 0.9995])
def test_the_quantile_of_students_t_equals_scipy(p, freedom):
    assert t_quantile(p, freedom) == pytest.approx(student.ppf(p, freedom), rel=1e-8)


def test_the_interval_of_a_mean_is_students_t():
    from scipy.stats import sem

    rng = np.random.default_rng(0)
    y, f = rng.normal(size=40), rng.normal(size=40)
    row = evaluate(
        Predictions.from_arrays(y, {"m": f}, task="regression"), "mae", intervals="t"
    ).rows[0]
    errors = np.abs(y - f)
    expected = student.interval(0.95, 39, errors.mean(), sem(errors))
    assert (row.low, row.high) == pytest.approx(expected, rel=1e-10)
    assert row.method == "t"


def placements(y, s):
    """The double loop of DeLong's paper."""
    pos, neg = s[y == 1], s[y == 0]
    return (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])


def delong_parts(y, s):
    psi = placements(y, s)
    return psi.mean(axis=1).var(ddof=1) / psi.shape[0], psi.mean(axis=0).var(ddof=1) / psi.shape[1]


def delong_reference(y, s):
    return placements(y, s).mean(), sum(delong_parts(y, s))


def on_the_logit(auc, variance, quantile):
    half = quantile * math.sqrt(variance) / (auc * (1 - auc))
    logit = math.log(auc / (1 - auc))
    return 1 / (1 + math.exp(half - logit)), 1 / (1 + math.exp(-half - logit))


def test_the_interval_of_an_auc_is_delong_on_the_logit():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200)
    s = np.round(y + rng.normal(size=200), 1)
    row = evaluate(Predictions.from_arrays(y, {"m.score": s}), "roc_auc").rows[0]
    auc, variance = delong_reference(y, s)
    assert row.value == pytest.approx(auc, rel=1e-12)
    assert (row.low, row.high) == pytest.approx(
        on_the_logit(auc, variance, NormalDist().inv_cdf(0.975)), rel=1e-10
    )
    assert row.method == "delong"


def test_the_interval_of_an_auc_of_few_positive_rows_takes_students_t():
    rng = np.random.default_rng(2)
    y = (np.arange(60) < 8).astype(int)
    s = rng.normal(size=60) + 0.3 * y
    row = evaluate(Predictions.from_arrays(y, {"m.score": s}), "roc_auc").rows[0]
    auc, variance = delong_reference(y, s)
    v10, v01 = delong_parts(y, s)
    freedom = (v10 + v01) ** 2 / (v10**2 / 7 + v01**2 / 51)
    assert row.note.startswith("few positive rows (8)")
    # But for the shift of the further row the half-width is that of Student's t;
    # it is above that of the normal distribution in any case.
    normal, t = (
        on_the_logit(auc, variance, q)
        for q in (NormalDist().inv_cdf(0.975), student.ppf(0.975, freedom))
    )
    assert row.low <= t[0] + 1e-12 < normal[0]


def test_one_misranked_row_that_the_sample_lacks_is_within_the_interval_of_a_good_auc():
    """One in 20 of the 20 positives among 400 rows may be at the bottom, though none is."""
    rng = np.random.default_rng(0)
    y = (np.arange(400) < 20).astype(int)
    score = np.where(y == 1, rng.uniform(0.95, 1.05, 400), rng.uniform(0, 1, 400))
    row = evaluate(
        Predictions.from_arrays(y, {"m.score": score}, classes=[0, 1], positive=1), "roc_auc"
    ).rows[0]
    assert row.value > 0.97
    assert row.low < 19 / 20 * row.value


def test_a_perfect_auc_has_an_interval_with_a_width_that_shrinks_with_the_rows():
    def low(n):
        y = np.arange(n) % 2
        return (
            evaluate(Predictions.from_arrays(y, {"m.score": y.astype(float)}), "roc_auc")
            .rows[0]
            .low
        )

    assert 0.7 < low(30) < low(300) < 1


@pytest.mark.parametrize(
    "metric", ["accuracy", "f1", "precision", "recall", "balanced_accuracy", "hamming_loss"]
)
def test_a_perfect_small_sample_has_an_interval_with_a_width(metric):
    y = [0, 1] * 10
    row = evaluate(Predictions.from_arrays(y, {"m": y}), metric).rows[0]
    assert row.high - row.low > 0.02


def test_a_perfect_multilabel_sample_has_an_interval_with_a_width():
    y = np.arange(60).reshape(20, 3) % 2
    for row in evaluate(
        Predictions.from_arrays(y, {"m": y}, task="multilabel"), ["f1", "f1(average=micro)"]
    ).rows:
        assert 0.001 < row.high - row.low < 0.3


def test_rows_of_one_cluster_count_as_one_for_the_width_of_an_interval():
    rng = np.random.default_rng(2)
    y = np.repeat(rng.integers(0, 2, 60), 20)
    said = np.where(np.repeat(rng.random(60) < 0.8, 20), y, 1 - y)
    cluster = np.repeat(np.arange(60), 20)
    apart = evaluate(Predictions.from_arrays(y, {"m": said}), ["accuracy", "f1"])
    together = evaluate(
        Predictions.from_arrays(y, {"m": said}, cluster=cluster), ["accuracy", "f1"]
    )
    for a, b in zip(apart.rows, together.rows, strict=True):
        assert b.high - b.low > 3 * (a.high - a.low)
        assert b.method == "cluster bootstrap"


def test_the_interval_of_an_auc_knows_clusters():
    rng = np.random.default_rng(3)
    y = np.repeat(rng.integers(0, 2, 40), 25)
    score = y + np.repeat(rng.normal(size=40), 25)
    apart, together = (
        evaluate(Predictions.from_arrays(y, {"m.score": score}, cluster=c), "roc_auc").rows[0]
        for c in (None, np.repeat(np.arange(40), 25))
    )
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_weighted_proportions_have_the_interval_of_their_effective_number_of_rows():
    y = np.arange(100) % 2
    said = np.where(np.arange(100) % 10 == 0, 1 - y, y)
    weight = np.where(np.arange(100) < 50, 1.0, 1e-9)
    wide = evaluate(Predictions.from_arrays(y, {"m": said}, weight=weight), "accuracy").rows[0]
    half = evaluate(Predictions.from_arrays(y[:50], {"m": said[:50]}), "accuracy").rows[0]
    assert (wide.low, wide.high) == pytest.approx((half.low, half.high), abs=1e-6)


def test_intervals_of_count_metrics_agree_with_resampling_the_rows():
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, 500)
    said = np.where(rng.random(500) < 0.7, y, rng.integers(0, 3, 500))
    row = evaluate(Predictions.from_arrays(y, {"m": said}), "f1").rows[0]
    draws = []
    for _ in range(1000):
        i = rng.integers(0, 500, 500)
        tp, t, p = (np.bincount(v, minlength=3) for v in (y[i][y[i] == said[i]], y[i], said[i]))
        draws.append((2 * tp / (t + p)).mean())
    assert (row.low, row.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.008)


def coverage(metric, make, truth, n, runs=300):
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(runs):
        row = evaluate(make(rng, n), metric).rows[0]
        inside += row.low <= truth <= row.high
    return inside / runs


def binary(p_right, prevalence=0.5):
    def make(rng, n):
        y = (rng.random(n) < prevalence).astype(int)
        y[:2] = 0, 1
        said = np.where(rng.random(n) < p_right, y, 1 - y)
        return Predictions.from_arrays(y, {"m": said}, classes=[0, 1], positive=1)

    return make


@pytest.mark.parametrize(
    ("metric", "p_right", "n"), [("accuracy", 0.95, 30), ("f1", 0.7, 100), ("f1", 0.95, 100)]
)
def test_95_percent_intervals_cover_the_truth_95_percent_of_the_time(metric, p_right, n):
    """Balanced, symmetric errors: accuracy, precision, recall and F1 are all p_right."""
    # 300 runs have a standard error of 1.3 points at 95 %.
    assert 0.91 <= coverage(metric, binary(p_right), p_right, n) <= 0.99


def test_intervals_of_the_confidence_asked_for_are_nested():
    p = binary(0.8)(np.random.default_rng(5), 200)
    for metric in ("accuracy", "f1"):
        wide, narrow = (evaluate(p, metric, confidence=c).rows[0] for c in (0.99, 0.8))
        assert wide.low < narrow.low < narrow.high < wide.high


def test_many_classes_have_intervals_too():
    rng = np.random.default_rng(6)
    y = rng.integers(0, 200, 5000)
    said = np.where(rng.random(5000) < 0.8, y, rng.integers(0, 200, 5000))
    row = evaluate(Predictions.from_arrays(y, {"m": said}), "f1").rows[0]
    assert row.low < row.value < row.high
    assert row.high - row.low < 0.05


@pytest.mark.parametrize("metric", ["brier", "f1(average=samples)"])
def test_a_mean_over_rows_that_are_all_alike_has_an_interval_with_a_width(metric):
    y = np.arange(40).reshape(20, 2) % 2
    p = Predictions.from_arrays(y, {"m.proba": y.astype(float)}, task="multilabel")
    row = evaluate(p, metric).rows[0]
    assert row.high - row.low > 0.05


@pytest.mark.parametrize("sure", [0.7, 0.95, 1.0])
def test_the_log_loss_of_rows_that_are_all_right_and_equally_sure_reaches_up_to_some_that_are_wrong(
    sure,
):
    """Wilson's share of rows may yet be wrong, each of which costs -log(1 - sure)."""
    y = np.arange(30) % 2
    p = Predictions.from_arrays(
        y, {"m.proba": np.where(y == 1, sure, 1 - sure)}, classes=[0, 1], positive=1
    )
    row = evaluate(p, "log_loss").rows[0]
    share = wilson(np.array(0.0), np.array(30.0), 0.95)[1]
    wrong = -math.log(max(1 - sure, np.finfo(float).eps))
    assert row.low == pytest.approx(-math.log(sure), abs=1e-12)
    assert row.high == pytest.approx(-math.log(sure) + share * (wrong + math.log(sure)), rel=1e-9)


@pytest.mark.parametrize("metric", ["mse", "rmse", "mae", "r2"])
def test_a_figure_without_a_range_of_rows_that_are_all_alike_has_no_interval_and_says_why(metric):
    y = np.arange(20.0)
    row = evaluate(Predictions.from_arrays(y, {"m": y}, task="regression"), metric).rows[0]
    assert (row.value, row.method) == (1 if metric == "r2" else 0, "")
    assert math.isnan(row.low)
    assert math.isnan(row.high)
    assert row.note == "no interval can be had from these rows"


@pytest.mark.parametrize(
    ("method", "name"),
    [("jeffreys", "jeffreys"), ("clopper_pearson", "beta"), ("wilson", "wilson")],
)
@pytest.mark.parametrize("right", [0, 7, 20])
def test_an_interval_of_a_proportion_by_a_named_procedure_equals_statsmodels(method, name, right):
    y = np.ones(20, int)
    p = Predictions.from_arrays(y, {"m": (np.arange(20) < right).astype(int)}, classes=[0, 1])
    row = evaluate(p, "accuracy", intervals=method).rows[0]
    low, high = proportion_confint(right, 20, method=name)
    # Jeffreys' interval reaches the ends where all rows are alike (Brown et al., 2001).
    low, high = (0.0 if right == 0 else low), (1.0 if right == 20 else high)
    assert (row.low, row.high) == pytest.approx((low, high), abs=1e-9)


def bootstrap_t(x, rng, tail=0.025):
    """Ends of the interval of a mean by resampling the rows one by one."""
    n, error, ts = len(x), x.std() / math.sqrt(len(x) - 1), []
    for _ in range(4000):
        r = rng.choice(x, n)
        ts.append((r.mean() - x.mean()) / max(r.std() / math.sqrt(n - 1), error / 10))
    ends = np.quantile(ts, [1 - tail, tail])
    return x.mean() - ends[0] * error, x.mean() - ends[1] * error


def test_the_bootstrap_t_of_a_mean_agrees_with_resampling_the_rows():
    """Its upper end with those and one more, twice as far out as the largest.

    Its lower is that of 0.7 of the error.
    """
    rng = np.random.default_rng(7)
    y = rng.normal(size=60)
    f = y + rng.standard_t(3, size=60)
    row = evaluate(Predictions.from_arrays(y, {"m": f}, task="regression"), "mse").rows[0]
    x = (y - f) ** 2
    farther = np.append(x, x.mean() + (x.max() - x.mean()) * 2)
    assert row.method == "bootstrap-t"
    assert row.low == pytest.approx(bootstrap_t(x, rng, 0.7 * 0.05)[0], rel=0.1)
    assert row.high == pytest.approx(bootstrap_t(farther, rng)[1], rel=0.12)


def test_the_mean_of_what_nothing_bounds_is_resampled_for_more_rows_than_that_of_a_range():
    rng = np.random.default_rng(3)
    y = (rng.random(6000) < 0.5).astype(int)
    squares = Predictions.from_arrays(
        y + 0.0, {"m": y + rng.standard_t(3, size=6000)}, task="regression"
    )
    shares = Predictions.from_arrays(y, {"m.proba": rng.random(6000)}, positive=1)
    assert [row.method for row in evaluate(squares, ["mse", "mae"]).rows] == ["bootstrap-t"] * 2
    assert [row.method for row in evaluate(shares, ["brier", "log_loss"]).rows] == ["t"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["mse", "r2", "pearson"])
def test_93_of_100_intervals_hold_the_figure_of_noise_of_3_degrees_of_freedom(metric):
    true = {"mse": 0.2, "r2": 0.8, "pearson": math.sqrt(0.8)}[metric]
    rng = np.random.default_rng(11)
    held = []
    for _ in range(400):
        signal = math.sqrt(0.8) * rng.normal(size=200)
        y = signal + math.sqrt(0.2 / 3) * rng.standard_t(3, size=200)
        row = evaluate(Predictions.from_arrays(y, {"m": signal}, task="regression"), metric).rows[0]
        held.append(row.low <= true <= row.high)
    assert np.mean(held) > 0.92


def test_a_procedure_that_does_not_fit_the_metric_is_refused_with_those_that_do():
    p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
    with pytest.raises(
        UnsupportedError,
        match="no interval of accuracy by 't'; it can be had by wilson, jeffreys, clop",
    ):
        evaluate(p, "accuracy", intervals="t")
    with pytest.raises(UnsupportedError, match="intervals must be True, False or one of"):
        evaluate(p, "accuracy", intervals="guess")


def test_a_class_never_predicted_does_not_widen_the_interval_of_the_mean_over_the_others():
    """Precision is undefined for it in the sample, and must stay so in the replicates."""
    y = np.arange(300) % 3
    row = evaluate(
        Predictions.from_arrays(y, {"m": np.zeros(300, int)}, classes=[0, 1, 2]), "precision"
    ).rows[0]
    assert row.value == pytest.approx(1 / 3)
    assert row.low > 0.25
    assert row.high < 0.42


def test_a_clustered_figure_that_no_draw_defines_has_no_interval():
    y, said = [0, 0, 1, 1], [0, 0, 0, 0]
    p = Predictions.from_arrays(y, {"m": said}, classes=[0, 1, 2], cluster=[0, 0, 1, 1])
    rows = evaluate(p, ["precision(average=none)", "recall(average=none)"]).rows
    assert all(math.isnan(row.low) for row in rows if math.isnan(row.value))


def test_a_class_never_predicted_may_still_have_a_recall_above_zero():
    y = np.arange(120) % 3
    p = Predictions.from_arrays(y, {"m": np.minimum(y, 1)}, classes=[0, 1, 2])
    for metric in ("recall", "balanced_accuracy"):
        row = evaluate(p, metric).rows[0]
        assert row.high > row.value + 0.003


def test_a_table_of_one_class_has_intervals_with_a_width():
    p = Predictions.from_arrays(["a"] * 20, {"m": ["a"] * 20}, classes=["a"])
    for row in evaluate(p, ["f1", "f1(average=none)", "recall", "balanced_accuracy"]).rows:
        assert row.value == row.high == 1
        assert 0.8 < row.low < 0.99


def test_a_perfect_small_sample_of_very_many_classes_has_intervals_with_a_width():
    y = np.arange(100)
    for row in evaluate(
        Predictions.from_arrays(y, {"m": y}), ["f1", "balanced_accuracy", "mcc"]
    ).rows:
        assert row.value == row.high == 1
        assert row.low < 0.99


@pytest.mark.parametrize(
    ("positives", "said"), [(3, "few positive rows (3)"), (97, "few negative rows (3)"), (50, "")]
)
def test_few_rows_of_a_class_are_said_beside_the_intervals_that_rest_on_them(positives, said):
    rng = np.random.default_rng(0)
    y = (np.arange(100) < positives).astype(int)
    p = Predictions.from_arrays(
        y, {"m.proba": rng.uniform(0.1, 0.9, 100)}, classes=[0, 1], positive=1
    )
    found = evaluate(p, ["f1", "mcc", "roc_auc", "log_loss", "brier", "accuracy", "recall"])
    for row in found.rows:
        if row.method != "wilson":
            assert row.note.startswith(said) if said else row.note == "", row
        elif row.metric == "recall" and positives == 3:
            assert row.note == "a share of few rows (3): the interval may be too narrow"
        else:
            assert row.note == "", row


def test_classes_of_few_rows_are_counted_in_the_note_of_a_mean_over_them_and_named_by_their_own():
    y = [*["a"] * 50, *["b"] * 50, *["c"] * 4]
    found = evaluate(Predictions.from_arrays(y, {"m": np.roll(y, 5)}), ["f1", "f1(average=none)"])
    mean, a, _, c = found.rows
    assert mean.note == "few rows of 1 of 3 classes (fewest: 4): the interval may be too narrow"
    assert (a.note, c.note) == ("", "few rows of this class (4): the interval may be too narrow")


def covered(draw, metrics, truth, n, runs=250, **options):
    """Share of intervals that hold the truth, by metric, where no note speaks of few rows."""
    rng, held = np.random.default_rng(0), {m: [] for m in metrics}
    for _ in range(runs):
        for row in evaluate(draw(rng, n, **options), metrics).rows:
            if not math.isnan(row.value) and "few" not in row.note:
                held[row.metric].append(row.low <= truth[row.metric] <= row.high)
    return {m: float(np.mean(h)) for m, h in held.items()}


def calibrated(rng, n, apart=3.29):
    """Two normal classes and a model that knows the true probabilities; accuracy 0.95."""
    y = (rng.random(n) < 0.5).astype(int)
    odds = apart * (rng.normal(size=n) + apart * y) - apart**2 / 2
    return Predictions.from_arrays(
        y, {"m.proba": 1 / (1 + np.exp(-odds))}, classes=[0, 1], positive=1
    )


def numbers(rng, n):
    """A model that explains half the variance, with normal noise."""
    signal = rng.normal(size=n)
    return Predictions.from_arrays(signal + rng.normal(size=n), {"m": signal}, task="regression")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "n"), [(calibrated, 30), (calibrated, 100), (numbers, 30), (numbers, 100)]
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(draw, n):
    """250 runs have a standard error of 1.4 points at 95 %, and of 1 point at 97.5 %."""
    metrics = (
        ["mse", "rmse", "r2"] if draw is numbers else ["f1", "mcc", "roc_auc", "log_loss", "brier"]
    )
    population = evaluate(draw(np.random.default_rng(1), 1_000_000), metrics, intervals=False)
    for metric, share in covered(
        draw, metrics, {row.metric: row.value for row in population.rows}, n
    ).items():
        assert 0.93 - 2.5 * 0.0138 <= share <= 0.975 + 2 * 0.01, (metric, share)


def rare(rng, n):
    """One positive row in 20 scores like a negative: many samples have no such row."""
    y = (rng.random(n) < 0.05).astype(int)
    score = rng.normal(size=n) + 4 * y * (rng.random(n) < 0.95)
    return Predictions.from_arrays(y, {"m.score": score}, classes=[0, 1], positive=1)


def test_an_area_of_few_positive_rows_allows_for_one_that_is_misranked():
    """DeLong's interval alone holds the truth in 0.85 of these samples."""
    truth = evaluate(rare(np.random.default_rng(1), 1_000_000), "roc_auc", intervals=False).value
    assert covered(rare, ["roc_auc"], {"roc_auc": truth}, 400)["roc_auc"] >= 0.95 - 2.5 * 0.0138


def tables(n, shares):
    """Tables of n rows (tables, 2, 2) that may well come of these shares, and their probability."""
    cut = product(range(n + 1), repeat=3)
    cells = np.array([(*abc, n - sum(abc)) for abc in cut if sum(abc) <= n])
    p = np.exp(gammaln(n + 1) - gammaln(cells + 1).sum(axis=1) + cells @ np.log(shares))
    likely = p > 2e-5
    return cells[likely].reshape(-1, 2, 2), p[likely] / p[likely].sum()


COUNTED = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "f1(average=macro)",
    "mcc",
    "balanced_accuracy",
    "cohen_kappa",
)


@pytest.mark.parametrize("right", [0.95, pytest.param(0.7, marks=pytest.mark.slow)])
def test_intervals_of_count_metrics_on_30_rows_cover_as_they_should_summed_over_all_tables(right):
    """Balanced classes and symmetric errors: no simulation, but the law of the table itself."""
    schema = Schema("binary", (0, 1), {}, 1)
    metrics = {name: METRICS.parse(name).bind(schema) for name in COUNTED}
    truth = dict.fromkeys(COUNTED, right) | {"mcc": 2 * right - 1, "cohen_kappa": 2 * right - 1}
    found, p = tables(30, np.array([right, 1 - right, 1 - right, right]) / 2)
    held, defined = dict.fromkeys(COUNTED, 0.0), dict.fromkeys(COUNTED, 0.0)
    n = np.array([30])
    for table, chance in zip(found, p, strict=True):
        value = ConfusionTable(table[None], table[None], np.array([np.trace(table)]), n, n, n)
        sample = Sample(Confusion(), value, schema, False, False, 0)
        for name, metric in metrics.items():
            low, high = (float(end[0]) for end in compute_interval(metric, sample)[:2])
            defined[name] += chance * (not math.isnan(low))
            held[name] += chance * (low - 1e-12 <= truth[name] <= high + 1e-12)
    for name in COUNTED:
        # Wilson's interval of a share of 0.7 of 30 rows holds it in 0.9298 of samples.
        assert 0.9295 <= held[name] / defined[name] <= 0.975, name


def degenerate(n):
    """Tables of which every row is as good, or as bad, as any other."""
    y, k, v = np.arange(n) % 2, np.arange(n) % 3, np.arange(float(n))
    labels = np.arange(3 * n).reshape(n, 3) % 2
    sure = [(1.0, 0.0), (0.9, 0.1), (0.1, 0.9)]
    yield from (
        Predictions.from_arrays(y, {"m.proba": np.where(y == 1, a, b)}, classes=[0, 1])
        for a, b in sure
    )
    yield Predictions.from_arrays(y, {"m": y}, classes=[0, 1], cluster=np.arange(n) // 2)
    yield from (
        Predictions.from_arrays(k, {"m.proba": np.eye(3)[k] * (1 - 3 * low) + low})
        for low in (0.0, 0.1)
    )
    yield Predictions.from_arrays(labels, {"m.proba": labels.astype(float)}, task="multilabel")
    yield from (Predictions.from_arrays(v, {"m": v + off}, task="regression") for off in (0.0, 1.0))


@pytest.mark.parametrize("metric", METRICS.names())
def test_no_interval_of_a_small_sample_has_no_width(metric):
    """Rows that do not show how a value varies: what its range allows, or a note alone."""
    for p in degenerate(12):
        with suppress(UnsupportedError):
            for row in evaluate(p, metric).rows:
                if math.isnan(row.low):
                    assert row.note, row
                else:
                    assert row.low < row.high, row


def test_the_same_seed_gives_the_same_intervals_of_all_classes_where_ranks_are_drawn_in_blocks():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 70_000)
    p = rng.dirichlet(np.ones(4), len(y)) + 0.5 * np.eye(4)[y]
    table = Predictions.from_arrays(
        y, {"m": p / p.sum(axis=1, keepdims=True)}, classes=[0, 1, 2, 3]
    )
    found = [evaluate(table, "average_precision(average=none)").rows for _ in range(3)]
    assert [row.low for row in found[0]] != [row.value for row in found[0]]
    assert all([row.low for row in rows] == [row.low for row in found[0]] for rows in found)


@pytest.mark.parametrize(
    ("metric", "method"),
    [
        ("accuracy", "wilson"),
        ("accuracy", "jeffreys"),
        ("accuracy", "clopper_pearson"),
        ("accuracy", "bootstrap"),
        ("brier", "t"),
        ("brier", "bootstrap_t"),
        ("roc_auc", "delong"),
        ("f1", "bootstrap"),
    ],
)
@pytest.mark.parametrize("clustered", [False, True])
def test_every_method_in_a_result_has_a_sentence_for_the_report(metric, method, clustered):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    proba = np.clip(y * 0.2 + rng.random(80) * 0.7, 0, 1)
    clusters = {"cluster": np.arange(80) // 4} if clustered else {}
    p = Predictions.from_arrays(y, {"m.proba": proba}, **clusters)
    if clustered and method not in ("bootstrap", "delong"):
        with pytest.raises(UnsupportedError, match="takes rows as independent"):
            evaluate(p, metric, intervals=method)
        return
    name = evaluate(p, metric, intervals=method).rows[0].method
    assert name.replace("-", "_") in (method, "cluster bootstrap")
    assert describe_method(name) != name


def test_a_method_that_no_procedure_gives_is_its_own_sentence():
    assert describe_method("paired t") == "paired t"


def test_procedures_of_one_family_are_offered_where_another_does_not_fit():
    y = np.arange(20) % 2
    p = Predictions.from_arrays(y, {"m": y})
    with pytest.raises(UnsupportedError, match=r"wilson, jeffreys, clopper_pearson, bootstrap$"):
        evaluate(p, "accuracy", intervals="delong")
    assert {procedure.family for procedure in PROCEDURES.values()} == {
        "proportion", "mean", "area", "any",
    }  # fmt: skip
