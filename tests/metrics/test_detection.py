"""Average precision and recall of detected boxes, beside pycocotools."""

import json
from dataclasses import replace

import numpy as np
import pytest

import assay
from assay.testing import random_table

pytest.importorskip("pycocotools")

from box_oracles import make_coco, run_coco

# The metrics that are the twelve values which `COCOeval.summarize` prints, in its order.
SUMMARY = (
    "box_ap",
    "box_ap50",
    "box_ap75",
    "box_ap(area=small)",
    "box_ap(area=medium)",
    "box_ap(area=large)",
    "box_ar(detections=1)",
    "box_ar(detections=10)",
    "box_ar",
    "box_ar(area=small)",
    "box_ar(area=medium)",
    "box_ar(area=large)",
)
LABELS = ("car", "person", "bus", "kite")
TRUE = {"category": "cat", "bbox": [10.0, 10.0, 20.0, 20.0]}


def draw_images(seed, n=40):
    """Truth and boxes of two models: crowds, areas given, empty images, boxes of one score."""
    rng = np.random.default_rng(seed)
    truth, found = [], {"a": [], "b": []}
    for image in range(n):
        sizes = np.exp(rng.uniform(np.log(8), np.log(250), (int(rng.integers(0, 7)), 2)))
        boxes = [
            {
                "category": LABELS[int(rng.integers(3))],  # there is no kite
                "bbox": [*rng.uniform(0, 300, 2).tolist(), *size.tolist()],
                "iscrowd": int(rng.random() < 0.15),
                "area": float(size.prod() * rng.uniform(0.4, 1)),
            }
            for size in sizes
        ]
        truth.append(boxes if image % 7 else [])
        for model, noise in {"a": 0.04, "b": 0.15}.items():
            guesses = []
            for box in boxes * (1 + (image % 5 == 0)):
                bbox = (
                    np.array(box["bbox"]) + np.tile(box["bbox"][2:], 2) * rng.normal(size=4) * noise
                )
                bbox[2:] = np.abs(bbox[2:])
                label = box["category"] if rng.random() < 0.9 else LABELS[int(rng.integers(4))]
                score = float(np.round(rng.random(), 1 if image % 2 else 6))
                guesses.append({"category": label, "bbox": bbox.tolist(), "score": score})
            found[model].append(guesses if image % 11 else [])
    return truth, found


def make_table(truth, found, **options):
    texts = {f"{name}.text": list(map(json.dumps, images)) for name, images in found.items()}
    return assay.Predictions.from_arrays(
        list(map(json.dumps, truth)), texts, task="detection", **options
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_twelve_values_are_those_that_pycocotools_prints(seed):
    truth, found = draw_images(seed)
    found["b"] = [boxes * 30 for boxes in found["b"]]  # more than 100 of a class and an image
    e = assay.evaluate(make_table(truth, found), list(SUMMARY), intervals=False)
    for model, images in found.items():
        theirs = run_coco(*make_coco(truth, images, LABELS)).stats
        ours = [
            e.get(model, str(metric)).value for metric in dict.fromkeys(r.metric for r in e.rows)
        ]
        assert np.allclose(ours, theirs, rtol=0, atol=1e-12)


def test_each_class_has_its_own_average_precision_and_one_without_true_boxes_has_none():
    truth, found = draw_images(5)
    e = assay.evaluate(make_table(truth, found), "box_ap(average=none)", intervals=False)
    precision = run_coco(*make_coco(truth, found["a"], LABELS)).eval["precision"][..., 0, -1]
    values = {row.class_: row for row in e.rows if row.model == "a"}
    for k, label in enumerate(LABELS[:3]):
        assert values[label].value == pytest.approx(precision[:, :, k].mean(), abs=1e-12)
    assert np.isnan(values["kite"].value)
    assert "no_positive" in values["kite"].note


def test_a_replicate_is_the_value_of_the_images_drawn():
    truth, found = draw_images(6)
    p = make_table(truth, found, classes=LABELS)
    metric = assay.evaluate(p, "box_ap", intervals=False).rows[0].metric
    from assay.metrics.base import METRICS
    from assay.states.matches import Matches

    bound = METRICS.parse(metric).bind(p.schema)
    value = Matches().observe(p.rows("a"), np.arange(p.n), p.n)
    counts = np.random.default_rng(0).multinomial(p.n, np.full(p.n, 1 / p.n), 5)
    replicates = bound.compute(Matches().summary(Matches().resample(value, counts), p.schema))
    for drawn, replicate in zip(counts, replicates, strict=True):
        images = [
            [images[i] for i in np.repeat(np.arange(p.n), drawn)] for images in (truth, found["a"])
        ]
        theirs = run_coco(*make_coco(*images, LABELS)).stats[0]
        # Of boxes of one score those of an image drawn twice may come first.
        assert replicate == pytest.approx(theirs, abs=2e-3)


def test_a_weight_of_a_half_changes_nothing():
    truth, found = draw_images(7)
    plain = assay.evaluate(make_table(truth, found), "box_ap", intervals=False)
    for weight in (0.5, 2.0):
        weights = np.full(len(truth), weight)
        halved = assay.evaluate(make_table(truth, found, weight=weights), "box_ap", intervals=False)
        assert halved.get("a", "box_ap").value == pytest.approx(plain.get("a", "box_ap").value)


def test_the_better_model_is_told_by_whole_images():
    truth, found = draw_images(8, 60)
    p = make_table(truth, found)
    row = assay.evaluate(p, "box_ap").get("a", "box_ap")
    assert row.low < row.value < row.high
    c = assay.compare(p)
    assert c.metric == "box_ap"
    assert c.best == "a"
    assert c.rows[0].p < 0.05
    same = assay.compare(make_table(truth, {"a": found["a"], "b": found["a"]}))
    assert same.rows[0].difference == 0
    assert same.rows[0].p > 0.9


def test_a_truth_numbered_from_0_is_found_all_the_same():
    # pycocotools 2.0.11 takes a match with the annotation of the id 0 for none.
    data = {
        "images": [{"id": 0}],
        "categories": [{"id": 0, "name": "cat"}],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 0,
                "bbox": [0, 0, 9, 9],
                "area": 81,
                "iscrowd": 0,
            }
        ],
    }
    results = [{"image_id": 0, "category_id": 0, "bbox": [0, 0, 9, 9], "score": 0.9}]
    assert run_coco(data, results).stats[0] == 0
    p = assay.pair_boxes(data, {"m": results})
    assert assay.evaluate(p, "box_ap", intervals=False).value == 1


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("box_ap(area=tiny)", "area must be one of all, small, medium, large"),
        ("box_ap(average=micro)", "average must be one of macro, none"),
        ("box_ar(detections=0)", "detections must be 1 to 100"),
        ("map", "this table's task is detection: use box_ap"),
    ],
)
def test_parameters_out_of_range_are_refused(metric, told):
    with pytest.raises(assay.AssayError, match=told):
        assay.evaluate(random_table("detection", 0), metric)


