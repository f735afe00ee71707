"""search: parameters chosen by cross-validation inside the training rows, so that the held-out rows stay unseen.

>>> from sklearn.svm import SVC
>>> wrapped = wrap_searches({"svm": (SVC(), {"C": [1, 10]})}, inner=3)
>>> type(wrapped["svm"]).__name__, wrapped["svm"].param_grid
('GridSearchCV', {'C': [1, 10]})
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.adapters.base import adapter_for
from assay.errors import UnsupportedError
from assay.metrics.base import METRICS, Metric
from assay.selection.store import FoldOutput
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.schema import Task

__all__ = ["Scorer", "find_parameters", "is_search", "wrap_searches", "describe_choices"]


@dataclass(frozen=True)
class Scorer:
    """A metric as scikit-learn's searches call it: score(estimator, X, y), higher is better."""

    metric: Metric
    classes: tuple[Label, ...] = ()
    task: Task | None = None
    positive: Label | None = None

    def __call__(self, model: Any, X: Any, y: Any) -> float:
        """The metric of what `model` says of `X`, with the sign that makes higher better."""
        outputs = adapter_for(model).outputs(model, X, self.classes)
        given = {f"model.{kind}": values for kind, values in outputs.items()}
        rows = Predictions.from_arrays(
            y, given, classes=self.classes or None, task=self.task, positive=self.positive
        ).rows("model")
        metric = self.metric.bind(rows.schema)
        figure = metric.estimate(metric.state.summary(metric.state.observe(rows), rows.schema))[0]
        return metric.sign * float(figure)


def wrap_searches(
    models: Mapping[str, Any],
    *,
    inner: Any = None,
    metric: str | Metric | None = None,
    classes: Iterable[Label] = (),
    task: Task | None = None,
    positive: Label | None = None,
) -> dict[str, Any]:
    """The models, where each (estimator, grid) became a grid search over `inner` folds of the rows it is fitted on.

    metric: what the search aims at; the estimator's own score where None.
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
            f"model {name!r} is a tuple; expected (estimator, grid), as in (SVC(), {{'C': [1, 10]}}); got {model!r}"
        )
    if inner is None:
        raise UnsupportedError(
            f"model {name!r} has a grid, but no inner folds to choose on; give inner=3, or a scikit-learn splitter"
        )
    grid = dict(model[1]) if isinstance(model[1], Mapping) else model[1]
    return GridSearchCV(model[0], grid, cv=inner, scoring=scorer, error_score="raise")


def is_search(model: Any) -> bool:
    """Whether an estimator chooses parameters by a cross-validation of its own (GridSearchCV and its kin)."""
    return all(hasattr(model, name) for name in ("estimator", "cv", "refit", "scoring"))


def find_parameters(model: Any) -> str:
    """The parameters a fitted search settled on, as JSON; "" for any other model."""
    found = getattr(model, "best_params_", None)
    return json.dumps(found, sort_keys=True, default=str) if isinstance(found, Mapping) else ""


def describe_choices(parts: Iterable[FoldOutput]) -> list[str]:
    """A sentence for each model whose parameters were searched: what was chosen in how many folds."""
    counts: dict[str, Counter[str]] = {}
    for part in parts:
        if part.chosen:
            counts.setdefault(part.model, Counter())[_format_choice(part.chosen)] += 1
    return [
        f"{name}: the inner search chose "
        + ", ".join(
            f"{text} in {times} fold{'s'[: times != 1]}" for text, times in found.most_common()
        )
        + "."
        for name, found in counts.items()
    ]


def _format_choice(choice: str) -> str:
    return " ".join(f"{name}={value}" for name, value in json.loads(choice).items())
