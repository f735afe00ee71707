"""References of a few lines each, for what no library offers under these conventions.

Each is called as `helper(metric, p, rows)` with the metric bound to the table `p` and the rows of
one model, and gives what an oracle may call by its name.
"""

from dataclasses import replace

import numpy as np
import sklearn.metrics

from assay.table.schema import WRITTEN

# Values of each class, whatever the average, by metric and rows; the tables live as long.
CLASS_VALUES = {}


def weights(p):
    """The weight of each row, 1 by default."""
    return np.ones(p.n) if p.weight is None else p.weight


def one_hot(p):
    """The truth as 0/1 (n, k)."""
    if p.task in ("multilabel", "multioutput"):
        return p.truth
    return np.eye(p.schema.k, dtype=int)[p.truth]


def select(metric, p, each):
    """Counts of each class as the average asks for them."""
    average = getattr(metric, "average", None)
    if average == "binary":
        return each[p.schema.positive_code]
    return each.sum() if average == "micro" else each


def counted(metric, p, rows):
    return lambda each: select(metric, p, each)


def averaged_counts(metric, p, rows):
    """A formula of the true and false positives and negatives of each class, averaged."""

    def average(formula):
        label = rows.label if p.task == "multilabel" else np.array(p.classes)[rows.label]
        truth = p.truth if p.task == "multilabel" else np.array(p.classes)[p.truth]
        names = None if p.task == "multilabel" else list(p.classes)
        tables = sklearn.metrics.multilabel_confusion_matrix(
            truth, label, labels=names, sample_weight=p.weight
        )
        # Weighted sums are off by a rounding error; rounded, no row of a kind is exactly 0.
        tables = np.round(tables, 9)
        tp, fn, fp, tn = (
            select(metric, p, tables[:, i, j]) for i, j in ((1, 1), (1, 0), (0, 1), (0, 0))
        )
        value = formula(tp=tp, fn=fn, fp=fp, tn=tn)
        return np.nanmean(value) if metric.average == "macro" else value

    return average


def mean_over_labels(p, proba, score):
    """Mean over the labels of a multi-label table."""
    return np.mean([score(p.truth[:, i], proba[:, i]) for i in range(p.schema.k)])


def log_loss_of(metric, p, rows):
    def loss(proba):
        if metric.floor > 1e-10:  # scikit-learn has no such floor; the formula is the reference
            return floored_log_loss(metric.floor, p, rows)
        if p.task == "multilabel":
            return mean_over_labels(
                p,
                proba,
                lambda y, q: sklearn.metrics.log_loss(y, q, labels=[0, 1], sample_weight=p.weight),
            )
        return sklearn.metrics.log_loss(
            p.truth, rows.proba, labels=range(p.schema.k), sample_weight=p.weight
        )

    return loss


def floored_log_loss(floor, p, rows):
    """Mean -log of the probability of the truth, or of `floor` where that is larger."""
    if p.task == "multilabel":
        true = np.where(p.truth, rows.proba, 1 - rows.proba)
        return np.average(-np.log(np.maximum(true, floor)).mean(axis=1), weights=p.weight)
    true = np.maximum(rows.proba[np.arange(p.n), p.truth], floor)
    return np.average(-np.log(true), weights=p.weight)


def brier_of(metric, p, rows):
    def score(proba):
        if p.task == "multilabel":
            return mean_over_labels(
                p, proba, lambda y, q: np.average((q - y) ** 2, weights=p.weight)
            )
        return np.average(((proba - one_hot(p)) ** 2).sum(axis=1), weights=p.weight)

    return score


def ranked(metric, p, rows):
    """A value of each ranking problem, averaged as the metric says; nan where a class is alone."""

    def average(score, read, negatives=True):
        truth, scores = one_hot(p), score
        if metric.average == "micro":
            weight = None if p.weight is None else np.repeat(p.weight, p.schema.k)
            return read(truth.ravel(), score.ravel(), weight)
        if p.task == "binary":
            code = p.schema.positive_code
            truth = (p.truth == code).astype(int)[:, None]
            scores = score[:, [code]]
        key = replace(metric, average="none"), id(rows)
        if key not in CLASS_VALUES:
            CLASS_VALUES[key] = np.array(
                [
                    read(t, s, p.weight) if t.any() and not (negatives and t.all()) else np.nan
                    for t, s in zip(truth.T, scores.T, strict=True)
                ]
            )
        each = CLASS_VALUES[key]
        if metric.average == "none":
            return each
        share = weights(p) @ truth if metric.average == "weighted" else np.ones(len(each))
        defined = ~np.isnan(each)
        if not share[defined].sum():
            return np.nan
        return np.average(each[defined], weights=share[defined])

    return average


