"""validate and collect: scikit-learn estimators in, an honest predictions table out."""

import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    make_multilabel_classification,
)
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from assay.adapters.base import ADAPTERS
from assay.adapters.collect import collect
from assay.errors import ReadError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import write
from assay.selection.cross_validate import cross_validate
from assay.selection.experiment import Experiment, FitError
from assay.selection.fingerprint import fingerprint
from assay.selection.splits import stratified_order
from assay.selection.store import timings
from assay.selection.training_data import TrainingData

IRIS = load_iris(return_X_y=True)


def validated(models, X, y, **options):
    return cross_validate(models, X, y, progress=False, **options)


def test_out_of_fold_probabilities_equal_those_of_scikit_learn():
    X, y = IRIS
    model, cv = (
        make_pipeline(StandardScaler(), LogisticRegression()),
        StratifiedKFold(4, shuffle=True, random_state=1),
    )
    p = validated({"lr": model}, X, y, cv=cv)
    expected = cross_val_predict(model, X, y, cv=cv, method="predict_proba")
    np.testing.assert_allclose(p.rows("lr").proba, expected, rtol=1e-12)


def test_rows_keep_the_order_of_the_data_and_know_their_fold():
    X, y = IRIS
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    p = validated(
        {"knn": KNeighborsClassifier()}, X, y, cv=cv, id=[f"flower {i}" for i in range(150)]
    )
    fold, _ = p.group("fold")
    assert [p.classes[c] for c in p.truth] == y.tolist()
    assert p.columns["id"][17].as_py() == "flower 17"
    for number, (_, test) in enumerate(cv.split(X, y)):
        assert (fold[test] == number).all()


def test_all_models_see_the_same_folds_and_the_same_seed_gives_the_same_table():
    X, y = IRIS
    models = {"a": KNeighborsClassifier(3), "b": RandomForestClassifier(5, random_state=0)}
    first, second = (validated(models, X, y, cv=3, n_jobs=n) for n in (1, 2))
    for name in models:
        np.testing.assert_array_equal(first.rows(name).proba, second.rows(name).proba)


def test_rows_of_one_group_are_held_out_together_and_become_clusters():
    X, y = IRIS
    groups = np.arange(150) // 5
    p = validated({"knn": KNeighborsClassifier()}, X, y, cv=5, groups=groups)
    fold, _ = p.group("fold")
    assert all(len(set(fold[groups == g])) == 1 for g in range(30))
    assert "cluster" in p.columns
    again = validated({"knn": KNeighborsClassifier()}, X, y, cv=GroupKFold(5), groups=groups)
    assert again.n == 150


def test_rows_held_out_several_times_are_kept_apart_by_fold_and_joined_as_clusters():
    X, y = IRIS
    p = validated(
        {"knn": KNeighborsClassifier()},
        X,
        y,
        cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
    )
    assert p.n == 300
    assert len(p.group("fold")[1]) == 6
    assert len(p.group("cluster")[1]) == 150


def test_splits_may_be_masks():
    first = np.arange(150) % 2 == 0
    masks, places = (
        [(first, ~first), (~first, first)],
        [np.flatnonzero(side) for side in (first, ~first)],
    )
    models = {"nb": GaussianNB()}
    assert validated(models, *IRIS, cv=masks) == validated(models, *IRIS, cv=[places, places[::-1]])


