"""Charts: every one is a valid specification, becomes SVG, and stays small for any table."""

import math
import re
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from assay import charts
from assay.charts.points import (
    precision_recall_curve,
    prevalence,
    reliability_bins,
    residual_bins,
    roc_curve,
    thin,
)
from assay.charts.style import DARK, SERIES, draw, get_spec
from assay.comparison.compare import compare
from assay.diagnosis.diagnose import Diagnosis, diagnose
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.fusions.fuse import fuse
from assay.metrics.base import METRICS
from assay.readers.history import History, Series
from assay.table.predictions import Predictions
from assay.table.schema import TASKS, WRITTEN
from assay.testing import random_table

SCORED = ("binary", "multiclass", "multilabel")


def table(task: str, n: int = 100) -> Predictions:
    """Two models of a task in which every class occurs."""
    return next(
        p
        for seed in range(50)
        if len(np.unique((p := random_table(task, seed, n=n)).truth, axis=0)) > 1
    )


def values_of(chart: Any) -> list[dict[str, Any]]:
    """Every row of data in a specification."""
    spec = chart.to_dict()
    return [row for rows in spec.get("datasets", {}).values() for row in rows] + list(_inline(spec))


def _inline(node: Any) -> Any:
    if isinstance(node, dict):
        if isinstance(node.get("values"), list):
            yield from node["values"]
        for part in node.values():
            yield from _inline(part)
    elif isinstance(node, list):
        for part in node:
            yield from _inline(part)


def drawn(chart: Any) -> str:
    """The chart as SVG; `to_dict` checks it against the schema on the way."""
    chart.to_dict()
    drawing = draw(chart, "c")
    assert drawing.title
    assert drawing.svg.startswith("<svg ")
    assert "<title " in drawing.svg
    assert "<desc " in drawing.svg
    return drawing.svg


def overfit_run(name: str = "net") -> Diagnosis:
    train = [1.2, 0.9, 0.7, 0.55, 0.45, 0.35, 0.3, 0.24, 0.2, 0.16, 0.13, 0.1]
    val = [1.3, 1.0, 0.85, 0.8, 0.79, 0.82, 0.86, 0.9, 0.95, 1.0, 1.06, 1.1]
    accuracy = [0.5, 0.6, 0.65, 0.68, 0.7, 0.71, 0.71, 0.71, 0.7, 0.7, 0.7, 0.69]
    history = History.from_lists(train_loss=train, val_loss=val, val_accuracy=accuracy, name=name)
    return diagnose(history, n_classes=10)


@pytest.mark.parametrize("task", TASKS)
def test_results_draw_their_own_chart_in_every_task(task: str):
    p = table(task)
    for result in (evaluate(p), compare(p)):
        assert "</svg>" in drawn(result.chart())


@pytest.mark.parametrize("task", SCORED)
@pytest.mark.parametrize(
    "chart", [charts.roc, charts.precision_recall, charts.reliability, charts.det]
)
def test_curves_are_drawn_for_every_task_with_scores(task: str, chart: Any):
    assert "</svg>" in drawn(chart(table(task)))


@pytest.mark.parametrize("task", SCORED)
def test_confusion_is_drawn_for_every_task_with_classes(task: str):
    assert "</svg>" in drawn(charts.confusion(table(task), "a"))


def test_a_gain_curve_finds_all_positive_rows_in_the_end_and_is_for_two_classes_only():
    rows = values_of(charts.gain(table("binary")))
    assert "</svg>" in drawn(charts.gain(table("binary")))
    assert max((row["x"], row["y"]) for row in rows) == (1, 1)
    with pytest.raises(UnsupportedError, match="positive class"):
        charts.gain(table("multiclass"))


def test_the_axes_of_a_det_curve_name_rates_and_not_normal_deviates():
    svg = drawn(charts.det(table("binary")))
    assert "10 %" in svg
    assert "40 %" in svg


def test_residuals_are_drawn_for_regression_and_for_nothing_else():
    assert "</svg>" in drawn(charts.residuals(table("regression")))
    with pytest.raises(UnsupportedError, match="needs value"):
        charts.residuals(table("binary"))


