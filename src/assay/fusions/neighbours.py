"""Neighbours: weights that depend on the row, by how well each model does on rows near it.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> x = np.linspace(-1, 1, 400)
>>> y = np.sin(9 * x)
>>> models = {"left": y + (x > 0), "right": y - (x < 0)}  # each is right on its side
>>> p = Predictions.from_arrays(y, models, task="regression", groups={"x": x})
>>> fitted = Neighbours(features="x").fit(p)
>>> bool(np.mean((fitted.apply(p)["value"] - y) ** 2) < 0.05)  # convex weights have 0.25
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from assay.adapters.learners import find_nearest
from assay.errors import UnsupportedError
from assay.fusions.base import FUSIONS, Fusion, refuse_labels
from assay.fusions.convex import Pool, compute_gram
from assay.fusions.features import Features, standardise
from assay.fusions.fitted import BATCH, Fitted, header_fields
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["LocalInputs", "LocalWeights", "Neighbours"]

MOST_ROWS = 20_000  # that are kept
PART = 2_000_000  # terms of neighbours that are held at a time
STEPS = 30  # of the search for the weights of a row


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalWeights(Fitted):
    """A fitted fusion by neighbours: the rows that were fitted on, and the weights of all.

    Parameters:
        features: How further columns are read.
        known: Standardised inputs of the rows fitted on (n, d).
        terms: What each model gave them (n, labels, m), as in a pool.
        centre: Mean of the inputs (d,).
        scale: Standard deviation of the inputs (d,).
        weights: Weights of the models (m,) that local ones are pulled toward.
        k: Neighbours of a row.
        shrink: Pseudo-rows of that pull.
    """

    features: Features
    known: Array
    terms: Array
    centre: Array
    scale: Array
    weights: Array
    k: int
    shrink: float

    def combine(self, batch: Predictions) -> Array:
        """The mean of the models' outputs on the rows of `batch`, with the weights of each row."""
        weights = self.weigh(batch)
        total: Any = 0.0
        for j, model in enumerate(self.models):
            output = getattr(batch.rows(model), self.kind)
            own = weights[:, j]
            total = total + (own if output.ndim == 1 else own[:, None]) * output
        return np.clip(total, 0, 1) if self.kind == "proba" else np.asarray(total)

    def weigh(self, batch: Predictions) -> Array:
        """The weights (n, m) of each row of `batch`."""
        inputs = (self.features.read(batch) - self.centre) / self.scale
        weights = np.empty((len(inputs), len(self.weights)))
        size = max(PART // max(self.k * self.terms[0].size, 1), 1) if len(self.terms) else 1
        for start in range(0, len(inputs), size):
            part = slice(start, start + size)
            near = find_nearest(self.known, inputs[part], self.k)
            weights[part] = self._fit_locally(self.terms[near])
        return weights

    def _fit_locally(self, terms: Array) -> Array:
        """Weights (n, m) of each row by the terms (n, k, labels, m) of its neighbours.

        Expectation-maximisation for log loss; for squared error exponentiated gradients on the
        products of errors. Both keep weights positive.
        """
        n, k, labels, m = terms.shape
        terms = terms.reshape(n, k * labels, m)
        weights = np.tile(self.weights, (n, 1))
        if self.kind == "proba":
            pull = self.shrink * self.weights
            for _ in range(STEPS):
                fused = (terms * weights[:, None]).sum(axis=2)
                part = weights * (terms / fused[..., None]).sum(axis=1) / labels
                weights = (part + pull) / (k + self.shrink)
            return weights
        # The products of errors near the row, and of `shrink` rows like all others.
        gram = np.einsum("nkj,nki->nji", terms, terms) / (k * labels)
        gram = gram + self.shrink / k * self._common_gram
        gram /= np.maximum(np.trace(gram, axis1=1, axis2=2) / m, np.finfo(float).tiny)[
            :, None, None
        ]
        for _ in range(4 * STEPS):
            slope = np.einsum("nji,ni->nj", gram, weights)
            # Exponentiated gradient, whose step is bounded.
            away = slope - slope.min(axis=1, keepdims=True)
            weights = weights * np.exp(-away / (0.5 + away.max(axis=1, keepdims=True)))
            weights /= weights.sum(axis=1, keepdims=True)
        return weights

    @cached_property
    def _common_gram(self) -> Array:
        """Mean products (m, m) of the errors of every two models on all rows that are kept."""
        flat = self.terms.reshape(-1, self.terms.shape[-1])
        return compute_gram(flat, np.full(len(flat), 1 / max(len(flat), 1)))

    def importance(self) -> Mapping[str, float]:
        """The weights that local ones are pulled toward."""
        return dict(zip(self.models, self.weights.tolist(), strict=True))

    def dump(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """The common header with how columns are read; the rows fitted on, and the weights."""
        header, arrays = super().dump()
        own = {name: getattr(self, name) for name in ("known", "terms", "centre", "scale")}
        told = {"features": self.features.dump(), "k": self.k, "shrink": self.shrink}
        return {**header, **told}, {**arrays, **own, "weights": self.weights}

    @classmethod
    def load(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the `header` and `arrays` of `dump`; ValueError where the shapes do not fit."""
        fields = header_fields(header)
        names = ("known", "terms", "centre", "scale", "weights")
        own: dict[str, Any] = {name: arrays[name] for name in names}
        if own["terms"].shape[::2] != (len(own["known"]), len(own["weights"])):
            raise ValueError(f"terms of shape {own['terms'].shape}")
        features = Features.load(header["features"])
        shrink = float(header["shrink"])
        return cls(**fields, **own, features=features, k=int(header["k"]), shrink=shrink)

    def __eq__(self, other: object) -> bool:
        """Whether everything that is saved is equal."""
        if not isinstance(other, LocalWeights):
            return NotImplemented
        (mine, arrays), (theirs, others) = self.dump(), other.dump()
        return mine == theirs and all(np.array_equal(arrays[key], others[key]) for key in arrays)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class LocalInputs:
    """What a fusion by neighbours is fitted to.

    Parameters:
        pool: Pool of the rows.
        inputs: Numbers of the further columns (n, d).
        features: How these are read.
    """

    pool: Pool
    inputs: Array
    features: Features

    def take(self, rows: Array) -> "LocalInputs":
        """The `rows` of a mask (n,)."""
        if rows.all():
            return self
        return LocalInputs(self.pool.take(rows), self.inputs[rows], self.features)


@dataclass(frozen=True)
class Neighbours(Fusion[LocalInputs]):
    """Weights that depend on the row: convex weights of least loss on the rows nearest to it.

    Nearest by Euclidean distance of the standardised columns that `features` names. The `k`
    neighbours of a row are few, so its weights are pulled toward those of `weighted` on all rows by
    `shrink` pseudo-rows. The rows fitted on are kept, at most 20,000 evenly spread ones; their
    weights do not count among neighbours.

    Parameters:
        features: Columns of the table that say which rows are near, as in "x|y": numbers (an
            embedding has many), or texts of few values. `fuse(features=...)` (--features) sets it.
        k: Neighbours of a row, 1 or more; default 100.
        shrink: Pseudo-rows that pull toward the weights of all rows, > 0; default 20.

    Source: Woods, Kegelmeyer & Bowyer (1997), IEEE TPAMI 19:405-410 (local accuracy); Ko, Sabourin
    & Britto (2008), Pattern Recognition 41:1718-1731.
    """

    name = "neighbours"
    aliases = ("neighbors", "knn", "local")
    fitted = LocalWeights
    least_rows = 20
    features: str = ""
    k: int = 100
    shrink: float = 20.0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UnsupportedError(f"k of neighbours must be 1 or more; got {self.k}")
        if not 0 < self.shrink < np.inf:
            raise UnsupportedError(f"shrink of neighbours must be a number > 0; got {self.shrink}")

    def evidence(self, table: Predictions, fold: Array | None = None) -> LocalInputs:
        """The pool of `table` with each row's `fold`, and the columns that say what is near."""
        refuse_labels(table, self)
        if not self.features:
            raise UnsupportedError(
                "neighbours needs the columns that say which rows are near: "
                "fuse(..., features=['x', 'y']), --features x,y. For a gate on the models' own "
                "outputs use how='gated'."
            )
        features = Features.fit(table, self.features)
        parts = [features.read(batch) for batch in table.batches(BATCH)]
        return LocalInputs(Pool.read(table, fold), np.concatenate(parts), features)

    def solve(self, evidence: LocalInputs, *, seed: int = 0) -> LocalWeights:
        """The rows of positive weight of the `evidence`, and their weights; `seed` is not used."""
        weighted: Any = FUSIONS["weighted"]()
        common = np.array(list(weighted.solve(evidence.pool, seed=seed).weights.values()))
        evidence = evidence.take(evidence.pool.weight > 0)
        rows = len(evidence.inputs)
        step = -(-rows // MOST_ROWS)
        if step > 1:
            evidence = evidence.take(np.arange(rows) % step == 0)
        pool = evidence.pool
        kept = len(evidence.inputs)
        centre, scale = standardise(evidence.inputs, np.full(kept, 1 / max(kept, 1)))
        # A model of next to no weight on all rows may have some near one of them.
        common = 0.99 * common + 0.01 / len(common)
        note = f"Neighbours are among {kept} of {rows} rows, evenly spread."
        return LocalWeights(
            how=str(self),
            kind=pool.kind,
            schema=pool.schema,
            notes=(note,) if step > 1 else (),
            features=evidence.features,
            known=(evidence.inputs - centre) / scale,
            terms=np.ascontiguousarray(pool.terms.reshape(kept, -1, len(common))),
            centre=centre,
            scale=scale,
            weights=common,
            k=self.k,
            shrink=self.shrink,
        )
