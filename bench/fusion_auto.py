"""What fusing gains on rows that no model has seen, on twenty real data sets.

For each data set (see `real_sets`) and seed: a third of the rows is held out; eight models are
cross-validated on the rest; each fusion is fitted to these out-of-fold predictions, of all eight
and of three of them, and applied to the held-out rows.

Prints one JSON line a number of models and fusion: its loss (log loss, or squared error) there as a
mean percentage of that of the model that was best out of fold, over sets, with its standard error;
in how many of the runs it was better, and how often significantly (p < .01, paired by rows) better
and worse; and what the verdict of `fuse` was worth: in which share of runs its interval held the
difference on the held-out rows (whose own error counts, too), and in which share of the runs with
each answer the fused model was better there. `--before PYTHON` adds the `auto` of another build of
assay, that of this interpreter. `--tables FOLDER` keeps the predictions for another run.

    python bench/fusion_auto.py [--seeds N] [--tables FOLDER] [--before PYTHON]
"""

import argparse
import json
import math
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from real_sets import SETS, RealSet, load_set
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
from assay.fusions.fuse import Fused, fuse
from assay.fusions.judging import measure_losses
from assay.io.read_write import read, write
from assay.selection.cross_validate import cross_validate
from assay.table.predictions import Predictions

HOWS = ("mean", "performance", "weighted", "greedy", "stacking", "auto")
BEFORE = "auto, before"
THREE = (
    "logistic",
    "ridge",
    "forest",
    "boosting",
)  # those that a set has: linear, forest, boosting
SIGNIFICANT = 2.576  # standard errors
ANSWERS = ("pays", "probably better", "worse")

# What the other build runs: each line of its input names two tables and models, as JSON.
FUSE_BEFORE = """
import json, sys, assay
for line in sys.stdin:
    oof, test, models = json.loads(line)
    fused = assay.fuse(assay.read(oof).select(models), "auto")
    rows = assay.read(test).select(models)
    rows = rows.append("fused", **fused.fitted.apply(rows))
    metric = "mse" if rows.task == "regression" else "log_loss"
    values = {row.model: row.value for row in assay.evaluate(rows, metric, intervals=False).rows}
    print(values["fused"], flush=True)
"""


class Run(NamedTuple):
    """One fusion on one table: its loss on held-out rows as a share of the best single model's.

    `difference` and `error` are of the held-out rows; `fused` is None for another build.
    """

    data: str
    models: int
    how: str
    relative: float
    difference: float
    error: float
    fused: Fused | None


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


def make_tables(real: RealSet, seed: int, folder: Path) -> tuple[Path, Path]:
    """Files of the out-of-fold table and of the held-out one, made unless they are there."""
    oof = folder / f"{real.name}_{seed}_oof.parquet"
    test = folder / f"{real.name}_{seed}_test.parquet"
    if oof.exists() and test.exists():
        return oof, test
    X, y = load_set(real)
    kinds = None if real.is_regression else y
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=1 / 3, random_state=seed, stratify=kinds
    )
    models = make_regressors(seed) if real.is_regression else make_classifiers(seed)
    write(cross_validate(models, X, y, cv=5, seed=seed, n_jobs=1), oof)
    fitted = {name: model.fit(X, y) for name, model in models.items()}  # type: ignore[attr-defined]
    write(collect(fitted, X_test, y_test), test)
    return oof, test


def measure(oof: Predictions, test: Predictions, data: str) -> Iterator[Run]:
    """Every fusion of the models of `oof`, judged on the rows of `test`."""
    for how in HOWS:
        try:
            fused = fuse(oof, how)
        except UnsupportedError:
            continue  # it is for other tables, or for more rows
        losses = measure_losses(fused.predict(test), fused.fitted.kind)
        difference = losses.rows["fused"] - losses.rows[fused.best]
        error = float(difference.std(ddof=1) / math.sqrt(len(difference)))
        relative = losses.mean["fused"] / losses.mean[fused.best] - 1
        yield Run(data, len(oof.models), how, relative, float(difference.mean()), error, fused)


