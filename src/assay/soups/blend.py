"""Blend: the tensors of a soup, computed a part at a time.

Some parts are read and fused at the same time, each by a thread: of every checkpoint some elements
are in memory, whatever its size.

>>> import torch
>>> from assay.soups.checkpoints import StateDict
>>> from assay.soups.uniform import Uniform
>>> states = [StateDict(str(i), {"w": torch.tensor([i, 2.0 * i])}) for i in (1, 3)]
>>> [part.tolist() for part in Blend(tuple(states), Uniform(), (0.5, 0.5)).compute(["w"])]
[[2.0, 4.0]]
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from assay.core.lazy import lazy_property
from assay.engines.local import run_in_order
from assay.errors import UnsupportedError
from assay.soups.alignment import (
    check_alike,
    check_numbers,
    find_running,
    join_names,
    split_tensor,
)
from assay.soups.base import Part, Recipe, Tensor, get_torch
from assay.soups.checkpoints import Checkpoint, TensorSpec
from assay.soups.lora import Lora, find_pairs, has_factors, plan_lora
from assay.soups.uniform import Uniform

__all__ = ["Blend"]

MOST_THREADS = 4  # more would wait for the disk, and hold more parts in memory


class Work(NamedTuple):
    """A part of a tensor, and the recipe that fuses it; None: it is the first checkpoint's."""

    name: str
    start: int
    stop: int
    recipe: Recipe | None
    survey: Any = None


