"""Laws on runs of the bench: scale, names, true facts and layout make no verdict worse."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.diagnosis.diagnose import diagnose
from assay.readers.history import History

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "diagnosis.py"))
REGIMES = [regime for regime in BENCH["REGIMES"] if regime.name != "accuracy alone"]


def draw_runs(regime, count=12):
    random = np.random.default_rng(11)
    for _ in range(count):
        yield BENCH["draw_run"](random, regime, 1.0)[:3]


def scale(history, factor):
    series = (
        replace(s, values=tuple(factor * value for value in s.values)) for s in history.series
    )
    return replace(history, series=tuple(series))


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_losses_times_a_factor_get_the_same_verdict(regime):
    for _, _, history in draw_runs(regime):
        run = diagnose(history).runs[0]
        for factor in (2.0**-10, 2.0**13):
            other = diagnose(scale(history, factor)).runs[0]
            told = ("status", "severity", "best_epoch", "good_range", "onset", "confidence")
            assert [getattr(other, name) for name in told] == [getattr(run, name) for name in told]


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_true_facts_make_no_right_verdict_wrong(regime):
    for setting, truth, history in draw_runs(regime):
        if diagnose(history).runs[0].status not in truth.right:
            continue
        known = {"baseline": setting.scale}
        if setting.n_classes:
            known = {"n_classes": setting.n_classes}
        rows = {"n_val": setting.n_val or 10_000}
        for facts in (known, rows, known | rows):
            assert diagnose(history, **facts).runs[0].status in truth.right | {"inconclusive"}


def test_names_and_rows_of_their_own_for_each_split_get_the_same_verdict():
    for regime in REGIMES:
        for _, _, history in draw_runs(regime, 3):
            train, val = (history.find(split, "loss") for split in ("train", "val"))
            run = diagnose(history).runs[0]
            gaps = [None] * len(train.values), [None] * len(val.values)
            rows = {
                "avg_train_loss": [*train.values, *gaps[1]],
                "ValLoss": [*gaps[0], *val.values],
            }
            epochs = np.array([*train.epochs, *val.epochs])
            order = np.argsort(epochs, kind="stable")
            columns = {name: [cells[i] for i in order] for name, cells in rows.items()}
            other = diagnose(History.from_columns(columns, epochs=epochs[order].tolist())).runs[0]
            assert (other.status, other.onset) == (run.status, run.onset)
