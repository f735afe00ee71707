"""Greedy: ensemble selection, models added one at a time as often as they help any metric.

>>> from assay.table.predictions import Predictions
>>> proba = {"a.proba": [0.2, 0.9, 0.4, 0.3], "b.proba": [0.1, 0.4, 0.9, 0.2]}
>>> p = Predictions.from_arrays([0, 1, 1, 0], proba)
>>> dict(Greedy(metric="accuracy").fit(p).weights)
{'a': 0.5, 'b': 0.5}
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import Weights, common_kind
from assay.kernels import Array
from assay.metrics.base import METRICS, Metric
from assay.table.predictions import Predictions
from assay.table.schema import Kind

__all__ = ["Greedy"]


@dataclass(frozen=True)
class Greedy(Fusion[Predictions]):
    """Weights as counts: again and again, add the model that improves the mean so far most.

    Models may be added again; the best of the ensembles on the way is kept (the earliest where
    tied), and ties between models go to the first by name.  For log loss and squared error
    `weighted` is exact and faster.  Aimed at a metric of labels (accuracy, f1) it can win that
    metric and spoils the probabilities.  The score it searched is optimistic, by far on some
    hundred rows: trust the cross-fitted one.

    Parameters:
        metric: Metric to search, one that gives one value; default: log_loss, or mse in regression.
        steps: How often a model is added, 1 or more; default 25.

    Source: Caruana, Niculescu-Mizil, Crew & Ksikes (2004), ICML, "Ensemble selection from libraries
    of models".
    """

    name = "greedy"
    metric: str | None = None
    steps: int = 25

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UnsupportedError(f"steps of greedy must be 1 or more; got {self.steps}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> Predictions:
        """The `table` itself: an arbitrary metric may read anything of it; `fold` is not used."""
        refuse_labels(table, self)
        return table

    def solve(self, evidence: Predictions, *, seed: int = 0) -> Weights:
        """The counts of the best ensemble of the `evidence`, as weights; `seed` is not used."""
        kind = common_kind(evidence)
        metric = self._resolve_metric(evidence)
        outputs: dict[str, Array] = {
            name: getattr(evidence.rows(name), kind) for name in evidence.models
        }
        counts = _select(evidence, metric, kind, outputs, self.steps)
        total = sum(counts.values())
        note = f"Models were chosen by {metric}; 'compare' says whether that paid in {metric}."
        return Weights(
            how=str(self),
            kind=kind,
            schema=evidence.schema,
            notes=(note,),
            weights={name: counts[name] / total for name in evidence.models},
        )

    def _resolve_metric(self, predictions: Predictions) -> Metric:
        text = self.metric or ("mse" if predictions.task == "regression" else "log_loss")
        metric = METRICS.parse(text).bind(predictions.schema)
        if metric.granularity != "table":
            raise UnsupportedError(
                f"greedy needs a metric of one value; {metric} gives one a class: use average=macro"
            )
        return metric


def _select(
    predictions: Predictions, metric: Metric, kind: Kind, outputs: Mapping[str, Array], steps: int
) -> dict[str, int]:
    """How often each model is in the best ensemble on the way."""
    counts = dict.fromkeys(outputs, 0)
    best_counts = counts
    best = -np.inf
    total = np.zeros_like(next(iter(outputs.values())), dtype=np.float64)
    for step in range(1, steps + 1):
        scores = {
            name: _score(predictions, metric, kind, (total + outputs[name]) / step)
            for name in sorted(outputs)
        }
        added = max(scores, key=scores.__getitem__)
        total = total + outputs[added]
        counts = {**counts, added: counts[added] + 1}
        if scores[added] > best:
            best_counts = counts
            best = scores[added]
    if not np.isfinite(best):
        raise UnsupportedError(
            f"{metric} is undefined ({metric.undefined}) on these rows for every model; choose "
            f"another"
        )
    return best_counts


def _score(predictions: Predictions, metric: Metric, kind: Kind, output: Array) -> float:
    """The metric of one candidate, higher is better; an undefined value loses to every other."""
    schema = replace(predictions.schema, models={"fused": (kind,)})
    rows = replace(predictions, schema=schema, outputs={"fused": {kind: output}}).rows("fused")
    state = metric.state
    value = float(np.ravel(metric.compute(state.summary(state.observe(rows), schema)))[0])
    if np.isnan(value):
        return -np.inf
    return metric.sign * value
