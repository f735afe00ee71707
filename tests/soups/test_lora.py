"""LoRA adapters are averaged as what they do to a matrix, not factor by factor."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay.errors import UnsupportedError
from assay.soups.soup import soup
from soup_nets import fine_tuned

CONFIG = {
    "peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 2, "lora_alpha": 8,
    "target_modules": ["q", "emb"],
}  # fmt: skip
PREFIX = "base_model.model."
SHAPES = {"q": ((2, 6), (5, 2)), "conv": ((2, 3, 3, 3), (4, 2, 1, 1))}


def make_adapter(seed, rank=2):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for module, (down, up) in SHAPES.items():
        a = torch.randn(rank, *down[1:], generator=generator)
        b = torch.randn(up[0], rank, *up[2:], generator=generator)
        tensors[f"{PREFIX}{module}.lora_A.weight"] = a
        tensors[f"{PREFIX}{module}.lora_B.weight"] = b
    tensors[f"{PREFIX}emb.lora_embedding_A"] = torch.randn(rank, 7, generator=generator)
    tensors[f"{PREFIX}emb.lora_embedding_B"] = torch.randn(3, rank, generator=generator)
    tensors[f"{PREFIX}head.weight"] = torch.randn(3, 3, generator=generator)
    return tensors


def save_adapter(folder, tensors, **config):
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({**CONFIG, **config}))


def change(tensors, config, module, names=("lora_A.weight", "lora_B.weight")):
    """What an adapter adds to the matrix of a module, as PEFT computes it."""
    a, b = (tensors[f"{PREFIX}{module}.{name}"].double().flatten(1) for name in names)
    rank = config["r"] ** 0.5 if config.get("use_rslora") else config["r"]
    return config["lora_alpha"] / rank * (b @ a)


@pytest.mark.parametrize(
    "configs",
    [
        [{}, {}],
        [{}, {"r": 3, "lora_alpha": 1}],
        [{"use_rslora": True}, {"lora_alpha": 5}],
    ],
    ids=["alike", "other ranks", "other scales"],
)
def test_the_change_of_the_soup_is_the_mean_of_the_changes(tmp_path, configs):
    adapters = [make_adapter(i, config.get("r", 2)) for i, config in enumerate(configs)]
    for name, tensors, config in zip("ab", adapters, configs, strict=True):
        save_adapter(tmp_path / "in" / name, tensors, **config)
    fused = soup(tmp_path / "in", weights={"a": 0.3, "b": 0.7})
    fused.save(tmp_path / "out")
    written = load_file(tmp_path / "out" / "adapter_model.safetensors")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["r"] == written[f"{PREFIX}q.lora_A.weight"].shape[0]
    for module, names in [
        ("q", ("lora_A.weight", "lora_B.weight")),
        ("conv", ("lora_A.weight", "lora_B.weight")),
        ("emb", ("lora_embedding_A", "lora_embedding_B")),
    ]:
        expected = sum(
            weight * change(tensors, {**CONFIG, **own}, module, names)
            for weight, tensors, own in zip((0.3, 0.7), adapters, configs, strict=True)
        )
        found = change(written, config, module, names)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    head = 0.3 * adapters[0][f"{PREFIX}head.weight"] + 0.7 * adapters[1][f"{PREFIX}head.weight"]
    torch.testing.assert_close(written[f"{PREFIX}head.weight"], head)
    assert any("would be another model" in note for note in fused.notes)


def test_the_mean_of_the_factors_is_another_model(tmp_path):
    adapters = [make_adapter(0), make_adapter(1)]
    factors = {name: (adapters[0][name] + adapters[1][name]) / 2 for name in adapters[0]}
    mean = sum(change(tensors, CONFIG, "q") for tensors in adapters) / 2
    assert float((change(factors, CONFIG, "q") - mean).abs().max()) > 1


def test_an_adapter_whose_file_has_its_alphas_needs_no_configuration(tmp_path):
    generator = torch.Generator().manual_seed(0)
    adapters = [
        {
            "unet.q.lora_down.weight": torch.randn(2, 6, generator=generator),
            "unet.q.lora_up.weight": torch.randn(5, 2, generator=generator),
            "unet.q.alpha": torch.tensor(alpha),
        }
        for alpha in (1.0, 4.0)
    ]
    fused = soup(adapters).state_dict()

    def compute(a):
        rank = a["unet.q.lora_down.weight"].shape[0]
        scale = float(a["unet.q.alpha"]) / rank
        return scale * a["unet.q.lora_up.weight"] @ a["unet.q.lora_down.weight"]

    torch.testing.assert_close(compute(fused), (compute(adapters[0]) + compute(adapters[1])) / 2)


def test_an_adapter_without_its_scale_is_refused():
    with pytest.raises(UnsupportedError, match=r"its scale \(lora_alpha by r\) is in adapter"):
        soup([make_adapter(0), make_adapter(1)])


@pytest.mark.parametrize(
    ("how", "options", "message"),
    [
        ("ties", {"base": make_adapter(2)}, "is none of the models"),
        ("slerp", {}, "is none of the models"),
        ("greedy", {"score": lambda state: 1.0}, "another rank"),
    ],
)
def test_recipes_that_make_no_sense_of_factors_are_refused(tmp_path, how, options, message):
    for seed, name in enumerate("ab"):
        save_adapter(tmp_path / name, make_adapter(seed))
    with pytest.raises(UnsupportedError, match=message):
        soup(tmp_path, how, **options)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_dora": True}, "use_dora are not averaged"),
        ({"alpha_pattern": {"q": 3}}, "alpha_pattern"),
        ({"base_model_name_or_path": "other"}, "where they change one base"),
    ],
)
def test_adapters_of_other_kinds_or_other_bases_are_refused(tmp_path, config, message):
    save_adapter(tmp_path / "a", make_adapter(0))
    save_adapter(tmp_path / "b", make_adapter(1), **config)
    with pytest.raises(UnsupportedError, match=message):
        soup(tmp_path)


@pytest.mark.parametrize(
    "name", ["q.hada_w1_a", "q.lokr_w1", "q.lora_magnitude_vector", "q.lora_A.weight"]
)
def test_factors_of_products_of_another_form_or_without_partner_are_refused(name):
    with pytest.raises(UnsupportedError, match="merge_and_unload"):
        soup([{name: torch.ones(2)}] * 2)


def test_an_adapter_is_written_to_a_folder_with_its_new_rank(tmp_path):
    for seed, name in enumerate("ab"):
        save_adapter(tmp_path / "in" / name, make_adapter(seed))
    with pytest.raises(UnsupportedError, match="name a new folder"):
        soup(tmp_path / "in").save(tmp_path / "a.safetensors")


def test_the_merged_models_of_adapters_have_the_mean_that_their_soup_has(tmp_path):
    """What the advice to merge says: base + mean of changes is the mean of the merged models."""
    base, _ = fine_tuned()
    adapters = [make_adapter(0), make_adapter(1)]
    merged = [{"q": base["0.weight"][:5, :6] + change(t, CONFIG, "q").float()} for t in adapters]
    for name, tensors in zip("ab", adapters, strict=True):
        save_adapter(tmp_path / "in" / name, tensors)
    soup(tmp_path / "in").save(tmp_path / "out")
    written = load_file(tmp_path / "out" / "adapter_model.safetensors")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    expected = base["0.weight"][:5, :6] + change(written, config, "q").float()
    torch.testing.assert_close(soup(merged).state_dict()["q"], expected, rtol=0, atol=1e-5)
