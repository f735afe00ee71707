"""Label maps counted into tables: the values of other libraries, edges, and what is refused."""

import math

import numpy as np
import pytest
import sklearn.metrics

import assay
from assay.errors import SchemaError

RNG = np.random.default_rng(12)
SHAPES = [(8, 6), (5, 9), (7, 7)] * 4
TRUTH = [RNG.integers(0, 4, shape) for shape in SHAPES]
UNET = [np.where(RNG.random(y.shape) < 0.2, RNG.integers(0, 4, y.shape), y) for y in TRUTH]
FCN = [np.where(RNG.random(y.shape) < 0.5, RNG.integers(0, 4, y.shape), y) for y in TRUTH]
MODELS = {"unet": UNET, "fcn": FCN}


def flatten(maps):
    return np.concatenate([np.ravel(labels) for labels in maps])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        ("miou", lambda y, p: sklearn.metrics.jaccard_score(y, p, average="macro")),
        ("mean_dice", lambda y, p: sklearn.metrics.f1_score(y, p, average="macro")),
        ("pixel_accuracy", sklearn.metrics.accuracy_score),
        ("balanced_accuracy", sklearn.metrics.balanced_accuracy_score),
    ],
)
def test_values_of_counted_pixels_are_those_of_all_pixels(model, metric, reference):
    table = assay.count_pixels(TRUTH, MODELS).select([model])
    value = assay.evaluate(table, metric, intervals=False).rows[0].value
    expected = reference(flatten(TRUTH), flatten(MODELS[model]))
    assert value == pytest.approx(expected, rel=1e-12)


def test_the_iou_of_each_class_is_that_of_scikit_learn():
    e = assay.evaluate(assay.count_pixels(TRUTH, {"m": UNET}), "iou(average=none)")
    expected = sklearn.metrics.jaccard_score(flatten(TRUTH), flatten(UNET), average=None)
    assert [row.value for row in e.rows] == pytest.approx(expected, rel=1e-12)


def test_mean_iou_is_that_of_torchmetrics():
    segmentation = pytest.importorskip("torchmetrics.segmentation")
    torch = pytest.importorskip("torch")
    y, p = RNG.integers(0, 3, (2, 5, 16, 16))
    ours = assay.evaluate(assay.count_pixels(y, {"m": p}), "iou(average=none)").rows
    metric = segmentation.MeanIoU(num_classes=3, input_format="index", per_class=True)
    # It takes the mean over images of each; of one image it is the same.
    joined = [torch.from_numpy(maps.reshape(1, -1, 16)) for maps in (p, y)]
    theirs = metric(*joined).tolist()
    assert [row.value for row in ours] == pytest.approx(theirs, rel=1e-6)


def test_intervals_draw_whole_images_and_not_pixels():
    table = assay.count_pixels(TRUTH, MODELS)
    row = assay.evaluate(table, "miou").rows[0]
    pixels = assay.evaluate(flatten(TRUTH), {"unet": flatten(UNET)}, "miou").rows[0]
    assert row.method == "cluster bootstrap"
    assert row.value == pytest.approx(pixels.value, rel=1e-12)
    assert assay.compare(table, "miou").pairs[0].method == "paired cluster bootstrap"


def test_models_are_compared_on_the_same_images():
    c = assay.compare(assay.count_pixels(TRUTH, MODELS), "miou")
    assert c.best == "unet"
    assert c.pairs[0].verdict == "unet is better"


def test_a_class_neither_true_nor_predicted_is_undefined_and_left_out_of_the_mean():
    table = assay.count_pixels([[[0, 1], [1, 1]]], {"m": [[[0, 1], [1, 0]]]}, classes=[0, 1, 2])
    each = assay.evaluate(table, "iou(average=none)", intervals=False).rows
    assert [row.value for row in each[:2]] == [1 / 2, 2 / 3]
    assert math.isnan(each[2].value)
    assert each[2].note.startswith("no_positive")
    mean = assay.evaluate(table, "miou", intervals=False).rows[0]
    assert mean.value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert "mean over 2 of 3 classes" in mean.note


def test_pixels_to_ignore_are_left_out_and_counted():
    truth = [[[0, 255], [1, 1]], [[255, 255], [255, 255]]]
    table = assay.count_pixels(truth, {"m": [[[0, 1], [1, 0]], np.ones((2, 2))]}, ignore_label=255)
    assert table.weight.sum() == 3
    assert "5 of 8 pixels are left out: their truth is 255." in table.notes
    assert "3 pixels of 2 images" in table.notes[0]


def test_a_label_to_ignore_that_a_model_predicts_is_refused():
    with pytest.raises(SchemaError, match=r"'m' of image 0 has pixels of the label 9"):
        assay.count_pixels([[[0, 1], [1, 9]]], {"m": [[[0, 9], [1, 1]]]}, ignore_label=9)


def test_maps_may_be_made_one_after_another():
    whole = assay.count_pixels(TRUTH, MODELS)
    lazy = assay.count_pixels(iter(TRUTH), {name: iter(maps) for name, maps in MODELS.items()})
    assert lazy == whole


