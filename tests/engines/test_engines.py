"""Every engine gives what the local one gives; a part that fails says which one it is."""

import multiprocessing
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

import assay
from assay.cli import cli
from assay.engines.base import ENGINES, Engine, resolve_engine
from assay.engines.local import Local, run_in_order
from assay.engines.processes import Processes
from assay.errors import EngineError, NameLookupError, ReadError, UnsupportedError
from engine_tasks import count, divide, end_worker, parts, wait

METRICS = ["accuracy", "f1", "log_loss", "roc_auc", "ece", "confusion_matrix"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three files of a binary table, in row groups of 300 rows."""
    folder = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    for i in range(3):
        y = rng.integers(0, 2, 1000)
        p = 1 / (1 + np.exp(-(rng.normal(size=1000) + 2 * y - 1)))
        table = {
            "id": np.arange(1000) + 1000 * i,
            "y": y,
            "m.proba.0": 1 - p,
            "m.proba.1": p,
            "g": rng.choice(["north", "south"], 1000),
            "age": rng.normal(40, 10, 1000),
        }
        parquet.write_table(pa.table(table), folder / f"{i}.parquet", row_group_size=300)
    return folder


def require_same(a, b):
    """The same rows: labels, counts and notes exactly, numbers to 1e-12."""
    assert len(a.rows) == len(b.rows)
    for x, y in zip(a.rows, b.rows, strict=True):
        assert x._replace(value=0, low=0, high=0) == y._replace(value=0, low=0, high=0)
        for name in ("value", "low", "high"):
            assert getattr(x, name) == pytest.approx(getattr(y, name), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "by",
    [
        None,
        pytest.param("g", marks=pytest.mark.slow),
        pytest.param(["g", "age"], marks=pytest.mark.slow),
    ],
)
def test_processes_give_of_a_stream_what_threads_give(folder, by):
    stream = assay.scan(folder)
    require_same(
        assay.evaluate(stream, METRICS, by=by, engine="processes(workers=2)"),
        assay.evaluate(stream, METRICS, by=by),
    )


@pytest.mark.slow
def test_processes_give_of_a_table_in_memory_what_threads_give(folder):
    table = assay.read(folder)
    metrics = [*METRICS, "f1(average=macro)"]
    require_same(
        assay.evaluate(table, metrics, by="g", engine=Processes(workers=2, batch=700)),
        assay.evaluate(table, metrics, by="g", engine=Local(batch=700)),
    )


def test_processes_give_of_bootstrapped_metrics_what_threads_give(folder):
    table = assay.read(folder)
    require_same(
        assay.evaluate(table, "f1", intervals="bootstrap", engine=Processes(workers=2, batch=700)),
        assay.evaluate(table, "f1", intervals="bootstrap", engine=Local(batch=700)),
    )


def test_slices_of_long_row_groups_travel_to_processes_with_their_rows(folder, monkeypatch):
    monkeypatch.setattr("assay.io.row_groups.LONG", 200)
    monkeypatch.setattr("assay.io.row_groups.SLICE", 128)
    stream = assay.scan(folder)
    require_same(
        assay.evaluate(stream, METRICS, engine=Processes(workers=2)),
        assay.evaluate(stream, METRICS),
    )


def test_comparisons_take_an_engine_by_its_text(folder):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    noise = [np.where(rng.random(400) < share, 1 - y, y) for share in (0.1, 0.3)]
    p = assay.Predictions.from_arrays(y, dict(zip("ab", noise, strict=True)))
    a = assay.compare(p, "accuracy", engine="processes(workers=2)")
    assert a.to_json() == assay.compare(p, "accuracy").to_json()


def test_a_damaged_row_group_is_named_by_the_worker_that_reads_it(folder, tmp_path):
    path = tmp_path / "a.parquet"
    whole = (folder / "0.parquet").read_bytes()
    path.write_bytes(whole)
    stream = assay.scan(path)
    start = parquet.read_metadata(path).row_group(2).column(1).data_page_offset
    path.write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    with pytest.raises((ReadError, assay.errors.SchemaError), match=r"a\.parquet, row group 2"):
        assay.evaluate(stream, "accuracy", engine=Processes(workers=2))


def test_an_error_that_is_not_ours_names_the_part():
    with pytest.raises(ZeroDivisionError) as caught:
        list(Processes(workers=2).map(divide, parts(5)))
    assert caught.value.__notes__ == ["This happened at part 2."]


def test_a_worker_that_ends_early_is_told_with_the_part():
    with pytest.raises(EngineError, match=r"part \d: a worker process ended"):
        list(Processes(workers=1).map(end_worker, parts(5)))


@pytest.mark.parametrize("engine", [Local(threads=2), Processes(workers=2)])
def test_parts_are_taken_a_few_ahead_and_values_come_in_order(engine):
    taken = []
    values = engine.map(count, parts(50, taken))
    assert next(values) == 0
    assert len(taken) <= 5
    assert list(values) == list(range(1, 50))


def test_workers_end_when_the_work_is_interrupted():
    values = Processes(workers=2).map(wait, parts(1000))
    next(values)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        values.throw(KeyboardInterrupt)
    assert time.monotonic() - began < 20
    assert not multiprocessing.active_children()


def test_what_cannot_be_sent_to_other_processes_is_refused():
    with pytest.raises(UnsupportedError, match=r"cannot be sent to other.*engine='local'"):
        list(Processes(workers=2).map(lambda part: 0, parts(3)))


def test_the_command_line_takes_an_engine(folder):
    run = CliRunner().invoke(
        cli,
        [
            "evaluate",
            str(folder),
            "-m",
            "accuracy",
            "--engine",
            "processes(workers=1)",
            "--json",
            "-",
        ],
    )
    assert run.exit_code == 0, run.output
    plain = CliRunner().invoke(cli, ["evaluate", str(folder), "-m", "accuracy", "--json", "-"])
    assert run.stdout == plain.stdout


def test_an_unknown_engine_is_refused_with_the_nearest_name():
    with pytest.raises(NameLookupError, match="processes"):
        resolve_engine("proceses")


def test_an_engine_is_given_as_text_or_as_it_is():
    engine = Local(threads=3)
    assert resolve_engine(engine) is engine
    assert resolve_engine("local(threads=3)") == engine
    assert resolve_engine(None) == Local()
    assert {"local", "processes"} <= set(ENGINES.names())


def test_an_engine_is_complete_with_map_alone():
    class Plain(Engine):
        def map(self, task, parts):
            return map(task, parts)

    p = assay.Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]})
    assert assay.evaluate(p, "accuracy", engine=Plain()).value == 0.75


def test_a_call_that_fails_is_raised_in_its_turn():
    def fail():
        raise ValueError("third")

    values = run_in_order([lambda: 1, lambda: 2, fail, lambda: 4], threads=2)
    assert [next(values), next(values)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(values)


def test_progress_is_shown_where_it_is_forced(folder, capsys):
    assay.evaluate(assay.scan(folder), "accuracy", engine=Local(progress=True))
    assert "evaluating" in capsys.readouterr().err
    assay.evaluate(assay.read(folder), "accuracy", engine=Local(progress=True))
    assert "evaluating" in capsys.readouterr().err
    assay.evaluate(assay.scan(folder), "accuracy", engine=Local(progress=False))
    assert not capsys.readouterr().err
