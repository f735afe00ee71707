"""MLflow's evaluator of the name `assay`, for `mlflow.models.evaluate(..., evaluators="assay")`."""

import warnings
from collections.abc import Mapping
from typing import Any

from assay.adapters.collect import collect
from assay.core.extras import load_module
from assay.errors import AssayError
from assay.evaluation.evaluate import evaluate
from assay.table.predictions import Predictions
from assay.table.schema import Task
from assay.tracking.mlflow import MLflow
from assay.tracking.record import make_record

__all__ = ["MLflowEvaluator"]

# What is evaluated, by the model type that MLflow is told.
TASKS: Mapping[str, tuple[Task, ...]] = {
    "classifier": ("binary", "multiclass"),
    "regressor": ("regression",),
}
EVALUATING = ("metrics", "by", "intervals", "confidence", "seed", "ignore")
TABLE = ("classes", "positive", "weight", "groups")
MODEL = "model"


class MLflowEvaluator:
    """What MLflow asks under the name `assay`: every metric with its interval, logged to the run.

    Keys of `evaluator_config` are keywords of `evaluate` (metrics, intervals, confidence, seed,
    ignore) and of `Predictions.from_arrays` (classes, positive, weight); others are left to other
    evaluators. Models that MLflow can unwrap are asked for probabilities; of others, and of static
    data sets, what is predicted is taken as it is.

    MLflow asks every evaluator that is installed unless one is named, so what `assay` cannot
    evaluate is a warning, and the others go on.
    """

    @classmethod
    def can_evaluate(
        cls, *, model_type: str | None, evaluator_config: Any = None, **kwargs: Any
    ) -> bool:
        """Whether models of this `model_type` are evaluated: "classifier" or "regressor"."""
        return model_type in TASKS

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None = None,
        model: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Evaluate, and log to the run.

        Parameters:
            model_type: "classifier" or "regressor".
            dataset: MLflow's data set: features, labels, perhaps predictions.
            run_id: ID of the run.
            evaluator_config: Keywords, see above; default: none.
            model: A model of MLflow's pyfunc; default: what is predicted stands in the data set.
            kwargs: What else MLflow gives, which is not read.

        Returns:
            MLflow's EvaluationResult; None, with a warning, where there is nothing to evaluate.
        """
        config = evaluator_config or {}
        asked = {key: config[key] for key in EVALUATING if key in config}
        try:
            table = _make_table(model, dataset, model_type, config)
            record = make_record(evaluate(table, **asked))
        except AssayError as error:
            warnings.warn(f"assay did not evaluate: {error}", stacklevel=2)
            return None
        MLflow().write(record, run_id, None)
        models = load_module("mlflow.models", MLflow.extra)
        return models.EvaluationResult(metrics=dict(record.figures), artifacts={}, run_id=run_id)


def _make_table(
    model: Any, dataset: Any, model_type: str, config: Mapping[str, Any]
) -> Predictions:
    """The truth of the data set, and what the model predicts for it."""
    columns = {key: config[key] for key in TABLE if key in config}
    if model_type == "regressor":
        columns["task"] = "regression"
    y = dataset.labels_data
    if model is None:
        return Predictions.from_arrays(y, {MODEL: dataset.predictions_data}, **columns)
    raw = _unwrap(model)
    if raw is not None:
        table: Predictions = collect({MODEL: raw}, dataset.features_data, y, **columns)
        return table
    said = model.predict(dataset.features_data)
    return Predictions.from_arrays(y, {MODEL: said}, **columns)


def _unwrap(model: Any) -> Any:
    """The estimator behind a pyfunc; None where there is none that gives probabilities."""
    try:
        raw = model.get_raw_model()
    except Exception:  # whatever a flavor raises that cannot be unwrapped
        return None
    return raw if hasattr(raw, "predict_proba") or hasattr(raw, "decision_function") else None
