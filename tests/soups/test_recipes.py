"""Recipes give what their papers define, whole or part by part, in any floating type."""

import math

import pytest
import torch

from assay.errors import NameLookupError, UnsupportedError
from assay.soups import alignment, base
from assay.soups.base import SOUPS
from assay.soups.dare import draw_uniform
from assay.soups.soup import soup
from soup_nets import accuracy, fine_tuned

BASE, TUNED = fine_tuned()


def flat(state):
    return torch.cat([tensor.reshape(-1).double() for tensor in state.values()])


def fuse(how, states=TUNED, **options):
    return soup(states, how, **options).state_dict()


def assert_equal(state, vector, tolerance=1e-6):
    torch.testing.assert_close(flat(state), vector, rtol=0, atol=tolerance)


@pytest.fixture(params=["whole", "in parts"])
def parts(request, monkeypatch):
    if request.param == "in parts":
        monkeypatch.setattr(alignment, "PART", 100)
        monkeypatch.setattr(base, "PIECE", 7)


def test_the_uniform_soup_is_the_mean_of_the_state_dicts(parts):
    assert_equal(fuse("uniform"), torch.stack([flat(s) for s in TUNED]).mean(0), 1e-7)


@pytest.mark.parametrize("name", ["average", "mean", "linear"])
def test_names_that_people_type_are_the_uniform_soup(name):
    assert str(SOUPS.parse(name)) == "uniform"


def test_given_weights_are_divided_by_their_sum_and_a_note_says_so():
    fused = soup(dict(zip("abc", TUNED, strict=True)), weights={"b": 1, "a": 3, "c": 0})
    assert fused.weights == {"a": 0.75, "b": 0.25, "c": 0}
    assert "The weights are divided by their sum, 4." in fused.notes
    assert_equal(fused.state_dict(), 0.75 * flat(TUNED[0]) + 0.25 * flat(TUNED[1]))


def test_swa_is_the_mean_of_the_last_checkpoints():
    assert_equal(fuse("swa(last=2)"), (flat(TUNED[1]) + flat(TUNED[2])) / 2)


def test_ema_is_what_the_averaged_model_of_pytorch_gives_step_by_step():
    multi = torch.optim.swa_utils.get_ema_multi_avg_fn(0.7)
    averaged = [tensor.clone() for tensor in TUNED[0].values()]
    for state in TUNED[1:]:
        multi(averaged, list(state.values()), 1)
    expected = torch.cat([tensor.reshape(-1).double() for tensor in averaged])
    assert_equal(fuse("ema(decay=0.7)"), expected)


def test_slerp_goes_along_the_arc_of_each_tensor(parts):
    fused = fuse("slerp(t=0.3)", TUNED[:2])
    for name, tensor in fused.items():
        a, b = (state[name].double().reshape(-1) for state in TUNED[:2])
        angle = torch.acos(a @ b / (a.norm() * b.norm()))
        expected = (torch.sin(0.7 * angle) * a + torch.sin(0.3 * angle) * b) / torch.sin(angle)
        torch.testing.assert_close(tensor.reshape(-1).double(), expected, rtol=0, atol=1e-6)


def test_slerp_keeps_the_length_of_vectors_of_one_length():
    a = torch.nn.functional.normalize(torch.randn(50, generator=torch.manual_seed(4)), dim=0)
    b = torch.nn.functional.normalize(torch.randn(50), dim=0)
    fused = soup([{"w": a}, {"w": b}], "slerp").state_dict()["w"]
    assert float(fused.norm()) == pytest.approx(1, abs=1e-6)
    assert float(((a + b) / 2).norm()) < 0.9


def test_slerp_of_opposite_numbers_is_linear():
    fused = soup([{"w": torch.tensor([2.0])}, {"w": torch.tensor([-1.0])}], "slerp(t=0.25)")
    assert float(fused.state_dict()["w"]) == pytest.approx(1.25)


def test_task_arithmetic_adds_the_scaled_changes_to_the_base(parts):
    expected = flat(BASE) + 0.3 * sum(flat(s) - flat(BASE) for s in TUNED)
    assert_equal(fuse("task_arithmetic(scale=0.3)", base=BASE), expected)


