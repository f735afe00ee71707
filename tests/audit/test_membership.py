"""Membership inference: what the losses of a model say of who was in its training set."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from assay.audit.membership import membership_inference
from assay.charts import audit as groups
from assay.charts.style import get_spec
from assay.errors import SchemaError
from assay.table.predictions import Predictions


def table(seed, memory, n=400, **more):
    """A model surer of the rows it was trained on, by `memory`."""
    rng = np.random.default_rng(seed)
    y, split = rng.integers(0, 2, n), np.where(rng.random(n) < 0.6, "train", "test")
    own = 1 / (1 + np.exp(-rng.normal(1.5 + memory * (split == "train"), 1.0)))
    one = np.where(y == 1, own, 1 - own)
    return Predictions.from_arrays(y, {"m.proba": np.stack([1 - one, one], 1)}, split=split, **more)


def loss_of(p):
    return -np.log(p.rows("m").proba[np.arange(p.n), p.truth])


def trained(p):
    return np.array(p.columns["split"].to_pylist()) == "train"


def test_the_area_and_the_advantage_are_those_of_the_roc_curve_of_minus_the_loss():
    p = table(0, 1.0)
    row = membership_inference(p).rows[0]
    assert row.auc == pytest.approx(roc_auc_score(trained(p), -loss_of(p)))
    fpr, tpr, _ = roc_curve(trained(p), -loss_of(p))
    assert row.advantage == pytest.approx((tpr - fpr).max())
    assert row.loss_of_members == pytest.approx(loss_of(p)[trained(p)].mean())


def test_a_model_that_remembers_gives_membership_away():
    row = membership_inference(table(1, 1.5)).rows[0]
    assert row.low > 0.5
    assert row.held_out_low > 0
    assert "gives away who was trained on" in row.reading


def test_a_model_without_memory_gives_nothing_away_in_about_95_of_100_tables():
    rows = [membership_inference(table(seed, 0.0, 200)).rows[0] for seed in range(100)]
    assert sum(row.low <= 0.5 <= row.high for row in rows) >= 89
    assert abs(np.mean([row.held_out for row in rows])) < 0.02
    assert np.mean([row.advantage for row in rows]) > 0.05  # chosen on the rows it is of


def test_training_rows_with_higher_losses_mean_other_kinds_of_rows():
    assert "other kinds of rows" in membership_inference(table(2, -1.5)).rows[0].reading


@pytest.mark.parametrize(
    ("models", "options", "loss"),
    [
        ({"m": [0, 1, 1, 0, 1, 0]}, {}, "hamming_loss"),
        ({"m.logit": np.eye(2)[[0, 1, 1, 0, 1, 0]]}, {}, "log_loss"),
        ({"m": [0.1, 0.9, 0.8, 0.3, 0.7, 0.2]}, {"task": "regression"}, "mse"),
    ],
)
def test_the_sharpest_loss_that_a_model_gives_is_used(models, options, loss):
    split = ["train", "train", "train", "test", "test", "test"]
    p = Predictions.from_arrays([0, 1, 1, 0, 1, 1], models, split=split, **options)
    assert membership_inference(p).rows[0].loss == loss


def test_rows_in_clusters_widen_the_interval():
    p = table(3, 0.5, cluster=np.arange(400) // 20)
    free = table(3, 0.5)
    assert membership_inference(p).rows[0].auc == membership_inference(free).rows[0].auc
    assert membership_inference(p).rows[0].low != membership_inference(free).rows[0].low


def test_a_column_that_does_not_tell_is_refused():
    p = Predictions.from_arrays([0, 1], {"m": [0, 1]}, split=["test", "test"])
    with pytest.raises(SchemaError, match="must tell rows trained on"):
        membership_inference(p)


def test_scores_alone_have_no_loss():
    p = Predictions.from_arrays([0, 1], {"m.score": [0.1, 0.2]}, split=["train", "test"])
    with pytest.raises(SchemaError, match="scores only"):
        membership_inference(p)


def test_the_json_is_versioned():
    found = membership_inference(table(4, 1.0))
    assert json.loads(found.to_json())["schema"] == "assay.membership/1"
    assert "Membership inference" in repr(found)


def test_the_chart_has_a_tick_where_nothing_is_given_away():
    chart = groups.membership(membership_inference(table(0, 1.0)))
    assert '"other": 0.5' in json.dumps(get_spec(chart))
