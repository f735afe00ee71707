"""Losses as lines of plain text: what stands where, within any width."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.cli import main
from assay.diagnosis.diagnose import diagnose
from assay.diagnosis.sketch import sketch_losses
from assay.readers.history import History

LOGS = Path(__file__).parents[1] / "histories"


def sketch(width=60, height=7, **losses):
    return sketch_losses(diagnose(History.from_lists(**losses)).runs[0], width=width, height=height)


def test_the_highest_loss_stands_on_the_first_line_and_the_lowest_on_the_last():
    lines = sketch(val_loss=[2.0, 1.5, 1.0]).split("\n")
    assert lines[0].split() == ["2", "|v"]
    assert lines[6].split() == ["1", "|", "v"]
    assert lines[6].index("v") == len(lines[7]) - 1
    assert lines[3].strip(" |") == "v"


def test_best_epoch_and_onset_are_marked_on_the_axis():
    val = [1.0, 0.8, 0.6, 0.5, 0.55, 0.62, 0.7, 0.8, 0.9, 1.0]
    run = diagnose(History.from_lists(train_loss=[1 / i for i in range(1, 11)], val_loss=val)).runs[
        0
    ]
    axis, words, letters = sketch_losses(run, width=62).split("\n")[-3:]
    columns = axis.partition("+")[2]
    assert len(columns) == 50
    assert columns.index("^") == round(49 * 3 / 9)
    assert columns.index("!") == round(49 * (run.onset - 1) / 9)
    assert f"^ best 4; ! overfit from {run.onset}" in words
    assert letters.strip() == "t training, v validation"


def test_points_of_both_curves_on_one_place_are_a_star():
    assert "*" in sketch(train_loss=[1.0, 0.5, 0.2], val_loss=[1.0, 0.6, 0.4]).split("\n")[0]


def test_losses_that_span_much_stand_on_a_logarithmic_scale():
    text = sketch(val_loss=[1000.0, 10.0, 0.1])
    assert "logarithmic scale" in text
    assert text.split("\n")[3].count("v") == 1


def test_a_run_that_was_lost_at_once_has_no_curve():
    assert sketch(train_loss=[math.nan, math.nan], val_loss=[math.nan, math.nan]) == ""


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    st.integers(24, 120),
    st.integers(2, 12),
)
def test_any_curve_fits_the_width_and_the_height(losses, width, height):
    text = sketch(width=width, height=height, train_loss=losses, val_loss=losses)
    lines = text.split("\n")
    assert max(map(len, lines)) <= width
    assert sum(" |" in line for line in lines) == height


def test_of_many_points_a_column_shows_the_median():
    values = np.full(10_000, 0.5)
    values[::50] = 9.0
    lines = sketch(val_loss=values.tolist(), train_loss=[0.4] * 10_000).split("\n")
    assert lines[0].split("|")[0].strip() == "0.5"


@pytest.mark.parametrize("columns", [40, 80])
def test_the_command_shows_the_curves_within_the_width_of_the_terminal(
    columns, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(columns))
    main(["diagnose", str(LOGS / "keras_csvlogger_fashion_mlp_30ep_overfit.csv")])
    lines = capsys.readouterr().out.split("\n")
    curves = [line for line in lines if " |" in line]
    assert len(curves) == 9
    assert max(map(len, curves)) <= columns
