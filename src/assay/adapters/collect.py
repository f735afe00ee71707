"""Collect: fitted models of any framework and the rows to predict, made into one checked table.

>>> from sklearn.linear_model import LogisticRegression
>>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
>>> collect({"lr": LogisticRegression().fit(X, y)}, X, y)
Predictions: 4 rows, binary (high, low; positive: low), 1 model: lr (label, proba)
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, overload

from assay.adapters.arguments import check_truth, name_models
from assay.adapters.base import Adapter, find_adapter
from assay.adapters.passes import Pass
from assay.adapters.rows import RowColumns, RowTable
from assay.adapters.spool import Spool
from assay.core.progress import show_progress
from assay.errors import UnsupportedError
from assay.io.stream import Stream, scan
from assay.io.writer import open_writer, require_parquet
from assay.table.predictions import Predictions
from assay.table.schema import Kind, Task

__all__ = ["collect"]


@overload
def collect(
    models: Mapping[str, Any] | Sequence[Any],
    data: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    device: str | None = None,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    out: None = None,
    progress: bool | None = None,
    **columns: Any,
) -> Predictions: ...
@overload
def collect(
    models: Mapping[str, Any] | Sequence[Any],
    data: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    device: str | None = None,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    out: str | os.PathLike[str],
    progress: bool | None = None,
    **columns: Any,
) -> Stream: ...
def collect(  # noqa: PLR0913 - each option stands for itself
    models: Mapping[str, Any] | Sequence[Any],
    data: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    device: str | None = None,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    **columns: Any,
) -> Predictions | Stream:
    """What each fitted model predicts for the same rows, beside their truth, as one checked table.

    Parameters:
        models: Name -> fitted model, of any framework that `assay list adapters` shows, or a
            function of a batch of rows; or a list of models, named by their classes (`svc`, or
            `svc-1` and `svc-2`).
        data: The rows in order: what the models take (arrays, data frames, texts), or a loader or
            data set of the framework, of (inputs, truth), that does not shuffle. None where the
            models hold their rows, as what a Trainer of Transformers predicted.
        y: Truth of the rows (n,), or 0/1 (n, labels) for multi-label; default: that of the data.
        batch_size: Rows predicted at a time, 1 or more; default: what suits the framework, as 1024
            for PyTorch; a loader's own.
        device: Device to predict on, as in "cuda"; the model is moved back afterwards; default:
            where each model is.
        task: Task, where it is not plain from models and truth.
        kinds: Kind of a model's output, as in {"net": "proba"}, where it cannot be told from the
            numbers: single outputs in [0, 1] may be logits or probabilities.
        out: Parquet file to write the rows to as they come, with memory that does not grow with
            them; it is there whole or not at all. Default: the table is held in memory.
        progress: Whether to show a bar with the rows per second; default: on a terminal.
        **columns: Further keywords of `Predictions.from_arrays`: classes (in the order of output
            columns, where the models do not know theirs), positive, weight, id, split, groups, ...

    Returns:
        One table: labels and probabilities of models that give them, logits of networks; with
        `out` a `Stream` of the file.

    Raises:
        UnsupportedError: A model of no known framework or one that is not fitted, data in shuffled
            order, no truth, or output columns that cannot be matched to the classes.
        MissingDependencyError: A framework is not installed; the message names the extra.
        ReadError: The file cannot be written.

    >>> from sklearn.tree import DecisionTreeRegressor
    >>> X, y = [[0.0], [1.0], [2.0]], [0.5, 1.5, 2.5]
    >>> collect({"tree": DecisionTreeRegressor().fit(X, y)}, X, y, id=["a", "b", "c"])
    Predictions: 3 rows, regression, 1 model: tree (value)
    """
    models = name_models(models, "fitted model")
    if batch_size is not None and batch_size < 1:
        raise UnsupportedError(f"batch_size must be 1 or more; got {batch_size}")
    adapters = {name: find_adapter(model) for name, model in models.items()}
    if out is not None:
        require_parquet(out)
    if y is not None:
        check_truth(y)
    folder = None if out is None else Path(os.path.realpath(out)).parent
    with ExitStack() as stack:
        passes = [
            Pass(adapter, members, stack.enter_context(Spool(folder)))
            for adapter, members in _group_models(models, adapters)
        ]
        _run_all(passes, data, batch_size, device, progress)
        table = RowTable(passes, list(models), y, task, kinds or {}, RowColumns(columns))
        table.require_order(data, batch_size)
        notes = tuple(note for each in passes for note in each.notes) + table.notes
        if out is None:
            predictions = next(table.read())
            return replace(predictions, notes=(*notes, *predictions.notes))
        with open_writer(out) as write:
            for chunk in table.read_chunks():
                write(chunk)
    stream = scan(out)
    return replace(stream, notes=(*notes, *stream.notes))


def _group_models(
    models: Mapping[str, Any], adapters: Mapping[str, Adapter]
) -> Iterator[tuple[Adapter, dict[str, Any]]]:
    """Each adapter once, with its models."""
    for adapter in {adapter.name: adapter for adapter in adapters.values()}.values():
        yield adapter, {n: m for n, m in models.items() if adapters[n].name == adapter.name}


def _run_all(
    passes: Sequence[Pass],
    data: Any,
    batch_size: int | None,
    device: str | None,
    progress: bool | None,
) -> None:
    """Run every pass under one bar, which counts rows."""
    counts = [each.adapter.count_data(data) or 0 for each in passes]
    with show_progress("collecting", sum(counts), progress) as move:
        update = _make_counter(move)
        for each in passes:
            each.run(data, batch_size=batch_size, device=device, update=update)


def _make_counter(move: Callable[[int, str], None]) -> Callable[[int], None]:
    """What moves the bar by so many rows, and says how many there are per second."""
    started = monotonic()
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        seconds = monotonic() - started
        move(done, f"{done / seconds:,.0f} rows/s" if seconds else "")

    return count
