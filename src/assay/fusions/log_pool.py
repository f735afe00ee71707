"""Log pool: powers of the members' probabilities of least log loss; it can sharpen.

>>> from assay.table.predictions import Predictions
>>> sure = [0.2, 0.8, 0.3, 0.7] * 10
>>> p = Predictions.from_arrays([0, 1] * 20, {"a.proba": sure, "b.proba": sure[::-1]})
>>> powers = LogPooling().fit(p).weights
>>> powers["a"] > 1 > powers["b"]
True
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Fusion, refuse_labels
from assay.fusions.convex import Pool
from assay.fusions.logarithmic import LogInputs, LogPool
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["LogPooling", "PoolInputs"]

LARGEST = 3.0  # power that no member exceeds


@dataclass(frozen=True)
class PoolInputs:
    """What powers are fitted from.

    Parameters:
        logs: Log probabilities of the members.
        pool: Pool of the same rows, for the weights that powers are pulled toward.
    """

    logs: LogInputs
    pool: Pool

    def take(self, rows: Array) -> "PoolInputs":
        """The `rows` of a mask (n,)."""
        return PoolInputs(self.logs.take(rows), self.pool.take(rows))


@dataclass(frozen=True)
class LogPooling(Fusion[PoolInputs]):
    """Powers w_j from 0 to 3 of any sum: p(x) is proportional to prod_j p_j(x)^w_j.

    Their log loss is convex in w. Models that each saw other evidence are all under-confident; a
    sum of powers above 1 sharpens them, as no weighted mean can. A penalty of `shrink` pseudo-rows
    pulls toward the weights of `weighted`.

    Parameters:
        shrink: Pseudo-rows of the penalty, above 0; default 2.
        floor: Probability below which a member's is taken for it, in (0, 0.5); default 0.001.

    Source: Ranjan & Gneiting (2010), JRSS B 72:71-91; Satopaa et al. (2014), International Journal
    of Forecasting 30:344-356.
    """

    name = "log_pool"
    fitted = LogPool
    shrink: float = 2.0
    floor: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.shrink < np.inf:
            raise UnsupportedError(f"shrink of log_pool must be a number > 0; got {self.shrink}")
        if not 0 < self.floor < 0.5:
            raise UnsupportedError(f"floor of log_pool must be in (0, 0.5); got {self.floor}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> PoolInputs:
        """The log probabilities of the models on the rows of `table`, with each row's `fold`."""
        if table.task == "regression":
            raise UnsupportedError(
                "log_pool is of probabilities, and these models give values; use how='weighted'"
            )
        refuse_labels(table, self)
        return PoolInputs(LogInputs.read(table, self.floor), Pool.read(table, fold, "proba"))

    def solve(self, evidence: PoolInputs, *, seed: int = 0) -> LogPool:
        """The powers of least penalised loss on the `evidence`; `seed` is not used."""
        logs = evidence.logs
        weighted: Any = FUSIONS["weighted"]()
        start = np.array(list(weighted.solve(evidence.pool, seed=seed).weights.values()))
        penalty = self.shrink * float(logs.share @ logs.share)
        powers, gap = _minimise(logs, start, penalty)
        return LogPool(
            how=str(self),
            kind="proba",
            schema=logs.schema,
            gap=gap,
            weights=dict(zip(logs.schema.models, powers.tolist(), strict=True)),
            floor=self.floor,
        )


def _minimise(logs: LogInputs, start: Array, penalty: float) -> tuple[Array, float]:
    """The powers (m,) of least penalised log loss, and how far above the least it is at most."""
    from scipy.optimize import minimize

    if not len(logs.truth):
        return start, 0.0
    members = logs.inputs.reshape(len(start), -1)
    shape = logs.inputs.shape[1:]
    labels = logs.truth.shape[1] if logs.truth.ndim > 1 else 1
    share = logs.share if labels == 1 and logs.truth.ndim == 1 else logs.share[:, None] / labels

    def measure(powers: Array) -> tuple[float, Array]:
        logits = (powers @ members).reshape(shape)
        value = -float((share * logs.take_truth(logits)).sum())
        slope = members @ share_residual(logits).ravel()
        away = powers - start
        return value + penalty / 2 * float(away @ away), slope + penalty * away

    def share_residual(logits: Array) -> Array:
        """Each row's share of probability less truth (n, k)."""
        if logs.schema.task == "multilabel":
            return np.asarray(share * (1 / (1 + np.exp(-logits)) - (logs.truth != 0)))
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        odds *= (share / odds.sum(axis=1))[:, None]
        odds[np.arange(len(odds)), logs.truth.astype(np.intp)] -= share
        return np.asarray(odds)

    optimum = minimize(
        measure,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, LARGEST)] * len(start),
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-9, "maxcor": 20},
    )
    powers = np.clip(optimum.x, 0.0, LARGEST)
    slope = measure(powers)[1]
    # A slope that points out of the bounds lowers nothing.
    slope[(powers <= 0) & (slope > 0)] = 0
    slope[(powers >= LARGEST) & (slope < 0)] = 0
    return powers, float(slope @ slope / (2 * penalty))
