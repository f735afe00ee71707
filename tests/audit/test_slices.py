"""Slices: levels and bins, the tests of one slice, few false alarms, planted slices found."""

import json

import numpy as np
import pytest

import assay
from assay.audit.slices import weak_slices
from assay.charts import audit as groups
from assay.charts.style import get_spec
from assay.cli import main
from assay.errors import SchemaError, UnsupportedError
from assay.table.groups import find_levels, group_rows
from assay.table.predictions import Predictions


def plain(groups, n=None, **more):
    n = n or len(next(iter(groups.values())))
    return Predictions.from_arrays(
        [0, 1] * (n // 2) + [0] * (n % 2), {"m": [0] * n}, groups=groups, **more
    )


def drawn(seed, n=600, right=0.85, **more):
    """A binary table without weak slices, of four columns: coin, five values, skewed, normal."""
    rng = np.random.default_rng(seed)
    groups = {
        "coin": rng.integers(0, 2, n), "five": rng.integers(0, 5, n), "x": rng.normal(size=n),
        "skewed": rng.choice(6, n, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05]),
    }  # fmt: skip
    y = rng.integers(0, 2, n)
    q = right(groups) if callable(right) else right
    return Predictions.from_arrays(
        y, {"m": np.where(rng.random(n) < q, y, 1 - y)}, groups=groups, **more
    )


