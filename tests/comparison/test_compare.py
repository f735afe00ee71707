"""compare: paired differences, who is tied, and the published tests between models."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from scipy.stats import ttest_rel
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from assay.comparison.bayesian_fold_test import bayesian_fold_test
from assay.comparison.compare import compare
from assay.comparison.corrections import benjamini_hochberg, holm
from assay.errors import UnsupportedError
from assay.intervals.delong import influence_variance
from assay.table.boxes import parse_boxes
from assay.table.predictions import Predictions
from assay.testing import tables


def two(n01, n10, both=50, none=10):
    """Two models that are alone right on n10 and n01 rows."""
    right_a = [1] * n10 + [0] * n01 + [1] * both + [0] * none
    right_b = [0] * n10 + [1] * n01 + [1] * both + [0] * none
    y = np.arange(len(right_a)) % 2
    return Predictions.from_arrays(
        y, {"a": np.where(right_a, y, 1 - y), "b": np.where(right_b, y, 1 - y)}
    )


def test_mcnemar_mid_p_of_the_published_example():
    """15 against 5 discordant rows: exact two-sided .0414 less the point mass gives .0266."""
    (pair,) = compare(two(5, 15), "accuracy").pairs
    assert pair.p == pytest.approx(0.02660, abs=5e-6)
    assert pair.method == "mcnemar mid-p"


@pytest.mark.parametrize(("n01", "n10"), [(0, 1), (3, 9), (7, 7), (20, 5), (0, 12)])
def test_mcnemar_mid_p_is_the_exact_p_of_statsmodels_less_the_point_mass(n01, n10):
    from scipy.stats import binom

    # With as many on both sides the exact p counts the middle twice and is cut at 1; the mid-p is 1
    # without a cut.
    mass = 0.0 if n01 == n10 else binom.pmf(min(n01, n10), n01 + n10, 0.5)
    exact = mcnemar([[0, n10], [n01, 0]], exact=True).pvalue
    (pair,) = compare(two(n01, n10), "accuracy").pairs
    assert pair.p == pytest.approx(exact - mass, abs=1e-10)


def test_two_models_that_say_the_same_are_tied():
    found = compare(two(0, 0), "accuracy")
    assert found.tied == ("a", "b")
    assert found.pairs[0].p == 1.0


def test_paired_t_equals_scipy():
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    f, g = y + rng.normal(size=80), y + rng.normal(size=80) * 1.3
    p = Predictions.from_arrays(y, {"a": f, "b": g}, task="regression")
    (pair,) = compare(p, "mse").pairs
    expected = ttest_rel((y - f) ** 2, (y - g) ** 2)
    assert pair.p == pytest.approx(expected.pvalue, rel=1e-10)
    ends = expected.confidence_interval(0.95)
    assert (pair.low, pair.high) == pytest.approx((ends.low, ends.high), rel=1e-10)


def delong_test(y, a, b):
    """The covariance of DeLong (1988) in its plain form."""

    def components(s):
        pos, neg = s[y == 1], s[y == 0]
        psi = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
        return psi.mean(axis=1), psi.mean(axis=0), psi.mean()

    (a10, a01, auc_a), (b10, b01, auc_b) = components(a), components(b)
    variance = np.var(a10 - b10, ddof=1) / len(a10) + np.var(a01 - b01, ddof=1) / len(a01)
    return auc_a - auc_b, np.sqrt(variance)


def test_paired_delong_equals_the_formula_of_the_paper():
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 150)
    a, b = np.round(y + rng.normal(size=150), 1), np.round(y * 0.5 + rng.normal(size=150), 1)
    (pair,) = compare(Predictions.from_arrays(y, {"a.score": a, "b.score": b}), "roc_auc").pairs
    gap, error = delong_test(y, a, b)
    assert pair.difference == pytest.approx(gap, rel=1e-12)
    assert pair.p == pytest.approx(2 * norm.sf(abs(gap) / error), rel=1e-9)


def test_the_areas_of_two_models_are_compared_once_for_all_levels(monkeypatch):
    counted = []

    def count(influence, *others):
        counted.append(len(influence))
        return influence_variance(influence, *others)

    monkeypatch.setattr("assay.comparison.paired_tests.influence_variance", count)
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 80)
    scores = {f"{name}.score": y + rng.normal(size=80) for name in "abcd"}
    found = compare(Predictions.from_arrays(y, scores), "roc_auc")
    assert any(pair.low != pair.low_adjusted for pair in found.pairs)
    assert counted == [80] * 6


def test_the_paired_bootstrap_of_f1_agrees_with_resampling_the_rows():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 400)
    said = {m: np.where(rng.random(400) < q, y, 1 - y) for m, q in (("a", 0.85), ("b", 0.75))}
    (pair,) = compare(Predictions.from_arrays(y, said), "f1").pairs

    def f1(y, p):
        return 2 * (y * p).sum() / (y.sum() + p.sum())

    draws = []
    for _ in range(2000):
        i = rng.integers(0, 400, 400)
        draws.append(f1(y[i], said["a"][i]) - f1(y[i], said["b"][i]))
    assert (pair.low, pair.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.012)


@pytest.mark.parametrize("p", [[0.01, 0.04, 0.03], [0.5], [0.001, 0.001, 0.9, 0.02], [0.2, 1.0]])
def test_holm_equals_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@given(tables())
def test_swapping_two_models_swaps_the_sign_of_their_difference(p):
    of_task = {"regression": "mse", "multioutput": "rmse", "multilabel": "hamming_loss"}
    written = {"text": "token_f1", "detection": "box_ap50"}
    metric = {**of_task, **written}.get(p.task, "log_loss")
    if p.task == "detection":  # where no image may have a true box to find
        assume(any(not box["iscrowd"] for text in p.truth for box in parse_boxes(text)))
    (ab,), (ba,) = (compare(p.select(order), metric).pairs for order in (["a", "b"], ["b", "a"]))
    assert ab.difference == pytest.approx(-ba.difference, abs=1e-12)
    assert ab.p == pytest.approx(ba.p, rel=1e-6, abs=1e-12)


@pytest.mark.slow
@given(tables())
def test_an_interval_of_a_difference_holds_the_difference(p):
    for metric in {
        "regression": ["rmse", "r2"],
        "multioutput": ["rmse", "r2", "mae"],
        "multilabel": ["accuracy", "f1(average=micro)"],
        "text": ["wer", "token_f1"],
        "detection": ["box_ap", "box_ar"],
    }.get(p.task, ["accuracy", "f1(average=micro)", "roc_auc"]):
        try:
            found = compare(p, metric)
        except UnsupportedError:
            continue
        for pair in found.pairs:
            assert pair.low <= pair.difference <= pair.high
            assert 0 <= pair.p <= pair.p_adjusted <= 1


def test_a_lower_loss_is_better():
    y = np.linspace(0, 1, 50)
    p = Predictions.from_arrays(
        y, {"far": y + 1.0, "near": y + 0.1 * np.cos(np.arange(50))}, task="regression"
    )
    found = compare(p, "mse")
    assert (found.best, found.tied) == ("near", ("near",))
    assert found.pairs[0].verdict == "near is better"
    assert found.rows_to_decide is None


def test_models_that_cannot_be_told_apart_are_named_with_the_rows_that_would_settle_it():
    found = compare(two(5, 9), "accuracy")
    assert found.tied == ("a", "b")
    assert found.rows_to_decide > found.n
    assert "not significantly different from b" in found.verdict


def test_a_tenfold_sample_of_the_same_kind_is_about_what_rows_to_decide_asks_for():
    """With so many rows repeated tests find the difference about 80 % of the time."""
    small = compare(two(30, 45, both=100, none=25), "accuracy")
    rng = np.random.default_rng(3)
    n, found = small.rows_to_decide, 0
    for _ in range(60):
        kind = rng.choice(4, size=n, p=np.array([45, 30, 100, 25]) / 200)
        right_a, right_b = np.isin(kind, [0, 2]), np.isin(kind, [1, 2])
        y = np.zeros(n, int)
        y[0] = 1
        p = Predictions.from_arrays(
            y, {"a": np.where(right_a, y, 1 - y), "b": np.where(right_b, y, 1 - y)}
        )
        found += len(compare(p, "accuracy").tied) == 1
    assert 0.6 <= found / 60 <= 0.95


def test_clusters_are_resampled_as_a_whole():
    rng = np.random.default_rng(4)
    y = np.repeat(rng.integers(0, 2, 30), 20)
    flip = np.repeat(rng.random(30) < 0.2, 20)
    said = {"a": y, "b": np.where(flip, 1 - y, y)}
    alone, clustered = (
        compare(Predictions.from_arrays(y, said, cluster=c), "accuracy").pairs[0]
        for c in (None, np.repeat(np.arange(30), 20))
    )
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)
    assert clustered.method == "paired cluster bootstrap"


def test_equally_good_models_are_rarely_declared_different():
    """Ten models of one skill: any false winner in at most about 5 % of tables."""
    rng = np.random.default_rng(5)
    false = 0
    for _ in range(100):
        y = rng.integers(0, 2, 200)
        said = {f"m{i}": np.where(rng.random(200) < 0.8, y, 1 - y) for i in range(10)}
        false += len(compare(Predictions.from_arrays(y, said), "accuracy").tied) == 1
    assert false <= 6


def test_an_undefined_figure_cannot_be_compared():
    p = Predictions.from_arrays(
        ["no", "no"], {"a.score": [0.1, 0.2], "b.score": [0.2, 0.1]}, classes=["no", "yes"]
    )
    with pytest.raises(
        UnsupportedError, match=r"roc_auc.* of model 'a' is undefined \(single_class\)"
    ):
        compare(p, "roc_auc")


def test_a_model_whose_figure_is_undefined_is_left_out_with_the_reason():
    y = np.arange(60) % 2
    p = Predictions.from_arrays(
        y, {"a": y, "never": np.zeros(60, int), "b": np.where(np.arange(60) % 7, y, 1 - y)}
    )
    found = compare(p, "precision")
    assert set(found.values) == {"a", "b"}
    assert found.left_out == {"never": "undefined (no_predicted_positive)"}
    assert "left out, their precision being undefined (no_predicted_positive): never" in found.notes


def test_a_model_without_a_figure_in_two_folds_takes_no_folds_from_the_others():
    y, fold = np.arange(120) % 2, np.arange(120) // 2 % 6
    wrong = np.where(np.arange(120) % 11, y, 1 - y)
    p = Predictions.from_arrays(y, {"a": y, "never": np.zeros(120, int), "b": wrong}, fold=fold)
    found = compare(p, "precision")
    assert (found.unit, set(found.values)) == ("folds", {"a", "b"})
    assert found.pairs[0] == compare(p.select(["a", "b"]), "precision").pairs[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "row"}, "unit must be one of auto, rows, folds; got 'row'"),
        (
            {"correction": "bonferroni"},
            "correction must be one of holm, benjamini_hochberg; got 'bonferroni'",
        ),
        ({"equivalence": -0.1}, "equivalence must be above 0"),
        ({"equivalence": float("nan")}, "equivalence must be above 0"),
        ({"equivalence": 0.1, "confidence": 0.4}, "confidence above 0.5"),
        ({"confidence": 95}, "confidence must be between 0 and 1; got 95"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_clear_error(options, message):
    with pytest.raises(UnsupportedError, match=message):
        compare(two(5, 9), "accuracy", **options)


def test_the_correction_asked_for_is_the_one_named():
    p = two(5, 9)
    assert "p (Holm)" in repr(compare(p, "accuracy"))
    assert "p (Benjamini-Hochberg)" in repr(compare(p, "accuracy", correction="benjamini_hochberg"))


def test_models_that_are_equivalent_are_said_to_be_and_not_to_be_settled_by_rows():
    n = 4000
    y = np.arange(n) % 2
    said = {
        "a": y,
        "b": np.where(np.arange(n) % 1000 == 3, 1 - y, y),
        "c": np.where(np.arange(n) % 3 == 0, 1 - y, y),
    }
    found = compare(Predictions.from_arrays(y, said), "accuracy", equivalence=0.02)
    assert found.verdict == "a has the best accuracy (1.0000); b is equivalent to it within 0.02."
    assert (found.tied, found.equivalent, found.rows_to_decide) == (("a", "b"), ("b",), None)


def test_over_folds_a_margin_gives_the_probabilities_of_what_holds():
    rng = np.random.default_rng(0)
    y, fold = np.arange(300) % 2, np.arange(300) // 2 % 10
    said = {m: np.where(rng.random(300) < q, y, 1 - y) for m, q in (("a", 0.9), ("b", 0.85))}
    p = Predictions.from_arrays(y, said, fold=fold)
    (pair,) = compare(p, "accuracy", equivalence=0.02).pairs
    (row,) = bayesian_fold_test(p, "accuracy", 0.02).rows
    assert (pair.p_a, pair.p_equal, pair.p_b) == (row.p_a, row.p_equal, row.p_b)
    assert "P(first | equal within 0.02 | second)" in repr(compare(p, "accuracy", equivalence=0.02))
    assert compare(p, "accuracy", unit="rows", equivalence=0.02).pairs[0].p_a is None


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_what_the_best_is_worth_is_said_where_asked(metric):
    rng = np.random.default_rng(0)
    y = np.arange(100) % 2
    p = Predictions.from_arrays(
        y, {f"m{i}.proba": np.clip(0.4 * y + 0.3 + rng.normal(0, 0.3, 100), 0, 1) for i in range(8)}
    )
    found, plain = compare(p, metric, selected=True), compare(p, metric)
    assert found.selected.best == found.best
    assert found.selected.value < found.selected.naive == found.values[found.best]
    assert f"by {metric}: " in repr(found.selected)
    assert found.selected.verdict in repr(found)
    assert json.loads(found.to_json())["selected"]["value"] == found.selected.value
    assert json.loads(plain.to_json())["selected"] is None
    assert plain.selected is None


@pytest.mark.slow
def test_a_figure_of_very_many_rows_is_compared_by_the_spread_of_few_draws_that_agrees_with_many(
    monkeypatch,
):
    rng = np.random.default_rng(0)
    y = (rng.random(9000) < 0.2).astype(int)
    said = {f"m{i}.score": (1 + i / 10) * y + rng.normal(size=9000) for i in range(2)}
    p = Predictions.from_arrays(y, said, classes=[0, 1], positive=1)
    (short,) = compare(p, "average_precision").pairs
    monkeypatch.setattr("assay.comparison.paired_plan.LONG", 10_000)
    (full,) = compare(p, "average_precision").pairs
    assert short.difference == full.difference
    half = (full.high - full.low) / 2
    assert (short.low, short.high) == pytest.approx((full.low, full.high), abs=half / 5)
    assert short.p == pytest.approx(full.p, abs=0.02)


@pytest.mark.slow
def test_margins_alone_compare_very_many_classes_as_whole_tables_do(monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 70, 2000)
    said = {
        m: np.where(rng.random(2000) < q, y, rng.integers(0, 70, 2000))
        for m, q in (("a", 0.7), ("b", 0.72))
    }
    p = Predictions.from_arrays(y, said)
    for metric in ("f1", "mcc", "f1(average=micro)"):
        (margins,) = compare(p, metric).pairs
        with monkeypatch.context() as patched:
            patched.setattr("assay.comparison.paired_bootstrap.MOST_CLASSES", 80)
            (whole,) = compare(p, metric).pairs
        assert (margins.difference, margins.method) == (whole.difference, whole.method)
        half = (whole.high - whole.low) / 2
        assert (margins.low, margins.high) == pytest.approx((whole.low, whole.high), abs=half / 5)
        assert margins.p == pytest.approx(whole.p, abs=0.05)


def test_what_needs_the_whole_table_of_very_many_classes_is_compared_by_it():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 66, 600)
    said = {m: np.where(rng.random(600) < q, y, (y + 1) % 66) for m, q in (("a", 0.95), ("b", 0.5))}
    table = Predictions.from_arrays(y, said, task="multiclass")
    found = compare(table, "cohen_kappa(weights=linear)")
    assert found.tied == ("a",)
    assert np.isfinite(found.pairs[0].low)


def test_no_fewer_rows_are_asked_for_than_could_show_anything():
    p = Predictions.from_arrays([1], {"a": [1], "b": [0]}, classes=[0, 1], positive=1)
    assert compare(p, "accuracy").rows_to_decide >= 6  # 2 ** (1 - 5) is not below 0.05


def test_where_the_worth_of_the_best_cannot_be_said_the_comparison_stands():
    y = np.arange(20) % 2
    p = Predictions.from_arrays(y, {"a": y, "b": 1 - y}, cluster=np.zeros(20, int))
    found = compare(p, "accuracy", selected=True)
    assert found.selected is None
    assert any(
        note.startswith("what the best is worth cannot be said: accuracy is undefined")
        for note in found.notes
    )


@pytest.mark.parametrize(
    ("source", "metric", "message"),
    [
        (3, "f1", "expected predictions: a table, the path of a file .* got int"),
        (None, "f1", "expected predictions: a table, .* got NoneType"),
        (two(5, 9), 3, "expected metrics as text, as in 'f1', or as Metric objects; got 3"),
    ],
)
def test_things_of_another_kind_are_one_clear_error(source, metric, message):
    with pytest.raises(UnsupportedError, match=message):
        compare(source, metric)


def test_the_model_that_is_truly_best_is_among_those_tied_for_best():
    rng, missing = np.random.default_rng(4), 0
    y = np.arange(400) % 2
    for _ in range(200):
        said = {f"m{i}": np.where(rng.random(400) < 0.8 - 0.01 * i, y, 1 - y) for i in range(6)}
        missing += "m0" not in compare(Predictions.from_arrays(y, said), "accuracy").tied
    assert missing <= 10


def test_a_metric_with_one_figure_a_class_is_refused():
    with pytest.raises(UnsupportedError, match="compare by one value"):
        compare(two(1, 2), "f1(average=none)")


def test_models_that_do_not_give_what_the_metric_reads_are_left_out_and_named():
    p = Predictions.from_arrays(
        [0, 1] * 10, {"a": [0, 1] * 10, "b.proba": [0.2, 0.9] * 10, "c.proba": [0.3, 0.6] * 10}
    )
    found = compare(p, "log_loss")
    assert set(found.values) == {"b", "c"}
    assert "left out, giving no proba: a" in found.notes


def test_the_json_follows_the_contract():
    found = json.loads(compare(two(5, 9), "accuracy").to_json())
    assert found["schema"] == "assay.comparison/1"
    assert {"metric", "best", "tied", "rows_to_decide", "pairs"} <= found.keys()
    assert list(found["pairs"][0]) == [
        "a",
        "b",
        "difference",
        "low",
        "high",
        "p",
        "p_adjusted",
        "method",
        "verdict",
        "low_adjusted",
        "high_adjusted",
    ]


def test_one_model_alone_is_best():
    p = two(1, 2).select(["a"])
    assert compare(p, "accuracy").tied == ("a",)


@pytest.mark.parametrize("p", [[0.01, 0.04, 0.03], [0.5], [0.001, 0.001, 0.9, 0.02], [0.2, 1.0]])
def test_benjamini_hochberg_equals_statsmodels(p):
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def folded(right_a, right_b, folds=10, each=40):
    """Two models that are right on the given share of every fold, by chance a bit more or less."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, folds * each)
    said = {
        m: np.where(rng.random(len(y)) < q, y, 1 - y) for m, q in (("a", right_a), ("b", right_b))
    }
    return Predictions.from_arrays(y, said, fold=np.repeat(np.arange(folds), each))


