"""Names of columns that carry blanks or quotes are read without them, and a note says so."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from assay.evaluation.evaluate import evaluate
from assay.io.column_names import strip_name
from assay.io.read_write import read

COLUMNS = {"y": ["no", "yes"] * 4, "m.label": ["no", "yes", "yes", "yes"] * 2}


@pytest.mark.parametrize("form", [" {}", "{} ", '"{}"', "'{}'", ' "{}" '])
def test_padded_and_quoted_names_of_typed_files_and_frames_are_stripped_with_a_note(tmp_path, form):
    columns = {form.format(name): values for name, values in COLUMNS.items()}
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table(columns), path)
    for source in (path, pd.DataFrame(columns), pa.table(columns)):
        table = read(source)
        assert evaluate(table, "accuracy", intervals=False).value == 0.75
        assert "Blanks and quotes around names of columns" in " ".join(table.notes)


def test_single_quotes_around_the_names_of_a_text_file_are_left_out(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("'y','m.label'\nno,no\nyes,no\n")
    assert evaluate(read(path), "accuracy", intervals=False).value == 0.5


def test_names_that_differ_by_blanks_alone_stay_as_they_are():
    frame = pd.DataFrame({**COLUMNS, "site": list("abababab"), " site": list("bbbbaaaa")})
    assert set(read(frame).columns) == {"site", " site"}


def test_a_class_that_ends_with_a_blank_keeps_it():
    assert strip_name("m.proba.new york ") == "m.proba.new york "
    assert strip_name(" m.label ") == "m.label"
