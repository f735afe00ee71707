"""A metric of each cluster, and its mean over clusters."""

import numpy as np
import pytest

import assay
from assay.errors import SchemaError, UnsupportedError


def draw_maps(seed=0, n=25):
    """Maps of an object, and of two models that find a part of its pixels and some others."""
    rng = np.random.default_rng(seed)
    truth = [(rng.random((9, 7)) < rng.uniform(0.2, 0.9)).astype(int) for _ in range(n)]
    models = {
        name: [np.where(rng.random(y.shape) < noise, 1 - y, y) for y in truth]
        for name, noise in {"a": 0.1, "b": 0.3}.items()
    }
    return truth, models


def measure_dice(y, found):
    return 2 * (y * found).sum() / (y.sum() + found.sum())


def test_the_mean_over_images_is_that_of_the_dice_of_each_image_with_students_interval():
    truth, models = draw_maps()
    scores = assay.score_clusters(assay.count_pixels(truth, models), "dice")
    each = np.array(list(map(measure_dice, truth, models["a"])))
    assert np.allclose(scores.outputs["a"]["value"], each, rtol=1e-12)
    row = assay.evaluate(scores, "mean").get("a", "mean")
    assert row.value == pytest.approx(each.mean(), rel=1e-12)
    assert row.low < each.mean() < row.high
    c = assay.compare(scores, "mean")
    assert c.best == "a"
    assert c.pairs[0].difference == pytest.approx(
        each.mean() - np.mean(list(map(measure_dice, truth, models["b"])))
    )


def test_names_of_images_are_ids_and_any_table_with_clusters_has_scores(tmp_path):
    truth, models = draw_maps(n=6)
    p = assay.count_pixels(truth, models, id=list("uvwxyz"))
    assert assay.score_clusters(p, "miou").columns["id"].to_pylist() == list("uvwxyz")
    path = assay.write(p, tmp_path / "pixels.parquet")
    scores = assay.score_clusters(path, "miou")
    again = assay.read(assay.write(scores, tmp_path / "scores.parquet"))
    assert assay.evaluate(again, "mean").get("b", "mean").value == pytest.approx(
        scores.outputs["b"]["value"].mean()
    )
    y = [0, 1, 1, 0, 1, 1]
    patients = assay.Predictions.from_arrays(
        y, {"m": [0, 1, 0, 0, 1, 1]}, cluster=[1, 1, 1, 2, 2, 2]
    )
    assert assay.score_clusters(patients, "accuracy").outputs["m"]["value"].tolist() == [2 / 3, 1]


def test_an_image_without_the_object_counts_what_is_said():
    empty, full = np.zeros((4, 4), int), np.ones((4, 4), int)
    half = np.repeat([[0, 0, 1, 1]], 4, axis=0)
    truth = [full, empty, half]
    p = assay.count_pixels(truth, {"a": [full, empty, half], "b": [full, half, half]})
    with pytest.raises(SchemaError, match=r"undefined in cluster 1 for model 'a' .* undefined=1.0"):
        assay.score_clusters(p, "dice")
    scores = assay.score_clusters(p, "dice", undefined=1.0)
    assert scores.outputs["a"]["value"].tolist() == [1, 1, 1]
    assert scores.outputs["b"]["value"].tolist() == [1, 0, 1]
    assert any("undefined in 1 of 3 clusters, which count 1 there" in n for n in scores.notes)
    both = assay.count_pixels(truth, {"a": truth, "b": truth})
    scores = assay.score_clusters(both, "dice")
    assert scores.n == 2
    assert any("1 of 3 clusters are left out" in note for note in scores.notes)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"metric": "iou(average=none)"}, "has a value for each class"),
        ({"metric": "dice", "undefined": float("nan")}, "undefined must be a finite number"),
    ],
)
def test_what_gives_no_score_of_a_cluster_is_refused(options, told):
    truth, models = draw_maps(n=3)
    with pytest.raises(UnsupportedError, match=told):
        assay.score_clusters(assay.count_pixels(truth, models), **options)
    with pytest.raises(UnsupportedError, match="no column 'cluster' of clusters"):
        assay.score_clusters(assay.Predictions.from_arrays([0, 1], {"m": [0, 1]}), "accuracy")