def test_algorithms_are_judged_by_folds_with_the_corrected_t():
    found = compare(folded(0.9, 0.7), "accuracy", unit="folds")
    assert (found.unit, found.pairs[0].method) == ("folds", "corrected resampled t")
    assert found.tied == ("a",)


def test_a_cross_validated_table_is_judged_by_its_folds_and_by_its_rows_where_asked():
    found = compare(folded(0.9, 0.7), "accuracy")
    assert (found.unit, found.pairs[0].method) == ("folds", "corrected resampled t")
    pooled = compare(folded(0.9, 0.7), "accuracy", unit="rows")
    assert (pooled.unit, pooled.pairs[0].method) == ("rows", "mcnemar mid-p")
    assert any("by folds" in note for note in pooled.notes)
    assert found.pairs[0].p > pooled.pairs[0].p


def test_folds_that_do_not_define_the_metric_leave_the_rows_to_judge_by():
    y = np.arange(40) % 2
    score = {
        m: np.random.default_rng(i).normal(size=40) + y
        for i, m in enumerate(("a.score", "b.score"))
    }
    alone = Predictions.from_arrays(y, score, fold=np.arange(40))
    by_rows = compare(alone, "roc_auc")
    assert by_rows.unit == "rows"
    assert by_rows.notes[-1].startswith("compared by rows, because the folds cannot be used: roc_")
    with pytest.raises(UnsupportedError, match=r"undefined \(single_class\) in 40 of 40 folds"):
        compare(alone, "roc_auc", unit="folds")


