"""Logs of Ultralytics: detection of squares, and classification of two brightnesses.

Made with ultralytics 8.4.190, torch 2.14.1 and torchvision 0.29.1 on the processor; tiny made-up
pictures.

    python vision.py OUT
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from ultralytics import YOLO

SIZE = 64
OPTIONS = {
    "batch": 8,
    "device": "cpu",
    "exist_ok": True,
    "imgsz": SIZE,
    "plots": False,
    "pretrained": False,
    "seed": 0,
    "verbose": False,
    "workers": 0,
}
rng = np.random.default_rng(0)


def draw_square() -> tuple[Image.Image, str]:
    """A picture of a bright square, and its line of class, centre and size."""
    picture = rng.integers(0, 80, (SIZE, SIZE, 3), dtype=np.uint8)
    side = int(rng.integers(16, 32))
    x, y = rng.integers(0, SIZE - side, 2)
    picture[y : y + side, x : x + side] = rng.integers(150, 255, 3)
    numbers = [(x + side / 2) / SIZE, (y + side / 2) / SIZE, side / SIZE, side / SIZE]
    return Image.fromarray(picture), " ".join(["0", *(f"{number:.4f}" for number in numbers)])


def make_detection(data: Path, out: Path) -> None:
    for split, count in (("train", 48), ("val", 24)):
        for kind in ("images", "labels"):
            (data / kind / split).mkdir(parents=True)
        for i in range(count):
            picture, line = draw_square()
            picture.save(data / "images" / split / f"{i}.png")
            (data / "labels" / split / f"{i}.txt").write_text(line)
    description = f"path: {data}\ntrain: images/train\nval: images/val\nnames: [square]\n"
    (data / "data.yaml").write_text(description)
    model = YOLO("yolov8n.yaml")
    learning = {"optimizer": "Adam", "lr0": 0.002, "warmup_epochs": 1, "mosaic": 0.0}
    runs = str(data / "runs")
    model.train(data=data / "data.yaml", epochs=40, project=runs, **OPTIONS, **learning)
    shutil.copy(model.trainer.save_dir / "results.csv", out / "ultralytics_detect.csv")


def make_classification(data: Path, out: Path) -> None:
    for split, count in (("train", 24), ("val", 24)):
        for label in ("dark", "bright"):
            folder = data / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                mean = (110 if label == "dark" else 130) + 30 * rng.normal()
                picture = np.clip(rng.normal(mean, 40, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(picture).save(folder / f"{i}.png")
    model = YOLO("yolov8n-cls.yaml")
    model.train(data=data, epochs=12, project=str(data / "runs"), **OPTIONS)
    shutil.copy(model.trainer.save_dir / "results.csv", out / "ultralytics_classify.csv")


if __name__ == "__main__":
    target = Path(sys.argv[1]).absolute()
    target.mkdir(parents=True, exist_ok=True)
    make_detection(target / "detection", target)
    make_classification(target / "classification", target)
