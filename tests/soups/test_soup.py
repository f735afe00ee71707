"""The verdict on a soup: scores, barriers, batch norm, one origin, memory."""

import json
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay.cli import main
from assay.errors import UnsupportedError
from assay.soups.base import SOUPS, Part, Recipe
from assay.soups.batch_norm import refresh_batch_norm
from assay.soups.soup import soup
from soup_nets import DIGITS, HELD_OUT, PIXELS, TRAIN, accuracy, fine_tuned, make_net, train

BASE, TUNED = fine_tuned()


def get_accuracy(net):
    with torch.no_grad():
        return float((net(PIXELS[HELD_OUT]).argmax(1) == DIGITS[HELD_OUT]).float().mean())


def test_a_soup_that_is_scored_says_whether_it_beats_the_best_checkpoint():
    fused = soup(TUNED, "uniform", score=accuracy)
    assert fused.scores == {str(i + 1): accuracy(state) for i, state in enumerate(TUNED)}
    assert fused.score == accuracy(fused.state_dict())
    assert fused.best == max(fused.scores, key=fused.scores.get)
    assert fused.improves == (fused.score > max(fused.scores.values()))
    word = (
        "better"
        if fused.improves
        else "worse"
        if fused.score < fused.scores[fused.best]
        else "same"
    )
    assert word in fused.verdict


def test_a_soup_of_nets_of_one_origin_has_no_barrier():
    fused = soup(TUNED, score=accuracy, barrier=True)
    assert len(fused.barriers) == 3
    assert all(one.barrier < 0.02 and not one.is_high for one in fused.barriers)
    first = fused.barriers[0]
    mean = {name: (TUNED[0][name] + TUNED[1][name]) / 2 for name in TUNED[0]}
    assert first.midpoint == accuracy(mean)
    assert first.barrier == pytest.approx(
        (accuracy(TUNED[0]) + accuracy(TUNED[1])) / 2 - first.midpoint
    )


def test_a_soup_of_nets_of_several_origins_is_flagged_before_the_verdict():
    strangers = [train(make_net(seed), seed, 100, 3e-3).state_dict() for seed in (11, 12)]
    fused = soup({"a": strangers[0], "b": strangers[1]}, "uniform", score=accuracy, barrier=True)
    told = " ".join(fused.headlines)
    assert "weights of 'b' are nearly orthogonal to those of 'a'" in told
    assert "worse than every checkpoint" in told
    assert "between a and b: do not average these" in told
    assert "keep" in fused.verdict
    assert not any("orthogonal" in note for note in soup(TUNED).notes)


def test_checkpoints_that_are_one_and_the_same_are_told():
    fused = soup({"a": TUNED[0], "b": TUNED[1], "again": TUNED[0]})
    assert "The weights of 'again' seem to be those of 'a'." in fused.notes


@pytest.mark.parametrize("value", [float("nan"), "good", None])
def test_a_score_that_is_no_number_is_refused(value):
    with pytest.raises(UnsupportedError, match=r"must be a (finite )?number"):
        soup(TUNED, score=lambda state: value)


def test_the_json_of_a_soup_is_a_contract():
    fused = soup({"a": TUNED[0], "b": TUNED[1]}, score=accuracy, barrier=True)
    found = json.loads(fused.to_json())
    assert found["schema"] == "assay.soup/1"
    assert set(found) == {
        "schema", "how", "better", "score", "best", "improves", "parameters", "barriers", "notes",
        "rows",
    }  # fmt: skip
    assert set(found["rows"][0]) == {"checkpoint", "weight", "score"}
    assert set(found["barriers"][0]) == {"a", "b", "midpoint", "barrier", "is_high"}
    assert found["parameters"] == sum(tensor.numel() for tensor in BASE.values())
    plain = json.loads(soup(TUNED, "ties", base=BASE).to_json())
    assert (
        plain["score"] is plain["best"] is plain["improves"] is plain["rows"][0]["weight"] is None
    )


def test_refreshed_batch_norm_is_what_pytorch_computes_and_saves_the_soup():
    _, tuned = fine_tuned(norm=True)
    fused = soup(tuned)
    assert "call assay.refresh_batch_norm(model, batches)" in " ".join(fused.headlines)
    ours, theirs = make_net(0, norm=True), make_net(0, norm=True)
    batches = PIXELS[TRAIN].split(100)
    ours.load_state_dict(fused.state_dict())
    theirs.load_state_dict(fused.state_dict())
    ours.eval()
    refresh_batch_norm(ours, [(batch, None) for batch in batches])
    torch.optim.swa_utils.update_bn(batches, theirs)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(ours[1], name), getattr(theirs[1], name))
    assert not ours.training
    assert not ours[1].training
    assert ours[1].momentum == 0.1
    assert get_accuracy(ours) > 0.85


