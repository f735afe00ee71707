"""Averages over the labels of each row: what rows without any label count."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics

from assay.comparison.compare import compare
from assay.errors import SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import read, write
from assay.io.stream import scan
from assay.reporting.report import report
from assay.table.predictions import Predictions


def sparse_labels(seed=0):
    """Truth and prediction of 50 rows, of which some have no label at all."""
    rng = np.random.default_rng(seed)
    return rng.random((50, 3)) < 0.2, rng.random((50, 3)) < 0.2


@pytest.mark.parametrize("name", ["f1", "jaccard"])
def test_a_row_without_any_label_counts_1_as_with_zero_division_1(name):
    y, label = (part.astype(int) for part in sparse_labels())
    p = Predictions.from_arrays(y, {"m.label": label}, task="multilabel")
    row = evaluate(p, f"{name}(average=samples)").rows[0]
    score = getattr(sklearn.metrics, f"{name}_score")
    assert row.value == pytest.approx(score(y, label, average="samples", zero_division=1))
    share = float((~y.any(axis=1) & ~label.any(axis=1)).mean())
    assert f"{share:.2%} of the weight has neither a true nor a predicted label" in row.note


def test_no_note_is_made_where_every_row_has_a_label():
    labels = [[1, 0], [1, 1]] * 20
    p = Predictions.from_arrays(labels, {"m.label": labels[::-1]}, task="multilabel")
    assert "neither" not in evaluate(p, "f1(average=samples)").rows[0].note


@pytest.mark.parametrize(
    ("name", "method"), [("roc_auc", "bootstrap"), ("average_precision", "logit bootstrap")]
)
def test_the_micro_average_ranks_all_labels_of_all_rows_together(name, method):
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, (60, 4))
    proba = np.clip(0.3 * y + rng.random((60, 4)) * [0.7, 0.6, 0.4, 0.2], 0, 1)
    p = Predictions.from_arrays(y, {"m.proba": proba}, task="multilabel")
    row = evaluate(p, f"{name}_micro").rows[0]
    score = getattr(sklearn.metrics, f"{name}_score")
    assert row.metric == f"{name}(average=micro)"
    assert row.value == pytest.approx(score(y, proba, average="micro"), rel=1e-12)
    assert row.method == method
    assert row.low < row.value < row.high


def test_labels_that_vary_together_make_the_interval_of_the_micro_average_wider():
    """Four copies of a label are no four times as many rows."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, (100, 1))
    proba = np.clip(0.3 * y + 0.7 * rng.random((100, 1)), 0, 1)
    one = Predictions.from_arrays(y[:, 0], {"m.proba": proba[:, 0]}, positive=1)
    four = Predictions.from_arrays(np.tile(y, 4), {"m.proba": np.tile(proba, 4)}, task="multilabel")
    alone = evaluate(one, "average_precision").rows[0]
    together = evaluate(four, "average_precision(average=micro)").rows[0]
    assert together.value == pytest.approx(alone.value)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_models_are_compared_by_the_micro_average():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, (80, 3))
    noise = rng.random((80, 3))
    said = {"good.proba": 0.4 * y + 0.6 * noise, "poor.proba": 0.05 * y + 0.9 * noise}
    found = compare(Predictions.from_arrays(y, said, task="multilabel"), "roc_auc(average=micro)")
    assert found.tied == ("good",)


RELEVANT = [[1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0]]
SCORES = [[7.5, -2.0, 3.0, 4.0], [0.0, 12.0, 11.0, -3.5], [5.0, 1.0, 2.0, 9.0]]


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("ndcg", "ndcg_score"),
        ("lrap", "label_ranking_average_precision_score"),
        ("coverage_error", "coverage_error"),
        ("ranking_loss", "label_ranking_loss"),
    ],
)
def test_labels_are_ranked_by_scores_of_any_size(name, theirs):
    p = Predictions.from_arrays(RELEVANT, {"m.score": SCORES}, task="multilabel")
    right = getattr(sklearn.metrics, theirs)(RELEVANT, SCORES)
    assert evaluate(p, name, intervals=False).value == pytest.approx(right)


def test_scores_of_labels_come_by_name_and_are_written_and_read_again(tmp_path):
    columns = {f"m.score.{label}": np.array(SCORES)[:, i] for i, label in enumerate("abcd")}
    truth = {label: np.array(RELEVANT)[:, i] for i, label in enumerate("abcd")}
    p = Predictions.from_arrays(truth, dict(reversed(columns.items())), task="multilabel")
    for name in ("p.csv", "p.parquet"):
        write(p, tmp_path / name)
        again = read(tmp_path / name, task="multilabel")
        assert np.array_equal(again.rows("m").score, SCORES)
        assert again.models == ["m"]


