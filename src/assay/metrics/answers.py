"""Metrics of answers: whether a model wrote the true text, or how many of its words.

>>> ExactMatch(normalise="squad")(["The Nile"], ["nile."]), TokenF1()(["the Nile"], ["White Nile"])
(1, 0.6667)
"""

import re
import string
from dataclasses import dataclass
from typing import Literal

from assay.metrics.texts import TextRowMetric, count_shared

__all__ = ["ExactMatch", "TokenF1"]

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Normalisation = Literal["none", "squad"]


@dataclass(frozen=True)
class ExactMatch(TextRowMetric):
    """Share of the rows in which the model wrote the true text: in [0, 1], higher is better.

    normalise=squad leaves out case, punctuation (of ASCII), the articles a, an and the, and blanks
    beyond one, as the script of SQuAD does; by default (none) every character counts.
    Undefined (no_samples) without rows. Same value as the share of equal texts.
    Source: Rajpurkar et al. (2016), EMNLP, section 6.1.

    >>> ExactMatch()(["Nile", "Rhine"], ["Nile", "rhine"])
    0.5
    """

    name = "exact_match"
    cases = ({"normalise": "squad"},)
    oracle = "text_oracles.exact_match(m.normalise)"
    normalise: Normalisation = "none"

    def count_row(self, truth: str, text: str) -> float:
        wanted, written = (_normalise(each, self.normalise) for each in (truth, text))
        return float(wanted == written)


@dataclass(frozen=True)
class TokenF1(TextRowMetric):
    """Mean over rows of the F1 of the words that the two texts share: in [0, 1], higher is better.

    2 shared / (true words + written words), a word counting as often as it is in both; a row
    without words in both texts counts 1. By default words are normalised as of exact_match
    (normalise=squad); with none they are what blanks divide. One true text a row: SQuAD's script
    takes the best of several. Undefined (no_samples) without rows. Same value as the script of
    SQuAD 2.0 gives, over 100.
    Source: Rajpurkar et al. (2016), EMNLP, section 6.1.

    >>> TokenF1()(["the White Nile"], ["Nile"])
    0.6667
    """

    name = "token_f1"
    cases = ({"normalise": "none"},)
    oracle = "text_oracles.token_f1(m.normalise)"
    normalise: Normalisation = "squad"

    def count_row(self, truth: str, text: str) -> float:
        wanted, written = (_normalise(each, self.normalise).split() for each in (truth, text))
        if not wanted and not written:
            return 1.0
        return 2 * count_shared(wanted, written) / (len(wanted) + len(written))


def _normalise(text: str, rule: Normalisation) -> str:
    """The `text` by the `rule`: of squad without case, punctuation, articles, blanks beyond one."""
    if rule == "none":
        return text
    return " ".join(ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())