def test_curves_of_models_that_give_labels_only_are_refused_with_the_reason():
    p = Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
    for chart in (charts.roc, charts.precision_recall, charts.reliability):
        with pytest.raises(UnsupportedError, match="no model of this binary table gives"):
            chart(p)


def test_a_diagnosis_draws_its_curves_with_best_epoch_good_range_and_onset():
    diagnosis = overfit_run()
    rows = values_of(diagnosis.chart())
    run = diagnosis.runs[0]
    assert {"epoch": run.best_epoch, "word": f"best {run.best_epoch}"} in rows
    assert {"epoch": run.onset, "word": f"overfitting {run.onset}"} in rows
    assert {"from": run.good_range[0], "to": run.good_range[1]} in rows
    assert "</svg>" in drawn(diagnosis.chart())


def test_a_loss_that_is_not_a_number_is_a_tick_at_the_top_and_not_a_point():
    bad = [1.0, 0.8, math.nan, math.nan]
    diagnosis = diagnose(History.from_lists(train_loss=bad, val_loss=bad))
    rows = values_of(charts.training_curves(diagnosis))
    assert {"epoch": 3.0, "word": "nan or inf"} in rows
    assert "nan or inf" in drawn(diagnosis.chart())


def test_a_run_without_validation_loss_is_drawn():
    assert "</svg>" in drawn(diagnose(History.from_lists(train_loss=[1.0, 0.5, 0.4])).chart())


def test_long_runs_keep_their_lowest_and_highest_values():
    values = [1 / (1 + i) for i in range(5000)]
    values[3210] = 5.0
    run = diagnose(History.from_lists(train_loss=values, val_loss=values)).runs[0]
    rows = [
        row["value"]
        for row in values_of(charts.loss_curve(run))
        if row.get("split") == "validation"
    ]
    assert len(rows) <= 2 * 200  # as logged, and their running median
    assert max(rows) == 5.0
    assert min(rows) == min(values)


def test_a_fusion_draws_the_loss_of_every_model_and_of_the_fused_one():
    fused = fuse(table("multiclass"), "mean")
    assert {row["model"] for row in values_of(fused.chart())} == {"a", "b", "fused"}
    assert "</svg>" in drawn(fused.chart())


def test_the_leaderboard_is_ordered_by_the_direction_of_the_metric():
    p = table("multiclass")
    for metric in ("log_loss", "accuracy"):
        evaluation = evaluate(p, metric)
        values = [row["value"] for row in values_of(charts.leaderboard(evaluation, metric))]
        sign = 1 if METRICS.parse(metric).better == "lower" else -1
        assert all(sign * a <= sign * b for a, b in pairwise(values))


def test_the_leaderboard_shades_the_tied_set_of_the_comparison():
    p = table("multiclass").append("c", proba=table("multiclass").outputs["a"]["proba"])
    comparison = compare(p, "accuracy")
    chart = charts.leaderboard(evaluate(p, "accuracy"), "accuracy", comparison)
    assert {row["model"] for row in values_of(chart) if row.get("tied")} == set(comparison.tied)
    assert len(comparison.tied) > 1


def test_an_undefined_value_on_the_leaderboard_says_why():
    p = Predictions.from_arrays(
        ["a", "b"] * 9, {"m": ["a", "b"] * 9, "q": np.tile([0.5, 0.5], (18, 1))}
    )
    rows = {row["model"]: row for row in values_of(charts.leaderboard(evaluate(p, "roc_auc")))}
    assert rows["m"]["value"] is None
    assert rows["m"]["why"] == "undefined: gives no score"


def test_a_leaderboard_without_any_defined_value_says_so():
    p = Predictions.from_arrays(["a"] * 9, {"q": np.tile([0.5, 0.5], (9, 1))}, classes=["a", "b"])
    assert "undefined" in drawn(charts.leaderboard(evaluate(p, "roc_auc")))


def test_a_baseline_far_away_is_told_in_words_so_that_the_models_stay_apart():
    p = Predictions.from_arrays(
        ["a", "b"] * 200, {"m": ["a", "b"] * 199 + ["a", "a"], "far": ["b", "a"] * 200}
    )
    chart = charts.leaderboard(evaluate(p, "accuracy"), baseline="far")
    assert (
        next(row for row in values_of(chart) if row["model"] == "far")["why"]
        == "0.0000, off the axis"
    )


