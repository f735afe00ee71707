"""Boosters and estimators of XGBoost, LightGBM and CatBoost: what their numbers are."""

import warnings

import numpy as np
import pytest

import assay
from assay.adapters.base import find_adapter
from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.testing.adapters import check_adapter

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")
catboost = pytest.importorskip("catboost")

RNG = np.random.default_rng(7)
X = RNG.normal(size=(240, 4))
LOGIT = 2 * X[:, 0] - X[:, 1] + RNG.normal(size=240)
Y = (LOGIT > 0).astype(int)
Y3 = np.digitize(LOGIT, [-1, 1])
ANIMALS = np.array(["cat", "dog", "ant"])[Y3]
AMOUNT = LOGIT + 5
QUIET = {"verbose": -1, "num_threads": 1}

pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")


def boost(objective, y, rounds=6, **options):
    options = {"objective": objective, "nthread": 1, **options}
    return xgboost.train(options, xgboost.DMatrix(X, y), rounds)


def grow(objective, y, rounds=6, **options):
    options = {"objective": objective, **QUIET, "min_data_in_leaf": 5, **options}
    return lightgbm.train(options, lightgbm.Dataset(X, y), rounds)


def fit_catboost(cls, y, **options):
    options = {"iterations": 6, "verbose": 0, "thread_count": 1, **options}
    options["allow_writing_files"] = False
    model = cls(options) if cls is catboost.CatBoost else cls(**options)
    return model.fit(X, y)


def square(predicted, data):
    """A loss of one's own: half the squared error of the margin."""
    return predicted - data.get_label(), np.ones_like(predicted)


def square_of(truth, predicted):
    return predicted - truth, np.ones_like(predicted)


