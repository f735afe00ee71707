"""Resolve."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from assay.errors import UnsupportedError
from assay.metrics.base import METRICS, Metric
from assay.table.predictions import Predictions
from assay.table.schema import Schema, Task

__all__ = ["DEFAULTS", "defaults", "resolve"]

DEFAULT: dict[Task, str] = {
    "binary": "f1",
    "multiclass": "f1",
    "multilabel": "f1",
    "regression": "mse",
}

Metrics: TypeAlias = str | Metric | Sequence[str | Metric] | None

DEFAULTS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"),
    "multilabel": (
        "subset_accuracy", "hamming_loss", "precision", "recall", "f1", "f1(average=micro)", "f1(average=samples)",
        "roc_auc", "log_loss",
    ),
    "regression": ("rmse", "mse", "mae", "r2", "interval_coverage", "interval_width"),
}  # fmt: skip


def defaults(predictions: Predictions) -> list[str]:
    """The metrics that are read where none is asked for: those that suit the task and what the
    models gave.
    """
    return _defaults(predictions.schema)


def _defaults(schema: Schema) -> list[str]:
    reads = {text: METRICS.parse(text).reads for text in DEFAULTS[schema.task]}
    return [
        text
        for text, read in reads.items()
        if any(schema.offers(model, read) for model in schema.models)
    ]


def resolve(metrics: Metrics, schema: Schema) -> list[tuple[str, Metric]]:
    """Canonical text and instance, settled for the schema, of every metric asked for.

    The task's defaults if None.
    """
    if metrics is None:
        found = [METRICS.parse(text) for text in _defaults(schema)]
    else:
        given = (
            list(metrics)
            if isinstance(metrics, Iterable) and not isinstance(metrics, str)
            else [metrics]
        )
        if not all(isinstance(m, str | Metric) for m in given):
            raise UnsupportedError(
                f"expected metrics as text, as in 'f1', or as Metric objects; got {metrics!r}"
            )
        found = [METRICS.parse(m) for m in given]
        for metric in found:
            if not any(schema.offers(model, metric.reads) for model in schema.models):
                gives = "; ".join(f"{m}: {', '.join(kinds)}" for m, kinds in schema.models.items())
                raise UnsupportedError(
                    f"metric {metric} needs {metric.reads}, which no model gives ({gives})"
                )
    return [(str(m), m.bind(schema)) for m in dict.fromkeys(found)]
