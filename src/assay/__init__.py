"""assay: which model is best, how sure are we, does it overfit, and would fusing them be better?

>>> import assay
>>> assay.evaluate(["a", "b", "b", "a"], ["a", "b", "a", "a"], "accuracy").value
0.75
>>> p = assay.Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> assay.evaluate(p, "accuracy").value
0.75
"""

from assay.version import __version__ as __version__

TYPE_CHECKING = False  # checkers of types know the name; to import `typing` takes half of a start
if TYPE_CHECKING:
    from typing import Any

    from assay.adapters.base import Adapter as Adapter
    from assay.adapters.collect import collect as collect
    from assay.adapters.keras_callback import KerasCallback as KerasCallback
    from assay.adapters.lightning_callback import LightningCallback as LightningCallback
    from assay.adapters.transformers_callback import TransformersCallback as TransformersCallback
    from assay.advice.advise import advise as advise
    from assay.advice.base import Advice as Advice
    from assay.advice.base import Check as Check
    from assay.audit.fairness import Fairness as Fairness
    from assay.audit.fairness import fairness as fairness
    from assay.audit.hardest_rows import HardestRows as HardestRows
    from assay.audit.hardest_rows import hardest_rows as hardest_rows
    from assay.audit.importance import Importance as Importance
    from assay.audit.importance import permutation_importance as permutation_importance
    from assay.audit.membership import Membership as Membership
    from assay.audit.membership import membership_inference as membership_inference
    from assay.audit.requirements import Requirement as Requirement
    from assay.audit.slices import WeakSlices as WeakSlices
    from assay.audit.slices import weak_slices as weak_slices
    from assay.calibration.threshold import Threshold as Threshold
    from assay.calibration.threshold import tune_threshold as tune_threshold
    from assay.charts.base import Chart as Chart
    from assay.comparison.bayesian_fold_test import BayesianFoldTest as BayesianFoldTest
    from assay.comparison.bayesian_fold_test import bayesian_fold_test as bayesian_fold_test
    from assay.comparison.compare import Comparison as Comparison
    from assay.comparison.compare import compare as compare
    from assay.comparison.datasets import DatasetComparison as DatasetComparison
    from assay.comparison.datasets import compare_datasets as compare_datasets
    from assay.comparison.fold_tests import FiveByTwoFTest as FiveByTwoFTest
    from assay.comparison.fold_tests import five_by_two_f_test as five_by_two_f_test
    from assay.comparison.fold_values import FoldsError as FoldsError
    from assay.comparison.selection_bias import SelectionBias as SelectionBias
    from assay.comparison.selection_bias import selection_bias as selection_bias
    from assay.core.result import Result as Result
    from assay.deep.deep_fusion import DeepFusion as DeepFusion
    from assay.deep.distill import distill as distill
    from assay.deep.distillation import Distillation as Distillation
    from assay.deep.fuse_networks import fuse_networks as fuse_networks
    from assay.deep.fused_network import FusedNetwork as FusedNetwork
    from assay.diagnosis.diagnose import Diagnosis as Diagnosis
    from assay.diagnosis.diagnose import diagnose as diagnose
    from assay.diagnosis.training_log import TrainingLog as TrainingLog
    from assay.engines.base import Engine as Engine
    from assay.errors import AssayError as AssayError
    from assay.errors import EngineError as EngineError
    from assay.errors import MissingDependencyError as MissingDependencyError
    from assay.errors import NameLookupError as NameLookupError
    from assay.errors import ReadError as ReadError
    from assay.errors import SchemaError as SchemaError
    from assay.errors import UnseenLabelError as UnseenLabelError
    from assay.errors import UnsupportedError as UnsupportedError
    from assay.evaluation.evaluate import Evaluation as Evaluation
    from assay.evaluation.evaluate import evaluate as evaluate
    from assay.evaluation.meter import Meter as Meter
    from assay.evaluation.score_clusters import score_clusters as score_clusters
    from assay.fusions.apply_fusion import apply_fusion as apply_fusion
    from assay.fusions.base import Fusion as Fusion
    from assay.fusions.base import load_fitted as load_fitted
    from assay.fusions.export_onnx import export_onnx as export_onnx
    from assay.fusions.fitted import Fitted as Fitted
    from assay.fusions.fuse import Fused as Fused
    from assay.fusions.fuse import fuse as fuse
    from assay.io.boxes import pair_boxes as pair_boxes
    from assay.io.read_write import read as read
    from assay.io.read_write import write as write
    from assay.io.stream import Stream as Stream
    from assay.io.stream import scan as scan
    from assay.metrics.base import Metric as Metric
    from assay.metrics.custom import make_metric as make_metric
    from assay.readers.base import Reader as Reader
    from assay.readers.history import History as History
    from assay.readers.read_history import read_history as read_history
    from assay.reporting.report import Report as Report
    from assay.reporting.report import report as report
    from assay.selection.cross_validate import cross_validate as cross_validate
    from assay.selection.experiment import FitError as FitError
    from assay.selection.fitting import TrainingRows as TrainingRows
    from assay.selection.fused_estimators import FusedClassifier as FusedClassifier
    from assay.selection.fused_estimators import FusedRegressor as FusedRegressor
    from assay.selection.halving import Halving as Halving
    from assay.selection.halving import successive_halving as successive_halving
    from assay.selection.learning_curve import LearningCurve as LearningCurve
    from assay.selection.learning_curve import learning_curve as learning_curve
    from assay.selection.one_standard_error import Frugal as Frugal
    from assay.selection.one_standard_error import one_standard_error as one_standard_error
    from assay.selection.race import Race as Race
    from assay.selection.race import race as race
    from assay.selection.store import Timings as Timings
    from assay.selection.store import histories as histories
    from assay.selection.store import timings as timings
    from assay.soups.base import Recipe as Recipe
    from assay.soups.batch_norm import refresh_batch_norm as refresh_batch_norm
    from assay.soups.soup import Soup as Soup
    from assay.soups.soup import soup as soup
    from assay.states.base import State as State
    from assay.studies.study import Study as Study
    from assay.studies.study import run_study as run_study
    from assay.table.label_maps import count_pixels as count_pixels
    from assay.table.predictions import Predictions as Predictions
    from assay.tracking.base import TrackedRun as TrackedRun
    from assay.tracking.base import Tracker as Tracker
    from assay.tracking.track import track as track
    from assay.training.compute_metrics import compute_metrics as compute_metrics
    from assay.training.ignite_metric import IgniteMetric as IgniteMetric
    from assay.training.keras_meter_callback import KerasMeterCallback as KerasMeterCallback
    from assay.training.keras_metric import KerasMetric as KerasMetric
    from assay.training.scorer import scorer as scorer