MODELS = {
    "xgboost estimator": lambda: (xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(X, Y3), Y3),
    "xgboost regressor": lambda: (
        xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(X, AMOUNT),
        AMOUNT,
    ),
    "xgboost booster": lambda: (boost("binary:logistic", Y), Y),
    "xgboost of 3": lambda: (boost("multi:softprob", Y3, num_class=3), Y3),
    "xgboost margins": lambda: (boost("binary:logitraw", Y), Y),
    "lightgbm estimator": lambda: (
        lightgbm.LGBMClassifier(n_estimators=5, **QUIET).fit(X, ANIMALS),
        ANIMALS,
    ),
    "lightgbm booster": lambda: (grow("binary", Y), Y),
    "lightgbm of 3": lambda: (grow("multiclass", Y3, num_class=3), Y3),
    "lightgbm numbers": lambda: (grow("regression", AMOUNT), AMOUNT),
    "catboost estimator": lambda: (
        fit_catboost(catboost.CatBoostClassifier, ANIMALS),
        ANIMALS,
    ),
    "catboost base": lambda: (
        fit_catboost(catboost.CatBoost, Y3, loss_function="MultiClass"),
        Y3,
    ),
    "catboost regressor": lambda: (
        fit_catboost(catboost.CatBoostRegressor, AMOUNT),
        AMOUNT,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_booster_and_estimator_keeps_the_laws_of_adapters(name):
    model, y = MODELS[name]()
    assert find_adapter(model).name == name.split()[0]
    check_adapter(model, X[:12], y[:12], classes=sorted(set(y.tolist())) if y is Y3 else None)


@pytest.mark.parametrize(
    "objective, kind",
    [
        ("binary:logistic", "proba"),
        ("reg:logistic", "proba"),
        ("binary:logitraw", "logit"),
        ("binary:hinge", "label"),
        ("rank:pairwise", "score"),
    ],
)
def test_margins_and_probabilities_of_xgboost_are_told_by_the_objective(objective, kind):
    data = xgboost.DMatrix(X, Y)
    if objective.startswith("rank"):
        data.set_group([240])
    booster = xgboost.train({"objective": objective, "nthread": 1}, data, 6)
    p = collect({"m": booster}, X, Y)
    assert p.schema.models == {"m": (kind,)}
    assert evaluate(p, "accuracy" if kind == "label" else "roc_auc").value > 0.85


def test_an_objective_of_labels_gives_the_margins_that_they_are_the_largest_of():
    booster = boost("multi:softmax", Y3, num_class=3)
    p = collect({"m": booster}, X, Y3)
    assert p.schema.models == {"m": ("logit",)}
    assert np.array_equal(p.rows("m").label, booster.predict(xgboost.DMatrix(X)))


def test_the_logitraw_estimator_gives_labels_where_the_margin_is_above_0():
    """Its own predict_proba gives [1 - margin, margin], and its predict cuts the margin at 0.5."""
    model = xgboost.XGBClassifier(objective="binary:logitraw", n_estimators=5, n_jobs=1).fit(X, Y)
    p = collect({"m": model}, X, Y)
    margin = model.predict(X, output_margin=True)
    assert p.outputs["m"]["logit"][:, 1] == pytest.approx(margin)
    assert np.array_equal(p.outputs["m"]["label"], margin > 0)


def test_an_objective_of_ones_own_gives_margins_and_no_probabilities():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = {
            "x": xgboost.XGBClassifier(objective=square_of, n_estimators=5, n_jobs=1).fit(X, Y),
            "l": lightgbm.LGBMClassifier(objective=square_of, n_estimators=5, **QUIET).fit(X, Y),
        }
        p = collect(models, X, Y)
    assert p.schema.models == {"x": ("logit",), "l": ("logit",)}
    assert (evaluate(p, "roc_auc").to_pandas()["value"] > 0.85).all()


def test_a_booster_of_an_objective_of_ones_own_is_asked_what_it_gives():
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, Y), 6, obj=square)
    assert collect({"m": booster}, X, Y).task == "regression"
    p = collect({"m": booster}, X, Y, task="binary", kinds={"m": "logit"})
    assert p.schema.models == {"m": ("logit",)}
    grown = lightgbm.train(
        {"objective": square, **QUIET}, lightgbm.Dataset(X, Y), num_boost_round=6
    )
    assert collect({"m": grown}, X, Y).schema.models == {"m": ("logit",)}
    assert collect({"m": grown}, X, AMOUNT, task="regression").task == "regression"


def test_early_stopping_predicts_by_the_best_iteration_and_says_so():
    """Booster.predict takes all trees (xgboost 3.2), the estimators those up to the best."""
    half = xgboost.DMatrix(X[:120], Y[:120])
    rest = xgboost.DMatrix(X[120:], 1 - Y[120:])
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1},
        half,
        30,
        evals=[(rest, "val")],
        early_stopping_rounds=4,
        verbose_eval=False,
    )
    best = booster.best_iteration + 1
    assert best < booster.num_boosted_rounds()
    p = collect({"m": booster}, X, Y)
    expected = booster.predict(xgboost.DMatrix(X), iteration_range=(0, best))
    assert p.outputs["m"]["proba"][:, 1] == pytest.approx(expected)
    assert f"first {best} of {booster.num_boosted_rounds()} rounds" in p.notes[0]


def test_data_of_the_frameworks_bring_their_truth():
    booster = boost("binary:logistic", Y)
    from_matrix = collect({"m": booster}, xgboost.DMatrix(X, Y))
    assert from_matrix == collect({"m": booster}, X, Y)
    assert collect({"m": booster}, xgboost.DMatrix(X, Y), batch_size=70) == from_matrix
    model = fit_catboost(catboost.CatBoostClassifier, ANIMALS)
    pool = catboost.Pool(X, ANIMALS)
    assert collect({"m": model}, pool) == collect({"m": model}, X, ANIMALS)
    assert collect({"m": model}, pool, batch_size=70) == collect({"m": model}, pool)


