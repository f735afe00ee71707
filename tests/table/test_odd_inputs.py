"""Whatever is given in place of columns, a table or a sentence is the answer."""

import array
import collections
import datetime
import decimal
import fractions
import types
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from assay.errors import AssayError
from assay.table.predictions import Predictions

MANY = 300


def list_values(rng, n):
    """Columns, usual and odd ones, of about `n` rows."""
    ints = rng.integers(0, 3, n)
    floats = rng.random(n)
    words = rng.choice(["ant", "bee", "cat"], n)
    simplex = rng.dirichlet([1, 1, 1], n)
    day = datetime.date(2024, 5, 1)
    masked = np.ma.array(floats, mask=ints == 1)
    dictionary = pa.array([str(w) for w in words]).dictionary_encode()
    frame = pd.DataFrame({"ant": floats, "bee": 1 - floats})
    return [
        *(ints, floats, words, simplex, ints.tolist(), floats.tolist(), words.tolist()),
        *(None, 3, 2.5, "ant", b"ant", True, object(), list, len, types, Ellipsis, NotImplemented),
        *([], (), {}, set(), np.array([]), np.empty((0, 3)), np.empty((n, 0)), pa.array([])),
        *(np.array(3), np.zeros((n, 2, 2)), np.zeros((n, 1)), np.zeros((1, n)), np.zeros((n, 2))),
        *([[1], [1, 2]], [[1, 2]] * n, [np.eye(2)] * n, [(1, "a")] * n, [[]] * n, [None] * n),
        *([{1, 2}] * n, [{"a": 1}] * n, [frozenset("ab")] * n, [["a"], ["b", "c"]], [b"a"] * n),
        *(
            (i for i in range(n)),
            range(n),
            iter([1, 2]),
            map(int, "12"),
            zip([1], [2], strict=True),
        ),
        *(
            collections.deque(range(n)),
            array.array("d", [0.5] * n),
            memoryview(b"ab"),
            bytearray(n),
        ),
        *({"ant": floats}, {"ant": floats, "bee": 1 - floats}, {1: ints}, {None: ints}, {"a": {}}),
        *(
            {"a": None},
            {"a": 3},
            {"a": [1], "b": [1, 2]},
            {(1, 2): ints},
            collections.Counter("ab"),
        ),
        *(ints.astype(bool), ints.astype(np.uint8), ints.astype(">i8"), floats.astype(np.float16)),
        *(
            floats.astype(np.longdouble),
            floats.astype(complex),
            np.array([day] * n),
            floats * np.nan,
        ),
        *(np.array(["2024-05-01"] * n, "datetime64[D]"), np.array([1, 2], "timedelta64[s]")),
        *(np.array([(1, 2.0)] * n, "i4,f8"), np.array([b"a"] * n), np.array([None, "a"], object)),
        *(np.array([object()] * n), np.array([[1, "a"]] * n, object), masked, np.ma.masked_all(n)),
        *(floats * np.inf, -floats, floats * 100, simplex * 100, simplex.round(2), simplex * 2),
        *(2**70, [2**70] * n, [2**63] * n, [-(2**63)] * n, [1, 2.5, "a"], [True, 1], [1, None]),
        *([decimal.Decimal("0.5")] * n, [fractions.Fraction(1, 2)] * n, [1j] * n, [day] * n),
        *(pd.Series(ints), pd.Series(words, dtype="category"), pd.Series(floats, dtype="Float64")),
        *(pd.Series(ints, index=ints), pd.Series(ints, index=rng.permutation(n)), pd.Series([])),
        *(pd.Series(words, dtype="string"), pd.Series([day] * n), pd.Series([[1]] * n), frame),
        *(pd.Series([pd.NA] * n), pd.Series([pd.NaT] * n), frame.iloc[::-1], frame[["ant"]]),
        *(pd.Index(ints), pd.MultiIndex.from_product([[1, 2], [3]]), pd.NA, pd.NaT, frame[[]]),
        *(pd.DataFrame(np.eye(3)), pd.concat([frame, frame], axis=1), pd.interval_range(0, n)),
        *(pd.Series(floats, index=pd.MultiIndex.from_arrays([ints, words])), frame.T),
        *(pd.Series(pd.arrays.SparseArray(ints)), pd.Series([1, "a"]), pd.Series([1, 2.5, None])),
        *(
            pl.Series(ints),
            pl.Series(words),
            pl.DataFrame({"a": ints, "b": ints}),
            pl.Series([[1]]),
        ),
        *(pl.DataFrame({"a": ints}).lazy(), pl.Series([{"a": 1}]), pl.col("a"), pl.Series([None])),
        *(pa.array(ints), dictionary, pa.chunked_array([ints]), pa.table({"a": ints, "b": floats})),
        *(pa.array([[1.0, 0.0]] * n), pa.array([["a"]] * n), pa.array([{"a": 1}] * n), pa.nulls(n)),
        *(pa.scalar(1), pa.array([day] * n), pa.array([b"a"] * n), pa.array([decimal.Decimal(1)])),
        *(pa.array([{"a": 1}], pa.map_(pa.string(), pa.int64())), pa.schema([]), pa.int64()),
        *([f"[{p:.2f}, {1 - p:.2f}]" for p in floats], ["[0.5 ...]"] * n, ["['a', 'b']"] * n),
        *([f"{100 * p:.1f}%" for p in floats], ["50%", "x%"], ["-"] * n, ["0.5"] * n, [" ant"] * n),
        *(["LABEL_0", "LABEL_1"] * n, [-100, *ints[1:].tolist()], [255, *ints[1:].tolist()]),
        *(rng.integers(0, 200, n), np.arange(n), np.full(n, 1e300), np.full(n, 1e-320)),
    ]


