"""Delimited: a loop of one's own as a table, one row an epoch, columns named by content."""

import re
from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import GENERAL, Reader
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import is_curve, parse_numbered_set
from assay.readers.text import load_table, peek_header

__all__ = ["Delimited"]

PRINTED = re.compile(r"[:=]\s*[-+]?\d|\s\d+\.\d+$")  # numbers in words: no header but output


@dataclass(frozen=True)
class Delimited(Reader):
    """A loop of one's own as CSV: any of loss, train_loss, val_loss, valid_loss, ... by rows.

    Commas, semicolons or tabs separate. An empty cell, NA or null was not measured; nan and inf
    were. fastai's `history.csv` is read too. A table with a truth column `y` is no log.
    """

    name = "csv"
    rank = GENERAL
    suffixes = (".csv", ".tsv")

    def matches(self, place: Path) -> bool:
        header = peek_header(place)
        has_truth = any(column == "y" or column.startswith("y.") for column in header)
        is_printed = any(PRINTED.search(column) for column in header)
        return any(map(_is_measured, header)) and not has_truth and not is_printed

    def read(self, place: Path) -> list[History]:
        _, columns = load_table(place)
        return read_columns(columns, name=place.stem, format=self.name, source=str(place))


def _is_measured(column: str) -> bool:
    return is_curve(column) or parse_numbered_set(column) is not None
