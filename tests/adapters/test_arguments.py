"""Models, inputs and truth that cannot be used are answered in a sentence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import assay
from assay.adapters.arguments import check_inputs, check_truth, name_models
from assay.errors import AssayError, SchemaError, UnsupportedError

X = np.arange(24.0).reshape(12, 2)
Y = np.array(["a", "b"] * 6)


def test_a_list_of_models_is_named_as_scikit_learn_names_steps():
    models = [LogisticRegression(), GaussianNB(), LogisticRegression(C=2)]
    assert list(name_models(models)) == [
        "logisticregression-1",
        "gaussiannb",
        "logisticregression-2",
    ]
    assert list(name_models(GaussianNB())) == ["gaussiannb"]
    assert list(name_models([(GaussianNB(), {"var_smoothing": [1e-9]})])) == ["gaussiannb"]


def test_lists_of_estimators_are_cross_validated_and_collected():
    p = assay.cross_validate([GaussianNB(), LogisticRegression()], X, Y, cv=2, progress=False)
    assert p.models == ["gaussiannb", "logisticregression"]
    assert assay.collect([GaussianNB().fit(X, Y)], X, Y).models == ["gaussiannb"]


@pytest.mark.parametrize(
    "models, message",
    [
        (3, "expected a mapping of name to .*, or a list; got int"),
        ("lr", "or a list; got str"),
        (None, "or a list; got NoneType"),
        ({1: GaussianNB()}, "a model is named 1; name each by a text"),
        ({"nb": GaussianNB}, r"is the class GaussianNB; give an instance: GaussianNB\(\)"),
        ({}, "no model is given"),
        ([], "no model is given"),
        ([3], "no adapter knows|of the type int, which cannot be fitted anew in each fold"),
    ],
)
@pytest.mark.parametrize("verb", [assay.cross_validate, assay.collect])
def test_models_of_a_wrong_type_are_one_sentence(verb, models, message):
    with pytest.raises(UnsupportedError, match=message):
        verb(models, X, Y)


@pytest.mark.parametrize(
    "y, message",
    [
        (["a", None] * 6, "the truth is empty at row 1"),
        ([1.0, np.nan] * 6, "the truth is empty at row 1"),
        (pd.Categorical(["a", "b", None] * 4), "the truth is empty at row 2"),
        ([1, "a"] * 6, "truth"),
        ([[1, 2], [3], [4], []] * 3, "truth"),
        ("ab", "the truth is a str, not a column"),
        (None, "the truth is a NoneType, not a column"),
        (3, "the truth is a int, not a column"),
    ],
)
def test_a_truth_with_gaps_or_of_several_types_is_one_sentence(y, message):
    with pytest.raises(AssayError, match=message):
        assay.cross_validate([GaussianNB()], X, y, cv=2, progress=False)


def test_the_row_that_a_gap_names_left_out_mends_it():
    y = ["a", "b", None, "b"] * 3
    with pytest.raises(SchemaError, match=r"at row 2.*leave it out of the inputs and of the truth"):
        check_truth(y)
    kept = [i for i, label in enumerate(y) if label is not None]
    p = assay.cross_validate([GaussianNB()], X[kept], [y[i] for i in kept], cv=2, progress=False)
    assert p.n == 9


@pytest.mark.parametrize("inputs", [None, 3, "ab", {"a": [1]}, iter([1]), np.float64(1)])
def test_inputs_without_rows_are_one_sentence(inputs):
    with pytest.raises(UnsupportedError, match=r"the inputs are a .*; expected one a row"):
        check_inputs(inputs)


@pytest.mark.parametrize("name", ["groups", "weight", "id"])
@pytest.mark.parametrize("values", [3, [1, 2], "a"])
def test_further_columns_of_another_length_are_one_sentence(name, values):
    with pytest.raises(UnsupportedError, match=f"{name} must have one value for each of the 12"):
        assay.cross_validate([GaussianNB()], X, Y, cv=2, progress=False, **{name: values})
