"""data: the rows of a study, from the file or the function that it names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import AssayError
from assay.io.formats import is_text, read_table
from assay.kernels import Array
from assay.studies.recipe import Location, Recipe, import_object

__all__ = ["load_data"]

# Names under which functions and scikit-learn's data sets give what a study needs.
GIVEN = {
    "X": "X",
    "data": "X",
    "y": "y",
    "target": "y",
    "groups": "groups",
    "weight": "weight",
    "id": "id",
}


def load_data(recipe: Recipe) -> dict[str, Any]:
    """X, y and, where there are any, groups, weight and id of the study `recipe`.

    Raises:
        SchemaError: The file or what the function returned cannot be used; the key is named.
        ReadError: The file or the function cannot be read.
    """
    table = recipe.data
    location = recipe.location.child("data")
    if ("file" in table) == ("load" in table):
        location.refuse(
            "give one of file (a table with a target column) and load (an import path of a "
            "function)"
        )
    if "load" in table:
        for key in table:
            if key not in ("load", "params"):
                location.child(key).refuse(
                    "goes with file; a function of load returns what it has itself"
                )
        return _call_function(location, table)
    if "target" not in table:
        location.refuse(
            "the key 'target' is missing; name the column of the file that holds the truth"
        )
    return _read_file(location, recipe.path.parent / table["file"], table)


def _call_function(location: Location, table: Mapping[str, Any]) -> dict[str, Any]:
    """What the function returned: (X, y), or a mapping of X, y, groups, weight, id."""
    name = table["load"]
    function = import_object(location.child("load"), name)
    try:
        result = function(**table.get("params", {}))
    except Exception as error:
        location.child("load").refuse(f"{name} failed: {type(error).__name__}: {error}")
    if isinstance(result, tuple) and len(result) == 2:
        result = {"X": result[0], "y": result[1]}
    data: dict[str, Any] = {}
    if isinstance(result, Mapping):
        data = {GIVEN[key]: value for key, value in result.items() if key in GIVEN}
    if not {"X", "y"} <= data.keys():
        location.child("load").refuse(
            f"{name} returned {type(result).__name__}; expected (X, y), or a mapping with X and y "
            f"(and groups, weight, id where there are any)"
        )
    return data


def _read_file(location: Location, path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    try:
        rows = read_table(path).table
    except AssayError as error:
        location.child("file").refuse(str(error), type(error))
    named = {key: table[key] for key in ("groups", "weight", "id") if key in table}
    targets = _list_targets(location.child("target"), table["target"])
    drop = table.get("drop", [])
    features = table.get("features")
    if not features:
        taken = (*targets, *named.values(), *drop)
        features = [name for name in rows.column_names if name not in taken]
    wanted = {key: [name] for key, name in named.items()}
    wanted |= {"target": targets, "drop": drop, "features": features}
    for key, names in wanted.items():
        for name in names:
            if name not in rows.column_names:
                location.child(key).refuse(
                    f"{path} has no column {name!r}; its columns are {', '.join(rows.column_names)}"
                )
    if not features:
        location.refuse(
            f"{path} has no column left to learn from beside "
            f"{', '.join((*targets, *named.values()))}"
        )
    data = {"X": _features(location, rows.select(features), table.get("frame"))}
    data["y"] = _truth(location.child("target"), rows, targets, several=table["target"])
    for key, name in named.items():
        data[key] = _column(location.child(key), rows, name)
    return data


def _list_targets(location: Location, target: str | list[Any]) -> list[str]:
    """The columns that hold the truth: one, or several that are named in a list."""
    names = [target] if isinstance(target, str) else target
    if not names or not all(isinstance(name, str) for name in names):
        location.refuse(f"expected the name of a column, or a list of names; got {target!r}")
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        location.refuse(f"column {repeated!r} is named twice; name each target once")
    return names


def _truth(location: Location, rows: pa.Table, targets: list[str], several: Any) -> Any:
    """The truth (n,); of `several` targets, if they are a list, a pandas frame that names them."""
    columns = {name: _column(location, rows, name) for name in targets}
    if isinstance(several, str):
        return columns[several]
    texts = [name for name in targets if not _is_number(rows.schema.field(name).type)]
    if texts:
        location.refuse(
            f"column {texts[0]!r} does not hold numbers; several targets are numbers to predict, "
            f"or labels of 0 and 1"
        )
    try:
        return pa.table(columns).to_pandas()
    except ImportError:
        location.refuse(
            "several targets are read into a pandas frame, and pandas is not installed; run: pip "
            "install pandas, or name one target"
        )


def _column(location: Location, rows: pa.Table, name: str) -> Array:
    column = rows.column(name)
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        location.refuse(f"column {name!r} has no value at row {row}; fill it or drop the row")
    values: Array = np.asarray(column.to_pylist()) if is_text(column.type) else column.to_numpy()
    return values


def _features(location: Location, rows: pa.Table, frame: bool | None) -> Any:
    """A matrix (n, features) where all are numbers; a pandas frame otherwise, or if asked for."""
    types = zip(rows.column_names, rows.schema.types, strict=True)
    texts = [name for name, kind in types if not _is_number(kind)]
    if frame is False and texts:
        location.child("frame").refuse(
            f"column {texts[0]!r} does not hold numbers; drop it, or set frame = true"
        )
    if not texts and not frame:
        return np.column_stack([c.to_numpy().astype(np.float64) for c in rows.columns])
    try:
        return rows.to_pandas()
    except ImportError:
        location.refuse(
            f"columns that hold no numbers ({', '.join(texts) or 'frame = true'}) are read into a "
            f"pandas frame, and pandas is not installed; run: pip install pandas, or drop the "
            f"columns"
        )


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))
