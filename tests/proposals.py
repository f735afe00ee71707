"""Every message that proposes an option: how it comes about, and the number once it is followed.

A case is a `Case(provoke, follow, right)`: the first gives the message, the second does what it
says and gives a number, which must be the third.
"""

import ast
import contextlib
import io
import json
import pathlib
import re
import tempfile
from typing import Any, NamedTuple

import pytest

import assay
from assay.cli import main

ROOT = pathlib.Path(assay.__file__).parent
OPTION = re.compile(
    r"(?<![\w-])--[a-z][a-z-]+|\b[a-z_]+=(?=['\"\[{(\u0000]|\.\.\.|None|True|False|-?\d)"
)
FEWEST_WORDS = 4
OTHER = "placeholder=' ...'"  # a text with an equals sign that proposes nothing


class Template(NamedTuple):
    """A text of the source with gaps: where it stands, and the pattern of what it becomes."""

    place: str
    text: str
    pattern: re.Pattern[str]


def list_templates() -> list[Template]:
    """Every text of the source that proposes an option, docstrings and help texts left out."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = set(_list_skipped(tree))
        for node in ast.walk(tree):
            if id(node) not in skipped and isinstance(node, ast.Constant | ast.JoinedStr):
                pieces = _list_pieces(node)
                if _proposes(pieces):
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    pattern = ".*?".join(map(re.escape, pieces))
                    text = "{}".join(pieces)
                    found.append(Template(place, text, re.compile(pattern, re.DOTALL)))
    return found


def _list_skipped(tree: ast.AST) -> Any:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            yield id(body[0].value)  # a docstring
        if isinstance(node, ast.keyword) and node.arg == "help":
            yield from map(id, ast.walk(node.value))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "oracle":
            yield from map(id, ast.walk(node.value))
        if isinstance(node, ast.JoinedStr):
            yield from map(id, node.values)


def _list_pieces(node: Any) -> list[str]:
    """The fixed pieces of a text, in order."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else [""]
    pieces = [""]
    for value in node.values:
        if isinstance(value, ast.Constant):
            pieces[-1] += value.value
        else:
            pieces.append("")
    return pieces


def _proposes(pieces: list[str]) -> bool:
    text = "\u0000".join(pieces)
    words = len(text.split())
    markup = text.startswith("<")  # an equals sign of HTML is an attribute's
    return words >= FEWEST_WORDS and bool(OPTION.search(text)) and not markup and OTHER not in text


class Case(NamedTuple):
    """A message, and what becomes of following it."""

    provoke: Any
    follow: Any
    right: Any
    needs: str = ""


CASES: list[Case] = []


def case(provoke: Any, follow: Any, right: Any, needs: str = "") -> None:
    CASES.append(Case(provoke, follow, right, needs))


def error(function: Any, *arguments: Any, **options: Any) -> Any:
    """A call that is refused; it gives the message."""

    def provoke() -> str:
        with pytest.raises((assay.AssayError,)) as raised:
            function(*arguments, **options)
        return str(raised.value)

    return provoke


def notes(function: Any, *arguments: Any, **options: Any) -> Any:
    """A call whose result has notes and advice; it gives them."""

    def provoke() -> str:
        result = function(*arguments, **options)
        advice = result if isinstance(result, tuple) else getattr(result, "advice", ())
        return "\n".join(map(str, [*getattr(result, "notes", ()), *advice]))

    return provoke


def run(arguments: str, **files: Any) -> Any:
    """The command line on CSV files of these texts, named t.csv for `t`; it gives its answer."""

    def call() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            paths = {f"{name}.csv": pathlib.Path(folder) / f"{name}.csv" for name in files}
            for name, text in files.items():
                paths[f"{name}.csv"].write_text(text, encoding="utf-8")
            return call_command([str(paths.get(word, word)) for word in arguments.split()])

    return call


class Answer(NamedTuple):
    """What a command says, and how it ends."""

    exit_code: int
    stdout: str
    output: str


def call_command(arguments: list[str]) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as stopped:
            status = stopped.code or 0
    return Answer(int(status), out.getvalue(), out.getvalue() + err.getvalue())


def refused(arguments: str, **files: Any) -> Any:
    """The command line, which refuses; it gives the message."""

    def provoke() -> str:
        result = run(arguments, **files)()
        assert result.exit_code == 2, result.output
        return result.output

    return provoke


def said(arguments: str, **files: Any) -> Any:
    """The command line; it gives all that it says."""
    return lambda: run(arguments, **files)().output


def value(arguments: str, **files: Any) -> Any:
    """The only value that `assay evaluate ... --json -` gives."""

    def follow() -> float:
        result = run(f"{arguments} --no-intervals --json -", **files)()
        assert result.exit_code == 0, result.output
        rows = json.loads(result.stdout)["rows"]
        (only,) = [row for row in rows if row["class"] is None and row["group"] is None]
        return float(only["value"])

    return follow


def exit_code(arguments: str, **files: Any) -> Any:
    return lambda: run(arguments, **files)().exit_code


def figure(table: Any, metric: str, **options: Any) -> float:
    return assay.evaluate(table, metric, intervals=False, **options).value


HOME = tempfile.TemporaryDirectory(prefix="assay-")


def make_folder() -> pathlib.Path:
    """An empty folder, which lies there until the tests end."""
    return pathlib.Path(tempfile.mkdtemp(dir=HOME.name))


def saved(text: str, name: str = "t.csv") -> str:
    """The path of a file of that text in a folder of its own."""
    path = make_folder() / name
    path.write_text(text, encoding="utf-8")
    return str(path)
