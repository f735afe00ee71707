"""Scorer: metrics as what scikit-learn takes as `scoring`.

>>> from sklearn.linear_model import LogisticRegression
>>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
>>> round(scorer("log_loss")(model, [[0.0], [3.0]], [0, 1]), 3)
-0.213
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.adapters.collect import collect
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS, Metric

__all__ = ["Scorer", "scorer"]

MODEL = "model"


@dataclass(frozen=True)
class Scorer:
    """A scorer of scikit-learn, made by `scorer`: `scorer(estimator, X, y)` is higher if better."""

    metrics: tuple[Metric, ...]
    several: bool
    declared: tuple[tuple[str, Any], ...] = ()

    def __call__(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any = None
    ) -> float | dict[str, float]:
        """The score of an `estimator` on rows `X` whose truth is `y`; by name of several metrics.

        `sample_weight` (n,) are weights of the rows.
        """
        options = dict(self.declared)
        if sample_weight is not None:
            options["weight"] = sample_weight
        table = collect({MODEL: estimator}, X, y, **options)
        evaluation = evaluate(table, list(self.metrics), intervals=False)
        scores = {
            _name(metric): metric.sign * evaluation.get(MODEL, metric).value
            for metric in self.metrics
        }
        return scores if self.several else next(iter(scores.values()))


def scorer(metrics: str | Metric | Sequence[str | Metric], **declared: Any) -> Scorer:
    """What scikit-learn takes as `scoring`, in GridSearchCV, cross_validate and others.

    As scikit-learn wants it, higher is better: metrics of which less is better are negated, and in
    a dictionary their names begin with `neg_`.

    Parameters:
        metrics: A metric, or a list of several, for which `scoring` gives a dictionary; each is one
            number, not one a class.
        declared: Keywords of `collect`, as positive="yes".

    Returns:
        A callable of (estimator, X, y).

    Raises:
        UnsupportedError: A metric has several values, or none is better than another.

    >>> [str(metric) for metric in scorer(["f1", "log_loss"]).metrics]
    ['f1', 'log_loss']
    """
    several = not isinstance(metrics, str | Metric)
    listed = [metrics] if isinstance(metrics, str | Metric) else list(metrics)
    parsed = tuple(map(METRICS.parse, listed))
    for metric in parsed:
        assert metric.sign
        if metric.granularity != "table":
            raise UnsupportedError(
                f"{metric} has a value a {metric.granularity.replace('_', ' ')}, and a scorer "
                "gives one number; use average=macro, micro or weighted"
            )
    return Scorer(parsed, several, tuple(sorted(declared.items())))


def _name(metric: Metric) -> str:
    return str(metric) if metric.sign > 0 else f"neg_{metric}"
