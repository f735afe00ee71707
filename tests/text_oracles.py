"""Metrics of texts in other libraries, of rows with weights, for the oracles.

Rows are repeated as often as their whole weight says, where a library knows no weights.
"""

import re
import string
from collections import Counter
from functools import cache

import jiwer
import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from seqeval.metrics.sequence_labeling import get_entities


class TextOracles:
    """The values of other libraries for the rows of one model."""

    def __init__(self, p, rows):
        self.pairs = list(zip(rows.truth, rows.text, strict=True))
        self.weight = np.ones(p.n) if p.weight is None else p.weight

    def _average(self, values):
        return np.average(list(values), weights=self.weight)

    def wer(self):
        return self._rate(jiwer.process_words)

    def cer(self):
        return self._rate(jiwer.process_characters)

    def _rate(self, process):
        found = [process(truth, text) for truth, text in self.pairs]
        wrong = [o.substitutions + o.deletions + o.insertions for o in found]
        size = [o.substitutions + o.deletions + o.hits for o in found]
        return np.sum(self.weight * wrong) / np.sum(self.weight * size)

    def exact_match(self, normalise):
        clean = clean_squad if normalise == "squad" else str
        return self._average(clean(truth) == clean(text) for truth, text in self.pairs)

    def token_f1(self, normalise):
        clean = clean_squad if normalise == "squad" else str
        return self._average(squad_f1(clean(truth), clean(text)) for truth, text in self.pairs)

    def rouge(self, variant, stem):
        scorer = make_rouge(variant, stem)
        return self._average(scorer.score(a, b)[variant].fmeasure for a, b in self.pairs)

    def bleu(self, tokenize):
        scorer = BLEU(tokenize=tokenize, force=True)
        written, true, *counts = self._sum_statistics(scorer)
        # It takes whole numbers of words alone, which sums of weighted rows are not.
        brief = min(1.0, np.exp(1 - true / written)) if written else 0.0
        score = BLEU.compute_bleu(counts[:4], counts[4:], 1, 1, smooth_method="exp").score
        return brief * score

    def chrf(self, beta):
        scorer = CHRF(beta=beta)
        # The class takes whole numbers for beta alone; its formula takes any.
        return scorer._compute_score_from_stats(self._sum_statistics(scorer)).score

    def _sum_statistics(self, scorer):
        truths, texts = zip(*self.pairs, strict=True)
        stats = scorer._extract_corpus_statistics(list(texts), [list(truths)])
        return list(self.weight @ np.array(stats, float))

    def entities(self, of):
        counts = np.zeros(3)
        for weight, (truth, text) in zip(self.weight, self.pairs, strict=True):
            a, b = (set(get_entities(tags.split())) for tags in (truth, text))
            counts += weight * np.array([len(a & b), len(a), len(b)])
        right, true, predicted = counts
        over, under = {"f1": (2 * right, true + predicted), "precision": (right, predicted)}.get(
            of, (right, true)
        )
        return over / under if under else np.nan


def clean_squad(text):
    """As the official script of SQuAD 2.0 (evaluate-v2.0.py) normalises answers."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())


def squad_f1(truth, text):
    """As the official script of SQuAD 2.0 computes it."""
    gold, predicted = truth.split(), text.split()
    same = sum((Counter(gold) & Counter(predicted)).values())
    if not gold or not predicted:
        return int(gold == predicted)
    if not same:
        return 0
    precision, recall = same / len(predicted), same / len(gold)
    return 2 * precision * recall / (precision + recall)


@cache
def make_rouge(variant, stem):
    return RougeScorer([variant], use_stemmer=stem)
