"""Tables as tools write them: every command of docs/tables.md reads what the page says it reads."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from assay.cli import cli

LAYOUTS = Path(__file__).parent / "layouts"
PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
ROW = re.compile(r"\| (?P<tool>.+?) \| `.*` \| `(?P<command>[^`]+)` \| (?P<values>[^|]+) \|")

ROWS = [match for line in PAGE.read_text().splitlines() if (match := ROW.fullmatch(line))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["tool"])
def test_layout_is_read_as_the_page_says(row, monkeypatch):
    if ".xlsx" in row["command"]:
        pytest.importorskip("openpyxl")
    monkeypatch.chdir(LAYOUTS)
    arguments = [*shlex.split(row["command"]), "--no-intervals", "--json", "-"]
    run = CliRunner().invoke(cli, ["evaluate", *arguments])
    assert run.exit_code == 0, run.output
    found = {
        (r["model"], r["metric"]): r["value"]
        for r in json.loads(run.output)["rows"]
        if r["class"] is None and r["group"] is None
    }
    expected = dict(map(parse_value, row["values"].split("; ")))
    assert {key: pytest.approx(value) for key, value in expected.items()} == found


def parse_value(text):
    model, metric, value = text.split()
    return (model, metric), float(value)


def test_the_page_shows_forty_layouts_and_every_file():
    assert len(ROWS) >= 40
    shown = " ".join(row["command"] for row in ROWS)
    assert all(place.name in shown for place in LAYOUTS.iterdir())
