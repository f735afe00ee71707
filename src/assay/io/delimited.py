"""Delimited text: CSV files as Europe, spreadsheets, R and NumPy write them, as Arrow tables.

What was assumed of a file that is not plain CSV is told in notes.

>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
>>> _ = path.write_text("sep=;\\ny;m.value\\n2,5;2,25\\n")
>>> table, notes = read_delimited(str(path))
>>> table.to_pydict()
{'y': [2.5], 'm.value': [2.25]}
"""

import csv as plain_csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from assay.errors import ReadError

__all__ = ["AS_WRITTEN", "TextOptions", "read_delimited", "strip_blanks"]

PEEK = 1 << 16
DELIMITERS = ("\t", ";", ",")
RARE_DELIMITERS = ("|", " ")
SHOWN_ROWS = 20  # rows that show how many cells a row has
# Bytes that a text begins with which is not in UTF-8.
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

PLAIN = r"[+-]?\d*\.?\d+([eE][+-]?\d+)?"
COMMA = r"[+-]?\d*,?\d+([eE][+-]?\d+)?"  # 0,76
COMMA_GROUPED = r"[+-]?\d{1,3}([.'\x{a0}\x{202f} ]\d{3})+(,\d+)?"  # 1.234,5
POINT_GROUPED = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"  # 1,234.5


class TextOptions(NamedTuple):
    """How text files are written: whether the first line names the columns, and the decimal mark.

    `decimal` is "." or ","; None reads it off the cells.
    """

    header: bool = True
    decimal: str | None = None


AS_WRITTEN = TextOptions()


class Dialect(NamedTuple):
    """How one file is written.

    Its columns bear `names` (those of its first line, where None) of which the `omitted` are not
    read; `skip` lines precede the cells, or the names where these are None. Whether it has comments
    is told by its first lines.
    """

    delimiter: str = ","
    encoding: str = "utf8"
    names: list[str] | None = None
    skip: int = 0
    omitted: frozenset[str] = frozenset()
    has_comments: bool = False
    notes: tuple[str, ...] = ()


def read_delimited(
    path: str,
    as_text: Sequence[str] = (),
    only: Sequence[str] = (),
    options: TextOptions = AS_WRITTEN,
) -> tuple[pa.Table, tuple[str, ...]]:
    """The table in the text file at `path`, and notes on how it was read.

    The columns `as_text` are read as text, whatever they look like, and no others than those in
    `only`, if any are named there. `options` say how the file is written; default: a header, and
    the decimal mark that the cells show.
    """
    with pa.input_stream(path, compression="detect") as source:
        dialect = _detect_dialect(path, source.read(PEEK), options)
    table, comments = _read(path, dialect, as_text, only)
    dates = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
    if dates:
        # A date is a label or a group here, and keeps its spelling.
        table, comments = _read(path, dialect, [*as_text, *dates], only)
    binary = [field.name for field in table.schema if _is_bytes(field.type)]
    if binary:
        raise ReadError(f"{path}: column {binary[0]!r} is not UTF-8 text; save the file as UTF-8")
    table, notes = _convert_numbers(path, table, {*as_text, *dates}, dialect, options.decimal)
    if comments:
        notes = (f"{comments} comment lines of {path} are left out.", *notes)
    return table, (*dialect.notes, *notes)


