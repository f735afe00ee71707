"""A table in memory and a stream of the same rows are one to whoever reads them in parts."""

import pickle

import numpy as np
import pytest

import assay
from assay.table.predictions import Predictions

N = 3000


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The same rows in memory and as a stream."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, N)
    p = Predictions.from_arrays(
        y,
        {"m": np.where(rng.random(N) < 0.7, y, 0), "q.proba": rng.dirichlet([1, 1, 1], N)},
        id=[f"row {i}" for i in range(N)],
        groups={"site": rng.choice(["north", "south"], N)},
    )
    path = assay.write(p, tmp_path_factory.mktemp("protocol") / "p.parquet")
    return {"memory": p, "stream": assay.scan(path)}


@pytest.mark.parametrize("kind", ["memory", "stream"])
def test_parts_hold_all_rows_in_their_order(tables, kind):
    table = tables[kind]
    batches = [part.load() for part in table.parts(700)]
    assert len(batches) == table.count_parts(700)
    assert [batch.offset for batch in batches] == list(np.cumsum([0, *(b.n for b in batches[:-1])]))
    labels = np.concatenate([batch.rows("m").label for batch in batches])
    assert labels.tolist() == tables["memory"].rows("m").label.tolist()


@pytest.mark.parametrize("kind", ["memory", "stream"])
def test_a_part_is_the_same_after_it_was_sent_to_another_process(tables, kind):
    for part in tables[kind].parts(700):
        sent = pickle.loads(pickle.dumps(part))
        assert sent.load() == part.load()
        assert sent.load().offset == part.load().offset
        assert str(sent) == str(part)


def test_a_part_of_a_stream_is_small_and_a_part_in_memory_is_its_own_rows(tables):
    whole = len(pickle.dumps(tables["memory"].outputs["q"]["proba"]))
    assert len(pickle.dumps(next(tables["stream"].parts(700)))) < 4000
    assert len(pickle.dumps(next(tables["memory"].parts(30)))) < whole / 10


def test_both_have_the_same_description(tables):
    memory, stream = tables["memory"], tables["stream"]
    for name in ("schema", "task", "classes", "models", "n", "notes"):
        assert getattr(memory, name) == getattr(stream, name)
    assert list(memory.columns) == list(stream.columns)
    assert memory.head == stream.head
    assert memory.paths == ()
    assert len(stream.paths) == 1


@pytest.mark.parametrize("kind", ["memory", "stream"])
def test_chunks_of_a_column_hold_all_its_values(tables, kind):
    chunks = tables[kind].column_chunks("site")
    values = [value for chunk in chunks for value in chunk.to_pylist()]
    assert values == tables["memory"].columns["site"].to_pylist()