@dataclass(frozen=True)
class Blend:
    """The checkpoints, and how each of their tensors becomes one.

    Parameters:
        checkpoints: Those that are fused.
        recipe: How.
        weights: The weight of each (m,).
        base: The checkpoint from which all were fine-tuned; default: none.
        seed: Seed of what is random; default 0.

    Raises:
        SchemaError: They do not hold the same tensors.
        UnsupportedError: They hold tensors that cannot be fused so.
    """

    checkpoints: tuple[Checkpoint, ...]
    recipe: Recipe
    weights: tuple[float, ...]
    base: Checkpoint | None = None
    seed: int = 0
    lora: Lora | None = field(init=False)
    specs: Mapping[str, TensorSpec] = field(init=False)

    def __post_init__(self) -> None:
        first = self.checkpoints[0]
        is_adapter = has_factors(first.tensors)
        factors = find_pairs(first.tensors) if is_adapter else {}
        if factors and not self.recipe.linear:
            raise UnsupportedError(
                f"{self.recipe.name} of the factors of LoRA adapters is none of the models. Use "
                f"how='uniform' or how='weighted', which average the products; or merge each "
                f"adapter into its base (merge_and_unload of PEFT) and fuse the models."
            )
        free = frozenset(name for pair in factors.values() for name in pair)
        extra = () if self.base is None else (self.base,)
        specs = check_alike([*self.checkpoints, *extra], free)
        check_numbers(specs)
        if self.recipe.linear:  # what has no weight is not read
            pairs = [(c, w) for c, w in zip(self.checkpoints, self.weights, strict=True) if w]
            object.__setattr__(self, "checkpoints", tuple(checkpoint for checkpoint, _ in pairs))
            object.__setattr__(self, "weights", tuple(weight for _, weight in pairs))
        lora = plan_lora(self.checkpoints, self.weights) if factors else None
        object.__setattr__(self, "lora", lora)
        object.__setattr__(self, "specs", lora.describe(specs) if lora else specs)

    @lazy_property
    def running_statistics(self) -> list[str]:
        """The running statistics of batch norm, which are averaged whatever the recipe."""
        return find_running(self.specs)

    @lazy_property
    def whole_numbers(self) -> list[str]:
        """The tensors of whole numbers, which are those of the first checkpoint."""
        return [name for name, spec in self.specs.items() if not spec.is_float]

    @lazy_property
    def recipe_tensors(self) -> list[str]:
        """The tensors that the recipe fuses, each once though it may have several names."""
        other = {
            *self.running_statistics,
            *self.whole_numbers,
            *(self.lora.names if self.lora else ()),
        }
        names = (name for name in self.specs if name not in other)
        return [name for name in names if self.aliases.get(name, name) == name]

    @lazy_property
    def aliases(self) -> dict[str, str]:
        """Of tensors with several names in all checkpoints the first name, by each of the names."""
        sources = [*self.checkpoints, *([] if self.base is None else [self.base])]
        groups = set(map(frozenset, sources[0].shared))
        for source in sources[1:]:
            groups &= set(map(frozenset, source.shared))
        first: dict[frozenset[str], str] = {}
        found: dict[str, str] = {}
        for name in self.specs:
            for group in groups:
                if name in group:
                    found[name] = first.setdefault(group, name)
        return found

    @lazy_property
    def survey(self) -> Any:
        """What the recipe must know of the tensors before it fuses them."""
        if self.recipe.linear:
            return self.weights
        return self.recipe.survey(self._scan, self.seed)

    def compute(self, names: Iterable[str]) -> Iterator[Tensor]:
        """The elements of the tensors of these `names`, flattened, one part after the other."""
        work = self._plan(names, self.survey)
        return run_in_order((partial(self._fuse, each) for each in work), _count_threads())

    def build(self) -> dict[str, Tensor]:
        """All tensors in memory; names that are one tensor in the checkpoints are one here."""
        torch = get_torch()
        state: dict[str, Tensor] = {}
        for name, spec in self.specs.items():
            first = self.aliases.get(name, name)
            if first in state:
                state[name] = state[first]
                continue
            whole = torch.empty(spec.size, dtype=spec.dtype)
            position = 0
            for part in self.compute([name]):
                whole[position : position + len(part)] = part
                position += len(part)
            state[name] = whole.reshape(spec.shape)
        return state

    def _plan(self, names: Iterable[str], survey: Any) -> Iterator[Work | Tensor]:
        """What is to be fused, or is as it shall be, read part by part."""
        averaged = set(self.running_statistics)
        kept = set(self.whole_numbers)
        joined = self.lora.names if self.lora else frozenset()
        for given in names:
            name = self.aliases.get(given, given)
            spec = self.specs[name]
            if name in joined:
                yield self.lora.join(name).to(spec.dtype)  # type: ignore[union-attr]
                continue
            recipe, facts = self.recipe, survey
            if name in averaged:
                recipe, facts = Uniform(), self.weights
            for start, stop in self._split(name):
                yield Work(name, start, stop, None if name in kept else recipe, facts)

    def _split(self, name: str) -> Iterator[tuple[int, int]]:
        """The parts of the tensor of that `name` in which it is read."""
        return split_tensor(self.specs[name], len(self.checkpoints) + (self.base is not None))

    def _scan(self) -> Iterator[Part]:
        """All that the recipe fuses, part by part."""
        reads = (
            partial(self._read_part, name, start, stop)
            for name in self.recipe_tensors
            for start, stop in self._split(name)
        )
        return run_in_order(reads, _count_threads())

    def _read_part(self, name: str, start: int, stop: int) -> Part:
        """Some elements of a tensor, of every checkpoint."""
        pieces = [checkpoint.read(name, start, stop) for checkpoint in self.checkpoints]
        base = None if self.base is None else self.base.read(name, start, stop).double()
        return Part(name, start, pieces, base)

    def _fuse(self, work: Work | Tensor) -> Tensor:
        """The elements of the soup, in the type of their tensor; those that are there already stay.

        UnsupportedError where elements are not finite, and not the same in all checkpoints either.
        """
        if not isinstance(work, Work):
            return work
        if work.recipe is None:
            return self.checkpoints[0].read(work.name, work.start, work.stop)
        part = self._read_part(work.name, work.start, work.stop)
        dtype = self.specs[work.name].dtype
        elements = get_torch().empty(work.stop - work.start, dtype=dtype)
        if not work.recipe.write(part, work.survey, elements):
            wrong = ~elements.isfinite()
            elements[wrong] = self._explain_infinite(part, wrong).to(dtype)
        return elements

    def _explain_infinite(self, part: Part, wrong: Tensor) -> Tensor:
        """The elements that are `wrong`, as all checkpoints have them: masks hold -inf."""
        first, *others = [tensor[wrong] for tensor in part.tensors]
        bases = [] if part.base is None else [part.base[wrong]]
        if all((other == first).all() for other in [*others, *bases]):
            return first
        sources = [*self.checkpoints, *([self.base] if self.base else [])]
        pieces = [first, *others, *bases]
        names = [
            source.name
            for source, piece in zip(sources, pieces, strict=True)
            if not piece.isfinite().all()
        ]
        if names:
            raise UnsupportedError(
                f"tensor {part.name!r} of {join_names(names)} has elements that are not finite: a "
                f"run that diverged. Leave it out."
            )
        raise UnsupportedError(
            f"tensor {part.name!r} of the soup does not fit into {self.specs[part.name].dtype}; "
            f"give a smaller scale"
        )


def _count_threads() -> int:
    return min(os.cpu_count() or 1, MOST_THREADS)
