"""The textbook's experiment on overfitting: Fashion-MNIST, one dense layer of 512, in Keras.

After 10 epochs the network is a good fit; after 30 its validation loss has risen by a good third
while its accuracy stands still: it has become over-confident. The script trains, prints what
`assay` says of the curves at both ends and of the predictions, and writes a report.

    pip install 'assay[keras]' jax
    KERAS_BACKEND=jax python examples/fashion_mnist.py [--data DIR] [--out DIR] [--rows N]

The data are the four files *-ubyte.gz: those of Debian's package dataset-fashion-mnist, or in the
folder that --data or FASHION_MNIST names.
"""

import argparse
import gzip
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import assay

INSTALLED = "/usr/share/datasets/fashion-mnist"  # where Debian puts them
CLASSES = (
    *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
)
FIRST_END, LAST_END = 10, 30  # epochs


class Data(NamedTuple):
    """Images as rows of numbers in [0, 1] (n, 784), and the numbers of their classes (n,)."""

    images: np.ndarray
    labels: np.ndarray


def load(folder: Path, part: str, rows: int | None) -> Data:
    """The first `rows` of "train" or "t10k"."""
    files = [folder / f"{part}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise SystemExit(
            f"expected {' and '.join(missing)}. Install Debian's dataset-fashion-mnist, or name "
            f"the folder of the four files with --data or FASHION_MNIST."
        )
    images, labels = (
        np.frombuffer(gzip.decompress(file.read_bytes()), dtype=np.uint8) for file in files
    )
    pixels = images[16:].reshape(-1, 784)[:rows]
    return Data(pixels.astype("float32") / 255, labels[8:][:rows].astype("int64"))


def build() -> Any:
    """The network of the textbook; it gives logits."""
    import keras

    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(512, activation="relu")
    model = keras.Sequential([keras.Input((784,)), hidden, keras.layers.Dense(10)])
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def train(data: Data, held_out: Data, out: Path) -> dict[str, np.ndarray]:
    """One training, logged and predicting at its first and at its last end; logits by name."""
    about = {"n_val": len(held_out.labels), "n_classes": 10}
    names = [f"epochs_{FIRST_END}", f"epochs_{LAST_END}"]
    logs = [out / f"{name}.jsonl" for name in names]
    for log in logs:
        log.unlink(missing_ok=True)
    first = assay.KerasCallback(logs[0], **about)
    last = assay.KerasCallback(logs[1], **about)
    options = {"validation_data": tuple(held_out), "batch_size": 64, "verbose": 0}
    model = build()
    model.fit(*data, epochs=FIRST_END, callbacks=[first, last], **options)
    logits = {names[0]: model.predict(held_out.images, batch_size=1000, verbose=0)}
    model.fit(*data, initial_epoch=FIRST_END, epochs=LAST_END, callbacks=[last], **options)
    return logits | {names[1]: model.predict(held_out.images, batch_size=1000, verbose=0)}


def main(arguments: list[str] | None = None) -> Path:
    """Train, print what is found, and write the report; its path."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("FASHION_MNIST", INSTALLED))
    parser.add_argument("--out", type=Path, default=Path("fashion_mnist"))
    parser.add_argument("--rows", type=int, help="of training and of test; default: all")
    options = parser.parse_args(arguments)
    parts = [load(Path(options.data), part, options.rows) for part in ("train", "t10k")]
    options.out.mkdir(parents=True, exist_ok=True)

    logits = train(*parts, options.out)
    diagnosis = assay.diagnose([options.out / f"{name}.jsonl" for name in logits])
    print(diagnosis, end="\n\n")

    names = np.array(CLASSES)
    models = {f"{name}.logit": values for name, values in logits.items()}
    table = assay.Predictions.from_arrays(names[parts[1].labels], models, classes=CLASSES)
    assay.write(table, options.out / "predictions.parquet")
    for metric in ("log_loss", "accuracy"):
        print(assay.compare(table, metric).verdict)

    report = options.out / "report.html"
    assay.report(table, histories=diagnosis).save(report)
    print(f"\nWritten: {report}")
    return report


if __name__ == "__main__":
    main()
