"""Options: what `soup` is asked for, checked before anything is read.

>>> choose_recipe("auto", None, None)
Uniform()
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import NameLookupError, UnsupportedError
from assay.soups.base import SOUPS, Recipe
from assay.soups.blend import Blend

__all__ = ["check_options", "choose_recipe", "divide_weights", "refuse_adapters"]


def choose_recipe(how: str | Recipe, weights: Any, score: Any) -> Recipe:
    """The recipe of that name; of "auto" or "soup" the one that suits what else is given.

    Parameters:
        how: Text or instance of a recipe, or "auto".
        weights: Weights of the checkpoints; None: none are given.
        score: What scores weights; None: nothing does.
    """
    if how not in ("auto", "soup"):
        return SOUPS.parse(how)
    if weights is not None:
        return SOUPS.parse("weighted")
    return SOUPS.parse("uniform" if score is None else "greedy")


def check_options(recipe: Recipe, *, base: Any, score: Any, better: str, barrier: bool) -> None:
    """UnsupportedError where something that the recipe needs is missing, or is of no use to it.

    Parameters:
        recipe: The recipe.
        base: The checkpoint from which the others were fine-tuned; None: not given.
        score: What scores weights; None: nothing does.
        better: Whether a higher or a lower score is better.
        barrier: Whether midpoints are scored.
    """
    if recipe.needs_base and base is None:
        raise UnsupportedError(
            f"{recipe.name} fuses what each checkpoint changed in the one that all were fine-tuned "
            f"from: give it as base, or use how='uniform'"
        )
    if base is not None and not recipe.needs_base:
        raise UnsupportedError(
            f"{recipe.name} does not use a base; leave base out, or use task_arithmetic, ties or "
            f"dare. To average the base as well, name it among the checkpoints."
        )
    if recipe.needs_score and score is None:
        raise UnsupportedError(
            f"{recipe.name} adds checkpoints by their score: give score, a function of a state "
            f"dict, or use how='uniform'"
        )
    if score is not None and not callable(score):
        raise UnsupportedError(f"score must be a function of a state dict; got {score!r:.80}")
    if barrier and score is None:
        raise UnsupportedError("barrier compares scores half-way between checkpoints: give score")
    if better not in ("higher", "lower"):
        raise UnsupportedError(f"better must be 'higher' or 'lower'; got {better!r}")


def divide_weights(
    recipe: Recipe, names: Sequence[str], weights: Mapping[str, float] | None
) -> tuple[list[float], list[str]]:
    """The weight of each checkpoint, summing to 1, and a note where those given did not.

    Parameters:
        recipe: The recipe.
        names: Names of the checkpoints.
        weights: The weights that are given, by name; None: none are.
    """
    if weights is None:
        if recipe.needs_weights:
            raise UnsupportedError(
                f"{recipe.name} needs the weight of each checkpoint: give weights, as in "
                f"{{{names[0]!r}: 0.7, {names[-1]!r}: 0.3}}, or use how='uniform'"
            )
        return recipe.weigh(len(names)), []
    if not recipe.needs_weights:
        raise UnsupportedError(
            f"{recipe.name} does not use weights; leave weights out, or use how='weighted'"
        )
    if not isinstance(weights, Mapping):
        raise UnsupportedError(
            f"weights must be given by name, as in {{{names[0]!r}: 0.7}}; got {weights!r:.80}"
        )
    if set(weights) != set(names):
        strange = [str(name) for name in weights if name not in names]
        kind = NameLookupError if strange else UnsupportedError
        raise kind(
            f"the weights are of {', '.join(map(str, weights))}, the checkpoints are "
            f"{', '.join(names)}; give one weight each, 0 to leave one out"
        )
    numbers = [_read_number(weights[name]) for name in names]
    total = sum(numbers)
    if not all(0 <= number < math.inf for number in numbers) or not total:
        raise UnsupportedError(
            f"weights must be numbers of at least 0, one of them above 0; got "
            f"{', '.join(f'{name}={weights[name]!r}' for name in names)}"
        )
    note = f"The weights are divided by their sum, {total:g}."
    return [number / total for number in numbers], [] if math.isclose(total, 1) else [note]


def _read_number(value: Any) -> float:
    """A weight as a number; nan where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def refuse_adapters(blend: Blend) -> None:
    """UnsupportedError where a `blend` of LoRA adapters is to be scored: its rank is another."""
    if blend.lora is not None:
        raise UnsupportedError(
            "the fused LoRA adapter has another rank than those given, so one function cannot load "
            "both. Leave score out, save the fused adapter, and score it as you score the others."
        )
