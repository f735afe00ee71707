"""Averages over the labels of each row: what rows without any label count."""

import numpy as np
import pytest
import sklearn.metrics

from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions


def sparse_labels(seed=0):
    """Truth and prediction of 50 rows, of which some have no label at all."""
    rng = np.random.default_rng(seed)
    return rng.random((50, 3)) < 0.2, rng.random((50, 3)) < 0.2


@pytest.mark.parametrize("name", ["f1", "jaccard"])
def test_a_row_without_any_label_counts_1_as_with_zero_division_1(name):
    y, label = (part.astype(int) for part in sparse_labels())
    p = Predictions.from_arrays(y, {"m.label": label}, task="multilabel")
    row = evaluate(p, f"{name}(average=samples)").rows[0]
    score = getattr(sklearn.metrics, f"{name}_score")
    assert row.value == pytest.approx(score(y, label, average="samples", zero_division=1))
    share = float((~y.any(axis=1) & ~label.any(axis=1)).mean())
    assert f"{share:.2%} of the weight has neither a true nor a predicted label" in row.note


def test_no_note_is_made_where_every_row_has_a_label():
    labels = [[1, 0], [1, 1]] * 20
    p = Predictions.from_arrays(labels, {"m.label": labels[::-1]}, task="multilabel")
    assert "neither" not in evaluate(p, "f1(average=samples)").rows[0].note