def test_metrics_of_one_value_a_class_have_no_leaderboard():
    p = table("multiclass")
    with pytest.raises(UnsupportedError, match="no metric here gives one value a model"):
        charts.leaderboard(evaluate(p, "f1(average=none)"))


def test_differences_put_the_better_model_first():
    p = table("multiclass")
    comparison = compare(p, "log_loss")
    (row,) = values_of(charts.differences(comparison))
    worse = next(m for m in p.models if m != comparison.best)
    assert row["pair"] == f"{comparison.best} − {worse}"
    assert row["difference"] == pytest.approx(
        comparison.values[comparison.best] - comparison.values[worse]
    )


def test_the_chart_of_a_comparison_names_the_correction_that_was_used():
    """It once said Holm, whatever the correction was."""
    p = table("multiclass")
    controlled = compare(p, "log_loss", correction="benjamini_hochberg")
    assert "significant (Benjamini-Hochberg)" in str(controlled.chart().to_dict()["title"])
    assert "significant (Holm)" in str(compare(p, "log_loss").chart().to_dict()["title"])


def test_differences_of_a_single_model_say_that_there_is_nothing_to_compare():
    assert "nothing to compare" in drawn(compare(table("binary").select(["a"]), "accuracy").chart())


def test_past_fifteen_pairs_only_those_with_the_best_model_are_drawn():
    p = table("multiclass")
    for i in range(6):
        p = p.append(f"m{i}", proba=p.outputs["a"]["proba"])
    comparison = compare(p, "accuracy")
    assert len(comparison.pairs) == 28
    assert len(values_of(charts.differences(comparison))) == 7


def test_confusion_of_many_classes_shows_the_most_frequent_errors():
    rng = np.random.default_rng(0)
    classes = [f"c{i:02}" for i in range(40)]
    y = rng.choice(classes, 4000)
    said = np.where((y == "c07") & (rng.random(4000) < 0.9), "c08", y)
    p = Predictions.from_arrays(y, {"m": said}, classes=classes)
    assert charts.confusions(p, "m")[0][:2] == ("c07", "c08")
    assert "c07 → c08" in drawn(charts.confusion(p, "m"))


def test_counts_in_the_confusion_chart_are_those_of_the_table():
    p = Predictions.from_arrays(["a", "a", "b"], {"m": ["a", "b", "b"]})
    cells = {
        (row["row"], row["column"]): (row["n"], row["share"])
        for row in values_of(charts.confusion(p, "m"))
    }
    assert cells == {
        ("a", "a"): (1, 0.5),
        ("a", "b"): (1, 0.5),
        ("b", "a"): (0, 0),
        ("b", "b"): (1, 1),
    }


@pytest.mark.parametrize("task", SCORED)
def test_the_area_in_the_roc_legend_is_the_metric(task: str):
    p = table(task)
    for model in p.models:
        assert roc_curve(p, model).area == pytest.approx(
            evaluate(p.select([model]), "roc_auc", intervals=False).value
        )


@pytest.mark.parametrize("task", SCORED)
def test_the_drawn_roc_curve_has_nearly_the_area_of_the_whole_one(task: str):
    curve = roc_curve(table(task, n=20_000), "a")
    assert len(curve.x) <= 200
    assert float((np.diff(curve.x) * (curve.y[1:] + curve.y[:-1]) / 2).sum()) == pytest.approx(
        curve.area, abs=2e-3
    )


def test_average_precision_of_a_table_checked_by_hand():
    p = Predictions.from_arrays([0, 1, 0, 1], {"m.score": [0.1, 0.4, 0.35, 0.3]})
    curve = precision_recall_curve(p, "m")
    assert curve.area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert curve.x.tolist() == [0, 0.5, 1]


def test_average_precision_equals_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    p = random_table("binary", 3, n=200, ties=True, weighted=True)
    rows = p.rows("a")
    truth = rows.truth == p.schema.positive_code
    expected = sklearn.average_precision_score(truth, rows.score, sample_weight=p.weight)
    assert precision_recall_curve(p, "a").area == pytest.approx(expected)


