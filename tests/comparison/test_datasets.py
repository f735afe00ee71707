"""Several data sets: rank tests against their oracles, the decision, the refusals, the diagram."""

import json
import math
from typing import Any

import baycomp
import numpy as np
import pytest
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy import stats

from assay.charts.critical_difference import find_cliques, ranks
from assay.charts.style import draw
from assay.comparison.datasets import DatasetComparison, compare_datasets
from assay.comparison.rank_tests import (
    average_ranks,
    critical_difference,
    friedman,
    posterior_weights,
    signed_rank,
    wilcoxon,
)
from assay.errors import NameLookupError, SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions

# By these Demsar (2006), table 6, compares four ways of tuning C4.5 on 14 data sets (AUC).
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
NAMES = ("C4.5", "+m", "+cf", "+m+cf")


def scores(table: Any, names: Any = NAMES) -> dict[str, dict[str, float]]:
    """A table of scores, data set by data set."""
    return {
        f"set {i}": dict(zip(names, map(float, row), strict=True)) for i, row in enumerate(table)
    }


def spread(
    models: int = 4, datasets: int = 12, step: float = 0.02, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Models m0, m1 ... each better than the one before by about `step`."""
    rng = np.random.default_rng(seed)
    table = 0.7 + step * np.arange(models) + 0.02 * rng.normal(size=(datasets, models))
    return scores(table, [f"m{i}" for i in range(models)])


def test_ranks_and_friedman_are_those_that_demsar_prints():
    assert average_ranks(DEMSAR) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    found = friedman(DEMSAR)
    n, k = DEMSAR.shape
    uncorrected = (
        12 * n / (k * (k + 1)) * (np.sum(average_ranks(DEMSAR) ** 2) - k * (k + 1) ** 2 / 4)
    )
    assert uncorrected == pytest.approx(9.28, abs=0.01)
    assert found.chi2 == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).statistic, abs=1e-8)
    assert found.f == pytest.approx((n - 1) * found.chi2 / (n * (k - 1) - found.chi2))
    assert found.p == pytest.approx(stats.f.sf(found.f, k - 1, (k - 1) * (n - 1)), abs=1e-12)


def test_critical_difference_is_the_published_one():
    # Demsar (2006), table 5 (a): q at 0.05 for 2 to 10 models.
    published = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    q = [critical_difference(k, 10) / math.sqrt(k * (k + 1) / 60) for k in range(2, 11)]
    assert q == pytest.approx(published, abs=1.5e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)


def test_critical_difference_decides_as_scikit_posthocs_does():
    p = posthoc_nemenyi_friedman(DEMSAR).to_numpy()
    apart = np.abs(np.subtract.outer(average_ranks(DEMSAR), average_ranks(DEMSAR)))
    for alpha in (0.05, 0.1, 0.2):
        cd = critical_difference(4, 14, 1 - alpha)
        assert np.array_equal(apart > cd, p < alpha)


@pytest.mark.parametrize("n", [6, 9, 14, 30])
@pytest.mark.parametrize("seed", range(3))
def test_wilcoxon_is_scipys_exact_test(n: int, seed: int):
    d = np.random.default_rng(seed).normal(0.3, 1, n)
    assert wilcoxon(d) == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, abs=1e-12)


def test_wilcoxon_with_ties_counts_every_assignment_of_signs():
    d = np.array([0.1, 0.1, -0.1, 0.2, 0.2, -0.3, 0.4, 0.0])
    kept = d[d != 0]
    r = stats.rankdata(np.abs(kept))
    signs = np.array(np.meshgrid(*[[0, 1]] * len(kept))).reshape(len(kept), -1)
    sums, seen = r @ signs, r[kept > 0].sum()
    p = 2 * min((sums <= seen + 1e-9).mean(), (sums >= seen - 1e-9).mean())
    assert wilcoxon(d) == pytest.approx(min(1.0, p), abs=1e-12)


def test_wilcoxon_of_many_differences_is_near_the_exact_one(monkeypatch: pytest.MonkeyPatch):
    d = np.random.default_rng(0).normal(0.1, 1, 150)
    exact = wilcoxon(d)
    monkeypatch.setattr("assay.comparison.rank_tests.EXACT", 100)
    assert wilcoxon(d) == pytest.approx(exact, rel=0.03)


def test_wilcoxon_of_no_difference_or_too_few():
    assert wilcoxon(np.zeros(8)) == 1.0
    with pytest.raises(UnsupportedError, match=r"on 5 differences cannot reach p < 0\.05; give 6"):
        wilcoxon([1, 2, 3, 4, 5])


def test_friedman_counts_the_orders_of_tied_ranks_where_all_data_sets_rank_alike():
    """Four models of which two tie can be ranked in 12 orders, two pairs that tie in 6."""
    assert friedman(np.tile([0.9, 0.4, 0.4, 0.1], (5, 1))).p == pytest.approx(12.0**-4)
    assert friedman(np.tile([0.9, 0.9, 0.4, 0.4], (5, 1))).p == pytest.approx(6.0**-4)


def test_friedman_where_all_data_sets_rank_alike_and_where_none_ranks():
    alike = friedman(np.tile([0.1, 0.2, 0.3], (6, 1)))
    assert (alike.f, alike.p) == (math.inf, pytest.approx(6.0**-5))
    assert friedman(np.ones((6, 3))).p == 1.0
    with pytest.raises(UnsupportedError, match="three models or more; got 2"):
        friedman(np.ones((6, 2)))


@pytest.mark.parametrize("equivalence", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("n", [6, 12, 40])
def test_signed_rank_is_baycomps_on_the_same_draws(equivalence: float, n: int):
    rng = np.random.default_rng(n)
    x = rng.normal(0.80, 0.05, n)
    y = x - rng.normal(0.008, 0.02, n)
    left, *equal, right = baycomp.SignedRankTest.probs(
        x, y, rope=equivalence, nsamples=2000, random_state=1
    )
    draws = np.random.RandomState(1).dirichlet(
        np.append(0.5, np.ones(n)), 2000
    )  # what baycomp draws
    found = signed_rank(x - y, equivalence, draws)
    assert (found.first, found.equal, found.second) == pytest.approx(
        (left, sum(equal), right), abs=1e-8
    )


def test_signed_rank_is_seeded_and_fair():
    d = np.array([0.02, -0.02, 0.01, -0.01, 0.03, -0.03])
    assert signed_rank(d) == signed_rank(d)
    assert signed_rank(d).first == pytest.approx(0.5, abs=0.02)
    assert signed_rank(np.zeros(6)) == (0.5, 0.0, 0.5)
    assert signed_rank(np.zeros(6), equivalence=0.01) == (0.0, 1.0, 0.0)
    assert posterior_weights(6, 10, seed=1).shape == (10, 7)
    with pytest.raises(UnsupportedError, match="equivalence must be 0 or more"):
        signed_rank(d, equivalence=-0.1)


def test_the_best_and_those_tied_with_it_are_named():
    found = compare_datasets(spread(step=0.02), "accuracy", equivalence=0.01)
    assert found.best == "m3"
    assert "m0" not in found.tied
    assert "m3 ranks best by accuracy over 12 data sets" in repr(found)
    assert "Friedman's test (Iman-Davenport): F(3, 33)" in repr(found)
    worst = next(d for d in found.pairs if (d.a, d.b) == ("m0", "m3"))
    assert (worst.verdict, worst.wins + worst.ties + worst.losses) == ("m3 is better", 12)
    assert worst.p_b > 0.95
    assert worst.p_adjusted >= worst.p


def test_lower_is_better_for_a_loss():
    turned = {d: {m: 1 - v for m, v in row.items()} for d, row in spread().items()}
    up, down = compare_datasets(spread(), "accuracy"), compare_datasets(turned, "log_loss")
    assert (down.best, down.better, down.ranks) == (up.best, "lower", pytest.approx(up.ranks))
    assert [d.difference for d in down.pairs] == pytest.approx([-d.difference for d in up.pairs])
    assert [d.verdict for d in down.pairs] == [d.verdict for d in up.pairs]


def test_equal_models_are_tied():
    found = compare_datasets(scores(np.ones((7, 3)), "abc"), better="higher")
    assert found.tied == ("a", "b", "c")
    assert found.friedman is not None
    assert found.friedman.p == 1.0
    assert all(d.verdict == "not distinguishable" for d in found.pairs)


def test_predictions_and_evaluations_serve_as_scores():
    rng = np.random.default_rng(0)
    tables = {}
    for i in range(6):
        y = rng.integers(0, 2, 80)
        models = {m: np.where(rng.random(80) < s, y, 1 - y) for m, s in (("a", 0.9), ("b", 0.6))}
        tables[f"set {i}"] = Predictions.from_arrays(y, models)
    found = compare_datasets(tables, "f1")
    assert found.scores["set 3"]["b"] == evaluate(tables["set 3"], "f1").get("b", "f1").value
    assert (
        found.pairs
        == compare_datasets({k: evaluate(p, "f1") for k, p in tables.items()}, "f1").pairs
    )
    assert (found.best, found.friedman) == ("a", None)


def test_few_data_sets_are_refused_and_many_pairs_warned_of():
    with pytest.raises(
        UnsupportedError, match=r"5 data sets cannot show a difference.* 0\.0625; give 6"
    ):
        compare_datasets(spread(datasets=5), "accuracy")
    found = compare_datasets(spread(datasets=6), "accuracy")
    assert found.notes == (
        "With 6 data sets and 6 pairs no difference can be significant after Holm's correction; "
        "8 data sets could "
        "show one.",
    )
    assert compare_datasets(spread(datasets=8), "accuracy").notes == ()


def test_scores_that_are_missing_or_undefined_are_named():
    table = spread()
    del table["set 4"]["m1"]
    with pytest.raises(SchemaError, match="model 'm1' on data set 'set 4' is missing"):
        compare_datasets(table, "accuracy")
    table["set 4"]["m1"] = math.nan
    with pytest.raises(SchemaError, match="model 'm1' on data set 'set 4' is nan"):
        compare_datasets(table, "accuracy")
    with pytest.raises(UnsupportedError, match="two models or more; the scores are of m0"):
        compare_datasets(spread(models=1), "accuracy")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], "expected a mapping of data set to the scores of its models .* got list"),
        ({"wine": 3}, "data set 'wine': expected the score of each model, .* got 3"),
    ],
)
def test_scores_of_another_kind_are_refused(given, message):
    with pytest.raises(UnsupportedError, match=message):
        compare_datasets(given, "f1")


def test_the_direction_must_be_known():
    with pytest.raises(UnsupportedError, match="say which metric the scores are"):
        compare_datasets(spread())
    with pytest.raises(NameLookupError):
        compare_datasets(spread(), "meteor")
    assert compare_datasets(spread(), "meteor", better="higher").metric == "meteor"
    with pytest.raises(UnsupportedError, match="of accuracy, higher is better; got better='lower'"):
        compare_datasets(spread(), "accuracy", better="lower")
    with pytest.raises(UnsupportedError, match="'higher' or 'lower'; got 'up'"):
        compare_datasets(spread(), better="up")  # type: ignore[arg-type]


def test_the_json_is_versioned_and_the_rows_tidy():
    found = compare_datasets(spread(), "accuracy")
    told = json.loads(found.to_json())
    assert told["schema"] == "assay.datasets/1"
    assert set(told) == {
        "schema",
        "metric",
        "better",
        "best",
        "tied",
        "ranks",
        "friedman",
        "critical_difference",
        "pairs",
        "scores",
        "rope",
        "confidence",
        "notes",
    }
    assert found.to_arrow().num_rows == 6


def joined(found: DatasetComparison) -> list[list[str]]:
    """The bars of the diagram."""
    return find_cliques(sorted(found.ranks, key=lambda m: found.ranks[m]), found)


def test_bars_join_only_models_that_are_not_told_apart():
    found = compare_datasets(spread(models=6, datasets=14, step=0.012), "accuracy")
    verdicts = {frozenset((d.a, d.b)): d.verdict for d in found.pairs}
    runs = joined(found)
    assert runs
    for run in runs:
        assert all(
            verdicts[frozenset((a, b))] == "not distinguishable" for a in run for b in run if a != b
        )
    assert not any(set(a) < set(b) for a in runs for b in runs)


@pytest.mark.parametrize("step", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("models", [2, 3, 9])
def test_the_diagram_draws_every_model_once(models: int, step: float):
    found = compare_datasets(spread(models, 12, step), "accuracy")
    chart = ranks(found)
    chart.to_dict()
    svg = draw(chart, "c").svg
    for model, rank in found.ranks.items():
        assert svg.count(f">{model} ({rank:.2f})<") == 1
    assert ("joined: not distinguishable" in draw(chart, "c").subtitle) == bool(joined(found))
