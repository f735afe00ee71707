"""Training rows change no answer: every verb gives the values of the table without them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.audit.requirements import Requirement
from assay.evaluation.evaluate import build_evaluation
from assay.evaluation.merge import merge_states
from assay.io.source import open_table
from assay.io.stream import scan
from assay.table.predictions import Predictions

VALUES = ["train", "test", "dev"]


def make_table(seed, n=240, *, fold=False, weight=False, first=0):
    """Predictions on three splits; one model knows the training rows by heart."""
    rng = np.random.default_rng(seed)
    split = rng.permutation(np.resize(VALUES, n))
    y = rng.integers(0, 2, n)
    trained = split == "train"
    over = np.where(trained, y * 0.98 + 0.01, rng.uniform(0.02, 0.98, n))
    good = np.clip(0.5 + (y - 0.5) * 0.4 + rng.normal(0, 0.2, n), 0.02, 0.98)
    options = {"fold": np.arange(n) % 5} if fold else {}
    if weight:
        options["weight"] = rng.integers(1, 4, n)
    return Predictions.from_arrays(
        y,
        {"over.proba": over, "good.proba": good},
        split=split,
        id=np.arange(first, first + n),
        groups={"site": rng.integers(0, 2, n)},
        **options,
    )


def drop_training(p):
    """The table without its training rows, and without any sign of them."""
    return p.take(np.flatnonzero(p.group("split")[0] != p.group("split")[1].index("train")))


def same(a, b):
    """Whether two plain values are equal, undefined ones to each other."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-12, abs=1e-15)
    return a == b


def answer(result):
    """What a verb says, without notes and the advice that is about the training rows (A017)."""
    if isinstance(result, tuple):
        return [str(item) for item in result if item.code != "A017"]
    return drop_notes(result.to_dict())


def drop_notes(value):
    """A plain value without the notes in it, and without advice A017."""
    if isinstance(value, dict):
        kept = {key: drop_notes(item) for key, item in value.items() if key != "notes"}
        if "advice" in kept:
            kept["advice"] = [item for item in kept["advice"] if item["code"] != "A017"]
        return kept
    return value


