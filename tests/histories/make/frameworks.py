"""Logs that frameworks write by themselves: Keras, Lightning, the Hugging Face Trainer.

Made with keras 3.15.1 on torch 2.13.0, lightning 2.6.6, transformers 5.24.0 on the processor; tiny
networks on made-up rows.

    python frameworks.py OUT
"""

import os
import pickle
import shutil
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(240, 6)
y = (X[:, 0] + torch.randn(240) > 0).long()
TRAIN, VAL = (X[:40], y[:40]), (X[40:], y[40:])


def make_keras(out: Path) -> None:
    """The pickled dictionary of losses, as the widespread `trainHistoryDict`."""
    import keras
    import numpy

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential(layers)
    model.compile(
        optimizer=keras.optimizers.Adam(0.02),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    rows = [part.numpy() for part in (*TRAIN, *VAL)]
    history = model.fit(rows[0], rows[1], validation_data=rows[2:], epochs=15, verbose=0)
    with (out / "trainHistoryDict").open("wb") as file:
        pickle.dump(history.history, file)
    numpy.save(out / "keras_history.npy", history.history)


def make_lightning(out: Path) -> None:
    """Two versions; after fit the best weights are validated and tested."""
    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2))

        def measure(self, batch, name):
            loss = nn.functional.cross_entropy(self.network(batch[0]), batch[1])
            self.log(f"{name}_loss", loss)
            return loss

        def training_step(self, batch, index):
            return self.measure(batch, "train")

        def validation_step(self, batch, index):
            self.measure(batch, "val")

        def test_step(self, batch, index):
            self.measure(batch, "test")

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.02)

    train, val = (DataLoader(TensorDataset(*rows), batch_size=20) for rows in (TRAIN, VAL))
    for _ in range(2):
        checkpoint = lightning.pytorch.callbacks.ModelCheckpoint(monitor="val_loss")
        trainer = lightning.Trainer(
            max_epochs=10,
            log_every_n_steps=1,
            default_root_dir=out,
            logger=lightning.pytorch.loggers.CSVLogger(out, name="lightning_logs"),
            callbacks=[checkpoint],
            enable_progress_bar=False,
        )
        trainer.fit(Module(), train, val)
        trainer.validate(ckpt_path="best", dataloaders=val, verbose=False)
        trainer.test(ckpt_path="best", dataloaders=val, verbose=False)
    for folder in (out / "lightning_logs").rglob("checkpoints"):
        shutil.rmtree(folder)


def make_trainer(out: Path) -> None:
    """Checkpoints of a run with two evaluation sets, and one that evaluates its best weights."""
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    class Rows(torch.utils.data.Dataset):
        def __init__(self, part):
            generator = torch.Generator().manual_seed(part)
            self.ids = torch.randint(5, 50, (60, 8), generator=generator)
            self.labels = (self.ids[:, 0] + 20 * torch.randn(60, generator=generator) > 27).long()

        def __len__(self):
            return len(self.ids)

        def __getitem__(self, i):
            return {"input_ids": self.ids[i], "labels": self.labels[i]}

    def build(name, sets, **options):
        size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = BertConfig(vocab_size=50, intermediate_size=64, **size)
        arguments = TrainingArguments(
            output_dir=str(out / name),
            num_train_epochs=5,
            learning_rate=5e-3,
            per_device_train_batch_size=10,
            eval_strategy="epoch",
            save_strategy="epoch",
            logging_steps=3,
            report_to=[],
            include_num_input_tokens_seen=True,
            disable_tqdm=True,
            **options,
        )
        model = BertForSequenceClassification(config)
        return Trainer(model, arguments, train_dataset=Rows(0), eval_dataset=sets)

    build("hf_two_sets", {"near": Rows(1), "far": Rows(2)}).train()
    best = build("hf_best_evaluated", Rows(1), load_best_model_at_end=True)
    best.train()
    best.evaluate()
    best.save_state()
    for name in ("hf_two_sets", "hf_best_evaluated"):
        for file in (out / name).rglob("*"):
            if file.is_file() and file.name != "trainer_state.json":
                file.unlink()


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    for make in (make_keras, make_lightning, make_trainer):
        make(folder)
