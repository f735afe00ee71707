"""The predictions table: what is taken, what is refused in which words, and what it offers."""

import datetime
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import SchemaError, UnseenLabelError, UnsupportedError
from assay.table.labels import encode, encode_declared, recode
from assay.table.predictions import Predictions
from assay.table.schema import parse_column

table = Predictions.from_arrays


def labels(p, model="a"):
    return [p.classes[code] for code in p.rows(model).label]


def truth(p):
    return [p.classes[code] for code in p.truth]


# Labels


@pytest.mark.parametrize(
    "values", [["ant", "bee", "cat"], ["ant", "bee", "cat", "dog"], ["bee", "ant", "cat"]]
)
def test_an_unknown_label_is_refused_wherever_it_stands_in_a_dictionary(values):
    codes = pa.array(list(range(len(values))) * 10, pa.int32())
    column = pa.DictionaryArray.from_arrays(codes, pa.array(values))
    with pytest.raises(UnseenLabelError, match="label 'cat' at row 2"):
        encode_declared(column, ("ant", "bee"), "column 'y'")


@pytest.mark.parametrize(
    "y",
    [
        ["cat", "dog", "cat"],
        ("cat", "dog", "cat"),
        np.array(["cat", "dog", "cat"]),
        np.array(["cat", "dog", "cat"], dtype=object),
        np.array([["cat"], ["dog"], ["cat"]]),
        pa.array(["cat", "dog", "cat"]),
        pa.chunked_array([["cat"], ["dog", "cat"]]),
        pa.array(["cat", "dog", "cat"]).dictionary_encode(),
        pa.array(["cat", "dog", "cat"], pa.large_string()),
        pd.Series(["cat", "dog", "cat"], index=[7, 8, 9]),
        pd.Series(["cat", "dog", "cat"], dtype="category"),
        pd.DataFrame({"y": ["cat", "dog", "cat"]}),
        pl.Series(["cat", "dog", "cat"]),
        pl.Series(["cat", "dog", "cat"], dtype=pl.Categorical),
        pl.DataFrame({"y": ["cat", "dog", "cat"]}),
    ],
    ids=lambda y: f"{type(y).__module__.split('.')[0]}.{type(y).__name__}",
)
def test_a_column_of_text_from_anywhere_gives_the_same_table(y):
    assert table(y, {"a": y}) == table(["cat", "dog", "cat"], {"a": ["cat", "dog", "cat"]})


@pytest.mark.parametrize(
    "y",
    [
        [3, 5, 3],
        np.array([3, 5, 3], np.int8),
        np.array([3, 5, 3], np.uint64),
        np.array([3, 5, 3], ">i4"),
        np.array([3.0, 5.0, 3.0]),
        np.array([[3], [5], [3]], np.float32),
        np.array([3, 5, 3], dtype=object),
        pa.array([3, 5, 3]),
        pd.Series([3, 5, 3], dtype="Int64"),
        pl.Series([3, 5, 3]),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}",
)
def test_whole_numbers_of_any_type_are_the_same_labels(y):
    p = table(y, {"a": y})
    assert (p.classes, p.truth.tolist(), labels(p)) == ((3, 5), [0, 1, 0], [3, 5, 3])


def test_labels_of_one_and_two_are_classes_and_the_last_is_positive():
    p = table([1, 2, 2], {"a": [1, 2, 1]})
    assert (p.task, p.classes, p.schema.positive, p.schema.positive_declared) == (
        "binary",
        (1, 2),
        2,
        False,
    )


def test_labels_of_minus_one_and_one_are_classes():
    assert table([-1, 1], {"a": [1, 1]}).classes == (-1, 1)


def test_wide_ranges_and_small_types_of_whole_numbers_do_not_overflow():
    assert encode(np.array([-128, 127], np.int8))[1] == [-128, 127]
    assert sorted(encode(np.array([-(2**62), 2**62]))[1]) == [-(2**62), 2**62]
    assert encode(np.array([2**64 - 1, 2**64 - 2], np.uint64))[1] == [2**64 - 2, 2**64 - 1]
    assert encode(np.array([2**63 + 5], np.uint64))[1] == [2**63 + 5]


def test_numbers_beyond_64_bits_are_no_labels():
    with pytest.raises(
        SchemaError, match="truth holds a whole number beyond 64 bits; give such labels as text"
    ):
        table([2**70, 1], {"a": [1, 1]})


