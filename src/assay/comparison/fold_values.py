"""fold_values: the value of each model in each fold of a cross-validated table.

>>> p = Predictions.from_arrays([0, 1, 0, 1], {"a": [0, 1, 1, 1]}, fold=[0, 0, 1, 1])
>>> Folds.from_table(p).ratio, fold_values(p, "accuracy")["a"].tolist()
(1.0, [1.0, 0.5])
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.comparison.equal_differences import are_equal
from assay.engines.base import Engine, Job, resolve_engine
from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.groups import group_rows
from assay.table.predictions import Predictions

__all__ = [
    "Folds", "FoldsError", "defined_fold_values", "estimate_spread", "fold_values", "mean_defined",
    "select_models",
]  # fmt: skip


class FoldsError(SchemaError, UnsupportedError):
    """The folds of this table cannot say which algorithm is better; the message says why."""


@dataclass(frozen=True, eq=False)
class Folds:
    """Which row is held out in which fold.

    `fold` (n,) indexes `keys`; `row` (n,) is the number of the row of data. In repeated
    cross-validation a row of data recurs in the table. It is known by the column `row`, else by a
    `cluster` that no fold holds twice; otherwise every row of the table is a row of data.
    """

    fold: Array
    row: Array
    keys: tuple[object, ...]

    @classmethod
    def from_table(cls, predictions: Predictions) -> "Folds":
        """The folds of a table.

        Parameters:
            predictions: A table with a column `fold`.

        Raises:
            SchemaError: The table has no column `fold`, or fewer than two folds.
            FoldsError: A row has no fold.
        """
        if "fold" not in predictions.columns:
            raise SchemaError(
                "algorithms are compared by the folds of cross-validation, and the table has no "
                "'fold' column; give one, as validate does, or compare the fitted models on these "
                "rows with compare(...)"
            )
        grouping = group_rows(predictions, ["fold"])
        keys = tuple(key[0] for key in grouping.keys)
        if "(missing)" in keys:
            first = int(np.argmax(grouping.codes == keys.index("(missing)")))
            raise FoldsError(
                f"row {first} has no fold; expected the fold in which each row was held out"
            )
        if len(keys) < 2:
            raise SchemaError(
                f"the fold column holds {len(keys)} fold; comparing algorithms needs 2 or more"
            )
        return cls(grouping.codes, _row_numbers(predictions, grouping.codes), keys)

    @property
    def n_rows(self) -> int:
        """Number of rows of data."""
        return int(self.row.max(initial=-1)) + 1

    @property
    def test_rows(self) -> Array:
        """Number of rows of data that each fold holds out (folds,)."""
        pairs = np.unique(self.fold * self.n_rows + self.row)
        return np.bincount(pairs // self.n_rows, minlength=len(self.keys))

    @property
    def repeats(self) -> float:
        """How often a row of data is held out, on average.

        It is 1 except where rows recur, as in repeated cross-validation.
        """
        return float(self.test_rows.sum() / max(self.n_rows, 1))

    @property
    def ratio(self) -> float:
        """n_test / n_train, mean over folds; n_train counts the rows that a fold does not hold out.

        Where training used fewer rows (time-ordered splits) the true ratio is larger.
        """
        test = self.test_rows
        train = self.n_rows - test
        if not train.any():
            raise FoldsError(
                "every fold holds out every row, so nothing was left to train on; check the fold "
                "column"
            )
        return float(test.mean() / train.mean())


def _row_numbers(predictions: Predictions, fold: Array) -> Array:
    for name in ("row", "cluster"):
        if name in predictions.columns:
            codes, values = predictions.group(name)
            # A group of rows kept together also makes a cluster; only a row of data is in a fold
            # but once.
            if name == "row" or len(np.unique(fold * len(values) + codes)) == len(codes):
                return np.unique(codes, return_inverse=True)[1].reshape(-1)
    return np.arange(predictions.n)


def fold_values(
    predictions: Predictions,
    metric: str | Metric,
    models: Sequence[str] | None = None,
    engine: str | Engine | None = None,
) -> dict[str, Array]:
    """The value of each model in each fold (folds,), folds in sorted order.

    Parameters:
        predictions: A table with a column `fold`.
        metric: A metric with one value a table.
        models: Names of models; default: those that give what the metric reads.
        engine: Text such as "processes(workers=4)" or an Engine; default "local", on threads.

    Returns:
        The values by model; nan where a fold does not define the metric.

    Raises:
        UnsupportedError: The metric has one value a class.

    >>> p = Predictions.from_arrays([0, 1, 0, 1], {"a": [0, 1, 1, 1]}, fold=[0, 0, 1, 1])
    >>> fold_values(p, "accuracy")["a"].tolist()
    [1.0, 0.5]
    """
    text, bound = resolve(metric, predictions.schema)[0]
    if bound.granularity != "table":
        raise UnsupportedError(
            f"{text} has one value a class; compare by one value, as in f1(average=macro)"
            if predictions.schema.task != "multioutput"
            else f"{text} has one value an output; compare by the mean over outputs: {bound.name}"
        )
    state = bound.state
    grouping = group_rows(predictions, ["fold"])
    jobs = {m: Job(state, (m,)) for m in models or select_models(predictions, bound)}
    values = (resolve_engine(engine)).fold(predictions, list(jobs.values()), grouping)

    def estimate(job: Job, place: int) -> float:
        one = state.select(values[job], slice(place, place + 1))
        return float(bound.estimate(state.summary(one, predictions.schema))[0])

    places = range(len(grouping.keys))
    return {m: np.array([estimate(job, i) for i in places]) for m, job in jobs.items()}


def mean_defined(values: Sequence[float] | Array) -> float:
    """Mean of the `values` that are defined, nan where there is none.

    >>> mean_defined([0.5, float("nan"), 0.7])
    0.6
    """
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def select_models(predictions: Predictions, metric: Metric) -> list[str]:
    """The models of `predictions` that give what `metric` reads."""
    return [m for m in predictions.models if predictions.schema.offers(m, metric.reads)]


def estimate_spread(differences: Array, step: float) -> float:
    """Standard deviation of the `differences` of folds (folds,).

    It is that of rounding to `step` where the differences are all equal.
    """
    if are_equal(differences):
        return float(step / np.sqrt(12))
    return float(differences.std(ddof=1))


def defined_fold_values(
    predictions: Predictions,
    metric: str | Metric,
    models: Sequence[str],
    engine: str | Engine | None,
) -> tuple[Folds, dict[str, Array], tuple[str, ...]]:
    """The folds, the values of those where every model's is defined, and a note on the others.

    Parameters:
        predictions: A table with a column `fold`.
        metric: A metric with one value a table.
        models: Names of models.
        engine: What reads the rows.

    Raises:
        FoldsError: Fewer than two folds define the metric.
    """
    folds = Folds.from_table(predictions)
    values = _drop_undefined_models(fold_values(predictions, metric, models, engine))
    lost = np.isnan(np.array(list(values.values()))).any(axis=0)
    if not lost.any():
        return folds, values, ()
    text, bound = resolve(metric, predictions.schema)[0]
    names = ", ".join(str(key) for key, out in zip(folds.keys, lost, strict=True) if out)
    counted = f"{lost.sum()} of {len(lost)} folds"
    if len(lost) - int(lost.sum()) < 2:
        raise FoldsError(
            f"{text} is undefined ({bound.undefined}) in {counted} ({names}); comparing algorithms "
            f"needs 2 folds that define it: cross-validate with fewer, larger folds"
        )
    note = f"{counted} left out, where {text} is undefined ({bound.undefined}): {names}"
    return folds, {m: v[~lost] for m, v in values.items()}, (note,)


def _drop_undefined_models(values: dict[str, Array]) -> dict[str, Array]:
    """The models with two values or more; all of them where there is none."""
    return {m: v for m, v in values.items() if np.isfinite(v).sum() > 1} or values
