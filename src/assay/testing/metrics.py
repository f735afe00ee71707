"""What every metric must keep: laws that the engine, the intervals and the comparison rely on.

>>> check_metric("brier", repeats=2)
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from assay.engines.local import Local
from assay.errors import AssayError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS, Metric, value_shape
from assay.table.predictions import Predictions
from assay.testing.laws import require, require_same
from assay.testing.tables import make_log_proba, make_positive, random_table

__all__ = ["check_metric"]


def check_metric(
    metric: str | Metric,
    *,
    tables: Iterable[Predictions] | None = None,
    repeats: int = 5,
    seed: int = 0,
) -> None:
    """Hold a metric to the laws that every metric must keep.

    Its text names it again; it says which way is better; its formula gives as many values as it
    says, in its bounds; any split of the rows into batches and any order of them gives the same
    values; an integer weight equals repeating the row; intervals lie in its bounds, an interval
    holds its value; what is undefined is nan with a reason.

    Parameters:
        metric: The metric, or its text, as in "f1(average=macro)".
        tables: Tables to hold it to; default: tables at random of every task it is for. A table
            that the metric refuses with an AssayError is passed over, but it must take one at
            least.
        repeats: How many tables at random a task, 1 or more; default 5.
        seed: What the tables at random are drawn from; default 0.

    Raises:
        AssertionError: A law does not hold; the message names the metric and the law.

    >>> check_metric("accuracy", repeats=1)
    """
    member = METRICS.parse(metric)
    require(METRICS.parse(str(member)) == member, member, "its text reads back as the metric")
    require(
        member.better in ("higher", "lower") or bool(member.rank_by),
        member,
        "says that higher or lower is better, or what to rank models by",
    )
    if tables is None:
        tables = _tables_for(member, repeats, seed)
    taken = sum(_check_on(member, table, seed) for table in tables)
    require(taken > 0, member, "takes a table of a task that it is for")


def _tables_for(metric: Metric, repeats: int, seed: int) -> Iterable[Predictions]:
    for task in sorted(metric.tasks):
        for i in range(repeats):
            table = random_table(task, seed + i, weighted=i % 2 == 1, ties=i % 3 == 2)
            yield table
            if task == "regression":
                yield make_positive(table)
                yield make_log_proba(table)


def _check_on(metric: Metric, table: Predictions, seed: int) -> bool:
    """Whether the metric takes the table; if so, it is held to the laws there."""
    try:
        _check_formula(metric, table)
        whole = _values(metric, table)
    except AssayError:
        return False
    rng = np.random.default_rng(seed)
    split = _values(metric, table, batch=int(rng.integers(1, table.n + 1)))
    require_same(whole, split, metric, "any split of the rows gives the same values")
    shuffled = _values(metric, table.take(rng.permutation(table.n)))
    require_same(whole, shuffled, metric, "any order of the rows gives the same values", 1e-9)
    _check_weights(metric, table, rng)
    _check_intervals(metric, table)
    return True


def _check_formula(metric: Metric, table: Predictions) -> None:
    """The formula alone, before its values are cut off at the bounds."""
    bound = metric.bind(table.schema)
    wanted = math.prod(value_shape(bound.granularity, max(table.schema.k, 1)))
    low, high = metric.bounds
    for model in table.models:
        if not table.schema.offers(model, bound.reads):
            continue
        summary = bound.state.summary(bound.state.observe(table.rows(model)), table.schema)
        with np.errstate(all="ignore"):
            values = np.ravel(bound.compute(summary)).astype(np.float64)
        law = f"its formula gives a value for each {bound.granularity}, here {wanted}"
        require(len(values) == wanted, metric, f"{law}; {len(values)}")
        defined = values[~np.isnan(values)]
        slack = 1e-9 * np.maximum(1.0, np.abs(defined))
        outside = defined[(defined < low - slack) | (defined > high + slack)]
        law = f"its formula gives values in its bounds [{low}, {high}]"
        require(not len(outside), metric, f"{law}; {outside[:1]}")


def _values(
    metric: Metric, table: Predictions, batch: int | None = None
) -> dict[tuple[str, str], float]:
    engine = Local(batch=batch)
    rows = evaluate(table, metric, intervals=False, engine=engine).rows
    return {(row.model, str(row.class_)): row.value for row in rows}


def _check_weights(metric: Metric, table: Predictions, rng: np.random.Generator) -> None:
    multiplicity = rng.integers(0, 4, table.n)
    multiplicity[0] += not multiplicity.any()
    weighted = replace(table, weight=multiplicity.astype(float))
    repeated = replace(table, weight=None).take(np.repeat(np.arange(table.n), multiplicity))
    try:
        values = _values(metric, weighted)
    except AssayError:
        return  # the rows that are left may be none that the metric can serve
    law = "an integer weight equals repeating the row"
    require_same(values, _values(metric, repeated), metric, law, 1e-9)


def _check_intervals(metric: Metric, table: Predictions) -> None:
    low, high = metric.bounds
    for row in evaluate(table, metric).rows:
        if math.isnan(row.value):
            require(bool(row.note), metric, "what is undefined says why")
            continue
        slack = 1e-12 * max(1.0, abs(row.value))
        if not math.isnan(row.low):
            ordered = low - slack <= row.low <= row.value <= row.high <= high + slack
            law = "an interval holds its value and stays in the bounds"
            require(ordered, metric, f"{law}; {row.value} in [{row.low}, {row.high}]")
