"""Base of every adapter: how a framework's models are recognised, fed in batches and read.

>>> from sklearn.linear_model import LogisticRegression
>>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"])
>>> adapter = find_adapter(model)
>>> adapter.name, adapter.classes(model)
('sklearn', ('high', 'low'))
"""

import importlib
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import softmax

from assay.adapters.extents import Extent
from assay.core.registry import Member, Registry
from assay.errors import MissingDependencyError, UnsupportedError
from assay.kernels import Array
from assay.table.columns import numpy_to_arrow
from assay.table.labels import Label
from assay.table.outputs import holds_numbers
from assay.table.schema import Kind, Task

__all__ = ["ADAPTERS", "Adapter", "Answers", "align_outputs", "find_adapter", "predict_outputs"]

ADAPTERS: "Registry[Adapter]" = Registry("adapters")
# What frameworks say where the memory of a device is full.
OUT_OF_MEMORY = ("out of memory", "RESOURCE_EXHAUSTED", "ResourceExhausted")


class Answers(NamedTuple):
    """What a model gives for one batch.

    `outputs` are arrays by kind, `truth` is that of the same rows, where the data holds one.
    `origins` (n,) is the position in the batch of the input that each row is of; None: every input
    is one row. `without_truth` says that the outputs are scores of the rows themselves. `classes`
    are those of the output columns, where the outputs alone name them; `notes` say what was done to
    the inputs. `columns` are further columns of the rows, the same for every model.
    """

    outputs: Mapping[Kind, Array]
    truth: Any | None = None
    origins: Array | None = None
    without_truth: bool = False
    classes: tuple[Label, ...] | None = None
    notes: tuple[str, ...] = ()
    columns: Mapping[str, Array] = MappingProxyType({})


class Adapter(Member):
    """Base of every adapter: what a framework's fitted models predict, batch by batch.

    A subclass writes `accepts` and `predict`; the rest has defaults for models that take arrays and
    know nothing of classes. Outputs that may be of several kinds are named logit by `predict`, and
    told apart by `settle`. The module of an adapter imports its framework only inside methods:
    `assay` never imports one that is not in use.

    Class attributes:
        modules: Top-level modules of the framework: the adapter is asked only if one of them is
            imported already; () asks it always.
        rank: Adapters of higher rank are asked first: the more specific before the more general.
        extra: Extra of `assay` that installs the framework.
        batch_size: Rows a batch where `collect` is given none; None: all at once.
    """

    registry: ClassVar[Registry[Any]] = ADAPTERS
    modules: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int] = 0
    extra: ClassVar[str]
    batch_size: ClassVar[int | None] = None

    @abstractmethod
    def accepts(self, model: Any) -> bool:
        """Whether `model` is of this framework."""

    @abstractmethod
    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What the model gives for some rows.

        Parameters:
            model: A fitted model, inside `prepare`.
            inputs: Inputs of one batch, as `batches` gave them.
            device: Device to compute on, as the framework names it; default: where the model is.

        Returns:
            Arrays by kind: class columns in the order of `classes(model)`, or of the outputs
            where the model knows no classes; label (n,), value (n,); a binary score (n,), and a
            single column of logits or probabilities, of the last class.
        """

    def task(self, model: Any, y: Any) -> Task | None:
        """The task, where `model` and the truth `y` show it; None leaves it to the truth."""
        return None

    def classes(self, model: Any) -> tuple[Label, ...] | None:
        """The classes of the output columns of `model`; None where it does not know them."""
        return None

    def class_names(self, model: Any) -> tuple[str, ...] | None:
        """Names that `model` has for the classes 0 to k - 1 that it was trained on, if it has."""
        return None

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Inputs and, where the data holds it, truth of consecutive rows.

        Parameters:
            data: Rows in order: an array, a list, a data frame or a sparse matrix by default; or
                something to iterate over, without a length, that gives batches of (inputs, truth).
            size: Rows a batch; None: all at once. Of no effect where the data come in batches.
        """
        if gives_batches(data):
            yield from map(split_pair, data)
            return
        n = count_rows(data)
        if size is None or size >= n:
            yield data, None
            return
        for start in range(0, n, size):
            yield slice_rows(data, start, start + size), None

    def prepare(self, model: Any, device: str | None) -> AbstractContextManager[Any]:
        """A context in which `model` predicts on `device`; on leaving, all is as it was."""
        return nullcontext()

    def answer(
        self, model: Any, inputs: Any, truth: Any | None, *, device: str | None = None
    ) -> Answers:
        """What the model gives for one batch, beside its truth.

        An adapter overrides it where a row of the table is not one input, as of models of words,
        or where the model holds the truth.

        Parameters:
            model: A fitted model, inside `prepare`.
            inputs: Inputs of one batch, as `batches` gave them.
            truth: Their truth, as `batches` gave it.
            device: Device to compute on; default: where the model is.
        """
        return Answers(self.predict(model, inputs, device=device), truth)

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The kind that each of the outputs is, told by all rows at once; others are left out.

        Parameters:
            model: The model that gave them.
            extents: The range of the outputs by the kind that `predict` named.
            task: The task, where it is known.
            kind: The kind that the caller declares for them; None where it is to be found.
        """
        if kind is not None and len(extents) == 1:
            return {next(iter(extents)): kind}
        return {given: given for given in extents}

    def notes(self, model: Any) -> tuple[str, ...]:
        """What a reader of the table must know of what `model` gives; default: nothing."""
        return ()

    def count_rows(self, inputs: Any) -> int:
        """Number of inputs in a batch, as `batches` gave it in `inputs`."""
        return count_rows(inputs)

    def slice_rows(self, inputs: Any, start: int, stop: int) -> Any:
        """The part from `start` to before `stop` of the `inputs` of a batch."""
        return slice_rows(inputs, start, stop)

    def count_data(self, data: Any) -> int | None:
        """Number of inputs in all `data`; None where that is not known before they are read."""
        try:
            return count_rows(data)
        except (TypeError, UnsupportedError):
            return None

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether an `error` says that a batch does not fit the device's memory."""
        text = f"{type(error).__name__}: {error}"
        return any(phrase in text for phrase in OUT_OF_MEMORY)

    def release_memory(self) -> None:
        """Give back what the framework keeps of the device's memory after it was full."""

    def is_in_use(self) -> bool:
        """Whether the framework is imported: otherwise no model can be of it."""
        return not self.modules or any(module in sys.modules for module in self.modules)

    def import_framework(self) -> Any:
        """The framework's first module; where it is absent, an error names the extra."""
        module = self.modules[0]
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise MissingDependencyError(
                f"{module} is not installed; run pip install 'assay[{self.extra}]'"
            ) from error


