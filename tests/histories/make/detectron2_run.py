"""`metrics.json` of Detectron2: squares found by a small RetinaNet, evaluated every 30 iterations.

Made with detectron2 0.6 (02b5c4e), torch 2.14.1 and torchvision 0.29.1 on the processor; tiny
made-up pictures.

    python detectron2_run.py OUT
"""

import sys
from pathlib import Path

import numpy as np
from detectron2 import model_zoo
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import DefaultTrainer
from detectron2.evaluation import COCOEvaluator
from detectron2.structures import BoxMode
from detectron2.utils.env import seed_all_rng
from PIL import Image

SIZE = 64


def draw_squares(folder: Path, count: int, seed: int) -> list[dict]:
    """Pictures of a bright square each, as Detectron2 describes them."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    records = []
    for i in range(count):
        picture = rng.integers(0, 80, (SIZE, SIZE, 3), dtype=np.uint8)
        side = int(rng.integers(16, 32))
        x, y = (int(number) for number in rng.integers(0, SIZE - side, 2))
        picture[y : y + side, x : x + side] = rng.integers(150, 255, 3)
        file = folder / f"{i}.png"
        Image.fromarray(picture).save(file)
        box = {"bbox": [x, y, side, side], "bbox_mode": BoxMode.XYWH_ABS, "category_id": 0}
        records.append(
            {"file_name": str(file), "image_id": i, "height": SIZE, "width": SIZE}
            | {"annotations": [box]}
        )
    return records


class Trainer(DefaultTrainer):
    @classmethod
    def build_evaluator(cls, cfg, dataset_name, output_folder=None):
        return COCOEvaluator(dataset_name, output_dir=str(Path(cfg.OUTPUT_DIR) / "inference"))


def main(out: Path) -> None:
    for seed, (split, count) in enumerate((("train", 16), ("val", 16))):
        records = draw_squares(out / split, count, seed)
        DatasetCatalog.register(split, lambda records=records: records)
        MetadataCatalog.get(split).set(thing_classes=["square", "circle"])
    cfg = get_cfg()
    cfg.merge_from_file(model_zoo.get_config_file("COCO-Detection/retinanet_R_50_FPN_1x.yaml"))
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ("train",), ("val",)
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.RESNETS.DEPTH = 18
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = 64
    cfg.MODEL.RESNETS.NORM = "BN"
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.RETINANET.NUM_CLASSES = 2
    cfg.MODEL.ANCHOR_GENERATOR.SIZES = [[16], [24], [32], [48], [64]]
    cfg.INPUT.MIN_SIZE_TRAIN = (SIZE,)
    cfg.INPUT.MIN_SIZE_TEST = SIZE
    cfg.SOLVER.IMS_PER_BATCH = 4
    cfg.SOLVER.BASE_LR = 0.005
    cfg.SOLVER.MAX_ITER = 240
    cfg.SOLVER.STEPS = ()
    cfg.SOLVER.WARMUP_ITERS = 20
    cfg.TEST.EVAL_PERIOD = 30
    cfg.OUTPUT_DIR = str(out / "run")
    cfg.SEED = 0
    seed_all_rng(0)
    Path(cfg.OUTPUT_DIR).mkdir(parents=True)
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    trainer.train()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