def test_an_error_of_the_fold_analysis_is_not_taken_for_folds_that_cannot_be_used(monkeypatch):
    """`unit="auto"` once compared by rows whatever had gone wrong."""

    def fail(*_):
        raise UnsupportedError("the engine lost a worker")

    monkeypatch.setattr("assay.comparison.compare.FoldValues.read", fail)
    with pytest.raises(UnsupportedError, match="the engine lost a worker"):
        compare(folded(0.9, 0.7), "accuracy")


def test_a_row_without_a_fold_leaves_the_rows_to_judge_by():
    y = np.arange(20) % 2
    p = Predictions.from_arrays(y, {"a": y, "b": 1 - y}, fold=[None, *[0, 1] * 9, 0])
    found = compare(p, "accuracy")
    assert found.unit == "rows"
    assert "row 0 has no fold" in found.notes[-1]


def test_a_table_in_which_rows_of_data_recur_is_judged_by_its_folds():
    once = folded(0.9, 0.7)
    row = np.tile(np.arange(200), 2)
    p = Predictions.from_arrays(
        once.truth,
        {m: once.rows(m).label for m in "ab"},
        fold=np.arange(400) // 40,
        cluster=row,
        groups={"row": row},
    )
    found = compare(p, "accuracy")
    assert (found.unit, found.pairs[0].method) == (
        "folds",
        "corrected resampled t, 4 d.f. of one repeat",
    )


