"""Folders whose names hold keys, as Spark and Hive write them: split=test/part-0.parquet."""

import pytest

from assay.errors import ReadError
from assay.evaluation.evaluate import evaluate
from assay.io.formats import have_keys
from assay.io.read_write import read, write
from assay.io.source import open_table
from assay.io.stream import scan
from assay.table.predictions import Predictions


def write_parts(folder, keys, suffix="parquet"):
    for i, key in enumerate(keys):
        place = folder / key
        place.mkdir(parents=True)
        y = [0, 1, 1] if i % 2 else [1, 0, 1]
        write(Predictions.from_arrays(y, {"m": [0, 1, 1]}, positive=1), place / f"part.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_key_in_the_name_of_a_folder_is_a_column_of_text(tmp_path, suffix):
    table = read(write_parts(tmp_path, ["site=01", "site=1"], suffix))
    codes, values = table.group("site")
    assert table.n == 6
    assert values == ["01", "1"]
    assert codes.tolist() == [0, 0, 0, 1, 1, 1]


def test_keys_of_folders_in_folders_are_all_read(tmp_path):
    table = read(
        write_parts(tmp_path, ["site=a/year=2021", "site=a/year=2022", "site=b/year=2021"])
    )
    assert table.group("site")[1] == ["a", "b"]
    assert table.group("year")[1] == ["2021", "2022"]


def test_the_fold_in_the_name_of_a_folder_is_the_fold(tmp_path):
    table = open_table(write_parts(tmp_path, ["fold=0", "fold=1"]))
    assert len(table.group("fold")[1]) == 2


def test_a_key_with_signs_that_a_path_cannot_hold_is_read_as_it_was(tmp_path):
    table = read(write_parts(tmp_path, ["site=a%2Fb"]))
    assert table.group("site")[1] == ["a/b"]


def test_a_file_that_is_named_itself_has_the_columns_that_are_in_it(tmp_path):
    write_parts(tmp_path, ["site=a"])
    assert "site" not in read(tmp_path / "site=a" / "part.parquet").columns
    assert "site" not in read(tmp_path / "site=a").columns


def test_folders_without_keys_are_not_searched(tmp_path):
    write_parts(tmp_path, ["old"])
    assert not have_keys([tmp_path / "old"])
    with pytest.raises(ReadError, match="no table in this folder"):
        read(tmp_path)


def test_a_stream_of_folders_with_keys_is_refused_and_read_instead(tmp_path):
    write_parts(tmp_path, ["site=a", "site=b"])
    with pytest.raises(ReadError, match=r"assay\.read"):
        scan(tmp_path)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_folder_of_rows_without_a_key_gives_missing_ones(tmp_path, suffix):
    write_parts(tmp_path, ["site=__HIVE_DEFAULT_PARTITION__", "site=b"], suffix)
    table = read(tmp_path)
    assert table.columns["site"].null_count == 3
    assert [row.group for row in evaluate(table, "accuracy", by="site").rows] == [
        None,
        "b",
        "(missing)",
    ]
