"""Content: all that is known of the models of one table, before it is put in words or on a page.

>>> [name for name in Content.__dataclass_fields__][:4]
['title', 'metric', 'predictions', 'evaluation']
"""

from dataclasses import dataclass

from assay.charts.leaderboard import rank_models
from assay.comparison.compare import Comparison
from assay.diagnosis.diagnose import Diagnosis
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.values import Row
from assay.fusions.fuse import Fused
from assay.table.predictions import Predictions

__all__ = ["Content", "HeldOut"]


@dataclass(frozen=True)
class HeldOut:
    """The models on further rows; no `comparison` where nothing can be compared."""

    evaluation: Evaluation
    comparison: Comparison | None


@dataclass(frozen=True, repr=False, eq=False)
class Content:
    """Values, comparison, training curves, fusion and held-out values of the models of one table.

    `evaluation` holds the values of every model and of the one named `baseline`, which ignores the
    rows (None where there are no rows); `against_baseline` compares the best model with it.
    `comparison` is None where `metric` is undefined for every model. `held_out` is the same on rows
    that nothing was chosen on. `training` holds the values by `metric` on the rows that models were
    trained on; None where no column tells such rows.
    """

    title: str
    metric: str
    predictions: Predictions
    evaluation: Evaluation
    comparison: Comparison | None
    baseline: str | None
    against_baseline: Comparison | None
    diagnosis: Diagnosis | None
    fused: Fused | None
    held_out: HeldOut | None
    confidence: float
    seed: int
    notes: tuple[str, ...] = ()
    training: Evaluation | None = None

    @property
    def tied_models(self) -> tuple[str, ...]:
        """The models that may each be the best one."""
        return self.comparison.tied if self.comparison is not None else ()

    @property
    def fits(self) -> list[tuple[str, float, float]]:
        """Each model, best first, with its value by `metric` on training rows and on the others."""
        if self.training is None:
            return []
        inside = {row.model: row.value for row in self.training.rows if row.metric == self.metric}
        return [(r.model, inside[r.model], r.value) for r in self.ranking if r.model in inside]

    @property
    def ranking(self) -> list[Row]:
        """The row of each model by `metric`, best first, the baseline last."""
        return rank_models(self.evaluation, self.metric, self.baseline)
