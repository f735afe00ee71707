"""Text: numbers and tables as people read them, on a terminal, in Markdown and in a notebook.

>>> print(TextTable(["model", "f1"], [["a", "0.9"], ["long name", "0.85"]]))
model      f1
a          0.9
long name  0.85
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

__all__ = [
    "Headline",
    "TextTable",
    "escape_controls",
    "escape_html",
    "escape_line",
    "find_free_name",
    "format_about",
    "format_estimate",
    "format_number",
    "text_table",
]


class Headline(str):
    """A note that must be read before the numbers, as that rows were left out.

    >>> Headline("300 of 400 rows are left out.")
    '300 of 400 rows are left out.'
    """

    __slots__ = ()


# Characters that move the cursor, colour or hide text, end a line or turn its direction; halves of
# characters that no terminal takes.
CONTROLS = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def escape_controls(text: str) -> str:
    r"""The `text` with its control characters spelled out, but for the ends of lines.

    >>> print(escape_controls("model \x1b[2J"))
    model \x1b[2J
    """
    return CONTROLS.sub(lambda match: repr(match[0])[1:-1], text)


def escape_line(text: str) -> str:
    r"""The `text`, which is one line, with all control characters spelled out.

    >>> print(escape_line("model\nassay: all is well"))
    model\nassay: all is well
    """
    return escape_controls(text).replace("\n", "\\n")


class TextTable(NamedTuple):
    """A header and rows of cells, all text, each row as long as the header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> "TextTable":
        """The table of `records`: a column for each key that has a value anywhere."""
        keys = dict.fromkeys(key for record in records for key in record)
        shown = [key for key in keys if any(record.get(key) is not None for record in records)]
        rows = [[_format_cell(record.get(key)) for key in shown] for record in records]
        return cls(shown, rows)

    def __str__(self) -> str:
        return text_table(self.header, self.rows)

    def to_markdown(self) -> str:
        """A Markdown table; pipes and line breaks in cells are escaped.

        >>> print(TextTable(["model", "f1"], [["a|b", "0.9"]]).to_markdown())
        | model | f1 |
        | --- | --- |
        | a\\|b | 0.9 |
        """
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "\n".join(f"| {' | '.join(map(_escape_markdown, line))} |" for line in lines)

    def to_html(self) -> str:
        """An HTML table; every cell is escaped, and numbers are of class `number`.

        >>> TextTable(["f1"], [["<1"]]).to_html()
        '<table><thead><tr><th>f1</th></tr></thead><tbody><tr><td>&lt;1</td></tr></tbody></table>'
        """
        head = "".join(f"<th>{escape_html(cell)}</th>" for cell in self.header)
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """`header` and `rows` as columns padded to their widest cell, two spaces apart."""
    header, *rows = [[escape_line(cell) for cell in line] for line in [header, *rows]]
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in [header, *rows]
    )
    return "\n".join(line.rstrip() for line in lines)


def format_about(count: float) -> str:
    """A `count` that is an estimate, in two significant digits.

    >>> format_about(12_345), format_about(87)
    ('12,000', '87')
    """
    return f"{float(f'{count:.2g}'):,.0f}"


def format_number(value: float | None, digits: int = 4) -> str:
    """`value` as people read it: whole from 10 on, else to `digits` places, undefined as a dash.

    >>> format_number(0.98346), format_number(1797.0), format_number(float("nan"))
    ('0.9835', '1797', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    if float(value).is_integer() and abs(value) >= 10:
        return str(int(value))
    if abs(value) < 10 and (abs(value) >= 1e-3 or value == 0):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}g}"


def format_estimate(value: float, low: float, high: float) -> str:
    """`value` with its interval from `low` to `high` in brackets, where there is one.

    >>> format_estimate(0.5, 0.41, 0.59), format_estimate(0.5, float("nan"), float("nan"))
    ('0.5000 [0.4100, 0.5900]', '0.5000')
    """
    text = format_number(value)
    return text if math.isnan(low) else f"{text} [{format_number(low)}, {format_number(high)}]"


def find_free_name(name: str, taken: Sequence[str]) -> str:
    """`name`, or the first of `name_2`, `name_3`, ... that is not `taken`.

    >>> find_free_name("fused", ["svm", "fused", "fused_2"])
    'fused_3'
    """
    if name not in taken:
        return name
    return next(free for i in count(2) if (free := f"{name}_{i}") not in taken)


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return ", ".join(map(_format_cell, value))
    return str(value)


def _escape_markdown(cell: str) -> str:
    """A cell that cannot end its column, its row or its text."""
    escaped = re.sub(r"([\\|`*_<])", r"\\\1", cell)
    return " ".join(escaped.split())


def escape_html(text: str) -> str:
    """A `text` as HTML shows it.

    >>> escape_html("<1")
    '&lt;1'
    """
    from html import escape  # most answers are never HTML

    return escape(text)


def _html_cell(cell: str) -> str:
    number = ' class="number"' if re.match(r"[+-]?\d", cell) else ""
    return f"<td{number}>{escape_html(cell)}</td>"
