"""Rank tests of scores on several data sets: Wilcoxon, Friedman, Nemenyi, Bayesian signed-rank.

>>> d = [0.02, 0.01, 0.03, 0.02, 0.04, 0.01, 0.05, -0.01]
>>> wilcoxon(d)
0.03125
>>> signed_rank(d, equivalence=0.005).first > 0.95
True
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from assay.comparison.bayesian_fold_test import OutcomeProbabilities, check_margin
from assay.core.types import Better
from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = [
    "FEWEST", "Friedman", "average_ranks", "critical_difference", "friedman", "posterior_weights",
    "rank_balance", "signed_rank", "wilcoxon",
]  # fmt: skip


FEWEST = 6  # differences with which Wilcoxon's p-value can be below 0.05
EXACT = 200  # differences up to which the distribution of Wilcoxon's statistic is computed in full


class Friedman(NamedTuple):
    """Whether the models differ at all.

    `chi2` is Friedman's statistic, `f` that of Iman and Davenport, `p` the p-value of `f`.
    """

    chi2: float
    f: float
    p: float


def average_ranks(scores: Array, better: Better = "higher") -> Array:
    """Mean rank (models,) of each column of `scores` (data sets, models).

    1 is the best; equal scores share the mean of their ranks. `better` says whether "higher" or
    "lower" scores are better.

    >>> average_ranks(np.array([[0.9, 0.8, 0.7], [0.6, 0.6, 0.5]])).tolist()
    [1.25, 1.75, 3.0]
    """
    return np.asarray(
        _rank(np.asarray(scores, np.float64) * (-1 if better == "higher" else 1)).mean(axis=0)
    )


def _rank(values: Array) -> Array:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=-1))


def rank_balance(differences: Array) -> float:
    """Sum of the ranks of positive `differences` (n,) less that of negative ones."""
    nonzero = differences[differences != 0]
    return float((np.sign(nonzero) * _rank(np.abs(nonzero))).sum()) if len(nonzero) else 0.0


def wilcoxon(differences: Sequence[float] | Array) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test on paired `differences` (n,), n at least 6.

    Exact up to 200 differences, ties included: every assignment of signs to the ranks is counted.
    Differences of 0 are left out; p is 1 where all are. Same value as
    scipy.stats.wilcoxon(differences, method="exact") without ties.

    Source: Wilcoxon (1945), Biometrics Bulletin 1:80-83.

    >>> wilcoxon([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    0.03125
    """
    d = np.asarray(differences, np.float64)
    if len(d) < FEWEST:
        raise UnsupportedError(
            f"Wilcoxon's signed-rank test on {len(d)} differences cannot reach p < 0.05; "
            f"give {FEWEST} or more"
        )
    d = d[d != 0]
    if not len(d):
        return 1.0
    ranks = _rank(np.abs(d))
    lesser = min(ranks[d > 0].sum(), ranks[d < 0].sum())
    if len(d) > EXACT:
        from scipy.special import ndtr

        z = (lesser - ranks.sum() / 2) / np.sqrt((ranks**2).sum() / 4)
        return float(min(1.0, 2 * ndtr(z)))
    doubled = np.rint(2 * ranks).astype(np.int64)  # mid-ranks are halves
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        shifted = np.zeros_like(chance)
        shifted[rank:] = chance[:-rank]
        chance = (chance + shifted) / 2
    return float(min(1.0, 2 * chance[: round(2 * lesser) + 1].sum()))