def test_whole_floats_that_float64_cannot_tell_apart_are_no_labels():
    with pytest.raises(
        SchemaError, match=r"holds 1.8446744073709552e\+19 at row 1, which is no label"
    ):
        table([1.0, 2.0**64], {"a": [1.0, 1.0]}, classes=[1, 2])


def test_bools_are_two_classes_even_where_one_is_not_seen():
    p = table([True, True], {"a": np.array([True, False], dtype=object)})
    assert (p.classes, truth(p), labels(p)) == ((False, True), [True, True], [True, False])


def test_bools_and_the_whole_numbers_0_and_1_are_the_same_classes():
    assert labels(table([True, False], {"a": [1, 1]})) == [True, True]
    assert labels(table([0, 1], {"a": [True, False]})) == [1, 0]


def test_bools_are_not_the_whole_numbers_1_and_2():
    with pytest.raises(SchemaError, match=r"labels of model 'a' are bool .* but the truth is int"):
        table([1, 2], {"a": [True, False]})
    with pytest.raises(SchemaError, match="label of model 'a' has label"):
        table([1, 2], {"a": [True, False]}, classes=[1, 2])


def test_a_mask_is_a_label_column():
    scores = np.array([0.2, 0.7])
    assert labels(table([False, True], {"a": scores > 0.5})) == [False, True]


def test_text_and_numbers_are_different_labels():
    with pytest.raises(
        SchemaError,
        match=r"labels of model 'a' are str \('1'\) but the truth is int \(1\).*cast one column",
    ):
        table([1, 2], {"a": ["1", "2"]})


def test_text_and_numbers_are_different_from_declared_classes_too():
    with pytest.raises(
        SchemaError, match="int 1 and str '1' are different labels; cast one column"
    ):
        table([1, 2], {"a": [1, 2]}, classes=["1", "2"])


@pytest.mark.parametrize(
    "y",
    [
        ["cat", None, "dog"],
        np.array(["cat", None, "dog"], dtype=object),
        np.array(["cat", np.nan, "dog"], dtype=object),
        np.array([1, np.nan, 2]),
        np.ma.array([1, 5, 2], mask=[False, True, False]),
        pd.Series(["cat", None, "dog"]),
        pl.Series([1, None, 2]),
        pa.array([True, None, False]),
        pa.array([1.0, float("nan"), 2.0]),
        pa.DictionaryArray.from_arrays([0, 1, 0], ["cat", None]),
    ],
    ids=lambda y: type(y).__name__,
)
def test_a_missing_label_is_refused_with_its_row(y):
    with pytest.raises(
        SchemaError, match=r"truth has no label at row 1 \(1 such rows\); fill it or drop the row"
    ):
        table(y, {"a": y})


def test_mixed_types_are_named():
    with pytest.raises(SchemaError, match=r"truth mixes types \(int, str\)"):
        table([1, "cat"], {"a": [1, 1]})
    with pytest.raises(SchemaError, match=r"truth mixes types \(bool, int\)"):
        table([True, 2], {"a": [True, True]})


def test_bytes_are_no_labels():
    with pytest.raises(SchemaError, match="truth holds bytes b'cat' at row 0; decode"):
        table(np.array([b"cat", b"dog"]), {"a": [1, 1]})


def test_dates_are_no_labels():
    with pytest.raises(SchemaError, match="which is no label"):
        table([datetime.date(2020, 1, 1)], {"a": [datetime.date(2020, 1, 1)]})


def test_a_text_is_no_column():
    with pytest.raises(SchemaError, match="truth is a str, not a column"):
        table("cat", {"a": ["cat"]})


def test_one_value_is_no_column():
    with pytest.raises(SchemaError, match="truth is a int, not a column"):
        table(3, {"a": [3]})


def test_a_set_is_no_column_for_it_has_no_order():
    with pytest.raises(SchemaError, match="is a set, not a column"):
        table([1, 2], {"a": {1, 2}})


def test_a_generator_is_read_once():
    assert table((v for v in [0, 1]), {"a": (v for v in [1, 1])}).n == 2


def test_scores_given_as_labels_are_refused_with_the_names_to_use():
    with pytest.raises(
        SchemaError,
        match=r"model 'a' gives fractional numbers .*a.proba .*a.logit, a.score .*regression",
    ):
        table(["cat", "dog"], {"a": [0.2, 0.7]})


