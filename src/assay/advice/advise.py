"""Advise: checks of data and models, each finding with its evidence and what to do instead.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["no"] * 95 + ["yes"] * 5, {"lazy": ["no"] * 100})
>>> print(advise(p)[0])
A001 Classes are imbalanced: accuracy misleads. 'no' is 95.0% of 100 rows: a model that always
answers it has accuracy 0.95 and finds no row of any other class. Read balanced_accuracy,
f1(average=macro) and the precision and recall of each class; where scores are given, the
precision-recall curve rather than ROC.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import numpy as np

from assay.advice.base import CHECKS, Advice, CheckContext
from assay.engines.base import Job
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import FEW_CLASSES, Array, count_pairs
from assay.metrics.base import Metric
from assay.states.confusion import Confusion, Counts
from assay.table.judging import leave_out_training
from assay.table.predictions import Predictions
from assay.table.protocol import Table
from assay.table.schema import WRITTEN

__all__ = [
    "Advice",
    "advise",
    "build_context",
    "find_advice",
    "find_costs",
    "list_checks",
    "majority_baseline",
]


@accept_arrays
@np.errstate(over="ignore", invalid="ignore")  # numbers near the largest have no finite square
def advise(
    predictions: Source | Table,
    counts: Mapping[str, Counts] | None = None,
    ignore: Iterable[str] = (),
    *,
    thorough: bool = False,
    costs: str | Sequence[Sequence[float]] | None = None,
    seed: int = 0,
    where: str | None = None,
) -> tuple[Advice, ...]:
    """Every finding of every check on the table, in the order of the codes.

    The checks are those of `assay list checks`: the project's own, and those of plug-ins that are
    imported.

    Parameters:
        predictions: A table, a `Stream`, a data frame, the path of a file or of several, or the
            truth followed by what models predict, as for `evaluate`.
        counts: Confusion counts of models, where an evaluation has them; default: counted here.
        ignore: Codes of checks to leave out, as in ["A003"].
        thorough: Whether remedies that must be fitted (a temperature, a threshold) are tried,
            cross-fitted; default False.
        costs: What each kind of error costs, rows truth and columns prediction in the order of the
            classes, as in "0 1;5 0"; default: all errors alike.
        seed: Seed of the folds of what is fitted; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        The findings, each with code, title, evidence and remedy.

    Raises:
        UnsupportedError: A code to ignore that no check has, or costs of another number of classes.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([0, 1] * 50, {"m": [0, 1] * 50}, split=["train"] * 100)
    >>> [advice.code for advice in advise(p, ignore=["A003"])]
    ['A005']
    """
    every = open_table(cast(Source, predictions), where=where)
    return find_advice(leave_out_training(every), every, counts, ignore, thorough, costs, seed)


@np.errstate(over="ignore", invalid="ignore")  # numbers near the largest have no finite square
def find_advice(
    table: Table,
    every: Table,
    counts: Mapping[str, Counts] | None = None,
    ignore: Iterable[str] = (),
    thorough: bool = False,
    costs: str | Sequence[Sequence[float]] | None = None,
    seed: int = 0,
) -> tuple[Advice, ...]:
    """Every finding on the judging rows of a table.

    Parameters:
        table: The rows that judge models.
        every: The same with the training rows, which may give others away.
        counts: Confusion counts of models, where an evaluation has them; default: counted here.
        ignore: Codes of checks to leave out.
        thorough: Whether remedies that must be fitted are tried; default False.
        costs: What each kind of error costs; default: all errors alike.
        seed: Seed of the folds of what is fitted; default 0.
    """
    codes = list_checks()
    skip = set(ignore)
    if unknown := skip - set(codes):
        raise UnsupportedError(
            f"no advice has the code {sorted(unknown)[0]!r}; the codes are {', '.join(codes)}"
        )
    if not table.schema.has_truth or table.schema.graded:
        return ()  # every check sets models against the truth, of 0 and 1 where there are labels
    context = build_context(table, counts, thorough, costs, seed, every)
    found: list[Advice] = []
    for code in codes:
        if code not in skip:
            found += CHECKS.parse(code).find(context)
    return tuple(found)


def list_checks() -> list[str]:
    """Codes of all checks in order: the project's own, and those of plug-ins that are imported."""
    # Entry points are not searched: that takes a quarter of the start-up of every evaluation.
    return CHECKS.names(installed=False)