def precision_at(metric, p, rows):
    """Highest precision at a recall of at least so much, of one ranking problem."""

    def of_recall(least):
        def read(y, s, w):
            precision, recall, _ = sklearn.metrics.precision_recall_curve(y, s, sample_weight=w)
            return precision[:-1][recall[:-1] >= least * (1 - 1e-12)].max()

        return read

    return of_recall


def recall_at(metric, p, rows):
    """Highest recall at a precision of at least so much, of one ranking problem."""

    def of_precision(least):
        def read(y, s, w):
            precision, recall, _ = sklearn.metrics.precision_recall_curve(y, s, sample_weight=w)
            return recall[precision >= least * (1 - 1e-12)].max()

        return read

    return of_precision


def f_beta_curve(y, s, w, beta):
    """f_beta at each threshold, the last one of no rows, and the thresholds."""
    precision, recall, threshold = sklearn.metrics.precision_recall_curve(y, s, sample_weight=w)
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall), threshold


def best_f_beta(metric, p, rows):
    """Largest f_beta of any threshold, of one ranking problem."""
    return lambda beta: lambda y, s, w: np.nanmax(f_beta_curve(y, s, w, beta)[0])


def best_threshold(metric, p, rows):
    """The highest threshold of the largest f_beta, of one ranking problem."""

    def of_beta(beta):
        def read(y, s, w):
            values, threshold = f_beta_curve(y, s, w, beta)
            return threshold[::-1][np.nanargmax(np.round(values, 12)[:-1][::-1])]

        return read

    return of_beta


def largest_lead(metric, p, rows):
    """Largest true positive rate less the false one, of one ranking problem."""

    def read(y, s, w):
        fpr, tpr, _ = sklearn.metrics.roc_curve(y, s, sample_weight=w)
        return (tpr - fpr).max()

    return read


def tpr_at(metric, p, rows):
    """Highest true positive rate at a false positive rate of at most so much."""

    def of_fpr(most):
        def read(y, s, w):
            fpr, tpr, _ = sklearn.metrics.roc_curve(y, s, sample_weight=w, drop_intermediate=False)
            return tpr[fpr * (1 - 1e-12) <= most].max()

        return read

    return of_fpr


def crossing(metric, p, rows):
    """False positive rate where it is 1 - the true one, of one ranking problem."""

    def read(y, s, w):
        fpr, tpr, _ = sklearn.metrics.roc_curve(y, s, sample_weight=w, drop_intermediate=False)
        return np.interp(0.0, fpr + tpr - 1, fpr)

    return read


def gain_of(metric, p, rows):
    """Share of the positive rows among a share of all rows, of one ranking problem."""

    def of_share(share):
        def read(y, s, w):
            w = np.ones(len(y)) if w is None else w
            above = (s[:, None] < s) @ w
            level = (s[:, None] == s) @ w
            part = np.clip((share * w.sum() - above) / level, 0, 1)  # of each row that is taken
            return (w * y * part).sum() / (w * y).sum()

        return read

    return of_share


def one_against_one(metric, p, rows):
    """Hand & Till over the classes that have rows.

    scikit-learn takes no weights here, and no absent class.
    """

    def average(score):
        w = weights(p)
        present = np.unique(p.truth)
        areas, mass = [], []
        for i, a in enumerate(present):
            for b in present[i + 1 :]:
                t = (p.truth == a) | (p.truth == b)
                both = [
                    sklearn.metrics.roc_auc_score(p.truth[t] == c, score[t, c], sample_weight=w[t])
                    for c in (a, b)
                ]
                areas.append(np.mean(both))
                mass.append(w[t].sum() if metric.average == "weighted" else 1.0)
        return np.average(areas, weights=mass) if areas else np.nan

    return average