def test_categories_that_no_row_holds_are_no_classes():
    y = pd.Series(pd.Categorical(["cat", "dog"], categories=["cat", "dog", "fox"]))
    assert table(y, {"a": ["cat", "cat"]}).classes == ("cat", "dog")


# Classes


def test_classes_are_the_sorted_union_of_the_labels_seen():
    p = table(
        ["dog", "cat"],
        {"a": ["fox", "dog"], "b.proba.ant": [0, 0], "b.proba.cat": [1, 1]}
        | {f"b.proba.{c}": [0, 0] for c in ("dog", "fox")},
    )
    assert (p.task, p.classes) == ("multiclass", ("ant", "cat", "dog", "fox"))


def test_declared_classes_keep_their_order_and_need_not_be_seen():
    p = table(["b", "b"], {"a": np.array([[0.25, 0.5, 0.25]] * 2)}, classes=["c", "b", "a"])
    assert (p.classes, truth(p), labels(p)) == (("c", "b", "a"), ["b", "b"], ["b", "b"])


def test_a_label_outside_the_declared_classes_is_refused_with_its_row():
    with pytest.raises(
        SchemaError,
        match=r"label of model 'a' has label 'fox' at row 1 \(id 8\), which is outside the",
    ):
        table(["cat", "cat"], {"a": ["cat", "fox"]}, classes=["cat", "dog"], id=[7, 8])


def test_classes_may_be_numpy_values():
    p = table([1, 2], {"a": [1, 1]}, classes=np.array([2, 1]))
    assert (p.classes, type(p.classes[0])) == ((2, 1), int)


@pytest.mark.parametrize(
    "classes, message",
    [
        ("ab", "classes must be a list"),
        ([], "classes is empty"),
        (["a", "a"], "classes must be distinct"),
        (["a", 1], "classes mix types"),
        ([1, True], "classes mix types"),
        ([1.5, 2], "class 1.5 is no label"),
    ],
)
def test_classes_that_cannot_be_are_refused(classes, message):
    with pytest.raises(SchemaError, match=message):
        table(["a", "b"], {"a": ["a", "b"]}, classes=classes)


def test_the_positive_class_must_be_a_class():
    with pytest.raises(
        SchemaError,
        match="class 'yes' is not among the classes; name one of them: positive='a' or 'b'",
    ):
        table(["a", "b"], {"a": ["a", "b"]}, positive="yes")


def test_a_positive_class_is_for_two_classes():
    with pytest.raises(
        SchemaError, match="positive class 'a' is for a binary task; this one is multiclass"
    ):
        table(["a", "b", "c"], {"a": ["a", "b", "c"]}, positive="a")


def test_two_classes_are_binary_unless_declared_otherwise():
    assert table([0, 1], {"a": [0, 1]}).task == "binary"
    assert table([0, 1], {"a": [0, 1]}, task="multiclass").task == "multiclass"


def test_a_binary_task_needs_two_classes():
    with pytest.raises(
        SchemaError,
        match=r"task 'binary' needs two classes; found 3.*classes=\[negative, positive\]",
    ):
        table([0, 1, 2], {"a": [0, 1, 2]}, task="binary")


def test_an_unknown_task_is_refused():
    with pytest.raises(
        SchemaError,
        match=r"task must be one of binary, .*, regression, .*, detection; got 'ranking'",
    ):
        table([0, 1], {"a": [0, 1]}, task="ranking")


def test_an_empty_table_with_declared_classes_is_a_table():
    p = table([], {"a": []}, classes=["cat", "dog"])
    assert (p.n, p.task) == (0, "binary")
    assert table([], {"a": np.zeros((0, 2))}, classes=["cat", "dog"]).n == 0


def test_an_empty_table_without_classes_is_refused():
    with pytest.raises(SchemaError, match="no rows and no declared classes"):
        table([], {"a": []})


def test_a_table_without_models_is_refused():
    with pytest.raises(SchemaError, match="no model is given"):
        table([0, 1], {})


# Probabilities, logits, scores


