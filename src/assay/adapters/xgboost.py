"""XGBoost: native boosters and estimators; margins and probabilities are told by the objective.

>>> import numpy as np, xgboost
>>> X, y = np.arange(8.0)[:, None], np.arange(8) % 2
>>> booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, y), 2)
>>> {kind: values.shape for kind, values in XGBoost().predict(booster, X).items()}
{'proba': (8,)}
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import count_rows
from assay.adapters.estimators import Estimators, has_several
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = ["XGBoost"]

LIKELIHOODS = ("binary:logistic", "multi:softprob", "reg:logistic")
OF_CLASSES = ("binary:", "multi:")


@dataclass(frozen=True)
class XGBoost(Estimators):
    """Boosters and estimators of XGBoost, on arrays, data frames and DMatrix.

    A booster that was trained with early stopping predicts by the trees of its best iteration, as
    the estimators do.
    """

    name = "xgboost"
    extra = "boosting"
    modules = ("xgboost",)
    rank = 10

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a Booster, or an estimator of XGBoost."""
        import xgboost

        return isinstance(model, xgboost.Booster | getattr(xgboost, "XGBModel", ()))

    def task(self, model: Any, y: Any) -> Task | None:
        """What the objective of `model` is for; where it does not tell, the shape of `y`."""
        objective = _find_objective(model)
        if objective is not None and objective != "reg:logistic":
            if objective.startswith(("rank:", *OF_CLASSES)):
                return super().task(None, y)
            return "multioutput" if has_several(y) else "regression"
        return super().task(model, y)

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Slices of `data` of `size` rows; those of a DMatrix with its labels as truth."""
        import xgboost

        if not isinstance(data, xgboost.DMatrix):
            yield from super().batches(data, size)
            return
        n = data.num_row()
        labels = data.get_label()
        truth = labels if len(labels) == n else None
        if truth is not None and (truth == np.floor(truth)).all():
            truth = truth.astype(np.int64)
        if size is None or size >= n:
            yield data, truth
            return
        for start in range(0, n, size):
            rows = range(start, min(start + size, n))
            yield (
                data.slice(np.asarray(rows)),
                None if truth is None else truth[rows.start : rows.stop],
            )

    def count_rows(self, inputs: Any) -> int:
        """Number of rows of the `inputs` of a batch, perhaps a DMatrix."""
        return inputs.num_row() if hasattr(inputs, "num_row") else count_rows(inputs)

    def count_data(self, data: Any) -> int | None:
        """Number of rows of `data`, perhaps a DMatrix."""
        return data.num_row() if hasattr(data, "num_row") else super().count_data(data)

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What `model` gives for `inputs`: by its objective probabilities, margins, or numbers.

        `device` is not used: a booster predicts where its own parameter says.
        """
        import xgboost

        if isinstance(model, xgboost.Booster):
            return _predict_booster(model, inputs)
        if isinstance(inputs, xgboost.DMatrix):
            raise UnsupportedError(
                "an estimator of XGBoost predicts arrays and data frames; give these, or its "
                "booster: model.get_booster()"
            )
        objective = _find_objective(model) or ""
        if isinstance(model, xgboost.XGBRanker):
            return {"score": np.asarray(model.predict(inputs), np.float64)}
        if not isinstance(model, xgboost.XGBClassifier):
            return {"value": _refuse_quantiles(model.predict(inputs), objective)}
        if callable(model.objective):
            return {"logit": np.asarray(model.predict(inputs, output_margin=True))}
        if objective == "binary:hinge":
            return {"label": model.predict(inputs)}
        if objective == "binary:logitraw":
            margin = np.asarray(model.predict(inputs, output_margin=True))
            return {"label": np.asarray(model.classes_)[(margin > 0).astype(int)], "logit": margin}
        return super().predict(model, inputs)

    def notes(self, model: Any) -> tuple[str, ...]:
        """That a `model` with early stopping predicts by its best iteration, if it is a booster."""
        best = getattr(model, "best_iteration", None) if _is_booster(model) else None
        if best is None:
            return ()
        trees = model.num_boosted_rounds()
        return (f"predicted by the first {best + 1} of {trees} rounds, up to the best iteration.",)


def _is_booster(model: Any) -> bool:
    return not hasattr(model, "get_params")


def _find_objective(model: Any) -> str | None:
    """Name of the objective; None where it is a function, or the model does not say."""
    if _is_booster(model):
        return str(_read_config(model)["objective"]["name"])
    objective = getattr(model, "objective", None)
    return objective if isinstance(objective, str) else None


def _read_config(booster: Any) -> Any:
    """What the booster says of its objective and itself, without its trees."""
    try:
        return json.loads(booster.save_config())["learner"]
    except Exception as error:
        if "0 feature is supplied" in str(error):
            raise ValueError("not fitted: the booster has no rounds") from error
        raise


def _predict_booster(booster: Any, inputs: Any) -> Mapping[Kind, Array]:
    import xgboost

    config = _read_config(booster)
    objective = str(config["objective"]["name"])
    data = inputs
    if not isinstance(inputs, xgboost.DMatrix):
        # Arrays have no names of their own: they are those that the booster was trained with.
        names = None if hasattr(inputs, "columns") else booster.feature_names
        types = None if hasattr(inputs, "columns") else booster.feature_types
        categorical = bool(booster.feature_types) and "c" in booster.feature_types
        threads = int(config.get("generic_param", {}).get("nthread", 0)) or None
        data = xgboost.DMatrix(
            inputs,
            feature_names=names,
            feature_types=types,
            enable_categorical=categorical,
            nthread=threads,
        )
    best = getattr(booster, "best_iteration", None)
    rounds = (0, 0) if best is None else (0, best + 1)
    margins = objective in ("multi:softmax", "binary:logitraw")
    output = np.asarray(booster.predict(data, output_margin=margins, iteration_range=rounds))
    if objective in LIKELIHOODS:
        return {"proba": output}
    if margins:
        return {"logit": output}
    if objective == "binary:hinge":
        return {"label": output.astype(np.int64)}
    if objective.startswith("rank:"):
        return {"score": output.astype(np.float64)}
    return {"value": _refuse_quantiles(output, objective)}


def _refuse_quantiles(values: Any, objective: str) -> Array:
    """The predicted number of each row, or several of them; several quantiles are refused."""
    output = np.asarray(values)
    if output.ndim == 1 or output.shape[1] == 1:
        return output.reshape(len(output))
    if "quantile" in objective:
        raise UnsupportedError(
            f"the model predicts {output.shape[1]} quantiles a row (objective {objective}), where "
            "a regression has one number; take the column that is meant and use "
            "Predictions.from_arrays(y, {name: column})"
        )
    return output
