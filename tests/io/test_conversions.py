"""What is said of labels and probabilities when files are read; refusals' advice is followed."""

import json

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.errors import SchemaError

ROWS = "y,m.label\nno,LABEL_0\nyes,LABEL_1\nyes,LABEL_0\nno,LABEL_0\n"


def save(folder, text, name="p.csv"):
    """The path of a file with this text."""
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def run(capsys):
    """A function that gives the values of `assay evaluate` by metric, and its error."""

    def evaluate(*arguments):
        try:
            main(["evaluate", *map(str, arguments), "--no-intervals", "--json", "-"])
        except SystemExit as stopped:
            if stopped.code:
                return None, capsys.readouterr().err
        rows = json.loads(capsys.readouterr().out)["rows"]
        return {row["metric"]: row["value"] for row in rows if row["class"] is None}, ""

    return evaluate


def test_labels_that_never_meet_are_mapped_on_the_command_line_as_the_refusal_says(tmp_path, run):
    path = save(tmp_path, ROWS)
    values, error = run(path)
    assert values is None
    assert "labels={'LABEL_0': 'no', 'LABEL_1': 'yes'} (--labels MAP.json)" in error
    names = save(tmp_path, '{"LABEL_0": "no", "LABEL_1": "yes"}', "map.json")
    assert run(path, "--labels", names)[0]["accuracy"] == 0.75
    assert assay.read(path, labels={"LABEL_0": "no", "LABEL_1": "yes"}).classes == ("no", "yes")


@pytest.mark.parametrize(
    "labels", ['{"LABEL_0": 0, "LABEL_1": 1}', '{"LABEL_0": "0", "LABEL_1": "1"}']
)
def test_a_map_to_numbers_fits_a_file_without_types(tmp_path, run, labels):
    path = save(tmp_path, ROWS.replace("no,", "0,").replace("yes,", "1,"))
    assert run(path, "--labels", save(tmp_path, labels, "map.json"))[0]["accuracy"] == 0.75


def test_class_names_name_ids_on_the_command_line(tmp_path, run):
    path = save(tmp_path, "y,m.label\nwolf,1\nbear,0\nwolf,0\n")
    values, error = run(path)
    assert values is None
    assert "--class-names" in error
    assert run(path, "--class-names", "bear,wolf")[0]["accuracy"] == pytest.approx(2 / 3)


def test_a_map_that_is_no_object_is_refused(tmp_path, run):
    path = save(tmp_path, ROWS)
    for text, message in (("[1]", "holds no JSON object"), ("{", "is no JSON")):
        assert message in run(path, "--labels", save(tmp_path, text, "map.json"))[1]


def test_labels_of_a_file_of_ours_keep_the_order_of_its_classes(tmp_path):
    proba = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
    p = assay.Predictions.from_arrays(["c2", "c0"], {"m.proba": proba}, classes=["c2", "c1", "c0"])
    path = assay.write(p, tmp_path / "p.parquet")
    names = {"c0": "zebra", "c1": "horse", "c2": "mule"}
    q = assay.read(path, labels=names)
    assert q.classes == ("mule", "horse", "zebra")
    assert q.rows("m").proba.tolist() == proba


def test_rows_to_ignore_are_left_out_on_the_command_line(tmp_path, run):
    path = save(tmp_path, "y,m.label\n-100,1\n1,1\n0,1\n-100,0\n")
    values, error = run(path)
    assert values is None
    assert "--ignore-label=-100" in error
    assert run(path, "--ignore-label=-100")[0]["accuracy"] == 0.5
    assert run(path, "--ignore-label", "-100")[0]["accuracy"] == 0.5
    assert assay.read(path, ignore_label=-100).notes == (
        "2 of 4 rows are left out: their truth is -100.",
    )


def test_percentages_are_read_on_the_command_line_as_the_refusal_says(tmp_path, run):
    path = save(tmp_path, "y,m.proba.a,m.proba.b\na,92.5%,7.5%\nb,40%,60%\n")
    values, error = run(path)
    assert values is None
    assert "percent=True (--percent)" in error
    expected = -np.log([0.925, 0.6]).mean()
    assert run(path, "--percent")[0]["log_loss"] == pytest.approx(expected)
    bare = save(tmp_path, path.read_text().replace("%", ""), "q.csv")
    assert run(bare, "--percent")[0]["log_loss"] == pytest.approx(expected)


