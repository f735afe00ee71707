"""What every result can do: show itself, give tidy rows, Arrow, pandas, polars, versioned JSON, and a chart.

A result is a frozen dataclass; its `repr` is the answer in words or a table. JSON is strict (no NaN): an undefined
value is null and its reason stands in `note`.

>>> from assay.core.text import text_table
>>> from assay.core.text import text_table
>>> print(text_table(["model", "f1"], [["a", "0.9"], ["long name", "0.85"]]))
model      f1
a          0.9
long name  0.85
"""

import importlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from assay.core.atomic import write_whole
from assay.errors import MissingDependencyError

__all__ = ["Result", "to_plain"]


class Result:
    """Base of Evaluation, Comparison, Diagnosis and Report: one way to read any of them."""

    schema_name: ClassVar[str]
    drawn_by: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract as a plain dictionary."""
        raise NotImplementedError

    @property
    def records(self) -> list[dict[str, Any]]:
        """Tidy rows as plain dictionaries, one a value."""
        raise NotImplementedError

    def to_json(self, path: str | Path | None = None) -> str:
        """Versioned JSON text; written to `path` as a whole or not at all when one is given."""
        text = json.dumps(
            {"schema": self.schema_name, **to_plain(self.to_dict())}, indent=2, allow_nan=False
        )
        if path is not None:
            write_whole(path, text + "\n")
        return text

    def to_arrow(self) -> Any:
        """Tidy rows as a `pyarrow.Table`. Columns that mix types (class labels) are text."""
        import pyarrow as pa

        rows = [to_plain(row) for row in self.records]
        names = list(dict.fromkeys(name for row in rows for name in row))
        return pa.table({name: _column(pa, [row.get(name) for row in rows]) for name in names})

    def to_pandas(self) -> Any:
        """Tidy rows as a pandas DataFrame."""
        _require("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Tidy rows as a polars DataFrame."""
        return _require("polars").from_arrow(self.to_arrow())

    def chart(self) -> Any:
        """The chart that answers this result's question (an Altair chart)."""
        # Looked up by name: results must not depend on a drawing library to exist.
        return getattr(importlib.import_module("assay.charts"), self.drawn_by)(self)

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(repr(self))}</pre>"


def to_plain(value: Any) -> Any:
    """`value` as JSON can hold it: NumPy scalars unboxed, non-finite numbers null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _column(pa: Any, values: list[Any]) -> Any:
    present = {type(v) for v in values if v is not None}
    if (present - {int, float} and len(present) > 1) or list in present:
        values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pa.array(values)


def _require(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"{module} is not installed; run 'pip install {module}'"
        ) from error