# Each public name and its module, imported when first used: `assay --help` waits for no charts.
ROOMS = {
    "Adapter": "adapters.base",
    "Advice": "advice.base",
    "AssayError": "errors",
    "BayesianFoldTest": "comparison.bayesian_fold_test",
    "Chart": "charts.base",
    "Check": "advice.base",
    "Comparison": "comparison.compare",
    "DatasetComparison": "comparison.datasets",
    "DeepFusion": "deep.deep_fusion",
    "Diagnosis": "diagnosis.diagnose",
    "Distillation": "deep.distillation",
    "Engine": "engines.base",
    "EngineError": "errors",
    "Evaluation": "evaluation.evaluate",
    "Fairness": "audit.fairness",
    "FitError": "selection.experiment",
    "Fitted": "fusions.fitted",
    "FiveByTwoFTest": "comparison.fold_tests",
    "FoldsError": "comparison.fold_values",
    "Frugal": "selection.one_standard_error",
    "Fused": "fusions.fuse",
    "FusedClassifier": "selection.fused_estimators",
    "FusedRegressor": "selection.fused_estimators",
    "FusedNetwork": "deep.fused_network",
    "Fusion": "fusions.base",
    "Halving": "selection.halving",
    "HardestRows": "audit.hardest_rows",
    "History": "readers.history",
    "IgniteMetric": "training.ignite_metric",
    "Importance": "audit.importance",
    "KerasCallback": "adapters.keras_callback",
    "KerasMeterCallback": "training.keras_meter_callback",
    "KerasMetric": "training.keras_metric",
    "LearningCurve": "selection.learning_curve",
    "LightningCallback": "adapters.lightning_callback",
    "Membership": "audit.membership",
    "Meter": "evaluation.meter",
    "Metric": "metrics.base",
    "MissingDependencyError": "errors",
    "NameLookupError": "errors",
    "Predictions": "table.predictions",
    "Race": "selection.race",
    "ReadError": "errors",
    "Reader": "readers.base",
    "Recipe": "soups.base",
    "Report": "reporting.report",
    "Requirement": "audit.requirements",
    "Result": "core.result",
    "SchemaError": "errors",
    "SelectionBias": "comparison.selection_bias",
    "Soup": "soups.soup",
    "State": "states.base",
    "Stream": "io.stream",
    "Study": "studies.study",
    "Threshold": "calibration.threshold",
    "Timings": "selection.store",
    "TrackedRun": "tracking.base",
    "Tracker": "tracking.base",
    "TrainingLog": "diagnosis.training_log",
    "TrainingRows": "selection.fitting",
    "TransformersCallback": "adapters.transformers_callback",
    "UnseenLabelError": "errors",
    "UnsupportedError": "errors",
    "WeakSlices": "audit.slices",
    "advise": "advice.advise",
    "apply_fusion": "fusions.apply_fusion",
    "bayesian_fold_test": "comparison.bayesian_fold_test",
    "collect": "adapters.collect",
    "count_pixels": "table.label_maps",
    "compare": "comparison.compare",
    "compare_datasets": "comparison.datasets",
    "compute_metrics": "training.compute_metrics",
    "cross_validate": "selection.cross_validate",
    "diagnose": "diagnosis.diagnose",
    "distill": "deep.distill",
    "evaluate": "evaluation.evaluate",
    "export_onnx": "fusions.export_onnx",
    "fairness": "audit.fairness",
    "five_by_two_f_test": "comparison.fold_tests",
    "fuse": "fusions.fuse",
    "fuse_networks": "deep.fuse_networks",
    "hardest_rows": "audit.hardest_rows",
    "histories": "selection.store",
    "learning_curve": "selection.learning_curve",
    "load_fitted": "fusions.base",
    "make_metric": "metrics.custom",
    "membership_inference": "audit.membership",
    "one_standard_error": "selection.one_standard_error",
    "pair_boxes": "io.boxes",
    "permutation_importance": "audit.importance",
    "race": "selection.race",
    "read": "io.read_write",
    "read_history": "readers.read_history",
    "refresh_batch_norm": "soups.batch_norm",
    "report": "reporting.report",
    "run_study": "studies.study",
    "scan": "io.stream",
    "score_clusters": "evaluation.score_clusters",
    "scorer": "training.scorer",
    "selection_bias": "comparison.selection_bias",
    "soup": "soups.soup",
    "successive_halving": "selection.halving",
    "timings": "selection.store",
    "track": "tracking.track",
    "tune_threshold": "calibration.threshold",
    "weak_slices": "audit.slices",
    "write": "io.read_write",
}


def __getattr__(name: str) -> "Any":
    if name not in ROOMS:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"assay.{ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*ROOMS, "__version__"])
