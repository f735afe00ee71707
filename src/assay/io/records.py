"""Records: JSON and JSON Lines, one object a row, as Arrow tables.

Objects within a row become columns by path (`prediction.label`); labels with their scores, in the
forms that tools write them, become columns `<path>.proba.<label>`.

>>> flatten({"y": "cat", "m": {"label": "cat"}})
{'y': 'cat', 'm.label': 'cat'}
>>> flatten({"m": [{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.25}]})
{'m.proba.cat': 0.75, 'm.proba.dog': 0.25}
"""

import datetime
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from assay.errors import ReadError

__all__ = ["flatten", "make_column", "parse_records", "peek_names", "read_records"]

# Keys under which tools write labels, and the numbers that go with them.
LABEL_KEYS = ("label", "class", "displayName", "name", "tables_value", "value")
SCORE_KEYS = ("score", "prob", "probability", "confidence", "proba")
LABEL_LISTS = ("classes", "displayNames", "labels")
SCORE_LISTS = ("scores", "confidences", "probabilities", "probs")
WRAPPERS = ("predictions", "records", "rows", "data", "results", "samples", "outputs")
EXAMPLE = '{"y": "cat", "m.label": "dog"}'


def peek_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of the columns of the first row of the JSON file at `path`; none if it has none."""
    try:
        rows = parse_records(_read_text(os.fspath(path)))
    except (ReadError, OSError, UnicodeDecodeError):
        return ()
    return tuple(flatten(rows[0])) if rows else ()


def read_records(path: str) -> tuple[pa.Table, tuple[str, ...]]:
    """The table in the JSON or JSON Lines file at `path`, and notes on columns left out."""
    rows = [flatten(record) for record in parse_records(_read_text(path), path)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise ReadError(f"{path}: holds no rows; write one object a row, as {EXAMPLE}")
    columns = {name: make_column([row.get(name) for row in rows]) for name in names}
    mixed = [repr(name) for name, column in columns.items() if column is None]
    kept = {name: column for name, column in columns.items() if column is not None}
    if not kept:
        raise ReadError(f"{path}: no column has values of one type; write one type a column")
    shown = ", ".join(mixed[:5])
    notes = (f"Columns of {path} whose values are of several types are left out: {shown}.",)
    return pa.table(kept), notes if mixed else ()


def _read_text(path: str) -> str:
    with pa.input_stream(path, compression="detect") as source:
        data = source.read()
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return str(data, "utf-16" if wide else "utf-8-sig")


def parse_records(text: str, path: str = "") -> list[Any]:
    """The rows of a JSON `text`: a list, lines, an object of columns, or a list in an object.

    ReadError, naming the file at `path`, where it has none.
    """
    try:
        whole = json.loads(text)
    except RecursionError as error:
        raise ReadError(
            f"{path}: its values are nested too deeply; write one object a row"
        ) from error
    except ValueError:
        return _parse_lines(text, path)
    return _find_rows(whole, path)


def _parse_lines(text: str, path: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ReadError(
                f"{path}: line {number} is no JSON ({error}); expected one object a line, as "
                f"{EXAMPLE}"
            ) from error
    return _refuse_values(rows, path)


def _find_rows(value: Any, path: str) -> list[Any]:
    if isinstance(value, list):
        return _refuse_values(value, path)
    if not isinstance(value, dict) or not value:
        raise ReadError(f"{path}: holds no rows; write a list of objects, as [{EXAMPLE}]")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return _name_cells(value["columns"], value["data"], path)
    wrapped = [value[key] for key in WRAPPERS if isinstance(value.get(key), list)]
    if wrapped and all(isinstance(row, dict | list) for row in wrapped[0]):
        return _refuse_values(wrapped[0], path)
    columns = [_list_cells(cells) for cells in value.values()]
    if all(cells is not None for cells in columns) and len({len(c or ()) for c in columns}) == 1:
        cells = zip(*[c or [] for c in columns], strict=True)
        return [dict(zip(value, row, strict=True)) for row in cells]
    return [value]  # JSON Lines of one line


def _name_cells(names: list[Any], rows: list[Any], path: str) -> list[Any]:
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise ReadError(f"{path}: its rows do not have as many cells as it names columns")
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def _list_cells(column: Any) -> list[Any] | None:
    """The cells of a column, as pandas writes it: a list, or an object by the index."""
    if isinstance(column, list):
        return column
    if isinstance(column, dict) and not any(isinstance(c, dict | list) for c in column.values()):
        keys = list(column)
        return list(column.values()) if keys and all(key.isdigit() for key in keys) else None
    return None


def _refuse_values(rows: list[Any], path: str) -> list[Any]:
    """The `rows`, each an object, or a list of labels with their scores."""
    for place, row in enumerate(rows):
        if not isinstance(row, dict) and not _pair_scores(row):
            raise ReadError(
                f"{path}: row {place} is {json.dumps(row)[:40]}; expected an object, as {EXAMPLE}"
            )
    return rows


def flatten(record: Any) -> dict[str, Any]:
    """The values of one row, a `record`, by the names of their columns."""
    cells: dict[str, Any] = {}
    _collect("", record, cells)
    return cells


def _collect(path: str, value: Any, cells: dict[str, Any]) -> None:
    scores = _pair_scores(value)
    if scores:
        prefix = f"{path}.proba." if path else "proba."
        cells |= {prefix + label: score for label, score in scores.items()}
    if isinstance(value, dict) and value:
        read = (*LABEL_LISTS, *SCORE_LISTS) if scores else ()
        for key, inner in value.items():
            if key not in read:
                _collect(f"{path}.{key}" if path else str(key), inner, cells)
    elif not scores:
        cells[path] = value


def _pair_scores(value: Any) -> dict[str, float]:
    """Scores by label, of a list of pairs or of two lists beside each other; empty if neither."""
    if isinstance(value, dict):
        labels = next((value[key] for key in LABEL_LISTS if key in value), None)
        scores = next((value[key] for key in SCORE_LISTS if key in value), None)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        labels = [_find(item, LABEL_KEYS) for item in value]
        scores = [_find(item, SCORE_KEYS) for item in value]
    else:
        return {}
    if not isinstance(labels, list) or not isinstance(scores, list) or len(labels) != len(scores):
        return {}
    if not all(isinstance(s, int | float) and not isinstance(s, bool) for s in scores):
        return {}
    if not all(isinstance(label, str | int) for label in labels):
        return {}
    paired = {str(label): float(score) for label, score in zip(labels, scores, strict=True)}
    return paired if len(paired) == len(labels) else {}


def _find(item: Mapping[str, Any], keys: Sequence[str]) -> Any:
    found = [item[key] for key in keys if key in item]
    return found[0] if found else None


def make_column(cells: list[Any]) -> pa.Array | None:
    """The `cells` as an Arrow array; None where they are of several types.

    Dates keep the spelling of ISO 8601: a date is a label or a group here.
    """
    dates = (datetime.date, datetime.time)
    if any(isinstance(cell, dates) for cell in cells):
        cells = [cell.isoformat() if isinstance(cell, dates) else cell for cell in cells]
    # Arrow makes numbers of truth values among numbers.
    kinds = {type(cell) for cell in cells} - {type(None)}
    if bool in kinds and len(kinds) > 1:
        return None
    try:
        column = pa.array(cells)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return None
    return column.dictionary_encode() if pa.types.is_string(column.type) else column
