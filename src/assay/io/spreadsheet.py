"""Spreadsheets: the first sheet of an Excel file as an Arrow table; needs the extra `excel`.

>>> import importlib.util, pathlib, tempfile
>>> if importlib.util.find_spec("openpyxl"):
...     import openpyxl
...     book = openpyxl.Workbook()
...     for row in (["y", "m.label"], ["cat", "dog"]):
...         book.active.append(row)
...     path = pathlib.Path(tempfile.mkdtemp()) / "a.xlsx"
...     book.save(path)
...     assert read_spreadsheet(str(path))[0].to_pydict() == {"y": ["cat"], "m.label": ["dog"]}
"""

from typing import Any

import pyarrow as pa

from assay.errors import MissingDependencyError, ReadError
from assay.io.records import make_column

__all__ = ["read_spreadsheet"]


def read_spreadsheet(path: str, header: bool = True) -> tuple[pa.Table, tuple[str, ...]]:
    """The first sheet of the Excel file at `path`, and notes on what was left out.

    Its first row that is not empty is the header, unless there is no `header`: the columns are then
    named 1, 2, ...
    """
    name, rows, others = _read_first_sheet(path)
    rows = [row for row in rows if any(cell is not None for cell in row)]
    if not rows:
        raise ReadError(f"{path}: sheet {name!r} is empty; put the table into the first sheet")
    first = rows.pop(0) if header else range(1, len(rows[0]) + 1)
    names = ["" if cell is None else str(cell).strip() for cell in first]
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    notes = [f"Sheets of {path} that are not read: {', '.join(others)}."] if others else []
    columns = {}
    for place, column in zip(names, cells, strict=True):
        if place == "" and all(cell is None for cell in column):
            continue
        if place in columns:
            raise ReadError(f"{path}: two columns are named {place!r}; rename one")
        columns[place] = make_column(list(column))
    mixed = [place for place, column in columns.items() if column is None]
    if mixed:
        notes.append(f"Column {mixed[0]!r} of {path} is left out: its cells are of several types.")
    kept = {place: column for place, column in columns.items() if column is not None}
    return pa.table(kept), tuple(notes)


def _read_first_sheet(path: str) -> tuple[str, list[tuple[Any, ...]], list[str]]:
    """The name of the first sheet, its rows, and the names of the other sheets."""
    try:
        import openpyxl
    except ImportError as error:
        raise MissingDependencyError(
            f"{path}: Excel files need openpyxl: pip install 'assay[excel]', or save the sheet as "
            "CSV"
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = [tuple(row) for row in sheet.iter_rows(values_only=True)]
        names = book.sheetnames
        book.close()
    except Exception as error:  # openpyxl raises errors of many kinds for damaged files
        raise ReadError(
            f"{path}: cannot be read as xlsx ({type(error).__name__}: {error}); save it again, or "
            "as CSV"
        ) from error
    width = max(map(len, rows), default=0)
    return names[0], [(*row, *[None] * (width - len(row))) for row in rows], names[1:]