def test_arrays_are_given_the_feature_names_of_the_booster_and_frames_keep_theirs():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(frame, Y), 4
    )
    assert collect({"m": booster}, X, Y) == collect({"m": booster}, frame, Y)
    with pytest.raises(UnsupportedError, match="cannot predict these inputs"):
        collect({"m": booster}, frame[list("dcba")], Y)


@pytest.mark.parametrize("framework", ["lightgbm", "catboost"])
def test_one_against_rest_probabilities_are_divided_by_their_sum_and_the_note_says_so(framework):
    if framework == "lightgbm":
        model = lightgbm.LGBMClassifier(objective="multiclassova", n_estimators=6, **QUIET)
        raw = model.fit(X, Y3).predict_proba(X)
    else:
        options = {"loss_function": "MultiClassOneVsAll"}
        model = fit_catboost(catboost.CatBoostClassifier, Y3, **options)
        raw = model.predict_proba(X)
    assert np.abs(raw.sum(axis=1) - 1).max() > 1e-3
    p = collect({"m": model}, X, Y3)
    assert p.outputs["m"]["proba"] == pytest.approx(raw / raw.sum(axis=1, keepdims=True))
    assert np.array_equal(p.outputs["m"]["label"], np.ravel(model.predict(X)))
    assert "divided by their sum" in p.notes[0]


def test_intensities_of_cross_entropy_lambda_become_probabilities():
    """Its predict gives log(1 + exp(f)), which may lie above 1 (lightgbm 4.7)."""
    booster = grow("cross_entropy_lambda", Y, rounds=40)
    raw = booster.predict(X)
    assert raw.max() > 1
    p = collect({"m": booster}, X, Y)
    assert p.outputs["m"]["proba"][:, 1] == pytest.approx(1 - np.exp(-raw))


def test_the_base_class_of_catboost_gives_probabilities_and_amounts_like_the_others():
    """CatBoost.predict gives raw values and logarithms (catboost 1.2)."""
    options = {"loss_function": "Logloss"}
    base = fit_catboost(catboost.CatBoost, Y, **options)
    derived = fit_catboost(catboost.CatBoostClassifier, Y, **options)
    p = collect({"base": base, "derived": derived}, X, Y)
    assert p.outputs["base"]["proba"] == pytest.approx(p.outputs["derived"]["proba"])
    counts = np.round(np.exp(X[:, 0]))
    options = {"loss_function": "Poisson"}
    base = fit_catboost(catboost.CatBoost, counts, **options)
    derived = fit_catboost(catboost.CatBoostRegressor, counts, **options)
    p = collect({"base": base, "derived": derived}, X, counts)
    assert p.outputs["base"]["value"] == pytest.approx(derived.predict(X))


def test_numbers_as_text_are_matched_by_name_though_catboost_orders_them_as_numbers():
    y = np.array(["10", "9", "2"])[Y3]
    model = fit_catboost(catboost.CatBoostClassifier, y)
    assert [str(label) for label in model.classes_] == ["2", "9", "10"]
    p = collect({"m": model}, X, y)
    assert p.classes == ("10", "2", "9")
    assert np.array_equal(p.outputs["m"]["proba"].argmax(axis=1), p.outputs["m"]["label"])
    assert evaluate(p, "accuracy").value > 0.6


def test_the_mean_of_a_loss_with_uncertainty_is_the_value():
    model = fit_catboost(catboost.CatBoostRegressor, AMOUNT, loss_function="RMSEWithUncertainty")
    p = collect({"m": model}, X, AMOUNT)
    assert p.outputs["m"]["value"] == pytest.approx(model.predict(X)[:, 0])
    assert "variance is left out" in p.notes[0]


