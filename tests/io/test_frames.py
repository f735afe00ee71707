"""Data frames and columns by name are read as files of the same columns are."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import assay
from assay.errors import SchemaError, UnsupportedError
from assay.io.frames import read_frame

COLUMNS = {"y": ["cat", "dog", "cat"], "svm": ["cat", "cat", "cat"], "age": [3, 4, 5]}

FRAMES = {
    "mapping": COLUMNS,
    "pandas": pd.DataFrame(COLUMNS),
    "polars": pl.DataFrame(COLUMNS),
    "lazy": pl.LazyFrame(COLUMNS),
    "arrow": pa.table(COLUMNS),
    "batch": pa.RecordBatch.from_pydict(COLUMNS),
    "reader": pa.table(COLUMNS).to_reader(),
    "records": pd.DataFrame(COLUMNS).to_dict("records"),
    "structured": pd.DataFrame(COLUMNS).to_records(index=False),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_is_read_as_a_file_of_its_columns_is(kind, tmp_path):
    pd.DataFrame(COLUMNS).to_parquet(tmp_path / "p.parquet")
    assert assay.read(FRAMES[kind]) == assay.read(tmp_path / "p.parquet")


def test_a_frame_may_have_class_columns_as_one_array():
    proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    p = assay.read({"y": COLUMNS["y"], "m.proba": proba})
    assert p.outputs["m"]["proba"].tolist() == proba.tolist()


def test_a_frame_may_be_long():
    frame = pd.DataFrame(
        {
            "model": ["a", "a", "b", "b"],
            "id": [1, 2, 2, 1],
            "y": [0, 1, 1, 0],
            "label": [0, 0, 1, 0],
        }
    )
    e = assay.evaluate(frame, "accuracy")
    assert [row.value for row in e.rows] == [0.5, 1]


def test_columns_without_a_prefix_are_those_of_the_model():
    assert assay.read({"y": [0, 1], "label": [0, 1]}).models == ["model"]


def test_frames_of_one_model_each_are_joined_by_id():
    a = pd.DataFrame({"id": [1, 2], "y": [0, 1], "a.label": [0, 1]})
    b = pd.DataFrame({"id": [2, 1], "y": [1, 0], "b.label": [1, 1]})
    assert assay.read(a, b).models == ["a", "b"]
    assert assay.evaluate([{"id": 1, "y": 0, "a.label": 0}], "accuracy").value == 1


def test_named_levels_of_an_index_are_columns():
    frame = pd.DataFrame({"y": [0, 1], "m.label": [0, 1]}, index=pd.Index([7, 9], name="id"))
    assert assay.read(frame).columns["id"].to_pylist() == [7, 9]


def test_an_index_without_a_name_is_no_column():
    frame = pd.DataFrame({"y": [0, 1], "m.label": [0, 1]}, index=[7, 9])
    assert list(assay.read(frame).columns) == []


def test_a_frame_keeps_what_the_metadata_of_its_file_says():
    p = assay.Predictions.from_arrays([0, 1], {"m": [0, 1]}, positive=0)
    table = pa.table({"y": [0, 1], "m.label": [0, 1]})
    metadata = (
        b'{"version": 1, "task": "binary", "classes": [0, 1], "positive": 0, "models": ["m"]}'
    )
    assert assay.read(table.replace_schema_metadata({b"assay": metadata})) == p


def test_columns_of_two_lengths_are_named():
    with pytest.raises(SchemaError, match="column 'y' has 2 rows and column 'm' has 3"):
        read_frame({"y": [0, 1], "m": [0, 1, 0]})


def test_two_columns_of_one_name_are_refused():
    frame = pd.DataFrame([[0, 1, 1]], columns=["y", "m.label", "m.label"])
    with pytest.raises(SchemaError, match=r"the data frame: two columns are named 'm.label'"):
        assay.read(frame)


def test_a_frame_without_truth_says_how_to_name_it():
    frame = pd.DataFrame({"target": ["a", "b"], "m": ["a", "b"]})
    with pytest.raises(SchemaError, match=r"the data frame: .* truth='target'"):
        assay.evaluate(frame)
    assert assay.evaluate(frame, "accuracy", truth="target").value == 1


def test_a_column_that_no_table_can_hold_is_named():
    with pytest.raises(SchemaError, match=r"column 'm'"):
        read_frame({"y": [0, 1], "m": [object(), object()]})


def test_a_lazy_frame_that_fails_is_refused_with_the_cause():
    lazy = pl.LazyFrame({"y": [0]}).select("missing")
    with pytest.raises(UnsupportedError, match=r"cannot be collected \(ColumnNotFoundError"):
        assay.evaluate(lazy)
