"""Fuse: several models of a table made into one more, judged on rows that did not set its weights.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(
...     [0, 1, 1], {"a.proba": [0.4, 0.9, 0.3], "b.proba": [0.2, 0.5, 0.7]})
>>> fuse(p, "mean").predictions.outputs["fused"]["proba"][:, 1].round(2).tolist()
[0.3, 0.7, 0.5]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from assay.core.arguments import list_names
from assay.core.registry import Member
from assay.core.result import Result, to_plain
from assay.core.text import Headline, TextTable, format_number
from assay.errors import SchemaError, UnsupportedError
from assay.fusions.alarms import count_rows_of, find_alarms, merge_duplicates
from assay.fusions.base import FUSIONS, Fusion, check_two_models
from assay.fusions.baselines import BASELINES
from assay.fusions.choosing import (
    require_rows,
    set_costs,
    set_features,
    set_metric,
    set_weights,
)
from assay.fusions.cross_fitting import cross_fit, fuse_by_fold
from assay.fusions.explain import FusionExplanation, check_costs, explain_fusion
from assay.fusions.export_onnx import export_onnx
from assay.fusions.fitted import Fitted
from assay.fusions.judging import LOSS_NAMES, judge_fused
from assay.fusions.weight_intervals import bootstrap_weights
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.table.folds import assign_folds
from assay.table.predictions import Predictions

__all__ = ["Answer", "Fused", "fuse"]

Answer = Literal["pays", "probably better", "worse"]


@dataclass(frozen=True, repr=False, eq=False)
class Fused(Result):
    """A table with the fused model appended, the fitted fusion, and whether fusing pays.

    The losses are those of `evaluate` by the metric of the fused kind (log_loss, mse or
    hamming_loss), over the rows that were not left out as training rows.

    Parameters:
        predictions: The table with the fused model, whose column is cross-fitted: evaluating or
            comparing it is honest.
        fitted: The fusion fitted on all rows, for other tables: see `predict` and `save`.
        name: Name of the fused model.
        how: Text of the fusion, as in "weighted(shrink=1)".
        loss: Cross-fitted loss of the fused model.
        losses: Loss of each single model on the same rows.
        single_loss: Loss of the best single model, chosen without each fold as the fusion is fitted
            without it; so its choice has seen no more than the fusion.
        difference: Loss of the fused model less `single_loss`, paired row by row.
        low: Lower end of the 95 % interval of the difference, by the larger of the error of rows
            and that of folds; nan where there are too few rows.
        high: Upper end of that interval.
        probability: How sure it is that the fused model is better on rows never seen, 0 to 1; nan
            where there are too few rows.
        notes: What a reader must know beside the numbers.
        baseline_loss: Loss of what knows no input: the shares of the classes, the mean of the
            truth, the most frequent class, or chance, by the other folds.
        beats_baseline: Whether the fused model is better than that beyond the noise of the rows;
            only then fusing pays.
        explanation: Why the fusion works, where that was asked for (`explain`); else None.
        weight_intervals: 95 % interval of each weight, where that was asked for (`intervals`); else
            None.

    >>> y = [1.0, 2.0, 4.0, 3.0] * 5
    >>> table = Predictions.from_arrays(
    ...     y, {"a": [v + 1 for v in y], "b": [v - 1 for v in y]}, task="regression")
    >>> fuse(table, "mean").predict(table).models
    ['a', 'b', 'fused']
    """

    schema_name: ClassVar[str] = "assay.fusion/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "name", "how", "best", "pays", "answer", "probability", "single_loss", "difference",
        "low", "high", "note", "fitted", "rows", "explanation",
        "baseline_loss", "beats_baseline", "weight_intervals",
    )  # fmt: skip

    predictions: Predictions
    fitted: Fitted
    name: str
    how: str
    loss: float
    losses: Mapping[str, float]
    single_loss: float
    difference: float
    low: float
    high: float
    probability: float
    notes: tuple[str, ...]
    baseline_loss: float = float("nan")
    beats_baseline: bool = True
    explanation: FusionExplanation | None = None
    weight_intervals: Mapping[str, tuple[float, float]] | None = None

    @property
    def weights(self) -> Mapping[str, float]:
        """Share of each model in the fusion fitted on all rows; empty where there is none."""
        return self.fitted.importance() or {}

    @property
    def loss_name(self) -> str:
        """What people call the loss: log loss, squared error or error rate."""
        return LOSS_NAMES[self.fitted.kind]

    @property
    def best(self) -> str:
        """The single model of least loss, the first by name where tied."""
        return min(self.losses, key=lambda name: (self.losses[name], name))

    @property
    def pays(self) -> bool | None:
        """Whether the fused model beats the best single one beyond the noise of the rows.

        And the baseline: of models that know nothing the mean is the better one, and of no use.
        """
        return None if np.isnan(self.high) else bool(self.high < 0 and self.beats_baseline)

    @property
    def answer(self) -> Answer | None:
        """Whether to fuse: it pays, is probably better, or is worse; None for too few rows.

        It is "worse", so keep the best single model, where the difference is 0 or more, beyond the
        noise or not: `hurts` tells.
        """
        if self.pays is None:
            return None
        if self.pays:
            return "pays"
        return "probably better" if self.difference < 0 else "worse"

    @property
    def hurts(self) -> bool:
        """Whether the fused model is worse than the best single one beyond the rows' noise."""
        return bool(self.low > 0)

    @cached_property
    def note(self) -> str:
        """The verdict in words, then everything a reader must know beside it."""
        return " ".join([self.verdict, *self.notes])

    @property
    def verdict(self) -> str:
        """Whether fusing pays, is probably better, or is worse, in one sentence."""
        best = self.best
        losses = (
            f"{self.loss_name} {format_number(self.loss)} against "
            f"{format_number(self.single_loss)} of the best single model"
        )
        if self.answer is None:
            return f"Too few rows to say whether fusing pays: {losses}."
        evidence = (
            f"{losses} (difference {self.difference:+.4g}, "
            f"95% interval {self.low:+.4g} to {self.high:+.4g})"
        )
        keep = "" if self.difference < 0 else f", keep {best!r}"
        return f"Fusing {self.effect}{keep}: {evidence}.{self._describe_baseline()}"

    def _describe_baseline(self) -> str:
        """That the fused model is no better than the baseline, where it would be chosen."""
        if self.beats_baseline or self.difference >= 0:
            return ""
        return (
            f" But it is no better, beyond the noise, than {BASELINES[self.fitted.kind]} "
            f"({self.loss_name} {format_number(self.baseline_loss)}), which needs no model."
        )

    @property
    def effect(self) -> str:
        """The answer as the predicate of a sentence on fusing, as in "pays"."""
        if self.pays:
            return "pays"
        if self.hurts:
            return "hurts"
        if not self.difference:
            return "changes nothing"
        kind, chance = (
            ("better", self.probability) if self.difference < 0 else ("worse", 1 - self.probability)
        )
        return f"is probably {kind} ({100 * chance:.0f} in 100)"

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One tidy row a model, the fused one last."""
        weights = self.weights
        losses = {**self.losses, self.name: self.loss}
        return tuple(
            {"model": m, "weight": weights.get(m), "loss": loss, "loss_name": self.loss_name}
            for m, loss in losses.items()
        )

    @property
    def details(self) -> list[str]:
        """What was fused, and how; and why that works, where it was asked for."""
        why = [] if self.explanation is None else [self.explanation.verdict]
        return [f"{self.name}: {self.how} of {len(self.losses)} models.", *why]

    @property
    def tables(self) -> list[TextTable]:
        """Weight and loss of each model, the fused one last; then the tables of the explanation."""
        weights = {model: f"{weight:.3f}" for model, weight in self.weights.items()}
        for model, (low, high) in (self.weight_intervals or {}).items():
            weights[model] += f" [{low:.3f}, {high:.3f}]"
        rows = [
            [row["model"], weights.get(row["model"], ""), format_number(row["loss"])]
            for row in self.rows
        ]
        more = [] if self.explanation is None else self.explanation.tables
        return [TextTable(["model", "weight", self.loss_name], rows), *more]

    @property
    def footnotes(self) -> tuple[str, ...]:
        """The notes, then those of the explanation and why models have no weight."""
        return self.notes if self.explanation is None else (*self.notes, *self.explanation.remarks)

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract; of the fitted fusion what `assay.fitted/1` had."""
        fitted = self.fitted
        summary = {
            "how": fitted.how,
            "weights": fitted.importance(),
            "kind": fitted.kind,
            "task": fitted.schema.task,
            "classes": fitted.schema.classes,
            "gap": fitted.gap,
            "note": " ".join(fitted.notes),
        }
        why = None if self.explanation is None else self.explanation.document
        return {**super().to_dict(), "fitted": to_plain(summary), "explanation": why}

    def predict(self, predictions: Source) -> Predictions:
        """Other rows with the fused model appended, by the fusion fitted on all rows.

        Parameters:
            predictions: A table, or the path or paths of one, with the columns of the fused models.

        Returns:
            The table with one more model, named as here; with a note where rows are among those
            fitted on, as the fused model's values on these are optimistic.
        """
        table = open_table(predictions, in_memory=True)
        seen = count_rows_of(table, self.predictions, list(self.losses))
        column = table.append(self.name, **self.fitted.apply(table))
        if not seen or not FUSIONS.parse(self.how).learns:
            return column
        warning = Headline(
            f"{seen} of {table.n} rows are among those that {self.name!r} was fitted on: its "
            f"values on them are optimistic; the cross-fitted ones are honest (fused.predictions)."
        )
        return replace(column, notes=(warning, *column.notes))

    def save(self, path: str | Path) -> None:
        """Write the fitted fusion to one file, as a whole or not at all; `load_fitted` reads it.

        Parameters:
            path: File to write.
        """
        self.fitted.save(path)

    def export_onnx(self, path: str | Path, models: Mapping[str, Any], X: Any) -> list[str]:
        """Write the fitted fusion and the models that it fuses as one ONNX graph.

        Parameters:
            path: File to write.
            models: The models by name: estimators of scikit-learn, modules of PyTorch, graphs.
            X: Some rows of inputs; see `assay.export_onnx`.

        Returns:
            Notes: how near the graph is to the models.
        """
        return export_onnx(self.fitted, path, models, X)


