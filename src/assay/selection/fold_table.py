"""fold_table: what models predict for the rows that each fold holds out, as one table.

>>> from assay.selection.store import FoldOutput
>>> data = TrainingData([[0], [1], [2], [3]], ["a", "b", "a", "b"])
>>> splits = {0: (np.array([2, 3]), np.array([0, 1])), 1: (np.array([0, 1]), np.array([2, 3]))}
>>> labels = {"label": np.array(["a", "b"])}
>>> outputs = {("m", fold): FoldOutput("m", fold, labels, 0.1, 0.1) for fold in splits}
>>> build_fold_table(data, ["a", "b"], splits, outputs, ["m"]).columns["fold"].to_pylist()
[0, 0, 1, 1]
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay.adapters.base import count_rows
from assay.kernels import Array
from assay.selection.parallel import Pair
from assay.selection.splits import Split, number_repeats
from assay.selection.store import FoldOutput
from assay.selection.training_data import TrainingData, take_rows, take_values
from assay.table.labels import Label
from assay.table.predictions import Predictions

__all__ = ["build_fold_table"]


class _Side(NamedTuple):
    """Rows of the folds, `parts` of one fold each, and how they are ordered.

    `places` (n,) are positions in the parts, one after the other.
    """

    parts: Sequence[Array]
    folds: Sequence[int]
    places: Array

    @property
    def rows(self) -> Array:
        """Number of the row of data of each row (n,)."""
        return np.concatenate(self.parts)[self.places]

    @property
    def fold(self) -> Array:
        """Fold of each row (n,)."""
        return np.repeat(self.folds, [len(part) for part in self.parts])[self.places]

    def gather(self, values: Sequence[Array]) -> Array:
        """The `values` of the parts in the order of the rows."""
        return np.concatenate(values)[self.places]


def build_fold_table(
    data: TrainingData,
    classes: Sequence[Label],
    splits: Mapping[int, Split],
    outputs: Mapping[Pair, FoldOutput],
    models: Sequence[str],
    *,
    train_scores: bool = False,
    seeds: Mapping[int, int] | None = None,
) -> Predictions:
    """The held-out rows of the folds as one table, in the order of the data.

    Where a row was held out more than once it is there each time, fold by fold, with the number of
    the row as its cluster.

    Parameters:
        data: The rows.
        classes: Classes of the truth; none in a regression.
        splits: (train, test) positions of each fold, by its number.
        outputs: The output of every model in every fold.
        models: Names of the models.
        train_scores: Whether the rows that each fold was fitted on follow, told apart by `split`;
            default False.
        seeds: Seed of each fold, where folds were trained with several; default: one for all.

    Returns:
        The table, with columns `fold` and, where rows recur, `row`, `repeat` and `seed`.
    """
    folds = list(splits)
    tests = [splits[fold][1] for fold in folds]
    held_out = np.concatenate(tests)
    once = len(np.unique(held_out)) == len(held_out)
    order = np.argsort(held_out, kind="stable") if once else np.arange(len(held_out))
    side = _Side(tests, folds, order)
    if train_scores:
        trained = [splits[fold][0] for fold in folds]
        later = np.arange(sum(map(len, trained))) + len(held_out)
        side = _Side([*tests, *trained], [*folds, *folds], np.concatenate([order, later]))
    columns = {}
    for name in models:
        of_folds = [outputs[name, fold] for fold in folds]
        for kind in of_folds[0].outputs:
            parts = [output.outputs[kind] for output in of_folds]
            parts += [output.training[kind] for output in of_folds if train_scores]
            columns[f"{name}.{kind}"] = side.gather(parts)
    rows = side.rows
    cluster = data.groups
    if cluster is None and not once:
        cluster = np.arange(count_rows(data.y))
    recurring: dict[str, Array] = {}
    if train_scores or not once:
        recurring = {"row": rows, **_list_repeats(tests, folds, side.fold, seeds)}
    options: dict[str, Any] = {}
    if train_scores:
        options["split"] = np.repeat(["test", "train"], [len(held_out), len(rows) - len(held_out)])
    elif once and data.id is not None:
        options["id"] = take_rows(data.id, rows)
    return Predictions.from_arrays(
        take_rows(data.y, rows),
        columns,
        classes=classes or None,
        task=data.task,
        positive=data.positive,
        weight=take_values(data.weight, rows),
        fold=side.fold,
        cluster=take_values(cluster, rows),
        groups=recurring or None,
        **options,
    )


def _list_repeats(
    tests: Sequence[Array],
    folds: Sequence[int],
    fold: Array,
    seeds: Mapping[int, int] | None,
) -> dict[str, Array]:
    """The repeat and the seed of each row, whose `fold` (n,) is one of the `folds`, by column.

    Without repeats, or with one seed, there is no such column.
    """
    place = np.searchsorted(folds, fold)
    columns = {}
    repeats = number_repeats(tests)
    if repeats is not None:
        columns["repeat"] = np.array(repeats)[place]
    if seeds is not None:
        columns["seed"] = np.array([seeds[f] for f in folds])[place]
    return columns
