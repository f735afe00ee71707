"""What fusing gains on rows that no model has seen, on real data that scikit-learn ships.

For each data set and seed: a third of the rows is held out; the models are cross-validated on the
rest; each fusion is fitted to these out-of-fold predictions and applied to the held-out rows.
Prints one JSON line a fusion: its loss (log loss, or squared error) there as a mean percentage of
that of the model that was best out of fold, over sets; on how many of the runs it was better, and
how often significantly (p < .01, paired by rows) better and worse.

    python bench/fusion_auto.py [--seeds N]
"""

import argparse
import json
import math
from collections import defaultdict

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.fusions.fuse import fuse
from assay.fusions.judging import compare_losses, measure_losses
from assay.selection.cross_validate import cross_validate

SETS = (load_breast_cancer, load_wine, load_iris, load_digits, load_diabetes)
HOWS = ("mean", "performance", "greedy", "weighted", "geometric", "stacking", "auto")
SIGNIFICANT = 2.576  # standard errors


def make_classifiers(seed: int) -> dict[str, object]:
    """Eight models of different kinds, with the parameters that they come with."""
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "strong_l2": make_pipeline(StandardScaler(), LogisticRegression(C=0.01)),
        "bayes": GaussianNB(),
        "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(15)),
        "tree": DecisionTreeClassifier(max_depth=5, random_state=seed),
        "forest": RandomForestClassifier(100, random_state=seed),
        "extra_trees": ExtraTreesClassifier(100, random_state=seed),
        "boosting": HistGradientBoostingClassifier(max_iter=60, random_state=seed),
    }


def make_regressors(seed: int) -> dict[str, object]:
    """Eight models of different kinds, with the parameters that they come with."""
    return {
        "ridge": make_pipeline(StandardScaler(), Ridge()),
        "neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor(15)),
        "tree": DecisionTreeRegressor(max_depth=4, random_state=seed),
        "forest": RandomForestRegressor(100, random_state=seed),
        "extra_trees": ExtraTreesRegressor(100, random_state=seed),
        "boosting": GradientBoostingRegressor(random_state=seed),
        "hist_boosting": HistGradientBoostingRegressor(max_iter=60, random_state=seed),
        "svm": make_pipeline(StandardScaler(), SVR(C=30)),
    }


def run(load: object, seed: int) -> dict[str, tuple[float, float]]:
    """Loss of each fusion on held-out rows as a share of the best model's, and its z."""
    X, y = load(return_X_y=True)  # type: ignore[operator]
    kinds = y if len(np.unique(y)) < 20 else None
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=1 / 3, random_state=seed, stratify=kinds
    )
    models = make_regressors(seed) if kinds is None else make_classifiers(seed)
    table = cross_validate(models, X, y, cv=5, seed=seed)
    fitted = {name: model.fit(X, y) for name, model in models.items()}  # type: ignore[attr-defined]
    test = collect(fitted, X_test, y_test)
    found = {}
    for how in HOWS:
        try:
            fused = fuse(table, how, seed=seed)
        except UnsupportedError:
            continue  # it is for other tables, or for more rows
        judged = fused.predict(test)
        losses = measure_losses(judged, fused.fitted.kind)
        gain = compare_losses(losses.rows["fused"], losses.rows[fused.best], np.ones(judged.n))
        z = gain.difference / gain.error if gain.error > 0 else 0.0
        found[how] = losses.mean["fused"] / losses.mean[fused.best] - 1, z
    return found


def main() -> None:
    """Run every set with every seed, and print a line a fusion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    by_how: dict[str, list[list[tuple[float, float]]]] = defaultdict(list)
    for load in SETS:
        runs = [run(load, seed) for seed in range(seeds)]
        for how in HOWS:
            of_set = [one[how] for one in runs if how in one]
            if of_set:
                by_how[how].append(of_set)
    for how, sets in by_how.items():
        every = [pair for runs in sets for pair in runs]
        means = [np.mean([loss for loss, _ in runs]) for runs in sets]
        line = {
            "how": how,
            "sets": len(sets),
            "loss_percent": round(100 * float(np.mean(means)), 2),
            "error": round(100 * float(np.std(means) / math.sqrt(len(means))), 2),
            "runs": len(every),
            "better": sum(loss < 0 for loss, _ in every),
            "significantly_better": sum(z < -SIGNIFICANT for _, z in every),
            "significantly_worse": sum(z > SIGNIFICANT for _, z in every),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