ALL = np.arange(150)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (
            [(ALL[:100], ALL[90:]), (ALL[50:], ALL[:50])],
            "fold 0 holds out 10 rows that it also trains on, row 90",
        ),
        (
            [(ALL[:100], ALL[100:] + 1), (ALL[50:], ALL[:50])],
            r"fold 0 must hold .* positions from 0 to 149 or a mask",
        ),
        (
            [(ALL[:100], []), (ALL[50:], ALL[:50])],
            "fold 0 must hold rows to train on and rows to test",
        ),
        ([(ALL[:100], ALL[:50] < 9), (ALL[50:], ALL[:50])], "fold 0 must hold"),
        (KFold, r"cv must be a number of folds, a scikit-learn splitter such as KFold\(5\)"),
        ("5", "cv must be a number of folds"),
        (None, "cv must be a number of folds"),
        (GroupKFold(3), "give groups, one a row"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(cv, message):
    with pytest.raises(UnsupportedError, match=message):
        validated({"nb": GaussianNB()}, *IRIS, cv=cv)


def test_a_splitter_of_ordered_rows_leaves_out_the_first_ones():
    X, y = load_diabetes(return_X_y=True)
    p = validated({"ols": LinearRegression()}, X, y, cv=TimeSeriesSplit(4))
    assert p.task == "regression"
    assert p.n == 442 - len(next(iter(TimeSeriesSplit(4).split(X)))[0])


def test_text_labels_and_string_classes_are_kept():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.where(y == 1, "benign", "malignant")
    p = validated(
        {"lr": make_pipeline(StandardScaler(), LogisticRegression())},
        X,
        names,
        cv=3,
        positive="malignant",
    )
    assert p.classes == ("benign", "malignant")
    assert evaluate(p, "recall").value > 0.9


def test_a_class_missing_from_a_training_fold_gets_probability_zero():
    X = np.arange(12, dtype=float)[:, None]
    y = np.array(["a", "b"] * 5 + ["c", "a"])
    cv = [(np.arange(0, 10), np.arange(10, 12)), (np.arange(2, 12), np.arange(0, 2))]
    p = validated({"knn": KNeighborsClassifier(1)}, X, y, cv=cv)
    assert p.classes == ("a", "b", "c")
    assert p.rows("knn").proba[list(p.group("fold")[0]).index(0), 2] == 0.0


def test_an_estimator_without_probabilities_gives_its_margin_as_a_score_of_the_positive_class():
    X, y = load_breast_cancer(return_X_y=True)
    p = validated({"svc": make_pipeline(StandardScaler(), LinearSVC(dual=False))}, X, y, cv=3)
    assert p.schema.models["svc"] == ("label", "score")
    assert evaluate(p, "roc_auc").value > 0.95


def test_multilabel_probabilities_of_each_label_are_collected():
    X, y = make_multilabel_classification(120, n_classes=3, random_state=0)
    models = {
        "rf": RandomForestClassifier(20, random_state=0),
        "lr": MultiOutputClassifier(LogisticRegression()),
    }
    p = validated(models, X, y, cv=3)
    assert p.task == "multilabel"
    assert p.rows("rf").proba.shape == (120, 3)
    assert evaluate(p.select(["rf"]), "roc_auc").value > 0.7


def test_weights_reach_estimators_that_take_them_and_the_table():
    X, y = load_diabetes(return_X_y=True)
    weight = np.where(np.arange(442) < 221, 1.0, 1e-6)
    plain, weighted = (
        validated({"ols": LinearRegression()}, X, y, cv=3, weight=w) for w in (None, weight)
    )
    assert not np.allclose(plain.rows("ols").value, weighted.rows("ols").value)
    np.testing.assert_array_equal(weighted.weight, weight)


def test_pandas_frames_are_split_by_position():
    pd = pytest.importorskip("pandas")
    X, y = IRIS
    frame = pd.DataFrame(X, index=np.arange(150)[::-1])
    p = validated({"knn": KNeighborsClassifier()}, frame, pd.Series(y, index=frame.index), cv=3)
    assert evaluate(p, "accuracy").value > 0.9


class Broken(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of luck\nand more")

    def predict(self, X):
        return X


def test_a_model_that_fails_is_named_with_its_fold_and_the_reason():
    with pytest.raises(
        FitError, match=r"model 'bad' failed to fit in fold \d: RuntimeError: out of luck$"
    ):
        validated({"bad": Broken()}, *IRIS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [0, 1]}, "X has 150 rows and y has 2"),
        ({"models": {}}, "no model is given"),
        ({"models": {"a": object()}}, "of the type object, which cannot be fitted anew"),
        ({"cv": 200}, "the rows cannot be split"),
        ({"cv": [(np.arange(75), np.arange(75, 150))]}, "needs at least 2 folds"),
    ],
)
def test_bad_input_is_one_clear_error(change, message):
    given = {"models": {"knn": KNeighborsClassifier()}, "X": IRIS[0], "y": IRIS[1]} | change
    with pytest.raises(UnsupportedError, match=message):
        validated(given.pop("models"), given.pop("X"), given.pop("y"), **given)