def test_scores_of_labels_are_no_probabilities():
    p = Predictions.from_arrays(RELEVANT, {"m.score": SCORES}, task="multilabel")
    with pytest.raises(UnsupportedError, match="needs proba, which no model gives"):
        evaluate(p, "log_loss")


def grade_labels(seed):
    """Grades 0 to 3 of five documents of each of 40 queries, and scores of which many tie."""
    rng = np.random.default_rng(seed)
    grades = rng.integers(0, 4, (40, 5)) * (rng.random((40, 1)) < 0.9)
    return grades, np.round(grades + rng.normal(size=grades.shape))


@pytest.mark.parametrize("gain", ["linear", "exponential"])
@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("name", ["ndcg", "dcg"])
def test_graded_relevance_gains_as_in_scikit_learn_also_where_scores_tie(name, k, gain):
    grades, score = grade_labels(3)
    p = Predictions.from_arrays(grades, {"m.score": score}, task="multilabel")
    relevant = grades.any(axis=1)
    gains = 2.0**grades - 1 if gain == "exponential" else grades
    right = getattr(sklearn.metrics, f"{name}_score")(gains[relevant], score[relevant], k=k)
    text = f"{name}(k={k}, gain={gain})" if k else f"{name}(gain={gain})"
    row = evaluate(p, text).rows[0]
    assert row.value == pytest.approx(right, rel=1e-12)
    assert row.low < row.value < row.high
    assert f"{1 - relevant.mean():.2%} of the weight has no true label" in row.note


def test_grades_are_weighed_written_and_read_in_parts(tmp_path):
    grades, score = grade_labels(4)
    weight = np.arange(40) % 3
    names = list("vwxyz")
    p = Predictions.from_arrays(grades, {"m.score": score}, classes=names, weight=weight)
    repeated = p.take(np.repeat(np.arange(40), weight))
    right = evaluate(replace(repeated, weight=None), "ndcg", intervals=False).value
    path = write(p, tmp_path / "p.parquet")
    assert evaluate(p, "ndcg", intervals=False).value == pytest.approx(right)
    assert evaluate(read(path), intervals=False).value == pytest.approx(right)
    assert evaluate(scan(path), intervals=False).value == pytest.approx(right)
    assert evaluate(read(write(p, tmp_path / "p.csv"))).metrics == ["ndcg"]


def test_what_needs_0_and_1_says_so_of_grades_and_names_what_reads_them():
    grades, score = grade_labels(5)
    p = Predictions.from_arrays(grades, {"m.score": score})
    with pytest.raises(UnsupportedError, match=r"roc_auc needs a truth of 0 and 1.*ndcg or dcg"):
        evaluate(p, "roc_auc")
    binary = Predictions.from_arrays((grades > 0).astype(int), {"m.score": score})
    assert evaluate(binary, "roc_auc(average=micro)").value > 0.5


def test_grades_beside_other_outputs_than_scores_are_refused_until_they_are_named_scores():
    grades, score = grade_labels(6)
    with pytest.raises(SchemaError, match=r"grades of relevance, name .* <model>\.score"):
        Predictions.from_arrays(grades, {"m": score})
    named = Predictions.from_arrays(grades, {"m.score": score})
    relevant = grades.any(axis=1)
    right = sklearn.metrics.ndcg_score(grades[relevant], score[relevant])
    assert evaluate(named, "ndcg", intervals=False).value == pytest.approx(right)
    with pytest.raises(SchemaError, match="truth has -1 for label 2 at row 0; expected grades"):
        Predictions.from_arrays([[3, 0, -1]], {"m.score": [[1.0, 2.0, 0.5]]}, task="multilabel")


def test_the_report_of_graded_relevance_sets_the_models_against_the_mean_grades():
    grades, score = grade_labels(7)
    p = Predictions.from_arrays(grades, {"a.score": score, "b.score": np.roll(score, 1, axis=0)})
    made = report(p)
    base = np.tile(grades.mean(axis=0), (40, 1))
    relevant = grades.any(axis=1)
    right = sklearn.metrics.ndcg_score(grades[relevant], base[relevant])
    assert made.evaluation.get("baseline", "ndcg").value == pytest.approx(right)
    assert "which ranks by the mean grade of each label" in str(made)
    assert "the mean grade of each label" in made.to_html()
