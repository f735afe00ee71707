"""Judging: what the fused network, each branch alone, and the fused without each branch lose.

>>> import numpy as np
>>> from assay.deep.options import Target
>>> y = np.arange(40) % 2
>>> sure = np.stack([3.0 - 6 * y, 6.0 * y - 3], axis=1)
>>> outputs = {"fused": sure, "a alone": sure / 4, "b alone": sure / 8,
...     "without a": sure / 2, "without b": sure}
>>> loss, branches, _ = judge_branches(Target("binary", 2), y, outputs, {"a": 3, "b": 2}, {"a"})
>>> [branch.use for branch in branches]
['used', 'ignored']
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from assay.comparison.compare import compare
from assay.deep.deep_fusion import Branch
from assay.deep.options import Target
from assay.errors import SchemaError
from assay.fusions.judging import measure_losses
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["build_table", "judge_branches", "measure_difference"]


def judge_branches(
    target: Target,
    truth: Array,
    outputs: Mapping[str, Array],
    widths: Mapping[str, int],
    frozen: Collection[str],
) -> tuple[float, list[Branch], Predictions]:
    """The fused loss, what each branch adds, and the table they were read off.

    Parameters:
        target: What the networks give.
        truth: Truth of the validation rows.
        outputs: Outputs of the models fused, "<branch> alone" and "without <branch>": logits,
            or values in regression.
        widths: Numbers that the features of each branch are.
        frozen: Branches whose weights stayed.
    """
    table = build_table(target, truth, outputs)
    losses = measure_losses(table, "value" if target.task == "regression" else "proba").mean
    branches = []
    for name, width in widths.items():
        alone = f"{name} alone"
        without = f"without {name}"
        gain = measure_difference(table, target.metric, alone, "fused")
        rise = measure_difference(table, target.metric, without, "fused")
        branches.append(
            Branch(name, width, name in frozen, losses[alone], *gain, losses[without], *rise)
        )
    return losses["fused"], branches, table


def build_table(
    target: Target, truth: Array, outputs: Mapping[str, Array], kind: str = "logit"
) -> Predictions:
    """The table of a truth and what networks give: logits, or values in regression.

    Parameters:
        target: What the networks give.
        truth: Truth of the rows.
        outputs: What each network gives.
        kind: Kind of the outputs, "logit" or "proba"; of no effect in regression.
    """
    if target.task == "regression":
        columns: dict[str, Any] = {f"{n}.value": _flatten(v) for n, v in outputs.items()}
        return Predictions.from_arrays(truth, columns, task="regression")
    columns = {f"{name}.{kind}": np.asarray(v, np.float64) for name, v in outputs.items()}
    classes = list(range(target.size))
    positive = 1 if target.task == "binary" else None
    return Predictions.from_arrays(
        truth if target.task != "multilabel" else truth.astype(np.int64),
        columns,
        task=target.task,
        classes=classes,
        positive=positive,
    )


def measure_difference(
    table: Predictions, metric: str, a: str, b: str
) -> tuple[float, float, float]:
    """The loss of `a` less that of `b` on a `table` by a `metric`, with its 95 % interval."""
    pair = compare(table.select([a, b]), metric).pairs[0]
    sign = 1 if pair.a == a else -1
    low, high = sorted((sign * pair.low, sign * pair.high))
    return sign * pair.difference, low, high


def _flatten(values: Array) -> Array:
    """Values (n,) of outputs (n,) or (n, 1)."""
    array = np.asarray(values, np.float64)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise SchemaError(f"a regression gives one number a row; got shape {array.shape}")
    return array