def test_task_arithmetic_of_one_by_the_count_is_the_uniform_soup():
    share = 1 / 3
    assert_equal(fuse(f"task_arithmetic(scale={share})", base=BASE), flat(fuse("uniform")))


def refer_ties(start, vectors, density, scale):
    """Algorithm 1 of Yadav et al. (2023), on the whole vector of parameters."""
    changes = torch.stack([vector - start for vector in vectors])
    count = int(density * changes.shape[1])
    trimmed = torch.zeros_like(changes)
    for row, change in zip(trimmed, changes, strict=True):  # trim
        least = change.abs().float().topk(count).values[-1]
        kept = change.abs().float() >= least
        row[kept] = change[kept]
    elected = torch.sign(trimmed.sum(0))  # elect
    merged = torch.zeros_like(start)
    for p in range(len(start)):  # merge
        agreeing = [t[p] for t in trimmed if t[p] != 0 and torch.sign(t[p]) == elected[p]]
        if agreeing:
            merged[p] = sum(agreeing) / len(agreeing)
    return start + scale * merged


@pytest.mark.parametrize(("density", "scale"), [(0.2, 1.0), (0.55, 0.7), (1.0, 1.0)])
def test_ties_is_the_algorithm_of_its_paper(parts, density, scale):
    expected = refer_ties(flat(BASE), [flat(s) for s in TUNED], density, scale)
    fused = fuse(f"ties(density={density}, scale={scale})", base=BASE)
    assert_equal(fused, expected)
    assert float((flat(fused) - flat(BASE)).abs().max()) > 1e-3


def test_ties_trims_over_the_whole_model_and_not_tensor_by_tensor():
    start = {"a": torch.zeros(4), "b": torch.zeros(4)}
    tuned = {"a": torch.tensor([9.0, 8.0, 7.0, 6.0]), "b": torch.tensor([1.0, 2.0, 3.0, 4.0])}
    fused = fuse("ties(density=0.5)", [tuned, tuned], base=start)
    assert fused["a"].tolist() == [9, 8, 7, 6]
    assert fused["b"].tolist() == [0, 0, 0, 0]


def refer_dare(start, states, drop, scale, seed):
    """Drop and rescale of Yu et al. (2024), with the draws of the recipe."""
    fused = {name: tensor.double().clone() for name, tensor in start.items()}
    for name, tensor in fused.items():
        for i, state in enumerate(states):
            draws = torch.from_numpy(draw_uniform(seed, name, i, 0, tensor.numel()))
            mask = (draws >= drop).double().reshape(tensor.shape)
            tensor += scale * mask * (state[name].double() - start[name].double()) / (1 - drop)
    return fused


def test_dare_drops_and_rescales_the_changes(parts):
    expected = flat(refer_dare(BASE, TUNED, 0.8, 0.4, 5))
    assert_equal(fuse("dare(drop=0.8)", base=BASE, seed=5), expected)


def test_dare_drops_the_share_that_it_says_and_keeps_the_mean_of_the_changes():
    ones = {"w": torch.ones(200_000)}
    fused = soup([ones, ones], "dare(drop=0.9, scale=0.5)", base={"w": torch.zeros(200_000)})
    values = fused.state_dict()["w"].double()
    assert float((values == 0).double().mean()) == pytest.approx(0.81, abs=0.005)
    assert float(values.mean()) == pytest.approx(1, abs=0.02)


def test_dare_of_another_seed_drops_others():
    first, second = (flat(fuse("dare", base=BASE, seed=seed)) for seed in (1, 2))
    assert not first.equal(second)
    assert first.equal(flat(fuse("dare", base=BASE, seed=1)))


def test_the_greedy_soup_is_the_one_that_its_paper_describes():
    scores = [accuracy(state) for state in TUNED]
    order = sorted(range(3), key=lambda i: -scores[i])
    kept, best = [order[0]], scores[order[0]]
    for i in order[1:]:
        mean = {k: sum(TUNED[j][k] for j in [*kept, i]) / (len(kept) + 1) for k in TUNED[0]}
        if accuracy(mean) >= best:
            kept, best = [*kept, i], accuracy(mean)
    fused = soup(TUNED, score=accuracy)
    assert {name for name, weight in fused.weights.items() if weight} == {str(i + 1) for i in kept}
    assert fused.score == best >= max(scores)