def summarise(runs: list[Run]) -> dict[str, Any]:
    """The line of one fusion and number of models."""
    of_set = list(_average_by_set(runs).values())
    line: dict[str, Any] = {
        "models": runs[0].models,
        "how": runs[0].how,
        "sets": len(of_set),
        "loss_percent": round(100 * float(np.mean(of_set)), 2),
        "error": round(100 * float(np.std(of_set, ddof=1) / math.sqrt(len(of_set))), 2),
        "runs": len(runs),
        "better": sum(run.relative < 0 for run in runs),
    }
    if runs[0].fused is None:
        return line
    line["significantly_better"] = sum(run.difference < -SIGNIFICANT * run.error for run in runs)
    line["significantly_worse"] = sum(run.difference > SIGNIFICANT * run.error for run in runs)
    line["covered"] = round(float(np.mean([_is_covered(run) for run in runs])), 3)
    for answer in ANSWERS:
        given = [run for run in runs if run.fused is not None and run.fused.answer == answer]
        if given:
            share = round(sum(run.difference < 0 for run in given) / len(given), 2)
            line[answer] = {"runs": len(given), "better": share}
    return line


def _average_by_set(runs: list[Run]) -> dict[str, float]:
    """Mean relative loss of the runs of each data set."""
    return {
        data: float(np.mean([run.relative for run in runs if run.data == data]))
        for data in dict.fromkeys(run.data for run in runs)
    }


def _count_sets_ahead(autos: list[Run], others: list[Run]) -> str:
    """On how many data sets `auto` has the lower mean loss, of those that both have."""
    ours, theirs = _average_by_set(autos), _average_by_set(others)
    both = [data for data in theirs if data in ours]
    return f"{sum(ours[data] < theirs[data] for data in both)} of {len(both)}"


def _is_covered(run: Run) -> bool:
    """Whether the interval of the verdict, widened by the held-out rows' own, holds their value."""
    assert run.fused is not None
    half = (run.fused.high - run.fused.low) / 2
    reach = math.hypot(half, 1.96 * run.error)
    return abs(run.difference - run.fused.difference) <= reach + 1e-12


def main() -> None:
    """Run every set with every seed, and print a line a number of models and fusion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tables", type=Path, default=Path(tempfile.mkdtemp()))
    parser.add_argument("--before", help="Python of another build of assay")
    asked = parser.parse_args()
    asked.tables.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    lines: list[str] = []
    for real in SETS:
        for seed in range(asked.seeds):
            paths = make_tables(real, seed, asked.tables)
            oof, test = map(read, paths)
            for models in (oof.models, [name for name in THREE if name in oof.models]):
                runs += measure(oof.select(models), test.select(models), real.name)
                lines.append(json.dumps([*map(str, paths), list(models)]))
    if asked.before is not None:
        runs += _measure_before(asked.before, lines, [run for run in runs if run.how == "auto"])
    for count in (8, 3):
        for how in (*HOWS, BEFORE):
            of_how = [run for run in runs if run.models == count and run.how == how]
            if of_how:
                line = summarise(of_how)
                autos = [run for run in runs if run.models == count and run.how == "auto"]
                line["auto_ahead_on_sets"] = _count_sets_ahead(autos, of_how)
                print(json.dumps(line), flush=True)


def _measure_before(python: str, lines: list[str], now: list[Run]) -> list[Run]:
    """The `auto` of another build on the same tables, beside the runs of this one."""
    found = subprocess.run(
        [python, "-c", FUSE_BEFORE], input="\n".join(lines), text=True, check=True,
        stdout=subprocess.PIPE,
    ).stdout.split()  # fmt: skip
    runs = []
    for loss, line, run in zip(map(float, found), lines, now, strict=True):
        assert run.fused is not None
        _, test, models = json.loads(line)
        best = measure_losses(read(test).select(models), run.fused.fitted.kind).mean[run.fused.best]
        runs.append(Run(run.data, run.models, BEFORE, loss / best - 1, 0.0, 0.0, None))
    return runs


if __name__ == "__main__":
    main()
