"""understood: what is known of a callable before it is asked - its name, what it reads, its direction, how to call it.

>>> from sklearn.metrics import log_loss
>>> found = introspect(log_loss, {})
>>> found.name, found.reads, found.better
('log_loss', 'proba', 'lower')
"""

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["Better", "Reads", "CallableInfo", "introspect"]

Reads: TypeAlias = Literal["label", "proba", "score", "value"]
Better: TypeAlias = Literal["higher", "lower"]

# Functions of scikit-learn that take probabilities, and parts of the names of what in torchmetrics does.
PROBA = ("log_loss", "brier_score_loss", "d2_log_loss_score", "d2_brier_score")
OF_SCORES = (
    "curve", "auroc", "averageprecision", "calibrationerror", "ranking", "coverageerror", "roc", "logauc",
    "eer", "hingeloss",
)  # fmt: skip


class CallableInfo(NamedTuple):
    """What is known of a callable before it is asked: its name, what it reads, and how to call it."""

    name: str
    reads: Reads
    better: Better
    function: Callable[..., Any]
    accepts: frozenset[str]
    codes: bool = False


def introspect(call: Any, parameters: Mapping[str, Any]) -> CallableInfo:
    """What a callable, a scikit-learn scorer or a torchmetrics metric reads, says and accepts."""
    if all(hasattr(call, part) for part in ("reset", "update", "compute")):
        return _updated(call)
    if hasattr(call, "_score_func"):  # a scikit-learn scorer
        found = introspect(call._score_func, {**call._kwargs, **parameters})
        response = getattr(call, "_response_method", "predict")
        reads: Reads = (
            found.reads
            if response == "predict"
            else "proba"
            if response == "predict_proba"
            else "score"
        )
        return found._replace(reads=reads, better="higher" if call._sign > 0 else "lower")
    if not callable(call):
        raise UnsupportedError(
            f"expected a function, a scikit-learn scorer, or an object with reset, update and compute; got {call!r}"
        )
    inner = call.func if isinstance(call, functools.partial) else call
    name = str(getattr(inner, "__name__", type(inner).__name__))
    module = str(getattr(inner, "__module__", ""))
    if module.startswith("torchmetrics."):
        return _of_torchmetrics(functools.partial(call, **parameters), name, module)
    reads, better = (
        _known(name, module) if module.startswith("sklearn.metrics") else ("label", "higher")
    )
    given = {*parameters, *getattr(call, "keywords", ())}
    return CallableInfo(
        name, reads, better, functools.partial(call, **parameters), _parameters(call) - given
    )


def _known(name: str, module: str) -> tuple[Reads, Better]:
    """What a scikit-learn metric function reads, by its module, and its direction, by the rule of its name."""
    better: Better = "lower" if name.endswith(("_loss", "_error", "_deviance")) else "higher"
    if module.endswith("_regression"):
        return "value", better
    scored = module.endswith("_ranking") or name == "hinge_loss"
    return ("proba" if name in PROBA else "score" if scored else "label"), better


def _parameters(call: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(call).parameters)
    except (TypeError, ValueError):  # built in C, without a signature
        return frozenset()


def _updated(metric: Any) -> CallableInfo:
    """An object that is updated with (prediction, truth) and then computed, as of torchmetrics."""
    own = copy.deepcopy(metric)

    def function(truth: Array, prediction: Array) -> Any:
        own.reset()
        own.update(*(_tensor(own, values) for values in (prediction, truth)))
        return own.compute()

    better: Better = "lower" if getattr(metric, "higher_is_better", True) is False else "higher"
    kind = type(metric)
    kin = " ".join(cls.__name__ for cls in kind.__mro__)
    return CallableInfo(
        kind.__name__, _reads(kin, kind.__module__), better, function, frozenset(), codes=True
    )


def _of_torchmetrics(call: Callable[..., Any], name: str, module: str) -> CallableInfo:
    """A function of torchmetrics: it takes tensors, and the prediction before the truth."""

    def function(truth: Array, prediction: Array) -> Any:
        torch: Any = sys.modules["torch"]  # there, since the function is
        return call(
            *(torch.as_tensor(np.ascontiguousarray(values)) for values in (prediction, truth))
        )

    return CallableInfo(name, _reads(name, module), "higher", function, frozenset(), codes=True)


def _reads(name: str, module: str) -> Reads:
    """What torchmetrics' classes (by the names of their kin) and functions are about; others take labels.

    Those of scores would take labels as well, and give a figure that misleads.
    """
    if ".regression" in module:
        return "value"
    scored = any(part in name.lower().replace("_", "") for part in OF_SCORES)
    return "proba" if scored and module.startswith("torchmetrics.") else "label"


def _tensor(metric: Any, values: Array) -> Any:
    """The values as the object takes them: a tensor for a torch module, which cannot be there without torch."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(metric, torch.nn.Module):
        return values
    return torch.as_tensor(np.ascontiguousarray(values))
