"""Every registered metric with the parameters it declares, the tables it is for, its values."""

import math
from functools import cache

import pytest

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS

# Amounts: for truth and predictions above 0.
POSITIVE = {"msle", "rmsle", "poisson_deviance", "gamma_deviance", "tweedie_deviance", "d2_tweedie"}
# For values that are log-probabilities, beside the columns that say how long the texts are.
LOG_PROBA = {"perplexity", "bits_per_byte"}
# Read the declared order of the classes: ranked classes, or ties between them.
ORDERED = {"macro_mae", "rps", "top_k_accuracy"}


@cache
def instances():
    """Every metric with its defaults and with every case it declares."""
    return [
        cls(**case)
        for cls in map(METRICS.__getitem__, METRICS.names())
        for case in ({}, *cls.cases)
    ]


def fits(metric, p):
    """Whether a metric is for the task of a table, and for its numbers."""
    try:
        metric.bind(p.schema)
    except UnsupportedError:
        return False
    values = [kinds["value"] for kinds in p.outputs.values() if "value" in kinds]
    if metric.name in LOG_PROBA:
        return "bytes" in p.columns and all((a <= 0).all() for a in values)
    return metric.name not in POSITIVE or all((a > 0).all() for a in (p.truth, *values))


def list_fitting(p):
    """The metrics that apply to a table."""
    return [metric for metric in instances() if fits(metric, p)]


def read_values(p, metrics=None, **options):
    """Value of every model, metric and class: by default of all metrics that fit the table."""
    options.setdefault("intervals", False)
    return {
        (r.model, r.metric, r.class_): r.value
        for r in evaluate(p, metrics or list_fitting(p), **options).rows
    }


def assert_same(a, b, rel=1e-12):
    """Equal keys and values up to `rel`, nan where nan."""
    assert a.keys() == b.keys()
    for key, value in a.items():
        if math.isnan(value):
            assert math.isnan(b[key]), key
        else:
            assert b[key] == pytest.approx(value, rel=rel, abs=1e-12), key
