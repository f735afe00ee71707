"""Over- and underfitting are told from the rows of the training."""

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import assay

RNG = np.random.default_rng(4)
X = RNG.normal(size=(300, 3))
Y = (X[:, 0] + RNG.normal(size=300) > 0).astype(int)
MODELS = {
    "tree": DecisionTreeClassifier(random_state=0),
    "line": LogisticRegression(),
    "none": DummyClassifier(),
}


def cross_validate(models, y, **options):
    return assay.cross_validate(models, X, y, progress=False, n_jobs=1, **options)


def find_fits(p):
    return [advice.title for advice in assay.advise(p) if advice.code == "A017"]


def test_training_rows_tell_which_models_over_and_underfit():
    p = cross_validate(MODELS, Y, train_scores=True)
    assert find_fits(p) == ["Model 'tree' overfits.", "Model 'none' underfits."]
    assert find_fits(cross_validate(MODELS, Y)) == []


def test_regressors_are_judged_by_their_squared_errors():
    y = X[:, 0] + RNG.normal(size=300)
    models = {"tree": DecisionTreeRegressor(random_state=0), "line": LinearRegression()}
    assert find_fits(cross_validate(models, y, train_scores=True)) == ["Model 'tree' overfits."]


def test_scores_of_training_rows_change_no_value_of_the_others(tmp_path):
    plain = cross_validate(MODELS, Y)
    both = cross_validate(MODELS, Y, train_scores=True, store=tmp_path)
    assert both.n == 300 + 4 * 300
    again = cross_validate(MODELS, Y, train_scores=True, store=tmp_path)
    assert again == both
    assert [row.value for row in assay.evaluate(both).rows] == [
        row.value for row in assay.evaluate(plain).rows
    ]
    train = assay.evaluate(both, "accuracy", where='split == "train"')
    assert train.get("tree", "accuracy").value == 1


def test_the_report_shows_each_model_on_training_rows_beside_the_others():
    p = cross_validate(MODELS, Y, train_scores=True)
    report = assay.report(p, metric="accuracy")
    held_out = assay.evaluate(p, "accuracy")
    inside = assay.evaluate(p, "accuracy", where='split == "train"')
    shown = {model: (train, other) for model, train, other in report.fits}
    for model in MODELS:
        expected = (inside.get(model, "accuracy").value, held_out.get(model, "accuracy").value)
        assert shown[model] == expected
    assert shown["tree"][0] == 1
    assert "accuracy on training rows  on the others" in str(report)
    rows = report.to_dict()["training"]["rows"]
    assert {row["model"]: row["value"] for row in rows} == {m: v[0] for m, v in shown.items()}
    page = report.to_html()
    assert f"accuracy on {4 * 300:,} rows of the training, which judge no model" in page
    assert page.count("accuracy on training rows") == 1


def test_a_report_without_training_rows_or_of_chosen_ones_shows_none():
    assert assay.report(cross_validate(MODELS, Y)).training is None
    p = cross_validate(MODELS, Y, train_scores=True)
    chosen = assay.report(p, where="split in ('test', 'train')")
    assert chosen.fits == []
    assert chosen.to_dict()["training"] is None
