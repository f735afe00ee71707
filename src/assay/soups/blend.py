"""Blend: the tensors of a soup, computed a part at a time.

While one part is fused, the next is read: of every checkpoint some elements are in memory, whatever
its size.

>>> import torch
>>> from assay.soups.checkpoints import StateDict
>>> from assay.soups.uniform import Uniform
>>> states = [StateDict(str(i), {"w": torch.tensor([i, 2.0 * i])}) for i in (1, 3)]
>>> [part.tolist() for part in Blend(tuple(states), Uniform(), (0.5, 0.5)).compute(["w"])]
[[2.0, 4.0]]
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from assay.core.lazy import lazy_property
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

T = TypeVar("T")

END: Any = object()  # what a thread gives when there is nothing more to read


class Work(NamedTuple):
    """A part with what is done with it, and the type of the tensor that it belongs to."""

    part: Part
    recipe: Recipe
    survey: Any
    dtype: Any


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
        return _work_ahead(map(self.finish, _work_ahead(work)))

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
            for start, stop in split_tensor(spec):
                if name in kept:
                    yield self.checkpoints[0].read(name, start, stop)
                elif name in averaged:
                    part = self._read_part(name, start, stop)
                    yield Work(part, Uniform(), self.weights, spec.dtype)
                else:
                    part = self._read_part(name, start, stop)
                    yield Work(part, self.recipe, survey, spec.dtype)

    def _scan(self) -> Iterator[Part]:
        """All that the recipe fuses, part by part."""
        for name in self.recipe_tensors:
            for start, stop in split_tensor(self.specs[name]):
                yield self._read_part(name, start, stop)

    def _read_part(self, name: str, start: int, stop: int) -> Part:
        """Some elements of a tensor, of every checkpoint."""
        pieces = [checkpoint.read(name, start, stop) for checkpoint in self.checkpoints]
        base = None if self.base is None else self.base.read(name, start, stop).double()
        return Part(name, start, pieces, base)

    def finish(self, work: "Work | Tensor") -> Tensor:
        """The elements of the soup, in the type of its tensor.

        Parameters:
            work: What is to be fused, or elements that are as they shall be.

        Raises:
            UnsupportedError: Elements are not finite, and not the same in all checkpoints either.
        """
        if not isinstance(work, Work):
            return work
        elements = get_torch().empty(len(work.part.tensors[0]), dtype=work.dtype)
        for piece in work.part.split():
            at = piece.start - work.part.start
            fused = work.recipe.combine(piece, work.survey).to(work.dtype)
            if not math.isfinite(float(fused.sum())):  # the usual case in one pass
                wrong = ~fused.isfinite()
                fused[wrong] = self._explain_infinite(piece, wrong).to(work.dtype)
            elements[at : at + len(fused)] = fused
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


def _work_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same `items`, the next of which is made by a thread while one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, END)
        while (item := coming.result()) is not END:
            coming = pool.submit(next, items, END)
            yield item
