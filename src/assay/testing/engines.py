"""What every engine must keep: it gives the values of the local one, and says where it failed.

>>> check_engine("local(threads=2)", repeats=1)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from assay.engines.base import ENGINES, Engine
from assay.errors import SchemaError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions
from assay.table.schema import TASKS, Task
from assay.testing.laws import require, require_same
from assay.testing.tables import random_table

__all__ = ["check_engine"]

ROWS = 60

ASKED: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "f1", "log_loss", "roc_auc", "ece", "confusion_matrix"),
    "multiclass": ("accuracy", "f1(average=macro)", "log_loss", "roc_auc", "brier"),
    "multilabel": ("subset_accuracy", "f1(average=micro)", "log_loss"),
    "regression": ("rmse", "mae", "median_ae", "r2", "interval_coverage"),
    "multioutput": ("rmse", "mae", "r2", "r2(average=none)"),
    "text": ("exact_match", "token_f1", "wer", "cer", "chrf"),
    "detection": ("box_ap", "box_ar", "box_ap50(average=none)"),
}


def check_engine(engine: str | Engine, *, repeats: int = 2, seed: int = 0) -> None:
    """Hold an engine to the laws that every engine must keep.

    Its text names it again; values come in the order of the parts, however long each takes; an
    error of a part reaches the caller and no later value does; metrics with intervals, by groups
    and with clusters, equal those of the local engine to 1e-12.

    Parameters:
        engine: The engine, or its text, as in "processes(workers=2)".
        repeats: How many tables at random a task, 1 or more; default 2.
        seed: What the tables at random are drawn from; default 0.

    Raises:
        AssertionError: A law does not hold; the message names the engine and the law.

    >>> check_engine("local(batch=7)", repeats=1)
    """
    member = ENGINES.parse(engine)
    require(ENGINES.parse(str(member)) == member, member, "its text reads back as the engine")
    _check_order(member)
    _check_failure(member)
    for task in TASKS:
        for i in range(repeats):
            table = random_table(task, seed + i, n=ROWS, weighted=i % 2 == 1)
            _check_values(member, table)


@dataclass(frozen=True)
class NumberedPart:
    """A part that stands for the rows of its number."""

    number: int

    def __str__(self) -> str:
        return f"part {self.number}"

    def load(self) -> Any:
        """The number itself, which is all that the tasks below read."""
        return self.number


def _load(part: Any) -> Any:
    return part.load()


def _refuse_fifth(part: Any) -> Any:
    if part.load() == 5:
        raise SchemaError(f"{part}: is refused; expected another; nothing to be done")
    return part.load()


def _number_parts(count: int) -> Iterator[Any]:
    return (NumberedPart(number) for number in range(count))


def _check_order(engine: Engine) -> None:
    values = list(engine.map(_load, _number_parts(40)))
    require(values == list(range(40)), engine, "values come in the order of the parts")
    require(list(engine.map(_load, iter(()))) == [], engine, "no parts give no values")


def _check_failure(engine: Engine) -> None:
    values = []
    try:
        for value in engine.map(_refuse_fifth, _number_parts(40)):
            values.append(value)  # noqa: PERF402
    except SchemaError as error:
        require("part 5" in str(error), engine, "the error of a part says which part it was")
    else:
        require(False, engine, "the error of a part reaches the caller")
    require(values == list(range(5)), engine, "the values before the error come, and no later ones")


def _check_values(engine: Engine, table: Predictions) -> None:
    rng = np.random.default_rng(table.n)
    columns = {
        "site": pa.array(rng.choice(["north", "south"], table.n)),
        "cluster": pa.array(np.arange(table.n) // 3),
    }
    for table_with, by in ((table, None), (replace(table, columns=columns), "site")):
        metrics = [METRICS.parse(text) for text in ASKED[table.task]]
        values = _values(evaluate(table_with, metrics, by=by, engine=engine))
        expected = _values(evaluate(table_with, metrics, by=by))
        law = f"its values are those of the local engine ({table.task}, by {by})"
        require_same(expected, values, engine, law)


def _values(evaluation: Any) -> dict[Any, float]:
    """Value and ends of the interval of every row."""
    values: dict[Any, float] = {}
    for row in evaluation.rows:
        key = (row.model, row.metric, str(row.class_), str(row.group))
        values |= {(*key, "value"): row.value, (*key, "low"): row.low, (*key, "high"): row.high}
    return values
