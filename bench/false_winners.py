"""False winners: how often equally good models are told apart, and how often different ones are.

Cross-validated: two learners (ridge, and the nearest 3 neighbours), each given features of its own
that say as much of the truth as any other's ("own"), or the same features through noise of its own
("shared"), as models that learn much the same do; so that no model is better than another by
construction. In the power cases the second sees its features through more noise. A winner is named
where a test at a nominal 5 % says so (of ten models: where it tells any two apart after Holm's
correction). Side by side on the same folds: what `compare` does ("assay": the corrected resampled
t, for repeated folds with the degrees of freedom of one repeat), the textbook's J - 1 degrees of
freedom, McNemar's mid-p on the held-out rows pooled over the folds, the naive paired t, and
Wilcoxon's test on folds.

On random splits, as ShuffleSplit draws them: the same two. On one test set: `compare` on models
whose errors are drawn alike. The race: how often `race` drops any of four equally good models. The
winner's curse: by how much the score of the best of ten equal models flatters it, as it stands and
corrected by `selection_bias`.

Prints one JSON line a case, then a table.

    python bench/false_winners.py [--quick]
"""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.special import bdtr, stdtr

from assay.comparison.compare import compare
from assay.comparison.corrections import holm
from assay.comparison.fold_tests import corrected_t
from assay.comparison.rank_tests import wilcoxon
from assay.comparison.selection_bias import selection_bias
from assay.table.predictions import Predictions

ALPHA, ROWS, WIDTH, RIDGE, NEAREST = 0.05, 200, 5, 1.0, 3
TESTS = ("assay", "textbook t", "pooled rows", "naive t", "wilcoxon")


class Case(NamedTuple):
    """Models, folds, repeats, simulations.

    What the models see; noise added to what the second sees; the learner.
    """

    models: int
    folds: int
    repeats: int
    simulations: int
    features: str = "own"
    blur: float = 0.0
    learner: str = "ridge"


CASES = {
    "2 equal models, 10-fold": Case(2, 10, 1, 4000),
    "2 equal models, 5-fold": Case(2, 5, 1, 4000),
    "2 equal models that see much the same, 10-fold": Case(2, 10, 1, 4000, "shared"),
    "2 equal models that see much the same, 5-fold": Case(2, 5, 1, 4000, "shared"),
    "2 equal nearest neighbours, 10-fold": Case(2, 10, 1, 1000, "shared", learner="neighbours"),
    "2 equal nearest neighbours, 5-fold": Case(2, 5, 1, 1000, "shared", learner="neighbours"),
    "2 equal nearest neighbours near chance, 10-fold": Case(2, 10, 1, 1000, learner="neighbours"),
    "10 equal models, 10-fold": Case(10, 10, 1, 1000, "shared"),
    "10 equal models near chance, 10-fold": Case(10, 10, 1, 1000),
    "2 equal models, 10x10-fold": Case(2, 10, 10, 4000),
    "2 equal models, 20x5-fold": Case(2, 5, 20, 2000),
    "2 equal nearest neighbours, 10x10-fold": Case(2, 10, 10, 500, "shared", learner="neighbours"),
    "10 equal models, 10x10-fold": Case(10, 10, 10, 400, "shared"),
    "10 equal models near chance, 10x10-fold": Case(10, 10, 10, 400),
    "2 different models, 10-fold": Case(2, 10, 1, 1000, "shared", 0.75),
    "2 different models, 10x10-fold": Case(2, 10, 10, 1000, "shared", 0.75),
    "2 very different models, 10-fold": Case(2, 10, 1, 1000, "shared", 1.5),
    "2 very different models, 10x10-fold": Case(2, 10, 10, 1000, "shared", 1.5),
}