def test_models_within_the_margin_are_called_equivalent():
    found = compare(two(30, 31, both=900, none=39), "accuracy", equivalence=0.03)
    assert found.pairs[0].verdict == "equivalent"
    assert (
        compare(two(30, 31, both=900, none=39), "accuracy", equivalence=0.005).pairs[0].verdict
        == "not distinguishable"
    )


def test_equivalence_is_two_one_sided_t_tests():
    from statsmodels.stats.weightstats import ttost_paired

    rng = np.random.default_rng(6)
    y = rng.normal(size=100)
    f = y + rng.normal(size=100)
    g = f + rng.normal(size=100) * 0.1
    p = Predictions.from_arrays(y, {"a": f, "b": g}, task="regression")
    for margin in (0.01, 0.03, 0.05, 0.1, 0.2):
        expected = ttost_paired((y - f) ** 2, (y - g) ** 2, -margin, margin)[0] < 0.05
        assert (compare(p, "mse", equivalence=margin).pairs[0].verdict == "equivalent") == expected


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("auc", "roc_auc"),
        ("f1", "f1"),
        ("weighted", "accuracy"),
        ("mse", "mse"),
        ("clusters", "mse"),
    ],
)
def test_a_handful_of_rows_never_names_a_winner(name, metric):
    table = {
        "auc": lambda: Predictions.from_arrays([0, 1], {"a.score": [0, 1], "b.score": [1, 0]}),
        "f1": lambda: Predictions.from_arrays([0, 1, 1], {"a": [0, 1, 1], "b": [1, 0, 0]}),
        "weighted": lambda: Predictions.from_arrays(
            [0, 1], {"a": [0, 1], "b": [1, 0]}, weight=[1.0, 2.0]
        ),
        "mse": lambda: Predictions.from_arrays(
            [0.0, 1.0], {"a": [0.0, 1.0], "b": [1.0, 2.0]}, task="regression"
        ),
        "clusters": lambda: Predictions.from_arrays(
            np.zeros(90),
            {"a": np.ones(90), "b": np.full(90, 2.0)},
            task="regression",
            cluster=np.arange(90) % 3,
        ),
    }[name]()
    found = compare(table, metric)
    assert found.tied == ("a", "b")
    assert found.pairs[0].p >= 0.05


