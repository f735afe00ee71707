"""Judging: which columns tell training rows, and what is done with these."""

import numpy as np
import pytest

from assay.core.text import Headline
from assay.errors import SchemaError
from assay.io.source import open_table
from assay.table.judging import choose_rows, find_training, leave_out_training
from assay.table.predictions import Predictions


def table(name=None, values=(), **columns):
    n = len(values) or 4
    named = {} if name is None else {name: values}
    groups = {key: v for key, v in named.items() if key != "split"}
    special = {key: v for key, v in named.items() if key == "split"}
    return Predictions.from_arrays(
        np.arange(n) % 2, {"m": np.arange(n) % 2}, groups=groups, **special, **columns
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("split", ["train", "train", "test"]),
        ("split", ["Train", "TRAIN", "anything else"]),
        ("split", [" training", "train ", None]),
        ("set", ["train", "training", "dev"]),
        ("Subset", ["TRAIN", "TRAIN", "Hold-Out"]),
        ("dataset split", ["train", "train", "validation"]),
        ("partition", ["train", "train", "eval"]),
        ("is_train", [True, True, False]),
        ("is_train", [1, 1, 0]),
        ("is_train", [1.0, 1.0, 0.0]),
        ("Train", ["yes", "yes", "no"]),
    ],
)
def test_rows_of_a_training_split_are_left_out_and_the_first_note_says_so(name, values):
    judging = leave_out_training(table(name, values))
    assert judging.n == 1
    assert isinstance(judging.notes[0], Headline)
    assert "2 of 3 rows are left out" in judging.notes[0]
    assert repr(name) in judging.notes[0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("split", ["train", "train", "test"]),
        ("is_train", [True, True, False]),
        ("split", ["train", "it's", None]),
    ],
)
def test_the_advice_to_keep_training_rows_keeps_them(name, values):
    p = table(name, values)
    advice = leave_out_training(p).notes[0]
    where = eval(advice.split("where=")[1].rstrip("."))
    judging = open_table(p, where=where, judging=True)
    assert judging.n == 3
    assert not any("left out" in note for note in judging.notes)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("set", ["train", "bus", "car"]),
        ("is_train", [0, 1, 2]),
        ("train", ["yes", "no", "freight"]),
        ("phase", ["train", "val", "val"]),
    ],
)
def test_a_column_that_may_be_a_split_is_remarked_on_and_not_used(name, values):
    judging = leave_out_training(table(name, values))
    assert judging.n == 3
    assert repr(name) in judging.notes[0]
    assert "where=" in judging.notes[0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("set", ["a", "b", "a"]),
        ("is_train", [0, 0, 0]),
        ("split", ["test", "val", "test"]),
        ("vehicle", ["train", "bus", "train"]),
        ("phase", ["test", "val", "val"]),
        ("split", [0.5, 1.5, 2.5]),
    ],
)
def test_a_column_that_tells_no_training_rows_is_left_alone(name, values):
    assert not find_training(table(name, values)).remarks
    assert leave_out_training(table(name, values)).n == 3
    assert leave_out_training(table(name, values)).notes == ()


def test_where_all_rows_are_training_rows_they_judge_and_the_first_note_says_so():
    judging = leave_out_training(table("split", ["train"] * 4))
    assert judging.n == 4
    assert judging.notes[0].startswith("All 4 rows are training rows")


def test_rows_chosen_by_the_split_are_all_kept():
    p = table("split", ["train", "train", "test"])
    assert leave_out_training(p.where(split="train")).n == 2
    assert leave_out_training(choose_rows(p, 'split != "none"')).n == 3


def test_rows_chosen_by_another_column_are_judged_without_training_rows():
    p = Predictions.from_arrays(
        [0, 1, 1], {"m": [0, 1, 0]}, split=["train", "test", "test"], groups={"age": [9, 9, 3]}
    )
    judging = open_table(p, where="age > 5", judging=True)
    assert judging.n == 1
    assert "1 of 2 rows are left out" in judging.notes[0]
    assert judging.notes[1] == "where age > 5: 2 of 3 rows."


def test_either_of_two_columns_tells_training_rows():
    p = Predictions.from_arrays(
        [0, 1, 1],
        {"m": [0, 1, 0]},
        split=["train", "test", "test"],
        groups={"is_train": [False, True, False]},
    )
    judging = leave_out_training(p)
    assert judging.n == 1
    assert "'split' says 'train' or column 'is_train' says True" in judging.notes[0]


def test_a_condition_that_no_row_meets_names_the_values_there_are():
    with pytest.raises(
        SchemaError, match="true of none of the 3 rows; 'split' says 'test', 'train'"
    ):
        choose_rows(table("split", ["train", "train", "test"]), 'split == "tset"')


def test_rows_are_chosen_by_truth_and_weight():
    p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "a", "b"]}, weight=[1.0, 2.0, 0.5])
    assert p.where('y == "b" and weight >= 1').n == 1
    assert not p.where('y == "b"').rows_chosen
