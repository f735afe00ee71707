"""Members of a pool that spoil a fusion, or flatter it, are told in notes."""

import json

import numpy as np
import pytest

import assay
from assay.errors import AssayError
from assay.fusions.alarms import find_alarms, merge_duplicates
from assay.fusions.fuse import fuse
from assay.table.predictions import Predictions
from assay.testing.tables import random_table

RNG = np.random.default_rng(4)


def classifiers(n=400, m=3, k=4, seed=0, **columns):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    models = {}
    for j in range(m):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += 1.2
        models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    names = ["cat", "dog", "emu", "fox"][:k]
    return Predictions.from_arrays(np.array(names)[y], models, classes=names, **columns)


def in_sample(table, name="learned"):
    proba = np.full((table.n, table.schema.k), 0.01)
    proba[np.arange(table.n), table.truth] = 1 - 0.01 * (table.schema.k - 1)
    return table.append(name, proba=proba)


def test_permuted_class_columns_are_told_with_the_permutation_and_following_it_mends_them():
    table = classifiers()
    good = table.outputs["m1"]["proba"]
    swapped = table.select(["m0", "m2"]).append("odd", proba=good[:, [1, 0, 2, 3]])
    (note,) = find_alarms(swapped)
    assert "The class columns of 'odd' are probably permuted" in note
    assert "'cat' read as 'dog', 'dog' read as 'cat'" in note
    assert note in fuse(swapped, "mean").notes
    mended = table.select(["m0", "m2"]).append("odd", proba=good)
    assert find_alarms(mended) == ()
    assert fuse(mended, "mean").loss < fuse(swapped, "mean").loss - 0.05


def test_classes_that_a_fold_holds_out_raise_no_alarm_of_permuted_columns():
    table = classifiers()
    fold = table.truth.astype(int)
    proba = np.roll(np.eye(4)[fold], 1, axis=1) * 0.96 + 0.01
    held_out = classifiers(fold=fold).append("blind", proba=proba)
    assert find_alarms(held_out) == ()


def test_predictions_of_training_rows_beside_honest_ones_are_told():
    table = in_sample(classifiers())
    (note,) = find_alarms(table)
    assert note.startswith("Next to no error on these rows, unlike all other models: 'learned'.")
    assert note in fuse(table, "weighted").note
    assert find_alarms(table.select(["m0", "m1", "m2"])) == ()


def test_values_of_training_rows_beside_honest_ones_are_told():
    y = RNG.normal(size=200)
    values = {"a": y + RNG.normal(size=200), "b": y + RNG.normal(size=200), "tree": y + 1e-9}
    table = Predictions.from_arrays(y, values, task="regression")
    assert "unlike all other models: 'tree'" in find_alarms(table)[0]
    assert find_alarms(table.select(["a", "b"])) == ()


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_models_drawn_at_random_raise_no_alarm(task):
    for seed in range(20):
        table = random_table(task, seed, n=150)
        assert find_alarms(table) == ()
        assert merge_duplicates(table)[1] == ()


def test_labels_independent_of_what_models_say_raise_no_alarm():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        models = {f"m{j}.proba": rng.dirichlet(np.ones(3), 60) for j in range(6)}
        table = Predictions.from_arrays(rng.integers(0, 3, 60), models, classes=range(3))
        assert find_alarms(table) == ()


@pytest.mark.slow
def test_copies_count_as_one_model_and_a_note_says_so():
    table = classifiers(m=2)
    proba = table.outputs["m0"]["proba"]
    copied = table.append("copy", proba=proba + 1e-9 * np.array([1, -1, 0, 0]))
    for how in ("mean", "weighted", "auto"):
        fused = fuse(copied, how)
        assert (
            "'copy' says the same as 'm0' on every row: the two count as one model." in fused.note
        )
        assert fused.loss == pytest.approx(fuse(table, how).loss, abs=1e-12)
        assert set(fused.losses) == {"m0", "m1", "copy"}
        assert fused.predict(table).models == ["m0", "m1", "fused"]  # the copy need not be there
        assert json.loads(fused.to_json())["rows"][2]["weight"] is None


def test_copies_keep_weights_that_are_given():
    table = classifiers(m=2)
    copied = table.append("copy", proba=table.outputs["m0"]["proba"])
    fused = fuse(copied, "mean", weights={"m0": 1, "m1": 1, "copy": 2})
    assert fused.weights == {"m0": 0.25, "m1": 0.25, "copy": 0.5}


def test_models_that_are_nearly_alike_are_not_copies():
    table = classifiers(m=2)
    near = table.outputs["m0"]["proba"] + 1e-6 * np.array([1, -1, 0, 0])
    assert merge_duplicates(table.append("near", proba=near))[1] == ()


def test_votes_that_agree_are_not_copies():
    y = np.array([0, 1] * 50)
    votes = Predictions.from_arrays(y, {"a": y, "b": y, "c": 1 - y})
    assert fuse(votes, "hard").weights == {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}


def test_models_that_are_all_the_same_are_fused_and_told():
    table = classifiers(m=2).select(["m0"])
    both = table.append("copy", proba=table.outputs["m0"]["proba"])
    fused = fuse(both, "weighted")
    assert "All models say the same on every row." in fused.notes
    assert fused.loss == pytest.approx(fused.single_loss)


def test_rows_fitted_on_are_told_to_be_optimistic_by_their_ids():
    ids = np.arange(400)
    table = classifiers(id=ids)
    fused = fuse(table.take(ids < 300), "weighted")
    some = fused.predict(table.take(ids >= 250))
    assert some.notes[0].startswith("50 of 150 rows are among those that 'fused' was fitted on")
    assert "optimistic" in repr(assay.evaluate(some, "log_loss"))
    assert fused.predict(table.take(ids >= 300)).notes == ()


def test_rows_fitted_on_are_told_without_ids_where_all_are_the_same():
    table = classifiers()
    fused = fuse(table, "weighted")
    assert "400 of 400 rows" in fused.predict(table).notes[0]
    assert fused.predict(table.take(np.arange(400) < 399)).notes == ()
    assert fuse(table, "mean").predict(table).notes == ()  # nothing was fitted


def test_the_values_that_the_warning_points_to_are_the_honest_ones():
    table = classifiers(n=60, m=8)
    fused = fuse(table, "greedy")
    optimistic = assay.evaluate(fused.predict(table).select(["fused"]), "log_loss").rows[0].value
    honest = assay.evaluate(fused.predictions.select(["fused"]), "log_loss").rows[0].value
    assert optimistic < honest == pytest.approx(fused.loss)


def test_an_alarm_stops_nothing():
    table = in_sample(classifiers())
    try:
        assert fuse(table, "auto").weights["learned"] > 0.5
    except AssayError as error:  # pragma: no cover - it would be a repair in silence
        pytest.fail(str(error))