OPTIONS = {
    "classes": [[0, 1, 2], ["ant", "bee", "cat"], "ant", [], [1, "a"], [1, 1], [None], 3, {1: 2}],
    "task": ["binary", "multiclass", "multilabel", "regression", "x", 3, None, ["binary"]],
    "positive": [1, "ant", None, [1], object(), 2.5, float("nan")],
    "normalise": [True, False, "yes", None, 1],
    "percent": [True, False, "yes", None, 0],
    "labels": [
        {"LABEL_0": "ant"},
        {0: "ant", 1: "bee", 2: "cat"},
        {},
        [],
        "ab",
        {None: 1},
        {1: []},
    ],
    "class_names": [["ant", "bee", "cat"], "ant", [], [1, 2], {"a": 1}, 3, [None], ["a", "a"]],
    "ignore_label": [-100, 0, "ant", None, [1], 2.5, {}, object()],
}


def draw(rng, values, usual):
    """One of the `values`, mostly the one at the place `usual`."""
    return values[usual if rng.random() < 0.75 else int(rng.integers(0, len(values)))]


def make_arguments(seed):
    """Arguments of `from_arrays`, some of them odd, drawn from a seed."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 8, 40]))
    values = list_values(rng, n)
    usual = int(rng.choice([0, 1, 2, 4]))
    names = [
        "a",
        "b.label" if usual != 1 else "b.value",
        "c.proba",
        "d.logit",
        "e.score",
        "f.value",
    ]
    names += ["g.interval", "h.proba.ant", "", 3, ".x"]
    chosen = [int(i) for i in rng.integers(0, 2 if rng.random() < 0.6 else len(names), 2)]
    models = {names[i]: draw(rng, values, 3 if 2 <= i <= 3 else usual) for i in chosen}
    if rng.random() < 0.05:
        models = draw(rng, values, 7)
    options = {
        name: choices[int(rng.integers(0, len(choices)))]
        for name, choices in OPTIONS.items()
        if rng.random() < 0.06
    }
    columns = {
        name: draw(rng, values, 0)
        for name in ("weight", "id", "fold", "split", "cluster", "groups")
        if rng.random() < 0.05
    }
    return draw(rng, values, usual), models, {**options, **columns}


def check(seed):
    """The table that the arguments of a seed give, or the sentence of an error of ours."""
    y, models, options = make_arguments(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return Predictions.from_arrays(y, models, **options)
        except AssayError as error:
            return str(error)


@pytest.mark.parametrize("start", range(0, MANY, 50))
def test_odd_inputs_give_a_table_or_a_sentence(start):
    answers = [check(seed) for seed in range(start, start + 50)]
    assert all(isinstance(answer, Predictions) or answer.strip() for answer in answers)
    assert any(isinstance(answer, Predictions) for answer in answers)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 6000, 250))
def test_5000_odd_inputs_give_a_table_or_a_sentence(start):
    answers = [check(seed) for seed in range(start, start + 250)]
    assert all(isinstance(answer, Predictions) or answer.strip() for answer in answers)
