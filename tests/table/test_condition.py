"""Conditions: what they are true of, and how others are refused."""

import contextlib
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, SchemaError, UnsupportedError
from assay.table.condition import Condition, quote_column

COLUMNS = {
    "part": pa.array(["fit", "check", None, "check"]).dictionary_encode(),
    "age": pa.array([17, 18, 40, None]),
    "height in m": pa.array([1.5, float("nan"), 1.8, None]),
    "seen": pa.array([True, False, None, True]),
    "day": pa.array(["2024-03-01", "2024-05-01", None, "2025-01-01"]).cast(pa.date32()),
    "m.label": pa.array([1, 2, 2, 3]),
    "nothing": pa.nulls(4),
}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('part == "check"', [1, 3]),
        ("part != 'check'", [0, 2]),
        ('part in ("fit", "check")', [0, 1, 3]),
        ('part in ("fit")', [0]),
        ('part not in ["fit"]', [1, 2, 3]),
        ("part == None", [2]),
        ("part in ('fit', None)", [0, 2]),
        ("part != None", [0, 1, 3]),
        ("age >= 18", [1, 2]),
        ("18 <= age", [1, 2]),
        ("17 < age < 40", [1]),
        ("age == -1", []),
        ("`height in m` > 1.6", [2]),
        ("`height in m` == None", [1, 3]),
        ("seen", [0, 3]),
        ("not seen", [1, 2]),
        ("seen == 1", [0, 3]),
        ('day > "2024-04-01"', [1, 3]),
        ("m.label == 2", [1, 2]),
        ("age > m.label and not (part == 'fit' or seen)", [1, 2]),
        ("nothing == 1", []),
        ("nothing != 1", [0, 1, 2, 3]),
        ("nothing == None", [0, 1, 2, 3]),
    ],
)
def test_a_condition_is_true_of_the_rows_that_it_says(text, rows):
    assert np.flatnonzero(Condition(text).mark_rows(COLUMNS)).tolist() == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected columns compared with values"),
        (
            'part = "fit"',
            "from character 6 on, at '= \"fit\"' (one = sign is written; equal is ==)",
        ),
        ('part == "fit" & seen', "the words are and, or"),
        ('part == "fit" && seen', "the words are and, or"),
        ('part == "fit" AND seen', "the words are and, or, not, in"),
        ('part is "fit"', "equal is =="),
        ("len(part)", "functions are not called"),
        ("age + 1 == 2", "no column is compared"),
        ('"fit"', "a value alone is no comparison"),
        ("1 == 1", "no column is compared"),
        ("part in age", "a list is written"),
        ("age <", "expected columns compared with values"),
        ("__import__('os').system('true')", "functions are not called"),
        ("(" * 300 + "seen" + ")" * 300, "cannot be read"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(text, message):
    with pytest.raises(UnsupportedError) as caught:
        Condition(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prat == 'fit'", "no column is named 'prat' (did you mean 'part'?)"),
        ("part == fit", "text is written in quotes"),
        ("part == 1", "column 'part' holds text and is compared with 1; write \"1\""),
        ("age == 'old'", "holds numbers and is compared with 'old'; write a number"),
        ("day > 'spring'", "write a value of type date32"),
        ("age > None", "None is compared by == or != alone"),
        ("part == age", "cannot be compared; compare columns of one type"),
    ],
)
def test_a_column_that_cannot_be_compared_so_is_told(text, message):
    with pytest.raises(SchemaError) as caught:
        Condition(text).mark_rows(COLUMNS)
    assert message in str(caught.value)


def test_a_condition_travels_as_its_text():
    assert pickle.loads(pickle.dumps(Condition("age > 1"))) == Condition("age > 1")


@given(st.text(alphabet="abc\"'` =!<>()[],andorti\\.1", max_size=25))
def test_any_text_is_a_condition_or_refused(text):
    with contextlib.suppress(AssayError):
        Condition(text).mark_rows({"a": pa.array(["a", None]), "b": pa.array([1, 2])})


@pytest.mark.parametrize("text", ["b", "b == True", "b != False", "not b"])
def test_a_column_of_numbers_is_neither_true_nor_false(text):
    with pytest.raises(SchemaError, match="'b' holds numbers and is compared with"):
        Condition(text).mark_rows({"b": pa.array([1, 2])})


def test_a_column_that_python_would_read_as_another_is_quoted():
    assert quote_column("ª") == "`ª`"
    assert Condition("`ª` == 'x'").columns == ("ª",)


@given(st.text(max_size=8).filter(lambda text: "`" not in text and text.strip()), st.text())
def test_a_quoted_column_and_a_value_are_read_back_as_they_are(name, value):
    condition = Condition(f"{quote_column(name)} == {value!r}")
    assert condition.columns == (name,)
    assert condition.mark_rows({name: pa.array([value, value + "x"])}).tolist() == [True, False]
