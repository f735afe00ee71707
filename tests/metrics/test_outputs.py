"""Several predicted numbers a row: scikit-learn's values, files and streams, what is refused."""

import math

import numpy as np
import pytest
import sklearn.metrics
from click.testing import CliRunner
from sklearn.linear_model import LinearRegression

import assay
from assay.charts.performance import residuals
from assay.cli import cli
from assay.errors import AssayError, SchemaError, UnsupportedError

RNG = np.random.default_rng(21)
Y = RNG.normal(size=(120, 3)) * [1, 8, 0.1]
GOOD = Y + RNG.normal(size=Y.shape) * [0.4, 2, 0.05]
POOR = Y + RNG.normal(size=Y.shape) * [0.6, 3, 0.07]
NAMES = ["height", "weight", "ratio"]
REFERENCES = {
    "mse": sklearn.metrics.mean_squared_error,
    "rmse": sklearn.metrics.root_mean_squared_error,
    "mae": sklearn.metrics.mean_absolute_error,
    "r2": sklearn.metrics.r2_score,
}


def build(**options):
    return assay.Predictions.from_arrays(Y, {"good": GOOD, "poor": POOR}, classes=NAMES, **options)


@pytest.mark.parametrize("metric", REFERENCES)
@pytest.mark.parametrize("weighted", [False, True])
def test_values_of_several_outputs_are_those_of_scikit_learn(metric, weighted):
    weight = RNG.random(120) if weighted else None
    e = assay.evaluate(build(weight=weight), [metric, f"{metric}(average=none)"])
    for model, values in {"good": GOOD, "poor": POOR}.items():
        mean = REFERENCES[metric](Y, values, sample_weight=weight)
        each = REFERENCES[metric](Y, values, sample_weight=weight, multioutput="raw_values")
        rows = [row for row in e.rows if row.model == model]
        assert rows[0].value == pytest.approx(mean, rel=1e-12)
        assert [row.value for row in rows[1:]] == pytest.approx(each, rel=1e-12)
        assert [row.class_ for row in rows[1:]] == NAMES


@pytest.mark.parametrize("metric", REFERENCES)
def test_intervals_of_several_outputs_hold_the_value_and_compare_in_pairs(metric):
    p = build()
    for row in assay.evaluate(p, [metric, f"{metric}(average=none)"]).rows:
        assert row.low < row.value < row.high
    c = assay.compare(p, metric)
    assert c.best == "good"
    assert c.pairs[0].verdict == "good is better"


def test_intervals_of_mean_values_of_outputs_hold_those_of_the_population():
    held = {"rmse": 0, "r2": 0}
    for _ in range(40):
        y = RNG.normal(size=(80, 2))
        rows = assay.evaluate(y, {"m": y + RNG.normal(size=y.shape) / 2}, list(held)).rows
        for row, truth in zip(rows, (0.5, 0.75), strict=True):
            held[row.metric] += row.low <= truth <= row.high
    assert min(held.values()) >= 33  # 38 are expected at 95 %; fewer than 33 once in 300 times


def test_an_output_whose_truth_is_constant_has_no_r2_and_is_left_out_of_the_mean():
    y = np.column_stack([Y[:, 0], np.full(120, 3.5)])
    e = assay.evaluate(y, {"m": y + 0.5 * RNG.normal(size=y.shape)}, ["r2", "r2(average=none)"])
    mean, first, second = e.rows
    assert mean.value == first.value
    assert "mean over 1 of 2 classes" in mean.note
    assert math.isnan(second.value)
    assert second.note.startswith("zero_variance")


def test_several_fractional_numbers_a_row_are_seen_to_be_outputs():
    assert assay.Predictions.from_arrays(Y, {"m": GOOD}).task == "multioutput"
    whole = np.rint(Y).astype(int)
    assert assay.Predictions.from_arrays(whole, {"m.value": GOOD}).task == "multioutput"
    assert assay.Predictions.from_arrays(whole, {"m": GOOD}, task="multioutput").classes == (
        0,
        1,
        2,
    )


def test_shares_of_several_labels_are_not_taken_for_outputs():
    shares = np.full((4, 2), 0.5)
    with pytest.raises(SchemaError, match=r"expected 0 or 1.*task='multioutput'"):
        assay.Predictions.from_arrays(shares, {"m": shares})
    torch = pytest.importorskip("torch")
    with pytest.raises(SchemaError, match=r"expected 0 or 1.*task='multioutput'"):
        assay.collect({"m": torch.nn.Linear(2, 2)}, shares.astype(np.float32), shares)
    p = assay.Predictions.from_arrays(shares, {"m": shares}, task="multioutput")
    assert assay.evaluate(p, "mae").value == 0


def test_several_labels_a_row_are_no_outputs():
    labels = (Y > 0).astype(int)
    assert (
        assay.Predictions.from_arrays(labels, {"m.proba": np.abs(np.tanh(Y))}).task == "multilabel"
    )


def test_tables_of_outputs_are_the_same_in_files_streams_and_memory(tmp_path):
    p = build(groups={"site": ["a", "b"] * 60})
    for suffix in ("csv", "parquet"):
        assay.write(p, tmp_path / f"p.{suffix}")
        assert assay.read(tmp_path / f"p.{suffix}").classes == tuple(NAMES)
    assert assay.read(tmp_path / "p.parquet") == p
    stream = assay.scan(tmp_path / "p.parquet")
    for metric in ("rmse", "r2(average=none)"):
        expected, found = (assay.evaluate(t, metric, by="site").rows for t in (p, stream))
        assert [r.value for r in found] == pytest.approx([r.value for r in expected], rel=1e-12)
        assert [r.low for r in found] == pytest.approx([r.low for r in expected], rel=1e-12)


