"""Boxes as frameworks return them and as COCO files hold them."""

import contextlib
import json

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.errors import ReadError, SchemaError

pytest.importorskip("pycocotools")

DATA = {
    "images": [{"id": i, "width": 100, "height": 80} for i in (7, 3, 9)],
    "categories": [{"id": 2, "name": "dog"}, {"id": 5, "name": "cat"}],
    "annotations": [
        {
            "id": 0,
            "image_id": 3,
            "category_id": 2,
            "bbox": [10, 10, 20, 20],
            "area": 400,
            "iscrowd": 0,
        },
        {
            "id": 1,
            "image_id": 7,
            "category_id": 5,
            "bbox": [50, 40, 30, 30],
            "area": 900,
            "iscrowd": 0,
        },
    ],
}
GOOD = [
    {"image_id": 3, "category_id": 2, "bbox": [10, 10, 20, 20], "score": 0.9},
    {"image_id": 7, "category_id": 5, "bbox": [50, 40, 30, 27], "score": 0.8},
]
POOR = [{"image_id": 9, "category_id": 2, "bbox": [0, 0, 9, 9], "score": 0.4}]


def write_files(folder, **files):
    paths = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content))
        paths.append(path)
    return paths


def read_score(p, model="m"):
    return assay.evaluate(p, "box_ap", intervals=False).get(model, "box_ap").value


def run(*arguments):
    with contextlib.suppress(SystemExit):
        main([str(argument) for argument in arguments])


def test_coco_files_are_read_image_by_image_with_the_names_of_the_categories(tmp_path):
    p = assay.read(*write_files(tmp_path, good=GOOD, truth=DATA, poor=POOR))
    assert (p.task, p.classes, p.n) == ("detection", ("dog", "cat"), 3)
    assert p.columns["id"].to_pylist() == [3, 7, 9]
    assert p.models == ["good", "poor"]
    assert read_score(p, "good") == pytest.approx((1 + 0.9) / 2)
    assert read_score(p, "poor") == 0


def test_the_command_line_takes_the_truth_and_the_results_of_each_model(tmp_path, capsys):
    files = write_files(tmp_path, truth=DATA, good=GOOD, poor=POOR)
    run(
        "evaluate",
        *files,
        "-m",
        "box_ap",
        "-m",
        "box_ap50",
        "-m",
        "box_ap(average=none)",
        "--json",
        "-",
    )
    document = json.loads(capsys.readouterr().out)
    values = {(r["metric"], r["model"], r["class"]): r["value"] for r in document["rows"]}
    assert values["box_ap", "good", None] == pytest.approx(0.95)
    assert values["box_ap50", "good", None] == 1
    assert values["box_ap(average=none)", "good", "cat"] == pytest.approx(0.9)
    run("compare", *files, "--task", "detection", "--json", "-")
    assert json.loads(capsys.readouterr().out)["best"] == "good"


def test_a_truth_in_memory_goes_with_results_in_a_file(tmp_path):
    (path,) = write_files(tmp_path, good=GOOD)
    assert read_score(assay.pair_boxes(DATA, {"m": path})) == pytest.approx(0.95)


