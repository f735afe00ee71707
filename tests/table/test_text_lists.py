"""Cells of text that hold lists: probabilities are read, labels refused with what to do."""

import numpy as np
import pandas as pd
import pytest

from assay.errors import SchemaError
from assay.table.predictions import Predictions

table = Predictions.from_arrays
PROBA = np.array([[0.92, 0.08], [1e-05, 0.99999], [0.5, 0.5]])


@pytest.mark.parametrize(
    "spell",
    [
        lambda row: str(row.tolist()),
        str,
        repr,
        lambda row: str(list(row)),
        lambda row: str(tuple(row)),
        lambda row: f"tensor([{row[0]}, {row[1]}])",
        lambda row: f"[[{row[0]} {row[1]}]]",
    ],
)
@pytest.mark.parametrize("kind", [list, lambda v: pd.Series(v, dtype="category")])
def test_probabilities_as_lists_of_text_are_read(spell, kind):
    p = table([0, 1, 1], {"a.proba": kind([spell(row) for row in PROBA])})
    assert p.rows("a").proba.tolist() == PROBA.tolist()


def test_lists_of_text_that_are_cut_short_are_refused():
    with pytest.raises(SchemaError, match=r"holds lists as text, as '\[0.1 ... 0.9\]'"):
        table([0, 1], {"a.proba": ["[0.1 ... 0.9]", "[0.2 ... 0.8]"]})


@pytest.mark.parametrize(
    "labels", [["['cat', 'dog']", "['cat']", "[]"], ["{'cat'}", "{'dog', 'cat'}", "{'dog'}"]]
)
def test_lists_of_labels_as_text_are_no_classes(labels):
    with pytest.raises(SchemaError, match=r"truth holds lists as text.*task='multilabel'"):
        table(labels, {"a": labels})
    assert table(labels, {"a": labels}, classes=sorted(set(labels))).task == "multiclass"


def test_names_in_brackets_are_classes():
    assert table(["[PAD]", "[CLS]"], {"a": ["[PAD]", "[PAD]"]}).classes == ("[CLS]", "[PAD]")


@pytest.mark.parametrize("sets", [[{"cat"}, {"dog", "cat"}], [["cat"], ["dog", "cat"]]])
def test_sets_of_labels_are_refused_with_what_to_give(sets):
    with pytest.raises(SchemaError, match=r"0 or 1 for each: \(n, labels\)|0/1 for each label"):
        table(sets, {"a": sets})