def test_class_columns_are_aligned_by_name_whatever_their_order():
    columns = {"a.proba.dog": [0.25, 1.0], "a.proba.cat": [0.75, 0.0]}
    assert table(["cat", "dog"], columns).rows("a").proba.tolist() == [[0.75, 0.25], [0.0, 1.0]]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_columns_of_a_frame_are_aligned_by_name(frame):
    p = table(["cat", "dog"], {"a": frame({"dog": [0.25, 1.0], "cat": [0.75, 0.0]})})
    assert p.rows("a").proba.tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_a_frame_without_column_names_is_in_the_order_of_the_classes():
    proba = [[0.75, 0.25], [0.0, 1.0]]
    for frame in (pd.DataFrame(proba), pl.DataFrame(proba, orient="row")):
        assert table(["cat", "dog"], {"a": frame}).rows("a").proba.tolist() == proba


def test_a_frame_named_by_whole_numbers_is_aligned_with_classes_of_those_numbers():
    p = table([0, 1], {"a": pd.DataFrame({1: [0.25, 1.0], 0: [0.75, 0.0]})}, classes=[1, 0])
    assert p.rows("a").proba.tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_class_columns_named_by_position_are_not_taken_for_classes_of_other_names():
    with pytest.raises(SchemaError, match="no column for class 'cat'; the classes are cat, dog"):
        table(
            ["cat", "dog"],
            {"a.proba.0": [0.5, 0.5], "a.proba.1": [0.5, 0.5]},
            classes=["cat", "dog"],
        )


def test_class_columns_of_bools_may_be_spelled_as_other_tools_do():
    for no, yes in (("False", "True"), ("false", "true"), ("0", "1")):
        p = table([True, False], {f"a.proba.{yes}": [0.75, 0.5], f"a.proba.{no}": [0.25, 0.5]})
        assert p.rows("a").proba.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_a_missing_class_column_is_named():
    with pytest.raises(SchemaError, match="proba of model 'a' has no column for class 'fox'"):
        table(["cat", "dog", "fox"], {"a.proba.cat": [1, 1, 1], "a.proba.dog": [0, 0, 0]})


def test_a_class_column_of_an_unknown_class_is_named():
    with pytest.raises(SchemaError, match="a column for unknown class 'fox'"):
        table(
            ["cat"],
            {"a.proba.cat": [1], "a.proba.dog": [0], "a.proba.fox": [0]},
            classes=["cat", "dog"],
        )


def test_class_columns_of_different_lengths_are_refused():
    with pytest.raises(SchemaError, match="class columns of different lengths"):
        table(["cat", "dog"], {"a.proba.cat": [1, 1], "a.proba.dog": [0]})


def test_one_probability_column_is_that_of_the_positive_class():
    p = table(["cat", "dog"], {"a.proba": [0.25, 0.5]}, positive="cat")
    assert p.rows("a").proba.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_one_named_probability_column_is_that_of_its_class():
    p = table(["cat", "dog"], {"a.proba.cat": [0.25, 0.5]})
    assert p.rows("a").proba.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_one_probability_column_is_not_enough_for_three_classes():
    with pytest.raises(
        SchemaError,
        match=r"proba of model 'a' is one column; expected one for each of the 3 classes",
    ):
        table([0, 1, 2], {"a.proba": [0.1, 0.2, 0.3]})


def test_more_columns_than_classes_ask_for_the_classes():
    with pytest.raises(
        SchemaError, match=r"model 'a' gives 3 columns but 2 classes were seen.*classes=\[...\]"
    ):
        table([0, 1], {"a": np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])})


def test_probabilities_that_do_not_sum_to_one_are_refused_with_row_and_id():
    with pytest.raises(
        SchemaError,
        match=r"proba of model 'a' sums to 0.8 at row 1 \(id 'q'\).* a.logit|multilabel",
    ):
        table([0, 1], {"a": np.array([[0.5, 0.5], [0.4, 0.4]])}, id=["p", "q"])


def test_probabilities_of_float16_may_be_rounded_and_are_widened():
    proba = np.full((2, 3), 1 / 3, np.float16)
    proba[:, 0] += np.float16(0.003)
    p = table([0, 1], {"a": proba}, classes=[0, 1, 2])
    assert p.outputs["a"]["proba"].dtype == np.float64


def test_probabilities_of_float32_are_kept():
    assert (
        table([0, 1], {"a": np.eye(2, dtype=np.float32)}).outputs["a"]["proba"].dtype == np.float32
    )


def test_a_probability_beyond_one_is_refused():
    with pytest.raises(
        SchemaError,
        match=r"proba of model 'a' is 1.5 at row 1; probabilities lie in \[0, 1\].*a?.logit",
    ):
        table([0, 1], {"a.proba": [0.5, 1.5]})


