"""Explain: why a fusion works, by what each of its models adds, and whether fewer would do.

>>> from assay.fusions.fuse import fuse
>>> y = [1.0, 2.0, 4.0, 3.0] * 10
>>> table = Predictions.from_arrays(
...     y, {"a": [v + 1 for v in y], "b": [v - 1 for v in y], "c": [v + 3 for v in y]},
...     task="regression")
>>> explanation = fuse(table, "weighted", explain=True).explanation
>>> [row.model for row in explanation.rows if row.weight < 0.1]
['c']
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import UnsupportedError
from assay.fusions.base import Fusion
from assay.fusions.baselines import BASELINES
from assay.fusions.coalitions import Coalitions, choose_game
from assay.fusions.convex import Weights
from assay.fusions.diversity import Ambiguity, Pair, decompose, measure_oracle, measure_pairs
from assay.fusions.fitted import Fitted
from assay.fusions.frontier import FrontierPoint, choose_enough, find_frontier
from assay.fusions.judging import LOSS_NAMES
from assay.fusions.shares import Share, measure_shares
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["FusionExplanation", "MemberShare", "check_costs", "explain_fusion"]

MOST_VALUES = 40_000  # rows times models that are read; rows beyond are left out evenly
LEAST_ROWS = 40
MOST_PAIRS = 10  # that are shown
SMALL = 0.005  # a weight that is shown as 0.00
ALIKE = 0.95  # correlation of errors from which two models say nearly the same


@dataclass(frozen=True)
class MemberShare:
    """What one model adds to a fusion, in units of its loss: above 0 it lowers it.

    Parameters:
        model: Name of the model.
        weight: Its share in the fusion fitted on all rows; None where it has none.
        loss: Its loss alone.
        left_out: Loss of the fusion of all the others, less that of all.
        left_out_low: Lower end of its 95 % interval.
        left_out_high: Upper end.
        shapley: Mean of what it takes off the loss when it joins, over all orders of joining.
        low: Lower end of the 95 % interval of `shapley`.
        high: Upper end.
        sampling_error: Standard error of `shapley` from drawing orders; 0 where none were drawn.
        sentence: Of a model of weight 0, why; empty for others.
    """

    model: str
    weight: float | None
    loss: float
    left_out: float
    left_out_low: float
    left_out_high: float
    shapley: float
    low: float
    high: float
    sampling_error: float
    sentence: str = ""


@dataclass(frozen=True, repr=False)
class FusionExplanation(Result):
    """Why a fusion works: shares of its models, their diversity, and what few or cheap ones give.

    Every loss is cross-fitted: a row's is of a fusion fitted without its fold.

    Parameters:
        rows: What each model adds.
        game: Text of the fusion that any of the models are fused by for the shares.
        baseline: What the shares start from.
        baseline_loss: Its loss.
        loss: Loss of the fusion `game` of all models: `baseline_loss` less the sum of `shapley`.
        loss_name: What people call the loss.
        pairs: How differently every two models err.
        oracle: Share of rows on which some model is right; nan for values and scores.
        ambiguities: What the spread of the models is worth.
        frontier: The best fusion of each number of models, or of each cost.
        enough: The first point of the frontier that is not significantly worse than any.
        notes: What a reader must know beside the numbers.
    """

    schema_name: ClassVar[str] = "assay.fusion_explanation/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "game", "baseline", "baseline_loss", "loss", "loss_name", "rows", "pairs", "oracle",
        "ambiguities", "frontier", "enough", "notes",
    )  # fmt: skip

    rows: tuple[MemberShare, ...]
    game: str
    baseline: str
    baseline_loss: float
    loss: float
    loss_name: str
    pairs: tuple[Pair, ...]
    oracle: float
    ambiguities: tuple[Ambiguity, ...]
    frontier: tuple[FrontierPoint, ...]
    enough: FrontierPoint
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What the models take off the loss, which adds most, and how few would do."""
        first = max(self.rows, key=lambda row: row.shapley)
        saved = self.baseline_loss - self.loss
        is_whole = saved > 0 and all(row.shapley >= 0 for row in self.rows)
        share = f" ({first.shapley / saved:.0%})" if is_whole else ""
        have = "have" if self.baseline.startswith("the shares") else "has"
        return (
            f"The models take {format_number(saved)} off the {self.loss_name} of "
            f"{format_number(self.baseline_loss)} that {self.baseline} {have}; {first.model!r} "
            f"most, {format_number(first.shapley)}{share}. {self._describe_enough()}"
        )

    def _describe_enough(self) -> str:
        """The sentence on the cheapest point that is as good as any."""
        enough = self.enough
        best = min(self.frontier, key=lambda point: point.loss)
        named = ", ".join(enough.models)
        cost = "" if enough.cost is None else f" at a cost of {format_number(enough.cost)}"
        what = f"{named} alone" if enough.count == 1 else f"{enough.count} models ({named})"
        if enough is best:
            return f"The least loss is that of {what}{cost}: {format_number(enough.loss)}."
        return (
            f"Not significantly worse than any, and the {'cheapest' if cost else 'fewest'}: "
            f"{what}{cost}, {format_number(enough.loss)} against {format_number(best.loss)}."
        )

    @property
    def tables(self) -> list[TextTable]:
        """Shares of the models; their pairs; what their spread is worth; few or cheap models."""
        every = (self.shares, self.diversity, self.spread, self.choices)
        return [table for table in every if table.rows]

    @property
    def shares(self) -> TextTable:
        """What each model adds, with intervals."""
        rows = [
            [
                row.model,
                format_estimate(row.shapley, row.low, row.high),
                format_estimate(row.left_out, row.left_out_low, row.left_out_high),
            ]
            for row in self.rows
        ]
        return TextTable(["model", "Shapley share", "without it"], rows)

    @property
    def diversity(self) -> TextTable:
        """The ten pairs of models whose errors correlate most."""
        pairs = sorted(self.pairs, key=lambda pair: -np.nan_to_num(pair.correlation, nan=-2.0))
        rows = [[f"{p.a}, {p.b}", *map(format_number, p[2:])] for p in pairs[:MOST_PAIRS]]
        header = ["pair", "disagreement", "Q", "double fault", "error correlation"]
        return TextTable(header, rows)

    @property
    def spread(self) -> TextTable:
        """Mean loss of the models, loss of the fused, and the ambiguity, which is the difference.

        Empty where the outputs have no such identity.
        """
        rows = [[a.loss, *map(format_number, a[1:])] for a in self.ambiguities]
        return TextTable(["loss", "mean of the models", "fused", "ambiguity"], rows)

    @property
    def choices(self) -> TextTable:
        """The points of the frontier."""
        has_costs = self.enough.cost is not None
        rows = [
            [
                ", ".join(point.models),
                str(point.count),
                *([format_number(point.cost)] if has_costs else []),
                format_number(point.loss),
                format_estimate(point.behind, point.low, point.high),
            ]
            for point in self.frontier
        ]
        cost = ["cost"] if has_costs else []
        return TextTable(["chosen", "models", *cost, self.loss_name, "behind the least"], rows)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, in how many rows some model is right, and why models have no weight."""
        oracle = (
            []
            if math.isnan(self.oracle)
            else [f"Some model is right on {self.oracle:.1%} of the rows."]
        )
        return (*oracle, *self.notes, *(row.sentence for row in self.rows if row.sentence))

    @property
    def footnotes(self) -> tuple[str, ...]:
        """The remarks."""
        return self.remarks


def check_costs(costs: Any, models: Sequence[str]) -> None:
    """UnsupportedError unless `costs` give a number of at least 0 for each of the `models`."""
    if not isinstance(costs, Mapping) or sorted(map(str, costs)) != sorted(models):
        got = ", ".join(map(str, costs)) if isinstance(costs, Mapping) else repr(costs)
        raise UnsupportedError(
            f"costs must give a number for each model that is fused ({', '.join(models)}), as in "
            f"{{{models[0]!r}: 1.0}}; got {got}"
        )
    for model in models:
        cost = costs[model]
        is_number = isinstance(cost, Real) and not isinstance(cost, bool)
        if not (is_number and 0 <= float(cost) < math.inf):
            raise UnsupportedError(
                f"the cost of {model!r} must be a number of at least 0; got {cost!r}"
            )


def explain_fusion(
    fusion: Fusion[Any],
    table: Predictions,
    fold: Array,
    fits: Sequence[Fitted],
    losses: Mapping[str, float],
    costs: Mapping[str, float] | None = None,
    seed: int = 0,
) -> FusionExplanation:
    """Why the `fusion` of the models of a table works.

    Parameters:
        fusion: The fusion.
        table: The rows, of the models that were fused.
        fold: Fold of each row (n,), -1 for rows that were not fitted on.
        fits: The fusion fitted without each fold, and to all rows at the end.
        losses: Loss of each model alone.
        costs: Cost of each model, at least 0; default: none, and models are counted.
        seed: Seed of what is drawn.
    """
    fitted = fits[-1]
    judged = np.flatnonzero(fold >= 0)
    step = max(-(-len(judged) * len(table.models) // MOST_VALUES), 1)
    step = min(step, max(len(judged) // LEAST_ROWS, 1))
    every = judged[::step]
    rows, fold_of_rows = table.take(every), fold[every]
    game = Coalitions(rows, fold_of_rows, choose_game(fusion, fitted.kind), fitted.kind, seed)
    notes = list(_list_notes(game, fusion, fitted, len(every), len(judged)))
    weights, is_geometric, note = _find_weights(fits, rows, fold_of_rows)
    ambiguities = decompose(rows, weights, fitted.kind, is_geometric)
    if ambiguities and note:
        notes.append(note)
    pairs = measure_pairs(rows, fitted.kind)
    shares = measure_shares(game, seed)
    points = find_frontier(game, costs)
    importance = fitted.importance() or {}
    return FusionExplanation(
        rows=tuple(
            MemberShare(
                share.model,
                importance.get(share.model),
                losses[share.model],
                *share[1:],
                sentence=_explain_weight(share, importance, losses, pairs, game.kind),
            )
            for share in shares
        ),
        game=str(game.fusion),
        baseline=BASELINES[fitted.kind],
        baseline_loss=game.average(game.lose([])),
        loss=game.average(game.lose(range(game.size))),
        loss_name=LOSS_NAMES[fitted.kind],
        pairs=pairs,
        oracle=measure_oracle(rows, fitted.kind),
        ambiguities=ambiguities,
        frontier=points,
        enough=choose_enough(points),
        notes=tuple(notes),
    )


def _list_notes(
    game: Coalitions, fusion: Fusion[Any], fitted: Fitted, read: int, judged: int
) -> Iterator[str]:
    """How the shares were found."""
    if game.fusion is not fusion:
        yield (
            f"Shares and the frontier are those of {game.fusion}: {fusion} is too costly to fit to "
            f"every choice of models."
        )
    if read < judged:
        yield f"Explained on {read} of {judged} rows, evenly spread."


def _find_weights(
    fits: Sequence[Fitted], rows: Predictions, fold: Array
) -> tuple[Array, bool, str]:
    """Weight of each model for each row (n, m), whether logs are averaged, and a note."""
    models = rows.models
    fitted = fits[-1]
    equal = np.full((rows.n, len(models)), 1 / len(models))
    if fitted.how.startswith("geometric"):
        return equal, True, ""
    if not isinstance(fitted, Weights):
        return equal, False, f"The ambiguity is that of the mean, as {fitted.how} is no mean."
    by_fold = np.array([[fit.weights.get(name, 0.0) for name in models]
                        for fit in fits if isinstance(fit, Weights)])  # fmt: skip
    return by_fold[fold], False, ""


def _explain_weight(
    share: Share,
    importance: Mapping[str, float],
    losses: Mapping[str, float],
    pairs: Sequence[Pair],
    kind: Any,
) -> str:
    """Why a model has no weight, in one sentence; nothing of one that has some."""
    model = share.model
    if not importance or importance.get(model, 0.0) >= SMALL:
        return ""
    alike = [
        (pair.correlation, pair.b if pair.a == model else pair.a)
        for pair in pairs
        if model in (pair.a, pair.b) and pair.correlation >= ALIKE
    ]
    alike = [(r, other) for r, other in alike if importance.get(other, 0.0) >= SMALL]
    if alike:
        r, other = max(alike)
        seen = math.floor(100 * r) / 100
        said = f"says nearly the same as {other!r} (correlation of errors {seen:.2f})"
    else:
        best = min(losses, key=lambda name: (losses[name], name))
        behind = losses[model] - losses[best]
        alone = f"is worse alone by {format_number(behind)} {LOSS_NAMES[kind]} than {best!r}, and "
        said = (alone if behind > 0 else "") + "adds nothing that the others lack"
    change = format_estimate(share.left_out, share.left_out_low, share.left_out_high)
    return f"{model!r} has no weight: it {said}; without it the loss changes by {change}."