def test_the_auc_of_a_model_is_the_same_from_its_logits_and_its_probabilities():
    rng = np.random.default_rng(8)
    y = rng.integers(0, 4, 300)
    z = rng.normal(size=(300, 4))
    z[np.arange(300), y] += 2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    found = compare(
        Predictions.from_arrays(y, {"a.logit": z + rng.normal(0, 5, (300, 1)), "b.proba": p}),
        "roc_auc",
    )
    assert found.values["a"] == pytest.approx(found.values["b"], rel=1e-12)


def test_identical_models_are_not_settled_by_any_number_of_rows():
    y = np.arange(60) % 2
    wrong = np.where(np.arange(60) % 9 == 0, 1 - y, y)
    found = compare(Predictions.from_arrays(y, {"a": wrong, "twin": wrong}), "accuracy")
    assert found.rows_to_decide is None


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
def test_the_interval_of_a_difference_does_not_contradict_the_test(metric):
    rng = np.random.default_rng(9)
    for _ in range(40):
        y = rng.integers(0, 2, 30)
        said = {m: np.where(rng.random(30) < 0.8, y, 1 - y) for m in "ab"}
        (pair,) = compare(Predictions.from_arrays(y, said, classes=[0, 1]), metric).pairs
        assert pair.p < 0.05 or pair.low <= 0 <= pair.high