def test_statistics_of_unrelated_weights_ruin_a_net_and_are_mended_by_a_refresh():
    net = train(make_net(0, norm=True), 0, 120, 3e-3)
    good = get_accuracy(net)
    net[1].running_mean += 3
    net[1].running_var *= 30
    assert get_accuracy(net) < good - 0.2
    refresh_batch_norm(net, PIXELS[TRAIN].split(100))
    assert get_accuracy(net) == pytest.approx(good, abs=0.03)


def test_dropout_is_off_while_statistics_are_taken():
    net = torch.nn.Sequential(torch.nn.Dropout(0.9), torch.nn.BatchNorm1d(1)).train()
    refresh_batch_norm(net, [torch.ones(50, 1), torch.ones(50, 1)])
    assert float(net[1].running_mean) == 1
    assert net.training


def test_a_refresh_that_fails_leaves_the_statistics_as_they_were():
    net = train(make_net(0, norm=True), 0, 5, 3e-3)
    before = net[1].running_mean.clone()
    with pytest.raises(UnsupportedError, match="there is no batch"):
        refresh_batch_norm(net, [])
    with pytest.raises(RuntimeError):
        refresh_batch_norm(net, [PIXELS[:50], torch.ones(3, 3)])
    assert net[1].running_mean.equal(before)
    with pytest.raises(UnsupportedError, match="nothing to refresh"):
        refresh_batch_norm(torch.nn.Linear(1, 1), [torch.ones(1, 1)])


def test_variances_of_batch_norm_are_averaged_by_every_recipe():
    base, tuned = fine_tuned(norm=True)
    mean = sum(state["1.running_var"] for state in tuned) / 3
    for how in ("ties(scale=3)", "task_arithmetic(scale=4)", "dare"):
        found = soup(tuned, how, base=base).state_dict()["1.running_var"]
        torch.testing.assert_close(found, mean)


def test_a_recipe_is_one_class():
    class Largest(Recipe):
        """The element of the largest magnitude."""

        name = "largest"

        def combine(self, part: Part, survey: None):
            stacked = torch.stack([tensor.double() for tensor in part.tensors])
            return stacked.gather(0, stacked.abs().argmax(0, keepdim=True))[0]

    assert "largest" in SOUPS.names()
    fused = soup([{"w": torch.tensor([1.0, -5.0])}, {"w": torch.tensor([-2.0, 3.0])}], "largest")
    assert fused.state_dict()["w"].tolist() == [-2, -5]


def measure_peak(work):
    """Megabytes of memory that some work needs beyond what is in use before it."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = read_status("VmRSS")
    work()
    return (read_status("VmHWM") - before) / 1024


def read_status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize(
    "how",
    ["uniform", "slerp", *(pytest.param(h, marks=pytest.mark.slow) for h in ("ties", "dare"))],
)
def test_memory_does_not_grow_with_the_checkpoints(tmp_path, how, suffix):
    """8 files of 24 MB, and their soup, are 216 MB: fewer than three of them would fit."""
    state = {"w": torch.zeros(1500, 4000)}
    count = 2 if how == "slerp" else 8
    files = [tmp_path / f"{number}.{suffix}" for number in range(count)]
    for number, path in enumerate(files):
        state["w"].fill_(number + 1.0)
        save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    small = {"w": torch.ones(3, 3)}
    base = files[0] if how in ("ties", "dare") else None
    soup([small, small], how, base=small if base else None).save(tmp_path / "small.safetensors")
    mean = sum(range(1, count + 1)) / count
    out = tmp_path / "soup.safetensors"
    assert measure_peak(lambda: soup(files, how, base=base).save(out)) < 60
    if how == "uniform":
        assert float(load_file(out)["w"][1499, 3999]) == mean


DOCS = (Path(__file__).parents[2] / "docs" / "soups.md").read_text()


def test_the_python_and_the_commands_of_the_page_on_soups_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    base, tuned = fine_tuned(norm=True)
    (tmp_path / "run").mkdir()
    save_file(base, tmp_path / "base.safetensors")
    for number, state in enumerate(tuned):
        save_file(state, tmp_path / "run" / f"step-{number}.safetensors")
    lines = [
        "import soup_nets",
        "def accuracy(state):",
        "    return soup_nets.accuracy(state, True)",
    ]
    (tmp_path / "score.py").write_text("\n".join(lines))
    names = {
        "net": make_net(0, norm=True),
        "accuracy": lambda state: accuracy(state, norm=True),
        "batches": PIXELS[TRAIN].split(100),
    }
    for block in re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL):
        exec(textwrap.dedent(block), names)
    assert get_accuracy(names["net"].eval()) > 0.85
    commands = re.findall(r"^assay (fuse .*)$", DOCS, flags=re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        main(shlex.split(command))
        assert capsys.readouterr().err.startswith("written: ")


def test_the_page_on_soups_has_every_recipe():
    assert set(re.findall(r"^\| `(\w+)` \|", DOCS, flags=re.MULTILINE)) == set(SOUPS.names())
