"""Delimited text that is not plain CSV is read with a note, or refused."""

import pyarrow as pa
import pytest

from assay.errors import AssayError
from assay.evaluation.evaluate import evaluate
from assay.io.delimited import TextOptions, read_delimited
from assay.io.read_write import read


def load(tmp_path, text, encoding="utf-8", **options):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    table, notes = read_delimited(str(path), options=TextOptions(**options))
    return table.to_pydict(), " ".join(notes)


def test_a_decimal_comma_is_noted(tmp_path):
    columns, notes = load(tmp_path, "y;p\na;0,25\nb;1\n")
    assert columns["p"] == [0.25, 1.0]
    assert "'0,25' is 0.25" in notes


def test_a_comma_that_may_be_either_mark_stays_text_until_it_is_said(tmp_path):
    text = "y;p\na;1,234\nb;2,500\n"
    assert load(tmp_path, text)[0]["p"] == ["1,234", "2,500"]
    assert load(tmp_path, text, decimal=",")[0]["p"] == [1.234, 2.5]
    assert load(tmp_path, text, decimal=".")[0]["p"] == [1234.0, 2500.0]


def test_another_column_settles_the_decimal_mark(tmp_path):
    assert load(tmp_path, "p;q\n1,234;0,5\n2,500;0,25\n")[0]["p"] == [1.234, 2.5]
    assert load(tmp_path, "p;q\n1,234;0.5\n2,500;0.25\n")[0]["p"] == [1234.0, 2500.0]


@pytest.mark.parametrize("cell", ["1,2", "1.2.3", "a,b", "1_000", "1,23,4"])
def test_a_text_that_is_no_number_stays_text(tmp_path, cell):
    assert load(tmp_path, f'y,p\na,"{cell}"\nb,"{cell}"\n')[0]["p"] == [cell, cell]


def test_points_and_commas_of_large_numbers_are_told_apart(tmp_path):
    columns, _ = load(tmp_path, 'p;q\n1.234,5;"1,234.5"\n2,25;900\n')
    assert columns == {"p": [1234.5, 2.25], "q": [1234.5, 900.0]}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_wide_text_is_read(tmp_path, encoding):
    assert load(tmp_path, "y\tm\nä\tb\n", encoding)[0] == {"y": ["ä"], "m": ["b"]}


def test_comment_lines_are_left_out_with_a_note(tmp_path):
    columns, notes = load(tmp_path, "# run 3, seed 4\ny,m\na,b\n# end\n")
    assert columns == {"y": ["a"], "m": ["b"]}
    assert "1 comment lines above the header" in notes


def test_a_header_that_is_a_comment_is_the_header(tmp_path):
    assert load(tmp_path, "# y,m\n0,0.5\n")[0] == {"y": [0], "m": [0.5]}


def test_a_first_column_named_with_a_mark_keeps_its_name(tmp_path):
    assert load(tmp_path, "#id,m\n0,0.5\n")[0] == {"#id": [0], "m": [0.5]}


def test_row_names_of_r_are_left_out_with_a_note(tmp_path):
    columns, notes = load(tmp_path, '"y","m"\n"1","a","b"\n"2","b","b"\n')
    assert columns == {"y": ["a", "b"], "m": ["b", "b"]}
    assert "row names of R" in notes


def test_a_further_cell_that_repeats_is_no_row_name(tmp_path):
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns, got 3"):
        load(tmp_path, "y,m\nn,a,b\nn,b,b\n")


def test_plain_files_have_no_note(tmp_path):
    assert load(tmp_path, "y,m\na,0.5\n") == ({"y": ["a"], "m": [0.5]}, "")


def test_a_decimal_mark_that_is_none_is_refused(tmp_path):
    from assay.io.read_write import read

    path = tmp_path / "a.csv"
    path.write_text("y,m.label\na,a\n")
    with pytest.raises(AssayError, match=r"decimal must be '\.' or ','; got ';'"):
        read(path, decimal=";")


@pytest.mark.parametrize("rows", ["no,0,25\nyes,0,75\nno,0,5\n", "no,1,5\nyes,2,5\n"])
def test_a_decimal_comma_between_commas_is_refused_with_what_mends_it(tmp_path, rows):
    path = tmp_path / "p.csv"
    path.write_text("y,m.score\n" + rows.replace("no,", "no,0,").replace("yes,", "yes,0,"))
    with pytest.raises(AssayError, match="if its numbers have a decimal comma, separate the cells"):
        read(path)
    mended = [f"{y};{a},{b}" for y, a, b in (row.split(",") for row in rows.split())]
    path.write_text("y;m.score\n" + "\n".join(mended) + "\n")
    assert evaluate(read(path), "roc_auc", intervals=False).value == 1.0


def test_first_cells_that_are_numbers_without_quotes_are_no_row_names(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("y,m.value\n3,3,5\n4,4,5\n9,8,5\n")
    with pytest.raises(AssayError, match="decimal comma"):
        read(path)
    path.write_text('y,m.value\n"3",3,5\n"4",4,5\n"9",8,5\n')
    assert "row names of R" in " ".join(read(path).notes)


@pytest.mark.parametrize(("mark", "right"), [(",", 0.5), (".", 500.0)])
def test_numbers_whose_comma_may_be_either_mark_name_the_option_that_says_which(
    tmp_path, mark, right
):
    path = tmp_path / "p.csv"
    path.write_text('y,m.value\n"1,500","2,000"\n"2,500","3,000"\n')
    with pytest.raises(AssayError, match=r"got '1,500' .* decimal=',' \(--decimal ,\)"):
        read(path, task="regression")
    table = read(path, task="regression", decimal=mark)
    assert evaluate(table, "mae", intervals=False).value == right
