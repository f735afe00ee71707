"""One file a fold: the fold is read off the name of the file."""

import pytest

from assay.io.read_write import read


@pytest.fixture
def put(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return [tmp_path / f"{name}.csv" for name in files]

    return write


def test_files_of_folds_have_a_fold_column(put):
    a = "y,m.label\na,a\nb,a\n"
    table = read(*put(oof_fold0=a, oof_fold1="y,m.label\nb,b\n"))
    assert table.columns["fold"].to_pylist() == [0, 0, 1]
    assert any("folds (0, 1)" in note for note in table.notes)


def test_files_of_one_model_a_fold_are_one_model(put):
    table = read(*put(svm_fold1="y,label\na,a\nb,a\n", svm_fold2="y,label\nb,b\na,b\n"))
    assert (table.models, table.n) == (["svm"], 4)


def test_models_trained_on_folds_and_tested_on_the_same_rows_stay_models(put):
    table = read(*put(svm_fold1="y,label\na,a\nb,a\n", svm_fold2="y,label\na,b\nb,b\n"))
    assert (table.models, table.n) == (["svm_fold1", "svm_fold2"], 2)


def test_a_number_that_is_no_fold_gives_none(put):
    table = read(*put(part1="y,m.label\na,a\nb,a\n", part2="y,m.label\nb,b\n"))
    assert "fold" not in table.columns
