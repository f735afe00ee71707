"""Pools as ONNX nodes: the arithmetic of each fitted fusion, in double precision.

>>> from assay.fusions.mean import Mean
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a": [0, 1], "b": [1, 1]})
>>> refuse_pool(Mean().fit(p))
Traceback (most recent call last):
assay.errors.UnsupportedError: mean is a vote of labels, which is not exported; fuse models that ...
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.errors import UnsupportedError
from assay.fusions.auto import Averaged
from assay.fusions.convex import Weights
from assay.fusions.fitted import Fitted
from assay.fusions.logarithmic import LogPool
from assay.fusions.stacking import Stack
from assay.fusions.tempered import TemperedWeights
from assay.kernels import Array
from assay.kernels.totals import FLOOR

__all__ = ["Nodes", "build_pool", "refuse_pool"]


class Nodes:
    """Nodes and constants of a graph that is being built.

    Parameters:
        onnx: The module onnx.
    """

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node of an `operator` on `inputs` with `attributes`; the `name` of what comes."""
        output = name or f"pool/{operator}_{len(self.nodes)}"
        self.nodes.append(
            self.onnx.helper.make_node(operator, list(inputs), [output], **attributes)
        )
        return output

    def hold(self, values: Any, dtype: Any = np.float64) -> str:
        """A constant of some `values` in a `dtype`."""
        name = f"pool/constant_{len(self.initializers)}"
        array = np.ascontiguousarray(np.asarray(values, dtype))
        self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, kind: str = "DOUBLE") -> str:
        """A `value` as numbers of a `kind` that ONNX knows."""
        return self.add("Cast", value, to=getattr(self.onnx.TensorProto, kind))

    def sum_up(self, terms: Sequence[str]) -> str:
        """The sum of `terms`."""
        return self.add("Sum", *terms) if len(terms) > 1 else terms[0]

    def scale(self, value: str, factor: Any) -> str:
        """A `value` times a constant `factor`."""
        return self.add("Mul", value, self.hold(factor))


def refuse_pool(fitted: Fitted) -> None:
    """Raise UnsupportedError, naming the part, where a `fitted` fusion cannot be a graph."""
    for part in fitted.parts if isinstance(fitted, Averaged) else ():
        refuse_pool(part)
    if not isinstance(fitted, Averaged | Weights | LogPool | Stack | TemperedWeights):
        raise UnsupportedError(
            f"{fitted.how} is not exported: its arithmetic has no graph yet; use mean, weighted, "
            "performance, geometric, log_pool, tempered, stacking or auto"
        )
    if fitted.kind == "label":
        raise UnsupportedError(
            f"{fitted.how} is a vote of labels, which is not exported; fuse models that give "
            "probabilities, by how='mean'"
        )


def build_pool(
    nodes: Nodes, fitted: Fitted, proba: Mapping[str, str], logs: Mapping[str, str]
) -> str:
    """The name of what a `fitted` fusion gives.

    Parameters:
        nodes: Where nodes are added.
        fitted: The fusion.
        proba: Of each model its probabilities, or values in regression.
        logs: Of each model the logarithms of these; none in regression.
    """
    if isinstance(fitted, Averaged):
        parts = [
            nodes.scale(build_pool(nodes, part, proba, logs), share)
            for part, share in zip(fitted.parts, fitted.shares, strict=True)
        ]
        return nodes.sum_up(parts)
    if isinstance(fitted, Weights):
        terms = [nodes.scale(proba[name], fitted.weights[name]) for name in fitted.required_models]
        return nodes.sum_up(terms)
    if isinstance(fitted, LogPool):
        terms = [
            nodes.scale(_raise_floor(nodes, fitted, proba, logs, name, fitted.floor), weight)
            for name, weight in fitted.weights.items()
            if name in fitted.required_models
        ]
        return _normalise(nodes, fitted, nodes.sum_up(terms))
    if isinstance(fitted, TemperedWeights):
        return _build_tempered(nodes, fitted, proba, logs)
    if isinstance(fitted, Stack):
        return _build_stack(nodes, fitted, proba, logs)
    raise UnsupportedError(f"{fitted.how} is not exported")


def _build_tempered(
    nodes: Nodes, fitted: TemperedWeights, proba: Mapping[str, str], logs: Mapping[str, str]
) -> str:
    """A temperature on each member, their weighted mean, a temperature on that."""
    terms = []
    for name in fitted.required_models:
        logits = _raise_floor(nodes, fitted, proba, logs, name, fitted.floor)
        cold = nodes.scale(logits, 1 / fitted.temperatures[name])
        terms.append(nodes.scale(_normalise(nodes, fitted, cold), fitted.weights[name]))
    mean = nodes.sum_up(terms)
    mixture = nodes.add("Log", nodes.add("Max", mean, nodes.hold(FLOOR)))
    if fitted.schema.task == "multilabel":
        rest = nodes.add("Sub", nodes.hold(1.0), mean)
        other = nodes.add("Log", nodes.add("Max", rest, nodes.hold(FLOOR)))
        mixture = nodes.add("Sub", mixture, other)
    return _normalise(nodes, fitted, nodes.scale(mixture, 1 / fitted.temperature))


def _build_stack(
    nodes: Nodes, fitted: Stack, proba: Mapping[str, str], logs: Mapping[str, str]
) -> str:
    """A regression on the members' outputs."""
    terms = []
    for coef, name in zip(fitted.coef, fitted.models, strict=True):
        if fitted.schema.task == "regression":
            terms.append(nodes.scale(proba[name], coef))
            continue
        inputs = _raise_floor(nodes, fitted, proba, logs, name, fitted.floor)
        product = "Mul" if fitted.schema.task == "multilabel" else "MatMul"
        terms.append(nodes.add(product, inputs, nodes.hold(coef)))
    total = nodes.add("Add", nodes.sum_up(terms), nodes.hold(fitted.intercept))
    return total if fitted.schema.task == "regression" else _normalise(nodes, fitted, total)


def _raise_floor(
    nodes: Nodes,
    fitted: Fitted,
    proba: Mapping[str, str],
    logs: Mapping[str, str],
    name: str,
    floor: float,
) -> str:
    """Log probabilities of a model, none below `floor`; logits of labels."""
    if fitted.schema.task != "multilabel":
        return nodes.add("Max", logs[name], nodes.hold(np.log(floor)))
    low = nodes.hold(floor)
    high = nodes.hold(1 - floor)
    clipped = nodes.add("Clip", proba[name], low, high)
    rest = nodes.add("Sub", nodes.hold(1.0), clipped)
    return nodes.add("Sub", nodes.add("Log", clipped), nodes.add("Log", rest))


def _normalise(nodes: Nodes, fitted: Fitted, logits: str) -> str:
    """Probabilities of `logits`, of each label alone in a multi-label task."""
    if fitted.schema.task == "multilabel":
        return nodes.add("Sigmoid", logits)
    return nodes.add("Softmax", logits, axis=1)


def measure_largest(a: Array, b: Array) -> float:
    """The largest difference of two arrays `a` and `b`; 0 where they are empty."""
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max(initial=0.0))
