"""Passes: models of one framework predict all rows of the data, batch by batch, in one pass.

>>> from assay.adapters.base import find_adapter
>>> from sklearn.linear_model import LinearRegression
>>> line = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
>>> done = Pass(find_adapter(line), {"line": line}, Spool())
>>> done.run([[2.0], [3.0]], batch_size=1)
>>> [chunk["line.value"].round(9).tolist() for chunk in done.spool.read()]
[[4.0, 6.0]]
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.adapters.base import Adapter, Answers
from assay.adapters.extents import Extent
from assay.adapters.spool import Spool, convert_to_plain
from assay.errors import AssayError, UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Kind

__all__ = ["FURTHER", "Pass", "convert_truth"]

FURTHER = "column."  # how the names of further columns begin in the spool
MOST_DISTINCT = 1 << 16  # values of the truth that are kept apart


@dataclass
class Pass:
    """The models of one adapter and what they gave.

    `spool` holds a column for each output, named <model>.<kind>, the truth of the data as `truth`
    and, where the rows are not the inputs, the position of their input as `origins`; further
    columns of the rows are named column.<name>. `distinct` has
    each value of that truth once. `classes` are those that the outputs of a model name.
    """

    adapter: Adapter
    models: Mapping[str, Any]
    spool: Spool
    extents: dict[str, dict[Kind, Extent]] = field(default_factory=dict)
    inputs: int = 0
    distinct: Array | None = None
    without_truth: bool = False
    has_origins: bool = False
    notes: list[str] = field(default_factory=list)
    classes: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    _limits: dict[str, int] = field(default_factory=dict)

    def run(
        self,
        data: Any,
        *,
        batch_size: int | None = None,
        device: str | None = None,
        update: Callable[[int], None] | None = None,
    ) -> None:
        """Predict all rows of `data`.

        Parameters:
            data: The rows, as the adapter's `batches` takes them.
            batch_size: Rows a batch; default: the adapter's.
            device: Device to predict on; default: where each model is.
            update: Is told the number of rows after each batch; default: nobody is.
        """
        size = batch_size or self.adapter.batch_size
        if self.adapter.count_data(data) == 0:
            raise UnsupportedError("the data has no rows to predict")
        with ExitStack() as stack:
            for name, model in self.models.items():
                with _name_errors(name, self.adapter):
                    stack.enter_context(self.adapter.prepare(model, device))
            for inputs, truth in self.adapter.batches(data, size):
                count = self.adapter.count_rows(inputs)
                if count:
                    self._predict_batch(inputs, truth, device, count)
                self.inputs += count
                if update is not None:
                    update(count)
        if not self.spool.n:
            raise UnsupportedError("the data has no rows to predict")
        for name, limit in self._limits.items():
            self.notes.append(
                f"Model {name!r} predicted {limit} rows at a time: more did not fit the device's "
                f"memory."
            )

    def _predict_batch(
        self, inputs: Any, truth: Any | None, device: str | None, count: int
    ) -> None:
        columns: dict[str, Array] = {}
        first: Answers | None = None
        n = 0
        for name, model in self.models.items():
            answers = self._answer(name, model, inputs, truth, device, count)
            known = self.extents.setdefault(name, {})
            for kind, values in answers.outputs.items():
                columns[f"{name}.{kind}"] = values
                known[kind] = (known.get(kind) or Extent()).observe(values)
            n = len(next(iter(answers.outputs.values())))
            self._note_classes(name, answers)
            if first is None:
                first = answers
                continue
            _refuse_other_rows(name, answers, first)
        assert first is not None
        expected = n if inputs is None else count
        if first.origins is not None:
            self.has_origins = True
            columns["origins"] = first.origins + self.inputs
        elif n != expected:
            raise UnsupportedError(
                f"model {next(iter(self.models))!r} gives {n} rows for {expected} rows of data; "
                f"expected one for each, in their order"
            )
        self.without_truth = first.without_truth
        columns |= {f"{FURTHER}{name}": values for name, values in first.columns.items()}
        if first.truth is not None:
            columns["truth"] = convert_truth(first.truth)
            self._note_values(columns["truth"])
        self.spool.append(columns)

    def _note_classes(self, name: str, answers: Answers) -> None:
        """Keep the classes that the outputs name, which are the same in all batches, and notes."""
        if answers.classes is not None:
            known = self.classes.setdefault(name, answers.classes)
            if known != answers.classes:
                raise UnsupportedError(
                    f"model {name!r} names other classes in a later batch: {answers.classes[:10]} "
                    f"after {known[:10]}"
                )
        self.notes += [n for n in answers.notes if n not in self.notes]

    def _answer(
        self, name: str, model: Any, inputs: Any, truth: Any | None, device: str | None, count: int
    ) -> Answers:
        """What one model gives for a batch of so many inputs, in smaller ones where the device's
        memory is full.
        """
        adapter = self.adapter
        limit = self._limits.get(name, count)
        if limit >= count:
            try:
                return _answer_whole(name, adapter, model, inputs, truth, device)
            except OutOfMemoryError as error:
                if count == 1:
                    raise UnsupportedError(
                        f"model {name!r} cannot predict a single row: the memory of the device is "
                        f"full ({error}); predict on another device"
                    ) from error
                adapter.release_memory()
                limit = self._limits[name] = -(-count // 2)
        parts = []
        for start in range(0, count, limit):
            stop = min(start + limit, count)
            part = None if truth is None else truth[start:stop]
            piece = adapter.slice_rows(inputs, start, stop)
            answers = self._answer(name, model, piece, part, device, stop - start)
            if answers.origins is not None:
                answers = answers._replace(origins=answers.origins + start)
            parts.append(answers)
        return _join_answers(parts)

    def _note_values(self, truth: Array) -> None:
        if truth.ndim != 1:
            self.distinct = truth if self.distinct is None else self.distinct
            return
        if self.distinct is not None and len(self.distinct) >= MOST_DISTINCT:
            return
        values = np.unique(truth)
        known = self.distinct
        self.distinct = values if known is None else np.union1d(known, values)


class OutOfMemoryError(UnsupportedError):
    """The memory of a device is full."""


def convert_truth(values: Any) -> Array:
    """A tensor or array of `values` as NumPy, a column (n, 1) as (n,)."""
    array = convert_to_plain(values.detach().cpu() if hasattr(values, "detach") else values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _answer_whole(
    name: str, adapter: Adapter, model: Any, inputs: Any, truth: Any | None, device: str | None
) -> Answers:
    """What one model gives for one batch; what it raises names it."""
    try:
        return adapter.answer(model, inputs, truth, device=device)
    except AssayError:
        raise
    except Exception as error:
        raise _name_error(error, name, adapter) from error


@contextmanager
def _name_errors(name: str, adapter: Adapter) -> Iterator[None]:
    """What the framework of an adapter raises inside as one sentence that names the model."""
    try:
        yield
    except AssayError:
        raise
    except Exception as error:
        raise _name_error(error, name, adapter) from error


def _name_error(error: Exception, name: str, adapter: Adapter) -> AssayError:
    """What an `error` of a framework says as one sentence that names the model."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if adapter.is_out_of_memory(error):
        return OutOfMemoryError(first)
    if _is_not_fitted(error):
        return UnsupportedError(
            f"model {name!r} is not fitted: fit it before its predictions are collected "
            f"({type(error).__name__}: {first})"
        )
    return UnsupportedError(
        f"model {name!r} cannot predict these inputs ({type(error).__name__}: {first})"
    )