def test_collect_puts_fitted_models_into_one_table():
    X, y = IRIS
    models = {
        "knn": KNeighborsClassifier().fit(X, y),
        "rf": RandomForestClassifier(5, random_state=0).fit(X, y),
    }
    p = collect(models, X, y, split=["train"] * 150)
    assert p.models == ["knn", "rf"]
    np.testing.assert_array_equal(p.rows("rf").proba, models["rf"].predict_proba(X))


def test_the_progress_bar_goes_to_standard_error(capsys):
    cross_validate({"knn": KNeighborsClassifier()}, *IRIS, cv=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "cross-validating" in err or "2/2" in err or err


def test_adapters_are_listed_without_importing_a_framework():
    assert "sklearn" in ADAPTERS.names()


class Counted(ClassifierMixin, BaseEstimator):
    """Nearest mean of one feature; adds a line to a file at each fit."""

    def __init__(self, log, feature=0, pause=0.0):
        self.log, self.feature, self.pause = log, feature, pause

    def fit(self, X, y):
        time.sleep(self.pause)
        with open(self.log, "a") as file:
            file.write(f"{self.feature}\n")
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == c, self.feature].mean() for c in self.classes_])
        return self

    def predict(self, X):
        return self.classes_[np.abs(X[:, [self.feature]] - self.means_).argmin(axis=1)]


def fits(log):
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def log(tmp_path):
    return tmp_path / "fits.txt"


def test_a_second_run_with_a_store_fits_nothing_and_gives_the_same_table(tmp_path, log):
    models = {"a": Counted(str(log)), "rf": RandomForestClassifier(5, random_state=0)}
    plain, first, second = (
        validated(models, *IRIS, cv=4, store=store)
        for store in (None, tmp_path / "s", tmp_path / "s")
    )
    assert fits(log) == 8
    for table in (first, second):
        assert (
            write(table, tmp_path / "b.parquet").read_bytes()
            == write(plain, tmp_path / "a.parquet").read_bytes()
        )


@pytest.mark.parametrize("y", [IRIS[1], np.array(["ant", "bee", "cat"])[IRIS[1]], IRIS[1] == 1])
def test_labels_of_every_kind_come_back_from_the_store_as_they_were(tmp_path, y):
    models = {"knn": KNeighborsClassifier(), "svc": LinearSVC(dual=False)}
    plain, _, kept = (
        validated(models, *(IRIS[0], y), cv=3, store=s) for s in (None, tmp_path, tmp_path)
    )
    assert plain == kept


def test_multilabel_and_regression_come_back_from_the_store_as_they_were(tmp_path):
    X, y = make_multilabel_classification(60, n_classes=3, random_state=0)
    for model, *data in (
        (RandomForestClassifier(3, random_state=0), X, y),
        (LinearRegression(), *load_diabetes(return_X_y=True)),
    ):
        plain, _, kept = (
            validated({"m": model}, *data, cv=3, store=s) for s in (None, tmp_path, tmp_path)
        )
        assert plain == kept


def test_a_changed_model_is_computed_again_and_the_others_are_not(tmp_path, log):
    one, other = Counted(str(log), 0), Counted(str(log), 1)
    validated({"a": one, "b": other}, *IRIS, cv=3, store=tmp_path)
    changed = validated({"a": one, "b": Counted(str(log), 2)}, *IRIS, cv=3, store=tmp_path)
    assert log.read_text().split().count("0") == 3
    assert fits(log) == 9
    assert changed == validated({"a": one, "b": Counted(str(log), 2)}, *IRIS, cv=3)


def test_a_renamed_or_reordered_model_is_not_computed_again(tmp_path, log):
    validated({"a": Counted(str(log), 0), "b": Counted(str(log), 1)}, *IRIS, cv=3, store=tmp_path)
    again = validated(
        {"z": Counted(str(log), 1), "a": Counted(str(log), 0)}, *IRIS, cv=3, store=tmp_path
    )
    assert fits(log) == 6
    assert again.models == ["z", "a"]


