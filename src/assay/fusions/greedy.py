"""Greedy: ensemble selection, models added one at a time as often as they help any metric.

>>> from assay.table.predictions import Predictions
>>> proba = {"a.proba": [0.2, 0.9, 0.4, 0.3], "b.proba": [0.1, 0.4, 0.9, 0.2]}
>>> p = Predictions.from_arrays([0, 1, 1, 0], proba)
>>> dict(Greedy(metric="accuracy").fit(p).weights)
{'a': 0.5, 'b': 0.5}
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.additions import (
    Additions,
    LogLossAdditions,
    MeasuredAdditions,
    SquareAdditions,
    choose_additions,
)
from assay.fusions.base import Fusion, refuse_labels
from assay.fusions.convex import (
    Pool,
    Weights,
    common_kind,
    compute_gram,
    measure_gram,
    parse_numbers,
)
from assay.kernels import Array
from assay.metrics.base import METRICS, Metric
from assay.table.predictions import Predictions
from assay.table.schema import Kind

__all__ = ["Greedy"]

BAGGED = 0.5  # share of the models that each bag draws


@dataclass(frozen=True)
class Greedy(Fusion[Any]):
    """Weights as counts: again and again, add the model that improves the mean so far most.

    Models may be added again; the best of the ensembles on the way is kept (the earliest where
    tied), and ties between models go to the first by name.  For log loss, Brier score and squared
    error `weighted` is exact and faster.  Aimed at a metric of labels (accuracy, f1) it can win
    that metric and spoils the probabilities.  The score it searched is optimistic, by far on some
    hundred rows: trust the cross-fitted one.

    Parameters:
        metric: Metric to search, one that gives one value; default: log_loss, or mse in regression.
        steps: How often a model is added, 1 or more; default 25.
        bags: How many ensembles are averaged, each selected from a half of the models drawn at
            random, which overfits less; default 1, of all models.
        max_models: Most models that may have weight, 1 or more; default: all.
        max_cost: Most that the models of positive weight may cost together, above 0; default: no
            limit.
        costs: Cost of each model, at least 0, as in "1|20" in the order of the table, or "a:1|b:20"
            by name; for `max_cost`. `fuse(costs=...)` (--costs) sets it.

    Source: Caruana, Niculescu-Mizil, Crew & Ksikes (2004), ICML, "Ensemble selection from libraries
    of models".
    """

    name = "greedy"
    metric: str | None = None
    steps: int = 25
    bags: int = 1
    max_models: int | None = None
    max_cost: float | None = None
    costs: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "bags", "max_models"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UnsupportedError(f"{name} of greedy must be 1 or more; got {number}")
        if self.max_cost is not None and not self.max_cost > 0:
            raise UnsupportedError(f"max_cost of greedy must be above 0; got {self.max_cost}")
        if self.bags > 1 and (self.max_models or self.max_cost):
            raise UnsupportedError(
                "max_models and max_cost limit one ensemble, and bags average several of other "
                "models; leave bags out"
            )

    def evidence(self, table: Predictions, fold: Array | None = None) -> Pool | Predictions:
        """The pool of `table` with each row's `fold` where it tells the metric, else the table."""
        refuse_labels(table, self)
        metric = self._resolve_metric(table)
        told = {"log_loss": "proba", "mse": "value"}.get(str(metric))
        return Pool.read(table, fold) if told == common_kind(table) else table

    def solve(self, evidence: Pool | Predictions, *, seed: int = 0) -> Weights:
        """The counts of the best ensemble of the `evidence`, as weights; `seed` draws the bags."""
        schema = evidence.schema
        names = list(schema.models)
        kind: Kind = "value" if schema.task == "regression" else "proba"
        metric = self._resolve_metric(evidence)
        search = _open_search(evidence, metric, kind)
        order = sorted(range(len(names)), key=names.__getitem__)
        allow = self._limit(names)
        rng = np.random.default_rng(seed)
        size = max(round(BAGGED * len(names)), 2)
        weights = np.zeros(len(names))
        for _ in range(self.bags):
            drawn = set(rng.permutation(len(names))[:size] if self.bags > 1 else order)
            models = [model for model in order if model in drawn]
            counts = choose_additions(search, self.steps, models, allow)
            if not counts.any():
                raise UnsupportedError(
                    f"{metric} is undefined ({metric.undefined}) on these rows for every model; "
                    f"choose another"
                )
            weights += counts / counts.sum() / self.bags
        note = f"Models were chosen by {metric}; 'compare' says whether that paid in {metric}."
        return Weights(
            how=str(self),
            kind=kind,
            schema=schema,
            notes=(note,),
            weights=dict(zip(names, weights.tolist(), strict=True)),
        )

    def _limit(self, names: list[str]) -> Callable[[Array, int], bool]:
        """Whether a model may be added to counts, by the limits on members and on cost."""
        if self.max_cost is not None and not self.costs:
            raise UnsupportedError(
                "max_cost of greedy needs the cost of each model: fuse(..., costs={'a': 1, "
                "'b': 20}), --costs a=1,b=20"
            )
        costs = parse_numbers("costs", self.costs, names) if self.costs else np.zeros(len(names))
        most = np.inf if self.max_cost is None else self.max_cost
        if costs.min() > most:
            cheapest = names[int(np.argmin(costs))]
            raise UnsupportedError(
                f"no model costs max_cost={self.max_cost:g} or less; the cheapest, {cheapest!r}, "
                f"costs {costs.min():g}"
            )

        def allow(counts: Array, model: int) -> bool:
            used = counts > 0
            if used[model]:
                return True
            is_room = self.max_models is None or int(used.sum()) < self.max_models
            return is_room and float(costs[used].sum() + costs[model]) <= most

        return allow

    def _resolve_metric(self, evidence: Pool | Predictions) -> Metric:
        schema = evidence.schema
        text = self.metric or ("mse" if schema.task == "regression" else "log_loss")
        metric = METRICS.parse(text).bind(schema)
        if metric.granularity != "table":
            raise UnsupportedError(
                f"greedy needs a metric of one value; {metric} gives one a class: use average=macro"
            )
        return metric