def several(seed, n=240):
    """Five models whose accuracies are near one another, two far below."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    skills = {"a": 0.8, "b": 0.77, "c": 0.74, "d": 0.6, "e": 0.5}
    right = {m: rng.random(n) < skill for m, skill in skills.items()}
    return Predictions.from_arrays(
        y, {m: np.where(r, y, (y + 1) % 3) for m, r in right.items()}, fold=np.arange(n) % 6
    )


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
@pytest.mark.parametrize("unit", ["rows", "folds"])
def test_intervals_that_are_corrected_for_all_pairs_leave_out_0_where_the_verdict_does(
    unit, correction
):
    found = compare(several(3), "f1", unit=unit, correction=correction)
    verdicts = [d.verdict != "not distinguishable" for d in found.pairs]
    assert any(verdicts)
    assert not all(verdicts)
    assert [d.low_adjusted > 0 or d.high_adjusted < 0 for d in found.pairs] == verdicts
    for d in found.pairs:
        assert d.low_adjusted <= d.low <= d.difference <= d.high <= d.high_adjusted
    shown = [f"[{d.low_adjusted:+.4f}, {d.high_adjusted:+.4f}]" for d in found.pairs]
    assert all(interval in str(found) for interval in shown)
    assert f"95% interval ({found.correction_name})" in str(found)


def test_the_corrected_interval_is_that_of_a_higher_confidence():
    p = several(3)
    found = compare(p, "accuracy", unit="rows")
    open_pairs = sum(d.verdict == "not distinguishable" for d in found.pairs)
    strict = compare(p, "accuracy", unit="rows", confidence=1 - 0.05 / open_pairs)
    for one, other in zip(found.pairs, strict.pairs, strict=True):
        assert (one.low_adjusted, one.high_adjusted) == pytest.approx((other.low, other.high))


def test_the_interval_of_the_only_pair_is_its_own():
    (pair,) = compare(several(3).select(["a", "d"]), "accuracy", unit="rows").pairs
    assert (pair.low_adjusted, pair.high_adjusted) == (pair.low, pair.high)


def test_pairs_that_are_read_block_by_block_are_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 90)
    models = {f"m{i}": np.where(rng.random(90) < 0.3, 1 - y, y) for i in range(5)}
    p = Predictions.from_arrays(y, models)
    expected = [compare(p, metric) for metric in ("accuracy", "f1")]
    monkeypatch.setattr("assay.comparison.paired_tests.BLOCK_JOBS", 4)
    assert [compare(p, metric) for metric in ("accuracy", "f1")] == expected