VERBS = {
    "evaluate": lambda p: assay.evaluate(p, by="site"),
    "evaluate by split": lambda p: assay.evaluate(p, ["f1", "roc_auc"]),
    "compare": lambda p: assay.compare(p, "log_loss", equivalence=0.01, selected=True),
    "compare by folds": lambda p: assay.compare(p, "accuracy", unit="folds"),
    "weak_slices": lambda p: assay.weak_slices(p, by="site"),
    "fairness": lambda p: assay.fairness(p, "site", "accuracy"),
    "advise": lambda p: assay.advise(p, thorough=True),
    "selection_bias": lambda p: assay.selection_bias(p, "accuracy"),
    "bayesian_fold_test": lambda p: assay.bayesian_fold_test(p, "accuracy", 0.01),
    "one_standard_error": lambda p: assay.one_standard_error(
        p, "accuracy", costs={"over": 1.0, "good": 2.0}
    ),
    "tune_threshold": lambda p: assay.tune_threshold(p, "good"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("seed", range(3))
def test_a_verb_answers_as_without_training_rows_and_says_so_first(verb, seed):
    p = make_table(seed, fold=True, weight=seed == 1)
    told = VERBS[verb](p)
    assert same(answer(told), answer(VERBS[verb](drop_training(p))))
    if verb != "advise":
        assert "80" in repr(told).splitlines()[0]
        assert "'split' says 'train'" in repr(told).splitlines()[0]


def test_a_report_answers_as_without_training_rows_and_says_so_first():
    p = make_table(0)
    told = assay.report(p)
    assert same(
        answer(told)["evaluation"]["rows"],
        answer(assay.report(drop_training(p)))["evaluation"]["rows"],
    )
    assert "80 of 240 rows are left out" in told.summary().splitlines()[0]
    assert "80 of 240 rows are left out" in told.to_html().split("<h1>")[0]


def test_a_fusion_is_judged_as_without_training_rows_and_says_so_first():
    p = make_table(0, fold=True)
    told = assay.fuse(p, "weighted")
    assert told.loss == pytest.approx(assay.fuse(drop_training(p), "weighted").loss)
    assert "80 training rows" in repr(told).splitlines()[0]


def test_the_five_by_two_test_leaves_training_rows_out():
    rng = np.random.default_rng(0)
    halves = np.concatenate([rng.permutation(np.arange(40) % 2) + 2 * i for i in range(5)])
    y = np.tile(np.arange(40) % 4 > 1, 5)
    row = np.tile(np.arange(40), 5)
    models = {"a": y, "b": np.where(row < 10, ~y, y)}
    p = Predictions.from_arrays(y, models, fold=halves, groups={"row": row})
    extra = Predictions.from_arrays(
        np.append(y, ~y),
        {name: np.append(values, ~y) for name, values in models.items()},
        fold=np.append(halves, halves),
        split=["test"] * 200 + ["train"] * 200,
        groups={"row": np.append(row, row)},
    )
    told = assay.five_by_two_f_test(extra, "accuracy", "a", "b")
    assert told.p == assay.five_by_two_f_test(p, "accuracy", "a", "b").p
    assert "200 of 400" in repr(told).splitlines()[0]


def test_data_sets_are_compared_without_training_rows():
    tables = {f"d{i}": make_table(i) for i in range(6)}
    told = assay.compare_datasets(tables, "accuracy")
    without = assay.compare_datasets({n: drop_training(p) for n, p in tables.items()}, "accuracy")
    assert told.scores == without.scores
    assert "d0: 80 of 240 rows are left out" in repr(told).splitlines()[0]


def test_a_gate_is_not_passed_by_training_rows():
    p = make_table(1)
    gate = Requirement.parse("accuracy >= 0.6")
    kept = assay.evaluate(p.where('split != "none"'), "accuracy")
    assert not any("over" in line for line in gate.failures(kept))
    assert gate.failures(assay.evaluate(p, "accuracy")) == gate.failures(
        assay.evaluate(drop_training(p), "accuracy")
    )
    assert any("over" in line for line in gate.failures(assay.evaluate(p, "accuracy")))


def test_groups_by_split_show_every_split_and_the_values_are_of_judging_rows():
    p = make_table(2)
    told = assay.evaluate(p, "accuracy", by="split")
    assert {row.group for row in told.rows} == {None, *VALUES}
    assert told.get("over", "accuracy", group="train").value == 1.0
    assert told.get("over", "accuracy").value < 0.7
    assert told.n == 160


@given(
    seed=st.integers(0, 10**6),
    rows_per_group=st.sampled_from([7, 50, 400]),
    trained=st.sampled_from(["first", "last", "mixed"]),
    by=st.sampled_from([None, "site", "split"]),
)
def test_a_stream_answers_as_the_table_in_memory(
    tmp_path_factory, seed, rows_per_group, trained, by
):
    import pyarrow.parquet as parquet

    p = make_table(seed, n=90)
    if trained != "mixed":
        place = p.group("split")[1].index("train")
        order = np.argsort(p.group("split")[0] == place, kind="stable")
        p = p.take(order if trained == "last" else order[::-1])
    path = tmp_path_factory.mktemp("stream") / "p.parquet"
    assay.write(p, path)
    parquet.write_table(parquet.read_table(path), path, row_group_size=rows_per_group)
    metrics = ["accuracy", "log_loss", "roc_auc"]
    in_memory = assay.evaluate(p, metrics, by=by)
    streamed = assay.evaluate(scan(path), metrics, by=by)
    assert same(answer(streamed)["rows"], answer(in_memory)["rows"])
    assert streamed.n == in_memory.n == 60
    assert streamed.notes[0] == in_memory.notes[0]
    if by != "split":
        assert same(
            answer(streamed)["rows"],
            answer(assay.evaluate(drop_training(p), metrics, by=by))["rows"],
        )
    assert open_table(open_table(scan(path), judging=True), in_memory=True) == drop_training(p)


def test_slices_of_a_long_row_group_leave_training_rows_out(tmp_path, monkeypatch):
    from assay.io import row_groups

    monkeypatch.setattr(row_groups, "LONG", 50)
    monkeypatch.setattr(row_groups, "SLICE", 20)
    p = make_table(3)
    without_ids = Predictions.from_arrays(
        p.truth, {m: p.outputs[m]["proba"] for m in p.models}, split=p.columns["split"]
    )
    path = assay.write(without_ids, tmp_path / "p.parquet")
    streamed = assay.evaluate(scan(path), "accuracy", intervals="bootstrap")
    held_out = assay.evaluate(drop_training(without_ids), "accuracy", intervals="bootstrap")
    assert same(answer(streamed)["rows"], answer(held_out)["rows"])


def test_states_that_are_kept_and_merged_are_of_judging_rows(tmp_path):
    tables = [make_table(seed, n=90, first=100 * seed) for seed in (0, 1)]
    for i, p in enumerate(tables):
        path = assay.write(p, tmp_path / f"{i}.parquet")
        kept = assay.evaluate(scan(path), "accuracy", checkpoint=tmp_path / f"{i}.state")
        assert kept.n == 60
        again = assay.evaluate(scan(path), "accuracy", checkpoint=tmp_path / f"{i}.state")
        assert same(answer(kept), answer(again))
    merged = build_evaluation(*merge_states([tmp_path / "0.state", tmp_path / "1.state"]))
    assert merged.n == 120
    right = sum(
        assay.evaluate(drop_training(p), "accuracy", intervals=False).get("good", "accuracy").value
        for p in tables
    )
    assert merged.get("good", "accuracy").value == pytest.approx(right / 2)
    assert "30 of 90 rows are left out" in repr(merged).splitlines()[0]


def test_states_of_other_rows_are_not_gone_on_from(tmp_path):
    path = assay.write(make_table(0), tmp_path / "p.parquet")
    assay.evaluate(scan(path), "accuracy", checkpoint=tmp_path / "a.state")
    with pytest.raises(assay.ReadError, match="another table or other metrics"):
        assay.evaluate(
            scan(path), "accuracy", checkpoint=tmp_path / "a.state", where='split == "dev"'
        )


@pytest.mark.parametrize("where", ['split == "dev"', "site == 1", 'split in ("train", "dev")'])
def test_rows_that_are_chosen_are_those_of_the_table_so_chosen(where, tmp_path):
    p = make_table(4)
    path = assay.write(p, tmp_path / "p.parquet")
    chosen = p.where(where)
    expected = answer(assay.evaluate(chosen, ["accuracy", "log_loss"]))["rows"]
    for source in (p, path, scan(path)):
        told = assay.evaluate(source, ["accuracy", "log_loss"], where=where)
        assert same(answer(told)["rows"], expected)
        assert any(note.startswith(f"where {where}: ") for note in repr(told).splitlines()[:2])


def test_membership_reads_training_rows():
    assert assay.membership_inference(make_table(0)).rows[0].members == 80
