"""Replicates from buckets of rows: what each draws, and that they are what a pass would give."""

import numpy as np
import pytest

from assay.intervals.resampling import compute_replicates, draw_buckets
from assay.metrics.base import METRICS
from assay.table.buckets import BUCKETS, assign_buckets
from assay.table.predictions import Predictions


def test_every_replicate_draws_as_many_buckets_as_hold_rows():
    rows = np.array([3, 0, 1, 7, 0])
    counts = draw_buckets(rows, np.random.default_rng(0), replicates=50)
    assert (counts.sum(axis=1) == 3).all()
    assert not counts[:, rows == 0].any()


def test_without_rows_nothing_is_drawn():
    assert not draw_buckets(np.zeros(4, int), np.random.default_rng(0)).any()


@pytest.mark.parametrize("text", ["accuracy", "f1", "brier", "roc_auc"])
def test_a_replicate_has_the_value_of_the_table_with_its_rows_repeated(text):
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    p = Predictions.from_arrays(y, {"m.proba": np.clip(y * 0.3 + rng.random(40) * 0.6, 0, 1)})
    bucket = assign_buckets(p)
    metric = METRICS.parse(text).bind(p.schema)
    state = metric.state
    value = state.observe(p.rows("m"), bucket, BUCKETS)
    counts = draw_buckets(np.bincount(bucket, minlength=BUCKETS), rng, replicates=5)
    replicates = np.ravel(compute_replicates(metric, state, value, counts, p.schema))
    for drawn, replicate in zip(counts, replicates, strict=True):
        repeated = p.take(np.repeat(np.arange(p.n), drawn[bucket]))
        summary = state.summary(state.observe(repeated.rows("m")), p.schema)
        assert metric.estimate(summary)[0] == pytest.approx(replicate, rel=1e-12, nan_ok=True)
