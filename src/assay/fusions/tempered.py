"""Tempered: convex weights on members whose probabilities a temperature made honest first.

>>> from assay.table.predictions import Predictions
>>> bold = [0.01, 0.99, 0.99, 0.01] * 10
>>> p = Predictions.from_arrays([0, 1, 0, 1] * 10, {"a.proba": bold, "b.proba": [0.4, 0.6] * 20})
>>> fitted = Tempered().fit(p)
>>> fitted.temperatures["a"] > 1 > fitted.temperatures["b"]
True
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Fusion, refuse_labels
from assay.fusions.convex import Pool
from assay.fusions.fitted import Fitted, header_fields
from assay.fusions.logarithmic import LogInputs, normalise_logits, read_logits
from assay.kernels import Array
from assay.kernels.totals import FLOOR
from assay.table.predictions import Predictions

__all__ = ["Tempered", "TemperedInputs", "TemperedWeights"]

PSEUDO_ROWS = 2.0  # that pull the logarithm of a temperature to 0
COLDEST = (0.05, 20.0)  # 1 / T lies between these
STEPS = 60


@dataclass(frozen=True, kw_only=True)
class TemperedWeights(Fitted):
    """A fitted tempered mean.

    Parameters:
        weights: Weight of each model, >= 0, summing to 1.
        temperatures: What divides the logits of each model, > 0.
        temperature: What divides the logits of the weighted mean, > 0.
        floor: Probability below which a member's is taken for it.
    """

    weights: Mapping[str, float]
    temperatures: Mapping[str, float]
    temperature: float
    floor: float

    @property
    def required_models(self) -> tuple[str, ...]:
        """Names of the models of positive weight."""
        return tuple(name for name, weight in self.weights.items() if weight > 0)

    def combine(self, batch: Predictions) -> Array:
        """The tempered mean (n, k) of each row of `batch`."""
        is_multilabel = self.schema.task == "multilabel"
        total = np.zeros((batch.n, batch.schema.k))
        for name in batch.models:
            logits = read_logits(batch, name, self.floor) / self.temperatures[name]
            total += self.weights[name] * normalise_logits(logits, is_multilabel)
        return normalise_logits(
            _read_mixture(total, is_multilabel) / self.temperature, is_multilabel
        )

    def importance(self) -> Mapping[str, float]:
        """The weights."""
        return self.weights

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header, weights and temperatures; no array."""
        header, arrays = super().dump()
        own = {
            "weights": dict(self.weights),
            "temperatures": dict(self.temperatures),
            "temperature": self.temperature,
            "floor": self.floor,
        }
        return {**header, **own}, arrays

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` of `dump`; there are no `arrays`."""
        return cls(
            **header_fields(header),
            weights={name: float(weight) for name, weight in header["weights"].items()},
            temperatures={name: float(t) for name, t in header["temperatures"].items()},
            temperature=float(header["temperature"]),
            floor=float(header["floor"]),
        )


@dataclass(frozen=True)
class TemperedInputs:
    """What temperatures and weights are fitted from.

    Parameters:
        logs: Log probabilities of the members.
        pool: Pool of the same rows.
    """

    logs: LogInputs
    pool: Pool

    def take(self, rows: Array) -> "TemperedInputs":
        """The `rows` of a mask (n,)."""
        return TemperedInputs(self.logs.take(rows), self.pool.take(rows))


@dataclass(frozen=True)
class Tempered(Fusion[TemperedInputs]):
    """A temperature on each member, convex weights on these, a temperature on their mean.

    The first undo what is too sure or too shy in a member, the last what averaging takes off: the
    mean of calibrated models is under-confident. Each is fitted by log loss, with two pseudo-rows
    that pull its logarithm to 0.

    Parameters:
        shrink: Pseudo-rows that pull the weights toward equal ones, >= 0; default 0.5.
        floor: Probability below which a member's is taken for it, in (0, 0.5); default 1e-6.

    Source: Guo et al. (2017), ICML, 1321-1330; Rahaman & Thiery (2021), NeurIPS (temperature after
    averaging).
    """

    name = "tempered"
    fitted = TemperedWeights
    shrink: float = 0.5
    floor: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 < self.floor < 0.5:
            raise UnsupportedError(f"floor of tempered must be in (0, 0.5); got {self.floor}")
        FUSIONS.parse(f"weighted(shrink={self.shrink})")

    def evidence(self, table: Predictions, fold: Array | None = None) -> TemperedInputs:
        """The log probabilities of the models on the rows of `table`, with each row's `fold`."""
        if table.task == "regression":
            raise UnsupportedError(
                "a temperature is of probabilities, and these models give values; use "
                "how='weighted'"
            )
        refuse_labels(table, self)
        return TemperedInputs(LogInputs.read(table, self.floor), Pool.read(table, fold, "proba"))

    def solve(self, evidence: TemperedInputs, *, seed: int = 0) -> TemperedWeights:
        """Temperatures and weights fitted to the `evidence`; `seed` is not used."""
        logs = evidence.logs
        is_multilabel = logs.schema.task == "multilabel"
        members = logs.inputs
        heat = np.array([_fit_temperature(logs, logits) for logits in members])
        terms = [np.exp(logs.take_truth(x / t)) for x, t in zip(members, heat, strict=True)]
        pool = replace(evidence.pool, terms=np.maximum(np.stack(terms, axis=-1), FLOOR))
        weighted: Any = FUSIONS.parse(f"weighted(shrink={self.shrink})")
        weights = weighted.solve(pool, seed=seed).weights
        mean = sum(
            weight * normalise_logits(x / t, is_multilabel)
            for weight, x, t in zip(weights.values(), members, heat, strict=True)
        )
        after = _fit_temperature(logs, _read_mixture(np.asarray(mean), is_multilabel))
        return TemperedWeights(
            how=str(self),
            kind="proba",
            schema=logs.schema,
            weights=weights,
            temperatures=dict(zip(weights, heat.tolist(), strict=True)),
            temperature=after,
            floor=self.floor,
        )


def _read_mixture(proba: Array, is_multilabel: bool) -> Array:
    """Logits (n, k) of probabilities (n, k), as their logarithm; of labels the log odds."""
    logs: Array = np.log(np.clip(proba, FLOOR, None))
    if is_multilabel:
        logs -= np.log(np.clip(1 - proba, FLOOR, None))
    return logs


def _fit_temperature(logs: LogInputs, logits: Array) -> float:
    """The temperature of least log loss of `logits` (n, k), pulled a little to 1.

    The loss is convex in 1 / T, so Newton's steps find the least.
    """
    share = logs.share
    pull = PSEUDO_ROWS * float(share @ share)
    cold = 1.0
    for _ in range(STEPS):
        slope, bend = _differentiate(logs, logits, cold)
        slope += pull * math.log(cold) / cold
        bend += pull * max(1 - math.log(cold), 0.1) / cold**2
        change = slope / bend if bend > 0 else 0.0
        # Never more than by half or double, so that a far start cannot overshoot.
        after = min(max(cold - change, cold / 2, COLDEST[0]), cold * 2, COLDEST[1])
        if abs(after - cold) < 1e-10 * cold:
            return 1 / after
        cold = after
    return 1 / cold


def _differentiate(logs: LogInputs, logits: Array, cold: float) -> tuple[float, float]:
    """First and second derivative of the log loss of `logits` (n, k) by 1 / T, at `cold`."""
    share = logs.share
    if logs.schema.task == "multilabel":
        proba = 1 / (1 + np.exp(-cold * logits))
        first = (logits * (proba - (logs.truth != 0))).mean(axis=1)
        second = (logits**2 * proba * (1 - proba)).mean(axis=1)
        return float(share @ first), float(share @ second)
    scaled = cold * logits
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    mean = np.einsum("nk,nk->n", odds, logits)
    square = np.einsum("nk,nk,nk->n", odds, logits, logits)
    of_truth = logits[np.arange(len(logits)), logs.truth.astype(np.intp)]
    return float(share @ (mean - of_truth)), float(share @ (square - mean**2))
