"""Every metric against its oracle, an independent implementation, on 200 random tables a task."""

import warnings
from dataclasses import fields

import numpy as np
import pytest
import sklearn.metrics

from assay.evaluate import evaluate
from assay.metric import METRICS
from tables import TASKS, random_table

warnings.filterwarnings("ignore", category=UserWarning)


def instances():
    for name in METRICS.names():
        cls = METRICS[name]
        yield cls()
        yield from (cls(**case) for case in cls.cases)


def fitting():
    """Every metric with every task it is for."""
    for metric in instances():
        for task in TASKS:
            if task in metric.tasks and (task == "binary" or getattr(metric, "average", None) != "binary"):
                yield metric, task


def variants():
    """200 tables a task: label types x weights x ties."""
    for seed in range(200):
        yield {
            "seed": seed,
            "labels": ("str", "int", "bool")[seed % 3],
            "weighted": bool(seed // 3 % 2),
            "ties": bool(seed // 6 % 2),
        }


def decode(p, codes):
    return np.array(list(p.classes))[codes]


def expected(metric, p, model):
    """The oracle's value(s); None where it does not define one, or the average is not for the task."""
    schema, rows = p.schema, p.rows(model)
    settled = metric.on(schema)
    average = getattr(settled, "average", None)
    names = {"m": settled, "np": np, "sklearn": sklearn, "nan": np.nan, "w": p.weight, "average": average}
    names["labels"] = None if schema.task == "multilabel" else list(p.classes)
    if schema.task == "regression":
        names |= {"y": p.truth, "value": rows.value}
    elif schema.task == "multilabel":
        names |= {"y": p.truth, "label": rows.label, "proba": rows.proba, "score": rows.proba}
    else:
        names |= {"y": decode(p, p.truth), "label": decode(p, rows.label), "proba": rows.proba, "score": rows.proba}
    names["classes"] = list(p.classes)
    if average == "none":
        names["average"] = None
    names["binary"] = {"pos_label": schema.positive} if average == "binary" else {}
    if average not in (None, "binary", "micro") and schema.task != "multilabel":
        names["binary"] = {"labels": list(p.classes)}

    def counted(each):
        return each[schema.positive_code] if average == "binary" else each.sum() if average == "micro" else each

    def each_label(score):
        return np.mean([score(p.truth[:, i], names["proba"][:, i]) for i in range(schema.k)])

    def log_loss_of(proba):
        if schema.task == "multilabel" and settled.floor > 1e-10:
            own = np.maximum(np.where(p.truth, rows.proba, 1 - rows.proba), settled.floor)
            return np.average(-np.log(own).mean(axis=1), weights=p.weight)
        if schema.task == "multilabel":
            return each_label(lambda y, q: sklearn.metrics.log_loss(y, q, labels=[0, 1], sample_weight=p.weight))
        if settled.floor > 1e-10:  # scikit-learn has no floor of one's own; the formula itself is the reference
            own = np.maximum(rows.proba[np.arange(p.n), p.truth], settled.floor)
            return np.average(-np.log(own), weights=p.weight)
        return sklearn.metrics.log_loss(names["y"], rows.proba, labels=list(p.classes), sample_weight=p.weight)

    def brier_of(proba):
        if schema.task == "multilabel":
            return each_label(lambda y, q: np.average((q - y) ** 2, weights=p.weight))
        onehot = np.eye(schema.k)[p.truth]
        return np.average(((proba - onehot) ** 2).sum(axis=1), weights=p.weight)

    def auc_of(score):
        if schema.task == "binary":
            return (
                sklearn.metrics.roc_auc_score(
                    p.truth, score[:, 1] if schema.positive_code else score[:, 0], sample_weight=p.weight
                )
                if len(set(p.truth)) == 2
                else np.nan
            )
        truth = p.truth if schema.task == "multilabel" else np.eye(schema.k)[p.truth]
        each = np.array(
            [
                sklearn.metrics.roc_auc_score(t, s, sample_weight=p.weight) if 0 < t.mean() < 1 else np.nan
                for t, s in zip(truth.T, score.T, strict=True)
            ]
        )
        if average == "none":
            return each
        w = np.ones(p.n) if p.weight is None else p.weight
        share = np.array([(w * t).sum() for t in truth.T]) if average == "weighted" else np.ones(len(each))
        fine = ~np.isnan(each)
        return np.average(each[fine], weights=share[fine]) if fine.any() and share[fine].sum() else np.nan

    names |= {f.__name__: f for f in (counted, log_loss_of, brier_of, auc_of)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.ravel(np.asarray(eval(metric.oracle, names), dtype=float))


@pytest.mark.parametrize(("metric", "task"), list(fitting()), ids=str)
def test_equals_its_oracle_on_200_random_tables(metric, task):
    compared = 0
    for variant in variants():
        p = random_table(task, **variant)
        if p.task != task:
            continue
        # Differences of weighted sums (tn) are 0 up to the rounding of the sums, in scikit-learn as here.
        atol = 1e-15 * (1 if p.weight is None else max(1.0, float(p.weight.sum())))
        for model in p.models:
            ours = [row.value for row in evaluate(p.select([model]), metric, intervals=False).rows]
            theirs = expected(metric, p, model)
            defined = ~np.isnan(theirs)
            compared += int(defined.sum())
            np.testing.assert_allclose(np.array(ours)[defined], theirs[defined], rtol=1e-12, atol=atol, err_msg=str(p))
    assert compared > 200


@pytest.mark.parametrize("average", ["samples"])
@pytest.mark.parametrize("name", ["f1", "precision", "recall"])
def test_samples_average_equals_scikit_learn_where_every_row_has_a_true_and_a_predicted_label(name, average):
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