def test_a_rounding_error_beyond_one_is_set_to_one():
    assert table([0, 1], {"a.proba": [0.5, 1 + 1e-9]}).rows("a").proba[1].tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["proba", "logit", "score", "value"])
def test_nan_is_refused_for_every_kind(kind):
    y = [0.5, 1.5] if kind == "value" else [0, 1]
    with pytest.raises(SchemaError, match=f"{kind} of model 'a' is nan at row 1"):
        table(y, {f"a.{kind}": np.array([0.5, np.nan])})


@pytest.mark.parametrize("kind", ["proba", "logit", "value"])
def test_infinity_is_refused_where_it_has_no_meaning(kind):
    y = [0.5, 1.5] if kind == "value" else [0, 1]
    with pytest.raises(SchemaError, match=f"{kind} of model 'a' is (inf|-inf) at row 1"):
        table(y, {f"a.{kind}": [0.5, -np.inf if kind == "logit" else np.inf]})


def test_infinity_is_a_rank_score():
    assert table([0, 1], {"a.score": [0.5, np.inf]}).rows("a").score.tolist() == [0.5, np.inf]


def test_none_among_numbers_is_refused():
    with pytest.raises(SchemaError, match=r"score of model 'a' is empty at row 1 \(1 such rows\)"):
        table([0, 1], {"a.score": [0.5, None]})


def test_text_among_numbers_is_refused():
    with pytest.raises(
        SchemaError, match="score of model 'a' must hold numbers; got 'high' at row 1"
    ):
        table([0, 1], {"a.score": ["0.5", "high"]})


def test_large_numbers_are_finite_though_their_sum_is_not():
    p = table([1.0, 2.5], {"a": [1.5e308, 1.5e308]})
    assert p.rows("a").value.tolist() == [1.5e308, 1.5e308]


def test_logits_in_the_unit_interval_are_logits_because_they_are_declared():
    p = table([0, 1], {"a.logit": np.array([[0.2, 0.4], [0.6, 0.1]])})
    assert p.rows("a").proba[0, 1] == pytest.approx(1 / (1 + np.exp(-0.2)))


def test_one_logit_column_is_that_of_the_positive_class():
    assert table([0, 1], {"a.logit": [0.0, 2.0]}).rows("a").score.tolist() == [0.0, 2.0]


def test_a_rank_score_is_for_two_classes():
    with pytest.raises(SchemaError, match="a rank score is for two classes; found 3"):
        table([0, 1, 2], {"a.score": [0.1, 0.2, 0.3]})


def test_lists_of_arrow_are_class_columns():
    proba = [[0.75, 0.25], [0.0, 1.0]]
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.large_list(pa.float64())):
        assert table([0, 1], {"a.proba": pa.array(proba, kind)}).rows("a").proba.tolist() == proba


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(
        SchemaError, match=r"must be a list of one length in every row; found lengths \[1, 2\]"
    ):
        table([0, 1], {"a.proba": pa.array([[0.75, 0.25], [1.0]])})


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(SchemaError, match="is not a table of numbers with rows of one length"):
        table([0, 1], {"a": [[0.75, 0.25], [1.0]]})


def test_a_kind_given_twice_is_refused():
    with pytest.raises(SchemaError, match="proba of model 'a' is given twice, once by class"):
        table([0, 1], {"a.proba": [0.5, 0.5], "a.proba.1": [0.5, 0.5]})
    with pytest.raises(
        SchemaError, match=r"label of model 'a' is given twice: as 'a' and as 'a.label'"
    ):
        table([0, 1], {"a": [0, 1], "a.label": [0, 1]})


def test_several_label_columns_are_for_multi_label_tasks():
    with pytest.raises(SchemaError, match=r"label of model 'a' has several columns; .*multilabel"):
        table([0, 1], {"a.label.0": [0, 1], "a.label.1": [1, 1]})


# Multi-label and one-hot


def test_a_truth_of_many_columns_is_multi_label():
    p = table([[1, 0], [1, 1]], {"a": np.array([[0.9, 0.8], [0.2, 0.6]]), "b": [[1, 1], [0, 1]]})
    assert (p.task, p.classes, p.schema.models) == (
        "multilabel",
        (0, 1),
        {"a": ("proba",), "b": ("label",)},
    )


