#!/usr/bin/env bash
# Guess: the ids of true boxes are names alone; average precision is the same whether they are
# counted from 0 or from 1.
# Seen with pycocotools 2.0.11: COCOeval keeps the id of the matched truth, and reads 0 as "no
# match". A detector that finds every box exactly has an AP of 1 where ids begin at 1, and of 0.252
# here, where they begin at 0 (two images of one box each): the box of id 0 is a false positive and a
# miss, without a warning. Count ids from 1.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check \
  pycocotools==2.0.11 numpy==2.4.6
cd "$place"
venv/bin/python - <<'PY'
import contextlib
import importlib.metadata
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

BOX = [10, 10, 40, 40]


def score(first):
    """AP of a detector that finds both boxes, whose ids are counted from `first`."""
    truth = COCO()
    truth.dataset = {
        "images": [{"id": 1}, {"id": 2}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": first + i, "image_id": i + 1, "category_id": 1, "bbox": BOX, "area": 1600, "iscrowd": 0}
            for i in range(2)
        ],
    }
    truth.createIndex()
    found = [{"image_id": i, "category_id": 1, "bbox": BOX, "score": 0.9} for i in (1, 2)]
    judge = COCOeval(truth, truth.loadRes(found), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0])


with contextlib.redirect_stdout(io.StringIO()):
    values = {first: round(score(first), 3) for first in (0, 1)}
print(f"pycocotools {importlib.metadata.version('pycocotools')}")
print(f"AP of an exact detector, by the first id: {values}")
assert values[1] == 1.0, "the behaviour changed"
assert values[0] == 0.252, "the behaviour changed"
PY
