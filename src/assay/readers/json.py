"""Records: a loop of one's own as JSON or JSON lines, one object an epoch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.readers.base import GENERAL
from assay.readers.cells import gather_columns
from assay.readers.columns import read_columns
from assay.readers.history import History
from assay.readers.naming import SPLITS, is_curve
from assay.readers.text import load_lines
from assay.readers.values import ValueReader

__all__ = ["Records", "find_tables"]

CONFIGURATIONS = ("cfg", "config", "args", "hparams")
COUNTS = {
    "n_val": ("n_val", "nv", "num_val"),
    "n_classes": ("n_classes", "num_classes", "num_labels"),
}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Records(ValueReader):
    """A loop of one's own as JSON or JSON Lines: an object of losses and metrics for each epoch.

    [{"epoch": 1, "train_loss": ..., "val_loss": ...}, ...], bare or under any key, or one such
    object a line; objects by epoch, curves by name beside plain values, curves by metric and split,
    columns as pandas writes them, and such objects by the name of a run.

    Next to the list, a `cfg` or `config` object may state the number of validation rows (`n_val`,
    `nv`), of classes (`n_classes`, `num_classes`) and the `baseline` loss.
    """

    name = "json"
    rank = GENERAL

    def accepts(self, value: Any) -> bool:
        return any(is_curve(column) for _, table in find_tables(value) for column in table)

    def read(self, place: Path) -> list[History]:
        table = load_lines(place)
        if table is None:
            return super().read(place)
        return read_columns(table, name=place.stem, format=self.name, source=str(place))

    def convert(self, value: Any, *, name: str, source: str | None) -> list[History]:
        about = _read_configuration(value)
        return [
            replace(history, **about)
            for part, table in find_tables(value)
            for history in read_columns(
                table,
                name=f"{name}/{part}" if part else name,
                format=self.name,
                source=source,
            )
        ]


def find_tables(value: Any) -> list[tuple[str, dict[str, Any]]]:
    """The runs in a JSON `value`: what tells each apart, and its columns.

    >>> find_tables({"train_losses": [3, 2], "val_losses": [4, 3], "best": 3})
    [('', {'train_losses': [3, 2], 'val_losses': [4, 3]})]
    >>> find_tables({"loss": {"train": [3, 2], "val": [4, 3]}})
    [('', {'train_loss': [3, 2], 'val_loss': [4, 3]})]
    """
    if isinstance(value, list):
        rows = _find_rows(value)
        return [("", _list_columns(rows))] if rows else []
    if not isinstance(value, Mapping):
        return []
    if value.keys() == {"columns", "index", "data"}:
        return _find_split(value)
    inner = {str(key): item for key, item in value.items() if isinstance(item, Mapping)}
    if inner and len(inner) == len(value):
        return _find_nested(inner)
    curves = _list_curves(value)
    if any(map(is_curve, curves)):
        return [("", curves)]
    rows = _find_rows(value)
    if rows:
        return [("", _list_columns(rows))]
    nested = (find_tables(item) for item in inner.values())
    return next((tables for tables in nested if tables), [])


def _find_nested(value: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The runs in an object of objects: by epoch, by row as pandas writes, by split, or by run."""
    if all(map(_is_number, value)):
        rows = [{"epoch": float(key), **_flatten(row)} for key, row in value.items()]
        return [("", _list_columns(rows))]
    if all(inner and all(map(_is_number, inner)) for inner in value.values()):
        labels = dict.fromkeys(label for inner in value.values() for label in inner)
        table = {name: [inner.get(i) for i in labels] for name, inner in value.items()}
        if any(map(is_curve, table)):
            return [("", table)]
    if all(inner and all(key.lower() in SPLITS for key in inner) for inner in value.values()):
        columns = {
            f"{split}_{metric}": curve
            for metric, inner in value.items()
            for split, curve in inner.items()
        }
        return [("", _list_curves({_singularise(name): c for name, c in columns.items()}))]
    runs = [
        (f"{name}/{part}" if part else name, table)
        for name, inner in value.items()
        for part, table in find_tables(inner)
    ]
    return [(name, table) for name, table in runs if any(map(is_curve, table))]


def _find_split(value: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The columns of `DataFrame.to_json(orient="split")`."""
    names, rows = value["columns"], value["data"]
    if not isinstance(names, list) or not isinstance(rows, list):
        return []
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return []
    return [("", {str(name): [row[i] for row in rows] for i, name in enumerate(names)})]


def _singularise(name: str) -> str:
    return name.replace("losses", "loss").replace("accuracies", "accuracy")


def _is_number(key: str) -> bool:
    return key.strip().lstrip("-").isdecimal()


def _list_curves(value: Mapping[str, Any]) -> dict[str, Any]:
    """The lists of plain values among those in `value`, all of the length that most curves have."""
    lists = {
        str(key): item
        for key, item in value.items()
        if isinstance(item, list)
        and item
        and not any(isinstance(cell, list | Mapping | str) for cell in item)
    }
    lengths = Counter(len(item) for key, item in lists.items() if is_curve(key))
    length = lengths.most_common(1)[0][0] if lengths else 0
    return {key: item for key, item in lists.items() if len(item) == length}


def _find_rows(value: Any) -> list[Record]:
    """The list of objects in `value`, or the first under one of its keys; empty without any."""
    if isinstance(value, Mapping):
        lists = (_find_rows(inner) for inner in value.values() if isinstance(inner, list))
        return next((rows for rows in lists if rows), [])
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        return []
    return [_flatten(row) for row in value]


def _flatten(row: Record) -> dict[str, Any]:
    """{"val": {"loss": 1}} as {"val_loss": 1}."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}_{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _list_columns(rows: Sequence[Record]) -> dict[str, Any]:
    """The values of all rows by key, but for keys that hold lists or objects."""
    return {
        key: cells
        for key, cells in gather_columns(rows).items()
        if not any(isinstance(cell, list | Mapping) for cell in cells)
    }


def _read_configuration(value: Any) -> dict[str, Any]:
    """What the object next to the rows says about the data: n_val, n_classes and baseline."""
    if not isinstance(value, Mapping):
        return {}
    objects = (value[key] for key in CONFIGURATIONS if isinstance(value.get(key), Mapping))
    configuration: Record = next(objects, {})
    fields: dict[str, Any] = {}
    for field, keys in COUNTS.items():
        number = next((configuration[key] for key in keys if key in configuration), None)
        if isinstance(number, int) and number > 0:
            fields[field] = number
    if isinstance(configuration.get("baseline"), float):
        fields["baseline"] = configuration["baseline"]
    return fields