def test_multi_label_truth_may_be_a_frame_with_the_names_of_the_labels():
    p = table(
        pd.DataFrame({"wet": [1, 1], "hot": [0, 1]}),
        {"a": pd.DataFrame({"hot": [0.5, 0.25], "wet": [1.0, 0.0]})},
    )
    assert (p.classes, p.rows("a").proba.tolist()) == (("wet", "hot"), [[1.0, 0.5], [0.0, 0.25]])


def test_one_hot_truth_with_labels_is_refused_with_both_readings():
    with pytest.raises(
        SchemaError, match=r"reads in two ways.*task='multiclass'.*task='multilabel'"
    ):
        table(np.eye(3), {"a": [0, 1, 2]})


def test_one_hot_truth_with_probabilities_summing_to_one_is_refused_with_both_readings():
    with pytest.raises(SchemaError, match="reads in two ways"):
        table(np.eye(3), {"a": np.full((3, 3), 1 / 3)})
    assert table(np.eye(3), {"a": np.full((3, 3), 1 / 3)}, task="multilabel").task == "multilabel"


def test_one_hot_truth_gives_a_class_a_row_where_the_task_says_so():
    p = table(np.eye(3), {"a": [0, 1, 0]}, task="multiclass")
    assert (p.classes, truth(p), labels(p)) == ((0, 1, 2), [0, 1, 2], [0, 1, 0])
    assert p.notes == ("The truth is one-hot: the class of a row is the column that holds its 1.",)


def test_one_hot_columns_keep_their_names_and_order_as_classes():
    p = table({"wet": [0, 1], "hot": [1, 0]}, {"a": ["hot", "hot"]}, task="binary")
    assert (p.classes, truth(p)) == (("wet", "hot"), ["hot", "wet"])


def test_several_columns_of_truth_that_are_not_one_hot_are_refused_for_one_class_a_row():
    with pytest.raises(
        SchemaError, match=r"truth has shape \(2, 2\), but task 'multiclass' takes one value a row"
    ):
        table([[1, 1], [0, 1]], {"a": [0, 1]}, task="multiclass")


def test_multi_label_truth_other_than_0_and_1_is_refused():
    with pytest.raises(SchemaError, match=r"truth has 2 for label 'b' at row 1; expected 0 or 1"):
        table([[1, 0], [1, 2]], {"a": [[1, 0], [1, 1]]}, classes=["a", "b"])


def test_ragged_multi_label_truth_is_refused():
    with pytest.raises(SchemaError, match=r"truth is not a table of numbers.*0/1 for each label"):
        table([["a"], ["a", "b"]], {"a": np.eye(2)})


def test_multi_label_probabilities_need_not_sum_to_one():
    assert table([[1, 0]], {"a.proba": [[0.9, 0.9]]}, task="multilabel").rows(
        "a"
    ).label.tolist() == [[1, 1]]


# Regression


def test_fractional_truth_is_regression():
    assert table([0.5, 1], {"a": [1, 2]}).task == "regression"


def test_whole_truth_with_fractional_predictions_is_regression():
    assert table([1, 2, 5], {"a": [1.5, 2.5, 4]}).task == "regression"


def test_a_declared_value_is_regression():
    assert table([0, 1], {"a.value": [1, 2]}).task == "regression"


def test_small_numbers_are_widened_before_arithmetic():
    p = table(
        np.array([100, -100], np.int8), {"a": np.array([1, 2], np.float16)}, task="regression"
    )
    assert (p.truth.dtype, p.rows("a").value.dtype) == (np.float64, np.float64)


def test_several_targets_are_refused():
    with pytest.raises(
        SchemaError, match=r"truth has shape \(2, 2\), but task 'regression' takes one value a row"
    ):
        table(np.ones((2, 2)), {"a": [1.0, 2.0]}, task="regression")


def test_a_regression_has_no_labels_or_probabilities():
    for kind in ("label", "proba", "logit", "score"):
        with pytest.raises(SchemaError, match=f"{kind} of model 'a': "):
            table([0.5, 1.5], {f"a.{kind}": [1, 1]}, task="regression")


def test_missing_truth_of_a_regression_is_refused():
    with pytest.raises(SchemaError, match="truth is nan at row 1"):
        table(np.array([0.5, np.nan]), {"a": [1.0, 2.0]})


# Sizes, weights, ids, other columns


def test_sizes_that_differ_are_named():
    with pytest.raises(
        SchemaError,
        match="'a' has 3 rows, the truth has 2; give one prediction a row, or join by id",
    ):
        table([0, 1], {"a": [0, 1, 1]})