def test_a_greedy_soup_of_a_lower_score_takes_the_lower():
    fused = soup(TUNED, score=lambda state: 1 - accuracy(state), better="lower")
    assert fused.weights == soup(TUNED, score=accuracy).weights
    assert fused.score <= min(fused.scores.values())


# What rounding may add: of the sum in double precision, of numbers next to zero in half precision.
SMALLEST = {torch.float64: 1e-15, torch.float32: 0, torch.bfloat16: 0, torch.float16: 3e-8}


@pytest.mark.parametrize("dtype", list(SMALLEST), ids=str)
def test_the_mean_is_rounded_once_to_the_type_of_the_tensors(dtype):
    generator = torch.Generator().manual_seed(1)
    states = [{"w": torch.randn(1000, generator=generator).to(dtype)} for _ in range(3)]
    fused = soup(states).state_dict()["w"]
    assert fused.dtype == dtype
    mean = sum(state["w"].double() for state in states) / 3
    half_a_unit = 0.501 * torch.finfo(dtype).eps * mean.abs()
    assert bool(((fused.double() - mean).abs() <= half_a_unit + SMALLEST[dtype]).all())


def test_the_mean_of_equal_checkpoints_is_that_checkpoint():
    states = [TUNED[0]] * 7
    assert flat(soup(states).state_dict()).equal(flat(TUNED[0]))


@pytest.mark.parametrize(
    ("how", "options", "message"),
    [
        ("ties", {}, "give it as base"),
        ("uniform", {"base": BASE}, "does not use a base"),
        ("greedy", {}, "give score"),
        ("weighted", {}, "needs the weight of each checkpoint"),
        ("uniform", {"weights": {"1": 1, "2": 1, "3": 1}}, "does not use weights"),
        ("weighted", {"weights": {"1": 1, "2": 1}}, "one weight each"),
        ("weighted", {"weights": {"1": -1, "2": 1, "3": 1}}, "at least 0"),
        ("weighted", {"weights": {"1": 0, "2": 0, "3": 0}}, "above 0"),
        ("weighted", {"weights": {"1": math.nan, "2": 1, "3": 1}}, "at least 0"),
        ("slerp", {}, "Give two"),
        ("swa(last=4)", {}, "there are 3"),
        ("ema(decay=1)", {}, "between 0 and 1"),
        ("ties(density=0)", {"base": BASE}, "density must be above 0"),
        ("dare(drop=1)", {"base": BASE}, "between 0 and 1"),
        ("task_arithmetic(scale=-1)", {"base": BASE}, "scale must be above 0"),
        ("uniform", {"barrier": True}, "give score"),
        ("uniform", {"better": "more", "score": accuracy}, "better must be"),
        ("uniform", {"score": 3}, "must be a function"),
        ("uniform", {"seed": -1}, "seed must be a whole number"),
    ],
)
def test_what_a_recipe_cannot_do_is_one_clear_error(how, options, message):
    with pytest.raises(UnsupportedError, match=message):
        soup(TUNED, how, **options)


def test_weights_of_a_checkpoint_that_is_not_there_are_refused_by_name():
    with pytest.raises(NameLookupError, match="the checkpoints are 1, 2, 3"):
        soup(TUNED, weights={"1": 1, "2": 1, "4": 1})


def test_one_checkpoint_is_no_soup():
    with pytest.raises(UnsupportedError, match="at least 2 checkpoints; got 1"):
        soup(TUNED[0])


def test_every_recipe_is_listed_with_its_source():
    assert SOUPS.names() == [
        "dare", "ema", "greedy", "slerp", "swa", "task_arithmetic", "ties", "uniform", "weighted",
    ]  # fmt: skip
    assert all("Source: " in (SOUPS[name].__doc__ or "") for name in SOUPS.names())
