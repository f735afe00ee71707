"""A fold whose training rows lack a class that it tests: said as that, not as another fault."""

import numpy as np
import pytest

from assay.advice.advise import advise
from assay.selection.cross_validate import cross_validate

pytest.importorskip("sklearn")
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB


def cross(cv):
    rng = np.random.default_rng(0)
    y = np.repeat(["ant", "bee", "cat"], 30)
    X = rng.normal(size=(90, 2)) + np.repeat([0.0, 2.0, 4.0], 30)[:, None]
    return cross_validate({"nb": GaussianNB()}, X, y, cv=cv, progress=False)


def test_folds_that_test_a_class_they_were_not_trained_on_are_named():
    (note,) = cross(KFold(3)).notes
    assert note.startswith("folds 0, 1, 2 test rows of a class that none of their training rows")
    assert "ant, bee, cat" in note


def test_stratified_folds_leave_no_note():
    assert cross(3).notes == ()


def test_classes_that_no_fold_could_learn_are_not_taken_for_columns_in_another_order():
    assert "A011" not in {found.code for found in advise(cross(KFold(3)))}
