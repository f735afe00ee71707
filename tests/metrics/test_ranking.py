"""Metrics of order and of ranked labels: values by hand, ties, what is undefined."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.comparison.compare import compare
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.kernels import rank_scores
from assay.metrics import multilabel
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions
from assay.testing import random_table


def figure(metric, y, score, **options):
    return float(METRICS.parse(metric)(y, score, **options))


def rows_of(metric, p):
    return evaluate(p, metric, intervals=False).rows


@pytest.mark.parametrize(
    ("metric", "chance"),
    [
        ("average_precision", 0.3),
        ("gain(share=0.2)", 0.2),
        ("lift(share=0.2)", 1.0),
        ("ks", 0.0),
        ("gini", 0.0),
    ],
)
def test_a_constant_score_has_the_figure_of_chance(metric, chance):
    assert figure(metric, [1] * 3 + [0] * 7, np.full(10, 0.5)) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("average_precision", "no_positive"),
        ("gain", "no_positive"),
        ("ks", "single_class"),
        ("gini", "single_class"),
    ],
)
def test_without_positive_rows_nothing_is_ranked(metric, reason):
    p = Predictions.from_arrays([0, 0], {"m.score": [0.1, 0.2]}, classes=[0, 1])
    (row,) = rows_of(metric, p)
    assert math.isnan(row.value)
    assert row.note.startswith(reason)


def test_average_precision_is_defined_without_negative_rows():
    assert figure("average_precision", [1, 1], [0.1, 0.2], classes=[0, 1]) == 1.0


def test_the_part_of_the_curve_up_to_a_rate_of_1_is_the_whole_curve():
    p = random_table("binary", 1, n=50)
    whole, nearly = (
        rows_of(metric, p)[0].value for metric in ("roc_auc", "roc_auc(max_fpr=0.999999999)")
    )
    assert nearly == pytest.approx(whole, abs=1e-8)


def test_one_against_one_is_free_of_the_shares_of_the_classes():
    p = random_table("multiclass", 4, n=60)
    often = p.take(np.concatenate([np.arange(p.n), *[np.flatnonzero(p.truth == 0)] * 5]))
    before, after = (rows_of("roc_auc_ovo", q)[0].value for q in (p, often))
    assert after == pytest.approx(before, rel=1e-12)


def test_no_threshold_may_be_precise_enough():
    assert figure("recall_at_precision(precision=0.9)", [1, 0, 0], [0.1, 0.2, 0.3]) == 0.0
    assert figure("precision_at_recall(recall=1)", [1, 0, 0], [0.1, 0.2, 0.3]) == pytest.approx(
        1 / 3
    )


def test_rows_called_positive_from_the_best_threshold_have_the_best_f1():
    p = random_table("binary", 9, n=80)
    score, y = p.rows("a").score, p.truth == p.schema.positive_code
    best, threshold = (
        rows_of(metric, p)[0].value for metric in ("best_f_beta", "best_f_beta_threshold")
    )
    said = score >= threshold
    assert 2 * (said & y).sum() / (said.sum() + y.sum()) == pytest.approx(best)


@pytest.mark.parametrize("metric", ["average_precision", "gini", "ks"])
def test_models_that_are_as_good_as_each_other_are_not_told_apart(metric):
    """The exchange of two models' rows must draw each model's rows by its own coin."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3 == 0
    p = Predictions.from_arrays(y, {f"{m}.score": y + rng.normal(size=300) for m in "ab"})
    (pair,) = compare(p, metric).pairs
    assert pair.p > 0.1
    assert pair.low < 0 < pair.high


def test_a_figure_of_kept_rows_has_an_interval_and_the_number_of_rows():
    p = random_table("binary", 9, n=80).select(["a"])
    (row,) = evaluate(p, "average_precision").rows
    assert row.n == 80
    assert row.method == "logit bootstrap"
    assert row.low < row.value < row.high