def _is_not_fitted(error: Exception) -> bool:
    """Whether an `error` of any framework says that the model was never trained."""
    names = {cls.__name__ for cls in type(error).__mro__}
    said = ("no trained model", "need to call fit", "not fitted", "has not been fit")
    return "NotFittedError" in names or any(text in str(error).lower() for text in said)


def _refuse_other_rows(name: str, answers: Answers, first: Answers) -> None:
    """UnsupportedError where a further model has other rows than the first of its framework."""
    n = len(next(iter(answers.outputs.values())))
    expected = len(next(iter(first.outputs.values())))
    shared = first.columns.keys() & answers.columns.keys()
    differ = any(not np.array_equal(first.columns[c], answers.columns[c]) for c in shared)
    if differ:
        raise UnsupportedError(
            f"model {name!r} divides the texts into other tokens than the models before it, and "
            "models stand in one table only if they predict the same rows. Make one row of each "
            "text, with the sum of its log-probabilities as <model>.value and its length as bytes, "
            "and compare the models by bits_per_byte"
        )
    if n != expected:
        raise UnsupportedError(
            f"model {name!r} gives {n} rows where the models before it give {expected}: models "
            f"stand in one table only if they predict the same rows"
        )
    if answers.truth is first.truth or answers.truth is None or first.truth is None:
        return
    if not np.array_equal(convert_truth(answers.truth), convert_truth(first.truth)):
        raise UnsupportedError(
            f"model {name!r} has another truth than the models before it: they predicted other "
            f"rows, or in another order"
        )


def _join_answers(parts: list[Answers]) -> Answers:
    first = parts[0]
    outputs = {k: np.concatenate([p.outputs[k] for p in parts]) for k in first.outputs}
    truth = None
    if first.truth is not None:
        truth = np.concatenate([convert_truth(part.truth) for part in parts])
    origins = None
    if first.origins is not None:
        origins = np.concatenate([part.origins for part in parts if part.origins is not None])
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    columns = {c: np.concatenate([part.columns[c] for part in parts]) for c in first.columns}
    return first._replace(
        outputs=outputs, truth=truth, origins=origins, notes=notes, columns=columns
    )
