"""A log of nnU-Net: squares in small pictures, six epochs, and two more after a new start.

Made with nnunetv2 2.8.1 and torch 2.14.1 on the processor; tiny made-up pictures.

    python nnunet_run.py OUT
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(sys.argv[1]).absolute()
FOLDERS = {f"nnUNet_{part}": str(OUT / part) for part in ("raw", "preprocessed", "results")}
PROCESSES = "1" if len(sys.argv) == 2 else "0"
os.environ.update(FOLDERS | {"nnUNet_n_proc_DA": PROCESSES, "nnUNet_compile": "f"})
NAME = "Dataset001_Squares"
rng = np.random.default_rng(0)


def write_pictures() -> None:
    folder = OUT / "raw" / NAME
    (folder / "imagesTr").mkdir(parents=True)
    (folder / "labelsTr").mkdir()
    for i in range(10):
        picture = rng.integers(0, 120, (64, 64), dtype=np.uint8)
        labels = np.zeros((64, 64), dtype=np.uint8)
        for label in (1, 2):
            x, y = rng.integers(0, 44, 2)
            picture[y : y + 20, x : x + 20] = np.clip(rng.normal(100 + 50 * label, 30), 0, 255)
            labels[y : y + 20, x : x + 20] = label
        Image.fromarray(picture).save(folder / "imagesTr" / f"case_{i:03d}_0000.png")
        Image.fromarray(labels).save(folder / "labelsTr" / f"case_{i:03d}.png")
    description = {
        "channel_names": {"0": "grey"},
        "labels": {"background": 0, "dark": 1, "bright": 2},
        "numTraining": 10,
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(description))


def train(epochs: int, goes_on: bool) -> None:
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.manual_seed(0)
    folder = OUT / "preprocessed" / NAME
    plans = json.loads((folder / "nnUNetPlans.json").read_text())
    dataset = json.loads((folder / "dataset.json").read_text())
    plans["continue_training"] = goes_on
    trainer = nnUNetTrainer(plans, "2d", 0, dataset, device=torch.device("cpu"))
    trainer.num_epochs = epochs
    trainer.num_iterations_per_epoch = 2
    trainer.num_val_iterations_per_epoch = 2
    trainer.save_every = 2
    if goes_on:
        trainer.load_checkpoint(str(Path(trainer.output_folder) / "checkpoint_latest.pth"))
    else:
        trainer.on_train_end = lambda: None
    trainer.run_training()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write_pictures()
        plan = [Path(sys.executable).parent / "nnUNetv2_plan_and_preprocess", "-d", "1"]
        subprocess.run([*plan, "-c", "2d", "-np", "1", "-npfp", "1"], check=True)
        subprocess.run([sys.executable, __file__, str(OUT), "first"], check=True)
        subprocess.run([sys.executable, __file__, str(OUT), "second"], check=True)
    else:
        train(*((6, False) if sys.argv[2] == "first" else (8, True)))
