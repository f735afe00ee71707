"""LoRA: adapters are averaged by the products of their factors, exactly, as one of a higher rank.

An adapter changes a matrix by s B A. The mean of several is not the product of the means of B and
of A: mean(B) mean(A) mixes each B with the A of another. It is the product of all B side by side
(each times its weight and scale) and all A one below the other, whose rank is the sum of theirs.

>>> find_pairs(["q.lora_A.weight", "q.lora_B.weight", "head.weight"])
{'q': ('q.lora_A.weight', 'q.lora_B.weight')}
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ReadError, UnsupportedError
from assay.soups.alignment import join_names
from assay.soups.base import Tensor, get_torch
from assay.soups.checkpoints import Checkpoint, TensorSpec

__all__ = ["CONFIG", "Lora", "find_pairs", "has_factors", "plan_lora"]

CONFIG = "adapter_config.json"  # where PEFT keeps the rank and the scale of an adapter

FACTOR = re.compile(
    r"(?P<module>.+)\."
    r"(?:(?P<down>lora_(?:embedding_)?A|lora_down)|(?P<up>lora_(?:embedding_)?B|lora_up))"
    r"(?:\.\w+)?(?:\.weight)?"
)
# Factors of other kinds of adapters, whose products are of another form.
OTHER = re.compile(r"\b(?:lora|hada|lokr|oft|vera)[_.](?:\w+)")


def has_factors(names: Iterable[str]) -> bool:
    """Whether some of the `names` are of factors of an adapter."""
    return any(OTHER.search(name) for name in names)


def find_pairs(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The names of the factors A and B of each module, among the `names` of an adapter's tensors.

    Raises:
        UnsupportedError: A factor stands alone, or is of another kind of adapter.
    """
    factors: dict[str, dict[str, str]] = {}
    strange: list[str] = []
    for name in names:
        match = FACTOR.fullmatch(name)
        if match and not name.endswith(".bias"):
            side = "down" if match["down"] else "up"
            factors.setdefault(match["module"], {})[side] = name
        elif OTHER.search(name) and not name.endswith(".alpha"):
            strange.append(name)
    strange += [name for pair in factors.values() if len(pair) < 2 for name in pair.values()]
    if strange:
        raise UnsupportedError(
            f"{join_names(strange)} belong to an adapter that is not a sum of products B A, so an "
            f"average of its tensors is no average of models. Merge each adapter into its base "
            f"(merge_and_unload of PEFT), save the models, and fuse those."
        )
    return {module: (pair["down"], pair["up"]) for module, pair in factors.items()}