def test_tensors_as_torchvision_gives_them_are_two_corners():
    torch = pytest.importorskip("torch")
    truth = [
        {"boxes": torch.tensor([[10.0, 10, 30, 30]]), "labels": torch.tensor([1])},
        {"boxes": torch.zeros((0, 4)), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    found = [
        {
            "boxes": torch.tensor([[10.0, 10, 30, 28]], requires_grad=True),
            "labels": torch.tensor([1]),
            "scores": torch.tensor([0.5]),
        },
        {"boxes": torch.zeros((0, 4)), "labels": [], "scores": torch.zeros(0)},
    ]
    p = assay.pair_boxes(truth, {"m": found}, class_names=["background", "cat"], id=["a", "b"])
    assert p.classes == ("cat",)
    assert read_score(p) == pytest.approx(0.9)
    p = assay.pair_boxes(truth, {"m": found}, groups={"night": [True, False]})
    assert (p.classes, list(p.columns)) == ((1,), ["night"])


def test_crowds_are_matched_as_such_from_arrays():
    boxes = np.array([[0, 0, 50, 50], [60, 0, 70, 10]])
    truth = [{"boxes": boxes, "labels": ["cat", "cat"], "iscrowd": [1, 0]}]
    found = [
        {"boxes": np.array([[5, 5, 9, 9], *boxes[1:]]), "labels": ["cat"] * 2, "scores": [0.9, 0.1]}
    ]
    assert read_score(assay.pair_boxes(truth, {"m": found})) == 1
    truth[0]["iscrowd"] = [0, 0]
    assert read_score(assay.pair_boxes(truth, {"m": found})) < 0.5


def test_lists_as_pipelines_of_transformers_return_them_are_read():
    box = {"xmin": 10, "ymin": 10, "xmax": 30, "ymax": 30}
    truth = [[{"label": "cat", "box": box}], []]
    found = [[{"score": 0.9, "label": "cat", "box": {**box, "ymax": 28}}], []]
    assert read_score(assay.pair_boxes(truth, {"m": found})) == pytest.approx(0.9)


def test_a_model_that_found_nothing_scores_0_and_a_note_says_so():
    p = assay.pair_boxes(DATA, {"m": []})
    assert read_score(p) == 0
    assert "Model 'm' found no box in any image." in p.notes


def test_boxes_as_width_and_height_are_said_to_be_so():
    truth = [{"boxes": [[50, 50, 20, 10]], "labels": [1]}]
    found = [{"boxes": [[50, 50, 20, 9]], "labels": [1], "scores": [1.0]}]
    with pytest.raises(SchemaError, match="box_format='xywh'"):
        assay.pair_boxes(truth, {"m": found})
    assert read_score(assay.pair_boxes(truth, {"m": found}, box_format="xywh")) == pytest.approx(
        0.9
    )


@pytest.mark.parametrize(
    ("results", "told"),
    [
        (
            [{**GOOD[0], "image_id": 4}, *GOOD],
            r"1 image_id not in the truth: 4 \(it lists 3, 7, 9\)",
        ),
        ([{**GOOD[0], "category_id": 1}], r"1 category_id not in the truth: 1 \(it lists 2, 5\)"),
        ([{"image_id": 3, "category_id": 2, "bbox": [1, 1, 2, 2]}], "entry 0 has no 'score'"),
        ([{"image_id": 3, "bbox": [1, 1, 2, 2], "score": 1}], "entry 0 has no 'category_id'"),
        ([{**GOOD[0], "bbox": [30, 30, 70, 70]}], "write width and height in place of"),
        (
            [{**GOOD[0], "bbox": [0.1, 0.1, 0.2, 0.2]}],
            "fractions of the image and others|fractions",
        ),
        ([{**GOOD[0], "bbox": [10, 10, -5, 5]}], "negative width or height"),
        ({"annotations": GOOD}, "expected a list of COCO results"),
    ],
)
def test_results_that_cannot_be_used_are_refused(tmp_path, results, told):
    files = write_files(tmp_path, truth=DATA, m=results)
    with pytest.raises(SchemaError, match=told):
        assay.read(*files)


def test_two_truths_or_no_results_are_refused(tmp_path):
    files = write_files(tmp_path, truth=DATA, again=DATA)
    with pytest.raises(SchemaError, match="got 2 and 0"):
        assay.read(*files)
    with pytest.raises(SchemaError, match="got 1 and 0"):
        assay.read(files[0])


def test_what_is_no_file_of_boxes_is_refused(tmp_path):
    (path,) = write_files(tmp_path, good=GOOD)
    with pytest.raises(SchemaError, match="expected a COCO file of true objects"):
        assay.pair_boxes(path, {"m": []})
    with pytest.raises(ReadError, match="is the path right"):
        assay.pair_boxes(tmp_path / "none.json", {"m": []})
    with pytest.raises(SchemaError, match="boxes of 1 images, the truth of 2"):
        assay.pair_boxes([[], []], {"m": [[]]})
    with pytest.raises(SchemaError, match="an entry for each image"):
        assay.pair_boxes({"boxes": [], "labels": []}, {"m": [[]]})
    with pytest.raises(SchemaError, match="class_names= does not go with a COCO file"):
        assay.read(*write_files(tmp_path, truth=DATA, good=GOOD), class_names=["a", "b"])


def test_a_json_file_of_rows_is_read_as_before(tmp_path):
    rows = [{"y": "annotations", "m": "annotations"}, {"y": "b", "m": "annotations"}]
    (path,) = write_files(tmp_path, rows=rows)
    assert assay.read(path).task == "binary"
