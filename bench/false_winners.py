"""False winners: how often equally good models are told apart by cross-validation, and different ones found.

The models are ridge classifiers, none better by construction: each is given features of its own that say as much of
the truth as any other's ("own"), or the same features through noise of its own ("shared"), as models that learn much
the same do. In the power cases the second sees them through more noise. A winner is named where a test at a nominal
5 % says so (of ten models: where it tells any two apart after Holm's correction). Side by side on the same folds: the
corrected resampled t of the package, the naive paired t, and Wilcoxon's test on folds. One case is known to be beyond
the correction: ten models that have hardly learnt anything, whose figures vary more with the training rows than it
allows for. The winner's curse: by how much the score of the best of ten equal models flatters it, as it stands and
corrected by `selected_best`.

Prints one JSON line a case, then a table.
"""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr

from assay.compare import holm
from assay.predictions import Predictions
from assay.ranktests import wilcoxon
from assay.resampled import corrected_t
from assay.winner import selected_best

ALPHA, ROWS, WIDTH, RIDGE = 0.05, 200, 5, 1.0


class Case(NamedTuple):
    """Models, folds, repeats, simulations; what the models see; the noise added to what the second sees."""

    models: int
    folds: int
    repeats: int
    simulations: int
    features: str = "own"
    blur: float = 0.0


CASES = {
    "2 equal models, 10-fold": Case(2, 10, 1, 4000),
    "2 equal models, 10x10-fold": Case(2, 10, 10, 4000),
    "2 equal models, 20x5-fold": Case(2, 5, 20, 2000),
    "10 equal models, 10-fold": Case(10, 10, 1, 1000, "shared"),
    "10 equal models, 10x10-fold": Case(10, 10, 10, 400, "shared"),
    "10 equal models near chance, 10-fold": Case(10, 10, 1, 1000),
    "10 equal models near chance, 10x10-fold": Case(10, 10, 10, 400),
    "2 different models, 10-fold": Case(2, 10, 1, 1000, "shared", 0.75),
    "2 different models, 10x10-fold": Case(2, 10, 10, 1000, "shared", 0.75),
}


def right(rng: np.random.Generator, case: Case) -> tuple[Any, Any, Any]:
    """One cross-validated study: truth (rows,), held-out predictions (models, repeats * rows), the row of each."""
    x, signal = features(rng, case)
    noise = 2.0 if case.features == "own" else 0.5
    y = np.where(signal + noise * signal.std() * rng.normal(size=ROWS) > 0, 1.0, -1.0)
    rows = rng.random((case.repeats, ROWS)).argsort(axis=1).reshape(case.repeats, case.folds, -1)
    test, held = x[:, rows], y[rows]
    turned = np.swapaxes(test, -1, -2)
    # What is left of the sums over all rows once the held-out ones are taken away.
    gram = (np.swapaxes(x, -1, -2) @ x)[:, None, None] - turned @ test + RIDGE * np.eye(WIDTH)
    moment = (np.swapaxes(x, -1, -2) @ y)[:, None, None] - (turned @ held[None, ..., None])[..., 0]
    said = (test @ np.linalg.solve(gram, moment[..., None]))[..., 0]
    return y > 0, (said > 0).reshape(case.models, -1), rows.ravel()


def features(rng: np.random.Generator, case: Case) -> tuple[Any, Any]:
    """What each model sees (models, rows, width), and the signal behind the truth (rows,)."""
    x = rng.normal(size=(case.models, ROWS, WIDTH))
    signal = x.sum(axis=(0, 2))
    if case.features == "shared":
        z = rng.normal(size=(ROWS, WIDTH))
        x, signal = z + 0.5 * x, z.sum(axis=1)
    x[1] += case.blur * rng.normal(size=x[1].shape)
    return x, signal


def accuracies(y: Any, said: Any, rows: Any, folds: int) -> Any:
    """Accuracy of each model in each fold (models, folds * repeats)."""
    return (said == y[rows]).reshape(len(said), -1, ROWS // folds).mean(axis=2)


def naive_t(d: Any) -> float:
    """The paired t-test that takes folds to be independent."""
    error = d.std(ddof=1) / np.sqrt(len(d))
    return 2 * float(stdtr(len(d) - 1, -abs(d.mean()) / error)) if error else float(d.mean() == 0)


def tests(folds: int) -> dict[str, Callable[[Any], float]]:
    """p-value of differences fold by fold, by each test."""
    return {
        "corrected t": lambda d: corrected_t(d, 1 / (folds - 1), 0.95, folds / ROWS).p,
        "naive t": naive_t,
        "wilcoxon": lambda d: wilcoxon(d.round(9)),
    }


def named(case: Case, seed: int = 0) -> dict[str, float]:
    """How often each test tells any two models apart."""
    rng, found = np.random.default_rng(seed), dict.fromkeys(tests(case.folds), 0)
    for _ in range(case.simulations):
        figures = accuracies(*right(rng, case), case.folds)
        for name, test in tests(case.folds).items():
            p = [test(figures[a] - figures[b]) for a, b in combinations(range(case.models), 2)]
            found[name] += min(holm(p)) < ALPHA
    return {name: count / case.simulations for name, count in found.items()}


def curse(models: int, simulations: int, seed: int = 0) -> dict[str, float]:
    """Mean of the best's score less its true accuracy of 0.8: as it stands, and corrected; coverage of the interval."""
    rng, found = np.random.default_rng(seed), []
    for i in range(simulations):
        y = rng.integers(0, 2, ROWS)
        said = {f"m{j}": np.where(rng.random(ROWS) < 0.8, y, 1 - y) for j in range(models)}
        best = selected_best(Predictions.from_arrays(y, said, classes=[0, 1]), "accuracy", seed=i)
        found.append((best.naive - 0.8, best.value - 0.8, best.low <= 0.8 <= best.high))
    return dict(zip(("naive", "corrected", "coverage"), map(float, np.mean(found, axis=0)), strict=True))


def lines(share: float = 1.0) -> Iterator[dict[str, Any]]:
    """One record a case, on a share of the simulations."""
    for name, case in CASES.items():
        simulations = max(1, round(case.simulations * share))
        rates = named(case._replace(simulations=simulations))
        error = max((r * (1 - r) / simulations) ** 0.5 for r in (rates["corrected t"], ALPHA))
        rounded = {test: round(rate, 4) for test, rate in rates.items()}
        yield {"case": name, "simulations": simulations, **rounded, "standard error": round(error, 4)}


def main() -> None:
    """Print every case; an argument scales the number of simulations, as in `false_winners.py 0.1`."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    found = []
    for line in lines(share):
        print(json.dumps(line), flush=True)
        found.append(line)
    simulations = max(1, round(500 * share))
    bias = {name: round(value, 4) for name, value in curse(10, simulations).items()}
    print(json.dumps({"case": "best of 10 equal models, bias of its accuracy", "simulations": simulations, **bias}))
    print("\n| a winner is named, nominal 5 % | corrected t | naive paired t | Wilcoxon on folds | standard error |")
    print("|--|--|--|--|--|")
    for line in found:
        rates = (f"{line[test]:.1%}" for test in ("corrected t", "naive t", "wilcoxon", "standard error"))
        print(f"| {line['case']} | {' | '.join(rates)} |")
    print(f"\nThe best of ten equal models (true accuracy 0.8, {ROWS} rows) looks {bias['naive']:+.3f} better than it")
    print(f"is; corrected: {bias['corrected']:+.4f}; its 95 % interval holds the truth in {bias['coverage']:.1%}.")


if __name__ == "__main__":
    main()
