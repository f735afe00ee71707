"""Roles of columns: weights, ids, folds and clusters, chosen or told."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import assay
from assay.io.roles import rename_roles
from assay.io.stream import scan

N = 60
RNG = np.random.default_rng(5)
Y = RNG.integers(0, 2, N)
PREDICTED = np.where(RNG.random(N) < 0.75, Y, 1 - Y)
KILOS = np.where(Y == PREDICTED, 58.0, 96.0)
PLAIN = float(np.mean(Y == PREDICTED))
WEIGHTED = float(np.average(Y == PREDICTED, weights=KILOS))


def save(folder, suffix="csv", **columns):
    table = pa.table({"y": Y, "m.label": PREDICTED, **columns})
    path = folder / f"t.{suffix}"
    if suffix == "csv":
        import pyarrow.csv as csv

        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
    return path


def accuracy(table):
    return assay.evaluate(table, "accuracy", intervals=False).value


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_named_weight_weighs_rows_and_the_first_line_says_so(tmp_path, suffix):
    told = assay.evaluate(save(tmp_path, suffix, weight=KILOS), "accuracy", intervals=False)
    effective = KILOS.sum() ** 2 / (KILOS**2).sum()
    assert told.value == pytest.approx(WEIGHTED)
    assert f"(effective rows: {effective:.2f} of 60)" in repr(told).splitlines()[0]


def test_a_table_of_a_header_alone_has_no_effective_rows_to_tell(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("y,m.proba.1,weight,cluster\n", encoding="utf-8")
    p = assay.read(path, classes=[0, 1], positive=1)
    assert p.n == 0
    assert not any("effective rows" in note for note in p.notes)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_followed_the_advice_on_a_feature_named_weight_gives_plain_values(tmp_path, suffix):
    path = save(tmp_path, suffix, weight=KILOS)
    p = assay.read(path, weight=None)
    assert accuracy(p) == pytest.approx(PLAIN)
    assert p.weight is None
    assert p.columns["weight_column"].to_pylist() == KILOS.tolist()
    assert any("'weight' as the group 'weight_column'" in note for note in p.notes)


def test_weights_are_of_the_column_that_is_named(tmp_path):
    path = save(tmp_path, "csv", weight=np.ones(N), importance=KILOS)
    assert accuracy(assay.read(path, weight="importance")) == pytest.approx(WEIGHTED)
    assert "weight_column" in assay.read(path, weight="importance").columns


def test_verbs_take_the_roles_as_they_take_the_truth(tmp_path):
    path = save(tmp_path, "csv", weight=KILOS)
    told = assay.evaluate(path, "accuracy", intervals=False, weight=None)
    assert told.value == pytest.approx(PLAIN)


@pytest.mark.parametrize("role", ["weight", "id", "fold", "cluster"])
def test_a_column_that_is_not_there_is_told(tmp_path, role):
    with pytest.raises(assay.SchemaError, match=f"no column is named 'site' to be the {role}"):
        assay.read(save(tmp_path), **{role: "site"})


def test_one_column_plays_one_role():
    with pytest.raises(assay.SchemaError, match="named as id and as cluster; give it one role"):
        rename_roles(["y", "unit"], {"id": "unit", "cluster": "unit"})


def test_ids_that_repeat_in_one_file_are_a_group_and_a_note_says_what_to_do(tmp_path):
    path = save(tmp_path, "csv", id=[f"item{i % 20}" for i in range(N)])
    p = assay.read(path)
    assert "id" not in p.columns
    assert "names no single rows (20 values in 60 rows)" in p.notes[0]
    assert "--cluster id" in p.notes[0]
    clustered = assay.read(path, cluster="id")
    assert len(clustered.columns["cluster"].unique()) == 20
    assert accuracy(clustered) == accuracy(p) == pytest.approx(PLAIN)
    assert len(assay.read(path, fold="id").group("fold")[1]) == 20


def test_ids_that_repeat_where_files_are_joined_are_refused(tmp_path):
    ids = np.arange(N) % 50
    for name in ("a", "b"):
        table = pa.table({"y": Y, "label": PREDICTED, "id": ids})
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    with pytest.raises(assay.SchemaError, match="occurs"):
        assay.read(tmp_path / "a.parquet", tmp_path / "b.parquet")


def test_other_faults_of_a_table_with_repeated_ids_are_told(tmp_path):
    path = save(tmp_path, "csv", id=np.zeros(N, int), weight=np.full(N, -1.0))
    with pytest.raises(assay.SchemaError, match="weight"):
        assay.read(path)


def test_ids_are_those_of_the_column_that_is_named(tmp_path):
    path = save(tmp_path, "csv", id=["Fold1"] * N, row=np.arange(N))
    p = assay.read(path, id="row")
    assert p.columns["id"].to_pylist() == list(range(N))
    assert "id_column" in p.columns


def test_clusters_that_a_name_tells_are_told(tmp_path):
    path = save(tmp_path, "csv", fold=np.arange(N) % 3, cluster=np.arange(N) % 12)
    notes = "\n".join(assay.read(path).notes)
    assert "'cluster' tells 12 clusters, resampled whole" in notes
    plain = assay.read(path, fold=None, cluster=None)
    assert set(plain.columns) == {"fold_column", "cluster_column"}


def test_a_table_that_was_written_here_says_nothing_of_its_roles(tmp_path):
    p = assay.Predictions.from_arrays(Y, {"m": PREDICTED}, weight=KILOS, fold=np.arange(N) % 3)
    assert assay.read(assay.write(p, tmp_path / "p.parquet")).notes == ()


@pytest.mark.parametrize(
    "roles",
    [{"weight": None}, {"weight": "importance"}, {"cluster": "site"}, {"id": "row", "fold": None}],
)
def test_a_stream_plays_the_roles_of_the_table_in_memory(tmp_path, roles):
    path = save(
        tmp_path,
        "parquet",
        weight=KILOS,
        importance=np.arange(N) + 1.0,
        site=np.arange(N) % 9,
        row=np.arange(N),
        fold=np.arange(N) % 3,
    )
    p = assay.read(path, **roles)
    s = scan(path, **roles)
    told = assay.evaluate(s, ["accuracy", "f1"])
    assert [row.value for row in told.rows] == pytest.approx(
        [row.value for row in assay.evaluate(p, ["accuracy", "f1"]).rows]
    )
    assert [row.low for row in told.rows] == pytest.approx(
        [row.low for row in assay.evaluate(p, ["accuracy", "f1"]).rows]
    )
    assert s.head == p
    assert ("Weighted by" in repr(told).splitlines()[0]) == (p.weight is not None)


def test_a_flag_of_training_rows_beside_bare_columns_is_no_model(tmp_path):
    import pyarrow.csv as csv

    path = tmp_path / "t.csv"
    csv.write_csv(pa.table({"y": Y, "svm": PREDICTED, "is_train": (np.arange(N) < 40) * 1}), path)
    p = assay.read(path)
    assert p.models == ["svm"]
    assert assay.evaluate(p, "accuracy").n == 20
