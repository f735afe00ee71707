"""Advice that reads the data: numbered checks, each with the evidence in figures and what to read or do instead.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["no"] * 95 + ["yes"] * 5, {"lazy": ["no"] * 100})
>>> print(advise(p)[0])
A001 Classes are imbalanced: accuracy misleads. 'no' is 95.0% of 100 rows: a model that always answers it has accuracy
0.95 and finds no row of any other class. Read balanced_accuracy, f1(average=macro) and the precision and recall of each
class; where scores are given, the precision-recall curve rather than ROC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from assay.advice import data, leakage, models, remedies
from assay.advice.base import Advice, Seen
from assay.engines.base import Job
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.io.stream import Stream
from assay.kernels import FEW_CLASSES, Array, count_pairs
from assay.metrics.base import Metric
from assay.states.confusion import Confusion, Counts
from assay.table.predictions import Predictions

__all__ = ["CHECKS", "Advice", "advise", "costs_of", "majority_baseline"]

CHECKS: Mapping[str, Callable[[Seen], Iterable[Advice]]] = {
    "A001": data.imbalance,
    "A002": models.below_baseline,
    "A003": data.assumed_positive,
    "A004": data.rare_class,
    "A005": leakage.training_rows,
    "A006": remedies.uncalibrated,
    "A007": remedies.threshold_moved,
    "A008": data.too_few_rows,
    "A009": leakage.odd_fold,
    "A010": leakage.shared_across_splits,
    "A011": models.permuted_columns,
    "A012": models.impossible_truth,
    "A013": remedies.unequal_costs,
    "A014": models.below_mean,
    "A015": models.tied_classes,
}


@np.errstate(
    over="ignore", invalid="ignore"
)  # numbers near the largest there is have no finite square
def advise(
    predictions: Predictions | Stream,
    counts: Mapping[str, Counts] | None = None,
    ignore: Iterable[str] = (),
    *,
    thorough: bool = False,
    costs: str | Sequence[Sequence[float]] | None = None,
    seed: int = 0,
) -> tuple[Advice, ...]:
    """Every finding of every check on the table, but for the codes to `ignore`.

    counts: the confusion counts of models, where an evaluation has them already; they are counted here if None.
    thorough: also try the remedies that must be fitted (a temperature, a threshold), cross-fitted with `seed`.
    costs: what each kind of error costs, rows truth and columns prediction in the class order, as in "0 1;5 0".
    """
    skip = set(ignore)
    if unknown := skip - CHECKS.keys():
        raise UnsupportedError(
            f"no advice has the code {sorted(unknown)[0]!r}; the codes are {', '.join(CHECKS)}"
        )
    seen = look(predictions, counts, thorough, costs, seed)
    return tuple(
        advice for code, check in CHECKS.items() if code not in skip for advice in check(seen)
    )


def look(
    predictions: Predictions | Stream,
    counts: Mapping[str, Counts] | None = None,
    thorough: bool = False,
    costs: str | Sequence[Sequence[float]] | None = None,
    seed: int = 0,
) -> Seen:
    """Gather what the checks look at, in one pass or none."""
    schema = predictions.schema
    matrix = None
    if costs is not None:
        from assay.metrics.cost import cost_matrix

        matrix = cost_matrix(costs)
    if schema.task in ("regression", "multilabel"):
        return Seen(predictions, np.zeros(0), np.zeros(0), {}, matrix, thorough, seed)
    if counts is None:
        able = [m for m in schema.models if schema.offers(m, "label")]
        jobs = [Job(Confusion(), (m,)) for m in able]
        folded = Local().fold(predictions, jobs)
        counts = {job.models[0]: Confusion().summary(folded[job], schema) for job in jobs}
    head = predictions.head if isinstance(predictions, Stream) else predictions
    known = next(iter(counts.values()), None) if head.weight is None else None
    rows = _rows_of_classes(head) if known is None else known.support[0]
    weight = rows if head.weight is None else np.bincount(head.truth, head.weight, schema.k)
    return Seen(predictions, rows, weight, counts, matrix, thorough, seed)


def _rows_of_classes(table: Predictions) -> Array:
    """Number of rows of each class (k,)."""
    k = table.schema.k
    if k > FEW_CLASSES:
        return np.bincount(table.truth, minlength=k)
    half = table.n // 2  # narrow codes are counted as they are, two at a time
    pairs, rest = (
        count_pairs(table.truth[:half], table.truth[half : 2 * half], k),
        table.truth[2 * half :],
    )
    return np.asarray(pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(rest, minlength=k))


def majority_baseline(predictions: Predictions, name: str = "baseline") -> Predictions:
    """The table with one more model that ignores the rows: the majority class with the class shares as probabilities.

    In regression it says the mean of the truth; in multi-label the majority of each label. It is fitted on the rows it
    is scored on, which flatters it: a model that does not clearly beat it has learned nothing.
    """
    n, task = predictions.n, predictions.task
    if task == "regression":
        mean = np.average(predictions.truth, weights=predictions.weight) if n else 0.0
        return predictions.append(name, value=np.full(n, mean))
    if task == "multilabel":
        share = np.average(predictions.truth, axis=0, weights=predictions.weight)
        return predictions.append(name, proba=np.tile(share, (n, 1)))
    return predictions.append(name, proba=np.tile(look(predictions, {}).shares, (n, 1)))


def costs_of(metrics: Iterable[tuple[str, Metric]]) -> str | None:
    """The costs of errors that the first metric with a matrix of them states; None where there is none."""
    found = [metric for _, metric in metrics if hasattr(metric, "costs")]
    if not found:
        return None
    from assay.metrics.cost import ExpectedCost, cost_matrix, cost_text

    stated = (cost_matrix(metric.costs) for metric in found if isinstance(metric, ExpectedCost))
    return next((cost_text(matrix) for matrix in stated if len(matrix) > 1), None)