def test_models_are_not_compared_by_a_threshold():
    p = random_table("binary", 9, n=80)
    with pytest.raises(UnsupportedError, match="rank models by best_f_beta"):
        compare(p, "best_f_beta_threshold")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roc_auc(max_fpr=0)", "max_fpr of roc_auc must be above 0 and at most 1"),
        ("lift(share=1.5)", "share of lift must be above 0 and at most 1"),
        ("recall_at_precision(precision=0)", "precision of recall_at_precision must be above 0"),
        ("best_f_beta(beta=0)", "beta of best_f_beta must be above 0"),
        ("ndcg(k=0)", "k of ndcg must be at least 1, or none"),
        ("top_k_accuracy(k=0)", "k of top_k_accuracy must be at least 1"),
    ],
)
def test_parameters_out_of_range_are_refused(text, message):
    with pytest.raises(UnsupportedError, match=message):
        METRICS.parse(text)


@pytest.mark.parametrize("metric", ["mrr", "map", "ndcg"])
def test_rows_without_a_true_label_are_left_out_and_counted(metric):
    y, proba = [[1, 0, 0], [0, 0, 0]], [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]
    (row,) = rows_of(metric, Predictions.from_arrays(y, {"m.proba": proba}, task="multilabel"))
    assert row.value == 1.0
    assert row.note == "50.00% of the weight has no true label and is left out"
    (row,) = rows_of(
        metric, Predictions.from_arrays(y[1:], {"m.proba": proba[1:]}, task="multilabel")
    )
    assert math.isnan(row.value)
    assert row.note.startswith("no_positive")


def test_ties_count_against_the_model():
    y, proba = [[1, 0, 0]], [[0.5, 0.5, 0.5]]
    found = {
        m: figure(m, y, proba, task="multilabel")
        for m in ("lrap", "mrr", "coverage_error", "ranking_loss")
    }
    assert found == pytest.approx(
        {"lrap": 1 / 3, "mrr": 1 / 3, "coverage_error": 3, "ranking_loss": 1}
    )
    assert figure("one_error", y, proba, task="multilabel") == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", ["mrr", "map(k=2)", "ndcg(k=3)", "one_error"])
def test_labels_sorted_a_few_rows_at_a_time_have_the_same_figures(metric, monkeypatch):
    p = random_table("multilabel", 5, n=50, ties=True)
    whole = rows_of(metric, p)[0].value
    monkeypatch.setattr(multilabel, "AT_ONCE", 7)
    assert rows_of(metric, p)[0].value == pytest.approx(whole, rel=1e-14)


def test_the_first_of_the_k_most_probable_classes_is_the_answer():
    p = random_table("multiclass", 2, n=60, ties=True)
    top, accuracy = (rows_of(metric, p)[0].value for metric in ("top_k_accuracy(k=1)", "accuracy"))
    assert top == accuracy


def test_the_ranked_probability_score_costs_a_near_miss_less_than_a_far_one():
    near, far = (
        figure("rps", [1], [q], classes=[1, 2, 3]) for q in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    )
    assert (near, far) == (0.5, 1.0)


def test_the_score_of_two_ranked_classes_is_half_of_brier():
    p = random_table("binary", 1, n=30)
    rps, brier = (rows_of(metric, p)[0].value for metric in ("rps", "brier(scale_by_half=true)"))
    assert rps == pytest.approx(brier, rel=1e-12)


@pytest.mark.parametrize("reading", ["as imported", "by NumPy"])
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 9, 300, 5000]),
    st.sampled_from([0, 0.02, 0.12, 0.5, 1]),
    st.sampled_from(["float32", "float64", "int64"]),
    st.integers(1, 3),
)
def test_a_curve_counts_the_rows_on_each_side_of_a_score(reading, seed, n, share, dtype, threads):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < share
    count = (
        rank_scores
        if reading == "as imported"
        else getattr(rank_scores, "__wrapped__", rank_scores)
    )
    wild = (
        rng.choice([-np.inf, -0.0, 0.0, 1e-300, np.inf], n)
        if dtype != "int64"
        else rng.integers(-3, 3, n)
    )
    for values in (rng.normal(size=n) * 100, np.exp(-30 * rng.random(n)), wild):
        score = values.astype(dtype)
        above, below = np.sort(score[positive]), np.sort(score[~positive])
        at = np.unique(above)[::-1]
        found = count(positive, score, threads)
        wanted = (
            at, len(above) - np.searchsorted(above, at), len(below) - np.searchsorted(below, at),
            len(below) - np.searchsorted(below, at, "right"),
        )  # fmt: skip
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
