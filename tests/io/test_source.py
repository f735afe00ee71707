"""Every verb takes predictions from every kind of source, and gives the same answer."""

from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import assay
from assay.errors import ReadError, UnsupportedError
from assay.io import source
from assay.io.source import open_table
from assay.table.predictions import Predictions


def cross_validated():
    """Two models by ten folds: five repeats of two folds that halve the same 60 rows."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(60) % 3 == 0, 5).astype(int)
    halves = [rng.permutation(np.arange(60) % 2) + 2 * i for i in range(5)]
    score = np.clip(0.2 + 0.5 * y + rng.normal(0, 0.2, 300), 0.01, 0.99)
    other = np.clip(0.3 + 0.3 * y + rng.normal(0, 0.2, 300), 0.01, 0.99)
    return Predictions.from_arrays(
        y,
        {"a.proba": np.c_[1 - score, score], "b.proba": np.c_[1 - other, other]},
        id=np.arange(300),
        fold=np.concatenate(halves),
        split=np.where(np.arange(300) % 4, "test", "train"),
        groups={
            "site": np.where(rng.random(300) < 0.5, "north", "south"),
            "row": np.tile(range(60), 5),
        },
    )


def read_plain(folder):
    """The file as a table that any package can hold: probabilities in a column for each class."""
    p = assay.read(folder)
    proba = {
        f"{model}.proba.{label}": p.outputs[model]["proba"][:, i]
        for model in p.models
        for i, label in enumerate(p.classes)
    }
    return pa.table({"id": p.columns["id"], "y": np.array(p.classes)[p.truth], **proba} | p.columns)


SOURCES = {
    "predictions": lambda folder: assay.read(folder),
    "stream": lambda folder: assay.scan(folder),
    "path": lambda folder: folder / "p.parquet",
    "text": lambda folder: str(folder / "p.parquet"),
    "folder": lambda folder: folder,
    "glob": lambda folder: str(folder / "*.parquet"),
    "list": lambda folder: [folder / "p.parquet"],
    "arrow": lambda folder: pq.read_table(folder / "p.parquet"),
    "batch": lambda folder: pq.read_table(folder / "p.parquet").to_batches()[0],
    "pandas": lambda folder: read_plain(folder).to_pandas(),
    "polars": lambda folder: pl.from_arrow(read_plain(folder)),
    "lazy": lambda folder: pl.from_arrow(read_plain(folder)).lazy(),
    "columns": lambda folder: read_plain(folder).to_pydict(),
    "records": lambda folder: read_plain(folder).to_pylist(),
}

VERBS = {
    "advise": lambda p: assay.advise(p),
    "bayesian_fold_test": lambda p: assay.bayesian_fold_test(p, "accuracy", 0.01).to_json(),
    "compare": lambda p: assay.compare(p, "accuracy").to_json(),
    "compare_datasets": lambda p: assay.compare_datasets(
        {"one": p, **{f"other {i}": {"a": 0.9 - i / 50, "b": 0.8} for i in range(7)}}, "accuracy"
    ).to_json(),
    "evaluate": lambda p: assay.evaluate(p, by="site").to_json(),
    "fairness": lambda p: assay.fairness(p, by="site").to_json(),
    "five_by_two_f_test": lambda p: assay.five_by_two_f_test(p, "accuracy", "a", "b").to_json(),
    "fuse": lambda p: assay.fuse(p, "mean").to_json(),
    "hardest_rows": lambda p: assay.hardest_rows(p).to_json(),
    "membership_inference": lambda p: assay.membership_inference(p).to_json(),
    "one_standard_error": lambda p: assay.one_standard_error(
        p, "accuracy", costs={"a": 2.0, "b": 1.0}
    ).to_json(),
    "report": lambda p: assay.report(p, metrics="accuracy", test=p).to_json(),
    "score_clusters": lambda p: assay.score_clusters(p, "accuracy", by="site").columns["id"],
    "selection_bias": lambda p: assay.selection_bias(p, "accuracy"),
    "tune_threshold": lambda p: assay.tune_threshold(p, "a").to_json(),
    "weak_slices": lambda p: assay.weak_slices(p).to_json(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one table."""
    folder = tmp_path_factory.mktemp("source")
    assay.write(cross_validated(), folder / "p.parquet")
    return folder


@cache
def answer(folder, verb):
    """What the verb says of the table in memory."""
    return str(VERBS[verb](assay.read(folder)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_every_source_and_gives_the_same_answer(folder, verb, kind):
    assert str(VERBS[verb](SOURCES[kind](folder))) == answer(folder, verb)


def test_every_verb_that_takes_predictions_is_among_them():
    import inspect

    takes = set()
    for name in dir(assay):
        function = getattr(assay, name)
        if inspect.isfunction(function):
            first = next(iter(inspect.signature(function).parameters), "")
            takes |= {name} if first == "predictions" else set()
    assert takes - {"write"} <= VERBS.keys()


def test_a_stream_too_large_for_memory_is_refused_with_its_size(folder, monkeypatch):
    monkeypatch.setattr(source, "MEMORY", 1 << 10)
    with pytest.raises(UnsupportedError, match=r"300 rows.*GiB.*write fewer rows"):
        assay.compare(assay.scan(folder), "accuracy")
    # Of 300 rows, 75 trained the models and do not judge them.
    assert assay.evaluate(assay.scan(folder), "accuracy").n == 225


def test_a_stream_is_read_into_memory_as_its_files_are(folder):
    assert open_table(assay.scan(folder), in_memory=True) == assay.read(folder)


def test_a_stream_that_was_told_its_classes_keeps_them_in_memory(tmp_path):
    p = Predictions.from_arrays(["a", "b"] * 5, {"m": ["a", "b"] * 5})
    assay.write(p, tmp_path / "p.parquet")
    stream = assay.scan(tmp_path, classes=["a", "b", "c"])
    assert open_table(stream, in_memory=True).classes == ("a", "b", "c")
    stream = assay.scan(tmp_path, positive="a")
    assert open_table(stream, in_memory=True).schema.positive == "a"


@pytest.mark.parametrize("wrong", [3, None, b"p.csv", {1, 2}, [0, 1], np.array([0, 1]), [None]])
def test_what_is_no_source_is_refused_with_what_is_expected(wrong):
    with pytest.raises(UnsupportedError, match=r"expected predictions: a table, the path .*; got"):
        open_table(wrong)


def test_a_list_without_paths_is_refused():
    with pytest.raises(ReadError, match="no file is given"):
        open_table([])
