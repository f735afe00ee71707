"""introspection: what is known of a callable before it is called.

Its name, which output of a model it reads, its direction, and how to call it.

>>> from sklearn.metrics import log_loss
>>> info = introspect(log_loss, {})
>>> info.name, info.reads, info.better
('log_loss', 'proba', 'lower')
"""

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from assay.core.types import Better
from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["CallableInfo", "Reads", "introspect"]

Reads: TypeAlias = Literal["label", "proba", "score", "value"]

# Functions of scikit-learn that take probabilities.
PROBA = ("log_loss", "brier_score_loss", "d2_log_loss_score", "d2_brier_score")
# Parts of the names of torchmetrics' metrics that take probabilities.
SCORE_METRICS = (
    "curve", "auroc", "averageprecision", "calibrationerror", "ranking", "coverageerror", "roc",
    "logauc", "eer", "hingeloss",
)  # fmt: skip


class CallableInfo(NamedTuple):
    """What is known of a callable before it is called."""

    name: str
    reads: Reads
    better: Better
    function: Callable[..., Any]
    accepts: frozenset[str]  # names of its parameters that are still open
    takes_codes: bool = False  # whether it takes codes of classes, not labels


def introspect(call: Any, parameters: Mapping[str, Any]) -> CallableInfo:
    """What a callable, a scikit-learn scorer or a torchmetrics metric reads and accepts.

    `call` is called with `parameters` as keywords. UnsupportedError where it is no callable.
    """
    if all(hasattr(call, part) for part in ("reset", "update", "compute")):
        return _introspect_updatable(call)
    if hasattr(call, "_score_func"):
        return _introspect_scorer(call, parameters)
    if not callable(call):
        raise UnsupportedError(
            "expected a function, a scikit-learn scorer, or an object with reset, update and "
            f"compute; got {call!r}"
        )
    inner = call.func if isinstance(call, functools.partial) else call
    name = str(getattr(inner, "__name__", type(inner).__name__))
    module = str(getattr(inner, "__module__", ""))
    bound = functools.partial(call, **parameters)
    if module.startswith("torchmetrics."):
        return _introspect_torchmetrics(bound, name, module)
    reads: Reads = "label"
    better: Better = "higher"
    if module.startswith("sklearn.metrics"):
        reads, better = _look_up_sklearn(name, module)
    accepts = _parameter_names(call) - {*parameters, *getattr(call, "keywords", ())}
    return CallableInfo(name, reads, better, bound, accepts)


def _introspect_scorer(scorer: Any, parameters: Mapping[str, Any]) -> CallableInfo:
    """A scikit-learn scorer: its function, with the sign and the response of the scorer."""
    info = introspect(scorer._score_func, {**scorer._kwargs, **parameters})
    response = getattr(scorer, "_response_method", "predict")
    reads: Reads = info.reads
    if response != "predict":
        reads = "proba" if response == "predict_proba" else "score"
    return info._replace(reads=reads, better="higher" if scorer._sign > 0 else "lower")


def _look_up_sklearn(name: str, module: str) -> tuple[Reads, Better]:
    """What a scikit-learn metric reads, by its module, and its direction, by its name."""
    better: Better = "lower" if name.endswith(("_loss", "_error", "_deviance")) else "higher"
    if module.endswith("_regression"):
        return "value", better
    if name in PROBA:
        return "proba", better
    if module.endswith("_ranking") or name == "hinge_loss":
        return "score", better
    return "label", better


def _parameter_names(call: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(call).parameters)
    except (TypeError, ValueError):  # built in C, without a signature
        return frozenset()


def _introspect_updatable(metric: Any) -> CallableInfo:
    """An object that is updated with (prediction, truth) and then computed, as of torchmetrics."""
    private = copy.deepcopy(metric)

    def function(truth: Array, prediction: Array) -> Any:
        private.reset()
        private.update(_convert(private, prediction), _convert(private, truth))
        return private.compute()

    better: Better = "lower" if getattr(metric, "higher_is_better", True) is False else "higher"
    kind = type(metric)
    names = " ".join(cls.__name__ for cls in kind.__mro__)
    reads = _look_up_torchmetrics(names, kind.__module__)
    return CallableInfo(kind.__name__, reads, better, function, frozenset(), takes_codes=True)


def _introspect_torchmetrics(call: Callable[..., Any], name: str, module: str) -> CallableInfo:
    """A function of torchmetrics: it takes tensors, and the prediction before the truth."""

    def function(truth: Array, prediction: Array) -> Any:
        torch: Any = sys.modules["torch"]  # imported, since the function is
        return call(
            torch.as_tensor(np.ascontiguousarray(prediction)),
            torch.as_tensor(np.ascontiguousarray(truth)),
        )

    reads = _look_up_torchmetrics(name, module)
    return CallableInfo(name, reads, "higher", function, frozenset(), takes_codes=True)


def _look_up_torchmetrics(name: str, module: str) -> Reads:
    """What torchmetrics' functions and classes, by the names of their bases, read.

    Those of scores would take labels as well, and give a value that misleads.
    """
    if ".regression" in module:
        return "value"
    scored = any(part in name.lower().replace("_", "") for part in SCORE_METRICS)
    return "proba" if scored and module.startswith("torchmetrics.") else "label"


def _convert(metric: Any, values: Array) -> Any:
    """The values as the object takes them: a tensor for a torch module.

    There is no torch module unless torch is imported.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(metric, torch.nn.Module):
        return values
    return torch.as_tensor(np.ascontiguousarray(values))
