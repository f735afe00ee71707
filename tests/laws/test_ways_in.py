"""However the rows come in, the answer is one: value, interval, method and note of every metric.

The ways are a table in memory, a stream, a checkpoint, an evaluation that was interrupted and goes
on, the states of three jobs, and the engines.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import assay
from assay.engines.local import Local
from assay.engines.processes import Processes
from assay.evaluation.evaluate import build_evaluation
from assay.evaluation.merge import merge_states, write_merged
from assay.table.predictions import Predictions
from assay.table.schema import TASKS
from assay.testing import random_table
from assay.testing.tables import make_positive
from shelf import list_fitting


class CutError(Exception):
    """Stands for the power cut."""


def draw_table(task, seed, n, weighted=False, grouped=False, clustered=False, named=False):
    """A table of one model, of amounts in a regression."""
    p = random_table(task, seed, n=n, ties=bool(seed % 2)).select(["a"])
    p = make_positive(p) if task == "regression" else p
    rng = np.random.default_rng(seed)
    columns = {}
    if grouped:
        columns["g"] = pa.array(rng.choice(["x", "y", "z"], n, p=[0.5, 0.4, 0.1]))
    if clustered:
        columns["cluster"] = pa.array(rng.integers(0, max(n // 4, 2), n))
    if named:
        columns["id"] = pa.array([f"row {i}" for i in rng.permutation(n)])
    weight = rng.lognormal(sigma=2.0, size=n) if weighted else None
    return replace(p, columns=columns, weight=weight)


def write_pieces(p, folder, seed=0):
    """The table as three files of unequal lengths, in small row groups, in their order."""
    folder.mkdir()
    table = parquet.read_table(assay.write(p, folder.parent / "all.parquet"))
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, p.n), 2, replace=False))
    ends = [0, *cuts.tolist(), p.n]
    for i, (start, stop) in enumerate(pairwise(ends)):
        part = table.slice(start, stop - start)
        size = max((stop - start) // 3, 1)
        parquet.write_table(part, folder / f"{i}.parquet", row_group_size=size)
    return folder


def resume(stream, asked, state, monkeypatch, **options):
    """The evaluation of a stream that broke off once, and went on."""
    keep = assay.evaluation.checkpoint.Checkpoint.keep
    saved = []

    def keep_and_break(self, *args, now):
        keep(self, *args, now=now)
        saved.append(now)
        raise CutError

    with monkeypatch.context() as patch:
        patch.setattr("assay.evaluation.checkpoint.SECONDS", 0.0)
        patch.setattr("assay.evaluation.checkpoint.Checkpoint.keep", keep_and_break)
        patch.setattr("assay.engines.base.JOINED_OF_STREAM", 2)
        with pytest.raises(CutError):
            assay.evaluate(stream, asked, checkpoint=state, **options)
    assert saved == [False]
    return assay.evaluate(stream, asked, checkpoint=state, **options)


def merge(folder, asked, states, **options):
    """The evaluation of three jobs, each of a file of its own."""
    for i, state in enumerate(states):
        assay.evaluate(assay.scan(folder / f"{i}.parquet"), asked, checkpoint=state, **options)
    return build_evaluation(*merge_states(states))


def assert_same(found, expected, way):
    """Every row alike: numbers to rounding, words to the letter."""
    key = ("model", "metric", "class_", "group")
    rows = {tuple(getattr(row, name) for name in key): row for row in found.rows}
    wanted = [row for row in expected.rows if row.n or row.group is None]
    assert found.n == expected.n, way
    for row in wanted:
        other = rows[tuple(getattr(row, name) for name in key)]
        words = (row.n, row.method, row.note)
        assert (other.n, other.method, other.note) == words, (way, row, other)
        # An end near 0 of a wide interval is the difference of large numbers.
        size = np.nanmax(np.abs([1.0, row.value, row.low, row.high]))
        for name in ("value", "low", "high"):
            want = pytest.approx(getattr(row, name), rel=1e-9, abs=1e-12 * size, nan_ok=True)
            assert getattr(other, name) == want, (way, name, row, other)


def check_ways(p, folder, monkeypatch, asked, engines=(), by=None, seed=0):
    """Every way gives what the table in memory gives."""
    options = {"by": by}
    expected = assay.evaluate(p, asked, **options)
    pieces = write_pieces(p, folder / "pieces", seed)
    stream = assay.scan(pieces)
    states = [folder / f"{i}.state" for i in range(3)]
    ways = {
        "stream": lambda: assay.evaluate(stream, asked, **options),
        "checkpoint": lambda: assay.evaluate(p, asked, checkpoint=folder / "p.state", **options),
        "resumed": lambda: resume(stream, asked, folder / "r.state", monkeypatch, **options),
        "merged": lambda: merge(pieces, asked, states, **options),
    }
    for engine in engines:
        ways[str(engine)] = lambda engine=engine: assay.evaluate(
            stream, asked, engine=engine, **options
        )
    for name, way in ways.items():
        assert_same(way(), expected, name)


def check(seed, folder, monkeypatch, workers=0, most=5000):
    """A table of this seed gives the same by every way.

    A sixth of the metrics that fit it are asked, in turn: tables of other seeds are asked for the
    others.
    """
    rng = np.random.default_rng(seed)
    weighted, grouped, clustered, named = rng.integers(0, 2, 4).astype(bool)
    n = int(np.exp(rng.uniform(np.log(5), np.log(most))))
    p = draw_table(TASKS[seed % 4], seed, n, weighted, grouped, clustered, named)
    asked = list_fitting(p)[seed // 4 % 6 :: 6]
    engines = [Local(threads=2, batch=n // 10 + 1), *[Processes(workers=workers)] * (workers > 0)]
    check_ways(p, folder, monkeypatch, asked, engines, by="g" if grouped else None, seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_every_way_in_gives_the_same_values_intervals_methods_and_notes(
    tmp_path, monkeypatch, seed
):
    check(seed, tmp_path, monkeypatch, most=60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_every_way_in_gives_the_same_of_many_tables(tmp_path, monkeypatch, seed):
    check(seed, tmp_path, monkeypatch, workers=2)


@pytest.mark.slow
def test_processes_give_the_intervals_of_threads(tmp_path):
    p = draw_table("binary", 4, 50)
    stream = assay.scan(write_pieces(p, tmp_path / "pieces"))
    asked = ["log_loss", "average_precision", "f1"]
    expected = assay.evaluate(p, asked)
    assert_same(assay.evaluate(stream, asked, engine=Processes(workers=2)), expected, "processes")


def test_a_merge_that_is_written_is_merged_again_as_the_rows_themselves(tmp_path):
    p = draw_table("binary", 5, 90)
    pieces = write_pieces(p, tmp_path / "pieces")
    asked = ["log_loss", "ks", "ece"]
    states = [tmp_path / f"{i}.state" for i in range(3)]
    for i, state in enumerate(states):
        assay.evaluate(assay.scan(pieces / f"{i}.parquet"), asked, checkpoint=state)
    write_merged(tmp_path / "two.state", *merge_states(states[:2]))
    joined = build_evaluation(*merge_states([tmp_path / "two.state", states[2]]))
    assert_same(joined, assay.evaluate(p, asked), "merged again")


@pytest.mark.parametrize("kept", [0, 100])
def test_jobs_too_long_to_keep_their_rows_merge_to_the_value_and_method_of_one(
    tmp_path, monkeypatch, kept
):
    monkeypatch.setattr("assay.evaluation.kept_rows.MOST_ROWS", kept)
    monkeypatch.setattr("assay.intervals.procedures.FEW", 100)
    monkeypatch.setattr("assay.evaluation.plan.ROWS_IN_BLOCKS", 200)
    p = draw_table("binary", 6, 300)
    asked = ["log_loss", "average_precision", "roc_auc", "accuracy", "ece", "f1"]
    pieces = write_pieces(p, tmp_path / "pieces")
    states = [tmp_path / f"{i}.state" for i in range(3)]
    expected = assay.evaluate(p, asked)
    found = merge(pieces, asked, states)
    assert [(r.metric, r.method) for r in found.rows] == [
        (r.metric, r.method) for r in expected.rows
    ]
    assert [r.value for r in found.rows] == pytest.approx([r.value for r in expected.rows])
    width = np.array([[r.high - r.low for r in e.rows] for e in (found, expected)])
    assert (np.abs(np.log(width[0] / width[1])) < 0.25).all()


@pytest.mark.parametrize("offset", [-1e12, 3e9])
def test_shares_of_variance_far_from_zero_are_those_of_exact_numbers_in_every_way(tmp_path, offset):
    rng = np.random.default_rng(4)
    y = np.round(rng.normal(size=1500) * 2, 3) + offset
    f = y + np.round(rng.normal(size=1500), 3)
    table = Predictions.from_arrays(y, {"m": f}, task="regression")
    near = Predictions.from_arrays(y - offset, {"m": f - offset}, task="regression")
    asked = ["r2", "explained_variance", "pearson", "concordance_correlation"]
    true = [row.value for row in assay.evaluate(near, asked, intervals=False).rows]
    pieces = write_pieces(table, tmp_path / "pieces")
    states = [tmp_path / f"{i}.state" for i in range(3)]
    stream = assay.scan(pieces)
    for found in (
        assay.evaluate(table, asked),
        assay.evaluate(table, asked, intervals=False),
        assay.evaluate(stream, asked),
        assay.evaluate(stream, asked, intervals=False),
        merge(pieces, asked, states),
    ):
        assert [row.value for row in found.rows] == pytest.approx(true, rel=1e-9)
