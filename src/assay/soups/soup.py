"""Soup: the weights of several checkpoints of one architecture fused into those of one more.

>>> import torch
>>> states = {"a": {"w": torch.tensor([1.0, 2.0])}, "b": {"w": torch.tensor([3.0, 6.0])}}
>>> soup(states, "weighted", weights={"a": 3, "b": 1}).state_dict()["w"]
tensor([1.5000, 3.0000])
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from assay.core.arguments import check_whole
from assay.core.result import Result
from assay.core.text import Headline, TextTable, format_number
from assay.soups.alignment import check_integers, compare_origins, join_names
from assay.soups.base import Recipe
from assay.soups.blend import Blend
from assay.soups.options import check_options, choose_recipe, divide_weights, refuse_adapters
from assay.soups.output import save_blend
from assay.soups.scoring import Barrier, Ratings, Score, Scorer, rate_checkpoints
from assay.soups.sources import Source, open_all, open_one

__all__ = ["Soup", "soup"]


@dataclass(frozen=True, repr=False, eq=False)
class Soup(Result):
    """The weights of several checkpoints as one, computed when they are asked for.

    Parameters:
        how: Text of the recipe, as in "ties(density=0.2)".
        weights: Weight of each checkpoint; None of each where the soup is no weighted mean.
        scores: Score of each checkpoint; empty where nothing scored them.
        score: Score of the soup; nan where nothing scored it.
        better: Whether a "higher" or a "lower" score is better.
        barriers: Midpoints between checkpoints; empty where they were not asked for.
        parameters: How many elements the tensors of the soup have.
        notes: What a reader must know beside the numbers.
        blend: What computes the tensors.

    >>> import torch
    >>> fused = soup([{"w": torch.zeros(2)}, {"w": torch.ones(2)}])
    >>> fused.weights
    {'1': 0.5, '2': 0.5}
    """

    schema_name: ClassVar[str] = "assay.soup/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "how", "better", "score", "best", "improves", "parameters", "barriers", "notes", "rows",
    )  # fmt: skip

    how: str
    weights: Mapping[str, float | None]
    scores: Mapping[str, float]
    score: float
    better: Literal["higher", "lower"]
    barriers: tuple[Barrier, ...]
    parameters: int
    notes: tuple[str, ...]
    blend: Blend = field(repr=False)

    @property
    def best(self) -> str | None:
        """The checkpoint of the best score, the first where tied; None where none has a score."""
        if not self.scores:
            return None
        sign = 1 if self.better == "higher" else -1
        return max(self.scores, key=lambda name: sign * self.scores[name])

    @property
    def improves(self) -> bool | None:
        """Whether the soup scores better than the best checkpoint; None where nothing scored it."""
        if self.best is None:
            return None
        best = self.scores[self.best]
        return self.score > best if self.better == "higher" else self.score < best

    @property
    def verdict(self) -> str:
        """What the soup is, and how it scores against the best checkpoint."""
        what = f"{self.how} soup of {len(self.weights)} checkpoints"
        if self.best is None:
            return f"{what}, {self.parameters:,} parameters. Nothing scored it: give score=..."
        numbers = (
            f"{format_number(self.score)} against {format_number(self.scores[self.best])} of the "
            f"best checkpoint, {self.best!r}"
        )
        if self.improves:
            return f"The {what} scores better: {numbers}."
        if self.score == self.scores[self.best]:
            return f"The {what} scores the same: {numbers}."
        return f"The {what} scores worse, keep {self.best!r}: {numbers}."

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One tidy row a checkpoint."""
        return tuple(
            {"checkpoint": name, "weight": weight, "score": self.scores.get(name)}
            for name, weight in self.weights.items()
        )

    @property
    def tables(self) -> list[TextTable]:
        """Weight and score of each checkpoint; the score half-way between each two."""
        tables = [TextTable.from_records(self.rows)]
        if self.barriers:
            tables.append(TextTable.from_records([b._asdict() for b in self.barriers]))
        return tables

    def state_dict(self) -> dict[str, Any]:
        """The tensors of the soup in memory, for `model.load_state_dict`."""
        return self.blend.build()

    def save(self, path: str | Path) -> list[str]:
        """Write the soup, as a whole or not at all.

        Parameters:
            path: A file that ends in .safetensors, written part by part in bounded memory; one in
                .pt, .pth, .ckpt or .bin, of PyTorch, for which all is held in memory; or a new
                folder, which gets files of safetensors, in shards where the first checkpoint is.

        Returns:
            Notes on what was written beside the weights.
        """
        return save_blend(self.blend, path)


