"""State files that are damaged, stale, swapped or given twice: an error, or the right answer."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import assay
from assay.core.atomic import stage_file
from assay.errors import AssayError, ReadError, UnsupportedError
from assay.evaluation import kept_rows, state_file
from assay.evaluation.evaluate import build_evaluation
from assay.evaluation.merge import merge_states
from assay.states.base import State
from assay.table.predictions import Predictions
from assay.testing import random_table

ASKED = ["accuracy", "log_loss", "roc_auc"]


def keep(path, seed=0, n=40, asked=ASKED, **columns):
    """A table whose states are kept at `path`."""
    p = random_table("binary", seed, n=n).select(["a"])
    p = replace(p, columns={name: pa.array(column) for name, column in columns.items()})
    assay.evaluate(p, asked, checkpoint=path)
    return p


def read_rows(path):
    """Every row as text, in which nan is nan."""
    return list(map(repr, build_evaluation(*merge_states([path])).rows))


@pytest.mark.parametrize("seed", range(3))
def test_a_state_file_with_a_byte_changed_or_cut_off_is_refused_or_right(tmp_path, seed):
    path = tmp_path / "a.state"
    keep(path, seed)
    content = path.read_bytes()
    right = read_rows(path)
    rng = np.random.default_rng(seed)
    for _ in range(100):
        damaged = bytearray(content)
        at = int(rng.integers(len(content)))
        if rng.random() < 0.3:
            damaged = damaged[:at]
        elif rng.random() < 0.3:
            damaged[at : at + 64] = bytes(64)
        else:
            damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            assert read_rows(path) == right
        except ReadError as error:
            assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("extra", [b"\0", b"PK\x05\x06" + bytes(18)])
def test_a_state_file_with_something_after_its_end_is_refused(tmp_path, extra):
    path = tmp_path / "a.state"
    keep(path)
    path.write_bytes(path.read_bytes() + extra)
    with pytest.raises(ReadError, match="no state file"):
        merge_states([path])


def test_a_state_file_of_another_version_is_refused_by_its_version(tmp_path):
    path = tmp_path / "a.state"
    keep(path)
    path.write_bytes(path.read_bytes().replace(b"assay.state/3 ", b"assay.state/9 "))
    with pytest.raises(ReadError, match="version 9"):
        merge_states([path])


@pytest.mark.parametrize("name", ["site", "cluster"])
def test_a_checkpoint_of_a_table_with_another_column_is_refused(tmp_path, name):
    path = tmp_path / "a.state"
    p = keep(path, **{name: np.arange(40) % 4})
    other = replace(p, columns={name: pa.array(np.arange(40) // 10)})
    with pytest.raises(ReadError, match="another table"):
        assay.evaluate(other, ASKED, checkpoint=path)


def test_swapped_checkpoints_are_refused(tmp_path):
    tables = [keep(tmp_path / f"{i}.state", seed=i) for i in range(2)]
    for p, i in zip(tables, (1, 0), strict=True):
        with pytest.raises(ReadError, match="another table"):
            assay.evaluate(p, ASKED, checkpoint=tmp_path / f"{i}.state")


def test_a_file_rewritten_with_as_many_bytes_and_the_same_footer_is_another_table(tmp_path):
    path, state = tmp_path / "a.parquet", tmp_path / "a.state"
    labels = np.arange(5000) % 2
    options = {"compression": None, "use_dictionary": False, "write_statistics": False}
    for flipped in (0, 1000):
        y = np.where(np.arange(5000) < flipped, 1 - labels, labels)
        parquet.write_table(pa.table({"y": y, "m.label": labels}), path, **options)
        if not flipped:
            size = path.stat()
            assay.evaluate(assay.scan(path), "accuracy", checkpoint=state)
    assert path.stat().st_size == size.st_size
    os.utime(path, ns=(size.st_atime_ns, size.st_mtime_ns))
    with pytest.raises(ReadError, match="another table"):
        assay.evaluate(assay.scan(path), "accuracy", checkpoint=state)


def test_a_copy_of_a_state_file_does_not_merge_with_it(tmp_path):
    keep(tmp_path / "a.state")
    shutil.copy(tmp_path / "a.state", tmp_path / "b.state")
    with pytest.raises(UnsupportedError, match="hold the same rows"):
        merge_states([tmp_path / "a.state", tmp_path / "b.state"])


def test_the_same_rows_from_a_file_and_from_memory_do_not_merge(tmp_path):
    p = keep(tmp_path / "a.state")
    stream = assay.scan(assay.write(p, tmp_path / "p.parquet"))
    assay.evaluate(stream, ASKED, checkpoint=tmp_path / "b.state")
    with pytest.raises(UnsupportedError, match=r"same rows|differ in what"):
        merge_states([tmp_path / "a.state", tmp_path / "b.state"])


def test_jobs_that_share_an_id_do_not_merge(tmp_path):
    keep(tmp_path / "a.state", seed=1, id=np.arange(40))
    keep(tmp_path / "b.state", seed=2, id=np.arange(40) + 39)
    with pytest.raises(UnsupportedError, match="row with id 39"):
        merge_states([tmp_path / "a.state", tmp_path / "b.state"])


def test_equal_rows_of_other_ids_merge_as_the_message_says(tmp_path):
    keep(tmp_path / "a.state", id=np.arange(40))
    keep(tmp_path / "b.state", id=np.arange(40) + 40)
    folded, _ = merge_states([tmp_path / "a.state", tmp_path / "b.state"])
    assert folded.info.n == 80


def test_an_interrupted_job_does_not_merge(tmp_path, monkeypatch):
    path = tmp_path / "a.state"
    keeping = assay.evaluation.checkpoint.Checkpoint.keep

    def keep_half(self, name, done, values, *, now):
        keeping(self, name, done, values, now=now)
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.evaluation.checkpoint.SECONDS", -1.0)
    monkeypatch.setattr("assay.evaluation.checkpoint.Checkpoint.keep", keep_half)
    with pytest.raises(KeyboardInterrupt):
        keep(path)
    with pytest.raises(UnsupportedError, match="was interrupted"):
        merge_states([path])


def test_a_job_that_starts_leaves_the_file_that_another_is_writing(tmp_path):
    path = tmp_path / "a.state"
    with stage_file(path) as place:
        keep(path)
        assert os.path.exists(place)
        shutil.copy(path, place)
    assert read_rows(path)


def test_a_file_that_is_overwritten_keeps_its_mode(tmp_path):
    path = tmp_path / "a.state"
    keep(path)
    path.chmod(0o600)
    with stage_file(path) as place:
        shutil.copyfile(path, place)
    assert path.stat().st_mode & 0o777 == 0o600


@dataclass(frozen=True)
class Kept:
    """Tables, the bytes of the states that were kept of them, and a folder to work in."""

    folder: Path
    tables: list
    states: list

    def lay(self, name, content):
        """A file of this name and content."""
        path = self.folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    traits = [{}, {"g": np.arange(40) % 3}, {"id": np.arange(40)}, {"cluster": np.arange(40) // 4}]
    tables = [keep(folder / f"{i}.state", i, **columns) for i, columns in enumerate(traits)]
    # A second job beside the first, which merges with it.
    tables.append(keep(folder / "4.state", 9))
    states = [(folder / f"{i}.state").read_bytes() for i in range(5)]
    return Kept(folder, tables, states)


def damage(content, other, rng):
    """The bytes of a file after an accident."""
    content = bytearray(content)
    at = int(rng.integers(len(content)))
    accident = rng.integers(6)
    if accident == 0:
        content[at] ^= 1 << int(rng.integers(8))
    elif accident == 1:
        content = content[:at]
    elif accident == 2:
        content[at : at + 512] = bytes(512)
    elif accident == 3:
        content = content[:at] + other[at:]
    elif accident == 4:
        content += other
    else:
        for place in rng.integers(len(content), size=int(rng.integers(1, 9))):
            content[place] = int(rng.integers(256))
    return bytes(content)


def merge_rows(*paths):
    """Every row of the joined states as text."""
    return list(map(repr, build_evaluation(*merge_states(paths)).rows))


def check(seed, kept):
    """What happens to states in accidents: one clear error, or the right answer."""
    rng = np.random.default_rng(seed)
    first, second = (int(i) for i in rng.choice(5, 2, replace=False))
    a = kept.lay("a.state", kept.states[first])
    mishap = rng.integers(5)
    if mishap == 0:
        right = merge_rows(a)
        a.write_bytes(damage(kept.states[first], kept.states[second], rng))
        expect(right, lambda: merge_rows(a))
    elif mishap == 1:
        b = kept.lay("b.state", kept.states[first])
        expect(None, lambda: merge_rows(*rng.permutation([a, b]).tolist()))
    elif mishap == 2:
        taken = kept.tables[second]
        expect(None, lambda: assay.evaluate(taken, ASKED, checkpoint=a))
        assert a.read_bytes() == kept.states[first]
    elif mishap == 3:
        p = kept.tables[first]
        proba = np.array(p.outputs["a"]["proba"])
        proba[int(rng.integers(p.n))] = [0.25, 0.75]
        changed = replace(p, outputs={"a": {"proba": proba}})
        expect(None, lambda: assay.evaluate(changed, ASKED, checkpoint=a))
    else:
        one = kept.lay("a.state", kept.states[0])
        b = kept.lay("b.state", kept.states[4])
        right = merge_rows(one, b)
        b.write_bytes(damage(kept.states[4], kept.states[second], rng))
        expect(right, lambda: merge_rows(one, b))


def expect(right, answer):
    """An error of one line, or the `right` answer, where there is one."""
    try:
        found = answer()
    except AssayError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        assert found == right


@pytest.mark.parametrize("seeds", [range(40)], ids=str)
def test_states_in_accidents_give_one_clear_error_or_the_right_answer(kept, seeds):
    for seed in seeds:
        check(seed, kept)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(1, 101))
def test_states_in_ten_thousand_accidents_give_one_clear_error_or_the_right_answer(kept, hundred):
    for seed in range(100 * hundred, 100 * hundred + 100):
        check(seed, kept)


def test_a_state_of_version_2_without_the_rests_of_means_gives_the_figures_of_today(
    tmp_path, monkeypatch
):
    rng = np.random.default_rng(2)
    y = rng.normal(size=200)
    table = Predictions.from_arrays(y, {"m": y + rng.normal(size=200)}, task="regression")
    asked = ["mse", "r2", "pearson"]
    expected = assay.evaluate(table, asked)
    dump = State.dump

    def dump_without_rest(state, value):
        return {name: array for name, array in dump(state, value).items() if name != "rest"}

    monkeypatch.setattr(kept_rows, "MOST_ROWS", 0)  # states alone, as of many rows
    with monkeypatch.context() as patch:
        patch.setattr(State, "dump", dump_without_rest)
        patch.setattr(state_file, "VERSION", 2)
        assay.evaluate(table, asked, checkpoint=tmp_path / "old.state")
    found = build_evaluation(*merge_states([tmp_path / "old.state"]))
    assert [row.value for row in found.rows] == pytest.approx([r.value for r in expected.rows])
    assert [row.low for row in found.rows] == pytest.approx([r.low for r in expected.rows])
