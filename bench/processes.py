"""Processes that make data for the benches: the truth of n rows, and what a model gives of them.

Each function gives `draw(rng, n)`. Of classes a model gives the probability of the positive one, of
a regression a number.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, softmax

Draw = Callable[..., tuple[Any, Any]]


def normal_classes(positive: float, apart: float, sharpen: float = 1.0) -> Draw:
    """Two normal classes; the model's logits are the true ones, times `sharpen`."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        y = (rng.random(n) < positive).astype(int)
        odds = (
            apart * (rng.normal(size=n) + apart * y)
            - apart**2 / 2
            + math.log(positive / (1 - positive))
        )
        return y, expit(sharpen * odds)

    return draw


def several_classes(k: int, apart: float, sharpen: float = 1.0) -> Draw:
    """As many normal classes, each a way off along an axis of its own, and the model as there."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        y = rng.integers(0, k, n)
        x = rng.normal(size=(n, k))
        x[np.arange(n), y] += apart
        return y, softmax(sharpen * apart * x, axis=1)

    return draw


def beta(a: float) -> Draw:
    """True probabilities from a beta distribution, known to the model."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        p = np.clip(rng.beta(a, a, size=n), 1e-6, 1 - 1e-6)
        return (rng.random(n) < p).astype(int), p

    return draw


def flipped(share: float, positive: float = 0.5) -> Draw:
    """Labels that the model tells apart, a share of them flipped.

    Its logits lie about what that share deserves.
    """

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        y = (rng.random(n) < positive).astype(int)
        seen = np.where(rng.random(n) < share, 1 - y, y)
        return y, expit((2 * seen - 1) * math.log(1 / share - 1) + rng.normal(size=n))

    return draw


def heavy_classes(positive: float, apart: float) -> Draw:
    """Scores of either class with noise of Student's t with 3 degrees of freedom."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        y = (rng.random(n) < positive).astype(int)
        return y, expit(rng.standard_t(3, size=n) + apart * (y - 0.5))

    return draw


def regression(r2: float, heavy: bool) -> Draw:
    """The model knows the signal; the noise is normal or Student's t with 5 degrees of freedom."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        signal = math.sqrt(r2) * rng.normal(size=n)
        noise = rng.standard_t(5, size=n) / math.sqrt(5 / 3) if heavy else rng.normal(size=n)
        return signal + math.sqrt(1 - r2) * noise, signal

    return draw


def noisy_numbers(r2: float, freedom: float | None) -> Draw:
    """A signal that the model knows, with noise of Student's t; normal noise where no `freedom`."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        signal = math.sqrt(r2) * rng.normal(size=n)
        if freedom is None:
            noise = rng.normal(size=n)
        else:
            noise = rng.standard_t(freedom, size=n) / math.sqrt(freedom / (freedom - 2))
        return signal + math.sqrt(1 - r2) * noise, signal

    return draw


def clustered(draw: Draw, size: int, spread: float = 0.7) -> Draw:
    """Rows in clusters of one `size`; what a model gives of a cluster is off alike, as logits."""

    def draw_clusters(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        y, said = draw(rng, n)
        shift = np.repeat(rng.normal(scale=spread, size=-(-n // size)), size)[:n]
        return y, expit(np.log(said / (1 - said)) + shift)

    return draw_clusters
