"""Terminal: a result within the width of a terminal, in colour where there is one.

What goes to a file or a pipe is not changed.

>>> table = TextTable(["metric", "a", "b"], [["f1", "0.91", "0.85"], ["recall", "0.9", "0.8"]])
>>> print(fit_table(table, 14))
metric  a
f1      0.91
recall  0.9
<BLANKLINE>
metric  b
f1      0.85
recall  0.8
>>> fold_notes(["a, f1: no rows", "b, f1: no rows"])
['a, f1 and b, f1: no rows']
"""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from assay.core.text import TextTable, escape_controls, escape_line

__all__ = ["fit_table", "fit_text", "fold_notes", "is_terminal", "lay_out", "print_result"]

NARROWEST = 40  # columns below which nothing is laid out anew
GAP = 2  # between the columns of a table


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return bool(sys.stdout.isatty())


def print_result(result: Any, text: str | None = None) -> None:
    """Print a result as a terminal shows it; colours heed NO_COLOR.

    Parameters:
        result: A `Result`.
        text: Words in place of those of the result; default: its own.
    """
    import shutil

    from rich.console import Console
    from rich.text import Text

    width = max(shutil.get_terminal_size().columns, NARROWEST)
    console = Console(highlight=False, soft_wrap=True)
    if text is None and "__repr__" in vars(type(result)):
        text = repr(result)
    parts = [("", fit_text(text, width))] if text is not None else lay_out(result, width)
    for style, part in parts:
        console.print(Text(escape_controls(part), style=style))


def lay_out(result: Any, width: int) -> Iterator[tuple[str, str]]:
    """The parts of a `result` within `width` columns, each with the style it has on a terminal."""
    for line in result.headlines:
        yield "yellow", fit_text(escape_line(line), width)
    for line in result.verdict_lines:
        yield "bold", fit_text(escape_line(line), width)
    for line in result.details:
        yield "", fit_text(escape_line(line), width)
    for table in result.tables:
        header, _, body = fit_table(table, width).partition("\n")
        yield "cyan", header
        if body:
            yield "", body
    for line in fold_notes(result.list_footnotes()):
        yield "dim", fit_text(escape_line(line), width)


def fit_table(table: TextTable, width: int) -> str:
    """A `table` within `width` columns, nothing left out.

    It is transposed where that alone makes it fit; else its columns go into several tables under
    one another, each with the first column again.
    """
    if _measure(table) <= width or not table.rows:
        return str(table)
    turned = _transpose(table)
    if len(turned.header) <= len(table.header) and _measure(turned) <= width:
        return str(turned)
    return "\n\n".join(str(block) for block in _split_columns(table, width))


def fit_text(text: str, width: int) -> str:
    """The lines of a `text` within `width` columns; lines of tables stay as they are."""
    return "\n".join(_wrap(line, width) for line in text.split("\n"))


def fold_notes(notes: Iterable[str]) -> list[str]:
    """The `notes`, those that say the same of several things as one.

    A note says of what it is before its first colon.
    """
    owners: dict[str, list[str]] = {}
    for note in notes:
        owner, colon, rest = note.partition(": ")
        key = rest if colon and rest and _is_name(owner) else note
        owners.setdefault(key, []).append(owner if key is rest else "")
    return [f"{_join(names)}: {rest}" if any(names) else rest for rest, names in owners.items()]


def _is_name(owner: str) -> bool:
    """Whether what stands before a colon names a thing, and is no sentence of its own."""
    return len(owner) <= 60 and ". " not in owner


def _join(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(filter(None, names)))
    if len(names) < 3 and any("," in name for name in names):
        return " and ".join(names)
    return "; ".join(names) if any("," in name for name in names) else ", ".join(names)


def _measure(table: TextTable) -> int:
    """Columns of a terminal that the table takes."""
    return max(map(len, str(table).split("\n")))


def _transpose(table: TextTable) -> TextTable:
    lines = list(zip(table.header, *table.rows, strict=True))
    return TextTable(list(lines[0]), [list(line) for line in lines[1:]])


def _split_columns(table: TextTable, width: int) -> Iterator[TextTable]:
    """The columns of a table in tables that fit, each with the first column."""
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    block: list[int] = []
    used = widths[0]
    for i in range(1, len(widths)):
        if block and used + GAP + widths[i] > width:
            yield _select(table, block)
            block = []
            used = widths[0]
        block.append(i)
        used += GAP + widths[i]
    yield _select(table, block)


def _select(table: TextTable, columns: Sequence[int]) -> TextTable:
    """The first column and those at some positions."""
    places = [0, *columns]
    header, *rows = ([line[i] for i in places] for line in [table.header, *table.rows])
    return TextTable(header, rows)


def _wrap(line: str, width: int) -> str:
    is_row_of_table = "  " in line.strip()
    if len(line) <= width or is_row_of_table:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
