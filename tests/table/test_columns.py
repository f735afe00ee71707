"""Columns of other packages: tensors of any type, sparse matrices, and lists of several outputs."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse

from assay.errors import SchemaError
from assay.table.columns import list_distinct, name_columns, normalise
from assay.table.predictions import Predictions

table = Predictions.from_arrays
PROBA = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]])


@pytest.mark.parametrize(
    "kind", ["float64", "float32", "float16", "bfloat16", "float8_e5m2", "requires_grad", "sparse"]
)
def test_tensors_of_any_type_are_read(kind):
    torch = pytest.importorskip("torch")
    proba = torch.tensor(PROBA)
    if kind == "requires_grad":
        proba.requires_grad_(True)
    elif kind == "sparse":
        proba = proba.to_sparse()
    else:
        proba = torch.tensor([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]]).to(getattr(torch, kind))
    p = table(torch.tensor([0, 1, 1], dtype=torch.int16), {"a.proba": proba})
    assert p.rows("a").proba.tolist() == PROBA.tolist()


def test_a_softmax_of_brain_floats_is_read_with_a_note():
    torch = pytest.importorskip("torch")
    logit = torch.tensor(np.random.default_rng(0).normal(size=(500, 5)) * 3)
    proba = torch.softmax(logit, 1)
    p = table(logit.argmax(1), {"a.proba": proba.bfloat16(), "b.logit": logit.bfloat16()})
    assert "proba of model 'a' has the precision of bfloat16" in p.notes[0]
    assert p.rows("a").proba == pytest.approx(proba.numpy(), abs=3e-3)


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_sparse_matrices_of_labels_are_read(kind):
    y = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]])
    assert table(kind(y), {"a": kind(y)}, task="multilabel") == table(y, {"a": y})


def test_sparse_matrices_too_large_to_be_written_out_are_refused():
    y = scipy.sparse.csr_matrix((1 << 20, 1 << 13), dtype=np.int8)
    with pytest.raises(SchemaError, match="too large to be held with its zeros"):
        table(y, {"a": y})


def test_the_list_of_probabilities_of_several_outputs_gives_those_of_each_label():
    y = np.array([[1, 0], [0, 1], [1, 1]])
    outputs = [PROBA, PROBA[::-1]]
    p = table(y, {"a": outputs})
    assert p.rows("a").proba.tolist() == np.c_[PROBA[:, 1], PROBA[::-1, 1]].tolist()


def test_lists_of_tables_that_are_no_outputs_of_labels_are_refused_with_what_to_do():
    wide = [np.full((3, 3), 1 / 3)] * 2
    with pytest.raises(SchemaError, match=r"list of tables of 3 columns; .*evaluate one at a time"):
        table([0, 1, 2], {"a.proba": wide})
    batches = [PROBA, PROBA[:2]]
    with pytest.raises(SchemaError, match=r"different lengths; .*np\.concatenate"):
        table([0, 1, 1, 0, 1], {"a.proba": batches})
    assert table([0, 1, 1, 0, 1], {"a.proba": np.concatenate(batches)}).n == 5


def test_arrays_of_three_axes_are_refused_with_how_to_flatten_them():
    logit = np.zeros((2, 3, 4))
    with pytest.raises(SchemaError, match=r"flatten it: \.reshape\(-1\)"):
        table(np.zeros((2, 3), int).reshape(-1), {"a.logit": logit})
    p = table([0, 1, 2, 3, 0, 1], {"a.logit": logit.reshape(-1, 4)})
    assert p.n == 6


def test_a_list_of_models_is_refused_with_the_form_of_a_map():
    with pytest.raises(SchemaError, match=r"models must be a mapping of name to column, as {'a'"):
        table([0, 1], [[0, 1]])
    with pytest.raises(SchemaError, match="groups must be a mapping of name to column"):
        table([0, 1], {"a": [0, 1]}, groups=["x", "y"])


def test_models_may_be_a_frame():
    models = pa.table({"a": [0, 1], "b": [1, 1]})
    assert table([0, 1], models).models == ["a", "b"]


def test_names_that_are_one_as_text_are_refused():
    with pytest.raises(SchemaError, match="two of the models are named '1'; rename one"):
        name_columns({1: [0], "1": [1]}, "models")


def test_narrow_floats_of_other_packages_are_widened():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    narrow = PROBA.astype(ml_dtypes.bfloat16)
    assert normalise(narrow, "proba").tolist() == PROBA.tolist()


def test_values_of_half_precision_are_listed_though_older_arrow_cannot_count_them():
    column = pa.chunked_array([pa.array([np.float16(0.5), None, np.float16(0.5)], pa.float16())])
    assert list_distinct(column) == [0.5, None]


DAYS = [np.datetime64("2024-05-01"), np.datetime64("2024-05-02T06")]


@pytest.mark.parametrize("kind", [list, tuple, lambda v: np.array(v, object), np.array])
def test_dates_of_numpy_are_read_one_by_one_and_as_an_array(kind):
    column = normalise(kind(DAYS), "column 'day'")
    assert [str(day) for day in column.to_pylist()] == [
        "2024-05-01 00:00:00",
        "2024-05-02 06:00:00",
    ]


def test_a_gap_among_dates_of_numpy_is_a_gap():
    column = normalise([None, *DAYS], "column 'day'")
    assert [day is None for day in column.to_pylist()] == [True, False, False]
    durations = normalise([np.timedelta64(90, "m"), None], "column 'took'").to_pylist()
    assert durations == [datetime.timedelta(minutes=90), None]


@pytest.mark.parametrize("other", [3, "x", 2.5, np.timedelta64(1, "s"), datetime.date(2024, 1, 1)])
@pytest.mark.parametrize("place", [0, 2])
def test_dates_of_numpy_among_other_values_are_refused(other, place):
    values = DAYS.copy()
    values.insert(place, other)
    with pytest.raises(
        SchemaError, match=r"column 'day' mixes types .*datetime64.*; give one type"
    ):
        normalise(values, "column 'day'")
    with pytest.raises(SchemaError, match="mixes types"):
        table([0, 1, 1], {"a": [0, 1, 0]}, groups={"day": np.array(values, object)})