def test_curves_of_one_class_alone_are_undefined():
    p = Predictions.from_arrays(
        ["a"] * 5, {"m": np.tile([0.5, 0.5], (5, 1))}, classes=["a", "b"], positive="b"
    )
    assert roc_curve(p, "m") is None
    assert precision_recall_curve(p, "m") is None
    assert "undefined" in drawn(charts.roc(p))


def test_the_precision_of_guessing_is_the_share_of_the_positive_class():
    assert (
        prevalence(Predictions.from_arrays([0, 0, 0, 1], {"m.score": [1.0, 2.0, 3.0, 4.0]})) == 0.25
    )


def test_reliability_bins_hold_every_row_and_their_own_interval():
    for task in SCORED:
        p = table(task)
        bins = reliability_bins(p, "a")
        assert sum(b.n for b in bins) == p.n * (p.schema.k if task == "multilabel" else 1)
        assert len(bins) <= 10
        assert all(b.low <= b.observed <= b.high for b in bins)


def test_residual_bins_show_bias():
    y = np.linspace(0, 10, 500)
    p = Predictions.from_arrays(y, {"m": y - 2}, task="regression")
    assert all(b.median == pytest.approx(2) for b in residual_bins(p, "m"))


def test_thinning_keeps_both_ends():
    x = np.linspace(0, 1, 9999)
    kept, _ = thin(x, np.sqrt(x))
    assert (kept[0], kept[-1]) == (0, 1)
    assert len(kept) <= 200


@pytest.mark.parametrize("task", [task for task in TASKS if task not in ("multioutput", *WRITTEN)])
def test_no_chart_grows_with_the_number_of_rows(task: str):
    p = table(task, n=20_000)
    made = (
        [charts.residuals(p)]
        if task == "regression"
        else [charts.roc(p), charts.reliability(p), charts.confusion(p, "a")]
    )
    assert all(len(values_of(chart)) <= 2 * 202 * 2 for chart in made)
    assert all(len(draw(chart, "c").svg) < 60_000 for chart in made)


def test_a_model_has_the_same_colour_in_both_curves():
    p = table("multiclass")
    found = []
    for chart in (charts.roc(p), charts.precision_recall(p)):
        scales = re.findall(
            r"'domain': (\['a .*?\]|\['b .*?\]), 'range': (\[.*?\])", str(chart.to_dict())
        )
        names, shades = (re.findall(r"'([^']*)'", part) for part in scales[0])
        found.append({name.split()[0]: shade for name, shade in zip(names, shades, strict=True)})
    assert found[0] == found[1]


def test_every_colour_has_a_twin_for_dark_pages():
    assert set(SERIES) <= set(DARK)


def test_equal_charts_are_equal_text():
    p = table("binary")
    assert draw(charts.roc(p), "c") == draw(charts.roc(p), "c")


def test_hostile_names_stay_text():
    bad = '<script>alert("x")</script>'
    p = Predictions.from_arrays(
        [bad, "b"] * 30, {bad: [bad, "b"] * 30, "</svg>": ["b", bad] * 30}, classes=[bad, "b"]
    )
    made = [
        charts.confusion(p, bad),
        evaluate(p, "accuracy").chart(),
        compare(p, "accuracy").chart(),
    ]
    for chart in [*made, overfit_run(bad).chart()]:
        svg = drawn(chart)
        assert "<script" not in svg
        assert svg.count("</svg>") == 1


def test_importing_charts_loads_no_drawing_library():
    code = "import sys, assay.charts, assay.reporting.report\n"
    code += "print({'altair', 'vl_convert', 'jinja2', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_row_of_no_weight_is_no_step_of_a_precision_recall_curve():
    y, score, weight = [1, 0, 1, 1], [0.9, 0.8, 0.7, 0.6], [0.0, 1.0, 1.0, 1.0]
    curve = precision_recall_curve(
        Predictions.from_arrays(y, {"a.score": score}, weight=weight), "a"
    )
    assert curve.y.tolist() == pytest.approx([1 / 2, 1 / 2, 2 / 3])


def falling_run(name: str, rate: float, n: int = 30) -> History:
    losses = [0.3 + math.exp(-rate * i) for i in range(n)]
    return History.from_lists(train_loss=losses, val_loss=[0.1 + v for v in losses], name=name)