def test_tensors_volumes_masks_and_axes_of_length_one_are_label_maps():
    torch = pytest.importorskip("torch")
    y = RNG.integers(0, 2, (3, 1, 4, 5))
    plain = assay.count_pixels(y, {"m": 1 - y})
    assert assay.count_pixels(torch.from_numpy(y), {"m": torch.from_numpy(1 - y[:, 0])}) == plain
    assert assay.count_pixels(y.astype(bool), {"m": (1 - y).astype(np.float32)}) == plain
    volumes = assay.count_pixels([y[:, 0]], {"m": [1 - y[:, 0]]})
    assert volumes.weight.sum() == 60
    assert volumes.columns["cluster"].to_pylist() == [0, 0]


def test_very_many_labels_and_models_are_counted_as_few_are():
    y = RNG.integers(0, 2000, (2, 30, 30))
    models = {name: RNG.integers(0, 2000, (2, 30, 30)) for name in "abc"}
    table = assay.count_pixels(y, models)
    for name, maps in models.items():
        value = assay.evaluate(table, "accuracy", intervals=False).get(name, "accuracy").value
        assert value == pytest.approx((y == maps).mean(), rel=1e-12)


def test_columns_of_the_images_are_columns_of_their_pixels():
    sites = ["north", "south"] * 6
    names = [f"image {i}" for i in range(12)]
    table = assay.count_pixels(TRUTH, MODELS, id=names, groups={"site": sites})
    e = assay.evaluate(table, "pixel_accuracy", by="site", intervals=False)
    north = assay.count_pixels(TRUTH[::2], {"unet": UNET[::2]})
    of_north = next(r for r in e.rows if r.model == "unet" and "north" in str(r.group))
    assert of_north.value == assay.evaluate(north, "accuracy", intervals=False).value
    assert set(table.columns["cluster"].to_pylist()) == set(names)
    with pytest.raises(SchemaError, match=r"'site' has 2 entries, for 12 images"):
        assay.count_pixels(TRUTH, MODELS, groups={"site": ["north", "south"]})


def test_a_table_of_pixels_is_read_back_from_a_file(tmp_path):
    table = assay.count_pixels(TRUTH, MODELS)
    assay.write(table, tmp_path / "pixels.parquet")
    read = assay.read(tmp_path / "pixels.parquet")
    a, b = (assay.evaluate(t, "miou").rows[0] for t in (table, read))
    assert (a.value, a.low) == (b.value, b.low)


@pytest.mark.parametrize(
    ("y", "models", "message"),
    [
        (TRUTH, {"m": UNET[:5]}, r"'m' has 5 label maps, and the truth has more"),
        (TRUTH[:5], {"m": UNET}, r"'m' has more label maps than the truth"),
        (TRUTH, UNET, r"models must be a mapping of name to label maps.* got list"),
        ([], {"m": []}, r"there are no images"),
        (TRUTH[0], {"m": UNET[0]}, r"has shape \(6,\); give a label map for each image"),
        (TRUTH[:1], {"m": [UNET[0][:4]]}, r"shape \(4, 6\), the truth has \(8, 6\).*nearest"),
        (TRUTH[:1], {"m": [np.stack([UNET[0]] * 4)]}, r"\(4, 8, 6\).*logits\.argmax\(axis=0\)"),
        (TRUTH[:1], {"m": [UNET[0] / 4]}, r"holds float64 numbers, not labels"),
        ([[["a"], ["b"]]], {"m": [[["a"], ["b"]]]}, r"not labels"),
    ],
)
def test_what_are_no_label_maps_is_refused(y, models, message):
    with pytest.raises(SchemaError, match=message):
        assay.count_pixels(y, models)


def test_arrays_of_images_are_refused_with_the_function_that_counts_them():
    y = np.zeros((2, 3, 3), int)
    with pytest.raises(SchemaError, match=r"assay\.count_pixels\(y, models\)"):
        assay.evaluate(y, {"m": y})


def test_networks_that_segment_images_are_told_where_their_label_maps_go():
    torch = pytest.importorskip("torch")
    network = torch.nn.Conv2d(1, 3, 1)
    images, y = torch.rand(4, 1, 5, 5), torch.randint(0, 3, (4, 5, 5))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, y))
    meter = assay.Meter("miou", kind="logit")
    with torch.no_grad():
        scores = network(images)
    for refuse in (
        lambda: assay.collect({"model": network}, images, y),
        lambda: assay.collect({"model": network}, loader),
        lambda: meter.update(scores, y),
    ):
        with pytest.raises(assay.AssayError, match=r"assay\.count_pixels\(y, "):
            refuse()
    table = assay.count_pixels(y, {"model": scores.argmax(1)})
    assert assay.evaluate(table, "accuracy", intervals=False).value == pytest.approx(
        float((scores.argmax(1) == y).double().mean())
    )


def test_pixels_of_which_every_one_is_ignored_are_refused():
    with pytest.raises(SchemaError, match="every pixel has the label 7"):
        assay.count_pixels([[[7, 7]]], {"m": [[[0, 1]]]}, ignore_label=7)