def test_shares_are_normalised_on_the_command_line_as_the_refusal_says(tmp_path, run):
    path = save(tmp_path, "y,m.proba.a,m.proba.b\na,0.6,0.2\nb,0.3,0.6\n")
    values, error = run(path)
    assert values is None
    assert "normalise=True (--normalise)" in error
    assert run(path, "--normalise")[0]["log_loss"] == pytest.approx(-np.log([0.75, 2 / 3]).mean())


def test_a_note_on_rounded_probabilities_comes_from_files_too(tmp_path):
    path = save(tmp_path, "y,m.proba.a,m.proba.b,m.proba.c\na,0.33,0.33,0.33\nb,0.2,0.3,0.5\n")
    assert "is rounded to 2 decimals: 1 of 2 rows sum to 0.99" in assay.read(path).notes[0]


def test_notes_of_the_first_rows_of_a_stream_say_that_they_are(tmp_path):
    proba = np.tile([[0.33, 0.33, 0.33], [0.2, 0.3, 0.5]], (40_000, 1))
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = {f"m.proba.{c}": proba[:, i] for i, c in enumerate("abc")}
    parquet.write_table(
        pa.table({"y": ["a", "b"] * 40_000, **columns}), tmp_path / "p.parquet", row_group_size=9999
    )
    stream = assay.scan(tmp_path / "p.parquet")
    assert stream.notes[0].startswith("In the first 65536 rows: proba of model 'm' is rounded")
    whole = assay.evaluate(assay.read(tmp_path / "p.parquet"), "log_loss", intervals=False).value
    assert assay.evaluate(stream, "log_loss", intervals=False).value == pytest.approx(whole)


def test_one_hot_truth_in_a_file_is_asked_about_as_in_arrays(tmp_path, run):
    path = save(
        tmp_path,
        "y.a,y.b,y.c,m.proba.a,m.proba.b,m.proba.c\n1,0,0,0.6,0.3,0.1\n0,0,1,0.5,0.4,0.1\n",
    )
    values, error = run(path)
    assert values is None
    assert "reads in two ways" in error
    assert run(path, "--task", "multiclass")[0]["accuracy"] == 0.5
    assert run(path, "--task", "multilabel")[0]["subset_accuracy"] == 0.5


def test_lists_of_numbers_as_text_are_read_from_a_file(tmp_path):
    path = save(tmp_path, 'y,m.proba\n0,"[0.92, 0.08]"\n1,"[0.3, 0.7]"\n')
    assert assay.read(path).rows("m").proba.tolist() == [[0.92, 0.08], [0.3, 0.7]]


@pytest.mark.parametrize("layout", ["y,m.label", "y,m"])
def test_codes_with_leading_zeros_stay_text(tmp_path, layout):
    path = save(tmp_path, f"{layout}\n007,7\n7,7\n7,007\n")
    p = assay.read(path)
    assert p.classes == ("007", "7")
    assert assay.evaluate(p, "accuracy", intervals=False).value == pytest.approx(1 / 3)


def test_whole_numbers_without_leading_zeros_stay_numbers(tmp_path):
    assert assay.read(save(tmp_path, "y,m.label\n0,10\n10,10\n")).classes == (0, 10)
    assert assay.read(save(tmp_path, "y,m.label\n07,7\n8,8\n"), classes=[7, 8]).classes == (7, 8)
    with pytest.raises(SchemaError, match="no column tells"):
        assay.read(save(tmp_path, "y,site\n1,2\n3,4\n"))


def test_amounts_in_a_file_are_asked_about(tmp_path, run):
    rng = np.random.default_rng(1)
    truth = rng.poisson(50, 500)
    predicted = truth + rng.integers(-2, 3, 500)
    text = "y,pred\n" + "".join(f"{a},{b}\n" for a, b in zip(truth, predicted, strict=True))
    path = save(tmp_path, text)
    values, error = run(path)
    assert values is None
    assert "task='regression' (--task regression)" in error
    error = np.abs(truth - predicted).mean()
    assert run(path, "--task", "regression")[0]["mae"] == pytest.approx(error)
