"""inner_search: parameters chosen by cross-validation inside the training rows.

The held-out rows of the outer folds stay unseen.

>>> from sklearn.svm import SVC
>>> wrapped = wrap_searches({"svm": (SVC(), {"C": [1, 10]})}, inner=3)
>>> type(wrapped["svm"]).__name__, wrapped["svm"].param_grid
('GridSearchCV', {'C': [1, 10]})
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.adapters.base import find_adapter, predict_outputs
from assay.errors import UnsupportedError
from assay.metrics.base import METRICS, Metric
from assay.selection.store import FoldOutput
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = [
    "Scorer",
    "describe_choices",
    "find_parameters",
    "is_search",
    "number_scorer",
    "wrap_searches",
]


@dataclass(frozen=True)
class Scorer:
    """A metric as scikit-learn's searches call it: score(estimator, X, y), higher is better."""

    metric: Metric
    classes: tuple[Label, ...] = ()
    task: Task | None = None
    positive: Label | None = None

    def __call__(self, model: Any, X: Any, y: Any) -> float:
        """The metric of what `model` predicts for `X`, with the sign that makes higher better.

        Parameters:
            model: A fitted estimator.
            X: Inputs, one a row.
            y: Truth (n,).
        """
        numbers = self.task if self.task == "multioutput" else None
        adapter = find_adapter(model)
        outputs = predict_outputs(adapter, model, X, self.classes, self.positive, numbers)
        columns = {f"model.{kind}": values for kind, values in outputs.items()}
        rows = Predictions.from_arrays(
            y, columns, classes=self.classes or None, task=self.task, positive=self.positive
        ).rows("model")
        metric = self.metric.bind(rows.schema)
        value = metric.estimate(metric.state.summary(metric.state.observe(rows), rows.schema))[0]
        return metric.sign * float(value)


def wrap_searches(
    models: Mapping[str, Any],
    *,
    inner: Any = None,
    metric: str | Metric | None = None,
    classes: Iterable[Label] = (),
    task: Task | None = None,
    positive: Label | None = None,
) -> dict[str, Any]:
    """The models, where each (estimator, grid) became a grid search within its training rows.

    Parameters:
        models: Name to estimator, or to (estimator, grid).
        inner: Number of inner folds, or a scikit-learn splitter.
        metric: What the search aims at; default: the estimator's own score.
        classes: Classes of the truth, for the metric.
        task: Task of the truth, for the metric.
        positive: Positive class of a binary task, for the metric.
    """
    scorer = (
        None if metric is None else Scorer(METRICS.parse(metric), tuple(classes), task, positive)
    )
    return {name: _wrap_search(name, model, inner, scorer) for name, model in models.items()}


def _wrap_search(name: str, model: Any, inner: Any, scorer: Scorer | None) -> Any:
    if not isinstance(model, tuple):
        return model
    from sklearn.model_selection import GridSearchCV

    if len(model) != 2 or not isinstance(model[1], Mapping | list):
        raise UnsupportedError(
            f"model {name!r} is a tuple; expected (estimator, grid), as in "
            f"(SVC(), {{'C': [1, 10]}}); got {model!r}"
        )
    if inner is None:
        raise UnsupportedError(
            f"model {name!r} has a grid, but no inner folds to choose on; give inner=3, or a "
            f"scikit-learn splitter"
        )
    grid = dict(model[1]) if isinstance(model[1], Mapping) else model[1]
    return GridSearchCV(model[0], grid, cv=inner, scoring=scorer, error_score="raise")


def number_scorer(search: Any, classes: Sequence[Label]) -> Any:
    """The `search` whose metric knows the classes by their numbers, as its estimators do.

    Parameters:
        search: A search that is not fitted yet.
        classes: The labels that the numbers 0 to k - 1 stand for.
    """
    scorer = search.scoring
    if isinstance(scorer, Scorer):
        positive = scorer.positive
        number = classes.index(positive) if positive in classes else None
        scorer = replace(scorer, classes=tuple(range(len(classes))), positive=number)
        search.set_params(scoring=scorer)
    return search


def is_search(model: Any) -> bool:
    """Whether `model` chooses parameters by its own cross-validation, as GridSearchCV does."""
    return all(hasattr(model, name) for name in ("estimator", "cv", "refit", "scoring"))


def find_parameters(model: Any) -> str:
    """The parameters that a fitted search `model` settled on, as JSON; "" for any other model."""
    best = getattr(model, "best_params_", None)
    return json.dumps(best, sort_keys=True, default=str) if isinstance(best, Mapping) else ""


def describe_choices(outputs: Iterable[FoldOutput]) -> list[str]:
    """A sentence for each model whose parameters were searched, from its `outputs` of all folds."""
    counts: dict[str, Counter[str]] = {}
    for output in outputs:
        if output.parameters:
            choice = _format_choice(output.parameters)
            counts.setdefault(output.model, Counter())[choice] += 1
    sentences = []
    for name, choices in counts.items():
        listed = ", ".join(
            f"{text} in {times} fold{'s'[: times != 1]}" for text, times in choices.most_common()
        )
        sentences.append(f"{name}: the inner search chose {listed}.")
    return sentences


def _format_choice(choice: str) -> str:
    return " ".join(f"{name}={value}" for name, value in json.loads(choice).items())
