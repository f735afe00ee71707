"""Odd Python inputs at random for every public verb: types, shapes, dtypes and indexes.

`python tests/io/fuzz_inputs.py FIRST LAST` tries the seeds of a range and prints what is neither a
result nor an AssayError.
"""

import inspect
import re
import sys
import traceback
import warnings
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.naive_bayes import GaussianNB

import assay

N = 24
MISCALL = re.compile(
    r"multiple values for argument|unexpected keyword|positional argument|missing \d required"
)


def pick(rng, values):
    return values[int(rng.integers(len(values)))]


def make_scalar(rng):
    return pick(
        rng,
        [
            None, 0, 1, -1, 2.5, np.nan, np.inf, "", "cat", "y", "accuracy", b"cat", True, 1j,
            Decimal("0.5"), Fraction(1, 3), date(2024, 1, 2), object(), np.float32(0.5),
            int, len, {}, [], (), set(), float, 10**30, "a" * 300,
            np.datetime64("2024-05-01"), np.timedelta64(3, "h"), np.datetime64("NaT"), pd.NaT,
        ],
    )  # fmt: skip


def make_values(rng, n):
    """A list of `n` values of one kind, seldom of several."""
    kind = rng.integers(14)
    if kind < 3:
        return rng.integers(0, 2 + kind, n).tolist()
    if kind == 3:
        return rng.choice(["cat", "dog", "eel"], n).tolist()
    if kind == 4:
        return rng.random(n).round(3).tolist()
    if kind == 5:
        return (rng.random(n) < 0.5).tolist()
    if kind == 6:
        return rng.normal(size=n).tolist()
    if kind == 7:
        return [None if rng.random() < 0.2 else "cat" for _ in range(n)]
    if kind == 8:
        return [float("nan") if rng.random() < 0.2 else 1.0 for _ in range(n)]
    if kind == 9:
        return [make_scalar(rng) for _ in range(n)]
    if kind == 10:
        return [[int(v) for v in rng.integers(0, 2, int(rng.integers(4)))] for _ in range(n)]
    if kind == 11:
        return rng.integers(0, 2, (n, int(rng.integers(1, 4)))).tolist()
    if kind == 12:
        return [date(2024, 1, 1 + i % 28) for i in range(n)]
    return rng.dirichlet(np.ones(3), n).tolist()


def make_array(values):
    """An array of Arrow, which takes no dates of NumPy one by one."""
    if {type(value) for value in values} & {np.datetime64, np.timedelta64}:
        raise TypeError("dates of NumPy")
    return pa.array(values)


