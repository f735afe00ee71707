"""Stacking by any estimator, on columns beside the models, in layers."""

import numpy as np
import pytest

from assay.errors import UnsupportedError
from assay.fusions.base import load_fitted
from assay.fusions.fuse import fuse
from assay.fusions.stacking import Stacking
from assay.table.predictions import Predictions

sklearn = pytest.importorskip("sklearn")


def draw(task: str, n: int = 300, seed: int = 0) -> tuple[Predictions, np.ndarray, np.ndarray]:
    """A table of two models with a column x, its inputs for scikit-learn, and the truth."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    if task == "regression":
        y = rng.normal(size=n) + x
        outputs = {name: y + rng.normal(size=n) for name in "ab"}
        p = Predictions.from_arrays(y, outputs, task=task, groups={"x": x})
        return p, np.column_stack([*outputs.values(), x]), y
    k = 2 if task == "binary" else 3
    y = rng.integers(0, k, n)
    proba = {}
    for name in "ab":
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += 1
        proba[f"{name}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p = Predictions.from_arrays(y, proba, task=task, classes=range(k), groups={"x": x})
    columns = [q[:, 1:] if k == 2 else q for q in proba.values()]
    return p, np.column_stack([*columns, x]), y


@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_stacked_estimator_is_that_of_scikit_learn(task, passthrough):
    """The final estimator of StackingClassifier and StackingRegressor, on the same inputs."""
    from sklearn.ensemble import StackingClassifier, StackingRegressor
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.naive_bayes import GaussianNB

    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2))
    cv = KFold(4)
    if task == "regression":
        y = X @ [1.0, 2.0] + rng.normal(size=200)
        models = [("a", LinearRegression()), ("b", Ridge(10))]
        final, cls, method = Ridge(0.5), StackingRegressor, "predict"
    else:
        k = 2 if task == "binary" else 3
        y = rng.integers(0, k, 200)
        X[:, 0] += y
        models = [("a", LogisticRegression()), ("b", GaussianNB())]
        final, cls, method = LogisticRegression(C=0.7), StackingClassifier, "predict_proba"
    theirs = cls(models, final, cv=cv, passthrough=passthrough).fit(X, y)
    oof = {name: cross_val_predict(model, X, y, cv=cv, method=method) for name, model in models}
    now = {name: getattr(model.fit(X, y), method)(X) for name, model in models}
    kind = "" if task == "regression" else ".proba"
    groups = {"x0": X[:, 0], "x1": X[:, 1]}
    extra = {"task": task} if task == "regression" else {"task": task, "classes": range(k)}
    tables = [
        Predictions.from_arrays(
            y, {f"{m}{kind}": q for m, q in said.items()}, groups=groups, **extra
        )
        for said in (oof, now)
    ]
    features = "x0|x1" if passthrough else ""
    fitted = Stacking(estimator=final, features=features).fit(tables[0])
    ours = fitted.apply(tables[1])[fitted.kind]
    assert np.abs(ours - getattr(theirs, method)(X)).max() < 1e-12


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_default_regression_reads_columns_and_is_saved_with_them(task, tmp_path):
    p, _, _ = draw(task)
    rng = np.random.default_rng(2)
    kind = "value" if task == "regression" else "proba"
    helpful = p.truth + rng.normal(size=p.n) * 0.3
    table = Predictions.from_arrays(
        p.truth,
        {f"{m}.{kind}": p.outputs[m][kind] for m in p.models},
        task=task,
        groups={"x": helpful},
    )
    fused = fuse(table, "stacking", features=["x"])
    assert fused.loss < 0.8 * fuse(table, "stacking").loss
    fused.save(tmp_path / "stack")
    read = load_fitted(tmp_path / "stack")
    assert read == fused.fitted
    assert np.array_equal(read.apply(table)[kind], fused.fitted.apply(table)[kind])


def test_a_named_estimator_undoes_what_no_linear_one_can():
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    models = {"a": np.abs(y) + rng.normal(size=400) * 0.05, "b": np.sign(y) * 2.0}
    p = Predictions.from_arrays(y, models, task="regression")
    assert fuse(p, "stacking(estimator=boosting)").loss < 0.5 * fuse(p, "stacking").loss


def test_a_layer_reads_what_the_one_before_says_of_rows_it_has_not_seen():
    p, _, _ = draw("binary")
    fused = fuse(p, "stacking(estimator=linear, layers=2)")
    assert len(fused.fitted.layers) == 2
    assert fused.loss < 1.05 * fuse(p, "stacking(estimator=linear)").loss


def test_what_would_take_a_pickle_is_not_saved_and_says_so(tmp_path):
    p, _, _ = draw("binary")
    with pytest.raises(UnsupportedError, match="would have to be pickled"):
        fuse(p, "stacking(estimator=linear)").save(tmp_path / "stack")
    assert not (tmp_path / "stack").exists()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("stacking(estimator=nothing)", "no estimator is named 'nothing'"),
        ("stacking(estimator=sklearn.svm.LinearSVC)", "LinearSVC has no predict_proba"),
        ("stacking(layers=0)", "layers of stacking must be 1 or more"),
        ("stacking(layers=2)", r"stacking\(estimator=boosting, layers=2\)"),
        ("stacking(estimator=linear, min_rows=1000)", "needs at least 1000 rows"),
    ],
)
def test_estimators_that_cannot_be_stacked_are_refused(how, told):
    p, _, _ = draw("binary")
    with pytest.raises(UnsupportedError, match=told):
        fuse(p, how)