def build_context(
    table: Table,
    counts: Mapping[str, Counts] | None = None,
    thorough: bool = False,
    costs: str | Sequence[Sequence[float]] | None = None,
    seed: int = 0,
    every: Table | None = None,
) -> CheckContext:
    """What the checks read of `table`, gathered in one pass or none.

    `counts`, `thorough`, `costs`, `seed` and `every` are those of `find_advice`.
    """
    schema = table.schema
    matrix = None
    if costs is not None:
        from assay.metrics.cost import cost_matrix

        matrix = cost_matrix(costs)
    if schema.task in ("regression", "multilabel", "multioutput", *WRITTEN):
        return CheckContext(table, np.zeros(0), np.zeros(0), {}, matrix, thorough, seed, every)
    if counts is None:
        jobs = [Job(Confusion(), (m,)) for m in schema.models if schema.offers(m, "label")]
        folded = Local().fold(table, jobs)
        counts = {job.models[0]: Confusion().summary(folded[job], schema) for job in jobs}
    head = table.head
    known = next(iter(counts.values()), None) if head.weight is None else None
    rows = _count_classes(head) if known is None else known.support[0]
    weight = rows if head.weight is None else np.bincount(head.truth, head.weight, schema.k)
    return CheckContext(table, rows, weight, counts, matrix, thorough, seed, every)


def majority_baseline(predictions: Predictions, name: str = "baseline") -> Predictions:
    """The table with one more model that ignores the rows.

    It gives the majority class with the class shares as probabilities; in regression the mean of
    the truth (of each output), in text the most frequent text, in detection no box, in multi-label
    the share (or the mean grade) of each label. It is fitted on the rows it is scored on, which
    flatters it: a model that does not clearly beat it has learned nothing.

    Parameters:
        predictions: The table.
        name: Name of the appended model; default "baseline".
    """
    n = predictions.n
    if predictions.task == "regression":
        mean = np.average(predictions.truth, weights=predictions.weight) if n else 0.0
        return predictions.append(name, value=np.full(n, mean))
    if predictions.task == "multioutput":
        mean = np.average(predictions.truth, axis=0, weights=predictions.weight)
        return predictions.append(name, value=np.tile(mean, (n, 1)))
    if predictions.task == "detection":
        return predictions.append(name, text=np.full(n, "[]", object))
    if predictions.task == "text":
        return predictions.append(name, text=np.full(n, _find_mode(predictions), object))
    if predictions.task == "multilabel":
        share = np.average(predictions.truth, axis=0, weights=predictions.weight)
        kind = "score" if predictions.schema.graded else "proba"
        return predictions.append(name, **{kind: np.tile(share, (n, 1))})
    shares = build_context(predictions, {}).shares
    return predictions.append(name, proba=np.tile(shares, (n, 1)))


def find_costs(metrics: Iterable[tuple[str, Metric]]) -> str | None:
    """The costs of errors that the first of `metrics` with a matrix has; None without one."""
    with_costs = [metric for _, metric in metrics if hasattr(metric, "costs")]
    if not with_costs:
        return None
    from assay.metrics.cost import ExpectedCost, cost_matrix, cost_text

    matrices = (
        cost_matrix(metric.costs) for metric in with_costs if isinstance(metric, ExpectedCost)
    )
    return next((cost_text(matrix) for matrix in matrices if len(matrix) > 1), None)


def _find_mode(table: Predictions) -> str:
    """The text that the most weight of the truth has; "" without rows."""
    texts, place = np.unique(table.truth.astype(str), return_inverse=True)
    return str(texts[np.argmax(np.bincount(place, table.weight))]) if len(texts) else ""


def _count_classes(table: Predictions) -> Array:
    """Number of rows of each class (k,)."""
    k = table.schema.k
    if k > FEW_CLASSES:
        return np.bincount(table.truth, minlength=k)
    # Narrow codes are counted as they are, two at a time.
    half = table.n // 2
    pairs = count_pairs(table.truth[:half], table.truth[half : 2 * half], k)
    remainder = np.bincount(table.truth[2 * half :], minlength=k)
    return np.asarray(pairs.sum(axis=0) + pairs.sum(axis=1) + remainder)
