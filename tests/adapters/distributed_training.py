"""A training in several processes, each of which calls it: `FRAMEWORK FOLDER`, under torchrun.

Each process writes the number of its epochs to `FOLDER/<rank>.txt`, and its callback the log.
"""

import os
import sys
from pathlib import Path

import torch

import assay

ROWS = 64
EPOCHS = 40


def make_rows() -> tuple[torch.Tensor, torch.Tensor]:
    """Rows whose labels are chance, so that what is learned of them is learned by heart."""
    torch.manual_seed(0)
    return torch.randn(2 * ROWS, 20), torch.randint(0, 2, (2 * ROWS,))


def make_network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))


def fit_lightning(folder: Path) -> int:
    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = make_network()

        def training_step(self, batch):
            loss = torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
            return loss

        def validation_step(self, batch):
            loss = torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])
            self.log("val_loss", loss, sync_dist=True)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.02)

    X, y = make_rows()
    parts = [(X[:ROWS], y[:ROWS]), (X[ROWS:], y[ROWS:])]
    loaders = [DataLoader(TensorDataset(*part), batch_size=16) for part in parts]
    trainer = lightning.Trainer(
        callbacks=[assay.LightningCallback(folder / "run.jsonl", stop_when="overfit")],
        strategy="ddp",
        devices=int(os.environ["WORLD_SIZE"]),
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), *loaders)
    return trainer.current_epoch


def fit_transformers(folder: Path) -> int:
    import transformers

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = make_network()

        def forward(self, x, labels):
            logits = self.network(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    X, y = make_rows()
    rows = [{"x": x, "labels": label} for x, label in zip(X, y, strict=True)]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "out"),
        num_train_epochs=EPOCHS,
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="epoch",
        learning_rate=0.02,
        lr_scheduler_type="constant",
        per_device_train_batch_size=16,
        disable_tqdm=True,
        report_to=[],
        use_cpu=True,
        ddp_backend="gloo",
    )
    trainer = transformers.Trainer(
        Module(),
        arguments,
        train_dataset=rows[:ROWS],
        eval_dataset=rows[ROWS:],
        callbacks=[assay.TransformersCallback(folder / "run.jsonl", stop_when="overfit")],
    )
    trainer.train()
    return round(trainer.state.epoch)


if __name__ == "__main__":
    fit = {"lightning": fit_lightning, "transformers": fit_transformers}[sys.argv[1]]
    place = Path(sys.argv[2])
    epochs = fit(place)
    (place / f"{os.environ['RANK']}.txt").write_text(str(epochs))
