"""CatBoostInfo: what CatBoost writes beside every training, in `catboost_info/`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.readers.base import Reader
from assay.readers.cells import Cells, Numbers, gather_columns, parse_number
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.text import find_file, load_json, load_table, peek_header, peek_json

__all__ = ["CatBoostInfo"]

TRAINING = "catboost_training.json"
LEARN = "learn_error.tsv"
TEST = "test_error.tsv"


@dataclass(frozen=True)
class CatBoostInfo(Reader):
    """CatBoost's `catboost_info/`: the folder, `catboost_training.json`, or one `*_error.tsv`.

    Iterations are counted from 0, and metrics may be of every k-th (`metric_period`). Of several
    evaluation sets the last is the validation: CatBoost chooses its best iteration by it.
    """

    name = "catboost_info"
    rank = 1
    suffixes = (".tsv", ".json")

    def matches(self, place: Path) -> bool:
        if place.is_dir():
            return any(map(_is_error_table, (place / LEARN, place / TEST)))
        return _is_error_table(place) or _holds_training(peek_json(place))

    def read(self, place: Path) -> list[History]:
        columns = _load_columns(place)
        return read_columns(
            columns,
            name=place.name if place.is_dir() else place.stem,
            format=self.name,
            source=str(place),
            unit="iteration",
            train="point",
        )


def _is_error_table(place: Path) -> bool:
    return place.name in (LEARN, TEST) and peek_header(place)[:1] == ("iter",)


def _holds_training(value: Any) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("iterations"), list):
        return False
    return isinstance(value.get("meta"), Mapping) and "learn_metrics" in value["meta"]


def _load_columns(place: Path) -> dict[str, Cells]:
    if place.is_dir():
        return _join_tables([file for file in (place / LEARN, place / TEST) if file.is_file()])
    if place.suffix == ".tsv":
        return _join_tables([place])
    return _name_iterations(load_json(find_file(place, TRAINING) or place))


def _join_tables(files: list[Path]) -> dict[str, Cells]:
    """The columns of learn_error.tsv and test_error.tsv, rows of equal iteration in one."""
    rows: dict[str, dict[str, Any]] = {}
    for file in files:
        split = "train" if file.name == LEARN else "val"
        header, columns = load_table(file)
        # The plain columns are of the last evaluation set; `:0`, `:1` are of the others.
        plain = [column for column in header[1:] if ":" not in column]
        listed = {c: _list_cells(columns[c]) for c in (header[0], *plain)}
        for i, iteration in enumerate(listed[header[0]]):
            number = parse_number(iteration, header[0], i + 1, str(file))
            row = rows.setdefault(f"{number}", {"iteration": iteration})
            row |= {f"{split}_{column}": listed[column][i] for column in plain}
    return {**gather_columns(list(rows.values()))}


def _list_cells(cells: Cells) -> list[Any]:
    return cells.values.tolist() if isinstance(cells, Numbers) else list(cells)


def _name_iterations(value: Mapping[str, Any]) -> dict[str, Cells]:
    meta = value["meta"]
    learn = [metric["name"] for metric in meta.get("learn_metrics", ())]
    test = [metric["name"] for metric in meta.get("test_metrics", ())]
    val_set = next(iter(reversed(meta.get("test_sets", ()))), "test")
    rows = []
    for entry in value["iterations"]:
        row = {"iteration": entry.get("iteration")}
        row |= {f"train_{n}": v for n, v in zip(learn, entry.get("learn", ()), strict=False)}
        row |= {f"val_{n}": v for n, v in zip(test, entry.get(val_set, ()), strict=False)}
        rows.append(row)
    return {**gather_columns(rows)}
