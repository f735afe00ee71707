"""resolve: from metrics as they are named to metrics bound to a table.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> [text for text, _ in resolve(["f1", "f1(average=macro)"], p.schema)]
['f1', 'f1(average=macro)']
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeAlias

from assay.errors import UnsupportedError
from assay.metrics.base import METRICS, Metric
from assay.table.predictions import Predictions
from assay.table.schema import SOURCES, WRITTEN, Schema, Task

__all__ = ["DEFAULTS", "choose_default", "list_default_metrics", "resolve"]

DEFAULT: dict[Task, str] = {
    "binary": "f1",
    "multiclass": "f1",
    "multilabel": "f1",
    "regression": "mse",
    "multioutput": "mse",
    "text": "token_f1",
    "detection": "box_ap",
}

# The metric of scores of the rows themselves where none is named: of numbers, or of 1 for right and
# 0 for wrong.
WITHOUT_TRUTH: dict[Task, str] = {
    "regression": "mean",
    "binary": "accuracy",
    "multiclass": "accuracy",
    "multilabel": "accuracy",
    "multioutput": "",
    "text": "",
    "detection": "",
}

# What ranked lists of labels of graded relevance are judged by.
OF_GRADES = "ndcg"

Metrics: TypeAlias = str | Metric | Sequence[str | Metric] | None

SINGLE_LABEL_DEFAULTS = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier",
)  # fmt: skip

DEFAULTS: dict[Task, tuple[str, ...]] = {
    "binary": SINGLE_LABEL_DEFAULTS,
    "multiclass": SINGLE_LABEL_DEFAULTS,
    "multilabel": (
        "subset_accuracy", "hamming_loss", "precision", "recall", "f1", "f1(average=micro)",
        "f1(average=samples)", "roc_auc", "log_loss",
    ),
    "regression": ("rmse", "mse", "mae", "r2", "interval_coverage", "interval_width"),
    "multioutput": ("rmse", "mse", "mae", "r2"),
    "text": ("exact_match", "token_f1", "wer", "cer", "chrf"),
    "detection": ("box_ap", "box_ap50", "box_ap75", "box_ar"),
}  # fmt: skip


# Texts that stand for several metrics.
SETS = {
    "classification_report": (
        *(f"{name}(average=none)" for name in ("precision", "recall", "f1")),
        *(f"{name}(average=none)" for name in ("tp", "fn")),
        "accuracy",
        *(f"{name}(average=macro)" for name in ("precision", "recall", "f1")),
        *(f"{name}(average=weighted)" for name in ("precision", "recall", "f1")),
    ),
}


def list_default_metrics(predictions: Predictions) -> list[str]:
    """Texts of the default metrics: those that suit the task of `predictions` and their outputs."""
    return _default_texts(predictions.schema)


def choose_default(schema: Schema) -> str:
    """Text of the metric to decide by, where none is named: that of the task of the `schema`."""
    if schema.graded:
        return OF_GRADES
    return DEFAULT[schema.task] if schema.has_truth else WITHOUT_TRUTH[schema.task]


def _default_texts(schema: Schema) -> list[str]:
    if not schema.has_truth:
        return [WITHOUT_TRUTH[schema.task]]
    if schema.graded:
        return [OF_GRADES]
    reads = {text: METRICS.parse(text).reads for text in DEFAULTS[schema.task]}
    return [
        text
        for text, read in reads.items()
        if any(schema.offers(model, read) for model in schema.models)
    ]


def resolve(metrics: Metrics, schema: Schema) -> list[tuple[str, Metric]]:
    """Canonical text and bound instance of every metric, each once.

    Parameters:
        metrics: A text or metric, or several of them; the text of a set in `SETS` stands for all
            that are in it; None: the defaults of the task.
        schema: Of the table that they are bound to.

    Raises:
        UnsupportedError: One is neither text nor a metric, does not fit the task, or needs an
            output that no model has.
    """
    if metrics is None:
        parsed = [METRICS.parse(text) for text in _default_texts(schema)]
    else:
        parsed = [METRICS.parse(metric) for metric in _list_metrics(metrics)]
        offered = {read for m in schema.models for read in SOURCES if schema.offers(m, read)}
        for metric in parsed:
            _check_outputs(metric, schema, offered)
    return [(str(metric), metric.bind(schema)) for metric in dict.fromkeys(parsed)]


def _list_metrics(metrics: str | Metric | Sequence[str | Metric]) -> list[str | Metric]:
    """The metrics as a list; UnsupportedError unless each is a text or a metric."""
    listed: list[Any] = [metrics]
    if isinstance(metrics, Iterable) and not isinstance(metrics, str):
        listed = list(metrics)
    if not all(isinstance(metric, str | Metric) for metric in listed):
        raise UnsupportedError(
            f"expected metrics as text, as in 'f1', or as Metric objects; got {metrics!r}"
        )
    return [metric for item in listed for metric in _expand(item)]


def _expand(item: str | Metric) -> Sequence[str | Metric]:
    """The metrics that a text stands for; of any other item, the item alone."""
    return SETS.get(item.strip(), (item,)) if isinstance(item, str) else (item,)


def _check_outputs(metric: Metric, schema: Schema, offered: Collection[str]) -> None:
    """UnsupportedError unless what the metric reads is `offered`, and there is a truth."""
    own = str(metric) == WITHOUT_TRUTH[schema.task]
    if not schema.has_truth and metric.needs_truth and not own:
        raise UnsupportedError(
            f"metric {metric} needs a truth, and the table holds scores of the rows alone: use "
            f"metric {WITHOUT_TRUTH[schema.task]}, or name the column of the truth (truth=..., "
            f"--truth COLUMN)"
        )
    if schema.task in WRITTEN and schema.task not in metric.tasks:
        raise UnsupportedError(
            f"metric {metric} is for {', '.join(sorted(metric.tasks))} tasks; this table's task is "
            f"{schema.task}: use {', '.join(DEFAULTS[schema.task])}"
        )
    if metric.reads not in offered:
        outputs = "; ".join(f"{m}: {', '.join(kinds)}" for m, kinds in schema.models.items())
        raise UnsupportedError(
            f"metric {metric} needs {metric.reads}, which no model gives ({outputs})"
        )
