"""fitting: a model of its own for each fold: a fresh estimator, or what a function trains.

>>> rows = TrainingRows([[0.0], [1.0]], ["b", "a"], classes=("a", "b"))
>>> rows.codes.tolist(), is_factory(lambda train, val: None), is_factory(sorted)
([1, 0], True, False)
"""

import inspect
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import numpy as np

from assay.errors import AssayError, UnsupportedError
from assay.kernels import Array
from assay.readers.history import History
from assay.readers.objects import find_curves
from assay.readers.read_history import read_runs
from assay.selection.inner_search import is_search, number_scorer
from assay.selection.label_numbers import NumberedLabels, wants_numbers
from assay.selection.training_data import TrainingData
from assay.table.labels import Label

__all__ = [
    "Fit",
    "TrainingRows",
    "check_trainable",
    "find_history",
    "fit_estimator",
    "is_factory",
    "name_classes",
    "train_model",
]


class Fit(NamedTuple):
    """A fitted `model`, and the history of its training; None where none is known."""

    model: Any
    history: History | None = None


@dataclass(frozen=True, eq=False)
class TrainingRows(TrainingData):
    """The rows that a training function gets: inputs, truth, and the classes of all rows.

    `X`, `y`, `groups`, `weight` and `id` are those of `TrainingData`; `classes` are the classes of
    the whole truth in sorted order, none in a regression.

    >>> TrainingRows([[0.0], [1.0]], [2.5, 1.5]).n
    2
    """

    classes: Sequence[Label] = ()

    @property
    def codes(self) -> Array:
        """Number of each row's class (n,), from 0: its place in `classes`."""
        place = {label: i for i, label in enumerate(self.classes)}
        own, inverse = np.unique(np.asarray(self.y), return_inverse=True)
        return np.array([place[label] for label in own.tolist()], np.int64)[inverse.reshape(-1)]


def name_classes(data: TrainingData, classes: Sequence[Label]) -> TrainingRows:
    """The rows of `data` with the `classes` of the whole truth."""
    values = {field.name: getattr(data, field.name) for field in fields(TrainingData)}
    return TrainingRows(**values, classes=tuple(classes))


def is_factory(model: Any) -> bool:
    """Whether `model` is a function that trains one: fit(train, val) -> model."""
    return isinstance(model, FunctionType | MethodType | partial)


def check_trainable(name: str, model: Any) -> None:
    """UnsupportedError where the `model` called `name` cannot be trained anew in each fold.

    Parameters:
        name: Name of the model.
        model: An estimator, or a function that trains a model.
    """
    if is_factory(model):
        return
    if isinstance(model, type) or not hasattr(model, "get_params"):
        is_class = isinstance(model, type)
        what = f"the class {model.__name__}" if is_class else f"of the type {type(model).__name__}"
        raise UnsupportedError(
            f"model {name!r} is {what}, which cannot be fitted anew in each fold; give an "
            f"unfitted scikit-learn estimator, or a function fit(train, val) that makes a new "
            f"model, trains it on train.X and train.y, and returns it"
        )


def fit_estimator(
    model: Any, rows: TrainingData, classes: Sequence[Label], seed: int | None
) -> Any:
    """A clone of the estimator `model`, fitted.

    Parameters:
        model: An estimator, or a search over one.
        rows: The rows to fit it on.
        classes: Classes of the whole truth; none in a regression.
        seed: Seed for all that is random in it; None: as the estimator has it.
    """
    from sklearn.base import clone
    from sklearn.utils.validation import has_fit_parameter

    fresh = clone(model)
    if seed is not None:
        _set_random_states(fresh, seed)
    searches = is_search(fresh)
    estimator = fresh.estimator if searches else fresh
    extra = {}
    if rows.weight is not None and has_fit_parameter(estimator, "sample_weight"):
        extra["sample_weight"] = rows.weight
    if rows.groups is not None and searches:
        extra["groups"] = rows.groups
    if not classes or np.ndim(rows.y) != 1 or not wants_numbers(estimator):
        return fresh.fit(rows.X, rows.y, **extra)
    numbers = NumberedLabels(rows.y)
    if numbers.are_numbers:
        return fresh.fit(rows.X, rows.y, **extra)
    if searches:
        fresh = number_scorer(fresh, numbers.classes)
    return numbers.restore(fresh.fit(rows.X, numbers.codes, **extra))


def train_model(factory: Any, train: TrainingRows, val: TrainingRows | None, seed: int) -> Fit:
    """What the function `factory` trains.

    The random numbers of Python, NumPy, PyTorch, TensorFlow and Keras start from `seed`; those of
    Python and NumPy go on afterwards as if nothing had been drawn.

    Parameters:
        factory: A function (train, val), or (train, val, seed), that gives a model, or a model and
            the history of its training.
        train: The rows to train on.
        val: Rows of the training side to watch the training by; None where none were set apart.
        seed: Seed of all that is random, 0 or more.

    Raises:
        UnsupportedError: The function gives no model.
    """
    takes_seed = "seed" in inspect.signature(factory).parameters
    with _start_random_numbers(seed):
        found = factory(train, val, seed=seed) if takes_seed else factory(train, val)
    # A model with its tokenizer is a pair, too; a tokenizer is called, as no history is.
    has_log = isinstance(found, tuple) and len(found) == 2 and not callable(found[1])
    model, *logs = found if has_log else (found,)
    if model is None:
        raise UnsupportedError(
            "the function gave None; it must return the model that it trained, or (model, history)"
        )
    return Fit(model, _read_log(logs[0]) if logs else find_history(model))


def find_history(model: Any) -> History | None:
    """The history that a fitted `model` keeps of its training; None where it keeps none.

    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> model = GradientBoostingRegressor(n_estimators=3).fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    >>> find_history(model).find("train", "loss").epochs
    (1.0, 2.0, 3.0)
    """
    while True:  # a search keeps its best estimator, a pipeline the last of its steps
        inner = getattr(model, "best_estimator_", None)
        inner = model.steps[-1][1] if inner is None and hasattr(model, "steps") else inner
        if inner is None:
            break
        model = inner
    curves = find_curves(model)
    if not curves:
        return None
    try:
        return read_runs(curves).histories[0]
    except AssayError:
        return None  # it has curves that are no losses or scores of an epoch


def _read_log(log: Any) -> History:
    """The history that a training function gave beside its model."""
    try:
        return read_runs(log).histories[0]
    except AssayError as error:
        raise UnsupportedError(
            f"the history that the function gave beside its model cannot be read: {error}"
        ) from error


def _set_random_states(estimator: Any, seed: int) -> None:
    """Set every `random_state` that is a number or not set, of the estimator and its parts."""
    states = {
        name: seed
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and (value is None or np.isscalar(value))
    }
    estimator.set_params(**states)


@contextmanager
def _start_random_numbers(seed: int) -> Iterator[None]:
    """The random numbers of what is imported start from `seed`."""
    python = random.getstate()
    numpy = np.random.get_state()  # noqa: NPY002 - the state that frameworks draw from
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