def right(rng: np.random.Generator, case: Case) -> tuple[Any, Any, Any]:
    """One cross-validated study.

    Truth (rows,), held-out predictions (models, repeats * rows), the row of each.
    """
    x, signal = features(rng, case)
    noise = 2.0 if case.features == "own" else 0.5
    y = np.where(signal + noise * signal.std() * rng.normal(size=ROWS) > 0, 1.0, -1.0)
    rows = rng.random((case.repeats, ROWS)).argsort(axis=1).reshape(case.repeats, case.folds, -1)
    if case.learner == "neighbours":
        return y > 0, neighbours(x, y, rows), rows.ravel()
    return y > 0, (ridge(x, y, rows) > 0).reshape(case.models, -1), rows.ravel()


def ridge(x: Any, y: Any, rows: Any) -> Any:
    """What ridge regressions on the other rows say of `rows` (..., held), shaped (models, ...,
    held).
    """
    test, held = x[:, rows], y[rows]
    turned, between = np.swapaxes(test, -1, -2), (slice(None), *[None] * (rows.ndim - 1))
    # What is left of the sums over all rows once the held-out ones are taken away.
    gram = (np.swapaxes(x, -1, -2) @ x)[between] - turned @ test + RIDGE * np.eye(WIDTH)
    moment = (np.swapaxes(x, -1, -2) @ y)[between] - (turned @ held[None, ..., None])[..., 0]
    return (test @ np.linalg.solve(gram, moment[..., None]))[..., 0]


def neighbours(x: Any, y: Any, rows: Any) -> Any:
    """What the nearest rows of the other folds say (models, repeats * rows).

    `rows` (repeats, folds, rows a fold).
    """
    repeats, folds, each = rows.shape
    apart = ((x[:, :, None] - x[:, None]) ** 2).sum(axis=-1)
    said = np.empty((len(x), repeats, ROWS), bool)
    for i, order in enumerate(rows.reshape(repeats, ROWS)):
        fold = np.empty(ROWS, int)
        fold[order] = np.repeat(np.arange(folds), each)
        others = np.where(fold[:, None] == fold, np.inf, apart)
        near = np.argpartition(others, NEAREST, axis=-1)[..., :NEAREST]
        said[:, i] = (y[near].sum(axis=-1) > 0)[:, order]
    return said.reshape(len(x), -1)


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


