"""Fusions whose weights depend on the row or the class: they win where they must, there alone."""

from typing import Any

import numpy as np
import pytest

from assay.errors import SchemaError, UnsupportedError
from assay.fusions.base import load_fitted
from assay.fusions.fuse import fuse
from assay.table.predictions import Predictions

REGIONS = ("gated(features=x|y)", "neighbours(features=x|y)")


def draw(task: str, n: int = 1000, alike: bool = False, seed: int = 0) -> Predictions:
    """Four models, each good in a quarter of a plane, or all of them `alike` everywhere."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(-1, 1, (n, 2))
    quarter = (place[:, 0] > 0) + 2 * (place[:, 1] > 0)
    groups = {"x": place[:, 0], "y": place[:, 1]}
    models: dict[str, Any] = {}
    if task == "regression":
        truth = rng.normal(size=n)
        for j in range(4):
            noise = 0.7 if alike else np.where(quarter == j, 0.2, 1.0)
            models[f"m{j}"] = truth + rng.normal(size=n) * noise
        return Predictions.from_arrays(truth, models, task=task, groups=groups)
    if task == "multilabel":
        truth = rng.integers(0, 2, (n, 2))
        for j in range(4):
            z = rng.normal(size=(n, 2))
            size = np.full(n, 0.8) if alike else np.where(quarter == j, 3, 0)
            z += (2 * truth - 1) * size[:, None]
            models[f"m{j}.proba"] = 1 / (1 + np.exp(-z))
        return Predictions.from_arrays(truth, models, task=task, classes=["a", "b"], groups=groups)
    k = 2 if task == "binary" else 3
    truth = rng.integers(0, k, n)
    for j in range(4):
        z = rng.normal(size=(n, k))
        z[np.arange(n), truth] += 1.5 if alike else np.where(quarter == j, 4, 0)
        models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Predictions.from_arrays(truth, models, task=task, classes=range(k), groups=groups)


def compare(p: Predictions, how: str) -> tuple[float, float]:
    """By how much the fusion loses more than `weighted` on each row, and the error of that."""
    losses = []
    for one in ("weighted", how):
        column = fuse(p, one).predictions.outputs["fused"]
        if p.task == "regression":
            losses.append((column["value"] - p.truth) ** 2)
        elif p.task == "multilabel":
            of_truth = np.where(p.truth, column["proba"], 1 - column["proba"])
            losses.append(-np.log(of_truth).mean(axis=1))
        else:
            losses.append(-np.log(column["proba"][np.arange(p.n), p.truth]))
    away = losses[1] - losses[0]
    return float(away.mean()), float(away.std(ddof=1) / np.sqrt(p.n))


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("how", REGIONS)
def test_where_each_model_is_good_in_its_own_region_weights_of_the_row_win(task, how):
    more, error = compare(draw(task), how)
    assert more < -5 * error


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("how", REGIONS)
def test_where_models_are_alike_everywhere_weights_of_the_row_lose_next_to_nothing(task, how):
    p = draw(task, alike=True)
    more, error = compare(p, how)
    assert more < max(3 * error, 0.02 * fuse(p, "weighted").loss)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_without_columns_the_gate_reads_how_sure_the_models_are(task):
    more, error = compare(draw(task), "gated")
    assert more < -3 * error


def test_models_that_each_know_one_class_get_weights_of_their_own_there():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 900)
    models = {}
    for j in range(3):
        z = rng.normal(size=(900, 3)) * 0.2
        z[:, j] += np.where(y == j, 2.5, -2.5)
        models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p = Predictions.from_arrays(y, models, classes=range(3))
    fused = fuse(p, "per_class")
    assert (fused.fitted.weights.diagonal() > 0.6).all()
    more, error = compare(p, "per_class")
    assert more < -5 * error


def test_where_no_model_knows_a_class_better_weights_of_a_class_are_nearly_the_common_ones():
    more, error = compare(draw("multiclass", alike=True), "per_class")
    assert more < 3 * error + 1e-4
    assert abs(more) < 0.01


def test_weights_of_each_label_are_those_of_its_own_table():
    p = draw("multilabel", alike=True)
    found = fuse(p, "per_class(shrink=0)").fitted.weights
    one = Predictions.from_arrays(
        p.truth[:, 1], {f"{m}.proba": p.outputs[m]["proba"][:, 1] for m in p.models}
    )
    alone = fuse(one, "weighted(shrink=0)").fitted.weights
    assert found[:, 1] == pytest.approx(list(alone.values()), abs=1e-3)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("how", [*REGIONS, "gated", "per_class"])
def test_a_saved_one_gives_new_rows_what_the_fitted_one_gives_them(task, how, tmp_path):
    p, new = draw(task, 200), draw(task, 50, seed=9)
    if how == "per_class" and task == "regression":
        return
    fused = fuse(p, how)
    fused.save(tmp_path / "fusion")
    read = load_fitted(tmp_path / "fusion")
    assert read == fused.fitted
    assert np.array_equal(read.apply(new)[read.kind], fused.fitted.apply(new)[read.kind])
    whole = read.apply(new)[read.kind]
    parts = [read.apply(batch)[read.kind] for batch in new.batches(7)]
    assert np.allclose(whole, np.concatenate(parts), rtol=1e-12, atol=1e-12)


def test_texts_are_features_too():
    p = draw("multiclass", 600)
    side = np.where(np.asarray(p.columns["x"], float) > 0, "right", "left")
    high = np.where(np.asarray(p.columns["y"], float) > 0, "high", "low")
    texts = Predictions.from_arrays(
        p.truth,
        {f"{m}.proba": p.outputs[m]["proba"] for m in p.models},
        classes=range(3),
        groups={"side": side, "high": high},
    )
    more, error = compare(texts, "gated(features=side|high)")
    assert more < -5 * error


def test_columns_that_cannot_be_features_are_refused_with_what_to_do(tmp_path):
    p = draw("regression", 100)
    with pytest.raises(SchemaError, match=r"no column is named 'z'.*further columns are: x, y"):
        fuse(p, "gated", features=["z"])
    with pytest.raises(UnsupportedError, match=r"neighbours needs the columns.*--features x,y"):
        fuse(p, "neighbours")
    with pytest.raises(UnsupportedError, match="weighted reads no further columns"):
        fuse(p, "weighted", features=["x"])
    gap = np.where(np.arange(100) == 7, np.nan, 1.0)
    holes = Predictions.from_arrays(
        p.truth, {m: p.outputs[m]["value"] for m in p.models}, groups={"x": gap}, task="regression"
    )
    with pytest.raises(UnsupportedError, match="column 'x' has 1 missing values"):
        fuse(holes, "gated", features=["x"])
    names = [f"row {i}" for i in range(100)]
    many = Predictions.from_arrays(
        np.tile(p.truth, 2),
        {m: np.tile(p.outputs[m]["value"], 2) for m in p.models},
        groups={"x": [f"{name} {i}" for i in range(2) for name in names]},
        task="regression",
    )
    with pytest.raises(UnsupportedError, match="column 'x' has 200 different texts"):
        fuse(many, "gated", features=["x"])
    fitted = fuse(p, "gated", features=["x"]).fitted
    bare = Predictions.from_arrays(
        p.truth, {m: p.outputs[m]["value"] for m in p.models}, task="regression"
    )
    with pytest.raises(SchemaError, match="no column is named 'x'"):
        fitted.apply(bare)


@pytest.mark.parametrize(
    "how", ["gated(shrink=0)", "per_class(shrink=-1)", "neighbours(k=0)", "neighbours(shrink=0)"]
)
def test_parameters_out_of_range_are_refused(how):
    with pytest.raises(UnsupportedError, match=how.split("(")[0]):
        fuse(draw("multiclass", 60), how)


def test_weights_of_classes_are_not_of_values():
    with pytest.raises(UnsupportedError, match="per_class is of classes"):
        fuse(draw("regression", 60), "per_class")
