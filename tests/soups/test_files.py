"""Checkpoints in files: safetensors, PyTorch, shards, folders; what is written, what refused."""

import json
import os
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from assay.core.atomic import stage_folder
from assay.errors import AssayError, ReadError, SchemaError, UnsupportedError
from assay.soups import alignment
from assay.soups.safetensors_file import SafetensorsFile
from assay.soups.soup import soup
from assay.soups.torch_file import TorchFile
from soup_nets import fine_tuned

BASE, TUNED = fine_tuned()
MEAN = {name: sum(state[name] for state in TUNED) / 3 for name in TUNED[0]}


def assert_equal(state, expected):
    assert set(state) == set(expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-6)


@pytest.fixture
def run(tmp_path):
    """Three checkpoints of safetensors in a folder."""
    for number, state in enumerate(TUNED):
        save_file(state, tmp_path / f"step-{number + 9}.safetensors", metadata={"format": "pt"})
    return tmp_path


def test_safetensors_reads_what_the_soup_wrote(run, tmp_path):
    soup(run).save(tmp_path / "out" / "soup.safetensors")
    assert_equal(load_file(tmp_path / "out" / "soup.safetensors"), MEAN)
    with safe_open(tmp_path / "out" / "soup.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_every_type_of_safetensors_is_read_and_written_as_that_package_does(tmp_path):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(0, 100, (3, 5), generator=generator)
    floats = ["float64", "float32", "float16", "bfloat16"]
    names = [*floats, "int64", "int32", "int16", "int8", "uint8", "bool"]
    state = {name: numbers.to(getattr(torch, name)) for name in names}
    state |= {"scalar": torch.tensor(2.5), "empty": torch.ones(0, 4)}
    for name in ("a", "b"):
        save_file(state, tmp_path / f"{name}.safetensors")
    soup([tmp_path / "a.safetensors", tmp_path / "b.safetensors"]).save(tmp_path / "c.safetensors")
    written = load_file(tmp_path / "c.safetensors")
    assert all(written[name].equal(tensor) for name, tensor in state.items())
    assert all(written[name].dtype == tensor.dtype for name, tensor in state.items())


def test_a_folder_stands_for_its_checkpoints_in_the_order_of_their_numbers(run):
    (run / "optimizer.pt").write_bytes(b"no weights")
    (run / "notes.txt").write_text("none either")
    assert list(soup(run, "swa(last=2)").weights.items()) == [
        ("step-9", 0), ("step-10", 0.5), ("step-11", 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3, "opt": {}}])
def test_files_of_pytorch_are_read_and_written(tmp_path, wrap):
    for number, state in enumerate(TUNED):
        torch.save(wrap(state), tmp_path / f"{number}.pt")
    fused = soup(tmp_path)
    fused.save(tmp_path / "out" / "soup.pt")
    assert_equal(torch.load(tmp_path / "out" / "soup.pt", weights_only=True), MEAN)
    entries = [note for note in fused.notes if "'state_dict' is taken" in note]
    assert len(entries) == (3 if wrap({}) else 0)


def test_files_of_pytorch_before_its_zip_format_are_read_and_told_of(tmp_path):
    for number, state in enumerate(TUNED):
        torch.save(state, tmp_path / f"{number}.pt", _use_new_zipfile_serialization=False)
    fused = soup(tmp_path)
    assert_equal(fused.state_dict(), MEAN)
    assert any("held in memory whole" in note for note in fused.notes)


def test_tensors_of_pytorch_that_are_views_are_read_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(alignment, "PART", 7)
    wide = torch.arange(60.0).reshape(6, 10)
    state = {"turned": wide.T, "strided": wide[::2, 1::3], "repeated": wide[0].expand(3, 10)}
    torch.save(state, tmp_path / "a.pt")
    torch.save({name: 3 * tensor for name, tensor in state.items()}, tmp_path / "b.pt")
    fused = soup([tmp_path / "a.pt", tmp_path / "b.pt"]).state_dict()
    assert all(fused[name].equal(2 * tensor) for name, tensor in state.items())


def test_a_file_of_pytorch_can_be_read_again_after_its_pages_were_released(tmp_path):
    tensor = torch.arange(300_000.0)
    torch.save({"w": tensor, "v": -tensor}, tmp_path / "a.pt")
    file = TorchFile("a", tmp_path / "a.pt")
    assert all(file.read("w", 0, 300_000).equal(tensor) for _ in range(3))
    assert file.read("v", 5, 9).tolist() == [-5, -6, -7, -8]