def test_columns_of_outputs_are_aligned_by_name():
    table = {f"y.{name}": Y[:, i] for i, name in enumerate(NAMES)}
    table |= {f"m.value.{NAMES[i]}": GOOD[:, i] for i in (2, 0, 1)}
    expected = sklearn.metrics.r2_score(Y, GOOD)
    assert assay.evaluate(assay.read(table), "r2").value == pytest.approx(expected, rel=1e-12)


def test_the_command_line_reads_columns_of_outputs(tmp_path):
    assay.write(build(), tmp_path / "p.csv")
    for command in (["evaluate"], ["compare", "-m", "r2"]):
        done = CliRunner().invoke(cli, [command[0], str(tmp_path / "p.csv"), *command[1:]])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(cli, ["evaluate", str(tmp_path / "p.csv"), "-m", "mae(average=none)"])
    assert "[weight]" in done.output


def test_a_meter_of_outputs_gives_what_evaluate_gives():
    meter = assay.Meter(["rmse", "r2"], task="multioutput", classes=NAMES)
    for start in range(0, 120, 7):
        meter.update(GOOD[start : start + 7], Y[start : start + 7])
    expected = assay.evaluate(build(), ["rmse", "r2"]).get("good", "r2").value
    assert meter.compute().scalars["r2"] == pytest.approx(expected, rel=1e-12)


def test_regressors_of_several_outputs_are_collected_and_cross_validated():
    X = RNG.normal(size=(90, 4))
    y = X @ RNG.normal(size=(4, 2)) + 0.1 * RNG.normal(size=(90, 2))
    line = LinearRegression().fit(X, y)
    collected = assay.collect({"line": line}, X, y)
    assert assay.evaluate(collected, "r2").value == pytest.approx(line.score(X, y), rel=1e-12)
    folds = assay.cross_validate({"line": LinearRegression()}, X, y, progress=False)
    assert folds.task == "multioutput"
    assert assay.evaluate(folds, "r2").value > 0.9


def test_networks_of_several_outputs_are_collected():
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(4, 3)
    X = RNG.normal(size=(120, 4)).astype(np.float32)
    p = assay.collect({"net": network}, X, Y)
    assert p.task == "multioutput"
    with torch.no_grad():
        expected = sklearn.metrics.mean_absolute_error(Y, network(torch.from_numpy(X)).numpy())
    assert assay.evaluate(p, "mae").value == pytest.approx(expected, rel=1e-6)


def test_reports_and_hardest_rows_are_made_of_outputs():
    r = assay.report(build())
    assert "3 outputs" in repr(r)
    assert "always says the mean of each output" in repr(r)
    hardest = assay.hardest_rows(build())
    assert hardest.rows


@pytest.mark.parametrize(
    ("y", "models", "options", "message"),
    [
        (Y, {"m": GOOD[:, :2]}, {}, r"shape \(120, 2\); expected \(n, 3\)"),
        (Y, {"m": GOOD[:, 0]}, {}, r"shape \(120,\); expected \(n, 3\)"),
        (Y[:, 0], {"m": GOOD}, {"task": "regression"}, r"shape \(120, 3\); expected one column"),
        (Y, {"m": GOOD}, {"task": "regression"}, r"task='multioutput' \(--task multioutput\)"),
        (Y, {"m.label": GOOD > 0}, {"task": "multioutput"}, r"name the columns <model>\.value\.<o"),
        (Y, {"m.proba": GOOD}, {"task": "multioutput"}, r"a regression has no class prob"),
        (np.where(Y > 2, np.nan, Y), {"m": GOOD}, {"task": "multioutput"}, "nan"),
        (np.array([["a", "b"]] * 3), {"m": GOOD[:3, :2]}, {"task": "multioutput"}, "numbers"),
        (Y[:, 0], {"m.value.a": GOOD[:, 0], "m.value.b": GOOD[:, 1]}, {}, r"y\.<output>"),
    ],
)
def test_what_is_no_table_of_outputs_is_refused(y, models, options, message):
    with pytest.raises(SchemaError, match=message):
        assay.Predictions.from_arrays(y, models, **options)


def test_what_is_not_for_several_outputs_says_so():
    p = build()
    for refuse, message in (
        (lambda: assay.evaluate(p, "mape"), "mape is for regression tasks"),
        (lambda: assay.fuse(p, "mean"), "several outputs are not fused together"),
        (lambda: residuals(p), "residuals are drawn of one output"),
        (lambda: assay.compare(p, "r2(average=none)"), "one value an output.*: r2"),
        (lambda: assay.evaluate(p, "r2(average=weighted)"), "average must be one of uniform, none"),
        (lambda: assay.evaluate(p, "r2(multioutput=raw_values)"), "average=none"),
    ):
        with pytest.raises(AssayError, match=message):
            refuse()


def test_the_average_over_the_only_output_is_its_value():
    e = assay.evaluate(Y[:, 0], {"m": GOOD[:, 0]}, ["mse", "mse(average=none)"], task="regression")
    assert e.rows[0].value == e.rows[1].value


def test_whole_numbers_that_look_like_labels_are_refused_with_the_task():
    whole = np.rint(3 * Y).astype(int)
    with pytest.raises(SchemaError, match=r"task='multioutput'"):
        assay.evaluate(whole, {"m": whole}, "r2")
    assert assay.evaluate(whole, {"m": whole}, "r2", task="multioutput").value == 1


def test_outputs_given_to_a_regression_are_refused_by_adapters_with_the_task():
    line = LinearRegression().fit(Y, Y)
    with pytest.raises(UnsupportedError, match=r"task='multioutput'"):
        assay.collect({"line": line}, Y, Y[:, 0], task="regression")
