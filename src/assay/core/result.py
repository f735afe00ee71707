"""Result: one way to read every answer, as words, tidy rows, a table, versioned JSON or a chart.

A result is a frozen dataclass. Its class names the schema of its JSON and gives a `verdict`; the
rest follows from its fields. JSON is strict: an undefined value is null, its reason in a `note`.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Score:
...     model: str
...     value: float
>>> @dataclass(frozen=True, repr=False)
... class Scores(Result):
...     schema_name = "example.scores/1"
...     rows: tuple[Score, ...]
...     notes: tuple[str, ...] = ()
...     @property
...     def verdict(self):
...         return f"{self.rows[0].model} is best."
>>> scores = Scores((Score("a", 0.9), Score("b", float("nan"))))
>>> scores
a is best.
model  value
a      0.9000
b      -
>>> scores.to_dict()
{'rows': [{'model': 'a', 'value': 0.9}, {'model': 'b', 'value': None}], 'notes': []}
"""

import importlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from assay.core.atomic import write_whole
from assay.core.registry import Registry
from assay.core.text import Headline, TextTable, escape_html, escape_line
from assay.errors import MissingDependencyError, UnsupportedError

__all__ = ["CHARTS", "Result", "to_plain", "to_record"]

# The family of charts, filled by `assay.charts` as every registry is by its wing. It stands here,
# so that a result finds its chart without knowing who draws it.
CHARTS: Registry[Any] = Registry("charts")