def wrap(rng, values):
    """The values as an array, a series or a tensor of some package and dtype, if it takes them."""
    makers = [
        list,
        tuple,
        np.array,
        lambda v: np.array(v, dtype=object),
        lambda v: np.array(
            v, dtype=pick(rng, ["f2", "f4", "i1", "u8", "bool", "U3", ">f8", "c16"])
        ),
        lambda v: np.ma.masked_array(np.array(v), mask=rng.random(len(v)) < 0.1),
        lambda v: np.array(v)[:, None],
        lambda v: np.array(v)[None],
        pd.Series,
        lambda v: pd.Series(
            v, index=rng.permutation(len(v)), name=pick(rng, ["y", "a.b", 3, None])
        ),
        lambda v: pd.Series(v, index=[0] * len(v)),
        lambda v: pd.Series(v, dtype=pick(rng, ["category", "string", "Int64", "boolean"])),
        pd.Categorical,
        pd.Index,
        lambda v: pd.DataFrame({"c": v}),
        pl.Series,
        make_array,
        lambda v: pa.chunked_array([make_array(v)]),
        lambda v: make_array(v).dictionary_encode(),
        iter,
        set,
        lambda v: dict(enumerate(v)),
        lambda v: v[: len(v) // 2],
        lambda v: [],
    ]
    try:
        return pick(rng, makers)(values)
    except Exception:
        return values


def make_column(rng):
    if rng.random() < 0.06:
        return make_scalar(rng)
    return wrap(rng, make_values(rng, N if rng.random() < 0.93 else int(rng.integers(3))))


def make_name(rng):
    return pick(
        rng,
        ["a", "b", "a.proba", "a.label", "a.score", "a.value", "a.proba.cat", "a.proba.dog", "y",
         "model", "id", "weight", "fold", "split", "cluster", "label", "proba.0", "proba.1", "",
         ".",
         3, None, "a.", ".proba", "cat", "dog", "eel"],
    )  # fmt: skip


def make_columns(rng):
    return {make_name(rng): make_column(rng) for _ in range(int(rng.integers(5)))}


def make_arrow(columns):
    """The columns as an Arrow table, each made by itself."""
    return pa.table({str(name): make_array(list(values)) for name, values in columns.items()})


def make_polars(columns):
    """A frame of polars, of columns that it need not take from pandas object by object."""
    return pl.DataFrame({name: list(values) for name, values in columns.items()})


def make_frame(rng):
    columns = make_columns(rng)
    if rng.random() < 0.6:
        columns["y"] = make_values(rng, N)
        columns[pick(rng, ["a.label", "a", "a.value", "a.score"])] = make_values(rng, N)
    makers = [
        dict,
        pd.DataFrame,
        lambda c: pd.DataFrame(c).set_index(pick(rng, ["y", "id", "a"])),
        lambda c: pd.concat([pd.DataFrame(c)] * 2, axis=1),
        make_polars,
        lambda c: make_polars(c).lazy(),
        make_arrow,
        lambda c: make_arrow(c).to_batches()[0],
        lambda c: pd.DataFrame(c).to_dict("records"),
        lambda c: pd.DataFrame(c).to_records(),
        lambda c: make_arrow(c).to_reader(),
    ]
    try:
        return pick(rng, makers)(columns)
    except Exception:
        return columns


def make_good(rng):
    y = rng.integers(0, 2, N)
    proba = rng.dirichlet(np.ones(2), N)
    return assay.Predictions.from_arrays(
        y,
        {"a.proba": proba, "b": rng.integers(0, 2, N)},
        fold=np.arange(N) % 2,
        groups={"g": ["u", "v"] * (N // 2)},
    )


def make_source(rng):
    kind = rng.integers(10)
    if kind < 4:
        return make_column(rng)
    if kind < 8:
        return make_frame(rng)
    return make_good(rng) if kind == 8 else make_scalar(rng)


def make_outputs(rng):
    kind = rng.integers(6)
    if kind < 2:
        return make_column(rng)
    if kind == 2:
        return [make_column(rng) for _ in range(int(rng.integers(4)))]
    return make_columns(rng) if kind < 5 else make_frame(rng)


def make_models(rng):
    estimators = [DummyClassifier(), DummyRegressor(), GaussianNB(), GaussianNB, (GaussianNB(), {})]
    some = [pick(rng, [*estimators, make_scalar(rng)]) for _ in range(int(rng.integers(3)))]
    kind = rng.integers(4)
    if kind == 0:
        return make_scalar(rng)
    return some if kind == 1 else dict(zip(["m", make_name(rng), "k"], some, strict=False))


def make_inputs(rng):
    if rng.random() < 0.7:
        return rng.normal(size=(N, 2))
    return make_column(rng)


OPTIONS = {
    "metrics": ["accuracy", ["f1", "log_loss"], "rmse", "no such", 3, [None]],
    "metric": ["accuracy", "log_loss", "rmse", "no such", 3],
    "truth": ["y", "a", "missing", 3, None],
    "task": ["binary", "multiclass", "multilabel", "regression", "no such", 3],
    "classes": [[0, 1], ["cat", "dog"], [], 3, "cat", [None], [0, 0]],
    "positive": [0, 1, "cat", 3.5, None, [1]],
    "models": [["a"], ["missing"], [], "a", 3],
    "weight": [None, [1.0] * N, [0.0] * N, [-1.0] * N, "w", 3],
    "id": [None, list(range(N)), [0] * N, 3],
    "fold": [None, [0, 1] * (N // 2), 3],
    "groups": [None, {"g": ["u", "v"] * (N // 2)}, {"id": [1] * N}, 3, {"g": [1]}],
    "by": ["g", "missing", ["g", "g"], [], 3],
    "confidence": [0.9, 0, 1, "high", None],
    "seed": [0, 1, -1, "one", None, 2.5],
    "equivalence": [0.01, 0, -1, "small", None],
    "correction": ["holm", "benjamini_hochberg", "no such", 3],
    "unit": ["rows", "folds", "no such", 3],
    "intervals": [True, False, "wilson", "no such", 3],
    "selected": [True, False, "yes"],
    "min_rows": [5, 0, "few", None],
    "depth": [1, 2, 0, "deep", None],
    "how": ["mean", "weighted", "no such", 3, None],
    "name": ["z", "a", "", 3],
    "split": ["split", "g", "missing", 3],
    "member": ["train", "u", 1, None],
    "test": [None, 3, "missing.csv", []],
    "histories": [None, 3, "missing.csv", []],
    "title": [None, "t", 3],
    "thorough": [True, False, "yes"],
    "costs": [(1, 5), (0, 0), "0 1; 5 0", "no such", 3, {"a": 1, "b": 2}],
    "margin": [0.1, "wide", None],
    "model": ["a", "missing", 3],
    "folds": [2, 0, "two"],
    "cv": [2, 1, 0, "two", None, [], [([0], [1])]],
    "where": ['g == "u"', "no such", "", 3],
    "ignore": [["A003"], ["none"], "A003"],
    "ignore_label": [0, -100, "cat"],
    "class_names": [["no", "yes"], "no", 3],
    "labels": [{0: "no"}, 3, {}],
    "normalise": [True, False],
    "percent": [True, False],
}
VERBS = (
    "advise", "bayesian_fold_test", "compare", "evaluate", "fairness", "five_by_two_f_test", "fuse",
    "membership_inference", "one_standard_error", "report", "selection_bias", "tune_threshold",
    "weak_slices",
)  # fmt: skip
NEEDED = {
    "bayesian_fold_test": {"metric": "accuracy", "equivalence": 0.01},
    "fairness": {"by": "g"},
    "five_by_two_f_test": {"metric": "accuracy", "a": "a", "b": "b"},
    "one_standard_error": {"metric": "accuracy", "costs": {"a": 1, "b": 2}},
    "selection_bias": {"metric": "accuracy"},
}


def make_call(seed):
    """A public verb with odd arguments: its name, the arguments and the options."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(12)
    if kind == 0:
        models = make_models(rng)
        options = {"cv": pick(rng, OPTIONS["cv"]), "progress": False, "n_jobs": 1}
        return "cross_validate", (models, make_inputs(rng), make_column(rng)), options
    if kind == 1:
        return "collect", (make_models(rng), make_inputs(rng), make_column(rng)), {}
    if kind == 2:
        names = ("weight", "id", "fold", "groups", "task", "classes", "positive", "labels")
        options = {name: pick(rng, OPTIONS[name]) for name in names if rng.random() < 0.15}
        return "from_arrays", (make_column(rng), make_outputs(rng)), options
    if kind == 3:
        return "read", (make_frame(rng),), choose(rng, "read", 0.15)
    verb = pick(rng, VERBS)
    arguments = (make_source(rng),)
    if rng.random() < 0.5:
        arguments = (make_column(rng), make_outputs(rng))
    return verb, arguments, {**NEEDED.get(verb, {}), **choose(rng, verb, 0.07)}


def choose(rng, verb, share):
    """Options of a verb, or of reading, each taken with a probability."""
    own = set(inspect.signature(getattr(assay, verb)).parameters)
    if verb != "read":
        own |= {"truth", "task", "classes", "positive", "models", "groups", "weight"}
    return {
        name: pick(rng, OPTIONS[name]) for name in OPTIONS if name in own and rng.random() < share
    }


def run(seed):
    """What went wrong with the call of a seed; None where it gave a result or an AssayError."""
    verb, arguments, options = make_call(seed)
    function = assay.Predictions.from_arrays if verb == "from_arrays" else getattr(assay, verb)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            str(function(*arguments, **options))
        except assay.AssayError as error:
            return None if str(error).strip() else f"{seed} {verb}: an error without words"
        except Exception as error:
            if isinstance(error, TypeError) and MISCALL.search(str(error)):
                return None  # Python's own answer to a call that no signature allows
            place = traceback.extract_tb(error.__traceback__)[-1]
            ours = [
                f for f in traceback.extract_tb(error.__traceback__) if "src/assay" in f.filename
            ]
            at = ours[-1] if ours else place
            where = f"{at.filename.partition('src/assay/')[2]}:{at.lineno} {at.name}"
            first = str(error).split("\n")[0][:140]
            return f"{seed} {verb}: {type(error).__name__} at {where}: {first}"
    return None


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        wrong = run(number)
        if wrong:
            sys.stdout.write(f"{wrong}\n")