def soup(
    checkpoints: Source | Sequence[Source] | Mapping[str, Source],
    how: str | Recipe = "auto",
    *,
    weights: Mapping[str, float] | None = None,
    base: Source | None = None,
    score: Score | None = None,
    better: Literal["higher", "lower"] = "higher",
    barrier: bool = False,
    seed: int = 0,
) -> Soup:
    """Fuse the weights of several checkpoints of one architecture into those of one model.

    It helps where they were fine-tuned from one initialisation, or are of one run. Tensors are
    fused in double precision, one part after the other, and written in their own type. Whole
    numbers (counters, masks) are taken from the first checkpoint. Files of PyTorch are read weights
    only. LoRA adapters are averaged by their products, as one adapter of a higher rank.

    Parameters:
        checkpoints: Files (.safetensors, .pt, .pth, .ckpt, .bin), indices of shards
            (*.index.json), folders that hold one checkpoint each, or state dicts; a mapping names
            them. One folder of several checkpoints stands for these, by the numbers in their names.
        how: Text or instance of a recipe, as in "ties(density=0.3)": see `assay list soups`;
            default "auto": "greedy" where a score is given, else "uniform".
        weights: Weight of each checkpoint, at least 0, as in {"a": 0.7, "b": 0.3}; they are divided
            by their sum. For "weighted" alone.
        base: The checkpoint from which all were fine-tuned, for task_arithmetic, ties and dare.
        score: Function of a state dict that gives one number, on rows that nothing was trained on;
            it scores each checkpoint and the soup, which are held in memory for it. Default: none.
        better: Whether a "higher" (default) or a "lower" score is better.
        barrier: Whether the midpoint between each two checkpoints is scored, too; default: no.
        seed: Seed of what is random in the recipe; default 0.

    Returns:
        The soup, to be saved or taken as a state dict, with weights, scores and the verdict.

    Raises:
        SchemaError: The checkpoints hold tensors of other names, shapes or types.
        UnsupportedError: Too few checkpoints, or something that the recipe needs is missing.
        ReadError: A file cannot be read, or holds more than weights.

    Source: Wortsman et al. (2022), Model soups, ICML, arXiv 2203.05482.

    >>> import torch
    >>> states = [{"w": torch.tensor([0.0, 1.0])}, {"w": torch.tensor([2.0, 3.0])}]
    >>> soup(states, score=lambda state: -float((state["w"] - 1.5).square().sum()))
    The greedy soup of 2 checkpoints scores better: -0.5000 against -2.5000 of the best checkpoint,
    '1'.
    checkpoint  weight  score
    1           0.5000  -2.5000
    2           0.5000  -2.5000
    The score chose the weights, so that of the soup flatters it: score it on other rows.
    """
    check_whole("seed", seed, 0)
    recipe = choose_recipe(how, weights, score)
    opened, notes = open_all(checkpoints)
    recipe.check(len(opened))
    check_options(recipe, base=base, score=score, better=better, barrier=barrier)
    origin = None if base is None else open_one("base", base)
    shares, remark = divide_weights(recipe, [one.name for one in opened], weights)
    blend = Blend(tuple(opened), recipe, tuple(shares), origin, seed)
    ratings = Ratings()
    if score is not None:
        refuse_adapters(blend)
        ratings = rate_checkpoints(recipe, opened, Scorer(score, better), barrier=barrier)
        shares = list(ratings.weights) or shares
        blend = Blend(tuple(opened), recipe, tuple(shares), origin, seed)
        ratings = ratings._replace(soup=Scorer(score, better).rate(blend))
    notes += [*remark, *_note_tensors(blend), *_note_ratings(recipe, ratings, better)]
    names = [checkpoint.name for checkpoint in opened]
    return Soup(
        str(recipe),
        dict(zip(names, shares if recipe.linear else [None] * len(names), strict=True)),
        dict(zip(names, ratings.checkpoints, strict=False)),
        ratings.soup,
        better,
        ratings.barriers,
        sum(spec.size for spec in blend.specs.values()),
        tuple(dict.fromkeys(notes)),
        blend,
    )


def _note_tensors(blend: Blend) -> list[str]:
    """Notes on tensors that are not fused as the others, and on checkpoints that are no kin."""
    notes = check_integers(blend.checkpoints, blend.whole_numbers)
    if blend.running_statistics:
        layers = len(blend.running_statistics) // 2
        notes.append(
            Headline(
                f"{layers} batch-norm layer{'s have' * (layers > 1) or ' has'} running statistics: "
                f"their averages are not those of the soup's weights. Load the soup into the model "
                f"and call assay.refresh_batch_norm(model, batches) before using it."
            )
        )
    if blend.lora is not None:
        notes.append(
            "The LoRA adapters are averaged by their products B A, exactly; the rank is the sum of "
            "theirs. The mean of A and of B apart would be another model."
        )
    else:
        notes += compare_origins(blend.checkpoints, blend.recipe_tensors)
    if blend.aliases:
        notes.append(
            f"One tensor under several names, fused once: {join_names(list(blend.aliases))}."
        )
    return notes


def _note_ratings(recipe: Recipe, ratings: Ratings, better: str) -> list[str]:
    """Notes on what the scores say, and what they do not."""
    notes: list[str] = []
    sign = 1 if better == "higher" else -1
    if ratings.checkpoints and sign * ratings.soup < min(sign * s for s in ratings.checkpoints):
        notes.append(
            Headline(
                "The soup scores worse than every checkpoint: they do not lie in one basin of the "
                "loss (or batch norm is to be refreshed in the scoring). Do not use it."
            )
        )
    apart = [f"{one.a} and {one.b}" for one in ratings.barriers if one.is_high]
    if apart:
        notes.append(
            Headline(
                f"Half-way the score is worse than at both ends, between {', '.join(apart[:5])}"
                f"{' and other pairs' if len(apart) > 5 else ''}: do not average these."
            )
        )
    if recipe.needs_score:
        notes.append(
            "The score chose the weights, so that of the soup flatters it: score it on other rows."
        )
    elif ratings.checkpoints:
        notes.append(
            "One number each, without an interval: collect predictions and compare them "
            "(assay.collect, assay.compare) to know how sure the difference is."
        )
    return notes
