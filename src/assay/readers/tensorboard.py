"""TensorBoard: event files, as PyTorch, Keras, Lightning and the Trainer write them."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.errors import MissingDependencyError, SchemaError
from assay.readers.base import Reader, list_folder
from assay.readers.cells import drop_replaced, note_restarts
from assay.readers.history import History
from assay.readers.naming import SPLITS, is_curve

__all__ = ["TensorBoard"]

Points = list[tuple[float, float]]  # (step, value) in the order of writing

KERAS = "epoch_"  # Keras writes epoch_loss at each epoch, beside other tags at each batch


@dataclass(frozen=True)
class TensorBoard(Reader):
    """TensorBoard event files: one file, or the folder of a run; needs the extra `tensorboard`.

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
            for tag, points in _read_curves(_find_files(folder)).items():
                curves[f"{split}/{tag}" if split and not _names_split(tag) else tag] = points
        if not curves:
            raise SchemaError(
                f"{place}: the TensorBoard event files hold no scalars; expected a loss, as "
                f"add_scalar('loss/val', value, epoch) or the callback of a framework logs it"
            )
        return [_join_curves(_select_curves(curves), place)]


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
    return [folder for folder in folders if folder.name.lower() in SPLITS]


def _find_split(folder: Path) -> str:
    """The split that the name of a folder is or ends with; "" without."""
    word = folder.name.rpartition("_")[2].lower()
    return word if word in SPLITS else ""


def _names_split(tag: str) -> bool:
    return any(word in SPLITS for word in re.split(r"[^a-z]+", tag.lower()))


def _is_time(name: str) -> bool:
    """Whether a folder is one that add_hparams writes, named by the time and without curves."""
    return re.fullmatch(r"\d{9,}(\.\d+)?", name) is not None


def _read_curves(files: Iterable[Path]) -> dict[str, Points]:
    """The scalars of event files by tag."""
    curves: dict[str, Points] = {}
    for file in files:
        load_events, to_array = _import_tensorboard(file)
        for event in load_events(str(file)).Load():
            if event.session_log.status == event.session_log.START:
                # The writer was opened with purge_step: later steps of earlier files are void.
                for points in curves.values():
                    points[:] = [point for point in points if point[0] < event.step]
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    number = float(to_array(value.tensor).item())
                    curves.setdefault(value.tag, []).append((float(event.step), number))
    return curves


def _import_tensorboard(file: Path) -> tuple[Any, Any]:
    """TensorBoard's loader of event files and its conversion of tensors to arrays."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise MissingDependencyError(
            f"{file} is a TensorBoard log, which is read with the package tensorboard; "
            f"run pip install 'assay[tensorboard]'"
        ) from error
    return EventFileLoader, make_ndarray


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


def _is_epoch(name: str) -> bool:
    """Whether a curve is the number of the epoch: `epoch`, or `train/epoch` of the Trainer."""
    return name.rpartition("/")[2] == "epoch"


def _join_curves(curves: Mapping[str, Points], place: Path) -> History:
    """One history of curves, each of which was logged at steps of its own."""
    by_step, restarts = _drop_replaced_points(_count_steps(curves))
    measured = (values for name, values in by_step.items() if is_curve(name))
    steps = sorted(set().union(*measured))
    is_keras = any(map(_is_keras, curves))
    epoch_by_step = _find_epochs(by_step, steps)
    history = History.from_columns(
        {
            name.replace(KERAS, "", 1) if is_keras else name: [values.get(step) for step in steps]
            for name, values in by_step.items()
            if not _is_epoch(name)
        },
        epochs=[epoch_by_step.get(step, step) for step in steps],
        name=place.name,
        format=TensorBoard.name,
        source=str(place),
        unit="epoch" if is_keras or epoch_by_step else "step",
        train="running_mean" if is_keras else "unknown",
    )
    replaced = {*history.restarts, *(epoch_by_step.get(step, step) for step in restarts)}
    epochs = tuple(sorted(replaced))
    return replace(history, restarts=epochs, notes=note_restarts(epochs, history.unit))


def _find_epochs(
    by_step: Mapping[str, dict[float, float]], steps: Iterable[float]
) -> dict[float, float]:
    """The epoch of each step, where the log holds it for all of the steps; else empty."""
    epochs = next((values for name, values in by_step.items() if _is_epoch(name)), {})
    return epochs if all(step in epochs for step in steps) else {}


def _drop_replaced_points(
    curves: Mapping[str, Points],
) -> tuple[dict[str, dict[float, float]], set[float]]:
    """The values that stand after restarts, by name and step, and where restarts began."""
    by_step: dict[str, dict[float, float]] = {}
    restarts: set[float] = set()
    for name, points in curves.items():
        keep, first_steps = drop_replaced([step for step, _ in points])
        by_step[name] = dict(points[i] for i in keep.tolist())
        restarts.update(first_steps)
    return by_step, restarts


def _count_steps(curves: Mapping[str, Points]) -> Mapping[str, Points]:
    """Points counted from 1 where the log carries no steps, which shows as step 0 throughout."""
    if any(step for points in curves.values() for step, _ in points):
        return curves
    return {
        name: [(float(count), value) for count, (_, value) in enumerate(points, start=1)]
        for name, points in curves.items()
    }