def pearson(metric, p, rows):
    """Correlation of two weighted columns."""

    def correlate(y, f, least=0.0):
        cov = np.cov(y, f, ddof=0, aweights=p.weight)
        product = cov[0, 0] * cov[1, 1]
        return cov[0, 1] / np.sqrt(product) if product > least else np.nan

    return correlate


def concordance(metric, p, rows):
    """Lin's concordance of two weighted columns."""

    def correlate(y, f):
        cov = np.cov(y, f, ddof=0, aweights=p.weight)
        gap = np.average(y - f, weights=p.weight)
        return 2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + gap**2)

    return correlate


def weighted_spearman(metric, p, rows):
    def correlate(y, f, w):
        ranks = [((a[:, None] > a) + (a[:, None] == a) / 2) @ w for a in (y, f)]
        return pearson(metric, p, rows)(*ranks, least=1e-20)

    return correlate


def weighted_kendall(metric, p, rows):
    def correlate(y, f, w):
        signs = [np.sign(a[:, None] - a) for a in (y, f)]
        mass = np.outer(w, w)
        ordered = [(mass * s**2).sum() for s in signs]
        return (mass * signs[0] * signs[1]).sum() / np.sqrt(ordered[0] * ordered[1])

    return correlate


def grades(p):
    """Where each class stands: at its value where all are numbers, else at its place."""
    whole = all(type(label) is int for label in p.classes)
    return np.array(p.classes) if whole else np.arange(p.schema.k)


def kappa(metric, p, rows):
    """Cohen's kappa, with every grade between two classes among the labels."""

    def agree():
        at = grades(p)
        return sklearn.metrics.cohen_kappa_score(
            at[p.truth],
            at[rows.label],
            labels=range(at.min(), at.max() + 1),
            sample_weight=p.weight,
            weights=None if metric.weights == "none" else metric.weights,
        )

    return agree


def macro_error(metric, p, rows):
    """Mean over the true classes of the mean distance from what their rows are predicted as."""

    def average():
        at = grades(p)
        distance = np.abs(at[p.truth] - at[rows.label])
        each = [(p.truth == code, weights(p)) for code in np.unique(p.truth)]
        means = [np.average(distance[of], weights=w[of]) for of, w in each if w[of].sum()]
        return np.mean(means) if means else np.nan

    return average


def adjusted_r2(metric, p, rows):
    def score(y, f):
        n = weights(p).sum()
        free = n - metric.features - 1
        if free <= 0:
            return np.nan
        return 1 - (1 - sklearn.metrics.r2_score(y, f, sample_weight=p.weight)) * (n - 1) / free

    return score


def relevant(metric, p, rows):
    """The rows with a true label, as scikit-learn's label ranking metrics take them."""
    if p.task in ("regression", "multioutput", *WRITTEN):
        return None
    truth = one_hot(p)
    some = truth.any(axis=1)
    weight = None if p.weight is None else p.weight[some]
    return {"y_true": truth[some], "y_score": rows.proba[some], "sample_weight": weight}


def over_rows(metric, p, rows):
    """Mean over the rows with a true label of a value of their truth and scores."""

    def average(read):
        lists = relevant(metric, p, rows)
        each = [read(y, s) for y, s in zip(lists["y_true"], lists["y_score"], strict=True)]
        return np.average(each, weights=lists["sample_weight"]) if each else np.nan

    return average


def average_precision_at(metric, p, rows):
    """Average precision of one list of labels within the first k places."""

    def of_k(k):
        def read(y, s):
            rank = (s >= s[:, None]).sum(axis=1)[y == 1]
            precision = [(rank <= place).sum() / place for place in rank if place <= k]
            return sum(precision) / min(k, y.sum())

        return read

    return of_k


def one_error(metric, p, rows):
    """Mean over rows of the share of the highest labels that is not true."""

    def average(proba):
        top = proba == proba.max(axis=1, keepdims=True)
        true = (p.truth * top).sum(axis=1) / top.sum(axis=1)
        return np.average(1 - true, weights=p.weight)

    return average