def _read(
    path: str, dialect: Dialect, as_text: Sequence[str], only: Sequence[str]
) -> tuple[pa.Table, int]:
    """The table, and how many comment lines among its rows were left out."""
    from pyarrow import csv

    comments = []

    def leave_out_comment(row: Any) -> str:
        if not row.text.lstrip().startswith("#"):
            return "error"
        comments.append(row.text)
        return "skip"

    names = dialect.names or ()
    kept = [name for name in names if name not in dialect.omitted] if dialect.omitted else []
    text = pa.dictionary(pa.int32(), pa.string())
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(as_text, text),
        include_columns=list(only) or kept,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        auto_dict_encode=True,
        auto_dict_max_cardinality=1000,
    )
    reading = csv.ReadOptions(
        skip_rows=dialect.skip, column_names=dialect.names, encoding=dialect.encoding
    )
    parse = csv.ParseOptions(
        delimiter=dialect.delimiter,
        newlines_in_values=True,
        invalid_row_handler=leave_out_comment if dialect.has_comments else None,
    )
    with pa.input_stream(path, compression="detect") as source:
        table = csv.read_csv(source, reading, parse, convert)
    return table, len(comments)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind.value_type if pa.types.is_dictionary(kind) else kind))


def _detect_dialect(path: str, start: bytes, options: TextOptions) -> Dialect:
    """How the file at `path` is written, by the bytes at its `start`."""
    encoding = _find_encoding(start)
    text = start.decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = re.split(r"\r\n|\n|\r", text)
    if len(start) == PEEK and len(lines) > 1:
        lines.pop()  # it may be cut off
    notes = [] if encoding == "utf8" else [f"{path} is read as UTF-16 text."]
    skip = _count_blank(lines, 0)
    declared = re.fullmatch(r'"?sep=(\\t|.)"?[,;]*', lines[skip]) if skip < len(lines) else None
    if declared:
        skip += 1
        notes.append(f"The first line of {path} names its separator: {lines[skip - 1]}")
    skip, names, comment_notes = _pass_comments(path, lines, skip, declared)
    notes += comment_notes
    header = names if names is not None else (lines[skip] if skip < len(lines) else "")
    delimiter = declared[1].replace("\\t", "\t") if declared else _find_delimiter(path, header)
    # Arrow cannot hand on a line that is not UTF-8.
    comments = "\ufffd" not in text and any(line.startswith("#") for line in lines)
    dialect = Dialect(delimiter, encoding, None, skip, has_comments=comments, notes=tuple(notes))
    return _name_columns(path, lines, dialect, names, options)


