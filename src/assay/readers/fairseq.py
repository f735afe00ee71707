"""Fairseq: what it prints, a line for each training epoch and for each validation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.readers.base import Reader
from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import parse_curve_name
from assay.readers.text import peek_text, read_text

__all__ = ["Fairseq"]

# The name of a set of rows, then the epoch in the simple format or in the JSON format.
LINE = re.compile(
    r"\| INFO \| (?P<set>\w+) \| (?:epoch (?P<simple>\d+) \||\{\"epoch\": (?P<json>\d+),)"
)
NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)"
# As `| loss 9.5 |` of the simple format, and as `"valid_loss": "9.5"` of the JSON format.
PAIR = re.compile(
    rf"(?:\| |\")([a-z_0-9]*(?:loss|ppl|bleu|accuracy|num_updates))\"?:? \"?({NUMBER})\b"
)
UPDATES = "num_updates"


@dataclass(frozen=True)
class Fairseq(Reader):
    """fairseq: its console output, with `--log-format simple` or `json`.

    Its losses are in bits. The first of several validation sets, or that which is called `valid`,
    is judged. Updates number the rows where an epoch holds several validations.
    """

    name = "fairseq"
    suffixes = (".log", ".txt", ".out")

    def matches(self, place: Path) -> bool:
        return any(True for _ in _parse_lines(peek_text(place)))

    def read(self, place: Path) -> list[History]:
        rows = list(_parse_lines(read_text(place)))
        sets = list(dict.fromkeys(name for name, _ in rows if name != "train"))
        judged = "valid" if "valid" in sets else next(iter(sets), "valid")
        named = [
            {_name_curve(name, key, judged): value for key, value in row.items()}
            for name, row in rows
        ]
        return read_columns(
            gather_columns(named),
            name=place.stem,
            format=self.name,
            source=str(place),
            train="running_mean",
        )


def _name_curve(set_name: str, key: str, judged: str) -> str:
    """The name of a column: split and metric, and the name of a set that is not judged."""
    if key in ("epoch", "step"):
        return key
    if set_name in ("train", judged):
        return f"{'train' if set_name == 'train' else 'valid'}_{key}"
    column = f"{set_name}_{key}"
    is_split = parse_curve_name(column)[0] == "test"
    return column if is_split else f"valid_{key}_{set_name}"


def _parse_lines(text: str) -> Iterator[tuple[str, dict[str, float]]]:
    """The set, and epoch, updates and curves, of each line that has them."""
    for line in text.splitlines():
        match = LINE.search(line)
        if match is None:
            continue
        name = match["set"]
        numbers = {key.removeprefix(f"{name}_"): float(value) for key, value in PAIR.findall(line)}
        updates = numbers.pop(UPDATES, None)
        curves = {key: v for key, v in numbers.items() if not key.startswith("best_")}
        if curves and name != "train_inner":
            place = {"epoch": float(match["simple"] or match["json"])}
            yield name, place | ({} if updates is None else {"step": updates}) | curves