STYLE = (
    ".assay table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".assay th,.assay td{padding:.25em .8em;text-align:left;border-bottom:1px solid #8884}"
    ".assay td.number{text-align:right}.assay .verdict{font-weight:600}"
    ".assay .details,.assay .footnotes{opacity:.8}"
)


class Result:
    """Base of all results: `repr`, Markdown and HTML for people, rows and JSON for programs.

    A subclass is a frozen dataclass with `repr=False`. It has `rows` (dataclasses, named tuples or
    mappings) and `notes`, as fields or properties, and a `verdict`. `schema_name` is the name and
    version of its JSON; `json_keys` are the attributes that the JSON holds, where they are not
    simply the fields; `json_names` maps those whose key is not their own name to their key.

    >>> import assay
    >>> p = assay.Predictions.from_arrays(["a", "b"], {"m": ["a", "b"]})
    >>> print(assay.evaluate(p, "accuracy", intervals=False).to_markdown().splitlines()[0])
    Evaluation: 2 rows, binary
    """

    schema_name: ClassVar[str]
    json_keys: ClassVar[tuple[str, ...]] = ()
    json_names: ClassVar[Mapping[str, str]] = {}

    if TYPE_CHECKING:  # at run time an attribute here would be the default of the field

        @property
        def rows(self) -> Sequence[Any]:
            """Tidy rows, one a value."""

        @property
        def notes(self) -> Sequence[str]:
            """What a reader must know beside the answer."""

    @property
    def headlines(self) -> Sequence[str]:
        """Those of the notes that stand before the verdict."""
        return [note for note in self.notes if isinstance(note, Headline)]

    @property
    def verdict(self) -> str:
        """The answer in a sentence or two."""
        raise NotImplementedError(f"{type(self).__name__} gives no verdict")

    @property
    def verdict_lines(self) -> Sequence[str]:
        """The lines of the verdict: one, unless it says one of each model."""
        return (self.verdict,)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Tidy rows as plain dictionaries, one a value."""
        return [to_record(row) for row in self.rows]

    @property
    def details(self) -> Sequence[str]:
        """Lines between the verdict and the tables."""
        return ()

    @property
    def tables(self) -> Sequence[TextTable]:
        """The tables that people read."""
        return [TextTable.from_records(self.records)] if self.rows else []

    @property
    def footnotes(self) -> Sequence[str]:
        """Lines below the tables."""
        return self.notes

    def __repr__(self) -> str:
        above = [*self.headlines, *self.verdict_lines, *self.details]
        below = self.list_footnotes()
        return "\n".join(
            [*map(escape_line, above), *map(str, self.tables), *map(escape_line, below)]
        )

    def list_footnotes(self) -> list[str]:
        """The footnotes that are no headlines."""
        above = set(self.headlines)
        return [line for line in self.footnotes if line not in above]

    def to_markdown(self) -> str:
        """The answer as Markdown: verdict, tables, and a list of what is said beside them."""
        listed = "\n".join(f"- {' '.join(line.split())}" for line in self.list_footnotes())
        tables = [table.to_markdown() for table in self.tables]
        above = [*self.headlines, self.verdict, *self.details]
        return "\n\n".join(filter(None, [*above, *tables, listed]))

    def _repr_html_(self) -> str:
        """The answer as a notebook shows it."""
        details = "".join(f"<p class='details'>{escape_html(line)}</p>" for line in self.details)
        tables = "".join(table.to_html() for table in self.tables)
        items = "".join(f"<li>{escape_html(line)}</li>" for line in self.list_footnotes())
        footnotes = f"<ul class='footnotes'>{items}</ul>" if items else ""
        above = "".join(f"<p class='headline'>{escape_html(line)}</p>" for line in self.headlines)
        verdict = f"{above}<p class='verdict'>{escape_html(self.verdict)}</p>"
        return (
            f"<div class='assay'><style>{STYLE}</style>{verdict}{details}{tables}{footnotes}</div>"
        )

    def to_html(self) -> str:
        """The answer as one page of its own, without script or network."""
        title = escape_html(type(self).__name__)
        return (
            f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
            f"</head><body>{self._repr_html_()}</body></html>"
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract as a plain dictionary."""
        keys = self.json_keys or [f.name for f in fields(self)]  # type: ignore[arg-type]
        return {self.json_names.get(key, key): to_plain(getattr(self, key)) for key in keys}

    @property
    def document(self) -> dict[str, Any]:
        """What `to_json` writes: `to_dict` under the name and version of its schema."""
        return {"schema": self.schema_name, **to_plain(self.to_dict())}

    def to_json(self, path: str | Path | None = None) -> str:
        """Versioned JSON text.

        Parameters:
            path: A file to write it to as well, as a whole or not at all; default: none.

        Returns:
            The text, indented, without NaN.
        """
        text = json.dumps(self.document, indent=2, allow_nan=False)
        if path is not None:
            write_whole(path, text + "\n")
        return text

    def to_arrow(self) -> Any:
        """Tidy rows as a `pyarrow.Table`. Columns that mix types (class labels) are text."""
        import pyarrow as pa

        rows = [to_plain(row) for row in self.records]
        names = list(dict.fromkeys(name for row in rows for name in row))
        return pa.table(
            {name: _convert_to_column(pa, [row.get(name) for row in rows]) for name in names}
        )

    def to_pandas(self) -> Any:
        """Tidy rows as a pandas DataFrame."""
        _require("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Tidy rows as a polars DataFrame."""
        return _require("polars").from_arrow(self.to_arrow())

    def chart(self, name: str | None = None, **options: Any) -> Any:
        """The chart that answers this result's question.

        Parameters:
            name: A chart of this kind of result, see `assay list charts`; default: its own.
            options: What that chart takes besides the result.

        Returns:
            An Altair chart.

        Raises:
            UnsupportedError: No chart of that name draws this kind of result.
        """
        charts = [CHARTS[known] for known in CHARTS.names()]
        charts.sort(key=lambda chart: not chart.__module__.startswith("assay."))
        fitting = {chart.name: chart for chart in charts if chart.draws == self.schema_name}
        if not fitting or name not in (None, *fitting):
            known = f"its charts: {', '.join(fitting)}" if fitting else "it has no chart"
            raise UnsupportedError(
                f"no chart {name or ''!r} draws a {type(self).__name__}; {known}"
            )
        return fitting[name or next(iter(fitting))]().draw(self, **options)


def to_record(row: Any) -> dict[str, Any]:
    """A `row` (dataclass, named tuple or mapping) as a dictionary; `class_` becomes class."""
    if isinstance(row, Mapping):
        return dict(row)
    names = [f.name for f in fields(row)] if is_dataclass(row) else row._fields
    return {name.rstrip("_"): getattr(row, name) for name in names}


def to_plain(value: Any) -> Any:
    """`value` as JSON can hold it: NumPy scalars unboxed, numbers that are not finite null."""
    if isinstance(value, Result):
        return to_plain(value.to_dict())
    if hasattr(value, "_fields") or (is_dataclass(value) and not isinstance(value, type)):
        return {name: to_plain(item) for name, item in to_record(value).items()}
    if isinstance(value, Mapping):
        return {str(name): to_plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _convert_to_column(pa: Any, values: list[Any]) -> Any:
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