def _find_encoding(start: bytes) -> str:
    if start[:2] in MARKS:
        return MARKS[start[:2]]
    pairs = start[: 2 * (min(len(start), 200) // 2)]
    if len(pairs) >= 4 and not any(pairs[1::2]) and all(pairs[::2]):
        return "utf-16-le"
    return "utf8"


def _count_blank(lines: Sequence[str], at: int) -> int:
    """The place of the first line from `at` on that is not empty."""
    while at < len(lines) and not lines[at]:
        at += 1
    return at


def _pass_comments(
    path: str, lines: Sequence[str], at: int, declared: Any
) -> tuple[int, str | None, list[str]]:
    """The line below the comments from `at` on, the header where it is a comment, and notes.

    NumPy writes the header as a comment: it has as many names as the line below has cells, and that
    line has a number or the comment names the truth.
    """
    first = at
    while at < len(lines) and lines[at].startswith("#"):
        at = _count_blank(lines, at + 1)
    if at == first or at >= len(lines):
        return first, None, []
    last = max(i for i in range(first, at) if lines[i])
    if _is_header(lines[last], lines[at], _find_delimiter(path, lines[at])):
        shown = lines[last].lstrip("# ")
        note = (
            [f"The header of {path} is the comment {lines[last]!r}."] if " " in lines[last] else []
        )
        if lines[last] == shown or not note:
            # A first column that is named with a mark, as in #id, keeps its name.
            return last, None, []
        return at, shown, note
    comments = sum(bool(line) for line in lines[first:at])
    return at, None, [f"{comments} comment lines above the header of {path} are left out."]


def _is_header(comment: str, below: str, delimiter: str) -> bool:
    names = comment.lstrip("# ").split(delimiter)
    cells = below.split(delimiter)
    if len(names) != len(cells) or len(names) < 2:
        return False
    return any(_is_number(cell) for cell in cells) and not any(map(_is_number, names))


def _is_number(text: str) -> bool:
    return re.fullmatch(PLAIN, text.strip().strip('"')) is not None


def _find_delimiter(path: str, header: str) -> str:
    """The commonest of tab, semicolon and comma in the `header`, outside quotes; else a rarer."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    best = max(DELIMITERS, key=bare.count)
    if bare.count(best):
        return best
    rare = [sign for sign in RARE_DELIMITERS if bare.strip().count(sign)]
    if rare and ".tsv" not in path.lower():
        return rare[0]
    return "\t" if ".tsv" in path.lower() else ","


def _name_columns(
    path: str, lines: Sequence[str], dialect: Dialect, header: str | None, options: TextOptions
) -> Dialect:
    """The dialect with the names of the columns, where they are not those of the first line."""
    text = "\n".join(lines[dialect.skip :])
    reader = plain_csv.reader(io.StringIO(text), delimiter=dialect.delimiter)
    try:
        if header is not None:
            names = next(plain_csv.reader([header], delimiter=dialect.delimiter))
        else:
            names = next(reader, [])
        # Lines that the header takes: it may have names of several lines.
        taken = 0 if header is not None else reader.line_num
        rows = [row for row, _ in zip(filter(None, reader), range(SHOWN_ROWS), strict=False)]
    except plain_csv.Error:
        return dialect
    rows = [row for row in rows if not row[0].startswith("#")]
    if not options.header:
        numbers = [str(i + 1) for i in range(len(names))]
        note = f"{path} has no header: its columns are named {', '.join(numbers[:3])}, ..."
        return dialect._replace(names=numbers, notes=(*dialect.notes, note))
    stripped = [strip_blanks(name) for name in names]
    notes = []
    omitted: frozenset[str] = frozenset()
    if stripped != names and len(set(stripped)) == len(names):
        padded = [name for name, bare in zip(names, stripped, strict=True) if name != bare]
        notes.append(f"Blanks around names of columns of {path} are left out: {_quote(padded)}.")
    else:
        stripped = names
    if rows and names and all(len(row) == len(names) + 1 for row in rows):
        if all(row[-1] == "" for row in rows):
            stripped = [*stripped, ""]
            omitted = frozenset([""])
            notes.append(f"Each row of {path} has an empty cell at its end, which is left out.")
        elif _are_row_names([row[0] for row in rows], text):
            stripped = ["", *stripped]
            omitted = frozenset([""])
            notes.append(
                f"Each row of {path} begins with a name (row names of R) that the header does not "
                "name; left out."
            )
    if not notes and header is None:
        return dialect
    if stripped.count("") > 1:
        return dialect
    return dialect._replace(
        names=stripped,
        skip=dialect.skip + taken,
        omitted=omitted,
        notes=(*dialect.notes, *notes),
    )


def _are_row_names(cells: Sequence[str], text: str) -> bool:
    """Whether the first `cells` of rows of a `text` are row names of R, and not of a number.

    They are distinct; numbers among them are in quotes, or count the rows.
    """
    if len(set(cells)) < len(cells) or len(cells) < 2:
        return False
    numbered = list(cells) == [str(i + 1) for i in range(len(cells))]
    return numbered or not all(map(_is_number, cells)) or f'"{cells[0]}"' in text


def strip_blanks(name: str) -> str:
    """A `name` without blanks around it; a class at its end keeps its own.

    >>> strip_blanks(" y "), strip_blanks(" m.proba.yes "), strip_blanks("y.yes ")
    ('y', 'm.proba.yes ', 'y.yes ')
    """
    of_class = r"(\.(proba|logit|score|label)|^\s*y)\..*\s$"
    ends_with_class = re.search(of_class, name, flags=re.DOTALL)
    return name.lstrip(" \t") if ends_with_class else name.strip(" \t")


def _quote(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


def _convert_numbers(
    path: str, table: pa.Table, kept: set[str], dialect: Dialect, decimal: str | None
) -> tuple[pa.Table, tuple[str, ...]]:
    """The table with numbers of a decimal comma, or of grouped thousands, as numbers.

    The columns `kept` stay text.
    """
    names = table.column_names
    if len(set(names)) < len(names):
        return table, ()  # it will be refused
    styles: dict[str, set[str]] = {}
    for field in table.schema:
        if field.name not in kept and _holds_text(field.type):
            found = _find_styles(table[field.name], dialect.delimiter)
            if found:
                styles[field.name] = found
    if not styles:
        return table, ()
    decimal = decimal or _settle_decimal(table, styles)
    by_note: dict[str, list[str]] = {}
    for name, found in styles.items():
        mark = decimal or (next(iter(found)) if len(found) == 1 else None)
        if mark not in found:
            continue
        numbers, example = _parse_numbers(table[name], mark)
        table = table.set_column(names.index(name), name, numbers)
        by_note.setdefault(f"numbers with a decimal {NAMES[mark]}: {example}", []).append(name)
    return table, tuple(
        f"{_quote(names)} of {path}: read as {what}." for what, names in by_note.items()
    )


NAMES: Mapping[str, str] = {",": "comma", ".": "point and grouped thousands"}


def _holds_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _find_styles(column: pa.ChunkedArray, delimiter: str) -> set[str]:
    """The decimal marks that the texts of a `column` may be numbers of; none where they are not."""
    import pyarrow.compute as compute

    patterns = {",": (COMMA, COMMA_GROUPED), ".": (PLAIN, POINT_GROUPED)}
    head = _list_texts(column.slice(0, 100))
    if not any(_match_all(head, *options) for options in patterns.values()):
        return set()
    texts = _list_texts(column)
    if not compute.any(compute.match_substring(texts, ",")).as_py():
        return set()
    found = {mark for mark, options in patterns.items() if _match_all(texts, *options)}
    # In a file of commas, a quoted 1,2 is more likely a list.
    long = compute.match_substring_regex(texts, r"^[+-]?\d*,\d{2,}")
    if delimiter == "," and not compute.any(long).as_py():
        found.discard(",")
    return found


def _list_texts(column: pa.ChunkedArray) -> pa.Array:
    """The distinct texts of a `column`."""
    values = column.drop_null().unique()
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _match_all(texts: pa.Array, *patterns: str) -> bool:
    import pyarrow.compute as compute

    fits = compute.match_substring_regex(texts, "^(" + "|".join(patterns) + ")$")
    return len(texts) > 0 and bool(compute.all(fits).as_py())


def _settle_decimal(table: pa.Table, styles: Mapping[str, set[str]]) -> str | None:
    """The decimal mark of a file, by the columns that leave no doubt about it."""
    sure = {next(iter(found)) for found in styles.values() if len(found) == 1}
    if any(pa.types.is_floating(field.type) for field in table.schema):
        sure.add(".")
    return next(iter(sure)) if len(sure) == 1 else None


def _parse_numbers(column: pa.ChunkedArray, mark: str) -> tuple[pa.ChunkedArray, str]:
    """The numbers that the texts of a `column` stand for, and an example."""
    import pyarrow.compute as compute

    grouping = r"[.'\x{a0}\x{202f} ]" if mark == "," else ","

    def parse(texts: Any) -> Any:
        bare = compute.replace_substring_regex(texts, grouping, "")
        return compute.replace_substring(bare, ",", ".").cast(pa.float64())

    numbers = []
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            numbers.append(parse(chunk.dictionary).take(chunk.indices))
        else:
            numbers.append(parse(chunk))
    texts = _list_texts(column)
    odd = texts.filter(compute.match_substring(texts, ","))[0].as_py()
    return pa.chunked_array(numbers, pa.float64()), f"{odd!r} is {_show(parse(pa.array([odd])))}"


def _show(number: pa.Array) -> str:
    return format(number[0].as_py(), ".15g")
