"""TensorBoardCsv: one curve as the page of TensorBoard saves it."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.readers.base import Reader
from assay.readers.cells import parse_numbers
from assay.readers.history import History
from assay.readers.points import Points, join_curves
from assay.readers.text import load_table, peek_header

__all__ = ["TensorBoardCsv"]

HEADER = ("Wall time", "Step", "Value")


@dataclass(frozen=True)
class TensorBoardCsv(Reader):
    """A curve saved from the page of TensorBoard: Wall time,Step,Value.

    Run and tag stand in the name of the file alone, as in `run-train-tag-epoch_loss.csv`; with
    another name it is taken for a training loss unless the name says otherwise.
    """

    name = "tensorboard_csv"
    suffixes = (".csv",)

    def matches(self, place: Path) -> bool:
        return peek_header(place) == HEADER

    def read(self, place: Path) -> list[History]:
        _, columns = load_table(place)
        steps = parse_numbers(columns["Step"], "Step", str(place))
        values = parse_numbers(columns["Value"], "Value", str(place))
        kept = np.flatnonzero(steps.measured & values.measured)
        points = Points(steps.values, values.values).take(kept)
        match = re.fullmatch(r"run-(.*)-tag-(.+)", place.stem)
        tag = match[2].removeprefix("epoch_") if match else place.stem  # of Keras, by epoch
        name = f"{match[1]}/{tag}".lstrip("./") if match else tag
        return [join_curves({name: points}, name=name, format=self.name, source=str(place))]
