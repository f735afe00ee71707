"""Laws of every registered metric, for any table, split, order, weight and naming of classes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.metrics.base import METRICS
from assay.table.predictions import Predictions
from assay.table.schema import TASKS
from assay.testing import random_table, tables
from assay.testing.tables import make_log_proba, make_positive
from shelf import (
    LOG_PROBA,
    ORDERED,
    POSITIVE,
    assert_same,
    instances,
    list_fitting,
    read_values,
)

ALL = instances()
# How good they can be depends on the shares of the classes.
OF_THE_DATA = {"tp", "tn", "gain", "brier_resolution", "brier_uncertainty"}
# Every metric on a table takes its time: half as many tables as elsewhere.
fewer = settings(max_examples=settings().max_examples // 2)


@fewer
@given(tables(), st.integers(1, 50))
def test_any_split_into_batches_gives_the_same_figures(p, size):
    assert_same(read_values(p), read_values(p, engine=Local(batch=size)))


@given(tables(), st.integers(1, 50))
def test_any_split_into_batches_gives_counts_that_are_exactly_the_same(p, size):
    counts = [
        m
        for m in list_fitting(p)
        if m.name in ("tp", "fp", "fn", "tn", "confusion_matrix", "accuracy")
    ]
    p = replace(p, weight=None)
    if counts:
        assert read_values(p, counts) == read_values(p, counts, engine=Local(batch=size))


@fewer
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(p, random):
    assume(p.task != "detection")  # boxes of one score are taken in the order of the rows
    order = list(range(p.n))
    random.shuffle(order)
    assert_same(read_values(p), read_values(p.take(np.array(order))), rel=1e-10)


@fewer
@given(tables(), st.integers(0, 2**32 - 1))
def test_an_integer_weight_equals_repeating_the_row(p, seed):
    assume(p.task != "detection")  # boxes of one score are taken in the order of the rows
    times = np.random.default_rng(seed).integers(0, 4, p.n)
    times[0] += not times.any()
    repeated = replace(p, weight=None).take(np.repeat(np.arange(p.n), times))
    metrics = list_fitting(
        p
    )  # rows that are left out of `repeated` may be all that a metric has no figure for
    assert_same(
        read_values(replace(p, weight=times.astype(float)), metrics),
        read_values(repeated, metrics),
        rel=1e-10,
    )


@fewer
@given(tables())
def test_weights_that_are_all_one_equal_no_weights(p):
    assert_same(
        read_values(replace(p, weight=None)),
        read_values(replace(p, weight=np.ones(p.n))),
        rel=1e-10,
    )


@fewer
@given(tables(tasks=("binary", "multiclass")), st.randoms(use_true_random=False))
def test_renaming_the_classes_renames_the_results(p, random):
    """Classes in another order, under other names: every class keeps its figure."""
    names = [f"class {i}" for i in range(p.schema.k)]
    random.shuffle(names)
    rename = dict(zip(p.classes, names, strict=True))
    order = sorted(range(p.schema.k), key=lambda i: names[i])
    renamed = Predictions.from_arrays(
        [rename[p.classes[code]] for code in p.truth],
        {f"{m}.proba": p.rows(m).proba[:, order] for m in p.models},
        classes=[names[i] for i in order],
        positive=rename.get(p.schema.positive),
        weight=p.weight,
    )
    # Ties between classes are broken by their order, so labels are not derived anew.
    before = Predictions.from_arrays(
        [p.classes[code] for code in p.truth],
        {
            f"{m}.{kind}": p.rows(m).proba
            if kind == "proba"
            else [p.classes[c] for c in p.rows(m).label]
            for m in p.models
            for kind in ("proba", "label")
        },
        classes=p.classes,
        positive=p.schema.positive,
        weight=p.weight,
    )
    renamed = Predictions.from_arrays(
        [rename[p.classes[code]] for code in p.truth],
        {
            f"{m}.{kind}": renamed.rows(m).proba
            if kind == "proba"
            else [rename[p.classes[c]] for c in p.rows(m).label]
            for m in p.models
            for kind in ("proba", "label")
        },
        classes=renamed.classes,
        positive=rename.get(p.schema.positive),
        weight=p.weight,
    )

    def named(class_):
        return tuple(rename[c] for c in class_) if isinstance(class_, tuple) else rename.get(class_)

    # Some go by the order of the classes, which a renaming may change.
    free = [
        m
        for m in list_fitting(p)
        if getattr(m, "weights", "none") == "none" and m.name not in ORDERED
    ]
    found = read_values(before, free)
    expected = {
        (model, metric, named(class_)): value for (model, metric, class_), value in found.items()
    }
    assert_same(expected, read_values(renamed, free), rel=1e-10)


@given(tables(tasks=("binary",)))
def test_a_monotone_map_of_the_scores_leaves_rank_metrics_as_they_are(p):
    ranks = [m for m in list_fitting(p) if m.reads == "score" and m.name != "best_f_beta_threshold"]
    score = {m: p.rows(m).score for m in p.models}
    truth = [p.classes[code] for code in p.truth]
    raw = Predictions.from_arrays(
        truth, {f"{m}.score": s for m, s in score.items()}, classes=p.classes, weight=p.weight
    )
    mapped = Predictions.from_arrays(
        truth,
        {f"{m}.score": np.unique(s, return_inverse=True)[1] ** 3 - 100.0 for m, s in score.items()},
        classes=p.classes,
        weight=p.weight,
    )
    assert_same(read_values(raw, ranks), read_values(mapped, ranks))


@given(tables(tasks=("binary", "multiclass", "multilabel")))
def test_the_macro_average_is_the_mean_of_the_figures_shown_for_each_class(p):
    for metric in list_fitting(p):
        if getattr(metric, "average", None) != "macro":
            continue
        each = [
            r.value
            for r in evaluate(
                p.select(["a"]), replace(metric, average="none"), intervals=False
            ).rows
        ]
        defined = [v for v in each if not math.isnan(v)]
        mean = evaluate(p.select(["a"]), metric, intervals=False).value
        assert (math.isnan(mean) and not defined) or mean == pytest.approx(
            np.mean(defined), rel=1e-12
        )


@fewer
@given(tables(), st.booleans(), st.integers(0, 4))
def test_an_interval_holds_its_point_and_stays_in_the_range_of_the_metric(p, clustered, part):
    import pyarrow as pa

    if clustered:
        p = replace(p, columns={"cluster": pa.array(np.arange(p.n) // 3)})
    for row in evaluate(
        p, list_fitting(p)[part::5]
    ).rows:  # a fifth of them: replicates take their time
        low, high = METRICS.parse(row.metric).bounds
        if math.isnan(row.value):
            assert row.note
            assert math.isnan(row.low)
            continue
        assert low - 1e-12 <= row.value <= high + 1e-12, row
        if not math.isnan(row.low):
            assert row.method
            assert low <= row.low <= row.value <= row.high <= high, row


@pytest.mark.parametrize("task", TASKS)
def test_the_same_table_and_seed_give_the_same_intervals_in_any_split(task):
    p = random_table(task, 5, n=50)
    whole, split = (evaluate(p, engine=Local(batch=size)).rows for size in (1000, 7))
    for a, b in zip(whole, split, strict=True):
        assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("metric", ALL, ids=str)
def test_the_canonical_text_of_a_metric_reads_back_as_the_metric(metric):
    assert METRICS.parse(str(metric)) == metric


@pytest.mark.parametrize("metric", [m for m in ALL if m.granularity == "table"], ids=str)
def test_a_table_without_rows_is_undefined_never_zero(metric):
    for task in TASKS:
        if task in metric.tasks:
            p = random_table(task, 1, n=5)
            p = make_positive(p) if metric.name in POSITIVE else p
            p = make_log_proba(p) if metric.name in LOG_PROBA else p
            empty = p.take(np.zeros(5, bool)).select(["a"])
            try:
                row = evaluate(empty, metric).rows[0]
            except UnsupportedError:
                continue
            if metric.name in ("tp", "fp", "fn", "tn"):
                assert row.value == 0
            else:
                assert math.isnan(row.value)
                assert row.note == "no_samples"


@pytest.mark.parametrize("metric", ALL, ids=str)
def test_a_perfect_model_reaches_the_good_end_of_the_range(metric):
    if (
        isinstance(metric.bounds[1 if metric.better == "higher" else 0], float)
        and metric.granularity == "table"
    ):
        good = metric.bounds[1 if metric.better == "higher" else 0]
        if math.isinf(good) or metric.name in OF_THE_DATA or metric.better == "neither":
            return
        p = (
            Predictions.from_arrays(
                amounts := [0.5, 1.5, 3.0, 4.0, 5.5, 6.0], {"m": amounts}, task="regression"
            )
            if "regression" in metric.tasks
            else Predictions.from_arrays(["a", "b", "b"], {"m.proba": [[1, 0], [0, 1], [0, 1]]})
        )
        try:
            assert evaluate(p, metric, intervals=False).value == pytest.approx(good, abs=1e-15)
        except UnsupportedError:
            return