@pytest.mark.parametrize(
    ("true", "found", "told"),
    [
        ([TRUE], [{**TRUE, "bbox": [1, 1, -2, 3], "score": 1}], "negative width or height"),
        ([TRUE], [TRUE], "a box has no 'score'"),
        ([TRUE], [{**TRUE, "score": "high"}], "a score is no number"),
        ([{"category": "cat"}], [], "truth: a box has no 'bbox'|boxes: a box has no 'bbox'"),
        ([TRUE], [{**TRUE, "bbox": [1, 2, 3], "score": 1}], r"no \[x, y, width, height\]"),
        ([{**TRUE, "category": 1.5}], [], "neither text nor a whole number"),
        ([TRUE], [{**TRUE, "category": 3, "score": 1}], "texts in some boxes and numbers"),
    ],
)
def test_boxes_that_cannot_be_used_are_refused(true, found, told):
    with pytest.raises(assay.SchemaError, match=told):
        make_table([[], true], {"m": [[], found]})


def test_what_is_no_json_of_boxes_is_refused_with_the_form():
    with pytest.raises(assay.SchemaError, match=r'\[\{"category": "cat"'):
        assay.Predictions.from_arrays(["cat"], {"m": ["cat"]}, task="detection")


def test_tables_of_boxes_go_through_files(tmp_path):
    p = random_table("detection", 1, n=12)
    for suffix in ("parquet", "arrow"):
        assert assay.read(assay.write(p, tmp_path / f"p.{suffix}")) == p
    path = assay.write(p, tmp_path / "p.csv")
    read = assay.read(path, task="detection")
    values = [
        assay.evaluate(table, "box_ap", intervals=False).get("a", "box_ap").value
        for table in (p, read)
    ]
    assert values[0] == values[1]


def test_boxes_are_not_fused():
    with pytest.raises(assay.UnsupportedError, match="boxes are not fused"):
        assay.fuse(random_table("detection", 1))


def test_images_have_no_loss_of_their_own():
    p = random_table("detection", 1)
    with pytest.raises(assay.UnsupportedError, match="an image has no loss of its own"):
        assay.hardest_rows(p)
    with pytest.raises(assay.UnsupportedError, match="box_ap has no value for each row"):
        assay.weak_slices(p)


def test_the_baseline_finds_no_box():
    page = assay.report(random_table("detection", 1, n=30))
    assert page.evaluation.get(page.baseline, "box_ap").value == 0


@pytest.mark.parametrize("seed", range(3))
def test_order_and_weights_of_images_without_ties_are_those_of_repeated_images(seed):
    p = random_table("detection", seed, n=30)
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 4, p.n)
    order = rng.permutation(np.repeat(np.arange(p.n), times))
    found = assay.evaluate(replace(p, weight=times.astype(float)), "box_ap", intervals=False)
    wanted = assay.evaluate(replace(p, weight=None).take(order), "box_ap", intervals=False)
    for one, other in zip(found.rows, wanted.rows, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-12)
