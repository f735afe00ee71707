"""halving: successive halving, many models on few rows, the better ones on more, the last on all.

>>> from sklearn.datasets import load_iris
>>> from sklearn.dummy import DummyClassifier
>>> from sklearn.naive_bayes import GaussianNB
>>> chance = DummyClassifier(strategy="uniform", random_state=0)
>>> models = {"nb": GaussianNB(), "most": DummyClassifier(), "chance": chance}
>>> successive_halving(models, *load_iris(return_X_y=True), metric="accuracy").best
'nb'
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from assay.adapters.arguments import name_models
from assay.comparison.fold_values import fold_values, mean_defined
from assay.core.result import Result
from assay.core.text import TextTable, format_number
from assay.errors import UnsupportedError
from assay.metrics.base import Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.selection.experiment import Experiment
from assay.selection.splits import stratified_order
from assay.selection.store import FoldOutput
from assay.selection.training_data import TrainingData

__all__ = ["Halving", "Rung", "successive_halving"]

WARNING = (
    "Halving drops models by their rank on few rows, without a test: one that needs many rows to "
    "shine may be lost. The winner's value is the one it was chosen by."
)


@dataclass(frozen=True)
class Rung:
    """One model at one number of rows: its mean value over the folds, and whether it went on."""

    rung: int
    rows: int
    model: str
    value: float
    kept: bool


@dataclass(frozen=True, repr=False)
class Halving(Result):
    """The model left at the end, every value on the way, and the share of the work that was saved.

    `work` counts the rows of all models that were cross-validated, `full` those of all models on
    all rows.

    >>> first = (Rung(0, 50, "a", 0.8, True), Rung(0, 50, "b", 0.7, False))
    >>> rungs = (*first, Rung(1, 150, "a", 0.9, True))
    >>> Halving("f1", "a", rungs, work=250, full=300).saved_share
    0.16666666666666663
    """

    schema_name: ClassVar[str] = "assay.halving/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "metric", "best", "work", "full", "saved_share", "notes", "rows",
    )  # fmt: skip
    json_names: ClassVar[Mapping[str, str]] = {"saved_share": "saved"}

    metric: str
    best: str
    rows: tuple[Rung, ...]
    work: int
    full: int
    notes: tuple[str, ...] = (WARNING,)

    @property
    def saved_share(self) -> float:
        """Share of the work that was saved; below 0 where the rungs cost more than `full`."""
        return 1 - self.work / self.full

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        count = len({row.model for row in self.rows})
        saved = f"{self.saved_share:.0%} of the work was saved"
        return f"{self.best} is the last of {count} models; {saved}."

    @property
    def tables(self) -> list[TextTable]:
        """The score of each model on each rung, those that came furthest first."""
        rungs = sorted({(row.rung, row.rows) for row in self.rows})
        values = {(row.rung, row.model): row.value for row in self.rows}
        names = sorted(
            {row.model for row in self.rows},
            key=lambda m: [-sum((r, m) in values for r, _ in rungs), m],
        )
        body = [
            [m, *(format_number(values[r, m]) if (r, m) in values else "" for r, _ in rungs)]
            for m in names
        ]
        header = ["model", *(f"{self.metric} on {rows} rows" for _, rows in rungs)]
        return [TextTable(header, body)]


def successive_halving(  # noqa: PLR0913
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    metric: str | Metric | None = None,
    factor: int = 3,
    minimum: int | None = None,
    cv: Any = 3,
    n_jobs: int | None = -1,
    progress: bool | None = None,
    seed: int = 0,
    **options: Any,
) -> Halving:
    """Cross-validate all models on few rows, the better ones on more, the last on all.

    After each rung the best 1/`factor` of the models go on, on `factor` times as many rows. The
    last rung has all rows. Each rung holds the rows of the one before, classes in proportion (whole
    groups where `groups` are given) and in the order of the data. A model whose metric is undefined
    at a rung ranks last.

    Parameters:
        models: Name to estimator, or to (estimator, grid).
        X: Inputs, one a row.
        y: Truth (n,).
        metric: What models are ranked by; default: f1, or mse in regression.
        factor: 2 or more; default 3.
        minimum: Rows of the first rung; the default leaves one model for the last rung, but at
            least 10 rows a fold and class.
        cv: Folds of each rung, as in `cross_validate`; default 3.
        n_jobs: Fits at a time; -1, the default: one a core.
        progress: Whether to show a bar on standard error; default: on a terminal.
        seed: Of the splits and of the rows of the rungs; default 0.
        options: Further options of `cross_validate`: groups, weight, id, inner, store, task, ...

    Raises:
        FitError: An estimator fails.
        UnsupportedError: `factor` is below 2, or the rows cannot be split.

    Source: Jamieson & Talwalkar (2016), AISTATS, PMLR 51:240-248.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> models = {"nb": GaussianNB(), "none": DummyClassifier()}
    >>> successive_halving(models, *load_iris(return_X_y=True), factor=2).best
    'nb'
    """
    if factor < 2:
        raise UnsupportedError(
            f"factor must be 2 or more, the share of models that goes on is 1/factor; got {factor}"
        )
    models = name_models(models)
    data, options = TrainingData.from_options(X, y, options)
    options |= {"cv": cv, "seed": seed}
    first = Experiment.plan(models, data, **options)
    order = stratified_order(y, data.groups, first.data.task, seed)
    sizes = _sizes(first, len(models), factor, minimum)
    alive = list(models)
    rungs: list[Rung] = []
    text = ""
    for rung, size in enumerate(sizes):
        rows = np.sort(order[:size])
        part = {name: models[name] for name in alive}
        experiment = Experiment.plan(part, data.take(rows), **options)
        text, values, ranks = _score(experiment, metric, n_jobs, progress)
        is_last = rung == len(sizes) - 1
        best_first = sorted(alive, key=lambda m: ranks[m], reverse=True)
        going_on = best_first[: 1 if is_last else max(1, len(alive) // factor)]
        rungs += [Rung(rung, len(rows), m, values[m], m in going_on) for m in alive]
        alive = [m for m in alive if m in going_on]
    work = sum(rung.rows for rung in rungs)
    return Halving(text, alive[0], tuple(rungs), work, data.n * len(models))


def _sizes(experiment: Experiment, models: int, factor: int, minimum: int | None) -> list[int]:
    """Rows of each rung, the last with all."""
    n = experiment.data.n
    least = minimum or 10 * len(experiment.splits) * max(len(experiment.classes), 1)
    rungs = 1 + int(math.log(models) / math.log(factor) + 1e-9)
    if minimum is not None:
        rungs = 1 + int(math.log(max(n / minimum, 1)) / math.log(factor) + 1e-9)
    sizes = [math.ceil(n / factor**back) for back in reversed(range(rungs))]
    return [size for size in sizes if size >= min(least, n)] or [n]


def _score(
    experiment: Experiment, metric: str | Metric | None, n_jobs: int | None, progress: bool | None
) -> tuple[str, dict[str, float], dict[str, float]]:
    """The metric's text, mean value of each model over the folds that define it, and its rank.

    A higher rank is better.
    """
    results = list(experiment.run(experiment.pairs, n_jobs=n_jobs, progress=progress))
    outputs = {(r.model, r.fold): r for r in results if isinstance(r, FoldOutput)}
    table = experiment.table(outputs, list(experiment.models))
    text, bound = resolve(metric or DEFAULT[table.task], table.schema)[0]
    values = {m: mean_defined(v) for m, v in fold_values(table, text, table.models).items()}
    ranks = {m: -math.inf if math.isnan(v) else bound.sign * v for m, v in values.items()}
    return text, values, ranks
