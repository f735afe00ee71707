"""Laws every fusion must keep, on random tables of every task; theory of pools as properties."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.fusions.base import FUSIONS, load_fitted
from assay.fusions.convex import Pool
from assay.fusions.fitted import Fitted
from assay.fusions.fuse import fuse
from assay.fusions.mean import Mean
from assay.fusions.simplex import minimise_log_loss, minimise_square, share_prior
from assay.fusions.weighted import Weighted
from assay.kernels import Array
from assay.table.predictions import Predictions

STACKING = "stacking(min_rows=2)"  # the tables here are shorter than it wants
CONVEX = ["greedy", "greedy(steps=4)", "mean", "weighted", "weighted(shrink=0)"]
NEIGHBOURS = "neighbours(features=x)"
# `check_fusion` holds these to fewer tables.
SLOW = {"auto", "gated", "greedy", "log_pool", NEIGHBOURS, STACKING}


def mark_slow(hows: set[str]) -> list[Any]:
    """The fusions, those that take long for the run of all tests."""
    return [pytest.param(h, marks=pytest.mark.slow) if h in SLOW else h for h in sorted(hows)]


EVERY = {*FUSIONS.names(), *CONVEX, STACKING, NEIGHBOURS} - {"stacking", "neighbours"}
TASKS = ("binary", "multiclass", "multilabel", "regression")


def random_pool(
    seed: int, task: str, n: int = 0, m: int = 0, weighted: bool = False
) -> Predictions:
    """A table of 2 to 5 models, 24 to 60 rows, that is a function of its arguments alone."""
    rng = np.random.default_rng(seed)
    n, m = n or int(rng.integers(24, 60)), m or int(rng.integers(2, 6))
    names = [f"m{j}" for j in range(m)]
    skill = rng.uniform(0, 2, m)
    weight = rng.integers(1, 4, n).astype(float) if weighted else None
    further: Any = {"weight": weight, "groups": {"x": np.random.default_rng(seed).normal(size=n)}}
    if task == "regression":
        y = rng.normal(size=n) * 3
        models: dict[str, Any] = {
            f: y + rng.normal(size=n) / (0.3 + s) for f, s in zip(names, skill, strict=True)
        }
        return Predictions.from_arrays(y, models, task="regression", **further)
    if task == "multilabel":
        y = rng.integers(0, 2, (n, 3))
        models = {
            f"{f}.proba": rng.beta(1 + s * y, 1 + s * (1 - y))
            for f, s in zip(names, skill, strict=True)
        }
        return Predictions.from_arrays(y, models, task="multilabel", **further)
    k = 2 if task == "binary" else 4
    y = rng.integers(0, k, n)
    models = {}
    for f, s in zip(names, skill, strict=True):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += s
        models[f"{f}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    labels = list("abcd"[:k])
    return Predictions.from_arrays(
        [labels[c] for c in y], models, classes=labels, task=task, **further
    )


# Some fusions are for one task of the four: most tables that are drawn are passed over.
filtering = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
# To fuse a table takes its time: half as many tables as elsewhere.
fewer = settings(filtering, max_examples=settings().max_examples // 2)

pools = st.builds(
    random_pool, st.integers(0, 2**32 - 1), st.sampled_from(TASKS), weighted=st.booleans()
)


def is_taken(how: str, p: Predictions) -> bool:
    """Whether a fusion is for such tables."""
    try:
        FUSIONS.parse(how).evidence(p)
    except UnsupportedError:
        return False
    return True


def column(fitted: Fitted, p: Predictions) -> Array:
    return fitted.apply(p)[fitted.kind]


def scale_of(p: Predictions) -> float:
    return float(np.abs(p.truth).max()) if p.task == "regression" else 1.0


def loss_of(p: Predictions, weights: Any) -> float:
    pool = Pool.read(p)
    return float(np.average(pool.losses(list(weights)), weights=pool.weight))


@pytest.mark.parametrize("how", mark_slow(EVERY))
@filtering
@given(p=pools)
def test_importance_is_a_share_of_every_model(how, p):
    assume(is_taken(how, p))
    fitted = FUSIONS.parse(how).fit(p)
    importance = fitted.importance()
    if importance is not None:
        shares = np.array(list(importance.values()))
        assert list(importance) == p.models
        assert (shares >= 0).all()
        assert shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("how", mark_slow(EVERY))
@filtering
@given(p=pools)
def test_the_gap_certifies_that_the_least_loss_is_reached(how, p):
    assume(is_taken(how, p))
    assert FUSIONS.parse(how).fit(p).gap <= 1e-4


@pytest.mark.parametrize("how", mark_slow(EVERY))
@filtering
@given(p=pools)
def test_a_saved_fusion_is_the_same_fusion(how, p, tmp_path_factory):
    assume(is_taken(how, p))
    fitted = FUSIONS.parse(how).fit(p)
    path = tmp_path_factory.mktemp("fitted") / "fusion"
    fitted.save(path)
    again = load_fitted(path)
    assert again == fitted
    assert np.array_equal(column(again, p), column(fitted, p))


@pytest.mark.parametrize("how", mark_slow(EVERY))
@fewer
@given(p=pools)
def test_the_loss_of_a_fusion_is_what_evaluate_prints_for_its_column(how, p):
    assume(is_taken(how, p))
    fused = fuse(p, how)
    of_scores = fused.fitted.kind == "score"
    metric = "mse" if p.task == "regression" else "roc_auc" if of_scores else "log_loss"
    rows = evaluate(fused.predictions, metric, intervals=False).rows
    printed = {row.model: 1 - row.value if of_scores else row.value for row in rows}
    assert {**fused.losses, "fused": fused.loss} == pytest.approx(printed, rel=1e-12)


@pytest.mark.parametrize("how", mark_slow(EVERY))
@fewer
@given(p=pools)
def test_the_fused_table_admits_the_column_and_keeps_the_rest(how, p):
    assume(is_taken(how, p))
    fused = fuse(p, how).predictions
    assert fused.models == [*p.models, "fused"]
    assert all(fused.outputs[m] is p.outputs[m] for m in p.models)


@pytest.mark.parametrize("how", mark_slow(EVERY))
@filtering
@given(p=pools, data=st.data())
def test_the_order_of_models_changes_nothing(how, p, data):
    assume(is_taken(how, p))
    order = data.draw(st.permutations(p.models))
    a, b = FUSIONS.parse(how).fit(p), FUSIONS.parse(how).fit(p.select(order))
    assert column(a, p) == pytest.approx(column(b, p), abs=1e-5 * scale_of(p))


@pytest.mark.parametrize("how", mark_slow(EVERY - {"auto"}))
@filtering
@given(p=pools, seed=st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(how, p, seed):
    assume(is_taken(how, p))
    order = np.random.default_rng(seed).permutation(p.n)
    a, b = FUSIONS.parse(how).fit(p), FUSIONS.parse(how).fit(p.take(order))
    assert a.importance() == pytest.approx(b.importance(), abs=1e-5)


@pytest.mark.parametrize("how", mark_slow(EVERY - {"auto", "rank_mean"}))
@filtering
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_the_order_of_classes_permutes_the_fused_columns(how, seed, data):
    p = random_pool(seed, "multiclass")
    assume(is_taken(how, p))
    order = np.array(data.draw(st.permutations(range(4))))
    models = {f"{m}.proba": p.outputs[m]["proba"][:, order] for m in p.models}
    classes = [p.classes[c] for c in order]
    q = Predictions.from_arrays([p.classes[c] for c in p.truth], models, classes=classes)
    q = replace(q, columns=p.columns)
    a, b = column(FUSIONS.parse(how).fit(p), p), column(FUSIONS.parse(how).fit(q), q)
    assert a[:, order] == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("how", mark_slow(EVERY))
@filtering
@given(p=pools, size=st.integers(1, 20))
def test_applying_in_batches_is_applying_to_the_whole(how, p, size):
    assume(is_taken(how, p))
    fitted = FUSIONS.parse(how).fit(p)
    parts = [column(fitted, batch) for batch in p.batches(size)]
    assert np.array_equal(np.concatenate(parts), column(fitted, p))


@pytest.mark.parametrize("how", mark_slow(EVERY))
@fewer
@given(p=pools)
def test_the_same_table_and_seed_give_the_same_result(how, p):
    assume(is_taken(how, p))
    a, b = fuse(p, how, seed=7), fuse(p.slice(0, p.n), how, seed=7)
    assert a.fitted == b.fitted
    kind = a.fitted.kind
    assert np.array_equal(
        a.predictions.outputs["fused"][kind], b.predictions.outputs["fused"][kind]
    )


@pytest.mark.parametrize("how", mark_slow({*CONVEX}))
@given(p=pools)
def test_models_that_agree_fuse_to_themselves(how, p):
    same = replace(p, outputs=dict.fromkeys(p.models, p.outputs["m0"]))
    kind = "value" if p.task == "regression" else "proba"
    assert fuse(same, how).predictions.outputs["fused"][kind] == pytest.approx(
        p.outputs["m0"][kind], abs=1e-9
    )


@given(p=pools, seed=st.integers(0, 1000))
def test_the_loss_of_a_pool_is_at_most_the_weighted_mean_of_its_members(p, seed):
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(p.models)))
    each = [loss_of(p, one) for one in np.eye(len(p.models))]
    assert loss_of(p, weights) <= weights @ each + 1e-12


@given(p=pools.filter(lambda p: p.task == "regression"), seed=st.integers(0, 1000))
def test_squared_error_of_a_mixture_is_the_mean_less_the_ambiguity(p, seed):
    """Krogh & Vedelsby (1995)."""
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(p.models)))
    values = np.stack([p.outputs[m]["value"] for m in p.models], axis=1)
    fused = values @ weights
    ambiguity = ((values - fused[:, None]) ** 2) @ weights
    each = np.array([loss_of(p, one) for one in np.eye(len(p.models))])
    assert loss_of(p, weights) == pytest.approx(
        weights @ each - np.average(ambiguity, weights=p.weight)
    )


@given(p=pools)
def test_fitted_weights_are_never_worse_in_sample_than_any_model_or_the_mean(p):
    least = loss_of(p, Weighted(shrink=0).fit(p).weights.values())
    m = len(p.models)
    scale = max(1.0, loss_of(p, np.full(m, 1 / m)))
    assert all(least <= loss_of(p, w) + 1e-7 * scale for w in [*np.eye(m), np.full(m, 1 / m)])


@given(p=pools)
def test_a_duplicated_model_changes_nothing_in_what_is_fused(p):
    twice = replace(
        p,
        schema=replace(p.schema, models={**p.schema.models, "copy": p.schema.models["m0"]}),
        outputs={**p.outputs, "copy": p.outputs["m0"]},
    )
    fit = Weighted(shrink=0).fit
    a, b = fit(p), fit(twice)
    assert column(a, p) == pytest.approx(column(b, twice), abs=1e-4)
    assert loss_of(p, a.weights.values()) == pytest.approx(
        loss_of(twice, b.weights.values()), abs=1e-7
    )


@given(p=pools)
def test_a_weight_of_1_reproduces_the_model(p):
    kind = "value" if p.task == "regression" else "proba"
    weights = {**dict.fromkeys(p.models, 0.0), "m1": 1.0}
    fitted = replace(Mean().fit(p), weights=weights)
    assert np.array_equal(column(fitted, p), p.outputs["m1"][kind])


@given(seed=st.integers(0, 2**32 - 1), task=st.sampled_from(TASKS))
def test_integer_weights_are_repeated_rows(seed, task):
    p = random_pool(seed, task, weighted=True)
    assert p.weight is not None
    repeated = replace(p.take(np.repeat(np.arange(p.n), p.weight.astype(int))), weight=None)
    a, b = Weighted(shrink=0).fit(p), Weighted(shrink=0).fit(repeated)
    assert a.weights == pytest.approx(b.weights, abs=1e-5)


@given(
    seed=st.integers(0, 2**32 - 1), task=st.sampled_from(TASKS), prior=st.sampled_from([0.0, 0.05])
)
def test_the_loss_found_is_that_of_a_general_solver(seed, task, prior):
    """SLSQP with many starts is slow and general; the certified solver must be at least as good."""
    from scipy.optimize import minimize

    p = random_pool(seed, task, m=4)
    pool = Pool.read(p)
    terms = pool.terms.reshape(-1, 4)
    share = np.full(len(terms), 1 / len(terms))
    is_regression = task == "regression"
    pull = np.zeros(4) if is_regression else share_prior(terms, share, prior)
    gram = terms.T @ (share[:, None] * terms)
    scaled = gram / np.trace(gram) * 4
    ridge = prior * np.diag(scaled) ** (1 / (1 + prior))

    def squared(w: Array) -> float:
        return float(w @ scaled @ w + ridge @ w**2)

    def logarithmic(w: Array) -> float:
        w = np.maximum(w, 1e-12)
        return float(-(share @ np.log(terms @ w)) - pull @ np.log(w))

    loss = squared if is_regression else logarithmic
    sums = {"type": "eq", "fun": lambda w: w.sum() - 1}
    other = minimize(
        loss,
        np.full(4, 0.25),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints=sums,
        options={"ftol": 1e-12},
    )
    assume(other.success)
    found = minimise_square(gram, prior) if is_regression else minimise_log_loss(terms, share, pull)
    reference = np.clip(other.x, 0, None) / np.clip(other.x, 0, None).sum()
    assert loss(found.weights) <= loss(reference) + 1e-9
    assert loss(reference) - loss(found.weights) < 1e-5
    assert found.gap <= 1e-6
