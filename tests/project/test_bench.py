"""The claims that the benches measure, in small."""

import runpy
from pathlib import Path

import numpy as np

from assay.table.predictions import Predictions

ROOT = Path(__file__).parents[2]
BENCH = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "intervals.py"))


def test_intervals_of_all_count_metrics_cost_less_than_one_f1_score():
    found = BENCH["measured"](10, 1_000_000, runs=3)
    assert found["replicates"] >= 1000
    assert found["seconds"] < found["f1_score"]


def test_the_count_metrics_that_are_timed_are_all_of_the_registry():
    found = BENCH["count_metrics"](
        Predictions.from_arrays(np.arange(9) % 3, {"m": np.arange(9) % 3})
    )
    assert {
        "accuracy",
        "mcc",
        "cohen_kappa",
        "f1(average=micro)",
        "jaccard(average=none)",
        "f_beta",
        "tp",
    } <= set(found)
    assert not {"log_loss", "roc_auc", "mse"} & set(found)


def test_most_verdicts_on_drawn_runs_are_right_and_hardly_any_is_a_false_alarm():
    bench = runpy.run_path(str(ROOT / "bench" / "diagnosis.py"))
    tables = bench["simulate"](4, seed=9)
    found = bench["describe"](tables["all"]["all"])
    assert found["runs"] == 200
    assert found["right"] >= bench["AIMS"]["right"]
    assert found["false alarms"] <= bench["AIMS"]["false alarms"]
    assert found["decided"] > 0.7


def test_the_page_on_diagnosis_quotes_every_regime_of_the_bench():
    bench = runpy.run_path(str(ROOT / "bench" / "diagnosis.py"))
    page = (ROOT / "docs" / "diagnosis.md").read_text()
    assert all(f"| {regime.name} | 1500 |" in page for regime in bench["REGIMES"])