@dataclass(frozen=True)
class Lora:
    """How the adapters of several checkpoints become one of a higher rank.

    Parameters:
        checkpoints: Those that have a weight, in order.
        weights: Their weights (m,).
        pairs: Names of A and B of each module.
        scales: What each checkpoint multiplies B A by, for each module.
        config: The adapter_config.json of the result; None where the tensors tell the scale.
    """

    checkpoints: tuple[Checkpoint, ...]
    weights: tuple[float, ...]
    pairs: Mapping[str, tuple[str, str]]
    scales: Mapping[str, tuple[float, ...]]
    config: Mapping[str, Any] | None

    @property
    def names(self) -> frozenset[str]:
        """The names of all tensors that are joined here."""
        alphas = {f"{module}.alpha" for module in self.pairs} if self.config is None else set()
        return frozenset(alphas.union(*self.pairs.values()))

    def describe(self, specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
        """The `specs` of the checkpoints, with the shapes that the joined factors have."""
        described = dict(specs)
        for module, (down, up) in self.pairs.items():
            rank = self._sum_ranks(module)
            described[down] = TensorSpec((rank, *specs[down].shape[1:]), specs[down].dtype)
            wide = (specs[up].shape[0], rank, *specs[up].shape[2:])
            described[up] = TensorSpec(wide, specs[up].dtype)
        return described

    def join(self, name: str) -> Tensor:
        """The joined tensor of that `name`, flattened, in double precision."""
        torch = get_torch()
        module = next(m for m, pair in self.pairs.items() if name in (*pair, f"{m}.alpha"))
        if name.endswith(".alpha"):
            return torch.tensor([float(self._sum_ranks(module))]).double()
        pieces = [checkpoint.read_whole(name).double() for checkpoint in self.checkpoints]
        if name == self.pairs[module][0]:
            return torch.cat(pieces, 0).reshape(-1)
        factors = zip(pieces, self.weights, self.scales[module], strict=True)
        return torch.cat([piece * (w * scale) for piece, w, scale in factors], 1).reshape(-1)

    def _sum_ranks(self, module: str) -> int:
        """The rank of the joined factors of a `module`."""
        down = self.pairs[module][0]
        return sum(checkpoint.tensors[down].shape[0] for checkpoint in self.checkpoints)


def plan_lora(checkpoints: Sequence[Checkpoint], weights: Sequence[float]) -> Lora:
    """How the adapters in `checkpoints` are joined with those `weights`.

    Raises:
        UnsupportedError: The scale of an adapter is not known, or adapters are of several kinds.
    """
    pairs = find_pairs(checkpoints[0].tensors)
    chosen = [i for i, weight in enumerate(weights) if weight]
    taken = tuple(checkpoints[i] for i in chosen)
    if all(f"{module}.alpha" in checkpoints[0].tensors for module in pairs):
        scales = {
            module: tuple(_read_scale(checkpoint, module, down) for checkpoint in taken)
            for module, (down, _) in pairs.items()
        }
        return Lora(taken, tuple(weights[i] for i in chosen), pairs, scales, None)
    configs = [_read_config(checkpoint) for checkpoint in taken]
    _check_configs(taken, configs)
    of_all = tuple(map(_compute_scale, configs))
    ranks = {
        sum(checkpoint.tensors[down].shape[0] for checkpoint in taken) for down, _ in pairs.values()
    }
    if len(ranks) > 1:
        raise UnsupportedError(
            f"the modules of the adapters have ranks that differ: {sorted(ranks)} in sum. Merge "
            f"each adapter into its base (merge_and_unload of PEFT) and fuse the models."
        )
    rank = ranks.pop()
    config = {**configs[0], "r": rank, "lora_alpha": rank, "use_rslora": False}
    scales = dict.fromkeys(pairs, of_all)
    return Lora(taken, tuple(weights[i] for i in chosen), pairs, scales, config)


def _read_scale(checkpoint: Checkpoint, module: str, down: str) -> float:
    """The scale of a `module` whose file has an alpha: alpha by rank."""
    alpha = float(checkpoint.read(f"{module}.alpha", 0, 1)[0])
    return alpha / checkpoint.tensors[down].shape[0]


def _read_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The configuration that lies beside an adapter."""
    path = None if checkpoint.path is None else checkpoint.path.parent / CONFIG
    if path is None or not path.is_file():
        raise UnsupportedError(
            f"{checkpoint.name} is a LoRA adapter, and its scale (lora_alpha by r) is in "
            f"{CONFIG}, which is not there. Name the folder in which PEFT saved the adapter."
        )
    try:
        config: dict[str, Any] = json.loads(Path(path).read_bytes())
        config["r"], config["lora_alpha"]
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(f"{path}: this is no configuration of a LoRA adapter") from error
    return config


def _check_configs(checkpoints: Sequence[Checkpoint], configs: Sequence[Mapping[str, Any]]) -> None:
    """UnsupportedError where adapters are not plain LoRA of one base."""
    for checkpoint, config in zip(checkpoints, configs, strict=True):
        special = [key for key in ("use_dora", "rank_pattern", "alpha_pattern") if config.get(key)]
        if special:
            raise UnsupportedError(
                f"{checkpoint.name}: adapters with {' and '.join(special)} are not averaged. Merge "
                f"each adapter into its base (merge_and_unload of PEFT) and fuse the models."
            )
        for key in ("base_model_name_or_path", "fan_in_fan_out"):
            if config.get(key) != configs[0].get(key):
                raise UnsupportedError(
                    f"{checkpoint.name} and {checkpoints[0].name} differ in {key}: "
                    f"{config.get(key)!r} and {configs[0].get(key)!r}. Adapters are averaged where "
                    f"they change one base."
                )


def _compute_scale(config: Mapping[str, Any]) -> float:
    """What an adapter multiplies B A by."""
    rank = float(config["r"])
    return float(config["lora_alpha"]) / (rank**0.5 if config.get("use_rslora") else rank)
