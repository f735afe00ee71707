"""assay: which model is best, how sure are we, is it over- or under-fitting, and would fusing them be better?

>>> import assay
>>> p = assay.Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> assay.evaluate(p, "accuracy").value
0.75
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from assay.version import __version__ as __version__

if TYPE_CHECKING:
    from assay.adapter import collect as collect
    from assay.advice import advise as advise
    from assay.budget.frugal import one_standard_error as one_standard_error
    from assay.budget.halving import halve as halve
    from assay.budget.learning import learning_curve as learning_curve
    from assay.budget.race import race as race
    from assay.callables import metric_from as metric_from
    from assay.compare import Comparison as Comparison
    from assay.compare import compare as compare
    from assay.datasets import DatasetComparison as DatasetComparison
    from assay.datasets import compare_datasets as compare_datasets
    from assay.errors import AssayError as AssayError
    from assay.evaluate import Evaluation as Evaluation
    from assay.evaluate import evaluate as evaluate
    from assay.experiment.store import timings as timings
    from assay.fairness import Fairness as Fairness
    from assay.fairness import fairness as fairness
    from assay.fusion import Fused as Fused
    from assay.fusion import Fusion as Fusion
    from assay.fusion import fuse as fuse
    from assay.history import Diagnosis as Diagnosis
    from assay.history import History as History
    from assay.history import diagnose as diagnose
    from assay.io import read as read
    from assay.io import write as write
    from assay.metric import Metric as Metric
    from assay.predictions import Predictions as Predictions
    from assay.privacy import Membership as Membership
    from assay.privacy import membership as membership
    from assay.report import Report as Report
    from assay.report import report as report
    from assay.resampled import five_by_two as five_by_two
    from assay.resampled import practical_differences as practical_differences
    from assay.slices import WeakSlices as WeakSlices
    from assay.slices import weak_slices as weak_slices
    from assay.stream import Stream as Stream
    from assay.stream import scan as scan
    from assay.study import run_study as run_study
    from assay.thresholds import threshold as threshold
    from assay.validate import cross_validate as cross_validate
    from assay.winner import selected_best as selected_best

# Each public name and the room it lives in, imported when first used: `assay --help` does not wait for charts.
ROOMS = {
    "AssayError": "errors",
    "Comparison": "compare",
    "DatasetComparison": "datasets",
    "Diagnosis": "history",
    "Evaluation": "evaluate",
    "Fairness": "fairness",
    "Fused": "fusion",
    "Fusion": "fusion",
    "History": "history",
    "Membership": "privacy",
    "Metric": "metric",
    "Predictions": "predictions",
    "Report": "report",
    "Stream": "stream",
    "WeakSlices": "slices",
    "advise": "advice",
    "collect": "adapter",
    "compare": "compare",
    "compare_datasets": "datasets",
    "cross_validate": "validate",
    "diagnose": "history",
    "evaluate": "evaluate",
    "fairness": "fairness",
    "five_by_two": "resampled",
    "fuse": "fusion",
    "halve": "budget.halving",
    "learning_curve": "budget.learning",
    "membership": "privacy",
    "metric_from": "callables",
    "one_standard_error": "budget.frugal",
    "practical_differences": "resampled",
    "race": "budget.race",
    "read": "io",
    "report": "report",
    "run_study": "study",
    "scan": "stream",
    "selected_best": "winner",
    "threshold": "thresholds",
    "timings": "experiment.store",
    "weak_slices": "slices",
    "write": "io",
}


def __getattr__(name: str) -> Any:
    if name not in ROOMS:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(import_module(f"assay.{ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*ROOMS, "__version__"])


class _House(ModuleType):
    """The package: importing the room `assay.compare` must not put the module in the place of the verb `compare`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in ROOMS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House
