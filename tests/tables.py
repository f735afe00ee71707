"""Random predictions tables for the tests: every task, with ties, weights, absent classes, all label types."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from assay.table.predictions import Predictions

TASKS = ("binary", "multiclass", "multilabel", "regression")

LABELS: dict[str, Any] = {
    "str": ["ant", "bee", "cat", "dog", "elk", "fox"],
    "int": [3, -1, 7, 10, 4, 0],
    "bool": [False, True],
}


def random_table(
    task: str,
    seed: int,
    *,
    n: int | None = None,
    labels: str = "str",
    weighted: bool = False,
    ties: bool = False,
) -> Predictions:
    """A table of two models whose content is a function of the seed alone."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60)) if n is None else n
    weight = np.round(rng.gamma(2.0, size=n), 3) + 0.001 if weighted else None
    if task == "regression":
        y = rng.normal(size=n) * 3
        y = np.round(y) if ties else y
        models = {f"{m}.value": y + rng.normal(size=n) * s for m, s in (("a", 1.0), ("b", 2.0))}
        for m, s in (("a", 1.0), ("b", 2.0)):
            half = np.round(rng.gamma(2.0, s, size=(n, 2)), 0 if ties else 6)
            models[f"{m}.interval"] = models[f"{m}.value"][:, None] + half * [-1, 1]
        return Predictions.from_arrays(y, models, task="regression", weight=weight)
    if task == "multilabel":
        k = int(rng.integers(2, 6))
        y = rng.integers(0, 2, (n, k))
        models = {
            f"{m}.proba": _rounded(rng.beta(1 + s * y, 1 + s * (1 - y)), ties)
            for m, s in (("a", 3), ("b", 1))
        }
        return Predictions.from_arrays(y, models, task="multilabel", weight=weight)
    k = 2 if task == "binary" or labels == "bool" else int(rng.integers(3, 7))
    classes = sorted(LABELS[labels][:k])
    # Every class may be absent from the truth; which ones, chance decides.
    seen = (
        rng.choice(k, size=max(1, int(rng.integers(1, k + 1))), replace=False)
        if rng.random() < 0.3
        else np.arange(k)
    )
    y = rng.choice(seen, size=n)
    models = {}
    for m, s in (("a", 2.0), ("b", 0.7)):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += s
        if ties:
            z = np.round(z)
        p = np.exp(z)
        models[f"{m}.proba"] = p / p.sum(axis=1, keepdims=True)
    truth = [classes[code] for code in y]
    return Predictions.from_arrays(truth, models, classes=classes, task=task, weight=weight)


def _rounded(p: Any, ties: bool) -> Any:
    return np.round(p, 1) if ties else p


@st.composite
def tables(draw: st.DrawFn, tasks: tuple[str, ...] = TASKS) -> Predictions:
    """Any table of any of the tasks."""
    return random_table(
        draw(st.sampled_from(tasks)),
        draw(st.integers(0, 2**32 - 1)),
        n=draw(st.integers(1, 40)),
        labels=draw(st.sampled_from(["str", "int"])),
        weighted=draw(st.booleans()),
        ties=draw(st.booleans()),
    )