def mid_p(a: Any, b: Any) -> float:
    """McNemar's mid-p of two models' right rows (rows,)."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    fewer, both = min(only_a, only_b), only_a + only_b
    return (
        min(1.0, bdtr(fewer, both, 0.5) + (bdtr(fewer - 1, both, 0.5) if fewer else 0.0))
        if both
        else 1.0
    )


def tests(case: Case) -> dict[str, Callable[[Any], float]]:
    """p-value of differences fold by fold, by each test."""
    ratio, step = 1 / (case.folds - 1), case.folds / ROWS
    offered: dict[str, Callable[[Any], float]] = {
        "assay": lambda d: corrected_t(d, ratio, step=step, freedom=case.folds - 1).p,
        "textbook t": lambda d: corrected_t(d, ratio, step=step).p,
        "naive t": naive_t,
    }
    # On five folds Wilcoxon's test cannot reach 5 %.
    return offered | (
        {"wilcoxon": lambda d: wilcoxon(d.round(9))} if case.folds * case.repeats > 5 else {}
    )


def named(case: Case, seed: int = 0) -> dict[str, float]:
    """How often each test tells any two models apart."""
    rng, pairs = np.random.default_rng(seed), list(combinations(range(case.models), 2))
    found = dict.fromkeys([*tests(case), *(["pooled rows"] if case.repeats == 1 else [])], 0)
    for _ in range(case.simulations):
        y, said, rows = right(rng, case)
        figures, correct = accuracies(y, said, rows, case.folds), said == y[rows]
        for name, test in tests(case).items():
            found[name] += min(holm([test(figures[a] - figures[b]) for a, b in pairs])) < ALPHA
        if case.repeats == 1:
            found["pooled rows"] += (
                min(holm([mid_p(correct[a], correct[b]) for a, b in pairs])) < ALPHA
            )
    return {name: count / case.simulations for name, count in found.items()}


def on_random_splits(
    splits: int, held: int, models: int, simulations: int, seed: int = 0
) -> dict[str, float]:
    """The same rate where each split holds out so many rows at random.

    As `compare` does, and by J - 1 d.f.
    """
    rng, pairs = np.random.default_rng(seed), list(combinations(range(models), 2))
    found = dict.fromkeys(("assay", "textbook t"), 0)
    for _ in range(simulations):
        x, signal = features(rng, Case(models, splits, 1, simulations))
        y = np.where(signal + 2.0 * signal.std() * rng.normal(size=ROWS) > 0, 1.0, -1.0)
        rows = rng.random((splits, ROWS)).argsort(axis=1)[:, :held]
        correct = (ridge(x, y, rows) > 0) == (y[rows] > 0)
        repeats = rows.size / len(np.unique(rows))
        freedom = {"assay": max(1.0, round(splits / repeats) - 1.0), "textbook t": splits - 1.0}
        apart = [correct[a].mean(axis=1) - correct[b].mean(axis=1) for a, b in pairs]
        for name, df in freedom.items():
            p = [corrected_t(d, held / (ROWS - held), step=1 / held, freedom=df).p for d in apart]
            found[name] += min(holm(p)) < ALPHA
    return {name: count / simulations for name, count in found.items()}


METRICS = ("accuracy", "f1", "mcc", "roc_auc", "log_loss", "brier")


def on_one_test_set(
    models: int, n: int, positive: float, simulations: int, seed: int = 0
) -> dict[str, float]:
    """How often `compare` tells any two of the models apart by each metric.

    Each sees the truth through noise alike.
    """
    rng, names = np.random.default_rng(seed), [f"m{i}.proba" for i in range(models)]
    found = dict.fromkeys(METRICS, 0)
    for i in range(simulations):
        y = (rng.random(n) < positive).astype(int)
        y[:2] = 0, 1
        shared = rng.normal(size=n)
        odds = 2 * (1.5 * y - 0.75 + 0.7 * shared + 0.7 * rng.normal(size=(models, n)))
        outputs = dict(zip(names, 1 / (1 + np.exp(-odds)), strict=True))
        table = Predictions.from_arrays(y, outputs, classes=[0, 1], positive=1)
        for metric in METRICS:
            found[metric] += any(
                "better" in pair.verdict for pair in compare(table, metric, seed=i).pairs
            )
    return {metric: count / simulations for metric, count in found.items()}


def dropped(folds: int, repeats: int, simulations: int, seed: int = 0) -> float:
    """Share of races that drop any of four equally good models, each a nearest-centroid rule on
    features of its own.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold
    from sklearn.neighbors import NearestCentroid
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from assay.selection.race import race

    def columns(i: int) -> Any:
        return FunctionTransformer(np.take, kw_args={"indices": range(3 * i, 3 * i + 3), "axis": 1})

    rng, found = np.random.default_rng(seed), 0
    for i in range(simulations):
        y = rng.permutation(np.arange(ROWS) % 2)
        x = rng.normal(size=(ROWS, 12)) + 0.35 * (2 * y - 1)[:, None]
        models = {f"m{j}": make_pipeline(columns(j), NearestCentroid()) for j in range(4)}
        cv = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=i)
        found += len(race(models, x, y, metric="accuracy", cv=cv, n_jobs=1).survivors) < 4
    return found / simulations


def curse(models: int, simulations: int, seed: int = 0) -> dict[str, float]:
    """Mean of the best's score less its true accuracy of 0.8.

    As it stands, and corrected; coverage of the interval.
    """
    rng, found = np.random.default_rng(seed), []
    for i in range(simulations):
        y = rng.integers(0, 2, ROWS)
        said = {f"m{j}": np.where(rng.random(ROWS) < 0.8, y, 1 - y) for j in range(models)}
        best = selection_bias(Predictions.from_arrays(y, said, classes=[0, 1]), "accuracy", seed=i)
        found.append((best.naive - 0.8, best.value - 0.8, best.low <= 0.8 <= best.high))
    return dict(
        zip(("naive", "corrected", "coverage"), map(float, np.mean(found, axis=0)), strict=True)
    )


