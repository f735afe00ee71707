"""Metrics of summaries: ROUGE, the words, pairs of words or sequences that the two texts share.

>>> RougeL().better
'higher'
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from assay.errors import MissingDependencyError
from assay.metrics.texts import TextRowMetric

__all__ = ["Rouge1", "Rouge2", "RougeL", "RougeLsum"]


@dataclass(frozen=True)
class Rouge(TextRowMetric):
    """Base of the mean over rows of one F1 of rouge-score."""

    variant: ClassVar[str]
    stem: bool = False

    def count_row(self, truth: str, text: str) -> float:
        scores = _make_scorer(self.variant, self.stem).score(truth, text)
        return float(scores[self.variant].fmeasure)


@dataclass(frozen=True)
class Rouge1(Rouge):
    """Mean over rows of the F1 of the words that the two texts share: in [0, 1], higher is better.

    Words are runs of ASCII letters and digits in lower case, as rouge-score cuts them: texts in
    other scripts have none, and every row counts 0. One true text a row. Undefined (no_samples)
    without rows.

    Parameters:
        stem: Whether words are reduced to their stems (Porter), as in English; default False.

    Needs the extra text (rouge-score). Same value as the mean of rouge-score's fmeasure.
    Source: Lin (2004), ACL workshop on text summarization.

    >>> Rouge1()(["the cat sat"], ["the cat sits"])
    0.6667
    """

    name = "rouge1"
    variant = "rouge1"
    cases = ({"stem": True},)
    oracle = "text_oracles.rouge('rouge1', m.stem)"


@dataclass(frozen=True)
class Rouge2(Rouge):
    """Mean over rows of the F1 of the pairs of words that the two texts share.

    In [0, 1], higher is better; words, parameters and what it needs are those of rouge1.
    Undefined (no_samples) without rows. Same value as the mean of rouge-score's fmeasure.
    Source: Lin (2004), ACL workshop on text summarization.

    >>> Rouge2()(["the cat sat"], ["the cat sits"])
    0.5
    """

    name = "rouge2"
    variant = "rouge2"
    cases = ({"stem": True},)
    oracle = "text_oracles.rouge('rouge2', m.stem)"


@dataclass(frozen=True)
class RougeL(Rouge):
    """Mean over rows of the F1 of the longest sequence of words that is in both texts, in order.

    In [0, 1], higher is better; words, parameters and what it needs are those of rouge1.
    Undefined (no_samples) without rows. Same value as the mean of rouge-score's fmeasure.
    Source: Lin (2004), ACL workshop on text summarization.

    >>> RougeL()(["the cat sat"], ["the cat sits"])
    0.6667
    """

    name = "rougeL"
    aliases = ("rouge_l",)
    variant = "rougeL"
    cases = ({"stem": True},)
    oracle = "text_oracles.rouge('rougeL', m.stem)"


@dataclass(frozen=True)
class RougeLsum(Rouge):
    """Mean over rows of the F1 of the sequences that a summary shares with each true sentence.

    In [0, 1], higher is better; sentences are divided by line breaks, which other variants take for
    blanks; words, parameters and what it needs are those of rouge1. Undefined (no_samples) without
    rows. Same value as the mean of rouge-score's fmeasure.
    Source: Lin (2004), ACL workshop on text summarization.

    >>> RougeLsum()(["the cat sat"], ["the cat sits"])
    0.6667
    """

    name = "rougeLsum"
    aliases = ("rouge_lsum",)
    variant = "rougeLsum"
    cases = ({"stem": True},)
    oracle = "text_oracles.rouge('rougeLsum', m.stem)"


@cache
def _make_scorer(variant: str, stem: bool) -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingDependencyError(
            f"metric {variant} needs rouge-score, which is not installed; run pip install "
            "'assay[text]'"
        ) from error
    return RougeScorer([variant], use_stemmer=stem)