def find_adapter(model: Any) -> Adapter:
    """The adapter that accepts `model`, the more specific asked first; an error where none does."""
    adapters: list[Adapter] = [ADAPTERS[name]() for name in ADAPTERS.names()]
    for adapter in sorted(adapters, key=lambda adapter: -adapter.rank):
        if adapter.is_in_use() and adapter.accepts(model):
            return adapter
    raise UnsupportedError(
        f"no adapter knows a {type(model).__module__}.{type(model).__name__}; known: "
        f"{', '.join(ADAPTERS.names())}. Predict with it yourself and use "
        f"Predictions.from_arrays(y, {{name: predictions}})."
    )


def predict_outputs(
    adapter: Adapter,
    model: Any,
    inputs: Any,
    classes: Sequence[Label],
    positive: Label | None,
    task: Task | None = None,
) -> dict[Kind, Array]:
    """What one model gives for rows of arrays, over `classes` in that order.

    Parameters:
        adapter: The adapter of the model.
        model: A fitted model.
        inputs: All rows.
        classes: Classes of the table; none in a regression.
        positive: Positive class of a binary task; None: the last of the two in sorted order.
        task: Of the table, where it is of numbers; default: regression without classes.
    """
    with adapter.prepare(model, None):
        batches = [
            adapter.answer(model, batch, truth).outputs
            for batch, truth in adapter.batches(inputs, adapter.batch_size)
        ]
    outputs = {kind: np.concatenate([batch[kind] for batch in batches]) for kind in batches[0]}
    if len(next(iter(outputs.values()))) != count_rows(inputs):
        raise UnsupportedError(
            f"the model gives {len(next(iter(outputs.values())))} rows for the "
            f"{count_rows(inputs)} inputs held out; models that predict several rows an input are "
            f"collected, with assay.collect, not cross-validated"
        )
    extents = {kind: Extent().observe(values) for kind, values in outputs.items()}
    kinds = adapter.settle(model, extents, task or (None if classes else "regression"), None)
    outputs = {kind: outputs[given] for given, kind in kinds.items()}
    return align_outputs(outputs, adapter.classes(model), classes, positive)


