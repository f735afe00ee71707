"""Confusion tables of very many classes, kept as pairs, have the values of whole tables."""

import numpy as np
import pytest

import assay
from assay.engines.local import Local
from assay.evaluation.merge import merge_states
from assay.evaluation.values import read_rows
from assay.states import confusion, sparse
from assay.states.sparse import SparseTable
from assay.table.predictions import Predictions

METRICS = [
    "accuracy",
    "f1",
    "f1(average=weighted)",
    "mcc",
    "cohen_kappa(weights=linear)",
    "confusion_matrix",
    "recall",
]


def table(k: int = 12, weighted: bool = False, n: int = 400) -> Predictions:
    rng = np.random.default_rng(0)
    y, said = rng.integers(0, k, (2, n))
    weight = rng.gamma(1.0, size=n) if weighted else None
    groups = {"site": rng.choice(["a", "b", "c"], n)}
    return Predictions.from_arrays(
        y,
        {"m": np.where(rng.random(n) < 0.5, y, said)},
        task="multiclass",
        weight=weight,
        groups=groups,
    )


def figures(p: Predictions, **options: object) -> list[float]:
    return [row.value for row in assay.evaluate(p, METRICS, intervals=False, **options).rows]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by", [None, "site"])
@pytest.mark.parametrize("most", [1 << 22, 50])
def test_sparse_tables_have_the_figures_of_whole_ones(monkeypatch, weighted, by, most):
    p = table(weighted=weighted)
    whole = figures(p, by=by)
    monkeypatch.setattr(confusion, "DENSE", 4)
    monkeypatch.setattr(sparse, "MAX_PAIRS", most)
    np.testing.assert_allclose(figures(p, by=by, engine=Local(batch=30)), whole, rtol=1e-12)


def test_sparse_tables_go_through_a_state_file(monkeypatch, tmp_path):
    monkeypatch.setattr(confusion, "DENSE", 4)
    p = table(weighted=True)
    files = [tmp_path / "a.state", tmp_path / "b.state"]
    for half, file in zip((p.slice(0, 150), p.slice(150, 400)), files, strict=True):
        assay.evaluate(half, METRICS, intervals=False, checkpoint=file)
    rows = read_rows(*merge_states(files))
    np.testing.assert_allclose([row.value for row in rows], figures(p), rtol=1e-12)


def test_intervals_of_ten_thousand_classes_need_no_whole_table():
    p = table(10_000, n=3000)
    accuracy, f1 = assay.evaluate(p, ["accuracy", "f1"]).rows
    assert accuracy.low < accuracy.value < accuracy.high
    assert f1.low <= f1.value < f1.high


def test_a_sparse_table_reads_as_a_whole_one():
    pairs = SparseTable(
        3,
        2,
        np.array([0, 2, 2]),
        np.array([1, 2, 2]),
        np.array([1, 0, 0]),
        np.array([0.5, 1.0, 2.0]),
    )
    whole = np.asarray(pairs)
    assert whole[0].tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 3]]
    assert whole[1].tolist() == [[0, 0.5, 0], [0, 0, 0], [0, 0, 0]]
    assert np.asarray(pairs[1:2]).tolist() == [whole[1].tolist()]
    assert [side.tolist() for side in pairs.pairs] == [[0, 2], [1, 2], [0.5, 3.0]]


def test_clusters_of_very_many_classes_are_refused_with_a_remedy():
    p = Predictions.from_arrays(
        range(2000), {"m": list(range(2000))}, cluster=[i // 20 for i in range(2000)]
    )
    with pytest.raises(
        assay.errors.UnsupportedError, match="2000 classes cannot be resampled by clusters"
    ):
        assay.evaluate(p, "f1")
