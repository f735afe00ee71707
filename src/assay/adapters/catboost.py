"""CatBoost: models by their loss, asked for probabilities or numbers whatever class they are of.

>>> import numpy as np, catboost
>>> X, y = np.arange(8.0)[:, None], np.arange(8) % 2
>>> options = {"iterations": 2, "loss_function": "Logloss", "verbose": 0}
>>> model = catboost.CatBoost({**options, "allow_writing_files": False}).fit(X, y)
>>> {kind: values.shape for kind, values in CatBoost().predict(model, X).items()}
{'label': (8,), 'proba': (8, 2)}
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.adapters.base import count_rows, to_label
from assay.adapters.estimators import Estimators, divide_by_sums, has_several
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.labels import Label
from assay.table.schema import Kind, Task

__all__ = ["CatBoost"]

OF_LABELS = ("MultiLogloss", "MultiCrossEntropy")
OF_CLASSES = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "Focal", *OF_LABELS)
IN_LOGS = ("Poisson", "Tweedie")
RANKINGS = ("YetiRank", "QueryRMSE", "QuerySoftMax", "PairLogit", "LambdaMart", "StochasticRank")


@dataclass(frozen=True)
class CatBoost(Estimators):
    """Models of CatBoost, on arrays, data frames and Pool.

    Probabilities are asked for also of the class `CatBoost`, whose own predict gives raw values;
    amounts of a Poisson or Tweedie loss are no logarithms, and of RMSEWithUncertainty the mean
    counts.
    """

    name = "catboost"
    extra = "boosting"
    modules = ("catboost",)
    rank = 10

    def accepts(self, model: Any) -> bool:
        """Whether `model` is of the class CatBoost or one derived from it."""
        import catboost

        return isinstance(model, catboost.CatBoost)

    def task(self, model: Any, y: Any) -> Task | None:
        """What the loss of `model`, fitted or not, is for; of a loss of one's own, `y` tells."""
        import catboost

        loss = _find_loss(model)
        if loss in OF_LABELS:
            return "multilabel"
        classifies = isinstance(model, catboost.CatBoostClassifier) or self.classes(model)
        if loss.startswith(RANKINGS) or loss in OF_CLASSES or classifies:
            return super().task(None, y)
        return "multioutput" if has_several(y) else "regression"

    def classes(self, model: Any) -> tuple[Label, ...] | None:
        """The `classes_` of `model`; None where it predicts numbers or several labels."""
        if not model.is_fitted() or _find_loss(model) in OF_LABELS:
            return None
        return tuple(map(to_label, np.asarray(model.classes_))) or None

    def batches(self, data: Any, size: int | None) -> Iterator[tuple[Any, Any | None]]:
        """Slices of `data` of `size` rows; those of a Pool with its labels as truth."""
        import catboost

        if not isinstance(data, catboost.Pool):
            yield from super().batches(data, size)
            return
        n = data.num_row()
        for start in range(0, n, size or n):
            rows = np.arange(start, min(start + (size or n), n))
            part = data if len(rows) == n else data.slice(rows)
            labels = np.asarray(part.get_label() if data.has_label() else [])
            yield part, labels if len(labels) else None

    def count_rows(self, inputs: Any) -> int:
        """Number of rows of the `inputs` of a batch, perhaps a Pool."""
        return int(inputs.num_row()) if hasattr(inputs, "num_row") else count_rows(inputs)

    def count_data(self, data: Any) -> int | None:
        """Number of rows of `data`, perhaps a Pool."""
        return int(data.num_row()) if hasattr(data, "num_row") else super().count_data(data)

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What `model` gives for `inputs`, by its loss. `device` is not used."""
        if not model.is_fitted():
            raise ValueError("not fitted: the model has no trees")
        loss = _find_loss(model)
        if loss in OF_LABELS:
            return {"proba": np.asarray(_ask(model, inputs, "Probability"))}
        classes = self.classes(model)
        if classes:
            proba = np.asarray(_ask(model, inputs, "Probability"))
            if loss == "MultiClassOneVsAll":
                proba = divide_by_sums(proba)
            label = np.asarray(_ask(model, inputs, "Class")).reshape(len(proba))
            return {"label": label, "proba": proba}
        if loss.startswith(RANKINGS):
            return {"score": np.asarray(_ask(model, inputs, "RawFormulaVal"), np.float64)}
        values = np.asarray(_ask(model, inputs, "Exponent" if loss in IN_LOGS else "RawFormulaVal"))
        if loss == "RMSEWithUncertainty":
            return {"value": values[:, 0]}
        if loss == "MultiQuantile":
            raise UnsupportedError(
                f"the model predicts {values.shape[1]} quantiles a row (loss {loss}), where a "
                "regression has one number; take the column that is meant and use "
                "Predictions.from_arrays(y, {name: column})"
            )
        return {"value": values if values.ndim == 2 else values.reshape(len(values))}

    def notes(self, model: Any) -> tuple[str, ...]:
        """What was done to what `model` gives."""
        loss = _find_loss(model)
        if loss == "MultiClassOneVsAll":
            return (
                "its probabilities of each class against the rest are divided by their sum in each "
                "row.",
            )
        if loss == "RMSEWithUncertainty":
            return ("its predicted mean is the value; its predicted variance is left out.",)
        return ()


def _ask(model: Any, inputs: Any, kind: str) -> Any:
    """What the base class predicts: the derived ones do not take every kind."""
    import catboost

    return catboost.CatBoost.predict(model, inputs, prediction_type=kind)


def _find_loss(model: Any) -> str:
    """Name of the loss, without its parameters; of a model that is not fitted, as it was given."""
    params = model.get_all_params() if model.is_fitted() else model.get_params()
    return str(params.get("loss_function", "")).partition(":")[0]