def test_weights_that_are_tied_are_one_tensor_in_the_soup(tmp_path):
    for number in range(2):
        shared = torch.full((4, 2), float(number))
        torch.save(
            {"embed": shared, "other": shared.clone(), "head": shared}, tmp_path / f"{number}.pt"
        )
    fused = soup(tmp_path)
    state = fused.state_dict()
    assert state["embed"].data_ptr() == state["head"].data_ptr() != state["other"].data_ptr()
    assert any("'embed', 'head'" in note for note in fused.notes)
    fused.save(tmp_path / "out" / "soup.pt")
    again = torch.load(tmp_path / "out" / "soup.pt", weights_only=True)
    assert again["embed"].data_ptr() == again["head"].data_ptr()
    fused.save(tmp_path / "out" / "soup.safetensors")
    assert load_file(tmp_path / "out" / "soup.safetensors")["head"].tolist() == [[0.5, 0.5]] * 4


def test_weights_that_are_tied_drop_the_same_at_random():
    generator = torch.Generator().manual_seed(0)
    states = [torch.randn(100, generator=generator) for _ in range(3)]
    tied = [{"embed": state, "head": state} for state in states]
    fused = soup(tied[1:], "dare", base=tied[0]).state_dict()
    assert fused["embed"].equal(fused["head"])


def write_shards(folder, state, suffix="safetensors"):
    """A checkpoint in two files with an index, as Transformers writes it."""
    stem = {"safetensors": "model", "bin": "pytorch_model"}[suffix]
    names = list(state)
    shards = {
        f"{stem}-00001-of-00002.{suffix}": names[:1],
        f"{stem}-00002-of-00002.{suffix}": names[1:],
    }
    folder.mkdir(parents=True)
    for file, inside in shards.items():
        part = {name: state[name] for name in inside}
        save_file(part, folder / file) if suffix == "safetensors" else torch.save(
            part, folder / file
        )
    index = {"metadata": {}, "weight_map": {n: f for f, inside in shards.items() for n in inside}}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    (folder / "trainer_state.json").write_text("{}")


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards_stay_shards_with_an_index_and_the_configuration(tmp_path, suffix):
    for number, state in enumerate(TUNED):
        write_shards(tmp_path / "runs" / f"checkpoint-{number}", state, suffix)
    notes = soup(tmp_path / "runs").save(tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    written = {
        name: load_file(tmp_path / "out" / file)[name] for name, file in index["weight_map"].items()
    }
    assert_equal(written, MEAN)
    assert index["metadata"]["total_size"] == sum(t.numel() * 4 for t in MEAN.values())
    assert notes == ["Copied from checkpoint-0: config.json."]
    assert_equal(soup([tmp_path / "out", tmp_path / "out"]).state_dict(), MEAN)


def test_a_folder_of_runs_with_weights_of_its_own_tells_which_are_taken(tmp_path):
    for number, state in enumerate(TUNED):
        write_shards(tmp_path / "run" / f"checkpoint-{number}", state)
    save_file(BASE, tmp_path / "run" / "model.safetensors")
    fused = soup(tmp_path / "run")
    assert_equal(fused.state_dict(), MEAN)
    assert any("and not model.safetensors" in note for note in fused.notes)


def test_an_index_that_names_a_missing_or_a_foreign_file_is_refused(tmp_path):
    write_shards(tmp_path / "a", TUNED[0])
    write_shards(tmp_path / "b", TUNED[1])
    (tmp_path / "b" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ReadError, match=r"names 'model-00002.*which is not there"):
        soup([tmp_path / "a", tmp_path / "b"])
    index = tmp_path / "b" / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"w": "../a/model-00001-of-00002.safetensors"}}')
    with pytest.raises(ReadError, match="not a file beside it"):
        soup([tmp_path / "a", tmp_path / "b"])


class Net(torch.nn.Module):
    """A module of which a file is no state dict."""


def test_a_file_that_holds_more_than_weights_is_not_unpickled_and_its_advice_is_right(tmp_path):
    net = torch.nn.Linear(2, 2)
    torch.save(net, tmp_path / "a.pt")
    torch.save(net, tmp_path / "b.pt")
    with pytest.raises(ReadError, match="holds more than weights") as error:
        soup([tmp_path / "a.pt", tmp_path / "b.pt"])
    advice = re.search(r"save the weights alone: (torch\.save\(.*\))$", str(error.value))[1]
    weights = tmp_path / "weights.pt"
    exec(
        advice.replace("'weights.pt'", "weights"),
        {"torch": torch, "path": tmp_path / "a.pt", "weights": weights},
    )
    assert_equal(soup([weights, weights]).state_dict(), net.state_dict())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": TUNED[0], "ema": TUNED[1]}, "the state dicts model, ema"),
        ({"epoch": 3}, "'epoch' \\(int\\)"),
        ([1, 2], "a list"),
    ],
)
def test_a_file_without_one_state_dict_is_refused_with_what_it_holds(tmp_path, content, message):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ReadError, match=message):
        soup([tmp_path / "a.pt", tmp_path / "a.pt"])


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_a_file_that_was_not_written_to_its_end_is_refused(tmp_path, suffix, length):
    path = tmp_path / f"a.{suffix}"
    save_file(BASE, path) if suffix == "safetensors" else torch.save(BASE, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ReadError, match=str(path)):
        soup([path, path])


