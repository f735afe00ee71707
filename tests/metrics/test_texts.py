"""Metrics of texts against the libraries that the field uses, and at their edges."""

import math
import sys

import jiwer
import numpy as np
import pytest
import sacrebleu
import seqeval.metrics
from rouge_score.rouge_scorer import RougeScorer

import assay
import assay.metrics.summaries
import assay.metrics.translation
from assay.errors import MissingDependencyError, SchemaError
from assay.metrics.base import METRICS

TRUTH = [
    "The quick brown fox jumps over the lazy dog.",
    "Bäume wachsen, langsam!",
    "It is 5 o'clock in the morning",
    "an answer",
]
TEXTS = [
    "The quick brown fox jumped over a lazy dog",
    "Bäume wachsen sehr langsam",
    "it is 5 o clock in the the morning",
    "the answer.",
]


def value(metric, truth=TRUTH, texts=TEXTS, **options):
    return float(METRICS.parse(metric)(truth, texts, **options))


def test_word_and_character_error_rates_are_those_of_jiwer():
    assert value("wer") == pytest.approx(jiwer.wer(TRUTH, TEXTS), rel=1e-12)
    assert value("cer") == pytest.approx(jiwer.cer(TRUTH, TEXTS), rel=1e-12)


def test_error_rates_are_of_the_corpus_and_no_mean_of_rates():
    assert value("wer", ["a b c d", "e"], ["a b c d", "x"]) == pytest.approx(1 / 5)


def test_a_model_that_writes_nothing_has_an_error_rate_of_one():
    assert value("wer", TRUTH, [""] * 4) == 1


def test_words_inserted_make_an_error_rate_above_one():
    assert value("wer", ["yes"], ["no no no"]) == 3


def test_error_rates_without_a_true_word_are_undefined_for_want_of_a_reference():
    row = assay.evaluate(["", " "], {"m": ["", "x"]}, "wer", task="text").rows[0]
    assert math.isnan(row.value)
    assert row.note.startswith("no_reference")


def test_bleu_is_that_of_sacrebleu():
    expected = sacrebleu.corpus_bleu(TEXTS, [TRUTH]).score
    assert value("bleu") == pytest.approx(expected, rel=1e-12)


def test_bleu_without_a_shared_quadruple_is_smoothed_as_by_sacrebleu():
    truth, texts = ["the cat sat on the mat"], ["the cat sits on a mat"]
    expected = sacrebleu.corpus_bleu(texts, [truth]).score
    assert value("bleu", truth, texts) == pytest.approx(expected, rel=1e-12)
    assert expected > 0


def test_bleu_of_texts_too_short_for_a_quadruple_is_zero_as_by_sacrebleu():
    assert value("bleu", ["yes", "no"], ["yes", "no"]) == 0
    assert sacrebleu.corpus_bleu(["yes", "no"], [["yes", "no"]]).score == 0


def test_chrf_is_that_of_sacrebleu():
    expected = sacrebleu.corpus_chrf(TEXTS, [TRUTH]).score
    assert value("chrf") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("variant", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
@pytest.mark.parametrize("stem", [False, True])
def test_rouge_is_the_mean_of_rouge_score(variant, stem):
    scorer = RougeScorer([variant], use_stemmer=stem)
    pairs = zip(TRUTH, TEXTS, strict=True)
    expected = np.mean([scorer.score(a, b)[variant].fmeasure for a, b in pairs])
    assert value(f"{variant}(stem={str(stem).lower()})") == pytest.approx(expected, rel=1e-12)


def test_answers_match_by_the_rules_of_squad_only_where_they_are_asked_for():
    assert value("exact_match", ["The Nile!"], ["nile"]) == 0
    assert value("exact_match(normalise=squad)", ["The Nile!"], ["nile"]) == 1


def test_the_f1_of_words_is_that_of_squad():
    assert value("token_f1", ["The White Nile"], ["nile, the river"]) == pytest.approx(0.5)
    assert value("token_f1", ["", "x"], ["", ""]) == pytest.approx(0.5)


ENTITIES = ["B-PER I-PER O B-LOC", "O O", "I-ORG O B-PER B-PER"]
TAGGED = ["B-PER I-PER O O", "O B-LOC", "B-ORG O B-PER I-PER"]


@pytest.mark.parametrize("of", ["f1", "precision", "recall"])
def test_entities_are_scored_as_by_seqeval(of):
    score = getattr(seqeval.metrics, f"{of}_score")
    expected = score([t.split() for t in ENTITIES], [t.split() for t in TAGGED])
    assert value(f"entity_{of}", ENTITIES, TAGGED) == pytest.approx(expected, rel=1e-12)


def test_tags_of_bilou_are_those_of_bioes():
    bilou, bioes = ["B-PER L-PER O U-LOC"], ["B-PER E-PER O S-LOC"]
    assert value("entity_f1", bilou, bioes) == 1


def test_sentences_with_another_number_of_tags_are_refused_with_both_numbers():
    with pytest.raises(SchemaError, match="2 true tags and 1 predicted ones"):
        value("entity_f1", ["B-PER O"], ["B-PER"])


def test_a_word_that_is_no_tag_is_refused():
    with pytest.raises(SchemaError, match="'Paris' is no tag"):
        value("entity_f1", ["B-LOC"], ["Paris"])


@pytest.mark.parametrize("metric", ["wer", "bleu", "chrf", "entity_f1"])
def test_an_interval_of_a_corpus_holds_most_values_of_fresh_corpora(metric):
    """The 95 % intervals of 12 corpora of 40 rows hold the value of one of 1,000."""
    rng = np.random.default_rng(4)

    def draw(rows):
        tags = np.array(["O", "B-A", "I-A", "B-B"])
        truth = [rng.choice(tags, 6) for _ in range(rows)]
        wrong = rng.random(rows) * 0.6
        texts = [
            np.where(rng.random(6) < w, rng.choice(tags, 6), t)
            for w, t in zip(wrong, truth, strict=True)
        ]
        return list(map(" ".join, truth)), list(map(" ".join, texts))

    true = value(metric, *draw(1000))
    held = 0
    for _ in range(12):
        truth, texts = draw(40)
        row = assay.evaluate(truth, {"m": texts}, metric, task="text").rows[0]
        held += row.low <= true <= row.high
    assert held >= 9  # 11.4 are expected; fewer than 9 come once in 400 times


@pytest.mark.parametrize(("metric", "package"), [("bleu", "sacrebleu"), ("rouge1", "rouge_score")])
def test_a_metric_of_texts_whose_package_is_missing_names_the_extra(monkeypatch, metric, package):
    for maker in (assay.metrics.translation._make_scorer, assay.metrics.summaries._make_scorer):
        maker.cache_clear()
    for module in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'assay\[text\]'"):
        value(metric)
