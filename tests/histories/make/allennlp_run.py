"""A run of AllenNLP: a bag of embeddings that learns few sentences by heart.

Made with allennlp 2.10.1 and torch 1.12.1 on Python 3.8; made-up sentences.

    python allennlp_run.py OUT

The weights are replaced by empty files, and the vocabulary is left out.
"""

import json
import random
import sys
from pathlib import Path

from allennlp.commands.train import train_model
from allennlp.common import Params

random.seed(0)
WORDS = [f"w{i}" for i in range(60)]


def write_rows(path: Path, count: int) -> None:
    lines = []
    for _ in range(count):
        words = random.choices(WORDS, k=12)
        label = sum(word in WORDS[:30] for word in words) > 6
        label ^= random.random() < 0.2
        lines.append(json.dumps({"text": " ".join(words), "label": str(int(label))}))
    path.write_text("\n".join(lines))


def main(out: Path) -> None:
    out.mkdir(parents=True)
    write_rows(out / "train.jsonl", 60)
    write_rows(out / "val.jsonl", 200)
    config = {
        "dataset_reader": {
            "type": "text_classification_json",
            "tokenizer": {"type": "whitespace"},
        },
        "train_data_path": str(out / "train.jsonl"),
        "validation_data_path": str(out / "val.jsonl"),
        "model": {
            "type": "basic_classifier",
            "text_field_embedder": {
                "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 16}}
            },
            "seq2vec_encoder": {"type": "bag_of_embeddings", "embedding_dim": 16},
        },
        "data_loader": {"batch_size": 20, "shuffle": True},
        "trainer": {
            "num_epochs": 20,
            "optimizer": {"type": "adam", "lr": 0.05},
            "cuda_device": -1,
            "validation_metric": "+accuracy",
            "checkpointer": {"keep_most_recent_by_count": 3},
        },
    }
    folder = out / "run"
    train_model(Params(config), str(folder))
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.suffix in (".th", ".gz"):
            path.write_bytes(b"")
        elif path.parent.name == "vocabulary" or path.suffix == ".log":
            path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
