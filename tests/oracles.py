"""References of a few lines each, for what no library offers under these conventions: the names an oracle may call."""

from dataclasses import replace

import numpy as np
import sklearn.metrics

FOUND = {}  # what was found for each class, whatever the average; the tables are kept as long


def counted(metric, p, rows):
    """Counts of each class as the average asks for them."""
    average = getattr(metric, "average", None)

    def of(each):
        return (
            each[p.schema.positive_code]
            if average == "binary"
            else each.sum()
            if average == "micro"
            else each
        )

    return of


def each_label(p, proba, score):
    """Mean over the labels of a multi-label table."""
    return np.mean([score(p.truth[:, i], proba[:, i]) for i in range(p.schema.k)])


def log_loss_of(metric, p, rows):
    def of(proba):
        if (
            metric.floor > 1e-10
        ):  # scikit-learn has no floor of one's own; the formula itself is the reference
            if p.task == "multilabel":
                own = np.where(p.truth, rows.proba, 1 - rows.proba)
                return np.average(
                    -np.log(np.maximum(own, metric.floor)).mean(axis=1), weights=p.weight
                )
            own = np.maximum(rows.proba[np.arange(p.n), p.truth], metric.floor)
            return np.average(-np.log(own), weights=p.weight)
        if p.task == "multilabel":
            return each_label(
                p,
                proba,
                lambda y, q: sklearn.metrics.log_loss(y, q, labels=[0, 1], sample_weight=p.weight),
            )
        return sklearn.metrics.log_loss(
            p.truth, rows.proba, labels=range(p.schema.k), sample_weight=p.weight
        )

    return of


def brier_of(metric, p, rows):
    def of(proba):
        if p.task == "multilabel":
            return each_label(p, proba, lambda y, q: np.average((q - y) ** 2, weights=p.weight))
        return np.average(
            ((proba - np.eye(p.schema.k)[p.truth]) ** 2).sum(axis=1), weights=p.weight
        )

    return of


def ranked(metric, p, rows):
    """A figure of one ranking problem after another, averaged as the metric says; nan where a class is alone."""

    def of(score, figure, negatives=True):
        if p.task == "binary":
            code = p.schema.positive_code
            truth, scores = (p.truth == code).astype(int)[:, None], score[:, [code]]
        else:
            truth, scores = (
                (p.truth if p.task == "multilabel" else np.eye(p.schema.k, dtype=int)[p.truth]),
                score,
            )
        key = replace(metric, average="none"), id(rows)
        if key not in FOUND:
            FOUND[key] = np.array(
                [
                    figure(t, s, p.weight) if t.any() and not (negatives and t.all()) else np.nan
                    for t, s in zip(truth.T, scores.T, strict=True)
                ]
            )
        each = FOUND[key]
        if metric.average == "none":
            return each
        w = np.ones(p.n) if p.weight is None else p.weight
        share = w @ truth if metric.average == "weighted" else np.ones(len(each))
        fine = ~np.isnan(each)
        return (
            np.average(each[fine], weights=share[fine])
            if fine.any() and share[fine].sum()
            else np.nan
        )

    return of


def gain_of(metric, p, rows):
    def of(share):
        def figure(y, s, w):
            w = np.ones(len(y)) if w is None else w
            before, level = (s[:, None] < s) @ w, (s[:, None] == s) @ w
            seen = np.clip(
                (share * w.sum() - before) / level, 0, 1
            )  # the part of each row that is looked at
            return (w * y * seen).sum() / (w * y).sum()

        return figure

    return of


def one_against_one(metric, p, rows):
    """Hand & Till over the classes that have rows; scikit-learn takes no weights here, and no absent class."""

    def of(score):
        w = np.ones(p.n) if p.weight is None else p.weight
        seen, areas, mass = np.unique(p.truth), [], []
        for i, a in enumerate(seen):
            for b in seen[i + 1 :]:
                t = (p.truth == a) | (p.truth == b)
                of_two = [
                    sklearn.metrics.roc_auc_score(p.truth[t] == c, score[t, c], sample_weight=w[t])
                    for c in (a, b)
                ]
                areas.append(np.mean(of_two))
                mass.append(w[t].sum() if metric.average == "weighted" else 1.0)
        return np.average(areas, weights=mass) if areas else np.nan

    return of


