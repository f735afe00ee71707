"""Selection under a limited budget: race, halving, one-standard-error rule, learning curve."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import RepeatedStratifiedKFold, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from assay.comparison.compare import compare
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.selection.cross_validate import cross_validate
from assay.selection.experiment import FitError
from assay.selection.halving import successive_halving
from assay.selection.learning_curve import LearningRow, Outlook, PowerLaw, _outlook, learning_curve
from assay.selection.one_standard_error import one_standard_error
from assay.selection.race import race
from assay.selection.store import timings
from assay.table.predictions import Predictions

EFFECTS = np.array([0.5, 0.4, 0.4, 0.3, 0.0, 0.0])


class Means(ClassifierMixin, BaseEstimator):
    """Sign of the sum of the first features: on the data below, accuracy is known exactly."""

    def __init__(self, features=1):
        self.features = features

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return (X[:, : self.features].sum(axis=1) > 0).astype(int)

    @property
    def accuracy(self):
        shown = EFFECTS[: self.features]
        return norm.cdf(shown.sum() / math.sqrt(len(shown)))


def problem(seed, n=200):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    return rng.normal(size=(n, 6)) + (2 * y - 1)[:, None] * EFFECTS, y


@pytest.mark.slow
def test_the_race_keeps_the_truly_best_model_in_nearly_every_run_and_saves_fits():
    models = {f"m{k}": Means(k) for k in (1, 2, 3, 4, 6)} | {"none": DummyClassifier()}
    best = max([f"m{k}" for k in (1, 2, 3, 4, 6)], key=lambda m: models[m].accuracy)
    kept, saved = [], []
    for seed in range(50):
        cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=seed)
        found = race(models, *problem(seed), metric="accuracy", cv=cv, n_jobs=1)
        kept.append(best in found.survivors)
        saved.append(found.fits_saved / (found.fits + found.fits_saved))
    assert np.mean(kept) >= 0.95
    assert np.mean(saved) > 0.08


def test_equally_good_models_are_seldom_dropped():
    rng = np.random.default_rng(0)
    dropped = []
    for seed in range(40):
        X, y = rng.normal(size=(120, 6)), rng.permutation(np.arange(120) % 2)
        X[:, :4] += (2 * y - 1)[:, None] * 0.4

        class One(Means):
            def predict(self, X):
                return (X[:, self.features] > 0).astype(int)

        found = race(
            {f"m{k}": One(k) for k in range(4)}, X, y, metric="accuracy", n_jobs=1, seed=seed
        )
        dropped.append(len(found.survivors) < 4)
    assert np.mean(dropped) <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / 40)


def test_a_race_on_real_data_drops_the_poor_and_says_when():
    X, y = load_digits(return_X_y=True)
    models = {
        "lr": make_pipeline(StandardScaler(), LogisticRegression()),
        "nb": GaussianNB(),
        "none": DummyClassifier(),
    }
    found = race(models, X, y, metric="accuracy")
    assert found.best == "lr"
    assert found.survivors == ("lr",)
    assert found.fits == sum(row.folds for row in found.rows)
    assert found.fits + found.fits_saved == 30
    none = found.rows[2]
    assert (none.model, none.folds, none.dropped_after) == ("none", 5, 5)
    assert none.p < 0.05
    assert "fits were enough" in repr(found)
    assert "after 5 folds" in repr(found)
    assert json.loads(found.to_json())["schema"] == "assay.race/1"
    assert found.to_arrow().num_rows == 3


def test_a_race_without_a_clear_winner_runs_to_the_end_and_gives_the_cross_validated_table():
    X, y = load_iris(return_X_y=True)
    models = {"a": KNeighborsClassifier(5), "b": KNeighborsClassifier(6)}
    found = race(models, X, y, metric="log_loss", cv=6, seed=4)
    assert found.survivors == ("a", "b")
    assert found.fits_saved == 0
    assert found.predictions == cross_validate(models, X, y, cv=6, seed=4)
    assert "could still be best" in repr(found)


def test_a_race_shares_its_store_with_cross_validation(tmp_path):
    X, y = load_iris(return_X_y=True)
    models = {"nb": GaussianNB(), "none": DummyClassifier()}
    found = race(models, X, y, metric="accuracy", store=tmp_path)
    there = len(list(tmp_path.glob("*.parquet")))
    assert there == found.fits < 20
    cross_validate(models, X, y, cv=10, store=tmp_path)
    assert len(list(tmp_path.glob("*.parquet"))) == 20


def test_the_smaller_loss_leads():
    X, y = load_iris(return_X_y=True)
    found = race({"none": DummyClassifier(), "nb": GaussianNB()}, X, y, metric="log_loss")
    assert found.survivors == ("nb",)


def test_a_model_that_fails_leaves_the_race_or_ends_it():
    X, y = load_iris(return_X_y=True)
    models = {"nb": GaussianNB(), "bad": Ridge(alpha="x"), "none": DummyClassifier()}
    found = race(
        {**models, "bad": LogisticRegression(C=-1)}, X, y, metric="accuracy", on_error="skip"
    )
    assert "bad" not in [row.model for row in found.rows]
    assert found.notes[0].startswith("bad is left out: model 'bad' failed to fit in fold")
    with pytest.raises(FitError, match="'bad' failed to fit"):
        race({"bad": LogisticRegression(C=-1)}, X, y, metric="accuracy")
    with pytest.raises(FitError, match="every model failed"):
        race({"bad": LogisticRegression(C=-1)}, X, y, metric="accuracy", on_error="skip")


def test_a_race_of_too_few_folds_is_refused():
    with pytest.raises(UnsupportedError, match="minimum must be 2 folds or more"):
        race({"nb": GaussianNB()}, *load_iris(return_X_y=True), minimum=1)


def test_halving_ends_with_the_best_model_and_less_work():
    X, y = load_digits(return_X_y=True)
    models = {f"knn{k}": KNeighborsClassifier(k) for k in (1, 3, 100, 200)}
    models |= {f"tree{d}": DecisionTreeClassifier(max_depth=d, random_state=0) for d in (1, 2, 3)}
    models |= {"nb": GaussianNB(), "none": DummyClassifier()}
    found = successive_halving(models, X, y, metric="accuracy")
    assert found.best in ("knn1", "knn3")
    rungs = {row.rung: row.rows for row in found.rows}
    assert rungs == {0: 599, 1: 1797} or rungs == {0: 200, 1: 599, 2: 1797}
    assert sum(row.rung == 0 for row in found.rows) == 9
    assert found.work == sum(row.rows for row in found.rows)
    assert found.saved_share > 0.3
    assert "is the last of 9 models" in repr(found)
    assert json.loads(found.to_json())["rows"][0]["model"] == "knn1"


def test_halving_follows_the_direction_of_the_metric():
    X, y = load_iris(return_X_y=True)
    models = {
        "none": DummyClassifier(),
        "nb": GaussianNB(),
        "stump": DecisionTreeClassifier(max_depth=1),
    }
    assert successive_halving(models, X, y, metric="log_loss", minimum=50).best == "nb"


def test_halving_takes_whole_groups_and_the_given_minimum():
    X, y = load_breast_cancer(return_X_y=True)
    groups = np.arange(569) // 4
    found = successive_halving(
        {"nb": GaussianNB(), "none": DummyClassifier()},
        X,
        y,
        groups=groups,
        minimum=60,
        metric="accuracy",
    )
    assert {row.rung: row.rows for row in found.rows} == {0: 64, 1: 190, 2: 569}
    assert found.best == "nb"


def test_one_model_is_run_on_all_rows():
    found = successive_halving({"nb": GaussianNB()}, *load_iris(return_X_y=True), metric="accuracy")
    assert [(row.rows, row.kept) for row in found.rows] == [(150, True)]
    with pytest.raises(UnsupportedError, match="factor must be 2 or more"):
        successive_halving({"nb": GaussianNB()}, *load_iris(return_X_y=True), factor=1)


def tied_table(fold=None):
    y, row = np.arange(400) % 2, np.arange(400)
    wrong = {"big": row % 10 == 0, "small": row % 9 == 1, "poor": row % 3 == 0}
    return Predictions.from_arrays(
        y, {name: np.where(w, 1 - y, y) for name, w in wrong.items()}, fold=fold
    )


COST = {"big": 10.0, "small": 2.0, "poor": 1.0}


@pytest.mark.parametrize("fold", [None, np.random.default_rng(1).permutation(400) // 40])
def test_the_cheaper_of_two_tied_models_is_chosen_and_a_cheap_poor_one_is_not(fold):
    found = one_standard_error(tied_table(fold), "accuracy", costs=COST)
    assert (found.best, found.chosen) == ("big", "small")
    rows = {row.model: row for row in found.rows}
    # 40 and 45 rows wrong, four of them the same: the difference has an error of sqrt(77) / 400.
    assert rows["small"].behind == pytest.approx(5 / 400)
    if fold is None:
        assert rows["small"].error == pytest.approx(np.sqrt(77) / 400, rel=0.03)
    assert not rows["poor"].within
    assert "Take small" in repr(found)
    assert found.method == ("paired, over rows" if fold is None else "corrected, over folds")


def test_the_paired_error_is_that_of_the_comparison():
    p = tied_table()
    (pair,) = compare(p.select(["big", "poor"]), "accuracy").pairs
    found = {
        row.model: row
        for row in one_standard_error(p.select(["big", "poor"]), "accuracy", costs=COST).rows
    }
    assert found["poor"].error == pytest.approx((pair.high - pair.low) / 2 / 1.96, rel=1e-3)
    assert found["poor"].behind == pytest.approx(pair.difference)


def test_an_evaluation_gives_the_rule_as_it_was_first_stated():
    e = evaluate(tied_table(), "accuracy")
    found = one_standard_error(e, "accuracy", costs=COST)
    row = e.get(found.best, "accuracy")
    assert [r.error for r in found.rows] == pytest.approx([(row.high - row.low) / 2 / 1.959964] * 3)
    with pytest.raises(UnsupportedError, match="no intervals"):
        one_standard_error(
            evaluate(tied_table(), "accuracy", intervals=False), "accuracy", costs=COST
        )


def test_measured_prediction_times_are_a_cost(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    models = {
        "knn": make_pipeline(StandardScaler(), KNeighborsClassifier()),
        "none": DummyClassifier(),
    }
    p = cross_validate(models, X, y, store=tmp_path, progress=False)
    found = one_standard_error(p, "accuracy", costs=timings(tmp_path))
    assert found.chosen == "knn"
    assert found.cost_name == "ms a row"
    assert "no cheaper model is as good" in repr(found)
    assert json.loads(found.to_json())["best"] == "knn"


def test_a_model_without_a_cost_is_named():
    with pytest.raises(UnsupportedError, match="no cost is given for small, poor"):
        one_standard_error(tied_table(), "accuracy", costs={"big": 1})
    with pytest.raises(UnsupportedError, match=r"no cost is given for .*; known: 3"):
        one_standard_error(tied_table(), "accuracy", costs={3: 1})


@pytest.mark.parametrize("costs", [3, "0 1; 5 0", (1, 5), None])
def test_costs_that_are_no_numbers_of_models_are_refused(costs):
    with pytest.raises(UnsupportedError, match="costs must give a number for each model"):
        one_standard_error(tied_table(), "accuracy", costs=costs)
    models = dict.fromkeys(tied_table().models, costs if costs != 3 else "three")
    with pytest.raises(UnsupportedError, match="the cost of 'big' must be a number"):
        one_standard_error(tied_table(), "accuracy", costs=models)


@given(
    st.floats(-5, 5),
    st.floats(0.1, 3).flatmap(lambda s: st.sampled_from([s, -s])),
    st.floats(0.2, 2),
)
def test_a_power_law_is_found_again(limit, scale, exponent):
    n = np.array([10, 20, 40, 80, 160, 320])
    found = PowerLaw.fit(n, limit + scale * n**-exponent)
    assert found.exponent == pytest.approx(exponent, abs=1e-2)
    assert found.limit == pytest.approx(limit, abs=1e-2 * abs(scale))
    assert found.r2 > 0.9999
    worth = abs(scale) * 1e-3
    enough = found.rows_needed(worth)
    assert abs(found.predict(2 * enough) - found.predict(enough)) == pytest.approx(worth, rel=1e-3)


def test_no_curve_is_fitted_to_three_points_or_to_a_constant():
    assert PowerLaw.fit([1, 2, 4], [3.0, 2.0, 1.5]) is None
    assert PowerLaw.fit([1, 2, 4, 8], [0.5, 0.5, 0.5, 0.5]) is None


def test_the_intervals_of_a_learning_curve_stay_in_the_range_of_the_metric():
    X, y = load_iris(return_X_y=True)
    keep = y < 2
    found = learning_curve(GaussianNB(), X[keep], y[keep], metric="accuracy", sizes=[4, 60], cv=3)
    assert all(0 <= row.low <= row.value <= row.high <= 1 for row in found.rows)


def test_a_learning_curve_shows_the_training_rows_beside_the_held_out_ones():
    X, y = load_iris(return_X_y=True)
    models = {"tree": DecisionTreeClassifier(random_state=0), "none": DummyClassifier()}
    found = learning_curve(models, X, y, metric="accuracy", sizes=[30, 100], cv=3)
    by_model = {(row.model, row.size): row for row in found.rows}
    assert [by_model["tree", size].train for size in (30, 100)] == [1, 1]
    assert by_model["tree", 100].value < 1
    assert by_model["none", 30].train == pytest.approx(1 / 3, abs=0.02)
    assert all(0 <= row.train_low <= row.train <= row.train_high <= 1 for row in found.rows)
    both = cross_validate({"tree": models["none"]}, X, y, cv=3, train_scores=True, progress=False)
    inside = evaluate(both, "accuracy", by="fold", where='split == "train"', intervals=False)
    folds = [inside.get("tree", "accuracy", group=fold).value for fold in range(3)]
    assert by_model["none", 100].train == pytest.approx(np.mean(folds))
    assert "in training" in repr(found)
    assert {"train", "train_low", "train_high"} <= set(found.records[0])


@pytest.mark.slow
def test_the_learning_curve_of_a_mean_is_the_power_law_it_must_be():
    # The mean of n rows has the expected squared error variance * (1 + 1/n): doubling n gains
    # variance / (2n).
    y = np.random.default_rng(0).normal(size=4000)
    y = (y - y.mean()) / y.std()
    cv = ShuffleSplit(300, test_size=0.5, random_state=0)
    found = learning_curve(
        DummyRegressor(),
        np.zeros((4000, 1)),
        y,
        metric="mse",
        sizes=[2, 4, 8, 16, 32, 64, 128],
        cv=cv,
        worth=0.01,
    )
    (outlook,) = found.outlook
    assert outlook.status == "enough"
    assert outlook.rows == pytest.approx(50, rel=0.2)
    assert outlook.curve.exponent == pytest.approx(1.0, abs=0.15)
    assert outlook.curve.limit == pytest.approx(1.0, abs=0.02)
    for row in found.rows:
        assert row.low <= 1 + 1 / row.size <= row.high
    assert found.rows[1].gain == pytest.approx(found.rows[0].value - found.rows[1].value)
    assert "DummyRegressor: more rows stopped paying at about" in repr(found)


@pytest.mark.slow
def test_more_rows_still_pay_where_the_curve_is_steep():
    y = np.random.default_rng(0).normal(size=4000)
    options = {
        "metric": "mse",
        "sizes": [2, 4, 8, 16],
        "cv": ShuffleSplit(300, test_size=0.5, random_state=0),
    }
    for worth, status, known in ((0.005, "pays", True), (0.0005, "pays", False)):
        (outlook,) = learning_curve(
            DummyRegressor(), np.zeros((4000, 1)), y, worth=worth, **options
        ).outlook
        assert outlook.status == status
        assert math.isnan(outlook.rows) != known
        assert "extrapolated" in outlook.describe(
            16
        ) or "more than 10 times the 16 rows" in outlook.describe(16)


def test_a_model_that_learns_nothing_has_an_unknown_outlook():
    X, y = load_iris(return_X_y=True)
    found = learning_curve(
        {"none": DummyClassifier(strategy="uniform", random_state=0)}, X, y, metric="accuracy"
    )
    assert found.outlook[0].status == "unknown"
    assert "unknown whether more rows pay" in repr(found)
    assert json.loads(found.to_json())["outlook"][0]["rows"] is None


def test_sizes_are_nested_and_the_largest_is_the_whole_training_side():
    X, y = load_digits(return_X_y=True)
    models = {"nb": GaussianNB(), "knn": KNeighborsClassifier()}
    found = learning_curve(models, X, y, metric="accuracy", cv=3)
    assert [row.size for row in found.rows if row.model == "nb"] == [38, 75, 150, 300, 599, 1198]
    whole = cross_validate({"nb": GaussianNB()}, X, y, cv=3, progress=False)
    figures = evaluate(whole, "accuracy", by="fold", intervals=False)
    assert found.rows[5].value == pytest.approx(
        np.mean([figures.get("nb", "accuracy", group=f).value for f in range(3)])
    )
    assert all(row.gain > 0 for row in found.rows if row.model == "knn" and row.size > 38)


def test_sizes_beyond_the_training_side_are_refused():
    with pytest.raises(UnsupportedError, match="from 1 to 120, the smallest training side"):
        learning_curve(GaussianNB(), *load_iris(return_X_y=True), sizes=[10, 121])


def rising(*values):
    """The rows of a model whose figures at 50, 100, 200 ... training rows these are."""
    gains = np.diff(values, prepend=np.nan)
    return [
        LearningRow("m", 50 * 2**i, v, v, v, g, g, g)
        for i, (v, g) in enumerate(zip(values, gains, strict=True))
    ]


def test_more_rows_are_not_promised_to_pay_where_the_last_ones_did_not():
    steep = [0.5, 0.6, 0.67, 0.72, 0.755]
    assert _outlook(rising(*steep, 0.78), 1, 0.01).status == "pays"
    found = _outlook(rising(*steep, 0.758), 1, 0.01)
    assert found.status == "unknown"
    assert "less than the fitted curve" in found.describe(1600)


def test_an_outlook_says_each_of_its_kinds():
    curve = PowerLaw(0.1, 1.0, 1.0, 0.99)
    assert (
        Outlook("m", "enough", 1234.0, curve).describe(2000)
        == "m: more rows stopped paying at about 1,200."
    )
    assert (
        Outlook("m", "pays", 5000.0, curve).describe(2000)
        == "m: more rows still pay, up to about 5,000 (extrapolated)."
    )