@pytest.mark.parametrize("offsets", [[0, 4], [4, 12], [0, 16]])
def test_a_header_that_places_tensors_wrongly_is_refused(tmp_path, offsets):
    header = {"w": {"dtype": "F32", "shape": [2], "data_offsets": offsets}}
    text = json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(ReadError):
        SafetensorsFile("a", path)


def test_a_path_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ReadError, match="no such file or folder"):
        soup([tmp_path / "a.pt", tmp_path / "b.pt"])
    with pytest.raises(UnsupportedError, match=r"model\.state_dict\(\)"):
        soup([3, 4])
    with pytest.raises(UnsupportedError, match="got 0"):
        soup(tmp_path)


def test_nothing_is_left_where_writing_fails(run, tmp_path):
    broken = {name: tensor.clone() for name, tensor in TUNED[0].items()}
    list(broken.values())[-1][0] = float("nan")
    save_file(broken, run / "step-12.safetensors")
    for out in ("new/soup.safetensors", "new/soup.pt", "new/folder"):
        with pytest.raises(
            UnsupportedError, match=r"of 'step-12' has elements that are not finite"
        ):
            soup(run).save(tmp_path / out)
    assert os.listdir(tmp_path / "new") == []


def test_a_folder_that_has_something_in_it_is_not_written_over(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ReadError, match="new or empty"):
        soup(run).save(tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["mine.txt"]
    with pytest.raises(UnsupportedError, match=r"ends in \.safetensors"):
        soup(run).save(tmp_path / "soup.onnx")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    with stage_folder(tmp_path / "a") as place:
        (place / "one").write_text("1")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a" / "one").read_text() == "1"

    def fail():
        with stage_folder(tmp_path / "b") as place:
            (place / "one").write_text("1")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == ["a"]


def test_every_tensor_that_differs_is_named_in_one_error(tmp_path):
    other = {**TUNED[1], "extra": torch.ones(1), "0.bias": torch.ones(33)}
    del other["2.bias"]
    other["0.weight"] = other["0.weight"].double()
    with pytest.raises(SchemaError) as error:
        soup({"a": TUNED[0], "b": other})
    for part in (
        "b lacks '2.bias'",
        "b has 'extra'",
        "'0.bias' is float32 (33,)",
        "float64 (32, 64)",
    ):
        assert part in str(error.value)


def test_names_with_the_prefix_of_data_parallel_are_explained_and_the_advice_is_right():
    wrapped = {f"module.{name}": tensor for name, tensor in TUNED[1].items()}
    with pytest.raises(SchemaError, match=r"the same but for 'module\.' in it") as error:
        soup({"a": TUNED[0], "b": wrapped})
    advice = re.search(r"as in (\{.*\}), and save", str(error.value))[1]
    stripped = eval(advice, {"state": wrapped})
    assert_equal(soup([TUNED[0], stripped]).state_dict(), soup([TUNED[0], TUNED[1]]).state_dict())


def test_other_vocabularies_are_explained():
    with pytest.raises(SchemaError, match="the vocabularies or the classes do"):
        soup([{"embed": torch.ones(5, 3)}, {"embed": torch.ones(6, 3)}])


def test_whole_numbers_are_those_of_the_first_checkpoint_and_a_note_says_so():
    fused = soup([{"w": torch.ones(2), "steps": torch.tensor(n)} for n in (3, 8)])
    assert int(fused.state_dict()["steps"]) == 3
    assert "taken from '1', not averaged: 'steps' (they differ in 'steps')" in " ".join(fused.notes)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
def test_quantised_weights_are_refused(dtype):
    states = [{"w": torch.tensor([n, 2], dtype=dtype)} for n in (3, 8)]
    with pytest.raises(UnsupportedError, match="before quantising"):
        soup(states)
    assert soup([states[0], states[0]]).state_dict()["w"].tolist() == [3, 2]


def test_numbers_of_8_bits_with_a_point_and_complex_ones_are_refused():
    for dtype in (torch.float8_e4m3fn, torch.complex64):
        with pytest.raises(AssayError, match="'w'"):
            soup([{"w": torch.ones(2).to(dtype)}] * 2)


def test_a_mask_of_minus_infinity_stays_what_it_is():
    mask = torch.triu(torch.full((3, 3), float("-inf")), 1)
    states = [{"w": torch.full((2,), n), "mask": mask} for n in (1.0, 3.0)]
    base = {"w": torch.zeros(2), "mask": mask}
    for how, start in (("uniform", None), ("ties(density=1)", base), ("dare", base)):
        assert soup(states, how, base=start).state_dict()["mask"].equal(mask)


def test_weights_that_no_longer_fit_into_their_type_are_refused():
    states = [{"w": torch.full((2,), 60_000.0).half()}] * 2
    with pytest.raises(UnsupportedError, match=r"does not fit into torch\.float16"):
        soup(states, "task_arithmetic(scale=2)", base={"w": torch.zeros(2).half()}).state_dict()
