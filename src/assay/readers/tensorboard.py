"""TensorBoard: event files, as PyTorch, Keras, Lightning and the Trainer write them."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.errors import SchemaError
from assay.readers.base import Reader, list_folder
from assay.readers.events import read_scalars
from assay.readers.history import History
from assay.readers.naming import SPLITS
from assay.readers.points import Points, join_curves

__all__ = ["TensorBoard"]

KERAS = "epoch_"  # Keras writes epoch_loss at each epoch, beside other tags at each batch


@dataclass(frozen=True)
class TensorBoard(Reader):
    """TensorBoard event files: one file, or the folder of a run.

    Folders named after a split (`train`, `validation`, ...) belong to the run they lie in, as do
    those that `add_scalars` writes. All event files of a folder are one run: where a later one goes
    back to an earlier step, it replaces what was logged from there on. A last record that was cut
    off is left out.

    Rows are numbered by epoch where the log holds epochs, as those of Keras, Lightning and the
    Hugging Face Trainer do, else by step.
    """

    name = "tensorboard"

    def matches(self, place: Path) -> bool:
        return any(map(_find_files, (place, *_find_parts(place))))

    def places(self, path: Path) -> Iterator[Path]:
        if self.matches(path):
            yield path
        parts = _find_parts(path)
        for folder in list_folder(path).folders:
            if folder not in parts and not _is_time(folder.name):
                yield from self.places(folder)

    def read(self, place: Path) -> list[History]:
        curves: dict[str, Points] = {}
        for folder in (place, *_find_parts(place)):
            split = _find_split(folder if os.path.isdir(folder) else folder.parent)
            for tag, points in read_scalars(_find_files(folder)).items():
                curves[f"{split}/{tag}" if split and not _names_split(tag) else tag] = points
        if not curves:
            raise SchemaError(
                f"{place}: the TensorBoard event files hold no scalars; expected a loss, as "
                f"add_scalar('loss/val', value, epoch) or the callback of a framework logs it"
            )
        is_keras = any(map(_is_keras, curves))
        joined = join_curves(
            {
                name.replace(KERAS, "", 1) if is_keras else name: points
                for name, points in _count_steps(_select_curves(curves)).items()
            },
            name=place.name,
            format=self.name,
            source=str(place),
            unit="epoch" if is_keras else "step",
            train="running_mean" if is_keras else "unknown",
        )
        return [joined]


def _find_files(place: Path) -> list[Path]:
    """The event files that `place` is or holds, oldest first; known by name, as in TensorBoard."""
    candidates = [place] if os.path.isfile(place) else list_folder(place).files
    files = [file for file in candidates if re.search(r"\.tfevents\.\d", file.name)]
    return sorted(files, key=_split_numbers)


def _split_numbers(path: Path) -> list[tuple[int, str]]:
    """A key that sorts .2 before .10: names hold the time, the host and a count."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _find_parts(place: Path) -> list[Path]:
    """The folders in `place` that belong to its run.

    Those named after a split; beside event files also those that `add_scalars` names, as in
    `loss_train`.
    """
    folders = list_folder(place).folders
    if _find_files(place):
        return [folder for folder in folders if _find_split(folder)]
    return [f for f in folders if f.name.lower() in SPLITS and _holds_events_alone(f)]


def _holds_events_alone(folder: Path) -> bool:
    """Whether a folder has no further files, as those of runs have that are called `train`."""
    return len(_find_files(folder)) == len(list_folder(folder).files)


def _find_split(folder: Path) -> str:
    """The split that the name of a folder is or ends with; "" without."""
    word = folder.name.rpartition("_")[2].lower()
    return word if word in SPLITS else ""


def _names_split(tag: str) -> bool:
    return any(word in SPLITS for word in re.split(r"[^a-z]+", tag.lower()))


def _is_time(name: str) -> bool:
    """Whether a folder is one that add_hparams writes, named by the time and without curves."""
    return re.fullmatch(r"\d{9,}(\.\d+)?", name) is not None


def _select_curves(curves: Mapping[str, Points]) -> dict[str, Points]:
    """Of Keras the curves by epoch alone; of two of one metric, by step and epoch, the latter."""
    is_keras = any(map(_is_keras, curves))
    return {
        name: points
        for name, points in curves.items()
        if (_is_keras(name) or not is_keras)
        and not (name.endswith("_step") and f"{name.removesuffix('_step')}_epoch" in curves)
    }


def _is_keras(name: str) -> bool:
    return name.rpartition("/")[2].startswith(KERAS)


def _count_steps(curves: Mapping[str, Points]) -> dict[str, Points]:
    """Points counted from 1 where the log carries no steps, which shows as step 0 throughout."""
    if any(points.steps.any() for points in curves.values()):
        return dict(curves)
    return {
        name: Points(np.arange(1.0, len(points.values) + 1), points.values)
        for name, points in curves.items()
    }
