"""Hardest rows: those that models get most wrong, each by itself and all together.

>>> from assay.table.predictions import Predictions
>>> y = ["cat", "dog", "cat"]
>>> p = Predictions.from_arrays(y, {"a": ["cat", "cat", "cat"], "b": ["cat", "cat", "dog"]})
>>> [(row.row, row.loss) for row in hardest_rows(p, most=2).rows]
[(1, 2.25), (2, 0.75)]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.audit.losses import compute_losses
from assay.core.arguments import check_whole, list_names
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["HardRow", "HardestRows", "hardest_rows"]

MOST = 20


@dataclass(frozen=True)
class HardRow:
    """A row of the table and how hard it is.

    `row` is its number, from 0, `id` its name where the table has names. `loss` is the mean over
    models of its loss, each in units of that model's mean loss; `wrong` how many models are wrong
    on it. `predicted` holds the answer of each model, `losses` the loss of each.
    """

    row: int
    id: Any
    truth: Any
    loss: float
    wrong: int
    predicted: Mapping[str, Any]
    losses: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class HardestRows(Result):
    """The rows that models get most wrong, the hardest first.

    >>> p = Predictions.from_arrays([1.0, 2.0, 9.0], {"m": [1.0, 2.5, 3.0]}, task="regression")
    >>> hardest_rows(p, most=1).verdict
    'Row 2 is the hardest of 3.'
    """

    schema_name: ClassVar[str] = "assay.hardest_rows/1"

    rows: tuple[HardRow, ...]
    by_model: Mapping[str, tuple[int, ...]]
    loss: Mapping[str, str]
    n: int
    shared: int
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Which row is the hardest, and how many of those shown are hard for every model."""
        if not self.rows:
            return "No row has a loss."
        first = self.rows[0]
        name = f"Row {first.row}" if first.id is None else f"Row {first.id!r}"
        if len(self.by_model) == 1:
            return f"{name} is the hardest of {self.n:,}."
        return (
            f"{name} is the hardest of {self.n:,}; {self.shared} of the {len(self.rows)} hardest "
            f"cost every model more than its mean loss."
        )

    @property
    def tables(self) -> list[TextTable]:
        """The rows that are hard for all models together."""
        models = list(self.by_model)
        header = ["row", "truth", "loss", "wrong", *models]
        body = [
            [
                str(row.row if row.id is None else row.id),
                _format_label(row.truth),
                format_number(row.loss),
                f"{row.wrong} of {len(models)}",
                *(_format_label(row.predicted[model]) for model in models),
            ]
            for row in self.rows
        ]
        return [TextTable(header, body)] if body else []


@accept_arrays
def hardest_rows(
    predictions: Source,
    *,
    models: str | Sequence[str] | None = None,
    most: int = MOST,
    where: str | None = None,
) -> HardestRows:
    """The rows that models get most wrong: by all models together, and by each.

    The loss of a row is the log loss where a model gives probabilities, the squared error in
    regression, the share of words that are not shared in text (1 - token_f1), else whether the
    label is wrong. Each model counts by how many times its own mean
    loss a row has, so that a model of large losses does not decide alone. Rows that all models get
    wrong with confidence are where a label may be wrong: look at them first.

    Parameters:
        predictions: A table, a data frame, the path of a file or of several, or the truth followed
            by what models predict, as for `evaluate`.
        models: Models to go by; default: all.
        most: How many rows to give, 1 or more; default 20.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        The rows, the hardest first; `by_model` has the numbers of the rows hardest for each model.
        Rows of weight 0 are left out.

    Raises:
        SchemaError: One of `models` is not in the table, a model has no loss, or the table cannot
            be used.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 1, 1], {"m.proba": [0.2, 0.9, 0.1]}, id=["a", "b", "c"])
    >>> hardest_rows(p, most=1).rows[0].id
    'c'
    """
    check_whole("most", most, 1)
    table = open_table(predictions, in_memory=True, where=where, judging=True)
    if models is not None:
        table = table.select(list_names("models", models))
    names = table.models
    found = {name: compute_losses(table.rows(name)) for name in names}
    counting = np.ones(table.n, bool) if table.weight is None else table.weight > 0
    shares = np.stack([_share(loss, counting) for _, loss in found.values()])
    total = np.where(counting, shares.mean(axis=0), -1.0)
    places = _find_largest(total, most, counting)
    hardest = {
        name: tuple(_find_largest(np.where(counting, loss, -1.0), most, counting).tolist())
        for name, (_, loss) in found.items()
    }
    wrong = {name: _find_wrong(table, name) for name in names}
    rows = tuple(
        HardRow(
            row=int(place),
            id=table.columns["id"][int(place)].as_py() if "id" in table.columns else None,
            truth=_read_truth(table, int(place)),
            loss=float(total[place]),
            wrong=sum(int(wrong[name][place]) for name in names),
            predicted={name: _read_answer(table, name, int(place)) for name in names},
            losses={name: float(loss[place]) for name, (_, loss) in found.items()},
        )
        for place in places
    )
    return HardestRows(
        rows=rows,
        by_model=hardest,
        loss={name: loss for name, (loss, _) in found.items()},
        n=table.n,
        shared=int((shares[:, places] > 1).all(axis=0).sum()),
        notes=tuple(table.notes),
    )


def _share(loss: Array, counting: Array) -> Array:
    """The loss of each row (n,) in units of the mean of those that count; 0 where none is lost."""
    mean = float(loss[counting].mean()) if counting.any() else 0.0
    return np.asarray(loss / mean) if mean > 0 else np.zeros_like(loss)


def _find_largest(values: Array, most: int, counting: Array) -> Array:
    """Places of the largest `values` (n,) above 0, the largest first, ties in the order of rows."""
    most = min(most, int(counting.sum()))
    if not most:
        return np.zeros(0, np.intp)
    least = np.partition(values, len(values) - most)[-most]
    candidates = np.flatnonzero(values >= least)
    order = candidates[np.argsort(-values[candidates], kind="stable")][:most]
    return np.asarray(order[values[order] > 0])


def _find_wrong(table: Predictions, model: str) -> Array:
    """Whether the model's label is not the truth (n,); in a regression no row counts as wrong."""
    rows = table.rows(model)
    if table.task in ("regression", "multioutput"):
        return np.zeros(table.n, bool)
    if table.task == "text":
        return np.asarray(rows.truth != rows.text, bool)
    wrong = np.asarray(rows.truth != rows.label)
    return np.asarray(wrong.any(axis=1)) if wrong.ndim == 2 else wrong


def _read_truth(table: Predictions, place: int) -> Any:
    return _name(table, table.truth[place])


def _read_answer(table: Predictions, model: str, place: int) -> Any:
    """The label of the model, the number that it predicts, or the text that it wrote."""
    rows = table.rows(model)
    if table.task == "text":
        return str(rows.text[place])
    numbers = table.task in ("regression", "multioutput")
    return _name(table, (rows.value if numbers else rows.label)[place])


def _name(table: Predictions, value: Any) -> Any:
    """A class code, a row of 0 and 1 for each label, or a number, as people read it."""
    if table.task == "regression":
        return float(value)
    if table.task == "text":
        return str(value)
    if table.task == "multioutput":
        return value.tolist()
    if table.task == "multilabel":
        return [name for name, given in zip(table.classes, value.tolist(), strict=True) if given]
    return table.classes[int(value)]


def _format_label(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_format_label, value)) or "none"
    return format_number(value) if isinstance(value, float) else str(value)