@pytest.mark.parametrize(
    "weight, message",
    [
        ([1, -1], "weight is -1 at row 1; weights must be 0 or more"),
        (np.array([1, np.nan]), "weight is nan at row 1"),
        ([1, None], "weight is empty at row 1"),
        ([1, np.inf], "weight is inf at row 1"),
        ([0, 0], "every weight is 0"),
        ([1], "weight has 1 rows, the truth has 2"),
        (["a", "b"], "weight must hold numbers; got 'a' at row 0"),
    ],
)
def test_a_weight_that_cannot_be_is_refused(weight, message):
    with pytest.raises(SchemaError, match=message):
        table([0, 1], {"a": [0, 1]}, weight=weight)


def test_weights_may_be_counts_or_a_mask():
    assert table([0, 1], {"a": [0, 1]}, weight=[2, 0]).weight.tolist() == [2.0, 0.0]
    assert table([0, 1], {"a": [0, 1]}, weight=np.array([True, False])).weight.tolist() == [
        1.0,
        0.0,
    ]


@pytest.mark.parametrize("ids", [["x", "y", "x"], [5, 9, 5], np.array([1.5, 2.0, 1.5])])
def test_a_duplicate_id_is_refused_with_its_rows(ids):
    with pytest.raises(
        SchemaError, match=r"occurs 2 times, the second at row 2; ids must be unique"
    ):
        table([0, 1, 1], {"a": [0, 1, 1]}, id=ids)


def test_a_missing_id_is_refused():
    with pytest.raises(SchemaError, match="column 'id' is empty at row 1"):
        table([0, 1], {"a": [0, 1]}, id=["x", None])


def test_ids_of_another_size_are_refused():
    with pytest.raises(SchemaError, match="column 'id' has 3 rows, the truth has 2"):
        table([0, 1], {"a": [0, 1]}, id=[1, 2, 3])


def test_a_group_may_not_take_the_name_of_a_special_column():
    with pytest.raises(SchemaError, match="a group column cannot be named 'fold'"):
        table([0, 1], {"a": [0, 1]}, groups={"fold": [0, 1]})


def test_a_group_column_of_lists_is_refused():
    with pytest.raises(SchemaError, match="column 'g' has shape"):
        table([0, 1], {"a": [0, 1]}, groups={"g": [[1, 2], [3, 4]]})


def test_group_values_are_sorted_and_missing_ones_last():
    p = table(
        [0, 1, 1], {"a": [0, 1, 1]}, groups={"site": pd.Series(["S", None, "N"], dtype="category")}
    )
    codes, values = p.group("site")
    assert (codes.tolist(), values) == ([1, 2, 0], ["N", "S", "(missing)"])


def test_an_unknown_group_is_refused_with_the_known_ones():
    with pytest.raises(SchemaError, match=r"no column is named 'sitr' .* columns are: site"):
        table([0], {"a": [0]}, classes=[0, 1], groups={"site": ["N"]}).group("sitr")


# What the table offers


def test_equal_tables_are_equal_and_others_not():
    p = table([0, 1], {"a": [0, 1]}, id=[1, 2])
    assert p == table([0, 1], {"a": [0, 1]}, id=[1, 2])
    assert hash(p) == hash(table([0, 1], {"a": [0, 1]}, id=[1, 2]))
    assert p != table([0, 1], {"a": [0, 0]}, id=[1, 2])
    assert p != table([0, 1], {"a": [0, 1]}, id=[1, 3])
    assert p != table([False, True], {"a": [False, True]}, id=[1, 2])
    assert p != table([0, 1], {"a": [0, 1]}, id=[1, 2], positive=1)
    assert p != "p"


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(SchemaError, match="the mask has 3 rows, the table has 2"):
        table([0, 1], {"a": [0, 1]}).take(np.array([True, False, True]))


def test_taking_no_rows_gives_an_empty_table():
    assert table([0, 1], {"a": [0, 1]}, id=["x", "y"]).take([]).n == 0


def test_where_takes_the_rows_of_a_value():
    p = table([0, 1, 1], {"a": [0, 1, 1]}, split=["test", "train", "test"], weight=[1, 2, 3])
    assert p.where(split="test").weight.tolist() == [1.0, 3.0]
    assert p.where(split="none").n == 0


