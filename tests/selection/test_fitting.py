"""Functions that train models, beside estimators, on the same folds: rows, seeds, histories."""

import sys
import textwrap
from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB

import assay
from assay.errors import UnsupportedError
from assay.selection.experiment import FitError
from assay.selection.fingerprint import fingerprint
from assay.selection.fitting import check_trainable, name_classes, train_model
from assay.selection.training_data import TrainingData

IRIS = load_iris(return_X_y=True)
EPOCHS = 3


def fit_bayes(train, val):
    return GaussianNB().fit(train.X, train.y)


def fit_net(train, val, seed, width=16):
    """A PyTorch net and the history of its training."""
    torch = pytest.importorskip("torch")
    inputs, codes = torch.tensor(train.X), torch.tensor(train.codes)
    watched, truth = torch.tensor(val.X), torch.tensor(val.codes)
    net = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, len(train.classes)),
    )
    steps = torch.optim.Adam(net.parameters(), 1e-2)
    loss = torch.nn.functional.cross_entropy
    log = []
    for epoch in range(EPOCHS):
        for batch in torch.randperm(len(inputs)).split(128):
            steps.zero_grad()
            loss(net(inputs[batch]), codes[batch]).backward()
            steps.step()
        with torch.no_grad():
            row = {"train_loss": loss(net(inputs), codes), "val_loss": loss(net(watched), truth)}
        log.append({"epoch": epoch + 1, **{name: value.item() for name, value in row.items()}})
    return net, log


def cross_validate(models, X=IRIS[0], y=IRIS[1], **options):
    return assay.cross_validate(models, X, y, progress=False, **{"cv": 3, **options})


def test_a_function_that_fits_an_estimator_gives_the_table_of_the_estimator():
    table = cross_validate(
        {"function": fit_bayes, "estimator": GaussianNB()}, validation_fraction=0
    )
    assert np.array_equal(table.outputs["function"]["proba"], table.outputs["estimator"]["proba"])


def test_a_function_never_sees_the_rows_held_out_nor_trains_on_those_it_is_watched_by():
    seen = []

    def fit(train, val):
        seen.append((set(train.id), set(val.id)))
        return fit_bayes(train, val)

    table = cross_validate({"m": fit}, id=np.arange(150))
    for fold, (train, val) in enumerate(seen):
        held_out = set(np.flatnonzero(np.asarray(table.columns["fold"]) == fold).tolist())
        assert train | val | held_out == set(range(150))
        assert not train & val
        assert not (train | val) & held_out
        assert len(val) == 10


def test_rows_to_watch_by_have_the_classes_in_proportion():
    def fit(train, val):
        assert np.bincount(val.codes).tolist() == [10, 10, 10]
        return fit_bayes(train, val)

    cross_validate({"m": fit}, validation_fraction=0.3)


def test_rows_to_watch_by_are_whole_groups():
    groups = np.arange(150) // 5

    def fit(train, val):
        assert not set(train.groups) & set(val.groups)
        return fit_bayes(train, val)

    cross_validate({"m": fit}, groups=groups, validation_fraction=0.2)


def test_where_folds_follow_in_time_the_last_rows_are_those_to_watch_by():
    X = np.arange(40.0)[:, None]

    def fit(train, val):
        assert train.X.max() < val.X.min()
        return LinearRegression().fit(train.X, train.y)

    table = cross_validate({"m": fit}, X, 2 * X[:, 0] + 0.5, cv=TimeSeriesSplit(3))
    assert table.task == "regression"


def test_codes_number_the_classes_of_all_rows_in_sorted_order():
    names = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]

    def fit(train, val):
        assert list(train.classes) == ["setosa", "versicolor", "virginica"]
        assert np.array_equal(np.array(train.classes)[train.codes], train.y)
        return fit_bayes(train, val)

    cross_validate({"m": fit}, y=names)


def test_a_network_and_a_forest_are_compared_on_the_same_folds_and_the_run_goes_on(tmp_path):
    pytest.importorskip("torch")
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    models = {"net": fit_net, "forest": RandomForestClassifier(20, random_state=0)}
    first = cross_validate(models, X, y, store=tmp_path)
    assert list(first.outputs["net"]) == ["logit"]
    assert assay.evaluate(first, "accuracy", intervals=False).rows[0].value > 0.7
    found = assay.histories(tmp_path)
    assert list(found) == ["net, fold 0", "net, fold 1", "net, fold 2"]
    assert found["net, fold 0"].find("val", "loss").epochs == (1.0, 2.0, 3.0)
    assert (found["net, fold 0"].n_val, found["net, fold 0"].n_classes) == (120, 10)
    for path in tmp_path.glob("*.parquet"):
        path.touch()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")}
    again = cross_validate(models, X, y, store=tmp_path)
    assert np.array_equal(first.outputs["net"]["logit"], again.outputs["net"]["logit"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")} == before
    assert assay.histories(tmp_path) == found


def test_a_network_trained_anew_with_the_same_seed_is_the_same():
    pytest.importorskip("torch")
    X = IRIS[0].astype(np.float32)
    one, other = (cross_validate({"m": fit_net}, X).outputs["m"]["logit"] for _ in range(2))
    assert np.array_equal(one, other)


def test_a_model_with_its_tokenizer_is_no_model_with_its_history():
    def tokenize(text):
        return text

    rows = name_classes(TrainingData([[0.0]], [1.0]), ())
    pair = ("model", tokenize)
    assert train_model(lambda train, val: pair, rows, None, 0) == (pair, None)
    model, history = train_model(lambda train, val: (pair, {"loss": [1.0, 0.5]}), rows, None, 0)
    assert model is pair
    assert history.find("train", "loss").values == (1.0, 0.5)


def test_training_leaves_the_random_numbers_of_the_caller_alone():
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.random(2)  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    first = np.random.random()  # noqa: NPY002
    cross_validate({"m": fit_bayes})
    assert [first, np.random.random()] == expected.tolist()  # noqa: NPY002


def test_histories_of_estimators_are_kept_too(tmp_path):
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=5, random_state=0))
    with pytest.warns(UserWarning, match="Maximum iterations"):
        cross_validate({"mlp": model, "nb": GaussianNB()}, store=tmp_path, n_jobs=1)
    found = assay.histories(tmp_path)
    assert [name.partition(",")[0] for name in found] == ["mlp"] * 3
    assert len(found["mlp, fold 0"].find("train", "loss").values) == 5