def test_several_numbers_a_row_are_refused_and_named():
    options = {"quantile_alpha": [0.1, 0.5, 0.9]}
    model = xgboost.XGBRegressor(objective="reg:quantileerror", n_estimators=3, n_jobs=1, **options)
    with pytest.raises(UnsupportedError, match=r"3 quantiles a row \(objective reg:quantileerror"):
        collect({"m": model.fit(X, AMOUNT)}, X, AMOUNT)
    loss = "MultiQuantile:alpha=0.1,0.5,0.9"
    model = fit_catboost(catboost.CatBoostRegressor, AMOUNT, loss_function=loss)
    with pytest.raises(UnsupportedError, match="3 quantiles a row"):
        collect({"m": model}, X, AMOUNT)


def test_several_labels_are_multilabel():
    y = np.stack([Y, 1 - Y, X[:, 2] > 0], axis=1).astype(int)
    models = {
        "x": xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(X, y),
        "c": fit_catboost(catboost.CatBoostClassifier, y, loss_function="MultiLogloss"),
    }
    p = collect(models, X, y)
    assert p.task == "multilabel"
    assert p.outputs["c"]["proba"] == pytest.approx(models["c"].predict_proba(X))


@pytest.mark.parametrize(
    "make",
    [
        lambda: xgboost.XGBClassifier(),
        lambda: xgboost.Booster(),
        lambda: lightgbm.LGBMClassifier(),
        lambda: catboost.CatBoostClassifier(),
        lambda: catboost.CatBoost(),
    ],
    ids=["XGBClassifier", "Booster", "LGBMClassifier", "CatBoostClassifier", "CatBoost"],
)
def test_a_model_that_is_not_fitted_is_one_sentence(make):
    with pytest.raises(UnsupportedError, match="model 'm' is not fitted: fit it before"):
        collect({"m": make()}, X, Y)


def test_estimators_of_all_frameworks_stand_in_one_table():
    models = {
        name: MODELS[name]()[0] for name in ("xgboost of 3", "lightgbm of 3", "catboost base")
    }
    p = collect(models, X, Y3)
    assert p.models == list(models)
    assert (evaluate(p, "accuracy").to_pandas()["value"] > 0.6).all()


@pytest.mark.parametrize("kind", ["xgboost", "booster", "catboost"])
def test_several_targets_are_a_task_of_their_own(kind):
    targets = np.stack([X[:, 0] - X[:, 1], 2 * X[:, 1]], axis=1)
    if kind == "catboost":
        model = fit_catboost(catboost.CatBoostRegressor, targets, loss_function="MultiRMSE")
        expected = model.predict(X)
    else:
        model = xgboost.XGBRegressor(n_estimators=4, n_jobs=1).fit(X, targets)
        expected = model.predict(X)
        model = model.get_booster() if kind == "booster" else model
    p = assay.collect({"m": model}, X, targets)
    assert p.task == "multioutput"
    assert np.allclose(p.outputs["m"]["value"], expected, rtol=1e-6)
    if kind != "booster":
        table = assay.cross_validate({"m": model}, X, targets, cv=2)
        assert (table.task, table.outputs["m"]["value"].shape) == ("multioutput", targets.shape)


def test_a_classifier_of_catboost_is_one_before_it_is_fitted():
    options = {"iterations": 4, "verbose": 0, "allow_writing_files": False}
    several = {"loss_function": "MultiLogloss", **options}
    truths = {
        "binary": (X[:, 0] > 0).astype(int),
        "multiclass": np.digitize(X[:, 0], [-0.5, 0.5]),
        "multilabel": (X[:, :2] > 0).astype(int),
    }
    for task, y in truths.items():
        model = catboost.CatBoostClassifier(**(several if task == "multilabel" else options))
        table = assay.cross_validate({"m": model}, X, y, cv=2)
        assert table.task == task
        assert "proba" in table.outputs["m"]
    names = np.where(X[:, 0] > 0, "yes", "no")
    model = catboost.CatBoostClassifier(**options)
    assert assay.cross_validate({"m": model}, X, names, cv=2).classes == ("no", "yes")