def test_only_the_folds_that_a_changed_row_takes_part_in_are_computed_again(tmp_path, log):
    X, y = IRIS[0].copy(), IRIS[1].copy()
    cv = TimeSeriesSplit(4)
    order = np.random.default_rng(0).permutation(150)
    X, y = X[order], y[order]
    validated({"a": Counted(str(log))}, X, y, cv=cv, store=tmp_path)
    X[-1] += 1.0
    changed = validated({"a": Counted(str(log))}, X, y, cv=cv, store=tmp_path)
    assert fits(log) == 5
    assert changed == validated({"a": Counted(str(log))}, X, y, cv=cv)


def test_another_seed_weight_or_class_list_uses_no_stale_part(tmp_path, log):
    model = {"a": Counted(str(log))}
    validated(model, *IRIS, cv=3, store=tmp_path)
    validated(model, *IRIS, cv=3, store=tmp_path, seed=1)
    validated(model, *IRIS, cv=3, store=tmp_path, weight=np.ones(150))
    assert fits(log) == 9


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing", "sequential"])
def test_every_backend_of_joblib_gives_the_same_table_and_keeps_parts_as_they_finish(
    tmp_path, backend
):
    models = {"nb": GaussianNB(), "knn": KNeighborsClassifier()}
    with parallel_config(backend=backend, n_jobs=2):
        found = validated(models, *IRIS, cv=2, n_jobs=None, store=tmp_path)
    assert found == validated(models, *IRIS, cv=2)
    assert len(list(tmp_path.glob("*.parquet"))) == 4


def test_a_backend_that_gives_all_at_the_end_is_asked_for_few_at_a_time(tmp_path):
    log, store = tmp_path / "fits.txt", tmp_path / "parts"
    data = TrainingData(*IRIS)
    plan = Experiment.plan({"a": Counted(str(log))}, data, cv=8, store=store)
    with parallel_config(backend="multiprocessing", n_jobs=2):
        next(plan.run(plan.pairs, n_jobs=None))
    assert fits(log) == 2


def test_a_damaged_part_is_computed_again(tmp_path, log):
    models = {"a": Counted(str(log))}
    first = validated(models, *IRIS, cv=3, store=tmp_path)
    next(tmp_path.glob("*.parquet")).write_bytes(b"PAR1 half a fi")
    assert validated(models, *IRIS, cv=3, store=tmp_path) == first
    assert fits(log) == 4


RUN = """
import time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from assay.io.read_write import write
from assay.selection.cross_validate import cross_validate

{estimator}

models = {{"a": Counted({log!r}, 0, 0.4), "b": Counted({log!r}, 1, 0.4)}}
write(cross_validate(models, *load_iris(return_X_y=True), cv=5, store={store!r}, n_jobs=2), {out!r})
"""


def run(log, store, out):
    told = {
        "estimator": inspect.getsource(Counted),
        "log": str(log),
        "store": str(store),
        "out": str(out),
    }
    script = log.with_name("run.py")
    script.write_text(RUN.format(**told))
    return subprocess.Popen([sys.executable, str(script)], start_new_session=True)


