"""Performance: weights by how well each model does alone, the weighted average of the textbooks.

>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> y = [0, 1] * 20
>>> p = Predictions.from_arrays(y, {"a": y, "b": [0] * 40, "c": [0, 1] * 18 + [1, 0] * 2})
>>> {m: round(w, 2) for m, w in fuse(p, "performance").weights.items()}
{'a': 0.42, 'b': 0.21, 'c': 0.38}
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.convex import Weights, common_kind
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions

__all__ = ["Performance"]


@dataclass(frozen=True)
class Performance(Fusion[Predictions]):
    """Each model weighs what it scores alone: in proportion to a metric, or by its softmax.

    Proportional: w_j = s_j / sum s where a higher metric is better (values below 0 count as 0), and
    (1 / l_j) / sum (1 / l) where a lower is. Softmax: w_j is proportional to
    exp((s_j - max s) / scale), with the sign turned for losses. Both look at each model alone: two
    copies of a model count twice, and good models differ so little that the weights are nearly
    equal. `weighted` looks at them together, and is better on all but few rows.

    Parameters:
        metric: Metric of one value to weigh by; default: accuracy, or mse in regression.
        by: "proportional" (default) or "softmax".
        scale: Difference of the metric that divides a weight by e in the softmax, above 0; default
            0.05.

    Source: Opitz & Maclin (1999), JAIR 11:169-198; Zhou (2012), Ensemble Methods, section 4.3.
    """

    name = "performance"
    aliases = ("by_score", "score_weighted", "weighted_average", "softmax(by=softmax)")
    metric: str | None = None
    by: Literal["proportional", "softmax"] = "proportional"
    scale: float = 0.05

    def __post_init__(self) -> None:
        if self.by not in ("proportional", "softmax"):
            raise UnsupportedError(f"by must be proportional or softmax; got {self.by!r}")
        if not self.scale > 0:
            raise UnsupportedError(f"scale must be above 0; got {self.scale}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> Predictions:
        """The `table` itself, as a metric may read anything of it; `fold` is not used."""
        common_kind(table)
        return table

    def solve(self, evidence: Predictions, *, seed: int = 0) -> Weights:
        """The weights by the metric on the rows of the `evidence`; `seed` is not used."""
        default = "mse" if evidence.task == "regression" else "accuracy"
        metric: Any = METRICS.parse(self.metric or default).bind(evidence.schema)
        if metric.granularity != "table":
            raise UnsupportedError(
                f"{metric} has no one value to weigh models by; use average=macro"
            )
        values = np.array([_measure(metric, evidence, model) for model in evidence.models])
        if not np.isfinite(values).all():
            raise UnsupportedError(
                f"{metric} is undefined on these rows; weigh by another metric, as in "
                f"performance(metric={default})"
            )
        weights = self._weigh(values, metric.sign)
        return Weights(
            how=str(self),
            kind=common_kind(evidence),
            schema=evidence.schema,
            notes=(f"Weights by {metric}, each model alone.",),
            weights=dict(zip(evidence.models, (weights / weights.sum()).tolist(), strict=True)),
        )

    def _weigh(self, values: Array, sign: int) -> Array:
        """Weights (m,), not all 0, from the value of each model."""
        if self.by == "softmax":
            good = sign * values
            return np.asarray(np.exp((good - good.max()) / self.scale))
        if sign < 0:
            least = values.min()
            # A model without error leaves nothing for the others.
            return np.asarray(values == 0, float) if least <= 0 else np.asarray(least / values)
        weights = np.maximum(values, 0)
        return weights if weights.any() else np.ones(len(values))


def _measure(metric: Any, table: Predictions, model: str) -> float:
    """The value of a `metric` of one `model` of a `table`."""
    state = metric.state
    summary = state.summary(state.observe(table.rows(model)), table.schema)
    return float(metric.estimate(summary)[0])