def align_outputs(
    outputs: Mapping[Kind, Array],
    own: Sequence[Label] | None,
    classes: Sequence[Label],
    positive: Label | None = None,
) -> dict[Kind, Array]:
    """A model's outputs over the classes of a table.

    Parameters:
        outputs: Arrays by kind, as `Adapter.predict` gives them.
        own: The model's classes, in the order of its columns; None: those of the table.
        classes: The table's classes; none in a regression, where labels are values.
        positive: Positive class of a binary task; None: the last of the two in sorted order.

    Logits of a model that never saw one of the classes become probabilities, of which it has 0.
    """
    if not classes:
        values = outputs["value"] if "value" in outputs else outputs["label"]
        return {"value": _flatten_values(values)}
    aligned = dict(outputs)
    if "proba" in outputs:
        aligned["proba"] = _align_columns(outputs["proba"], True, own, classes)
    if "logit" in outputs:
        logits = _align_columns(outputs["logit"], False, own, classes)
        if logits.shape[1] > (outputs["logit"].shape[1:] or (2,))[0] > 1:
            # A class that the model never saw has no finite logit, but the probability 0.
            del aligned["logit"]
            aligned.setdefault("proba", softmax(np.asarray(logits, np.float64), axis=1))
        else:
            aligned["logit"] = logits
    if "score" in outputs:
        last = (own or classes)[-1]
        aligned["score"] = outputs["score"]
        if last != (max(classes) if positive is None else positive):
            aligned["score"] = -outputs["score"]
    return aligned


def list_classes(y: Any, task: Task | None) -> list[Label]:
    """Sorted classes of a truth `y`; none where `task` is regression.

    The labels of a multi-label truth are its columns' names, or else 0, 1, ...
    """
    if task == "regression":
        return []
    values = np.asarray(y)
    if values.ndim == 2:
        return list(getattr(y, "columns", range(values.shape[1])))
    if values.dtype.kind in "iuf":
        return sorted(numpy_to_arrow(values).unique().to_pylist())
    return [to_label(v) for v in sorted(set(values.tolist()))]


def find_several(y: Any) -> Task | None:
    """The task of a truth `y` of several columns, numbers or else labels; None of one column.

    >>> find_several([[0.5, 7.0]]), find_several([[0, 1]]), find_several([0, 1])
    ('multioutput', 'multilabel', None)
    """
    truth = np.asarray(y)
    if truth.ndim != 2 or truth.shape[1] < 2:
        return None
    return "multioutput" if holds_numbers(truth) else "multilabel"


def to_label(value: Any) -> Label:
    """`value` as a plain Python object."""
    label: Label = value.item() if isinstance(value, np.generic) else value
    return label


def gives_batches(data: Any) -> bool:
    """Whether `data` are no rows, but something that gives batches of them."""
    has_rows = bool(getattr(data, "shape", None)) or hasattr(data, "__len__")
    return hasattr(data, "__iter__") and not has_rows


def split_pair(batch: Any) -> tuple[Any, Any | None]:
    """Inputs and truth of a `batch`: a pair, or inputs alone."""
    return batch if isinstance(batch, tuple) and len(batch) == 2 else (batch, None)


def count_rows(data: Any) -> int:
    """Number of rows of `data`: an array, a list, a data frame or a sparse matrix."""
    shape = getattr(data, "shape", None)
    if not shape and not hasattr(data, "__len__"):
        raise UnsupportedError(
            f"the inputs are a {type(data).__name__}; expected one a row: an array, a list or a "
            "data frame"
        )
    return int(shape[0]) if shape else len(data)


def slice_rows(data: Any, start: int, stop: int) -> Any:
    """Rows from `start` to before `stop` of `data`."""
    return data.iloc[start:stop] if hasattr(data, "iloc") else data[start:stop]


def _align_columns(
    columns: Array, are_proba: bool, own: Sequence[Label] | None, classes: Sequence[Label]
) -> Array:
    if columns.ndim == 1 or (columns.shape[1] == 1 and len(classes) == 2):
        last = columns.reshape(-1)
        columns = np.stack([1 - last if are_proba else np.zeros_like(last), last], axis=1)
    if own is None or len(own) != columns.shape[1]:
        return columns
    return _place_columns(columns, own, classes, 0.0 if are_proba else -np.inf)


def _place_columns(
    columns: Array, own: Sequence[Label], classes: Sequence[Label], absent: float
) -> Array:
    """Columns of a model's own classes over `classes`; `absent` for a class it never saw."""
    if list(own) == list(classes):
        return columns
    place = {label: i for i, label in enumerate(classes)}
    unknown = [label for label in own if label not in place]
    if unknown:
        raise UnsupportedError(
            f"the model knows class {unknown[0]!r}, which is not among the classes "
            f"{list(classes)[:10]}"
        )
    full = np.full((len(columns), len(classes)), absent, columns.dtype)
    full[:, [place[label] for label in own]] = columns
    return full


def _flatten_values(values: Array) -> Array:
    if values.ndim > 1 and values.size != len(values):
        raise UnsupportedError(
            f"the model predicts {values.shape[1]} numbers a row, where a regression has one. If "
            f"the truth has as many, say task='multioutput'; else take the column that is meant "
            f"and use Predictions.from_arrays(y, {{name: column}})"
        )
    return values.astype(np.float64).reshape(len(values))
