"""What an unfriendly table, file or order of jobs must not do: give a wrong value, or end in a
traceback.
"""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import assay
from assay.errors import ReadError
from assay.evaluation.evaluate import build_evaluation
from assay.evaluation.merge import merge_states


def table(n=400, seed=0, **more):
    """A binary table with probabilities."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + y)))
    return pa.table({"y": y, "m.proba.0": 1 - p, "m.proba.1": p, **more})


def written(path, rows):
    """The rows as one file of small row groups."""
    parquet.write_table(rows, path, row_group_size=100)
    return path


@pytest.mark.parametrize("change", ["rows", "positive", "classes"])
def test_a_checkpoint_of_another_table_of_as_many_rows_is_refused(tmp_path, change):
    path, state = written(tmp_path / "a.parquet", table()), tmp_path / "a.state"
    assay.evaluate(assay.scan(path), "roc_auc", checkpoint=state)
    reading = {
        "rows": {},
        "positive": {"positive": 0},
        "classes": {"classes": [1, 0], "positive": 1},
    }[change]
    if change == "rows":
        written(path, table(seed=1))
    with pytest.raises(ReadError, match="another table"):
        assay.evaluate(assay.scan(path, **reading), "roc_auc", checkpoint=state)


@pytest.mark.parametrize("lengths", [(3000, 3000), (300, 3000)])
def test_sketches_of_jobs_with_other_groups_merge_to_the_values_of_one(
    tmp_path, monkeypatch, lengths
):
    rng = np.random.default_rng(0)
    parts = [table(n, i, g=rng.choice(list("abcde"[: 2 + i]), n)) for i, n in enumerate(lengths)]
    exact = assay.evaluate(
        assay.read(written(tmp_path / "all.parquet", pa.concat_tables(parts))), "roc_auc", by="g"
    )
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    states = [tmp_path / f"{i}.state" for i in range(2)]
    for i, (part, state) in enumerate(zip(parts, states, strict=True)):
        assay.evaluate(
            assay.scan(written(tmp_path / f"{i}.parquet", part)),
            "roc_auc",
            by="g",
            checkpoint=state,
        )
    found = build_evaluation(*merge_states(states))
    assert [r.value for r in found.rows] == pytest.approx([r.value for r in exact.rows], abs=1e-4)


def test_a_checkpoint_does_not_narrow_the_interval_of_clustered_rows(tmp_path):
    rng = np.random.default_rng(0)
    path = written(tmp_path / "a.parquet", table(cluster=np.sort(rng.integers(0, 20, 400))))
    plain = assay.evaluate(assay.scan(path), "roc_auc").rows[0]
    row = assay.evaluate(assay.scan(path), "roc_auc", checkpoint=tmp_path / "a.state").rows[0]
    assert np.isnan(row.low) or (row.low, row.high) == pytest.approx((plain.low, plain.high))


@pytest.mark.parametrize("metric", ["calibration_slope", "calibration_intercept"])
def test_every_metric_can_be_kept_at_a_checkpoint(tmp_path, metric):
    path = written(tmp_path / "a.parquet", table())
    assert assay.evaluate(assay.scan(path), metric, checkpoint=tmp_path / "a.state").rows


def test_curve_metrics_of_several_classes_can_be_kept_at_a_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 300)
    rows = pa.table({"y": rng.integers(0, 3, 300), **{f"m.proba.{i}": p[:, i] for i in range(3)}})
    path = written(tmp_path / "a.parquet", rows)
    assert assay.evaluate(assay.scan(path), "ks", checkpoint=tmp_path / "a.state").rows


def test_groups_of_dates_can_be_kept_at_a_checkpoint(tmp_path):
    days = [datetime.date(2020, 1, 1 + i % 2) for i in range(400)]
    path = written(tmp_path / "a.parquet", table(g=days))
    assert assay.evaluate(
        assay.scan(path), "accuracy", by="g", checkpoint=tmp_path / "a.state"
    ).rows


def test_models_one_of_which_needs_the_floor_of_log_loss_compare():
    y = np.array([0, 1] * 50)
    sure = np.where(np.arange(100) == 7, 1 - y, y).astype(float)
    models = {"sure": np.c_[1 - sure, sure], "even": np.full((100, 2), 0.5)}
    compared = assay.compare(assay.Predictions.from_arrays(y, models), "log_loss")
    assert {compared.pairs[0].a, compared.pairs[0].b} == {"sure", "even"}


def test_clusters_named_by_text_in_a_file_count(tmp_path):
    path = written(tmp_path / "a.parquet", table(cluster=[f"c{i % 30}" for i in range(400)]))
    assert assay.evaluate(assay.read(path), "accuracy").rows[0].method == "cluster bootstrap"


def test_an_empty_file_of_a_stream_adds_nothing(tmp_path):
    written(tmp_path / "0.parquet", table())
    parquet.write_table(table().slice(0, 0), tmp_path / "1.parquet", row_group_size=100)
    assert assay.evaluate(assay.scan(tmp_path), "accuracy").n == 400


def test_groups_of_a_stream_may_be_nan(tmp_path):
    g = np.where(np.arange(400) % 2, np.nan, 1.5)
    path = written(tmp_path / "a.parquet", table(g=g))
    assert [r.n for r in assay.evaluate(assay.scan(path), "accuracy", by="g").rows] == [
        400,
        200,
        200,
    ]


def test_weighted_groups_of_a_sketch_count_their_own_rows(tmp_path, monkeypatch):
    path = written(tmp_path / "a.parquet", table(g=np.arange(400) % 2, weight=np.full(400, 0.5)))
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 100)
    assert [r.n for r in assay.evaluate(assay.scan(path), "roc_auc", by="g").rows] == [
        400,
        200,
        200,
    ]


def test_a_sketched_threshold_lies_within_its_stated_bound(tmp_path, monkeypatch):
    path = written(tmp_path / "a.parquet", table())
    exact = assay.evaluate(assay.read(path), "best_f_beta_threshold", intervals=False).value
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 100)
    row = assay.evaluate(assay.scan(path), "best_f_beta_threshold", intervals=False).rows[0]
    assert (
        "within" not in row.note
        or abs(row.value - exact) <= 1.06 * float(row.note.split()[1]) + 1e-12
    )