def test_folds_of_one_model_are_one_configuration_to_the_diagnosis(tmp_path):
    pytest.importorskip("torch")
    X = IRIS[0].astype(np.float32)
    models = {"a": fit_net, "b": partial(fit_net, width=4)}
    cross_validate(models, X, store=tmp_path)
    judged = assay.diagnose(list(assay.histories(tmp_path).values()))
    assert {group.name for group in judged.ranking.groups} == {"a", "b"}


def test_every_row_is_there_once_a_seed():
    table = cross_validate({"forest": RandomForestClassifier(3)}, seeds=3, seed=5)
    assert table.n == 450
    seeds = np.asarray(table.columns["seed"])
    assert np.unique(seeds, return_counts=True)[0].tolist() == [5, 6, 7]
    rows = np.asarray(table.columns["row"])
    for seed in (5, 6, 7):
        assert sorted(rows[seeds == seed]) == list(range(150))
    by_seed = [table.outputs["forest"]["proba"][seeds == seed] for seed in (5, 6)]
    assert not np.array_equal(*by_seed)


def test_rows_of_several_seeds_are_no_leak_between_folds():
    table = cross_validate({"nb": GaussianNB()}, seeds=2)
    assert "A010" not in [advice.code for advice in assay.advise(table)]


def test_groups_whose_rows_are_in_several_folds_of_one_repeat_are_a_leak():
    table = assay.Predictions.from_arrays(
        [0, 1] * 8,
        {"m": [0, 1] * 8},
        fold=[0, 1] * 8,
        cluster=np.repeat([0, 1, 2, 3], 4),
        groups={"repeat": [0] * 8 + [1] * 8},
    )
    assert "A010" in [advice.code for advice in assay.advise(table)]


def test_a_difference_that_seeds_move_as_much_is_said_to_be_of_the_seeds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(int)
    models = {"a": RandomForestClassifier(5), "b": RandomForestClassifier(5, max_depth=20)}
    notes = assay.compare(cross_validate(models, X, y, seeds=4), "accuracy").notes
    assert any("a change of seed moves it as much" in note for note in notes)


def test_a_difference_beyond_the_seeds_is_said_to_be_of_the_models():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 5))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    models = {"forest": RandomForestClassifier(30), "linear": LogisticRegression()}
    notes = assay.compare(cross_validate(models, X, y, seeds=3), "accuracy").notes
    assert any("with 3 of 3 seeds" in note and "it is of the models" in note for note in notes)


def test_a_changed_helper_of_a_training_function_changes_what_it_is_known_by(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    texts = []
    for name, width in (("net_a", 8), ("net_b", 9)):
        (tmp_path / f"{name}.py").write_text(
            textwrap.dedent(
                f"""
                WIDTH = {width}
                class Net:
                    def forward(self):
                        return build()
                def build():
                    return WIDTH
                def fit(train, val):
                    return Net()
                """
            )
        )
        module = __import__(name)
        module.fit.__module__ = module.build.__module__ = module.Net.__module__ = "nets"
        sys.modules["nets"] = module
        texts.append(fingerprint(module.fit))
    del sys.modules["nets"]
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (object(), "of the type object, which cannot be fitted anew"),
        (GaussianNB, "the class GaussianNB, which cannot be fitted anew"),
    ],
)
def test_what_cannot_be_trained_is_told_with_what_can(model, message):
    with pytest.raises(UnsupportedError, match=message) as caught:
        check_trainable("m", model)
    assert "a function fit(train, val)" in str(caught.value)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda train, val: None, "must return the model that it trained"),
        (lambda train, val: (GaussianNB(), {"x": "y"}), "beside its model cannot be read"),
        (lambda train, val: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_function_that_fails_names_model_and_fold(fit, message):
    with pytest.raises(FitError, match=message) as caught:
        cross_validate({"mine": fit})
    assert "'mine' failed to fit in fold 0" in str(caught.value)


@pytest.mark.parametrize("option", [{"seeds": 0}, {"validation_fraction": 1.0}, {"seeds": 1.5}])
def test_options_out_of_range_are_refused_before_training(option):
    with pytest.raises(UnsupportedError, match=next(iter(option))):
        cross_validate({"m": fit_bayes}, **option)
