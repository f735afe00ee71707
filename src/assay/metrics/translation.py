"""Metrics of translation: n-grams of words or characters that the two texts share, in a corpus.

>>> ChrF()(["the cat sat"], ["the cat sat"])
100
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from assay.errors import MissingDependencyError
from assay.kernels import Array
from assay.metrics.base import Metric, ratio
from assay.metrics.texts import TEXT, PairCounts
from assay.states.base import State
from assay.states.moments import Moments, Sums

__all__ = ["BLEU", "ChrF"]

WORD_ORDER = 4
CHARACTER_ORDER = 6

Tokenizer = Literal["13a", "intl", "char", "none", "zh"]


@dataclass(frozen=True)
class WordNgrams(PairCounts):
    """Words written and true, then for each order of n-gram how many are right and are written."""

    tokenize: Tokenizer = "13a"
    width = 2 + 2 * WORD_ORDER

    def count(self, truth: str, text: str) -> tuple[float, ...]:
        counts = _make_scorer(self.tokenize).sentence_score(text, [truth])
        return (counts.sys_len, counts.ref_len, *counts.counts, *counts.totals)


@dataclass(frozen=True)
class CharacterNgrams(PairCounts):
    """For each order of n-gram of characters how many are shared, are written, and are true."""

    width = 3 * CHARACTER_ORDER

    def count(self, truth: str, text: str) -> list[int]:
        a = "".join(truth.split())
        b = "".join(text.split())
        shared: list[int] = []
        written: list[int] = []
        true: list[int] = []
        for n in range(1, CHARACTER_ORDER + 1):
            wanted = Counter([a[i : i + n] for i in range(len(a) - n + 1)])
            ngrams = Counter([b[i : i + n] for i in range(len(b) - n + 1)])
            shared.append((wanted & ngrams).total())
            # As sacrebleu counts: no n-gram is wrong where the true text has none of that order.
            written.append(ngrams.total() if wanted else 0)
            true.append(wanted.total())
        return shared + written + true


@dataclass(frozen=True)
class BLEU(Metric):
    """Share of the n-grams of 1 to 4 words that are in the true text, of the corpus.

    In [0, 100], higher is better: the geometric mean of the four shares, each of all rows together,
    times exp(1 - true words / written words) where less is written than is true. An order without
    a shared n-gram is smoothed (half, a quarter, ... of one). One true text a row. The bootstrap
    draws rows, and the value is of the corpus they make.

    Parameters:
        tokenize: How texts are cut into words, by sacrebleu; default 13a, that of WMT. Undefined
            (no_samples) without rows.

    Needs the extra text (sacrebleu). Same value as sacrebleu's corpus_bleu.
    Source: Papineni et al. (2002), ACL; Post (2018), WMT.

    >>> BLEU()(["the cat sat on the mat"], ["the cat sat on a mat"])
    53.73
    """

    name = "bleu"
    reads = "text"
    tasks = TEXT
    bounds = (0.0, 100.0)
    cases = ({"tokenize": "char"},)
    oracle = "text_oracles.bleu(m.tokenize)"
    tokenize: Tokenizer = "13a"

    @property
    def state(self) -> State[Any]:
        return Moments(WordNgrams(self.tokenize), WordNgrams.width)

    def compute(self, summary: Sums) -> Array:
        totals = summary.mean * np.asarray(summary.weight)[..., None]
        written, true = totals[..., 0], totals[..., 1]
        right, ngrams = np.split(totals[..., 2:], 2, axis=-1)
        # What resampling leaves of sums that are 0 is a rounding error.
        right = np.where(right > 1e-9 * ngrams, right, 0.0)
        missed = right == 0
        smooth = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), right)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_share = np.log(np.where(ngrams > 0, ratio(smooth, ngrams), 0.0)).mean(axis=-1)
            brevity = np.minimum(0.0, 1 - true / written)
        score = 100 * np.exp(log_share + brevity)
        value = np.where(missed.all(axis=-1), 0.0, score)
        return np.asarray(np.where(np.isnan(totals).any(axis=-1), np.nan, value))


@dataclass(frozen=True)
class ChrF(Metric):
    """F score of the n-grams of 1 to 6 characters that the two texts share, of the corpus.

    In [0, 100], higher is better: blanks are left out; precision and recall of each order are of
    all rows together, and are averaged over the orders that both texts have. Needs no words, so it
    is for every language. One true text a row. Undefined (no_samples) without rows.

    Parameters:
        beta: How many times as much recall weighs as precision, above 0; default 2.

    Same value as sacrebleu's corpus_chrf.
    Source: Popović (2015), WMT.

    >>> ChrF()(["the cat sat"], ["the cat sit"])
    68.66
    """

    name = "chrf"
    reads = "text"
    tasks = TEXT
    bounds = (0.0, 100.0)
    cases = ({"beta": 1.0},)
    oracle = "text_oracles.chrf(m.beta)"
    needs = Moments(CharacterNgrams(), CharacterNgrams.width)
    beta: float = 2.0

    def compute(self, summary: Sums) -> Array:
        shared, written, true = np.split(summary.mean, 3, axis=-1)
        both = (written > 1e-9) & (true > 1e-9)
        orders = both.sum(axis=-1)
        precision = np.where(both, ratio(shared, np.where(both, written, 1.0)), 0.0).sum(axis=-1)
        recall = np.where(both, ratio(shared, np.where(both, true, 1.0)), 0.0).sum(axis=-1)
        precision, recall = (part / np.maximum(orders, 1) for part in (precision, recall))
        factor = self.beta**2
        value = 100 * (1 + factor) * ratio(precision * recall, factor * precision + recall)
        value = np.where(precision + recall > 0, value, 0.0)
        return np.where(np.isnan(summary.mean).any(axis=-1), np.nan, value)


@cache
def _make_scorer(tokenize: Tokenizer) -> Any:
    try:
        from sacrebleu.metrics import bleu
    except ImportError as error:
        raise MissingDependencyError(
            "metric bleu needs sacrebleu, which is not installed; run pip install 'assay[text]'"
        ) from error
    return bleu.BLEU(tokenize=tokenize, effective_order=True)