def test_a_run_killed_in_the_middle_computes_only_what_is_missing_and_gives_the_same_bytes(
    tmp_path, log
):
    store, out = tmp_path / "store", tmp_path / "p.parquet"
    killed = run(log, store, out)
    deadline = time.monotonic() + 120
    while len(list(store.glob("*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    there = len(list(store.glob("*.parquet")))
    assert 3 <= there < 10
    assert not out.exists()
    log.unlink()
    assert run(log, store, out).wait(timeout=120) == 0
    assert fits(log) == 10 - there
    models = {"a": Counted(str(log), 0), "b": Counted(str(log), 1)}
    whole = write(validated(models, *IRIS, cv=5), tmp_path / "whole.parquet")
    assert out.read_bytes() == whole.read_bytes()


def test_timings_of_a_run_have_a_row_for_each_model_and_fold(tmp_path, log):
    models = {"slow": Counted(str(log), pause=0.05), "knn": KNeighborsClassifier()}
    for _ in range(2):
        validated(models, *IRIS, cv=3, store=tmp_path)
        found = timings(tmp_path)
        assert [(r.model, r.fold, r.rows) for r in found.rows] == [
            (m, f, 50) for m in models for f in range(3)
        ]
        assert found.fit["slow"] >= 0.05
        assert found.predict["knn"] > 0
    assert json.loads(found.to_json())["schema"] == "assay.timings/1"
    assert "seconds a fit" in repr(found)


def test_timings_where_nothing_ran_say_what_to_do(tmp_path):
    with pytest.raises(ReadError, match=r"no times of a finished run are here.*cross_validate"):
        timings(tmp_path)


def test_a_model_that_fails_is_skipped_and_named_and_the_others_go_on(tmp_path):
    models = {"bad": Broken(), "knn": KNeighborsClassifier()}
    p = validated(models, *IRIS, cv=3, on_error="skip", store=tmp_path)
    assert p.models == ["knn"]
    assert p.notes == (
        "bad is left out: model 'bad' failed to fit in fold 0: RuntimeError: out of luck "
        "(and in 2 more folds).",
    )
    assert timings(tmp_path).models == ["knn"]


def test_an_error_is_raised_where_every_model_fails():
    with pytest.raises(FitError, match="every model failed: bad is left out"):
        validated({"bad": Broken()}, *IRIS, cv=3, on_error="skip")


def test_nested_cross_validation_equals_that_of_scikit_learn():
    X, y = IRIS
    cv, within = (StratifiedKFold(3, shuffle=True, random_state=s) for s in (0, 1))
    grid = {"n_neighbors": [1, 5, 25]}
    p = validated(
        {"knn": (KNeighborsClassifier(), grid), "nb": KNeighborsClassifier()},
        X,
        y,
        cv=cv,
        inner=within,
    )
    search = GridSearchCV(KNeighborsClassifier(), grid, cv=within)
    expected = cross_val_predict(search, X, y, cv=cv, method="predict_proba")
    np.testing.assert_allclose(p.rows("knn").proba, expected)
    assert p == validated({"knn": search, "nb": KNeighborsClassifier()}, X, y, cv=cv)
    assert p.notes[0].startswith("knn: the inner search chose n_neighbors=")


def test_an_inner_search_aims_at_the_metric_it_is_given():
    X, y = load_diabetes(return_X_y=True)
    grid = {"strategy": ["mean", "median"]}
    chose = {
        metric: validated(
            {"d": (DummyRegressor(), grid)}, X, y, cv=3, inner=3, inner_metric=metric
        ).notes[0]
        for metric in ("mse", "mae")
    }
    assert chose == {
        m: f"d: the inner search chose strategy={s} in 3 folds."
        for m, s in (("mse", "mean"), ("mae", "median"))
    }


def test_an_inner_search_keeps_groups_together():
    X, y = IRIS
    groups = np.arange(150) // 5
    seen = []

    class Watch(GroupKFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                seen.append(set(groups[train]) & set(groups[test]))
                yield train, test

    grid = {"n_neighbors": [1, 5]}
    validated(
        {"knn": (KNeighborsClassifier(), grid)}, X, y, cv=3, groups=groups, inner=Watch(3), n_jobs=1
    )
    assert len(seen) == 9
    assert not any(seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"models": {"a": (KNeighborsClassifier(), {"n_neighbors": [1]})}},
            "no inner folds to choose on; give inner=3",
        ),
        (
            {"models": {"a": (KNeighborsClassifier(),)}, "inner": 3},
            "expected \\(estimator, grid\\)",
        ),
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'skip'"),
        ({"models": {"a": FunctionTransformer}, "store": "x"}, "cannot be fitted anew"),
    ],
)
def test_options_that_cannot_be_used_are_one_clear_error(options, message):
    given = {"models": {"knn": KNeighborsClassifier()}} | options
    with pytest.raises(UnsupportedError, match=message):
        validated(given.pop("models"), *IRIS, **given)


def test_a_model_whose_parameters_cannot_be_told_apart_is_refused_by_the_store(tmp_path):
    with pytest.raises(UnsupportedError, match="run without store"):
        validated({"a": Counted(threading.Lock())}, *IRIS, store=tmp_path)


@given(st.integers(2, 40), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_every_beginning_of_a_deal_is_like_the_whole(n, k, grouped, seed):
    rng = np.random.default_rng(seed)
    y, groups = rng.integers(0, k, n), rng.integers(0, 5, n) if grouped else None
    order = stratified_order(y, groups, None, seed)
    assert sorted(order) == list(range(n))
    if grouped:
        assert (np.diff(groups[order]) != 0).sum() == len(np.unique(groups)) - 1
    else:
        for stop in range(len(np.unique(y)), n):
            share = (
                np.bincount(y[order[:stop]], minlength=k) - stop * np.bincount(y, minlength=k) / n
            )
            assert np.abs(share).max() <= k


def test_fingerprints_do_not_depend_on_the_process(capsys):
    script = (
        "from assay.selection.fingerprint import fingerprint as f\n"
        "import numpy as np, pandas as pd, scipy.sparse as sp\n"
        "from sklearn.pipeline import make_pipeline; from sklearn.svm import SVC\n"
        "from sklearn.preprocessing import FunctionTransformer, StandardScaler\n"
        "model = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), SVC(C=3.0))\n"
        "frame = pd.DataFrame({'a': ['x', 'y'], 'b': [1, None]})\n"
        "texts = np.array(['u', None], object)\n"
        "print(f(model, set('abcdef'), lambda x: x, frame, sp.eye(3).tocsr(), texts))"
    )
    exec(script, {"__name__": "__main__"})
    other = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == capsys.readouterr().out


def test_fingerprints_tell_apart_what_differs():
    things = [
        1,
        1.0,
        True,
        "1",
        b"1",
        None,
        [1],
        (1,),
        [[1]],
        {"a": 1},
        {"a": 2},
        {1},
        np.array([1]),
        np.array([1.0]),
        np.array([[1]]),
        KNeighborsClassifier(),
        KNeighborsClassifier(3),
        GroupKFold,
        np.log,
        np.exp,
        lambda: 1,
        lambda: 2,
        np.random.RandomState(0),
        np.random.RandomState(1),
        StratifiedKFold(3),
        StratifiedKFold(4),
        np.array(["a"]),
        np.array(["a"], object),
        np.zeros(0),
        KNeighborsClassifier,
    ]
    found = [fingerprint(thing) for thing in things]
    assert len(set(found)) == len(things)
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint(RandomForestClassifier(n_jobs=1)) == fingerprint(
        RandomForestClassifier(n_jobs=2, verbose=1)
    )


@pytest.mark.parametrize("train_scores", [False, True])
def test_a_repeated_cross_validation_tells_its_repeats_whose_figures_are_those_of_each(
    train_scores,
):
    X, y = load_iris(return_X_y=True)
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=4)
    options = {"progress": False, "n_jobs": 1, "train_scores": train_scores}
    table = cross_validate({"nb": GaussianNB()}, X, y, cv=cv, **options)
    found = evaluate(table, "accuracy", by="repeat", intervals=False)
    splits = list(cv.split(X, y))
    for repeat in range(2):
        part = splits[3 * repeat : 3 * repeat + 3]
        said = np.empty_like(y)
        for train, test in part:
            said[test] = GaussianNB().fit(X[train], y[train]).predict(X[test])
        assert found.get("nb", "accuracy", group=repeat).value == pytest.approx((said == y).mean())


def test_folds_that_do_not_come_in_repeats_tell_none():
    X, y = load_iris(return_X_y=True)
    overlapping = [(np.arange(60, 150), np.arange(60)), (np.arange(40), np.arange(40, 150))]
    for cv in (3, overlapping):
        table = cross_validate({"nb": GaussianNB()}, X, y, cv=cv, progress=False, n_jobs=1)
        assert "repeat" not in table.columns