def _open_search(evidence: Pool | Predictions, metric: Metric, kind: Kind) -> Additions:
    """What additions lose by the `metric`, by the shortest way that is exact."""
    m = len(evidence.schema.models)
    weight = np.ones(len(evidence.truth)) if evidence.weight is None else evidence.weight
    share = weight / max(float(weight.sum()), np.finfo(float).tiny)
    if isinstance(evidence, Predictions):
        if str(metric) == "brier" and kind == "proba" and weight.any():
            return SquareAdditions(measure_gram(evidence, share))
        outputs = [getattr(evidence.rows(name), kind) for name in evidence.models]
        return MeasuredAdditions(outputs, lambda fused: _measure(evidence, metric, kind, fused))
    terms = np.moveaxis(evidence.terms, -1, 0).reshape(m, -1)
    each = np.repeat(share, terms.shape[1] // max(len(share), 1))
    each = each / max(float(each.sum()), np.finfo(float).tiny)
    if kind == "value":
        return SquareAdditions(compute_gram(terms.T, each))
    return LogLossAdditions(terms, each)


def _measure(predictions: Predictions, metric: Metric, kind: Kind, output: Array) -> float:
    """The metric of one candidate, lower is better; an undefined value loses to every other."""
    schema = replace(predictions.schema, models={"fused": (kind,)})
    rows = replace(predictions, schema=schema, outputs={"fused": {kind: output}}).rows("fused")
    state = metric.state
    value = float(np.ravel(metric.compute(state.summary(state.observe(rows), schema)))[0])
    return np.inf if np.isnan(value) else -metric.sign * value