def friedman(scores: Array) -> Friedman:
    """Whether the columns of `scores` (data sets, models) differ, by ranks within each data set.

    Friedman's chi2, corrected for ties, is turned into F = (n - 1) chi2 / (n (k - 1) - chi2) with
    k - 1 and (k - 1)(n - 1) degrees of freedom, which is less conservative. If all data sets rank
    alike F is infinite and p the chance of that, orders^(1 - n), with as many orders as the ranks
    can be arranged in: k! where none tie. p is 1 where all scores are equal.
    Undefined for fewer than three models. Same chi2 as scipy.stats.friedmanchisquare.

    Sources: Friedman (1940), Ann. Math. Stat. 11:86-92; Iman & Davenport (1980), Communications in
    Statistics 9:571-595.
    """
    from scipy.special import fdtrc

    n, k = np.shape(scores)
    if k < 3:
        raise UnsupportedError(
            f"Friedman's test needs three models or more; got {k}: compare two by wilcoxon"
        )
    ranks = _rank(np.asarray(scores, np.float64))
    deviation = ranks - (k + 1) / 2
    total = float((deviation**2).sum())
    if not total:
        return Friedman(0.0, 0.0, 1.0)
    chi2 = (k - 1) * n**2 * float((deviation.mean(axis=0) ** 2).sum()) / total
    disagreement = n * (k - 1) - chi2
    if disagreement < 1e-9 * chi2:
        tied = np.unique(ranks[0], return_counts=True)[1]
        orders = math.factorial(k) // math.prod(map(math.factorial, tied.tolist()))
        return Friedman(chi2, math.inf, float(orders) ** (1 - n))
    f = (n - 1) * chi2 / disagreement
    return Friedman(chi2, f, float(fdtrc(k - 1, (k - 1) * (n - 1), f)))


def critical_difference(models: int, datasets: int, confidence: float = 0.95) -> float:
    """Nemenyi's critical difference of mean ranks: q sqrt(k (k + 1) / (6 n)).

    k is the number of `models`, n that of `datasets`, q the quantile of the studentised range at
    `confidence` divided by sqrt(2).

    Source: Demsar (2006), JMLR 7:1-30, section 3.2.2.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(confidence, models, np.inf)) / math.sqrt(2)
    return q * math.sqrt(models * (models + 1) / (6 * datasets))


def signed_rank(
    differences: Sequence[float] | Array, equivalence: float = 0.0, weights: Array | None = None
) -> OutcomeProbabilities:
    """Bayesian signed-rank test: which of two models is better on a data set yet unseen.

    The prior is a Dirichlet process of strength 1/2 at no difference. Each sample of the posterior
    weighs all pairs of differences by their mean, and the probability of an answer is the share of
    samples in which it weighs most. Same value as baycomp.SignedRankTest, but for sampling.

    Parameters:
        differences: First model minus second on each data set (n,); positive ones speak for the
            first.
        equivalence: The difference up to which two models are equal for practical purposes, 0 or
            more.
        weights: Samples of the posterior, where several pairs of models share them; default:
            `posterior_weights(n)`.

    Source: Benavoli et al. (2014), ICML, 1026-1034.
    """
    check_margin(equivalence)
    d = np.append(0.0, np.asarray(differences, np.float64))
    weights = posterior_weights(len(d) - 1) if weights is None else weights
    sums = d[:, None] + d

    def weigh_larger(sums: Array) -> Array:
        larger = np.heaviside(sums - 2 * equivalence, 0.5)
        return np.asarray(((weights @ larger) * weights).sum(axis=1))

    first = weigh_larger(sums)
    second = weigh_larger(-sums) if equivalence else 1 - first
    equal = np.maximum(1 - first - second, 0) if equivalence else np.zeros_like(first)
    each = np.stack([first, equal, second])
    most = np.isclose(each, each.max(axis=0), rtol=0, atol=1e-12)
    shares = (most / most.sum(axis=0)).mean(axis=1)
    return OutcomeProbabilities(*map(float, shares))


def posterior_weights(n: int, samples: int = 50_000, seed: int = 0) -> Array:
    """Weights (`samples`, n + 1) of the prior's pseudo-difference and of `n` differences.

    They are drawn from the posterior of `signed_rank` with `seed`.
    """
    return np.random.default_rng(seed).dirichlet(np.append(0.5, np.ones(n)), samples)
