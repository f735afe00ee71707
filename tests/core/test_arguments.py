"""Arguments that several verbs take are checked alike."""

import inspect

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.errors import UnsupportedError
from assay.table.predictions import Predictions

Y = np.arange(40) % 2
TABLE = Predictions.from_arrays(
    Y,
    {"a": Y, "b": 1 - Y},
    split=np.repeat(["train", "test"], 20),
    groups={"site": np.repeat(["x", "y"], 20)},
)
SCORES = {f"set {i}": {"a": 0.8, "b": 0.7} for i in range(6)}

# Every verb that takes a confidence, and a call of it that only the confidence is wrong with.
CALLS = {
    "bayesian_fold_test": lambda level: assay.bayesian_fold_test(
        TABLE, "accuracy", 0.01, confidence=level
    ),
    "compare": lambda level: assay.compare(TABLE, "accuracy", confidence=level),
    "compare_datasets": lambda level: assay.compare_datasets(SCORES, "accuracy", confidence=level),
    "evaluate": lambda level: assay.evaluate(TABLE, "accuracy", confidence=level),
    "fairness": lambda level: assay.fairness(TABLE, "site", "accuracy", confidence=level),
    "five_by_two_f_test": lambda level: assay.five_by_two_f_test(
        TABLE, "accuracy", "a", "b", confidence=level
    ),
    "learning_curve": lambda level: assay.learning_curve({}, Y[:, None], Y, confidence=level),
    "membership_inference": lambda level: assay.membership_inference(TABLE, confidence=level),
    "permutation_importance": lambda level: assay.permutation_importance(
        {}, Y[:, None], Y, confidence=level
    ),
    "race": lambda level: assay.race({}, Y[:, None], Y, confidence=level),
    "report": lambda level: assay.report(TABLE, confidence=level),
    "selection_bias": lambda level: assay.selection_bias(TABLE, "accuracy", confidence=level),
    "weak_slices": lambda level: assay.weak_slices(TABLE, "accuracy", confidence=level),
}


def test_the_calls_are_of_every_verb_that_takes_a_confidence():
    verbs = {name: getattr(assay, name) for name in dir(assay) if name[0].islower()}
    taking = [
        name
        for name, verb in verbs.items()
        if inspect.isfunction(verb) and "confidence" in inspect.signature(verb).parameters
    ]
    assert sorted(CALLS) == sorted(taking)


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("level", [0, 1, 1.5, -0.5, float("nan")])
def test_a_confidence_outside_0_to_1_is_refused_by_every_verb_in_the_same_words(verb, level):
    with pytest.raises(
        UnsupportedError, match=rf"^confidence must be between 0 and 1; got {level}$"
    ):
        CALLS[verb](level)


def test_compare_over_data_sets_refuses_a_confidence_of_150_percent_in_one_line(tmp_path, capsys):
    files = [str(tmp_path / f"{i}.csv") for i in range(6)]
    for file in files:
        assay.write(TABLE, file)
    with pytest.raises(SystemExit) as left:
        main(["compare", *files, "--datasets", "--confidence", "1.5"])
    assert left.value.code == 2
    assert capsys.readouterr().err == "assay: confidence must be between 0 and 1; got 1.5\n"


def test_names_of_columns_are_a_text_or_several():
    from assay.core.arguments import list_names

    assert list_names("by", "site") == ("site",)
    assert list_names("by", ["site", "age"]) == ("site", "age")
    for wrong in (3, [3], b"site"):
        with pytest.raises(UnsupportedError, match="by must be the name of a column, or several"):
            list_names("by", wrong)


@pytest.mark.parametrize("seed", [-1, 2.5, "one", None])
def test_a_seed_that_is_no_whole_number_from_0_is_refused_by_every_verb(seed):
    from sklearn.dummy import DummyClassifier

    p = assay.Predictions.from_arrays(Y, {"a": Y, "b": 1 - Y})
    verbs = (assay.evaluate, assay.compare, assay.fuse, assay.report, assay.selection_bias)
    calls = [lambda verb=verb: verb(p, seed=seed) for verb in verbs]
    calls.append(lambda: assay.cross_validate({"m": DummyClassifier()}, Y[:, None], Y, seed=seed))
    for call in calls:
        with pytest.raises(assay.AssayError, match="seed must be a whole number of 0 or more"):
            call()


@pytest.mark.parametrize(
    ("verb", "options", "told"),
    [
        (assay.weak_slices, {"depth": "deep"}, "depth must be a whole number of 1 or more"),
        (assay.weak_slices, {"min_rows": None}, "min_rows must be a whole number of 2 or more"),
        (assay.weak_slices, {"min_rows": 1}, "min_rows must be a whole number of 2 or more"),
        (assay.compare, {"equivalence": "small"}, "equivalence must be above 0"),
        (assay.tune_threshold, {"folds": "two"}, "folds must be a whole number of 2 or more"),
    ],
)
def test_a_number_that_is_none_is_refused_in_words(verb, options, told):
    with pytest.raises(UnsupportedError, match=told):
        verb(TABLE.select(["a"]) if verb is assay.tune_threshold else TABLE, **options)
    if verb is assay.compare:
        with pytest.raises(UnsupportedError, match="equivalence must be 0 or more"):
            assay.bayesian_fold_test(
                Predictions.from_arrays(Y, {"a": Y, "b": 1 - Y}, fold=Y), "accuracy", **options
            )


@pytest.mark.parametrize("verb", ["fuse", "bayesian_fold_test", "selection_bias"])
def test_models_that_are_no_names_are_refused_in_words(verb):
    y = [0, 1] * 30
    p = assay.Predictions.from_arrays(y, {"a": y, "b": y[::-1]}, fold=[i // 6 for i in range(60)])
    options = {"fuse": {}, "selection_bias": {"metric": "accuracy"}}.get(
        verb, {"metric": "accuracy", "equivalence": 0.01}
    )
    with pytest.raises(UnsupportedError, match="models must be the name of a model, or several"):
        getattr(assay, verb)(p, models=3, **options)


def test_histories_that_are_no_logs_are_refused_in_words():
    with pytest.raises(UnsupportedError, match="histories must be training logs"):
        assay.report(TABLE, histories=3)
