"""The textbook's experiment: the example trains for real and says what is known of it."""

import gzip
import os
import runpy
from pathlib import Path

import numpy as np
import pytest

import assay

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "fashion_mnist.py"))
LOGS = Path(__file__).parents[1] / "histories"
FOLDER = Path(os.environ.get("FASHION_MNIST", EXAMPLE["INSTALLED"]))

os.environ.setdefault("KERAS_BACKEND", "jax")

needs_data = pytest.mark.skipif(
    not (FOLDER / "train-images-idx3-ubyte.gz").is_file(),
    reason="Fashion-MNIST is not installed (Debian: dataset-fashion-mnist)",
)


def require_keras():
    pytest.importorskip("keras")
    pytest.importorskip(os.environ["KERAS_BACKEND"])


def write_images(folder, part, labels):
    """Files as Fashion-MNIST has them, in which the pixels of an image are those of its label."""
    images = np.repeat(np.array(labels, dtype=np.uint8), 784)
    for kind, header, values in (
        ("images-idx3", 16, images),
        ("labels-idx1", 8, np.array(labels, dtype=np.uint8)),
    ):
        with gzip.open(folder / f"{part}-{kind}-ubyte.gz", "wb") as file:
            file.write(bytes(header) + values.tobytes())


def test_images_are_read_as_shares_and_labels_as_numbers(tmp_path):
    write_images(tmp_path, "train", [0, 9, 255 % 10])
    data = EXAMPLE["load"](tmp_path, "train", 2)
    assert data.images.shape == (2, 784)
    assert data.images[1, 0] == np.float32(9 / 255)
    assert data.labels.tolist() == [0, 9]


def test_without_the_data_the_example_says_where_to_get_them(tmp_path):
    with pytest.raises(SystemExit, match="dataset-fashion-mnist, or name the folder"):
        EXAMPLE["main"](["--data", str(tmp_path), "--out", str(tmp_path / "out")])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@needs_data
def test_on_few_rows_the_gap_widens_and_the_report_is_written(tmp_path, capsys):
    require_keras()
    report = EXAMPLE["main"](["--data", str(FOLDER), "--out", str(tmp_path), "--rows", "2000"])
    ten, thirty = assay.diagnose([tmp_path / "epochs_10.jsonl", tmp_path / "epochs_30.jsonl"]).runs
    assert [len(run.history.epochs) for run in (ten, thirty)] == [10, 30]
    assert thirty.history.find("val", "loss").values[:10] == ten.history.find("val", "loss").values
    assert "gap_widening" in thirty.evidence["flags"]
    assert thirty.best_epoch < 30
    assert thirty.metrics[0]["best"] > 0.78
    assert "epochs_30" in report.read_text()
    assert "epochs_10: good fit" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@needs_data
def test_on_all_rows_ten_epochs_are_a_good_fit_and_thirty_an_overfit_in_loss(tmp_path):
    require_keras()
    EXAMPLE["main"](["--data", str(FOLDER), "--out", str(tmp_path)])
    check_experiment(tmp_path / "epochs_10.jsonl", tmp_path / "epochs_30.jsonl", tmp_path)


def test_the_log_of_a_full_run_shows_the_same(tmp_path):
    check_experiment(LOGS / "fashion_epochs_10.jsonl", LOGS / "fashion_epochs_30.jsonl", tmp_path)


def check_experiment(first, last, folder):
    """What the experiment shows, whichever machine it ran on."""
    ten, thirty = assay.diagnose([first, last]).runs
    assert ten.status == "good_fit"
    assert 6 <= ten.best_epoch <= 10
    assert thirty.status == "overfit"
    assert 6 <= thirty.best_epoch <= 14
    assert thirty.loss["final"] > 1.2 * thirty.loss["best"]
    (accuracy,) = thirty.metrics
    assert accuracy["verdict"] in ("unharmed", "improved")
    assert accuracy["best"] > 0.88
    assert "calibrate" in thirty.remedies[0]
    # Its validation loss scatters by a third of its rise: the end comes late, never too early.
    assert find_end(ten.history, folder / "ten.jsonl") is None
    assert (find_end(thirty.history, folder / "thirty.jsonl") or 30) >= thirty.best_epoch + 3


def find_end(history, path):
    """The epoch at which the training would have been ended, had it been asked to; or None."""
    log = assay.TrainingLog(path, stop_when="overfit", n_val=10_000, n_classes=10, progress=False)
    curves = {f"{s.split}_{s.metric}": s.values for s in history.series}
    for epoch, values in enumerate(zip(*curves.values(), strict=True), start=1):
        log.add(epoch, **dict(zip(curves, values, strict=True)))
        if log.stop:
            return epoch
    return None
