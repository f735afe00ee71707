"""The progress bar: one for all long work, on standard error, only where somebody looks at it."""

import sys

import pytest

from assay.core import progress
from assay.core.progress import show_progress


def pretend_terminal(monkeypatch):
    """Standard error says that it is a terminal, for the rest of the test."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def run(show, steps=3):
    with show_progress("counting", steps, show) as update:
        for step in range(steps):
            update(step + 1, "sheep")


def test_a_bar_that_was_asked_for_is_shown_without_a_terminal(capsys):
    run(True)
    out, err = capsys.readouterr()
    assert "counting" in err
    assert not out


@pytest.mark.parametrize("show", [None, False])
def test_no_bar_is_shown_without_a_terminal(show, capsys):
    run(show)
    assert capsys.readouterr() == ("", "")


def test_short_work_shows_no_bar_on_a_terminal(monkeypatch, capsys):
    pretend_terminal(monkeypatch)
    run(None)
    assert not capsys.readouterr().err


def test_long_work_shows_a_bar_on_a_terminal(monkeypatch, capsys):
    pretend_terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    run(None)
    assert "counting" in capsys.readouterr().err


def test_a_bar_that_is_not_wanted_is_not_shown_on_a_terminal(monkeypatch, capsys):
    pretend_terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    run(False)
    assert not capsys.readouterr().err
