"""What fusing does with bad input, line by line of its contract."""

import numpy as np
import pytest

import assay
from assay.cli import main
from assay.errors import AssayError, NameLookupError, SchemaError, UnsupportedError
from assay.fusions.fuse import fuse
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

Y = np.array(["no", "yes"] * 20)
GOOD = np.tile([0.2, 0.8], 20) + np.linspace(-0.1, 0.1, 40)
FAIR = np.tile([0.4, 0.6], 20) + np.linspace(0.3, -0.3, 40)
TWO = Predictions.from_arrays(Y, {"a.proba": GOOD, "b.proba": FAIR})


def classifiers(n=300, m=3, k=3, seed=0, **columns):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    models = {}
    for j in range(m):
        z = rng.normal(size=(n, k))
        z[np.arange(n), y] += 1.8 - 0.4 * j
        models[f"m{j}.proba"] = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return Predictions.from_arrays(y, models, classes=range(k), **columns)


def write_rows(path, model, rows, order=("no", "yes")):
    """A file of one model: the ids, the truth, and a column for each class in that order."""
    proba = {"no": 1 - GOOD, "yes": GOOD} if model == "a" else {"no": 1 - FAIR, "yes": FAIR}
    lines = [",".join(["id", "y", *(f"{model}.proba.{name}" for name in order)])]
    lines += [
        ",".join([str(i), Y[i], *(repr(float(proba[name][i])) for name in order)]) for i in rows
    ]
    path.write_text("\n".join(lines))
    return str(path)


# Ids.


def test_rows_that_one_model_lacks_are_left_out_with_their_number(tmp_path):
    # The contract asks for an error unless told otherwise; joining by id says what it left out.
    files = [write_rows(tmp_path / "a.csv", "a", range(40))]
    files.append(write_rows(tmp_path / "b.csv", "b", range(8, 40)))
    fused = fuse(files, "mean")
    assert fused.predictions.n == 32
    assert "32 are in every file and were kept (rows given: a: 40; b: 32)" in fused.note
    assert fused.loss == pytest.approx(fuse(TWO.take(np.arange(40) >= 8), "mean").loss)


def test_files_in_another_order_of_rows_and_of_classes_are_fused_by_id_and_name(tmp_path):
    files = [write_rows(tmp_path / "a.csv", "a", range(40))]
    files.append(write_rows(tmp_path / "b.csv", "b", range(39, -1, -1), order=("yes", "no")))
    assert fuse(files, "mean").loss == pytest.approx(fuse(TWO, "mean").loss, abs=1e-12)


def test_files_without_a_common_row_are_refused(tmp_path):
    files = [write_rows(tmp_path / "a.csv", "a", range(20))]
    files.append(write_rows(tmp_path / "b.csv", "b", range(20, 40)))
    with pytest.raises(AssayError, match="id"):
        fuse(files, "mean")


def test_two_predictions_of_one_model_for_one_row_are_refused(tmp_path):
    path = tmp_path / "long.csv"
    rows = [f"{i},{m},{Y[i]},0.4,0.6" for m in "ab" for i in range(20)]
    path.write_text("\n".join(["id,model,y,proba.no,proba.yes", *rows, "3,a,yes,0.4,0.6"]))
    with pytest.raises(SchemaError, match="model 'a': id 3 occurs 2 times"):
        fuse(path, "mean")


# Classes.


def test_classes_of_other_names_are_refused(tmp_path):
    path = tmp_path / "p.csv"
    head = "y,a.proba.no,a.proba.yes,b.proba.0,b.proba.1\n"
    path.write_text(head + "no,0.9,0.1,0.9,0.1\nyes,0.2,0.8,0.3,0.7\n" * 10)
    with pytest.raises(SchemaError, match="has no column for class"):
        fuse(path, "mean")


def test_another_number_of_classes_is_refused():
    with pytest.raises(SchemaError, match="'b' gives 3 columns but 2 classes were seen"):
        Predictions.from_arrays(Y, {"a.proba": GOOD, "b.proba": np.full((40, 3), 1 / 3)})