def lossy(seed, n=600):
    """Skewed log losses that depend on no column."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    own = np.clip(1 / (1 + np.exp(-rng.normal(2.5, 2.0, n))), 1e-6, 1 - 1e-6)
    one = np.where(y == 1, own, 1 - own)
    groups = {
        "rare": (rng.random(n) < 0.08).astype(int),
        "five": rng.integers(0, 5, n),
        "x": rng.normal(size=n),
    }
    return Predictions.from_arrays(y, {"m.proba": np.stack([1 - one, one], 1)}, groups=groups)


def test_a_number_column_of_few_values_keeps_them():
    assert find_levels(plain({"age": [1, 2, 3] * 20}), "age")[1] == [1, 2, 3]
    assert find_levels(plain({"site": np.arange(100) % 40}), "site")[1] == list(range(40))
    assert find_levels(plain({"dose": np.arange(100) % 12 / 2}), "dose")[1][:3] == [0.0, 0.5, 1.0]


def test_a_number_column_of_many_values_is_cut_at_its_quartiles():
    codes, names = find_levels(plain({"age": np.arange(18, 98)}), "age")
    assert names == ["< 38", "[38, 58)", "[58, 78)", ">= 78"]
    assert np.bincount(codes).tolist() == [20, 20, 20, 20]


def test_bins_are_in_the_order_of_the_numbers_not_of_their_names():
    p = plain({"x": np.linspace(-1, 150, 60)})
    found = [row.group for row in assay.evaluate(p, "accuracy", by="x", intervals=False).rows[1:]]
    assert found == ["< 37", "[37, 76)", "[76, 114)", ">= 114"]


def test_missing_numbers_are_a_bin_of_their_own():
    x = np.arange(40.0)
    x[3] = np.nan
    codes, names = find_levels(plain({"x": x}), "x")
    assert names[-1] == "(missing)"
    assert codes[3] == len(names) - 1


def test_a_value_that_most_rows_share_is_one_bin():
    x = np.concatenate([np.zeros(80), np.arange(1, 21)])
    codes, names = find_levels(plain({"x": x}), "x")
    assert names == ["< 1", ">= 1"]
    assert np.bincount(codes).tolist() == [80, 20]


def test_folds_and_clusters_are_never_binned():
    p = plain({"a": np.arange(40) % 2}, fold=np.arange(40) % 20, cluster=np.arange(40))
    assert len(find_levels(p, "fold")[1]) == 20
    assert len(find_levels(p, "cluster")[1]) == 40


def test_crosses_hold_the_rows_of_both_levels():
    p = plain({"x": np.arange(80.0), "s": np.array(["a", "b"] * 40)})
    grouping = group_rows(p, ["x", "s"])
    assert grouping.keys[1] == ("< 20", "b")
    assert np.bincount(grouping.codes).tolist() == [10] * 8
    row = assay.evaluate(p, "accuracy", by=["x", "s"]).get("m", "accuracy", group=("< 20", "b"))
    assert (row.n, row.value) == (10, 0.0)


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(SchemaError, match="no column is named 'z'"):
        weak_slices(drawn(0), by="z")


@pytest.mark.slow
@pytest.mark.parametrize(("make", "metric"), [(drawn, "accuracy"), (lossy, "log_loss")])
def test_where_no_slice_is_weak_a_slice_is_reported_in_at_most_six_of_a_hundred_tables(
    make, metric
):
    alarms = sum(bool(weak_slices(make(seed), metric).rows) for seed in range(250))
    assert alarms <= 15


def test_rows_in_clusters_raise_no_more_false_alarms():
    def alarm(seed):
        rng = np.random.default_rng(seed)
        hard = rng.normal(size=60)
        easy = 1 / (1 + np.exp(-1.5 - 1.5 * hard))
        site = rng.integers(0, 4, 60)
        p = drawn(seed, 600, np.repeat(easy, 10), cluster=np.repeat(np.arange(60), 10))
        own = Predictions.from_arrays(
            p.truth,
            {"m": p.rows("m").label},
            groups={"site": np.repeat(site, 10)},
            cluster=np.repeat(np.arange(60), 10),
        )
        return bool(weak_slices(own).rows)

    assert sum(alarm(seed) for seed in range(200)) <= 12


@pytest.mark.parametrize("depth", [2, 3])
def test_a_planted_cross_is_found_and_stands_by_itself(depth):
    def right(groups):
        return np.where((groups["coin"] == 1) & (groups["five"] == 3), 0.6, 0.9)

    found = weak_slices(drawn(5, 2000, right), depth=depth)
    own = [row.slice for row in found.rows if row.own]
    assert own == ["coin=1 & five=3"]
    row = found.rows[0]
    assert row.low < 0.6 < row.high
    assert row.effect > 0.5
    assert row.difference == pytest.approx(row.value - row.rest)


def test_two_planted_slices_both_stand():
    def right(groups):
        return np.where(groups["five"] == 3, 0.7, np.where(groups["x"] > 1.0, 0.7, 0.95))

    found = weak_slices(drawn(6, 3000, right), depth=1)
    own = [row.slice for row in found.rows if row.own]
    assert "five=3" in own
    assert any(name.startswith("x >= ") for name in own)


def test_the_values_of_a_slice_are_those_of_evaluate():
    p = drawn(7, 800, lambda g: np.where(g["five"] == 2, 0.6, 0.9))
    row = weak_slices(p, by=["five"]).rows[0]
    own = assay.evaluate(p, "accuracy", by="five").get("m", "accuracy", group=2)
    assert (row.n, row.value, row.low, row.high) == pytest.approx(
        (own.n, own.value, own.low, own.high)
    )


def test_the_order_of_rows_does_not_matter():
    p = drawn(8, 800, lambda g: np.where(g["five"] == 2, 0.6, 0.9))
    order = np.random.default_rng(0).permutation(800)
    assert [r.slice for r in weak_slices(p).rows] == [
        r.slice for r in weak_slices(p.take(order)).rows
    ]


def test_slices_of_few_rows_are_not_tested():
    p = plain({"a": ["x"] * 95 + ["y"] * 5})
    found = weak_slices(p)
    assert found.tested == 0
    assert "No slice has 30 rows" in repr(found)


def test_f1_is_searched_by_which_rows_are_right_and_a_note_says_so():
    found = weak_slices(drawn(0), "f1")
    assert found.metric == "accuracy"
    assert "f1 is no mean over rows" in found.notes[-1]


def test_rmse_is_searched_by_mse():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 300)
    y = rng.normal(size=300)
    p = Predictions.from_arrays(
        y, {"m": y + rng.normal(size=300) * (1 + 2 * a)}, groups={"a": a}, task="regression"
    )
    found = weak_slices(p, "rmse")
    assert found.metric == "mse"
    assert [row.slice for row in found.rows] == ["a=1"]


@pytest.mark.parametrize("metric", ["roc_auc"])
def test_a_metric_of_order_is_refused(metric):
    with pytest.raises(UnsupportedError, match="has no value for each row"):
        weak_slices(lossy(0), metric)


def test_a_table_without_group_columns_is_refused():
    with pytest.raises(UnsupportedError, match="no column to slice by"):
        weak_slices(Predictions.from_arrays([0, 1], {"m": [0, 1]}))


def test_names_of_rows_are_left_out_with_a_note():
    n = 1200
    found = weak_slices(plain({"name": [f"row {i}" for i in range(n)], "a": np.arange(n) % 3}))
    assert found.columns == ("a",)
    assert "having more than 1000 values: name" in found.notes[-1]


def test_every_model_is_searched_and_corrected_for_together():
    p = drawn(9)
    p = p.append("other", label=1 - p.truth)
    one, both = weak_slices(p, model="m"), weak_slices(p)
    assert both.tested == 2 * one.tested
    assert set(both.overall) == {"m", "other"}


def test_the_json_is_versioned_and_strict():
    found = json.loads(
        weak_slices(drawn(5, 2000, lambda g: np.where(g["five"] == 3, 0.6, 0.9))).to_json()
    )
    assert found["schema"] == "assay.slices/1"
    assert found["rows"][0]["slice"] == "five=3"
    assert {"value", "low", "high", "rest", "p_adjusted", "own"} <= set(found["rows"][0])


@pytest.fixture
def file(tmp_path):
    p = drawn(5, 2000, lambda g: np.where((g["coin"] == 1) & (g["five"] == 3), 0.6, 0.9))
    assay.write(p, tmp_path / "p.parquet")
    return tmp_path / "p.parquet"


def ran(capsys, *arguments):
    main([str(a) for a in arguments])
    return capsys.readouterr().out


def test_the_command_gives_the_json_of_the_library(capsys, file):
    out = ran(capsys, "slices", file, "--by", "coin", "--by", "five", "--json", "-")
    assert json.loads(out) == json.loads(weak_slices(file, by=["coin", "five"]).to_json())


def test_the_command_names_the_weak_slice(capsys, file):
    out = ran(capsys, "slices", file, "--by-metric", "hamming_loss")
    assert "coin=1 & five=3" in out.splitlines()[2]


def test_evaluate_by_two_columns_crosses_them_and_bins_numbers(capsys, file):
    found = json.loads(
        ran(capsys, "evaluate", file, "-m", "accuracy", "--by", "coin", "--by", "x", "--json", "-")
    )
    groups = [row["group"] for row in found["rows"][1:]]
    assert len(groups) == 8
    assert groups[0][0] == 0
    assert groups[0][1].startswith("< -")


def test_the_chart_shows_the_slices_that_stand_or_says_that_none_does():
    found = weak_slices(drawn(5, 2000, lambda g: np.where(g["five"] == 3, 0.6, 0.9)))
    assert "five=3 (" in json.dumps(get_spec(groups.weak_slices(found)))
    assert "None of" in json.dumps(get_spec(groups.weak_slices(weak_slices(drawn(0)))))


@pytest.mark.parametrize("metric", ["recall", "specificity", "precision", "npv"])
def test_a_share_of_some_rows_is_searched_among_those_rows(metric):
    rng = np.random.default_rng(0)
    n = 3000
    site, y = rng.integers(0, 4, n), rng.integers(0, 2, n)
    right = np.where((site == 1) & (y == (metric in ("recall", "npv"))), 0.6, 0.9)
    said = np.where(rng.random(n) < right, y, 1 - y)
    p = Predictions.from_arrays(
        y, {"m": said}, groups={"site": site, "noise": rng.integers(0, 3, n)}, positive=1
    )
    found = weak_slices(p, metric)
    assert [row.slice for row in found.rows if row.own] == ["site=1"]
    own = assay.evaluate(p, metric, by="site").get("m", metric, group=1)
    row = found.rows[0]
    assert found.metric == metric
    assert (row.value, row.low, row.high) == pytest.approx((own.value, own.low, own.high))
    assert found.overall["m"] == pytest.approx(assay.evaluate(p, metric).value)


def test_a_cut_that_is_rounded_to_nought_is_named_0_without_a_sign():
    x = np.random.default_rng(1).normal(size=999)
    p = Predictions.from_arrays([0, 1, 1] * 333, {"m": [0, 1, 1] * 333}, groups={"x": x})
    assert [key for (key,) in group_rows(p, ["x"]).keys] == [
        "< -0.7",
        "[-0.7, 0)",
        "[0, 0.6)",
        ">= 0.6",
    ]
