"""A saved fusion on rows that came later, with and without a truth."""

import numpy as np
import pyarrow.parquet as pq
import pytest

import assay
from assay.errors import ReadError, SchemaError

RNG = np.random.default_rng(0)
TASKS = {
    "binary": (RNG.integers(0, 2, 60), lambda y, noise: np.clip(0.2 + 0.6 * y + noise, 0, 1)),
    "multiclass": (
        np.array(["cat", "dog", "owl"] * 20),
        lambda y, noise: np.eye(3)[np.unique(y, return_inverse=True)[1]] * 0.5 + 1 / 6,
    ),
    "regression": (RNG.normal(size=60), lambda y, noise: y + noise),
    "multilabel": (
        RNG.integers(0, 2, (60, 3)),
        lambda y, noise: np.clip(0.2 + 0.6 * y + noise[:, None], 0, 1),
    ),
}


@pytest.fixture(params=list(TASKS))
def fitted_on(request, tmp_path):
    """A table of the task, a fusion fitted on it and saved, and the rows without their truth."""
    task = request.param
    y, predict = TASKS[task]
    kind = "value" if task == "regression" else "proba"
    noise = RNG.normal(0, 0.1, (2, 60))
    models = {f"{m}.{kind}": predict(y, e) for m, e in zip("ab", noise, strict=True)}
    table = assay.Predictions.from_arrays(y, models, task=task)
    fused = assay.fuse(table, "weighted")
    fused.save(tmp_path / "pool.json")
    assay.write(table, tmp_path / "all.parquet")
    rows = pq.read_table(tmp_path / "all.parquet")
    truth = [name for name in rows.column_names if name == "y" or name.startswith("y.")]
    pq.write_table(rows.drop_columns(truth), tmp_path / "new.parquet")
    return fused, table, tmp_path, kind


def test_rows_without_a_truth_get_the_column_that_rows_with_it_get(fitted_on):
    fused, table, folder, kind = fitted_on
    columns = assay.apply_fusion(folder / "pool.json", folder / "new.parquet")
    want = fused.predict(table).outputs["fused"][kind]
    got = np.array(columns.column(f"fused.{kind}").to_pylist())
    assert np.array_equal(got, want)
    assert not [name for name in columns.column_names if name.split(".")[0] == "y"]


def test_rows_with_a_truth_keep_it(fitted_on):
    fused, table, folder, _ = fitted_on
    out = folder / "fused.parquet"
    assay.apply_fusion(folder / "pool.json", folder / "all.parquet", out, name="pool")
    read = assay.read(out)
    assert read == fused.predict(table).select(table.models).append(
        "pool", **fused.fitted.apply(table)
    )


def test_a_csv_without_a_truth_is_fused_into_a_csv_without_one(tmp_path):
    table = assay.Predictions.from_arrays(
        [0, 1, 1, 0], {"a.score": [1, 2, 3, 0], "b.score": [3, 2, 5, 1]}
    )
    fitted = assay.fuse(table, "rank_mean").fitted
    source = tmp_path / "new.csv"
    source.write_text("id,a.score,b.score\nr1,1,3\nr2,2,2\n")
    assay.apply_fusion(fitted, source, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == '"id","a.score","b.score","fused.score"'
    assert len(lines) == 3


def test_a_model_that_the_fusion_needs_and_the_rows_lack_is_named(fitted_on):
    fused, _, folder, _ = fitted_on
    rows = pq.read_table(folder / "new.parquet")
    of_a = rows.select([name for name in rows.column_names if name.startswith("a.")])
    with pytest.raises(SchemaError, match="needs model 'b', which the table lacks"):
        assay.apply_fusion(fused.fitted, of_a, folder / "out.parquet")
    assert not (folder / "out.parquet").exists()


def test_a_file_that_is_no_fitted_fusion_is_refused(fitted_on):
    _, _, folder, _ = fitted_on
    with pytest.raises(ReadError, match="this is no fitted fusion"):
        assay.apply_fusion(folder / "new.parquet", folder / "new.parquet")
