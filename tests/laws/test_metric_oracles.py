"""Every metric against its oracle on 24 random tables a task, each further case on 12.

12 tables hold every type of labels, with weights and without, with ties and without, and both
models. The slow tests go over 200 tables and 100.
"""

import warnings
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics

from assay.metrics.base import METRICS
from assay.table.schema import TASKS, WRITTEN
from assay.testing import random_table
from assay.testing.tables import make_log_proba, make_positive
from oracles import HELPERS
from shelf import LOG_PROBA, POSITIVE, instances

# Found by iteration, in both: equal as far as it converges.
FITTED = {"calibration_slope", "calibration_intercept"}

warnings.filterwarnings("ignore", category=UserWarning)


def pair_with_tasks():
    """Every metric with every task it is for."""
    for metric in instances():
        for task in TASKS:
            if task in metric.tasks and (
                task == "binary" or getattr(metric, "average", None) != "binary"
            ):
                yield metric, task


@cache
def views(task, change, count):
    """(table, rows) of `count` tables of a task: all label types, weighted or not, tied or not."""
    found = []
    for seed in range(count):
        labels = ("str", "int", "bool")[seed % 3]
        p = random_table(
            task, seed, labels=labels, weighted=bool(seed // 3 % 2), ties=bool(seed // 6 % 2)
        )
        p = p if change is None else change(p)
        if p.task == task:
            found.append((p, p.rows(p.models[seed % 2])))
    return found


def read_metric(metric, rows):
    """What the metric makes of the rows, without the loop of the engine."""
    settled = metric.bind(rows.schema)
    return settled.estimate(settled.state.summary(settled.state.observe(rows), rows.schema))


def expected(metric, p, rows):
    """The oracle's value(s); nan where it does not define one."""
    settled = metric.bind(p.schema)
    average = getattr(settled, "average", None)
    names = {
        "m": settled,
        "np": np,
        "scipy": scipy,
        "sklearn": sklearn,
        "nan": np.nan,
        "w": p.weight,
    }
    names |= {
        "classes": list(p.classes),
        "labels": None if p.task == "multilabel" else list(p.classes),
    }
    names |= {"average": None if average == "none" else average, "binary": keywords(p, average)}
    names |= columns(p, rows, settled)
    names |= {name: helper(settled, p, rows) for name, helper in HELPERS.items()}
    # What the table has checked already is not checked again: it takes most of the time.
    trusting = sklearn.config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(), trusting:
        warnings.simplefilter("ignore")
        return np.ravel(np.asarray(eval(metric.oracle, names), dtype=float))


def columns(p, rows, settled):
    """What the table holds, under the names that the oracles use."""
    if p.task in WRITTEN:
        return {}
    if p.task == "multioutput":
        average = {"uniform": "uniform_average", "none": "raw_values"}[settled.of.average]
        return {"y": p.truth, "value": rows.value, "outputs": {"multioutput": average}}
    if p.task == "regression":
        return {
            "y": p.truth,
            "outputs": {},
            "value": rows.value,
            "interval": rows.interval,
            "units": lambda per: p.columns[per].to_numpy() if per else np.ones(p.n),
        }
    given = {"proba": rows.proba, "score": rows.proba}
    if p.task == "multilabel":
        return given | {"y": p.truth, "label": rows.label}
    names = np.array(list(p.classes))
    return given | {"y": names[p.truth], "label": names[rows.label]}


def keywords(p, average):
    """Further arguments of scikit-learn's averaged metrics."""
    if average == "binary":
        return {"pos_label": p.schema.positive}
    return (
        {"labels": list(p.classes)}
        if average not in (None, "micro") and p.task != "multilabel"
        else {}
    )


@pytest.mark.parametrize(("metric", "task"), list(pair_with_tasks()), ids=str)
def test_equals_its_oracle_on_random_tables(metric, task):
    assert compare_with_oracle(metric, task, 24) > 6


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "task"), list(pair_with_tasks()), ids=str)
def test_equals_its_oracle_on_many_random_tables(metric, task):
    assert compare_with_oracle(metric, task, 200) > 50


def find_change(metric):
    """What makes the values of a table such as the metric is for; None where any will do."""
    if metric.name in LOG_PROBA:
        return make_log_proba
    return make_positive if metric.name in POSITIVE else None


def compare_with_oracle(metric, task, count):
    """How many values were compared, on `count` tables or half of them."""
    compared = 0
    tables = views(task, find_change(metric), count)
    if metric != type(metric)():
        tables = tables[: count // 2]
    for p, rows in tables:
        # Differences of weighted sums (tn) are 0 up to the rounding of the sums.
        atol = 1e-15 * (1 if p.weight is None else max(1.0, float(p.weight.sum())))
        theirs = expected(metric, p, rows)
        defined = ~np.isnan(theirs)
        compared += int(defined.sum())
        ours = read_metric(metric, rows)
        rtol, atol = (1e-8, 1e-10) if metric.name in FITTED else (1e-12, atol)
        np.testing.assert_allclose(
            ours[defined], theirs[defined], rtol=rtol, atol=atol, err_msg=str(p)
        )
    return compared


@pytest.mark.parametrize("average", ["samples"])
@pytest.mark.parametrize("name", ["f1", "jaccard", "precision", "recall"])
def test_samples_average_equals_scikit_learn_where_every_row_has_a_true_and_a_predicted_label(
    name, average
):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (300, 4)), rng.integers(0, 2, (300, 4))
    y[:, 0], p[:, 1] = 1, 1
    ours = METRICS.parse(f"{name}(average={average})")(y, p)
    theirs = getattr(sklearn.metrics, f"{name}_score")(y, p, average="samples")
    assert float(ours) == pytest.approx(theirs, rel=1e-12)


def test_every_metric_with_parameters_declares_cases_away_from_the_default():
    for name in METRICS.names():
        cls = METRICS[name]
        assert cls.cases or not fields(cls), f"{name} declares no cases"
        assert cls.oracle, f"{name} names no oracle"