def calibration_bins(metric, p, rows, proba):
    """Weight, stated probability and rows that came true, of each filled bin."""
    if metric.of == "positive":
        stated, right = proba[:, 1], p.truth == 1
    else:
        stated, right = proba.max(axis=1), p.truth == rows.label
    w = weights(p)
    sums = [
        np.histogram(stated, np.arange(metric.bins + 1) / metric.bins, weights=of)[0]
        for of in (w, w * stated, w * right)
    ]
    return [of[sums[0] > 0] for of in sums]


def binned_ece(metric, p, rows):
    def average(proba):
        n, stated, true = calibration_bins(metric, p, rows, proba)
        return np.abs(true - stated).sum() / n.sum()

    return average


def binned_mce(metric, p, rows):
    def largest(proba):
        n, stated, true = calibration_bins(metric, p, rows, proba)
        return np.abs((true - stated) / n).max()

    return largest


def murphy(metric, p, rows):
    """A term of Murphy's decomposition of the Brier score, by its name."""

    def term(name, proba):
        n, stated, true = calibration_bins(metric, p, rows, proba)
        share = true.sum() / n.sum()
        terms = {
            "reliability": (n * (true / n - stated / n) ** 2).sum() / n.sum(),
            "resolution": (n * (true / n - share) ** 2).sum() / n.sum(),
            "uncertainty": share * (1 - share),
        }
        return terms[name]

    return term


def classwise_ece(metric, p, rows):
    """Bins of one class after another, row by row."""

    def average(proba):
        each = np.array(
            [
                class_gap(metric, q, t, weights(p))
                for q, t in zip(proba.T, one_hot(p).T, strict=True)
            ]
        )
        return each if metric.average == "none" else each.mean()

    return average


def class_gap(metric, q, true, w):
    """Mean gap of the bins of one class.

    Of equal width, or joined from a grid by where their middle row belongs.
    """
    if metric.equal == "width":
        edges = np.arange(metric.bins + 1) / metric.bins
        sums = np.histogram(q, edges, weights=w * (true - q))[0]
        return np.abs(sums).sum() / w.sum()
    code = np.searchsorted(1 / (1 + np.exp(-np.linspace(-12, 12, 63))), q, "right")
    middle = {c: (w[code < c].sum() + w[code == c].sum() / 2) / w.sum() for c in set(code)}
    joined = np.array([min(int(round(middle[c], 9) * metric.bins), metric.bins - 1) for c in code])
    return sum(abs((w * (true - q))[joined == b].sum()) for b in set(joined)) / w.sum()


def logistic(metric, p, rows):
    """Intercept and slope of the truth on the stated log-odds.

    For the intercept the slope is fixed at 1.
    """

    def fit(proba):
        from statsmodels.api import GLM, families

        code = p.schema.positive_code
        x = np.log(proba[:, code]) - np.log(proba[:, 1 - code])
        y = (p.truth == code).astype(float)
        if not y.any() or y.all():
            return [np.nan, np.nan]
        design = {"exog": np.ones(p.n), "offset": x}
        if metric.name == "calibration_slope":
            positive, negative = x[y > 0], x[y == 0]
            if positive.min() > negative.max() - 1e-9 or positive.max() < negative.min() + 1e-9:
                return [np.nan, np.nan]
            design = {"exog": np.stack([np.ones(p.n), x], axis=1)}
        model = GLM(y, **design, freq_weights=weights(p), family=families.Binomial())
        return model.fit(tol=1e-15, maxiter=200).params

    return fit


def text_oracles(metric, p, rows):
    """The values of texts in other libraries."""
    if p.task != "text":
        return None
    from text_oracles import TextOracles

    return TextOracles(p, rows)


def box_oracles(metric, p, rows):
    """The values of boxes in pycocotools."""
    if p.task != "detection":
        return None
    from box_oracles import BoxOracles

    return BoxOracles(p, rows)


KNOWN = (
    *(adjusted_r2, average_precision_at, averaged_counts, best_f_beta, best_threshold, binned_ece),
    *(binned_mce, brier_of, classwise_ece, concordance, counted, crossing, gain_of, kappa),
    *(largest_lead, log_loss_of, logistic, macro_error, murphy, one_against_one, one_error),
    *(over_rows, pearson, precision_at, ranked, recall_at, relevant, tpr_at, weighted_kendall),
    *(box_oracles, text_oracles, weighted_spearman),
)
HELPERS = {f.__name__: f for f in KNOWN}
