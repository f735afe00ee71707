"""Additions: what a mean of models, chosen again and again, loses when one more is added.

>>> import numpy as np
>>> terms = np.array([[0.9, 0.2, 0.9], [0.2, 0.9, 0.8]])  # models by rows
>>> search = LogLossAdditions(terms, np.full(3, 1 / 3))
>>> choose_additions(search, steps=3).tolist()
[1, 1]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from assay.kernels import Array

__all__ = [
    "Additions", "LogLossAdditions", "MeasuredAdditions", "SquareAdditions", "choose_additions",
]  # fmt: skip

FACTORS = 16  # probabilities of 2.2e-16 or more whose product is above the least float
ROUNDING = 1e-12  # of a bound


class Additions(Protocol):
    """The mean of the models chosen so far, and what it would lose with each one more."""

    @property
    def size(self) -> int:
        """Number of models."""

    def start(self) -> None:
        """Begin again, with no model chosen."""

    def find_best(self, models: Sequence[int]) -> tuple[int, float]:
        """The one of `models` whose addition loses least (the first where tied), and that loss."""

    def add(self, model: int) -> None:
        """Choose the `model` once more."""


def choose_additions(
    search: Additions,
    steps: int,
    models: Sequence[int] | None = None,
    allow: Callable[[Array, int], bool] | None = None,
) -> Array:
    """How often each model (m,) is in the best mean on the way, the earliest where tied.

    Parameters:
        search: What additions lose.
        steps: How often a model is added.
        models: The models that may be chosen, the first of them where tied; default: all.
        allow: Whether the `model` may be added to the `counts`; default: always.

    Returns:
        The counts, all 0 where no addition is allowed or has a loss.
    """
    counts = np.zeros(search.size, np.int64)
    best_counts, least = counts, np.inf
    search.start()
    models = range(search.size) if models is None else models
    for _ in range(steps):
        allowed = [model for model in models if allow is None or allow(counts, model)]
        if not allowed:
            break
        model, loss = search.find_best(allowed)
        search.add(model)
        counts = counts + (np.arange(len(counts)) == model)
        if loss < least:
            best_counts, least = counts, loss
    return best_counts


@dataclass(eq=False)
class LogLossAdditions:
    """Additions by log loss: exactly the best, though few are evaluated.

    The loss is convex: adding q to a mean f of t models loses at least what the mean does, plus
    (1 - mean q/f) / (t + 1). Models are evaluated in the order of that bound until it is above the
    least loss found. The bound itself is brought up to date where it matters alone: from one step
    to the next mean q/f grows by (t + 1) / t at most.

    Parameters:
        terms: Probability that each model gives the truth (m, n), above 0.
        share: Share of each row (n,), >= 0, summing to 1.
    """

    terms: Array
    share: Array
    count: int = field(default=0, init=False)
    total: Array = field(init=False)
    loss: float = field(default=np.inf, init=False)
    found: tuple[int, float] = field(default=(-1, np.inf), init=False)  # by the last search
    slopes: Array = field(init=False)  # mean q/f of each model at most
    losses: dict[int, float] = field(default_factory=dict, init=False)  # of each model alone

    @property
    def size(self) -> int:
        """Number of models."""
        return len(self.terms)

    def start(self) -> None:
        """Begin again, with no model chosen."""
        self.count, self.loss, self.found = 0, np.inf, (-1, np.inf)
        self.total = np.zeros(self.terms.shape[1])
        self.slopes = np.full(len(self.terms), np.inf)
        self._is_even = bool((self.share == self.share[0]).all())
        self._sum = np.empty_like(self.total)

    def find_best(self, models: Sequence[int]) -> tuple[int, float]:
        """The one of `models` whose addition loses least (the first where tied), and that loss."""
        if not self.count:
            for model in models:
                if model not in self.losses:
                    self.losses[model] = self._measure(model)
            best = min(models, key=self.losses.__getitem__)
            self.found = best, self.losses[best]
            return self.found
        pull = self.share / (self.total / self.count)
        rank = {model: place for place, model in enumerate(models)}
        first = max(models, key=self.slopes.__getitem__)
        found = self._measure(first), rank[first]
        for model in models:
            if self._find_bound(model) <= found[0] + ROUNDING:
                self.slopes[model] = float(pull @ self.terms[model])
        for model in sorted(models, key=lambda model: -self.slopes[model]):
            if self._find_bound(model) > found[0] + ROUNDING:
                break
            if model != first:
                found = min(found, (self._measure(model), rank[model]))
        self.found = models[found[1]], found[0]
        return self.found

    def add(self, model: int) -> None:
        """Choose the `model` once more."""
        chosen, loss = self.found
        self.loss = loss if model == chosen else self._measure(model)
        self.total += self.terms[model]
        self.slopes *= (self.count + 1) / self.count if self.count else 1
        self.count += 1

    def _find_bound(self, model: int) -> float:
        return float(self.loss + (1 - self.slopes[model]) / (self.count + 1))

    def _measure(self, model: int) -> float:
        """The loss of the mean with one more of the `model`."""
        np.add(self.total, self.terms[model], out=self._sum)
        if not self._is_even:
            return float(np.log(self.count + 1) - self.share @ np.log(self._sum))
        # One logarithm for the product of several rows.
        whole = len(self._sum) // FACTORS * FACTORS
        products = np.multiply.reduce(self._sum[:whole].reshape(FACTORS, -1), axis=0)
        logs = float(np.log(products).sum() + np.log(self._sum[whole:]).sum())
        return float(np.log(self.count + 1) - logs * self.share[0])


@dataclass(eq=False)
class SquareAdditions:
    """Additions by mean square error, which the products of errors tell alone.

    Parameters:
        gram: Mean products (m, m) of the errors of every two models.
    """

    gram: Array
    count: int = field(default=0, init=False)
    row: Array = field(init=False)  # sum of the rows of the chosen
    square: float = field(default=0.0, init=False)

    @property
    def size(self) -> int:
        """Number of models."""
        return len(self.gram)

    def start(self) -> None:
        """Begin again, with no model chosen."""
        self.count, self.square = 0, 0.0
        self.row = np.zeros(len(self.gram))

    def find_best(self, models: Sequence[int]) -> tuple[int, float]:
        """The one of `models` whose addition loses least (the first where tied), and that loss."""
        chosen = np.asarray(models)
        losses = self.square + 2 * self.row[chosen] + self.gram[chosen, chosen]
        best = int(np.argmin(losses))
        return models[best], float(losses[best]) / (self.count + 1) ** 2

    def add(self, model: int) -> None:
        """Choose the `model` once more."""
        self.square += 2 * float(self.row[model]) + float(self.gram[model, model])
        self.row = self.row + self.gram[model]
        self.count += 1


@dataclass(eq=False)
class MeasuredAdditions:
    """Additions by whatever can be measured of a fused output, each of them evaluated.

    Parameters:
        outputs: Output of each model, (n,) or (n, k).
        measure: The loss of a fused output; inf where it is undefined.
    """

    outputs: Sequence[Array]
    measure: Callable[[Array], float]
    count: int = field(default=0, init=False)
    total: Array = field(init=False)

    @property
    def size(self) -> int:
        """Number of models."""
        return len(self.outputs)

    def start(self) -> None:
        """Begin again, with no model chosen."""
        self.count = 0
        self.total = np.zeros_like(self.outputs[0], dtype=np.float64)

    def find_best(self, models: Sequence[int]) -> tuple[int, float]:
        """The one of `models` whose addition loses least (the first where tied), and that loss."""
        size = self.count + 1
        losses = [self.measure((self.total + self.outputs[model]) / size) for model in models]
        best = int(np.argmin(losses))
        return models[best], losses[best]

    def add(self, model: int) -> None:
        """Choose the `model` once more."""
        self.total = self.total + self.outputs[model]
        self.count += 1