def test_batches_are_the_whole_in_order():
    p = table(list(range(5)), {"a": list(range(5))}, id=list(range(5)))
    parts = list(p.batches(2))
    assert [q.n for q in parts] == [2, 2, 1]
    assert np.concatenate([q.columns["id"].to_numpy() for q in parts]).tolist() == list(range(5))
    assert [q.offset for q in parts] == [0, 2, 4]


def test_append_checks_as_the_door_does():
    p = table([0, 1], {"a": [0, 1]}, id=["x", "y"])
    assert p.append("b", proba=np.eye(2)).models == ["a", "b"]
    with pytest.raises(SchemaError, match=r"proba of model 'b' sums to 0.5 at row 0 \(id 'x'\)"):
        p.append("b", proba=np.full((2, 2), 0.25))
    with pytest.raises(SchemaError, match="a model is already named 'a'"):
        p.append("a", label=[0, 1])
    with pytest.raises(SchemaError, match="nothing is given for model 'b'"):
        p.append("b")
    with pytest.raises(
        SchemaError, match="gives 'probs', which is no kind; the kinds are label, proba"
    ):
        p.append("b", probs=np.eye(2))


def test_append_takes_any_name():
    assert table([0, 1], {"a": [0, 1]}).append("a.label.b", label=[0, 1]).models == [
        "a",
        "a.label.b",
    ]


def test_select_orders_the_models():
    assert table([0, 1], {"a": [0, 1], "b": [1, 1]}).select(["b"]).models == ["b"]
    with pytest.raises(SchemaError, match="no model is named 'c'; the table has a, b"):
        table([0, 1], {"a": [0, 1], "b": [1, 1]}).select(["c"])


def test_what_a_model_does_not_give_is_refused():
    with pytest.raises(
        UnsupportedError, match="proba of model 'a' is needed, but it gives only: label"
    ):
        _ = table([0, 1], {"a": [0, 1]}).rows("a").proba


def test_a_tie_goes_to_the_first_class():
    assert labels(table(["cat", "dog"], {"a": np.full((2, 2), 0.5)})) == ["cat", "cat"]


def test_probabilities_of_large_logits_do_not_overflow():
    p = table([0, 1], {"a.logit": np.array([[1000.0, 0.0], [0.0, 1000.0]], np.float32)})
    assert p.rows("a").log_proba.tolist() == [[0.0, -1000.0], [-1000.0, 0.0]]


@pytest.mark.parametrize(
    "name, parsed",
    [
        ("a.proba.x.label.y", ("a", "proba", "x.label.y")),
        ("a.label.x.proba.y", ("a", "label", "x.proba.y")),
        ("v1.2.score", ("v1.2", "score", None)),
        ("a.proba.score", ("a", "proba", "score")),
        ("a.b", ("a.b", None, None)),
        ("label", ("label", None, None)),
    ],
)
def test_a_column_name_is_read_at_its_first_kind(name, parsed):
    assert parse_column(name) == parsed


def test_a_column_that_names_no_model_is_refused():
    with pytest.raises(SchemaError, match=r"column '.label' names no model"):
        table([0, 1], {".label": [0, 1]})


# Size


def test_clean_arrays_are_not_copied():
    proba = np.random.default_rng(0).dirichlet([1, 1], 100)
    score = np.linspace(0, 1, 100)
    p = table(np.arange(100) % 2, {"a.proba": proba, "a.score": score}, weight=score)
    assert np.shares_memory(p.outputs["a"]["proba"], proba)
    assert np.shares_memory(p.outputs["a"]["score"], score)
    assert np.shares_memory(p.weight, score)


def test_a_large_column_of_whole_numbers_is_encoded_in_well_under_a_second():
    y = np.arange(5_000_000) % 10
    start = time.perf_counter()
    codes, distinct = encode(y)
    assert (codes.dtype, distinct) == (np.uint8, list(range(10)))
    assert time.perf_counter() - start < 1


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5), min_size=1))
def test_encoding_whole_numbers_loses_nothing(values):
    codes, distinct = encode(np.array(values, np.int64))
    assert [distinct[code] for code in codes] == values
    assert len(set(distinct)) == len(distinct)


@given(st.lists(st.text(max_size=3), min_size=1))
def test_encoding_text_loses_nothing_and_recoding_neither(values):
    codes, distinct = encode(values)
    classes = sorted(distinct)
    assert [classes[code] for code in recode(codes, distinct, classes, "y")] == values
