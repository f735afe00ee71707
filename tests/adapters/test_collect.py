"""How rows are collected: in batches, into memory or a file, in order, and what is refused."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

import assay
from assay.adapters.base import ADAPTERS, Adapter, Answers
from assay.adapters.collect import collect
from assay.errors import AssayError, ReadError, SchemaError, UnsupportedError
from assay.io.read_write import read
from assay.testing.adapters import check_adapter

X = np.random.default_rng(3).normal(size=(90, 3))
NAMES = np.array(["low", "mid", "top"])
Y = NAMES[np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])]
LINE = LogisticRegression().fit(X, Y)


def count_softmax(rows):
    z = np.asarray(rows) @ np.eye(3) * 2
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@pytest.fixture(params=["memory", "file"])
def out(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "rows.parquet"


def collect_into(out, *args, **options):
    table = collect(*args, out=out, **options)
    return table if out is None else read(out)


def test_a_file_holds_what_memory_holds_with_every_further_column(tmp_path):
    columns = {
        "id": [f"r{i}" for i in range(90)],
        "weight": np.linspace(0, 2, 90),
        "split": ["test"] * 90,
        "groups": {"site": pa.array(["a", "b", "c"] * 30)},
    }
    whole = collect({"lr": LINE}, X, Y, **columns)
    stream = collect({"lr": LINE}, X, Y, batch_size=7, out=tmp_path / "rows.parquet", **columns)
    assert isinstance(stream, assay.Stream)
    assert read(tmp_path / "rows.parquet") == whole
    assert assay.evaluate(stream).rows == assay.evaluate(whole).rows


def test_the_chunks_of_a_file_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.adapters.rows.CHUNK", 64)
    y = Y.copy()
    y[:50] = "low"  # the other classes, and a number outside [0, 1], come late
    models = {"lr": LINE, "f": lambda rows: np.clip(np.asarray(rows), 0, None)}
    whole = collect(models, X, y, classes=list(NAMES))
    late = collect(models, X, y, out=tmp_path / "a.parquet", classes=list(NAMES))
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups > 20
    assert read(tmp_path / "a.parquet") == whole
    assert late.schema.models == whole.schema.models == {"lr": ("label", "proba"), "f": ("logit",)}


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "rows.parquet"
    collect({"lr": LINE}, X, Y, out=path)
    before = path.read_bytes()
    calls = []

    def fail(rows):
        calls.append(len(rows))
        if len(calls) == 4:
            raise RuntimeError("the disk of the model is gone")
        return LINE.predict(rows)

    with pytest.raises(UnsupportedError, match="the disk of the model is gone"):
        collect({"f": fail}, X, Y, batch_size=10, out=path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["rows.parquet"]


def test_a_path_that_is_not_parquet_is_refused_before_a_model_is_asked(tmp_path):
    def fail(rows):
        raise AssertionError

    with pytest.raises(ReadError, match=r"ends in \.parquet"):
        collect({"f": fail}, X, Y, out=tmp_path / "rows.csv")


@pytest.mark.slow
def test_the_memory_of_a_file_does_not_grow_with_its_rows(tmp_path):
    """Two million rows of ten numbers are 160 MB; the process grows by a part of that."""
    code = (
        "import resource, sys, numpy as np, assay, pyarrow.parquet, assay.io.stream\n"
        "n = int(sys.argv[1])\n"
        "class Rows:\n"
        "    shape = (n, 10)\n"
        "    def __len__(self): return n\n"
        "    def __getitem__(self, rows):\n"
        "        size = len(range(*rows.indices(n)))\n"
        "        return np.random.default_rng(rows.start).normal(size=(size, 10))\n"
        "y = np.arange(n) % 10\n"
        "assay.collect({'f': lambda rows: rows}, Rows(), y, batch_size=8192, out=sys.argv[2])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    import subprocess
    import sys

    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", code, str(n), str(tmp_path / f"{n}.parquet")],
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for n in (1_000_000, 3_000_000)
    ]
    assert peaks[1] - peaks[0] < 60_000  # KiB; the outputs alone would be 156,000 more


def test_what_a_truth_says_of_the_task_is_read_off_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.adapters.rows.CHUNK", 64)
    y = np.r_[np.zeros(60), np.linspace(0, 1, 30)]
    model = LinearRegression().fit(X, y)
    stream = collect(
        {"m": lambda rows: {"value": model.predict(rows)}}, X, y, out=tmp_path / "a.parquet"
    )
    assert stream.task == "regression"


def test_functions_give_labels_numbers_class_columns_or_a_mapping(out):
    models = {
        "labels": lambda rows: LINE.predict(rows),
        "proba": lambda rows: LINE.predict_proba(rows),
        "logits": lambda rows: LINE.decision_function(rows),
        "both": lambda rows: {"label": LINE.predict(rows), "proba": LINE.predict_proba(rows)},
    }
    p = collect_into(out, models, X, Y, classes=list(NAMES), batch_size=40)
    assert dict(p.schema.models) == {
        "labels": ("label",),
        "proba": ("proba",),
        "logits": ("logit",),
        "both": ("label", "proba"),
    }
    assert p.rows("logits").proba == pytest.approx(p.outputs["proba"]["proba"])


def test_a_function_keeps_the_laws_of_adapters():
    check_adapter(count_softmax, X[:12], np.arange(12) % 3)
    check_adapter(lambda rows: np.asarray(rows)[:, 0] * 3, X[:12], np.arange(12) % 2)
    check_adapter(lambda rows: np.asarray(rows)[:, 0], X[:12], X[:12, 1], task="regression")


def test_a_function_that_gives_no_kind_or_another_number_of_rows_is_one_sentence():
    with pytest.raises(UnsupportedError, match=r"gives 'probs'; expected a mapping of kinds"):
        collect({"f": lambda rows: {"probs": rows}}, X, Y)
    with pytest.raises(UnsupportedError, match="gives 89 rows for 90 rows of data"):
        collect({"f": lambda rows: LINE.predict(rows)[1:]}, X, Y)


def test_class_columns_of_a_function_need_the_classes_in_order():
    with pytest.raises(UnsupportedError, match=r"3 output columns.*classes=\[\.\.\.\]"):
        collect({"f": count_softmax}, X, Y)


def test_logits_declared_as_probabilities_are_refused(out):
    with pytest.raises(SchemaError, match="logit"):
        collect_into(
            out, {"f": LINE.decision_function}, X, Y, kinds={"f": "proba"}, classes=list(NAMES)
        )


def test_a_bar_counts_rows_and_says_how_many_a_second(capsys):
    collect({"lr": LINE, "f": LINE.predict}, X, Y, batch_size=30, progress=True)
    shown = capsys.readouterr().err
    assert "collecting" in shown
    assert "180/180" in shown
    assert "rows/s" in shown


class Loader:
    """Batches of (inputs, truth), in another order each time if it shuffles."""

    def __init__(self, shuffles=False, y=Y):
        self.shuffles = shuffles
        self.y = y
        self.epoch = 0

    def __iter__(self):
        self.epoch += 1
        order = np.arange(90)
        if self.shuffles:
            order = np.random.default_rng(self.epoch).permutation(90)
        for rows in np.split(order, 6):
            yield X[rows], self.y[rows]


def test_a_loader_of_ones_own_brings_its_truth(out):
    p = collect_into(out, {"f": LINE.predict}, Loader())
    assert p == collect({"f": LINE.predict}, X, Y)


def test_a_loader_that_shuffles_is_told_by_comparing_truth():
    with pytest.raises(UnsupportedError, match=r"y is '\w+' at row \d+, where the data holds"):
        collect({"f": LINE.predict}, Loader(shuffles=True), Y)
    with pytest.raises(UnsupportedError, match=r"another order each time.*'id'"):
        collect({"f": LINE.predict}, Loader(shuffles=True), id=np.arange(90))
    p = collect({"f": LINE.predict}, Loader(shuffles=True))  # truth and outputs come together
    assert assay.evaluate(p, "accuracy").value == pytest.approx(np.mean(LINE.predict(X) == Y))


def test_passes_of_several_frameworks_over_a_loader_that_shuffles_are_refused():
    with ADAPTERS.isolate():

        class Other(Adapter):
            """Models of this test."""

            name = "other"
            modules = ("builtins",)
            rank = 99

            def accepts(self, model):
                return getattr(model, "other", False)

            def batches(self, data, size):
                yield from data

            def predict(self, model, inputs, *, device=None):
                return {"label": model(inputs)}

        def other(rows):
            return LINE.predict(rows)

        other.other = True
        models = {"f": LINE.predict, "o": other}
        assert collect(models, Loader()).models == ["f", "o"]
        with pytest.raises(UnsupportedError, match="models of several frameworks"):
            collect(models, Loader(shuffles=True))


def test_out_of_memory_on_a_device_is_answered_by_halving_the_batch(out):
    sizes = []

    def predict(rows):
        sizes.append(len(rows))
        if len(rows) > 12:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return LINE.predict(rows)

    p = collect({"f": predict}, X, Y, batch_size=40, out=out)
    assert p.notes[0] == (
        "Model 'f' predicted 10 rows at a time: more did not fit the device's memory."
    )
    assert sizes[:3] == [40, 20, 10]
    assert sizes.count(40) == 1  # a size that did not fit is not tried again
    table = p if out is None else read(out)
    assert table == collect({"f": LINE.predict}, X, Y)


def test_a_row_that_does_not_fit_the_device_names_another():
    def predict(rows):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")

    with pytest.raises(UnsupportedError, match=r"single row.*predict on another device"):
        collect({"f": predict}, X[:4], Y[:4])


def test_rows_that_are_parts_of_inputs_keep_the_columns_of_their_input(out):
    with ADAPTERS.isolate():

        class Words(Adapter):
            """Models of words."""

            name = "words"
            modules = ("builtins",)
            rank = 99
            batch_size = 2

            def accepts(self, model):
                return model == "tagger"

            def predict(self, model, inputs, *, device=None):
                raise NotImplementedError

            def answer(self, model, inputs, truth, *, device=None):
                words = [word for text in inputs for word in text.split()]
                origins = np.repeat(np.arange(len(inputs)), [len(t.split()) for t in inputs])
                label = np.array([word.istitle() for word in words])
                return Answers({"label": label}, np.array([w != "the" for w in words]), origins)

        texts = ["the Cat", "the old dog", "Fish"]
        columns = {"id": ["a", "b", "c"], "groups": {"site": ["x", "y", "y"]}}
        p = collect_into(out, {"m": "tagger"}, texts, **columns)
        assert p.columns["id"].to_pylist() == ["a/0", "a/1", "b/0", "b/1", "b/2", "c/0"]
        assert p.columns["cluster"].to_pylist() == ["a", "a", "b", "b", "b", "c"]
        assert p.columns["site"].to_pylist() == ["x", "x", "y", "y", "y", "y"]


def test_columns_of_another_length_are_refused_also_where_rows_go_to_a_file(tmp_path):
    for columns in ({"weight": [1.0]}, {"groups": {"site": ["a"]}}):
        with pytest.raises(AssayError, match="has 1 rows"):
            collect({"lr": LINE}, X, Y, out=tmp_path / "a.parquet", **columns)
    with pytest.raises(SchemaError, match="occurs 90 times"):
        collect({"lr": LINE}, X, Y, out=tmp_path / "a.parquet", id=["a"] * 90)
    with pytest.raises(SchemaError, match="the truth has 89 rows, the data has 90"):
        collect({"lr": LINE}, X, Y[1:], out=tmp_path / "a.parquet")


def test_data_without_rows_are_refused():
    for data in (X[:0], [], iter([])):
        with pytest.raises(UnsupportedError, match="the data has no rows to predict"):
            collect({"f": LINE.predict}, data, Y[:0])


def test_a_model_that_is_not_fitted_is_one_sentence():
    for model in (LogisticRegression(), LinearSVC()):
        with pytest.raises(UnsupportedError, match="model 'm' is not fitted: fit it before"):
            collect({"m": model}, X, Y)


def test_a_function_that_gives_several_numbers_a_row_predicts_several_outputs():
    truth = np.array([[0.5, 7.0], [1.5, -2.0], [2.5, 3.0]])
    p = collect({"double": lambda rows: np.asarray(rows) * 2}, truth / 2, truth)
    assert (p.task, p.outputs["double"]["value"].tolist()) == ("multioutput", truth.tolist())