# Numbers.


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (np.nan, "proba of model 'b' is nan at row 7"),
        (np.inf, "proba of model 'b' is inf at row 7"),
        (-0.1, r"proba of model 'b' is -0.1 at row 7; probabilities lie in \[0, 1\]"),
        (1.5, r"proba of model 'b' is 1.5 at row 7.*<model>.logit"),
    ],
)
def test_a_number_that_is_no_probability_is_refused_with_its_model_and_row(wrong, told):
    proba = FAIR.copy()
    proba[7] = wrong
    with pytest.raises(SchemaError, match=told):
        fuse(Y, {"a.proba": GOOD, "b.proba": proba}, how="mean")


def test_probabilities_that_do_not_sum_to_1_are_never_divided_in_silence():
    proba = np.stack([1 - FAIR, FAIR], axis=1)
    proba[3] *= 1.1
    with pytest.raises(SchemaError, match=r"sums to 1.1 at row 3.*normalise=True"):
        fuse(Y, {"a.proba": GOOD, "b.proba": proba}, how="mean")


# Kinds.


@pytest.mark.parametrize("how", ["weighted", "greedy", "stacking", "geometric", "tempered"])
def test_labels_alone_are_voted_on_and_no_mean_of_them_is_fitted(how):
    votes = Predictions.from_arrays(Y, {"a": Y, "b": Y[::-1], "c": Y})
    with pytest.raises(UnsupportedError, match=r"needs probabilities.*how='mean'"):
        fuse(votes, how)
    assert fuse(votes, "mean").loss == fuse(votes, "auto").loss == 0


def test_scores_beside_probabilities_are_fused_by_rank_alone():
    mixed = Predictions.from_arrays(Y, {"a.proba": GOOD, "b.score": 10 * FAIR})
    with pytest.raises(UnsupportedError, match=r"'b' gives only score.*how='rank_mean'"):
        fuse(mixed, "mean")
    both = Predictions.from_arrays(Y, {"a.score": GOOD, "b.score": FAIR})
    assert fuse(mixed, how="rank_mean").loss == pytest.approx(fuse(both, "rank_mean").loss)


def test_labels_beside_probabilities_are_fused_by_votes_alone():
    mixed = Predictions.from_arrays(Y, {"a.proba": GOOD, "b": Y})
    with pytest.raises(UnsupportedError, match=r"'b' gives only label.*how='hard'"):
        fuse(mixed, "mean")
    assert fuse(mixed, how="hard").loss == 0


# Models.


def test_one_model_is_refused_as_there_is_nothing_to_fuse():
    # The contract asks for the model itself; the models of a table are known, so that is a slip.
    with pytest.raises(UnsupportedError, match="at least 2 models; the table has 1: a"):
        fuse(TWO.select(["a"]), "mean")


@pytest.mark.parametrize(
    "wrong",
    [{"a": 1}, {"a": 1, "b": -1}, {"a": 0, "b": 0}, {"a": 1, "b": float("nan")}, {"a": 1, "b": "x"},
     {"a": 1, "b": float("inf")}, {"a": 1, "b": 1, "c": 1}, [1, 2]],
    ids=str,
)  # fmt: skip
def test_weights_that_are_not_one_number_for_each_model_are_refused(wrong):
    with pytest.raises(UnsupportedError, match=r"[Ww]eight"):
        fuse(TWO, "mean", weights=wrong)


# Rows.


def test_rows_seen_in_training_are_left_out_and_told():
    split = np.where(np.arange(300) < 100, "train", "test")
    table = classifiers(split=split)
    fused = fuse(table, "weighted")
    assert "100 training rows" in fused.headlines[0]
    assert fused.loss == pytest.approx(fuse(table.take(split == "test"), "weighted").loss, abs=0.02)


