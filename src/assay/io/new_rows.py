"""New rows: what models predict for rows whose truth nobody knows yet.

>>> from assay.table.schema import Schema
>>> schema = Schema("binary", ("ham", "spam"), {"a": ("proba",)})
>>> found = open_new_rows({"a.proba": [0.1, 0.9]}, schema)
>>> found.table.n, found.has_truth
(2, False)
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.io.formats import File, expand_paths, read_table
from assay.io.frames import is_frame, read_frame
from assay.io.read_write import make_table, read
from assay.io.source import Source, open_table
from assay.io.stream import Stream
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["NewRows", "open_new_rows"]


class NewRows(NamedTuple):
    """A table of rows, and whether their truth is known; where not, that of `table` means nothing.

    `truth` is the name of the column of the truth.
    """

    table: Predictions
    has_truth: bool
    truth: str = "y"

    def make_columns(self, path: str | os.PathLike[str]) -> pa.Table:
        """The columns of the table as they are written to `path`, the truth only where known."""
        columns = make_table(self.table, path)
        if self.has_truth:
            return columns
        return columns.drop_columns(
            _find_truth(columns.column_names, "y")
        ).replace_schema_metadata()


def open_new_rows(source: Source, schema: Schema, **reading: Any) -> NewRows:
    """The rows of `source`, read as a table of the task and classes of `schema`.

    Parameters:
        source: Anything that `open_table` takes.
        schema: Of the table that a fusion was fitted on.
        **reading: How files are to be read, as of `open_table`.
    """
    truth = reading.get("truth", "y")
    if isinstance(source, Predictions | Stream):
        return NewRows(open_table(source, in_memory=True), has_truth=True)
    files = _open_files(source)
    if any(_find_truth(file.table.column_names, truth) for file in files):
        return NewRows(open_table(source, in_memory=True, **reading), has_truth=True)
    frames = [_append_truth(file.table, truth, schema) for file in files]
    said = {
        "task": schema.task,
        "classes": schema.classes or None,
        "positive": schema.positive,
        **{name: value for name, value in reading.items() if value is not None},
    }
    return NewRows(read(*frames, **said), has_truth=False)


def _open_files(source: Any) -> list[File]:
    if is_frame(source):
        return [read_frame(source)]
    several = isinstance(source, Iterable) and not isinstance(source, str | Mapping)
    return [read_table(path) for path in expand_paths(list(source) if several else [source])]


def _find_truth(names: Iterable[str], truth: str) -> list[str]:
    """Those of the `names` of columns that hold the `truth`; of several labels, one a label."""
    return [name for name in names if name == truth or name.startswith(f"{truth}.")]


def _append_truth(table: pa.Table, truth: str, schema: Schema) -> pa.Table:
    """The columns of `table` and a truth that means nothing: 0, or the first of the classes."""
    if schema.task == "multilabel":
        for label in schema.classes:
            table = table.append_column(f"{truth}.{label}", pa.array(np.zeros(len(table), np.int8)))
        return table
    value = 0.0 if schema.task == "regression" else schema.classes[0]
    return table.append_column(truth, pa.array([value] * len(table)))
