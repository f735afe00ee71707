"""LightGBM: native boosters and estimators; raw scores and probabilities are told by the objective.

>>> import numpy as np, lightgbm
>>> X, y = np.arange(40.0)[:, None], np.arange(40) % 2
>>> options = {"objective": "binary", "verbose": -1}
>>> booster = lightgbm.train(options, lightgbm.Dataset(X, y), 2)
>>> {kind: values.shape for kind, values in LightGBM().predict(booster, X).items()}
{'proba': (40,)}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.estimators import Estimators, divide_by_sums
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = ["LightGBM"]

OF_CLASSES = ("binary", "multiclass", "multiclassova", "cross_entropy", "cross_entropy_lambda")
RANKINGS = ("lambdarank", "rank_xendcg")


@dataclass(frozen=True)
class LightGBM(Estimators):
    """Boosters and estimators of LightGBM, on arrays and data frames.

    Probabilities of one class against the rest (multiclassova) are divided by their sum. The raw
    scores of an objective of one's own are logits.
    """

    name = "lightgbm"
    extra = "boosting"
    modules = ("lightgbm",)
    rank = 10

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a Booster, or an estimator of LightGBM."""
        import lightgbm

        return isinstance(model, lightgbm.Booster | lightgbm.LGBMModel)

    def task(self, model: Any, y: Any) -> Task | None:
        """What the objective of `model` is for; that of one's own is for classes where `y` is."""
        objective = _find_objective(model)
        if objective in (*OF_CLASSES, *RANKINGS):
            return super().task(None, y)
        if objective is None:
            return super().task(model, y)
        return "regression"

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What `model` gives for `inputs`: by its objective probabilities, raw scores, or numbers.

        `device` is not used.
        """
        import lightgbm

        objective = _find_objective(model)
        if isinstance(model, lightgbm.LGBMClassifier):
            if objective is None:
                return {"logit": np.asarray(model.predict(inputs, raw_score=True))}
            outputs = dict(super().predict(model, inputs))
        else:
            if isinstance(model, lightgbm.Booster) and not model.num_trees():
                raise ValueError("not fitted: the booster has no trees")
            outputs = {_name_kind(objective): np.asarray(model.predict(inputs))}
        if objective == "multiclassova":
            outputs["proba"] = divide_by_sums(outputs["proba"])
        if objective == "cross_entropy_lambda":
            # It predicts the intensity of a Poisson process, of which one event or more counts.
            outputs["proba"] = -np.expm1(-outputs["proba"])
        return outputs

    def settle(
        self, model: Any, extents: Mapping[Kind, Any], task: Task | None, kind: Kind | None
    ) -> Mapping[Kind, Kind]:
        """The kinds of the outputs in `extents`, or the declared `kind`.

        A booster `model` of an objective of one's own says none, so `task` does.
        """
        if kind is not None or "logit" not in extents or task != "regression":
            return super().settle(model, extents, task, kind)
        return {"logit": "value"}

    def notes(self, model: Any) -> tuple[str, ...]:
        """What was done to the probabilities of `model`."""
        objective = _find_objective(model)
        if objective == "multiclassova":
            return (
                "its probabilities of each class against the rest are divided by their sum in each "
                "row.",
            )
        if objective == "cross_entropy_lambda":
            return ("its intensities are given as the probabilities 1 - exp(-intensity).",)
        return ()


def _find_objective(model: Any) -> str | None:
    """Name of the objective; None where it is a function of one's own."""
    if hasattr(model, "get_params"):
        objective = getattr(model, "objective_", None)
        return objective if isinstance(objective, str) else None
    from_model = str(model.dump_model(num_iteration=1).get("objective", "")).split()
    return from_model[0] if from_model and from_model[0] != "none" else None


def _name_kind(objective: str | None) -> Kind:
    if objective is None:
        return "logit"
    if objective in OF_CLASSES:
        return "proba"
    return "score" if objective in RANKINGS else "value"
