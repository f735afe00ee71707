"""Every verb takes the truth and what models predict in place of a table."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import assay
from assay.errors import SchemaError, UnsupportedError
from assay.io.arrays import name_outputs

Y = np.array([0, 1, 1, 0, 1, 0] * 10)
GOOD = np.where(np.arange(60) % 10 == 0, 1 - Y, Y)
BAD = np.where(np.arange(60) % 3 == 0, 1 - Y, Y)

TRUTHS = {
    "array": Y,
    "list": Y.tolist(),
    "pandas": pd.Series(Y),
    "polars": pl.Series(Y),
    "arrow": pa.array(Y),
    "frame": pd.DataFrame({"target": Y}),
}
PREDICTIONS = {
    "array": GOOD,
    "list": GOOD.tolist(),
    "pandas": pd.Series(GOOD),
    "polars": pl.Series(GOOD),
    "arrow": pa.array(GOOD),
    "column": GOOD[:, None],
    "mapping": {"model": GOOD},
    "frame": pd.DataFrame({"model": GOOD}),
}

VERBS = {
    "advise": lambda y, pred: assay.advise(y, pred),
    "bayesian_fold_test": lambda y, pred: assay.bayesian_fold_test(
        y, pred, "accuracy", 0.01, fold=np.arange(60) % 5
    ),
    "compare": lambda y, pred: assay.compare(y, pred, "accuracy"),
    "evaluate": lambda y, pred: assay.evaluate(y, pred, "accuracy"),
    "fairness": lambda y, pred: assay.fairness(y, pred, "g", groups={"g": ["a", "b"] * 30}),
    "five_by_two_f_test": lambda y, pred: assay.five_by_two_f_test(
        np.tile(y, 5),
        {name: np.tile(values, 5) for name, values in pred.items()},
        "accuracy",
        "good",
        "bad",
        fold=np.repeat(np.arange(5), 60) * 2 + np.tile(np.arange(60) % 2, 5),
        groups={"row": np.tile(np.arange(60), 5)},
    ),
    "fuse": lambda y, pred: assay.fuse(y, pred, "mean").predictions,
    "membership_inference": lambda y, pred: assay.membership_inference(
        y,
        {f"{name}.proba": values * 0.8 + 0.1 for name, values in pred.items()},
        "part",
        groups={"part": ["train", "test"] * 30},
    ),
    "one_standard_error": lambda y, pred: assay.one_standard_error(
        y, pred, "accuracy", costs={"good": 1, "bad": 2}
    ),
    "report": lambda y, pred: assay.report(y, pred, metrics="accuracy"),
    "selection_bias": lambda y, pred: assay.selection_bias(y, pred, "accuracy"),
    "tune_threshold": lambda y, pred: assay.tune_threshold(y, {"m.score": pred["good"] * 0.5}),
    "weak_slices": lambda y, pred: assay.weak_slices(y, pred, groups={"g": ["a", "b"] * 30}),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_the_truth_and_columns_by_model(verb):
    assert VERBS[verb](Y, {"good": GOOD, "bad": BAD}) is not None


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("kind", PREDICTIONS)
def test_truth_and_predictions_of_any_package_have_one_value(truth, kind):
    assert assay.evaluate(TRUTHS[truth], PREDICTIONS[kind], "accuracy").value == 0.9


def test_labels_in_lists_of_text_are_neither_paths_nor_metrics():
    assert assay.evaluate(["cat", "dog", "cat"], ["cat", "cat", "cat"], metrics="recall").n == 3


def test_metrics_follow_by_place_or_by_name():
    by_place = assay.evaluate(Y, GOOD, ["accuracy", "f1"])
    assert by_place.to_json() == assay.evaluate(Y, GOOD, metrics=["accuracy", "f1"]).to_json()
    assert (
        by_place.to_json() == assay.evaluate(Y, y_pred=GOOD, metrics=["accuracy", "f1"]).to_json()
    )


def test_a_table_and_metrics_are_still_read_as_such():
    p = assay.Predictions.from_arrays(Y, {"m": GOOD})
    frame = pd.DataFrame({"y": Y, "m.label": GOOD})
    assert assay.evaluate(p, ["accuracy", "f1"]).metrics == ["accuracy", "f1"]
    assert assay.evaluate(frame, ["accuracy", "f1"]).metrics == ["accuracy", "f1"]


def test_a_list_of_arrays_is_one_model_each():
    assert assay.evaluate(Y, [GOOD, BAD], "accuracy").models == ["model_1", "model_2"]


def test_a_series_names_its_model():
    assert assay.evaluate(Y, pd.Series(GOOD, name="svm"), "accuracy").models == ["svm"]


def test_a_frame_with_a_column_for_each_class_is_one_model():
    truth = ["no", "yes"] * 30
    proba = pd.DataFrame({"yes": [0.2, 0.9] * 30, "no": [0.8, 0.1] * 30})
    for frame in (proba, pl.from_pandas(proba), proba.to_dict("list")):
        e = assay.evaluate(truth, frame, ["log_loss", "accuracy"])
        assert e.get("model", "accuracy").value == 1
        assert e.get("model", "log_loss").value == pytest.approx(-np.log([0.8, 0.9]).mean())
    by_place = pd.DataFrame({0: [0.8, 0.1] * 30, 1: [0.2, 0.9] * 30})
    assert assay.evaluate(truth, by_place, "accuracy").value == 1


def test_options_of_arrays_go_with_the_verb():
    e = assay.evaluate(Y, GOOD, "recall", positive=0, weight=np.arange(60), id=np.arange(60))
    p = assay.Predictions.from_arrays(Y, {"model": GOOD}, positive=0, weight=np.arange(60))
    assert e.value == assay.evaluate(p, "recall").value


def test_options_of_reading_go_with_the_verb(tmp_path):
    frame = pd.DataFrame({"target": Y, "svm": GOOD, "age": np.arange(60)})
    frame.to_csv(tmp_path / "p.csv", index=False)
    for source in (frame, tmp_path / "p.csv"):
        e = assay.evaluate(source, "recall", truth="target", models=["svm"], positive=0)
        assert e.positive == 0
        assert e.models == ["svm"]


def test_a_test_table_of_a_report_is_read_as_the_first_is():
    frame = pd.DataFrame({"target": Y, "a.label": GOOD, "b.label": BAD})
    report = assay.report(frame, metrics="accuracy", truth="target", test=frame)
    assert report.held_out is not None


def test_options_of_reading_are_refused_for_a_table_that_is_read():
    p = assay.Predictions.from_arrays(Y, {"m": GOOD})
    with pytest.raises(UnsupportedError, match=r"truth= says how .* are read already"):
        assay.evaluate(p, "accuracy", truth="target")


def test_a_table_given_as_predictions_of_a_truth_is_refused():
    p = assay.Predictions.from_arrays(Y, {"m": GOOD})
    with pytest.raises(UnsupportedError, match="holds the truth already"):
        name_outputs(Y, p)
    with pytest.raises(UnsupportedError, match="predictions hold both already"):
        assay.evaluate(p, y_pred=GOOD)


def test_probabilities_of_a_binary_truth_ask_for_their_name_which_then_serves():
    proba = np.where(GOOD == 1, 0.9, 0.2)
    with pytest.raises(SchemaError, match=r"model\.proba \(probability of the positive class\)"):
        assay.evaluate(Y, proba)
    assert assay.evaluate(Y, {"model.proba": proba}, "accuracy").value == 0.9


def test_a_threshold_of_several_models_asks_which():
    p = assay.Predictions.from_arrays(Y, {"a": GOOD, "b": BAD})
    with pytest.raises(UnsupportedError, match=r"2 models: a, b; name the one .*model='a'"):
        assay.tune_threshold(p)


@pytest.mark.parametrize("form", ["model", "list", "map", "first"])
def test_a_model_in_place_of_predictions_is_sent_to_collect_which_takes_it(form):
    from sklearn.naive_bayes import GaussianNB

    X = np.array([[0.0], [0.2], [0.9], [1.0]])
    y = np.array([0, 0, 1, 1])
    model = GaussianNB().fit(X, y)
    given = {"model": (y, model), "list": (y, [model]), "map": (y, {"m": model})}
    arguments = given.get(form, (model, X, y))
    for verb in (assay.evaluate, assay.compare):
        with pytest.raises(UnsupportedError, match=r"is a model, .* assay\.collect\("):
            verb(*arguments, "accuracy")
    table = assay.collect({"name": model}, X, y)
    assert assay.evaluate(table, "accuracy", intervals=False).value == 1.0


def test_a_dictionary_in_each_row_is_refused_with_what_it_holds():
    said = [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.8}]
    with pytest.raises(SchemaError, match="a dictionary in each row \\('label', 'score'\\)"):
        assay.evaluate(["cat", "dog"], {"m": said})
    labels = [row["label"] for row in said]
    assert assay.evaluate(["cat", "dog"], {"m": labels}, "accuracy", intervals=False).value == 1.0
