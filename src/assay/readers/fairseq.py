"""Fairseq: what it prints, a line for each training epoch and for each validation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.cells import Cells
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import peek_text, read_text

__all__ = ["Fairseq"]

LINE = re.compile(r"\| INFO \| (train|valid) \| (.+)$")
EPOCH = re.compile(r"epoch (\d+)|\"epoch\": (\d+)")
NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)"
# As `| loss 9.5 |` of the simple format, and as `"valid_loss": "9.5"` of the JSON format.
PAIR = re.compile(
    rf"(?:\| |\"(?:train_|valid_)?)([a-z_]*(?:loss|ppl|bleu|accuracy))\"?:? \"?({NUMBER})\b"
)


@dataclass(frozen=True)
class Fairseq(Reader):
    """fairseq: its console output, with `--log-format simple` or `json`."""

    name = "fairseq"
    suffixes = (".log", ".txt", ".out")

    def matches(self, place: Path) -> bool:
        return any(True for _ in _parse_lines(peek_text(place)))

    def read(self, place: Path) -> list[History]:
        rows = list(_parse_lines(read_text(place)))
        names = dict.fromkeys(name for row in rows for name in row)
        columns: dict[str, Cells] = {name: [row.get(name) for row in rows] for name in names}
        return read_columns(
            columns, name=place.stem, format=self.name, source=str(place), train="running_mean"
        )


def _parse_lines(text: str) -> Iterator[dict[str, float]]:
    """The epoch and the curves of each line that has them."""
    for line in text.splitlines():
        match = LINE.search(line)
        epoch = EPOCH.search(match[2]) if match else None
        if match is None or epoch is None:
            continue
        curves = {
            f"{match[1]}_{name}": float(value)
            for name, value in PAIR.findall(match[2])
            if not name.startswith("best_")
        }
        if curves:
            yield {"epoch": float(epoch[1] or epoch[2])} | curves