@accept_arrays
def fuse(  # noqa: PLR0913 - the options of a verb
    predictions: Source,
    how: str | Fusion[Any] = "auto",
    *,
    metric: str | Member | None = None,
    models: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    name: str | None = None,
    folds: int = 5,
    seed: int = 0,
    where: str | None = None,
    explain: bool = False,
    costs: Mapping[str, float] | None = None,
    features: Sequence[str] | None = None,
    intervals: bool = False,
) -> Fused:
    """Append one model that fuses all those of the table, and say whether that pays.

    Each row's fused prediction comes from a fusion fitted without that row's fold. Training rows
    are not fitted on (their members' outputs are not honest), unless all are.

    Parameters:
        predictions: A table of two models or more, a data frame, the path of a file or of several,
            or the truth followed by what models predict, as for `evaluate`.
        how: Text or instance of a fusion, as in "weighted(shrink=2)"; default "auto", which
            averages fusions of several kinds, each by how well it does on rows left out of its fit.
        metric: What a fusion that searches a metric (greedy) aims at; default: its own.
        models: Names of the models to fuse, 2 or more; default: all. The table keeps the others.
        weights: Weight of each model that is fused, at least 0, as in {"a": 0.7, "b": 0.3}; they
            are divided by their sum. Default: as `how` finds them. For "mean" and votes alone.
        name: Name of the appended model; default "fused".
        folds: Folds of the cross-fitting where the table has no usable `fold` column, 2 or more;
            random by `seed`, stratified by class and, with a `cluster` column, of whole clusters.
        seed: Seed of the folds, and of what is random in fitting; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.
        explain: Whether to say why the fusion works (`fused.explanation`): what each model adds,
            how differently they err, how few would do; default False, as it takes many fits.
        costs: Cost of each model that is fused, at least 0, as in {"a": 1, "b": 20}, for what the
            cheap ones give; asks for the explanation, and is what "greedy(max_cost=21)" counts.
            Default: models are counted.
        features: Columns of the table that the fusion reads beside the models, as for "gated",
            "neighbours" and "stacking"; default: none.
        intervals: Whether to give a 95 % interval with each weight (`fused.weight_intervals`), from
            weights on 200 resamples of the rows, or of clusters; default False.

    Returns:
        The table with the cross-fitted column, the fitted fusion, losses and the verdict.

    Raises:
        UnsupportedError: Fewer than two models, outputs that the fusion cannot fuse, too few rows
            for it, or weights or costs that are not one for each model.
        NameLookupError: One of `models` is not in the table.
        SchemaError: A model is already named `name`.

    >>> p = Predictions.from_arrays(
    ...     [1.0, 2.0, 4.0], {"a": [1.2, 2.2, 4.0], "b": [0.8, 1.9, 3.9]}, task="regression")
    >>> fuse(p, "mean").loss < 0.01
    True
    """
    fusion, notes = set_metric(FUSIONS.parse(how), metric)
    table = open_table(predictions, in_memory=True, where=where)
    if not table.schema.has_truth:
        raise UnsupportedError(
            "fusing needs a truth, and the table holds scores of the rows alone; name the column "
            "of the truth (truth=..., --truth COLUMN)"
        )
    name = name or "fused"
    if name in table.models:
        raise SchemaError(
            f"a model is already named {name!r}; give the fused one another: fuse(..., name='...')"
        )
    whole = table
    if models is not None:
        table = table.select(list_names("models", models))
    check_two_models(table)
    if costs is not None:
        check_costs(costs, table.models)
    if features is not None:
        fusion = set_features(fusion, list_names("features", features))
    fold, fold_notes = assign_folds(table, folds, seed)
    judging = table if fold.min() >= 0 else table.take(fold >= 0)
    notes += find_alarms(judging)
    members = table
    if weights is None:
        kept, copies = merge_duplicates(table)
        members = table if not copies else table.select(kept)
        notes += copies
    else:
        fusion = set_weights(fusion, weights, table.models)
    if costs is not None:
        fusion = set_costs(fusion, costs, members.models)
    fusion, reason = require_rows(fusion, judging, fold[fold >= 0])
    notes += reason
    fitted, by_fold = cross_fit(fusion, members, fold, seed)
    column: dict[str, Array] = {fitted.kind: fuse_by_fold(members, fold, [*by_fold, fitted])}
    appended = table.append(name, **column)
    judged = judge_fused(appended.take(fold >= 0), name, fitted.kind, fold[fold >= 0])
    explanation = None
    if explain or costs is not None:
        fits = [*by_fold, fitted]
        explanation = explain_fusion(fusion, members, fold, fits, judged["losses"], costs, seed)
    weight_intervals = bootstrap_weights(fusion, members, fold, seed) if intervals else None
    return Fused(
        predictions=appended if table is whole else whole.append(name, **column),
        fitted=fitted,
        name=name,
        how=str(fusion),
        notes=tuple(
            filter(None, [*table.notes, *fitted.notes, *notes, *fold_notes[not fusion.learns :]])
        ),
        explanation=explanation,
        weight_intervals=weight_intervals,
        **judged,
    )
