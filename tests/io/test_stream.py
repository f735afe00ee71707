"""A table that is streamed gives the values of the table in memory, whatever its length,
interruptions and jobs.
"""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

import assay
from assay.cli import cli
from assay.engines.local import Local
from assay.errors import ReadError, SchemaError, UnseenLabelError, UnsupportedError
from assay.evaluation.evaluate import build_evaluation
from assay.evaluation.merge import merge_states
from assay.evaluation.plan import describe_table
from assay.io import row_groups, source, stream
from assay.table.predictions import Predictions
from assay.table.schema import TASKS
from assay.testing import random_table
from assay.testing.tables import make_positive
from shelf import fits, instances

N = 5000


def columns(n=N, seed=0, labels=("cat", "dog", "eel")):
    """Truth and two models of three classes, with a group, an id and a weight."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(labels), n)
    said = np.where(rng.random(n) < 0.7, y, rng.integers(0, len(labels), n))
    p = rng.dirichlet(np.ones(len(labels)), n) + 2 * np.eye(len(labels))[said]
    p /= p.sum(axis=1, keepdims=True)
    names = np.array(labels)
    table = {
        "y": names[y],
        "a.label": names[said],
        "g": rng.choice(["x", "y"], n),
        "id": np.arange(n) + 10**6 * seed,
    }
    return {**table, **{f"b.proba.{label}": p[:, i] for i, label in enumerate(labels)}}


def binary(n=N, seed=0):
    """A binary table with probabilities."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int64)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1)))
    return {"y": y, "m.proba.0": 1 - p, "m.proba.1": p}