def panels_of(chart: Any) -> list[dict[str, Any]]:
    spec = get_spec(chart)
    rows = spec.get("vconcat", [spec])
    return spec.get("concat") or [panel for row in rows for panel in row["hconcat"]]


def test_up_to_three_runs_have_a_row_each_and_more_have_small_panels_the_best_first():
    few = diagnose([falling_run("a", 0.2), falling_run("b", 0.3)])
    assert [p["title"]["text"] for p in panels_of(few.chart())] == ["a: loss", "b: loss"]
    many = diagnose([falling_run(f"run{i}", 0.1 + 0.1 * i) for i in range(4)])
    titles = [p["title"]["text"].split(":")[0] for p in panels_of(many.chart())]
    assert titles == [run.name for run in many.ranking.runs]


def test_small_panels_share_one_scale_and_of_very_many_the_first_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("assay.charts.training.MOST_PANELS", 4)
    diagnosis = diagnose([falling_run(f"run{i}", 0.1 + 0.01 * i, 8) for i in range(9)])
    chart = diagnosis.chart()
    panels = panels_of(chart)
    domains = {
        str(layer["encoding"]["y"]["scale"]["domain"])
        for panel in panels
        for layer in panel["layer"]
        if "domain" in (layer.get("encoding", {}).get("y", {}).get("scale") or {})
    }
    assert len(panels) == 4
    assert len(domains) == 1
    assert "first 4 of 9 runs" in chart.title.subtitle[0]


def test_the_running_median_is_drawn_over_a_curve_of_many_points_and_not_over_a_short_one():
    def count_lines(n: int) -> int:
        (panel,) = panels_of(diagnose(falling_run("a", 0.2, n)).chart())
        return sum(layer.get("mark", {}).get("type") == "line" for layer in panel["layer"])

    assert (count_lines(12), count_lines(60)) == (1, 2)


def test_the_loss_of_a_model_that_learned_nothing_is_a_dotted_line_where_it_is_near():
    history = falling_run("a", 0.2)
    assert {"value": 1.5, "word": "without learning"} in values_of(
        charts.loss_curve(diagnose(history, baseline=1.5).runs[0])
    )
    far = charts.loss_curve(diagnose(history, baseline=50.0).runs[0])
    assert not any(row.get("word") == "without learning" for row in values_of(far))
    assert "loss without learning 50" in far.to_dict()["title"]["subtitle"][0]
    guessed = charts.loss_curve(diagnose(history).runs[0])
    assert not any(row.get("word") == "without learning" for row in values_of(guessed))


def test_training_measured_twice_has_two_colours():
    history = History.from_lists(
        train_loss=[1.0, 0.5, 0.3], train_eval_loss=[0.9, 0.4, 0.2], val_loss=[1.0, 0.6, 0.5]
    )
    runs = diagnose([history, falling_run("b", 0.2)])
    scales = {
        str(layer["encoding"]["color"]["scale"])
        for panel in panels_of(runs.chart())
        for layer in panel["layer"]
        if "color" in layer.get("encoding", {})
    }
    assert len(scales) == 1
    assert len(set(re.findall("#[0-9a-f]{6}", scales.pop()))) == 3


def test_a_run_that_collapsed_has_no_range_of_good_epochs():
    history = History.from_lists(
        train_loss=[1e6, *[2.303] * 9], val_loss=[3.8] * 10, n_classes=10, name="net"
    )
    diagnosis = diagnose(history)
    assert diagnosis.runs[0].status == "collapsed"
    assert not any("from" in row for row in values_of(diagnosis.chart()))


@pytest.mark.slow
def test_a_run_of_a_million_points_is_a_small_picture():
    rng = np.random.default_rng(0)
    train = tuple((1 + rng.random(1_000_000)).tolist())
    steps = tuple(range(1_000_000))
    series = (
        Series("train", "loss", steps, train, "lower"),
        Series("val", "loss", steps[::1000], train[::1000], "lower"),
    )
    run = diagnose(History("long", series, unit="step")).runs[0]
    assert len(drawn(charts.loss_curve(run))) < 200_000