def test_a_table_of_training_rows_alone_is_told_to_be_optimistic():
    # The contract asks for an error; the first line says it, and the JSON holds it.
    fused = fuse(classifiers(split=["train"] * 300), "mean")
    assert "the score is optimistic" in repr(fused).splitlines()[0]


def test_a_class_of_no_row_leaves_weights_that_give_it_some_probability():
    # The contract asks for equal weights; weights are fitted to the classes that rows are of.
    table = classifiers()
    seen = table.take(table.truth != 2)
    for how in ("weighted", "auto"):
        fused = fuse(seen, how)
        column = fused.fitted.apply(table)["proba"]
        assert column[:, 2].min() > 0
        assert fused.loss < fuse(seen, "mean").loss


def test_folds_keep_groups_whole_and_follow_the_fold_column_of_time():
    cluster = np.repeat(np.arange(60), 5)
    grouped = classifiers(cluster=cluster)
    fold, _ = assign_folds(grouped)
    assert all(len(set(fold[cluster == c])) == 1 for c in range(60))
    assert "of whole clusters" in fuse(grouped, "weighted").note
    blocks = np.repeat(np.arange(6), 50)
    assert "6 folds of the fold column" in fuse(classifiers(fold=blocks), "weighted").note


# What is asked for.


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"how": "greedy", "metric": "acuracy"}, "no metric is named 'acuracy'"),
        ({"how": "mean", "metric": "acuracy"}, "no metric is named 'acuracy'"),
        ({"how": "alchemy"}, "no fusion is named 'alchemy'"),
    ],
)
def test_names_that_are_not_known_are_refused_before_a_row_is_read(options, told):
    with pytest.raises(NameLookupError, match=told):
        fuse("/nowhere/at/all.parquet", **options)


def test_a_metric_of_probabilities_is_refused_for_labels():
    votes = Predictions.from_arrays(Y, {"a": Y, "b": Y})
    with pytest.raises(UnsupportedError, match="greedy needs probabilities"):
        fuse(votes, "greedy", metric="log_loss")


# The same table gives the same weights.


@pytest.mark.parametrize(
    "how",
    ["weighted", "greedy", pytest.param("auto", marks=pytest.mark.slow), "performance", "stacking"],
)
def test_the_order_of_rows_and_of_models_changes_nothing(how):
    table = classifiers(id=np.arange(300))
    order = np.random.default_rng(5).permutation(300)
    shuffled = Predictions.from_arrays(
        table.truth[order],
        {f"{m}.proba": table.outputs[m]["proba"][order] for m in reversed(table.models)},
        classes=range(3),
        id=order,
    )
    one, other = fuse(table, how), fuse(shuffled, how)
    assert one.loss == pytest.approx(other.loss, abs=1e-6)
    for name, weight in one.weights.items():
        assert other.weights[name] == pytest.approx(weight, abs=1e-4)
    back = np.empty(300, int)
    back[order] = np.arange(300)
    fused = other.predictions.outputs["fused"]["proba"][back]
    assert np.abs(fused - one.predictions.outputs["fused"]["proba"]).max() < 1e-4


@pytest.mark.parametrize("how", ["weighted", "auto"])
def test_the_parts_of_a_file_change_nothing(tmp_path, how):
    import pyarrow.parquet as pq

    table = classifiers()
    assay.write(table, tmp_path / "whole.parquet")
    whole = pq.read_table(tmp_path / "whole.parquet")
    pq.write_table(whole, tmp_path / "parts.parquet", row_group_size=7)
    one, other = (fuse(tmp_path / f"{name}.parquet", how) for name in ("whole", "parts"))
    assert one.weights == other.weights
    assert one.loss == other.loss


def test_the_command_refuses_in_one_line_and_writes_nothing(tmp_path, capsys):
    path, out = tmp_path / "p.csv", tmp_path / "f.csv"
    path.write_text("y,a.proba,b.proba\n" + "no,0.2,nan\nyes,0.8,0.7\n" * 10)
    with pytest.raises(SystemExit) as stopped:
        main(["fuse", str(path), "-o", str(out)])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