def regression(n=N, seed=0):
    """Truth and predicted numbers."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return {"y": y, "m.value": y + 0.3 * rng.normal(size=n)}


def written(folder, table, pieces=3, rows=700):
    """The table as several files of small row groups."""
    whole = pa.table(table)
    size = -(-len(whole) // pieces)
    for i in range(pieces):
        parquet.write_table(
            whole.slice(i * size, size), folder / f"{i}.parquet", row_group_size=rows
        )
    return folder


def same(a, b):
    """Whether two evaluations say the same, but for rounding."""
    facts = [
        [(r.model, r.metric, r.class_, r.group, r.n, r.method) for r in e.rows] for e in (a, b)
    ]
    values = [np.array([(r.value, r.low, r.high) for r in e.rows]) for e in (a, b)]
    return facts[0] == facts[1] and np.allclose(*values, rtol=1e-9, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(
    "labels", [("cat", "dog", "eel"), (0, 1, 2), (-7, 40, 3000), (False, True, True)]
)
@pytest.mark.parametrize("rows", [7, 100, 700])
def test_labels_alone_are_coded_as_the_table_in_memory_codes_them(tmp_path, labels, rows):
    table = {
        name: column for name, column in columns(labels=labels).items() if name in ("y", "a.label")
    }
    path = written(tmp_path, table, rows=rows)
    asked = ["accuracy", "f1(average=none)", "confusion_matrix"]
    assert same(assay.evaluate(assay.scan(path), asked), assay.evaluate(assay.read(path), asked))


@pytest.mark.parametrize("by_dictionary", [True, False])
def test_labels_alone_have_the_intervals_that_the_table_in_memory_gives_them(
    tmp_path, by_dictionary
):
    whole = {name: column for name, column in columns().items() if name in ("y", "a.label")}
    parquet.write_table(
        pa.table(whole), tmp_path / "a.parquet", row_group_size=900, use_dictionary=by_dictionary
    )
    asked = ["accuracy", "mcc", "f1(average=none)"]
    assert same(
        assay.evaluate(assay.scan(tmp_path), asked), assay.evaluate(assay.read(tmp_path), asked)
    )


def test_labels_of_truth_and_of_models_may_come_in_other_types(tmp_path):
    y = np.arange(3000) % 3
    table = {"y": y.astype(np.int64), "a.label": y.astype(np.int16), "b.label": y.astype(float)}
    parquet.write_table(pa.table(table), tmp_path / "a.parquet", row_group_size=700)
    found = assay.evaluate(assay.scan(tmp_path), "accuracy", intervals=False)
    assert [row.value for row in found.rows] == [1.0, 1.0]


def test_a_part_of_labels_alone_is_a_table_as_any_other(tmp_path):
    table = {name: column for name, column in columns().items() if name in ("y", "a.label")}
    part = next(assay.scan(written(tmp_path, table)).parts())
    batch, wanted = part.load(), assay.read(tmp_path).slice(0, 700)
    assert isinstance(batch, row_groups.LabelBatch)
    assert batch.predictions == wanted
    second = list(batch.batches(80))[1]
    assert second.predictions == wanted.slice(80, 160)
    assert second.offset == 80
    assert second.rows("a").pairs.tolist() == wanted.slice(80, 160).rows("a").pairs.tolist()
    assert second.rows("a").label.tolist() == wanted.slice(80, 160).rows("a").label.tolist()


def test_a_label_of_no_class_beyond_the_first_rows_is_named_with_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "HEAD", 64)
    y = np.array(["cat", "dog"] * 100)
    y[150] = "eel"
    parquet.write_table(pa.table({"y": ["cat", "dog"] * 100, "a.label": y}), tmp_path / "a.parquet")
    with pytest.raises(
        UnseenLabelError,
        match=r"a.parquet, row group 0.*labels? of model 'a' has label 'eel' at row 150",
    ):
        assay.evaluate(assay.scan(tmp_path, classes=["cat", "dog"]), "accuracy")


def test_an_empty_label_beyond_the_first_rows_is_named_with_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "HEAD", 64)
    y = [0, 1] * 100
    parquet.write_table(
        pa.table({"y": [*y[:150], None, *y[151:]], "a.label": y}), tmp_path / "a.parquet"
    )
    with pytest.raises(SchemaError, match="truth has no label at row 150"):
        assay.evaluate(assay.scan(tmp_path), "accuracy")


@pytest.mark.parametrize(
    "table", [columns(), binary(), regression()], ids=["multiclass", "binary", "regression"]
)
def test_a_stream_gives_every_default_value_and_interval_of_the_table_in_memory(tmp_path, table):
    path = written(tmp_path, table)
    assert same(assay.evaluate(assay.scan(path)), assay.evaluate(assay.read(path)))


def test_a_stream_is_grouped_as_the_table_in_memory_is(tmp_path):
    path = written(tmp_path, columns())
    assert same(assay.evaluate(assay.scan(path), by="g"), assay.evaluate(assay.read(path), by="g"))


@pytest.mark.parametrize(
    "kind", ["real", "years", "few", "missing", "mostly_one", "dictionary", "text"]
)
@pytest.mark.parametrize("by", [["x"], ["g", "x"]])
def test_numbers_of_a_stream_are_cut_where_those_of_the_table_in_memory_are(tmp_path, kind, by):
    rng = np.random.default_rng(7)
    years = rng.integers(1900, 2026, N)
    values = {
        "real": rng.normal(1e6, 3, N),
        "years": years,
        "few": rng.integers(0, 5, N),
        "missing": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
        "mostly_one": np.where(rng.random(N) < 0.9, 0.0, rng.gamma(2.0, size=N)),
        "dictionary": pa.array(years).dictionary_encode(),
        "text": rng.choice(["< 3", ">= 3"], N),
    }[kind]
    path = written(tmp_path, {**columns(), "x": values})
    streamed, whole = (
        assay.evaluate(read(path), ["accuracy", "f1"], by=by) for read in (assay.scan, assay.read)
    )
    assert len(whole.rows) > 4
    assert same(streamed, whole)


def test_a_text_column_of_too_many_values_is_refused_as_soon_as_it_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.io.stream_groups.MOST_GROUPS", 100)
    path = written(tmp_path, {**columns(), "name": np.arange(N).astype(str)})
    with pytest.raises(UnsupportedError, match="'name' has more than 100 values"):
        assay.evaluate(assay.scan(path), "accuracy", by="name")


def test_slices_that_two_jobs_cut_at_their_own_quartiles_do_not_merge(tmp_path):
    names = [str(tmp_path / f"{i}.state") for i in range(2)]
    for i, name in enumerate(names):
        table = {**columns(seed=i), "x": np.random.default_rng(i).normal(3.0 * i, size=N)}
        (tmp_path / str(i)).mkdir()
        path = written(tmp_path / str(i), table)
        assay.evaluate(assay.scan(path), "accuracy", by="x", checkpoint=name)
    run = CliRunner().invoke(cli, ["merge", *names])
    assert isinstance(run.exception, UnsupportedError)
    assert "cut column 'x' at" in str(run.exception)


@pytest.mark.parametrize("piece", [0, 1])
def test_a_file_whose_weights_are_all_0_adds_nothing(tmp_path, piece):
    weight = np.ones(N)
    size = -(-N // 3)
    weight[piece * size : (piece + 1) * size] = 0.0
    path = written(tmp_path, {**binary(), "weight": weight})
    asked = ["accuracy", "f1", "log_loss", "roc_auc", "ece", "average_precision", "classwise_ece"]
    streamed = assay.evaluate(assay.scan(path), asked)
    assert same(streamed, assay.evaluate(assay.read(path), asked))
    assert streamed.rows[0].n == N


def test_the_first_file_of_a_regression_may_count_nothing(tmp_path):
    weight = np.ones(N)
    weight[: -(-N // 3)] = 0.0
    path = written(tmp_path, {**regression(), "weight": weight})
    assert same(assay.evaluate(assay.scan(path)), assay.evaluate(assay.read(path)))


def test_a_stream_in_which_no_row_counts_has_undefined_values(tmp_path):
    path = written(tmp_path, {**binary(), "weight": np.zeros(N)})
    rows = assay.evaluate(assay.scan(path), ["accuracy", "log_loss", "roc_auc"]).rows
    assert {row.note for row in rows} == {"zero_weight"}


def test_weights_count_in_a_stream(tmp_path):
    table = {**columns(), "weight": np.random.default_rng(3).integers(1, 4, N).astype(float)}
    path = written(tmp_path, table)
    assert same(assay.evaluate(assay.scan(path)), assay.evaluate(assay.read(path)))


def test_a_class_that_only_late_rows_have_is_counted(tmp_path):
    table = columns()
    table["y"] = table["y"].astype("<U4")
    table["y"][-1] = "fox"
    path = written(tmp_path, {name: table[name] for name in ("y", "a.label")})
    assert assay.scan(path).classes_assumed
    streamed = assay.evaluate(assay.scan(path), "confusion_matrix")
    assert streamed.classes == ("cat", "dog", "eel", "fox")
    assert same(streamed, assay.evaluate(assay.read(path), "confusion_matrix"))


def test_long_row_groups_are_read_in_slices(tmp_path, monkeypatch):
    path = written(tmp_path, columns(), rows=N)
    whole = assay.evaluate(assay.read(path), ["accuracy", "log_loss"])
    monkeypatch.setattr(row_groups, "LONG", 1000)
    monkeypatch.setattr(row_groups, "SLICE", 300)
    assert same(assay.evaluate(assay.scan(path), ["accuracy", "log_loss"]), whole)


def test_large_parquet_is_streamed_without_being_asked(tmp_path, monkeypatch):
    path = written(tmp_path, columns())
    monkeypatch.setattr(source, "LARGE", 1 << 12)
    assert isinstance(source.open_table(path), stream.Stream)


def test_only_the_columns_that_are_needed_are_read(tmp_path):
    narrowed = assay.scan(written(tmp_path, columns())).narrow({"a": {"label"}}, ())
    assert sorted(narrowed.reader.keys) == ["a.label", "y"]


def test_files_of_different_columns_are_no_stream(tmp_path):
    written(tmp_path, columns())
    parquet.write_table(pa.table(binary()), tmp_path / "9.parquet")
    with pytest.raises(SchemaError, match="no column 'a"):
        assay.scan(tmp_path)


def read_values(found):
    return {(r.model, r.metric, r.class_, r.group): r.value for r in found.rows}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("by", "seed"),
    [
        (None, 2),
        (None, 3),
        pytest.param("g", 2, marks=pytest.mark.slow),
        pytest.param("g", 3, marks=pytest.mark.slow),
    ],
)
def test_every_metric_says_the_same_of_a_table_of_a_stream_and_of_the_states_of_three_jobs(
    tmp_path, task, by, seed
):
    if task == "detection":
        pytest.importorskip("pycocotools")
    if task == "text":
        pytest.importorskip("sacrebleu")
        pytest.importorskip("rouge_score")
    p = random_table(task, seed, n=160, weighted=bool(seed % 2), ties=True)
    p = make_positive(p) if task == "regression" else p
    p = replace(p, columns={"g": pa.array(np.arange(p.n) % 3)})
    asked = [metric for metric in instances() if fits(metric, p)]
    table = parquet.read_table(assay.write(p, tmp_path / "all.parquet"))
    (tmp_path / "pieces").mkdir()
    path = written(tmp_path / "pieces", table, rows=29)
    expected = read_values(assay.evaluate(p, asked, by=by, intervals=False))
    streamed = read_values(assay.evaluate(assay.scan(path), asked, by=by, intervals=False))
    states = [tmp_path / f"{i}.state" for i in range(3)]
    for i, state in enumerate(states):
        assay.evaluate(
            assay.scan(path / f"{i}.parquet"), asked, by=by, intervals=False, checkpoint=state
        )
    joined = read_values(build_evaluation(*merge_states(states)))
    assert streamed.keys() == joined.keys() == expected.keys()
    for found in (streamed, joined):
        for key, value in expected.items():
            assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), key


def test_an_unusable_cell_of_a_stream_is_named_with_its_file(tmp_path):
    table = binary()
    table["m.proba.1"][4000] = 1.5
    with pytest.raises(SchemaError, match=r"2\.parquet, row group"):
        assay.evaluate(assay.scan(written(tmp_path, table)), "brier")


@pytest.mark.parametrize("metric", ["roc_auc", "gini", "average_precision", "ks"])
@pytest.mark.parametrize("kind", ["proba", "score"])
def test_sketched_values_lie_within_their_stated_bound(tmp_path, monkeypatch, metric, kind):
    table = binary()
    if kind == "score":
        p = table["m.proba.1"]
        table = {"y": table["y"], "m.score": np.log(p / (1 - p)).astype(np.float32)}
    path = written(tmp_path, table)
    exact = assay.evaluate(assay.read(path), metric, intervals=False).value
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    row = assay.evaluate(assay.scan(path), metric, intervals=False).rows[0]
    assert row.note.startswith("within ")
    assert abs(row.value - exact) <= 1.06 * float(row.note.split()[1]) + 1e-12


def test_coarse_sketches_still_keep_their_bound(tmp_path, monkeypatch):
    path = written(tmp_path, columns())
    exact = assay.evaluate(assay.read(path), "roc_auc(average=none)", intervals=False)
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    monkeypatch.setattr("assay.states.sketch.MAX_PLACES", 600)
    found = assay.evaluate(assay.scan(path), "roc_auc(average=none)", intervals=False)
    for sketched, row in zip(found.rows[3:], exact.rows[3:], strict=True):
        assert sketched.value != row.value
        assert abs(sketched.value - row.value) <= 1.06 * float(sketched.note.split()[1])


def test_the_interval_of_a_sketched_area_is_that_of_the_rows(tmp_path, monkeypatch):
    path = written(tmp_path, binary())
    exact = assay.evaluate(assay.read(path), "roc_auc").rows[0]
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    row = assay.evaluate(assay.scan(path), "roc_auc").rows[0]
    assert (row.method, row.low, row.high) == (
        "delong",
        pytest.approx(exact.low, abs=2e-4),
        pytest.approx(exact.high, abs=2e-4),
    )


def test_the_median_error_of_a_long_stream_is_right_to_a_millionth(tmp_path, monkeypatch):
    path = written(tmp_path, regression())
    exact = assay.evaluate(assay.read(path), "median_ae", intervals=False).value
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    assert assay.evaluate(assay.scan(path), "median_ae", intervals=False).value == pytest.approx(
        exact, rel=1e-6
    )


def test_what_has_no_bounded_form_is_refused_of_a_long_stream(tmp_path, monkeypatch):
    path = written(tmp_path, regression())
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    with pytest.raises(UnsupportedError, match="no bounded form"):
        assay.evaluate(assay.scan(path), "spearman")


class CutError(Exception):
    """Stands for the power cut."""


def interrupted(path, state, monkeypatch, after):
    """An evaluation that breaks off when so many row groups have been read."""
    read, count = row_groups.RowGroupReader.read, [0]

    def breaking(self, piece, names):
        count[0] += 1
        if count[0] > after:
            raise CutError
        return read(self, piece, names)

    with monkeypatch.context() as patch:
        patch.setattr(row_groups.RowGroupReader, "read", breaking)
        patch.setattr("assay.evaluation.checkpoint.SECONDS", 0.0)
        with pytest.raises(CutError):
            assay.evaluate(
                assay.scan(path), METRICS, by="g", checkpoint=state, engine=Local(threads=1)
            )


METRICS = ["accuracy", "f1", "log_loss", "roc_auc", "ece"]


def test_an_interrupted_evaluation_goes_on_where_it_was(tmp_path, monkeypatch):
    path, state = written(tmp_path, columns()), tmp_path / "run.state"
    whole = assay.evaluate(assay.scan(path), METRICS, by="g", checkpoint=tmp_path / "other.state")
    interrupted(path, state, monkeypatch, after=6)
    seen = []
    read = row_groups.RowGroupReader.read
    monkeypatch.setattr(
        row_groups.RowGroupReader, "read", lambda self, *a: seen.append(a) or read(self, *a)
    )
    resumed = assay.evaluate(
        assay.scan(path), METRICS, by="g", checkpoint=state, engine=Local(threads=1)
    )
    assert same(resumed, whole)
    pieces = len(assay.scan(path).row_groups)
    # Four are done; the groups are folded in a further pass, and few rows are read to be kept.
    assert len(seen) == pieces - 4 + 2 * pieces


def test_a_finished_checkpoint_answers_without_reading_rows(tmp_path, monkeypatch):
    path, state = written(tmp_path, columns()), tmp_path / "run.state"
    first = assay.evaluate(assay.scan(path), METRICS, checkpoint=state)
    monkeypatch.setattr(
        row_groups.RowGroupReader, "read", lambda *_: pytest.fail("a row group was read")
    )
    assert same(assay.evaluate(assay.scan(path), METRICS, checkpoint=state), first)


def test_a_checkpoint_of_other_metrics_is_refused(tmp_path):
    path, state = written(tmp_path, columns()), tmp_path / "run.state"
    assay.evaluate(assay.scan(path), "accuracy", checkpoint=state)
    with pytest.raises(ReadError, match="another table or other metrics"):
        assay.evaluate(assay.scan(path), "f1", checkpoint=state)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("by", [[], pytest.param(["g"], marks=pytest.mark.slow)])
def test_states_of_separate_jobs_merge_to_those_of_one(tmp_path, monkeypatch, long, by):
    (tmp_path / "all").mkdir()
    path = written(tmp_path / "all", columns(), pieces=2)
    if long:
        monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    asked = [*METRICS, "brier", "mcc"]
    one = assay.evaluate(assay.scan(path), asked, by=by, checkpoint=tmp_path / "one.state")
    names = [str(tmp_path / f"{i}.state") for i in range(2)]
    for i, name in enumerate(names):
        part = assay.scan(path / f"{i}.parquet", classes=["cat", "dog", "eel"])
        assay.evaluate(part, asked, by=by, checkpoint=name)
    run = CliRunner().invoke(cli, ["merge", *names, "--json", "-"])
    assert run.exit_code == 0, run.output
    found = {
        (r["model"], r["metric"], r["group"]): r["value"]
        for r in json.loads(run.output)["rows"]
        if r["n"]
    }
    assert found == {
        (r.model, r.metric, r.group): pytest.approx(r.value, rel=1e-9) for r in one.rows if r.n
    }
    assert json.loads(run.output)["n"] == N


def test_a_short_job_merges_with_a_long_one(tmp_path, monkeypatch):
    paths = []
    for seed, n in ((1, 400), (2, 4000)):
        (tmp_path / str(seed)).mkdir()
        paths.append(written(tmp_path / str(seed), binary(n, seed)))
    whole = assay.read(*(file for path in paths for file in sorted(path.iterdir())))
    exact = assay.evaluate(whole, "roc_auc", intervals=False).value
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    states = [tmp_path / f"{i}.state" for i in range(2)]
    for path, state in zip(paths, states, strict=True):
        assay.evaluate(assay.scan(path), "roc_auc", intervals=False, checkpoint=state)
    run = CliRunner().invoke(
        cli, ["merge", *map(str, states), "-o", str(tmp_path / "both.state"), "--json", "-"]
    )
    assert json.loads(run.output)["rows"][0]["value"] == pytest.approx(exact, abs=1e-5)
    again = CliRunner().invoke(cli, ["merge", str(tmp_path / "both.state"), "--json", "-"])
    assert json.loads(again.output)["n"] == 4400


def test_jobs_that_were_asked_differently_do_not_merge(tmp_path):
    path = written(tmp_path, columns())
    for name in ("accuracy", "f1"):
        assay.evaluate(assay.scan(path), name, checkpoint=tmp_path / f"{name}.state")
    run = CliRunner().invoke(
        cli, ["merge", str(tmp_path / "accuracy.state"), str(tmp_path / "f1.state")]
    )
    assert isinstance(run.exception, UnsupportedError)
    assert "differ in what was asked" in str(run.exception)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b'{"version": 1}'])
def test_a_damaged_state_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "a.state").write_bytes(content)
    run = CliRunner().invoke(cli, ["merge", str(tmp_path / "a.state")])
    assert isinstance(run.exception, ReadError)
    assert "no state file" in str(run.exception)


@pytest.mark.parametrize("part", ["asked", "schema", "frame", "keys", "version"])
def test_a_state_file_whose_header_lacks_a_part_is_one_clear_error(tmp_path, part):
    path = tmp_path / "a.state"
    assay.evaluate(
        Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]}), "accuracy", checkpoint=path
    )
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes())
    if isinstance(header.pop(part), dict):
        header[part] = {}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    run = CliRunner().invoke(cli, ["merge", str(path)])
    assert isinstance(run.exception, ReadError)
    assert "no state file" in str(run.exception)


def test_a_table_and_a_stream_of_it_have_the_same_description(tmp_path):
    path = written(tmp_path, columns())
    assert describe_table(assay.read(path)) == describe_table(assay.scan(path))


def test_a_table_in_memory_can_keep_its_states_too(tmp_path):
    p = Predictions.from_arrays([0, 1, 1, 0], {"m": [0, 1, 0, 0]})
    assay.evaluate(p, "accuracy", checkpoint=tmp_path / "a.state")
    assert (tmp_path / "a.state").exists()


def test_the_version_names_the_kernels_in_use():
    run = CliRunner().invoke(cli, ["--version"])
    assert run.exit_code == 0
    assert run.output.strip().endswith(("(compiled kernels)", "(numpy kernels)"))


def test_a_third_class_that_appears_late_makes_a_stream_multiclass_as_in_memory(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(stream, "HEAD", 2)
    tables = [(["a", "b"], ["a", "a"]), (["c", "a"], ["c", "b"])]
    for i, (y, said) in enumerate(tables):
        parquet.write_table(pa.table({"y": y, "m.label": said}), tmp_path / f"{i}.parquet")
    assert assay.scan(tmp_path).task == "binary"
    assert assay.evaluate(assay.scan(tmp_path), "accuracy", intervals=False).classes == (
        "a",
        "b",
        "c",
    )


def test_where_a_third_class_appears_late_f1_is_the_mean_over_classes_as_in_memory(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(stream, "HEAD", 100)
    rng = np.random.default_rng(5)
    names = np.array(["a", "b", "c"])
    for i, k in enumerate((2, 2, 3)):
        table = {"y": names[rng.integers(0, k, 200)], "m.label": names[rng.integers(0, k, 200)]}
        parquet.write_table(pa.table(table), tmp_path / f"{i}.parquet")
    asked = ["f1", "recall", "tp", "mcc"]
    streamed, kept_ = (assay.evaluate(read(tmp_path), asked) for read in (assay.scan, assay.read))
    assert same(streamed, kept_)
    stated = assay.evaluate(assay.scan(tmp_path), asked, checkpoint=tmp_path / "a.state")
    assert read_values(stated) == pytest.approx(read_values(kept_))
    assert same(
        assay.evaluate(assay.scan(tmp_path), asked, checkpoint=tmp_path / "a.state"), stated
    )


def test_files_whose_numbers_differ_in_width_only_are_one_stream(tmp_path):
    texts = pa.array(["a", "b"])
    for i, (kind, y) in enumerate(
        [(pa.float32(), texts), (pa.float64(), texts.dictionary_encode())]
    ):
        proba = {"m.proba.a": pa.array([0.5, 0.25], kind), "m.proba.b": pa.array([0.5, 0.75], kind)}
        parquet.write_table(pa.table({"y": y, **proba}), tmp_path / f"{i}.parquet")
    assert assay.evaluate(assay.scan(tmp_path), "brier", intervals=False).value == pytest.approx(
        (0.5 + 0.125) / 2
    )


def test_files_with_other_columns_are_refused_by_the_column_that_differs(tmp_path):
    for i, y in enumerate([[0, 1], ["0", "1"]]):
        parquet.write_table(pa.table({"y": y, "m.label": [0, 1]}), tmp_path / f"{i}.parquet")
    with pytest.raises(
        SchemaError,
        match=r"1\.parquet has a text column 'y', .*0\.parquet has an integer column 'y'",
    ):
        assay.scan(tmp_path)


def test_what_a_killed_save_left_is_removed_by_the_next_run(tmp_path):
    state = tmp_path / "run.state"
    left, other = tmp_path / ".run.state.abcd1234", tmp_path / ".other.state.abcd1234"
    left.touch(), other.touch()
    assay.evaluate(Predictions.from_arrays([0, 1], {"m": [0, 1]}), "accuracy", checkpoint=state)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.state.abcd1234", "run.state"]


@pytest.mark.parametrize("threads", [1, 2])
def test_no_file_stays_open_when_a_stream_has_been_read(tmp_path, threads):
    written(tmp_path, columns())
    assay.evaluate(assay.scan(tmp_path), "accuracy", engine=Local(threads=threads))
    assert not row_groups.OPEN.__dict__


def in_files(folder, *tables):
    """Each table as one file of its own."""
    for i, table in enumerate(tables):
        parquet.write_table(
            table if isinstance(table, pa.Table) else pa.table(table), folder / f"{i}.parquet"
        )
    return folder


def test_a_further_column_of_lists_or_structures_is_left_out_of_a_stream_as_in_memory(tmp_path):
    further = {
        "why": pa.array([[0.5], [1.0, 2.0]]),
        "told": pa.array([{"a": 1}, {"a": 2}]),
        "raw": [b"1", b"2"],
    }
    path = in_files(tmp_path, {"y": ["a", "b"], "m.label": ["a", "a"], **further})
    streamed, in_memory = (
        assay.evaluate(read(path), "accuracy") for read in (assay.scan, assay.read)
    )
    assert same(streamed, in_memory)
    assert streamed.notes == in_memory.notes
    assert [note.split("'")[1] for note in streamed.notes] == ["why", "told", "raw"]


@pytest.mark.parametrize("first", [0, 1])
def test_a_file_without_values_in_a_column_is_a_piece_of_a_stream_as_in_memory(tmp_path, first):
    filled = {
        "y": ["a", "b", "a"],
        "m.label": ["a", "a", "a"],
        "g": ["x", None, "x"],
        "age": [30, 31, None],
    }
    bare = {"y": ["b"], "m.label": ["a"], "g": pa.nulls(1), "age": pa.nulls(1)}
    empty = {name: pa.nulls(0) for name in filled}
    path = in_files(tmp_path, *[(filled, bare, empty), (empty, bare, filled)][first])
    for by in ("g", "age"):
        read_ = [
            assay.evaluate(read(path), "accuracy", by=by, intervals=False)
            for read in (assay.scan, assay.read)
        ]
        assert same(*read_)


def test_a_column_of_whole_numbers_in_one_file_and_of_real_ones_in_another_is_one_column(tmp_path):
    rng = np.random.default_rng(3)
    ages = [rng.integers(18, 90, 60), rng.normal(50, 10, 60)]
    path = in_files(
        tmp_path, *({"y": [0, 1] * 30, "m.label": [0, 0, 1] * 20, "age": age} for age in ages)
    )
    assert same(
        *(assay.evaluate(read(path), "accuracy", by="age") for read in (assay.scan, assay.read))
    )


def test_a_file_without_rows_is_no_piece_of_a_stream_whatever_its_lists_hold(tmp_path):
    kind = pa.list_(pa.float64())
    full = pa.table({"y": [0, 1], "m.proba": pa.array([[0.75, 0.25], [0.5, 0.5]], kind)})
    path = in_files(tmp_path, full, full.slice(0, 0), full)
    found = assay.evaluate(assay.scan(path, classes=[0, 1]), "brier", intervals=False)
    assert (found.value, found.n) == (pytest.approx(0.3125), 4)


def test_the_first_rows_of_a_stream_go_on_over_short_row_groups_and_files(tmp_path):
    assert assay.scan(written(tmp_path, columns(), pieces=1, rows=7)).head.n == stream.MOST_READ * 7
    assert assay.scan(written(tmp_path, columns(), rows=70)).head == assay.read(tmp_path)


def test_an_error_in_the_first_rows_names_the_file_and_the_row_group_where_it_is(tmp_path):
    table = binary()
    table["m.proba.1"][2500] = 1.5
    with pytest.raises(
        SchemaError, match=r"1\.parquet, row group 1, rows from 700 on: .* at row 133"
    ):
        assay.scan(written(tmp_path, table))


def test_an_error_in_a_long_row_group_names_the_file_and_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(row_groups, "LONG", 1000)
    monkeypatch.setattr(row_groups, "SLICE", 500)
    monkeypatch.setattr(stream, "HEAD", 100)
    table = binary()
    table["m.proba.1"][4500] = 1.5
    path = written(tmp_path, table, pieces=1, rows=N)
    with pytest.raises(
        SchemaError, match=r"0\.parquet, row group 0, rows from 4500 on: .* at row 0"
    ):
        assay.evaluate(assay.scan(path), "brier")


def damaged(path):
    """The file with noise for its data."""
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)


@pytest.mark.parametrize("which", ["0.parquet", "2.parquet"])
def test_a_damaged_row_group_is_an_error_that_names_the_file(tmp_path, monkeypatch, which):
    monkeypatch.setattr(stream, "HEAD", 100)
    damaged(written(tmp_path, columns()) / which)
    with pytest.raises(ReadError, match=which):
        assay.evaluate(assay.scan(tmp_path), "accuracy")
    with pytest.raises(ReadError, match=which):
        assay.scan(tmp_path).settle_classes()


@pytest.mark.parametrize("text", [False, True])
def test_ids_that_begin_anew_in_each_file_are_refused_as_in_memory(tmp_path, text):
    ids = [f"r{i}" for i in range(3)] if text else [0, 1, 2]
    path = in_files(
        tmp_path, *({"id": ids, "y": [0, 1, i], "m.label": [0, 1, 1]} for i in range(2))
    )
    for read in (assay.read, assay.scan):
        with pytest.raises(SchemaError, match=r"0\.parquet"):
            read(path)
    with pytest.raises(
        SchemaError, match=r"id ('r0'|0) is both in .*0\.parquet.* and in .*1\.parquet"
    ):
        assay.scan(path)


def test_a_metric_whose_state_cannot_be_saved_is_named_before_a_row_is_read(tmp_path, monkeypatch):
    path = written(tmp_path, binary())
    table, mine = (
        assay.scan(path),
        assay.make_metric(lambda y, p: float((y == p).mean()), "mine_of_rows"),
    )
    monkeypatch.setattr(
        row_groups.RowGroupReader, "read", lambda *_: pytest.fail("a row group was read")
    )
    with pytest.raises(UnsupportedError, match="the state of mine_of_rows cannot be saved"):
        assay.evaluate(table, ["accuracy", mine], checkpoint=tmp_path / "a.state")


def test_a_metric_without_a_bounded_form_is_named_before_a_row_is_read(tmp_path, monkeypatch):
    path = written(tmp_path, binary())
    monkeypatch.setattr("assay.states.base.MAX_KEPT_VALUES", 1000)
    table = assay.scan(path)
    monkeypatch.setattr(
        row_groups.RowGroupReader, "read", lambda *_: pytest.fail("a row group was read")
    )
    with pytest.raises(UnsupportedError, match="calibration_slope needs a value of every row"):
        assay.evaluate(table, ["accuracy", "calibration_slope"])


def test_cuts_that_differ_beyond_the_twelfth_digit_are_different_slices(tmp_path):
    rng = np.random.default_rng(6)
    table = {**binary(), "at": 1e15 + rng.integers(0, 100, N)}
    path = written(tmp_path, table)
    streamed, in_memory = (
        assay.evaluate(read(path), "brier", by="at") for read in (assay.scan, assay.read)
    )
    assert same(streamed, in_memory)
    assert len({row.group for row in in_memory.rows}) == 5


def test_a_label_for_which_a_model_gives_no_probability_is_named_with_its_file_and_row(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(stream, "HEAD", 100)
    table = binary()
    table["y"][4000] = 7
    with pytest.raises(
        SchemaError, match=r"2\.parquet, row group 0, rows from 0 on: truth has label 7 at row 666"
    ):
        assay.evaluate(assay.scan(written(tmp_path, table)), "brier")


def test_a_streamed_file_with_two_columns_of_one_name_is_refused(tmp_path):
    y = pa.array([0, 1] * 50)
    parquet.write_table(
        pa.Table.from_arrays([y, y, y], ["y", "m.label", "m.label"]), tmp_path / "a.parquet"
    )
    with pytest.raises(SchemaError, match=r"a\.parquet: two columns are named 'm.label'"):
        assay.scan(tmp_path)


def test_a_nested_column_named_as_the_model_is_left_out_of_a_stream(tmp_path):
    table = {"y": [0, 1] * 50, "m": [{"label": 1}] * 100, "m.label": [0, 1] * 50}
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    assert assay.evaluate(assay.scan(tmp_path), "accuracy").value == 1


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    written(tmp_path, columns())
    with pytest.raises(ReadError, match=r"1\.parquet: is named twice"):
        assay.scan(tmp_path, tmp_path / "1.parquet")


@pytest.mark.parametrize("metric", ["average_precision", "ks", "lift", "best_f_beta"])
def test_a_group_without_positive_rows_has_no_interval_where_ranks_are_resampled_in_blocks(
    tmp_path, metric
):
    table = {**binary(), "g": np.arange(N) < 500}
    table["y"][:500] = 0
    path = written(tmp_path, table)
    rows = assay.evaluate(assay.scan(path), metric, by="g", checkpoint=tmp_path / "a.state").rows
    assert [np.isnan(row.low) for row in rows] == [False, False, True]
    assert rows[2].note.split(";")[0] in ("no_positive", "single_class")


def test_the_parts_of_a_stream_are_known_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(row_groups, "LONG", 500)
    monkeypatch.setattr(row_groups, "SLICE", 300)
    written(tmp_path, columns(), pieces=2)
    table = assay.scan(tmp_path)
    assert table.count_parts() == len(list(table.parts())) > len(table.row_groups)