def error_of(rates: dict[str, float], simulations: int) -> float:
    """Standard error of the simulation where it is largest among the rates that should be small."""
    return float(max((r * (1 - r) / simulations) ** 0.5 for r in (rates["assay"], ALPHA)))


def lines(share: float = 1.0) -> Iterator[dict[str, Any]]:
    """One record a cross-validated case, on a share of the simulations."""
    for name, case in CASES.items():
        simulations = max(1, round(case.simulations * share))
        rates = named(case._replace(simulations=simulations))
        rounded = {test: round(rate, 4) for test, rate in rates.items()}
        error = round(error_of(rates, simulations), 4)
        yield {"case": name, "simulations": simulations, **rounded, "standard error": error}


def show(header: list[str], rows: list[list[str]]) -> None:
    """A table in Markdown."""
    print(
        "\n" + "\n".join(f"| {' | '.join(row)} |" for row in [header, ["--"] * len(header), *rows])
    )


def main() -> None:
    """Print every case; `--quick` runs a tenth of the simulations."""
    share = 0.1 if "--quick" in sys.argv else 1.0
    folds, sets = [], []
    for line in lines(share):
        print(json.dumps(line), flush=True)
        folds.append(
            [
                line["case"],
                *(f"{line[t]:.1%}" if t in line else "" for t in (*TESTS, "standard error")),
            ]
        )
    for models, n, positive, most in (
        (2, 30, 0.5, 4000),
        (2, 100, 0.5, 4000),
        (2, 100, 0.2, 3000),
        (2, 1000, 0.5, 2000),
        (2, 1000, 0.05, 3000),
        (10, 100, 0.5, 300),
    ):
        simulations = max(1, round(most * share))
        rates = on_one_test_set(models, n, positive, simulations, seed=77 if models == 2 else 0)
        case = f"{models} equal models, one test set of {n} rows, {positive:.0%} positive"
        print(json.dumps({"case": case, "simulations": simulations, **rates}), flush=True)
        error = (ALPHA * (1 - ALPHA) / simulations) ** 0.5
        sets.append([case, *(f"{rates[m]:.1%}" for m in METRICS), f"{error:.1%}"])
    for models, splits, held, most in ((2, 10, 20, 4000), (2, 100, 20, 1000), (10, 30, 20, 400)):
        simulations = max(1, round(most * share))
        case = f"{models} equal models, {splits} random splits that hold out {held} of {ROWS} rows"
        rates = on_random_splits(splits, held, models, simulations)
        print(json.dumps({"case": case, "simulations": simulations, **rates}), flush=True)
    for k, repeats, most in ((10, 1, 400), (5, 10, 150)):
        simulations = max(1, round(most * share))
        case = f"4 equal models in a race of {repeats} x {k} folds, any dropped"
        print(
            json.dumps(
                {"case": case, "simulations": simulations, "rate": dropped(k, repeats, simulations)}
            ),
            flush=True,
        )
    simulations = max(1, round(500 * share))
    bias = {name: round(value, 4) for name, value in curse(10, simulations).items()}
    print(
        json.dumps(
            {
                "case": "best of 10 equal models, bias of its accuracy",
                "simulations": simulations,
                **bias,
            }
        )
    )
    show(["a winner is named, nominal 5 %", *TESTS, "standard error"], folds)
    show(["a winner is named, nominal 5 %", *METRICS, "standard error"], sets)
    print(
        f"\nThe best of ten equal models (true accuracy 0.8, {ROWS} rows) "
        f"looks {bias['naive']:+.3f} better than it"
    )
    print(
        f"is; corrected: {bias['corrected']:+.4f}; "
        f"its 95 % interval holds the truth in {bias['coverage']:.1%}."
    )


if __name__ == "__main__":
    main()
