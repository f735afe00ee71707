"""Series and frames of pandas are matched by their indexes, or refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from assay.errors import SchemaError
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions

table = Predictions.from_arrays
TRUTH = pd.Series([1, 0, 0, 1, 1], index=list("qwert"))


def test_series_of_the_same_keys_in_another_order_are_put_in_the_order_of_the_truth():
    p = table(
        TRUTH, {"a": TRUTH.iloc[::-1]}, groups={"row": pd.Series(range(5), index=TRUTH.index)}
    )
    assert p == table(TRUTH.to_numpy(), {"a": TRUTH.to_numpy()}, groups={"row": list(range(5))})
    assert p.notes == ("By their index, rows were put in the order of truth: model 'a'.",)


def test_frames_weights_and_columns_are_put_in_order_too():
    proba = pd.DataFrame({"0": [0.9, 0.1, 0.2, 0.7, 0.4]}, index=list("trewq"))
    proba["1"] = 1 - proba["0"]
    weight = pd.Series([1.0, 2, 3, 4, 5], index=list("trewq"))
    p = table(TRUTH, {"a.proba": proba}, weight=weight, id=weight.astype(int))
    assert p.rows("a").proba[:, 0].tolist() == [0.4, 0.7, 0.2, 0.1, 0.9]
    assert p.weight.tolist() == [5, 4, 3, 2, 1] == p.columns["id"].to_pylist()
    assert "model 'a.proba', column 'id', weight" in p.notes[0]


def test_series_of_other_keys_are_refused():
    with pytest.raises(SchemaError, match=r"1 keys of that of truth, as 't', are not in that of"):
        table(TRUTH, {"a": TRUTH.rename({"t": "y"})})


def test_the_advice_to_match_by_place_gives_the_rows_by_place():
    other = TRUTH.rename({"t": "y"})
    assert table(TRUTH.to_numpy(), {"a": other.to_numpy()}).rows("a").label.tolist() == [
        1,
        0,
        0,
        1,
        1,
    ]


def test_an_index_that_merely_counts_rows_matches_by_place_and_a_note_says_so():
    p = table(TRUTH, {"a": pd.Series([1, 1, 0, 1, 0])})
    assert p.rows("a").label.tolist() == [1, 1, 0, 1, 0]
    assert "rows were matched by place" in p.notes[0]


def test_a_shuffled_index_against_one_that_counts_rows_is_refused():
    shuffled = pd.Series([1, 0, 1, 1]).iloc[[2, 0, 3, 1]]
    with pytest.raises(
        SchemaError, match=r"not plain which rows belong together.*\.sort_index\(\)"
    ):
        table(shuffled, {"a": pd.Series([1, 0, 1, 1])})
    p = table(shuffled.sort_index(), {"a": pd.Series([1, 0, 1, 1]).sort_index()})
    assert p.rows("a").label.tolist() == [1, 0, 1, 1] == p.truth.tolist()


def test_equal_indexes_match_also_where_keys_repeat():
    twice = pd.concat([TRUTH, TRUTH])
    assert table(twice, {"a": twice}).notes == ()
    with pytest.raises(SchemaError, match="in which keys repeat"):
        table(twice, {"a": twice.iloc[::-1]})


def test_arrays_match_by_place_whatever_index_others_have():
    p = table(TRUTH.to_numpy(), {"a": TRUTH, "b": TRUTH.tolist()})
    assert p.rows("a").label.tolist() == p.rows("b").label.tolist() == TRUTH.tolist()
    assert p.notes == ()


def test_series_that_disagree_are_refused_where_the_truth_cannot_tell():
    with pytest.raises(SchemaError, match="the truth has no index to say which order is right"):
        table(TRUTH.to_numpy(), {"a": TRUTH, "b": TRUTH.iloc[::-1]})


def test_other_frames_have_no_index():
    p = table(pl.Series(TRUTH.tolist()), {"a": pl.Series(TRUTH.tolist()), "b": np.array(TRUTH)})
    assert p.notes == ()


def test_an_index_of_lists_is_refused_and_rows_are_matched_by_place_as_it_says():
    truth = pd.Series([0, 1, 1])
    said = pd.Series([0, 1, 0], index=pd.Index([[1], [2], [3]]))
    with pytest.raises(SchemaError, match=r"values that are no keys .* give \.to_numpy\(\)"):
        Predictions.from_arrays(truth, {"m": said})
    table = Predictions.from_arrays(truth.to_numpy(), {"m": said.to_numpy()})
    assert evaluate(table, "accuracy", intervals=False).value == pytest.approx(2 / 3)
