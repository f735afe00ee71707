"""What stacking does that weights cannot, when it refuses, and that a peer has the same optimum."""

import numpy as np
import pytest
from click.testing import CliRunner

from assay.cli import cli
from assay.errors import ReadError, SchemaError, UnsupportedError
from assay.fusions.base import load_fitted
from assay.fusions.fuse import fuse
from assay.fusions.stacking import Stacking, read_inputs
from assay.fusions.weighted import Weighted
from assay.io.read_write import read, write
from assay.table.predictions import Predictions
from assay.testing.fusions import check_fusion


def proba_table(n=600, m=3, k=3, seed=0, sharpness=1.0, **columns):
    """Models that each see some of the evidence; a sharpness below 1 makes them under-confident."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    models = {}
    for j in range(m):
        logits = rng.normal(size=(n, k))
        logits[np.arange(n), y] += 1.5
        logits *= sharpness
        proba = np.exp(logits)
        models[f"m{j}.proba"] = proba / proba.sum(axis=1, keepdims=True)
    task = "multiclass" if k > 2 else "binary"
    return Predictions.from_arrays(y, models, classes=range(k), task=task, **columns)


def test_under_confident_members_are_sharpened():
    p = proba_table(2000, sharpness=0.3)
    stacked, weighted = fuse(p, "stacking"), fuse(p, "weighted")
    assert stacked.loss < 0.8 * weighted.loss
    assert stacked.pays


def test_a_member_whose_columns_are_permuted_is_read_right():
    p = proba_table(2000)
    swapped = {f"{m}.proba": p.outputs[m]["proba"] for m in p.models}
    swapped["m0.proba"] = swapped["m0.proba"][:, [1, 2, 0]]
    q = Predictions.from_arrays(p.truth, swapped, classes=range(3), task="multiclass")
    assert fuse(q, "stacking").loss == pytest.approx(fuse(p, "stacking").loss, rel=0.05)
    assert fuse(q, "weighted").loss > fuse(q, "stacking").loss + 0.01


def test_a_bias_of_the_members_is_undone():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    models = {"a": 2 * y + 5 + rng.normal(size=300) / 10, "b": y - 3 + rng.normal(size=300) / 10}
    p = Predictions.from_arrays(y, models, task="regression")
    assert fuse(p, "stacking").loss < 0.02
    assert fuse(p, "weighted").loss > 0.1


def test_a_strong_penalty_gives_the_product_of_the_members_with_equal_exponents():
    p = proba_table()
    column = Stacking(C=1e-9).fit(p).apply(p)["proba"]
    product = np.exp(np.mean([read_inputs(p, m, 1e-3) for m in p.models], axis=0))
    assert column == pytest.approx(product / product.sum(axis=1, keepdims=True), abs=1e-5)


def test_a_strong_penalty_gives_the_mean_of_values_without_their_common_bias():
    y = np.arange(200.0)
    p = Predictions.from_arrays(y, {"a": y + np.sin(y) + 1, "b": y + 3}, task="regression")
    value = Stacking(C=1e-12).fit(p).apply(p)["value"]
    plain = (p.outputs["a"]["value"] + p.outputs["b"]["value"]) / 2
    assert value == pytest.approx(plain - (plain - y).mean(), abs=1e-5)


def test_without_a_penalty_the_optimum_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    p = proba_table(800, m=2)
    inputs = np.concatenate([read_inputs(p, m, 1e-3) for m in p.models], axis=1)
    peer = linear_model.LogisticRegression(C=1e6, max_iter=10_000, tol=1e-8).fit(inputs, p.truth)
    column = Stacking(C=1e6).fit(p).apply(p)["proba"]
    assert column == pytest.approx(peer.predict_proba(inputs), abs=1e-3)


def test_labels_are_stacked_each_by_itself():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, (500, 2))
    models = {f"{m}.proba": rng.beta(1 + 2 * y, 1 + 2 * (1 - y)) for m in "ab"}
    p = Predictions.from_arrays(y, models, task="multilabel")
    column = Stacking(C=1e6).fit(p).apply(p)["proba"]
    inputs = np.stack([read_inputs(p, m, 1e-3)[:, 1] for m in "ab"], axis=1)
    peer = linear_model.LogisticRegression(C=1e8, max_iter=1000).fit(inputs, y[:, 1])
    assert column[:, 1] == pytest.approx(peer.predict_proba(inputs)[:, 1], abs=0.01)


def test_logits_and_their_probabilities_stack_to_the_same():
    p = proba_table()
    logits = {f"{m}.logit": 7 + np.log(p.outputs[m]["proba"]) for m in p.models}
    q = Predictions.from_arrays(p.truth, logits, classes=range(3), task="multiclass")
    a, b = (Stacking().fit(table).apply(table)["proba"] for table in (p, q))
    assert a == pytest.approx(b, abs=1e-6)


def test_scaling_the_weights_of_rows_changes_nothing():
    weight = np.random.default_rng(0).gamma(2, size=600)
    a, b = (Stacking().fit(proba_table(weight=weight * scale)) for scale in (1, 1000))
    assert a.coef == pytest.approx(b.coef, abs=1e-6)


def test_a_scale_of_the_truth_scales_the_values():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    models = {m: y + rng.normal(size=200) for m in "ab"}
    small = Predictions.from_arrays(y, models, task="regression")
    large = Predictions.from_arrays(
        1e6 * y, {m: 1e6 * v for m, v in models.items()}, task="regression"
    )
    a, b = (Stacking().fit(p).apply(p)["value"] for p in (small, large))
    assert 1e6 * a == pytest.approx(b)


def test_classes_in_another_order_are_the_same_classes():
    p = proba_table()
    order = [2, 0, 1]
    models = {f"{m}.proba": p.outputs[m]["proba"][:, order] for m in p.models}
    q = Predictions.from_arrays(p.truth, models, classes=order, task="multiclass")
    fitted = Stacking().fit(p)
    assert np.array_equal(fitted.apply(p)["proba"][:, order], fitted.apply(q)["proba"])


def test_every_member_must_be_there():
    p = proba_table()
    with pytest.raises(SchemaError, match="needs model 'm2'"):
        Stacking().fit(p).apply(p.select(["m0", "m1"]))


def test_too_few_rows_are_refused_with_the_reason_and_the_remedy():
    with pytest.raises(
        UnsupportedError,
        match=r"3 models \(9 inputs\) needs at least 100 rows .* has 99\..*how='weighted'",
    ):
        fuse(proba_table(99), "stacking")
    with pytest.raises(UnsupportedError, match=r"\(30 inputs\) needs at least 300 rows"):
        fuse(proba_table(299, k=10), "stacking")
    assert fuse(proba_table(100), "stacking").how == "stacking"
    assert fuse(proba_table(60), "stacking(min_rows=60)").how == "stacking(min_rows=60)"


def test_training_rows_do_not_count_as_rows_to_fit_on():
    split = ["train"] * 300 + ["test"] * 60
    with pytest.raises(UnsupportedError, match="the table has 60"):
        fuse(proba_table(360, split=split), "stacking")


def test_labels_alone_cannot_be_stacked():
    y = [0, 1] * 100
    with pytest.raises(UnsupportedError, match="stacking needs probabilities"):
        fuse(Predictions.from_arrays(y, {"a": y, "b": y}), "stacking")


@pytest.mark.parametrize("how", ["stacking(C=0)", "stacking(floor=0)", "stacking(floor=0.5)"])
def test_parameters_out_of_range_are_refused(how):
    with pytest.raises(UnsupportedError, match="must be"):
        fuse(proba_table(), how)


def test_a_class_missing_from_the_rows_of_a_fit_keeps_some_probability():
    p = proba_table(300, k=4)
    kept = p.take(p.truth != 3)
    column = Stacking().fit(kept).apply(p)["proba"]
    assert np.isfinite(column).all()
    assert column[:, 3].min() > 0


def test_coefficients_of_another_shape_are_refused(tmp_path):
    fitted = Stacking().fit(proba_table())
    header, arrays = fitted.dump()
    with pytest.raises(ValueError, match="shape"):
        type(fitted).load(header, {**arrays, "coef": arrays["coef"][:1]})
    fitted.save(tmp_path / "stack.npz")
    content = (tmp_path / "stack.npz").read_bytes()
    (tmp_path / "stack.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ReadError, match="no fitted fusion"):
        load_fitted(tmp_path / "stack.npz")


def test_stacking_keeps_the_laws_of_its_family():
    check_fusion("stacking(min_rows=20)")


def test_stacking_is_one_more_way_of_the_command_line(tmp_path):
    write(proba_table(), tmp_path / "p.parquet")
    out = tmp_path / "fused.parquet"
    for how in ("stacking", "stack"):
        run = CliRunner().invoke(
            cli, ["fuse", str(tmp_path / "p.parquet"), "--how", how, "-o", str(out)]
        )
        assert run.exit_code == 0, run.output
        assert "stacking of 3 models" in run.output
        assert read(out).models == ["m0", "m1", "m2", "fused"]


def test_fitting_weights_on_the_stacked_column_keeps_it():
    p = fuse(proba_table(2000, sharpness=0.3), "stacking").predictions
    assert Weighted(shrink=0).fit(p).weights["fused"] > 0.9