def weighted_spearman(metric, p, rows):
    def of(y, f, w):
        ranks = [((a[:, None] > a) + (a[:, None] == a) / 2) @ w for a in (y, f)]
        cov = np.cov(*ranks, ddof=0, aweights=w)
        return (
            cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]) if cov[0, 0] * cov[1, 1] > 1e-20 else np.nan
        )

    return of


def relevant(metric, p, rows):
    """The rows with a true label, as scikit-learn's label ranking metrics take them."""
    if p.task == "regression":
        return None
    truth = p.truth if p.task == "multilabel" else np.eye(p.schema.k, dtype=int)[p.truth]
    there = truth.any(axis=1)
    weight = None if p.weight is None else p.weight[there]
    return {"y_true": truth[there], "y_score": rows.proba[there], "sample_weight": weight}


def over_rows(metric, p, rows):
    """Mean over the rows with a true label of a figure of their truth and scores."""

    def of(figure):
        given = relevant(metric, p, rows)
        each = [figure(y, s) for y, s in zip(given["y_true"], given["y_score"], strict=True)]
        return np.average(each, weights=given["sample_weight"]) if each else np.nan

    return of


def classwise_ece(metric, p, rows):
    """Bins of one class after another, row by row."""

    def of(proba):
        w = np.ones(p.n) if p.weight is None else p.weight
        truth = p.truth if p.task == "multilabel" else np.eye(p.schema.k)[p.truth]
        each = np.array([gaps(metric, q, t, w) for q, t in zip(proba.T, truth.T, strict=True)])
        return each if metric.average == "none" else each.mean()

    return of


def gaps(metric, q, true, w):
    """Mean gap of the bins of one class: of equal width, or joined from a grid by where their middle row belongs."""
    if metric.equal == "width":
        sums = np.histogram(q, metric.bins, (0, 1), weights=w * (true - q))[0]
        return np.abs(sums).sum() / w.sum()
    code = np.searchsorted(1 / (1 + np.exp(-np.linspace(-12, 12, 63))), q, "right")
    middle = {c: (w[code < c].sum() + w[code == c].sum() / 2) / w.sum() for c in set(code)}
    joined = np.array([min(int(round(middle[c], 9) * metric.bins), metric.bins - 1) for c in code])
    return sum(abs((w * (true - q))[joined == b].sum()) for b in set(joined)) / w.sum()


def logistic(metric, p, rows):
    """Coefficients of the truth on the stated log-odds, the slope left out (fixed at 1) for the intercept."""

    def of(proba):
        from statsmodels.api import GLM, families

        code = p.schema.positive_code
        x, y = np.log(proba[:, code]) - np.log(proba[:, 1 - code]), (p.truth == code).astype(float)
        w = np.ones(p.n) if p.weight is None else p.weight
        separated = (
            not y.any()
            or y.all()
            or x[y > 0].min() > x[y == 0].max() - 1e-9
            or x[y > 0].max() < x[y == 0].min() + 1e-9
        )
        if metric.name == "calibration_intercept":
            given = {"endog": y, "exog": np.ones(p.n), "offset": x}
        else:
            given = {"endog": y, "exog": np.stack([np.ones(p.n), x], axis=1)}
        if not y.any() or y.all() or (separated and metric.name == "calibration_slope"):
            return [np.nan, np.nan]
        return (
            GLM(**given, freq_weights=w, family=families.Binomial())
            .fit(tol=1e-15, maxiter=200)
            .params
        )

    return of


KNOWN = (
    *(counted, log_loss_of, brier_of, ranked, weighted_spearman, relevant, over_rows),
    *(classwise_ece, logistic, gain_of, one_against_one),
)
HELPERS = {f.__name__: f for f in KNOWN}
