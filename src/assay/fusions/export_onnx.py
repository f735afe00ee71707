"""Export: a fitted fusion and the models that it fuses as one ONNX graph, from inputs to answer.

>>> from assay.fusions.mean import Mean
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.2, 0.8], "b.proba": [0.4, 0.6]})
>>> export_onnx(Mean().fit(p), "pool.onnx", {"a": None}, [[0.0]])
Traceback (most recent call last):
assay.errors.UnsupportedError: the fusion needs the models a, b; models has no 'b'
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from assay.adapters.collect import collect
from assay.adapters.onnx_graph import OPSET, MemberGraph, build_member_graph, get_onnx, open_session
from assay.core.atomic import write_whole
from assay.errors import UnsupportedError
from assay.fusions.base import load_fitted
from assay.fusions.fitted import Fitted
from assay.fusions.onnx_pools import Nodes, build_pool, measure_largest, refuse_pool
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["export_onnx"]

CHECKED = 256  # rows on which the graph is compared with the models
CLOSE = 1e-5  # of probabilities, and of values by the largest of them


def export_onnx(fused: Any, path: str | Path, models: Mapping[str, Any], X: Any) -> list[str]:
    """Write a fusion and its models as one ONNX graph, which needs no assay to run.

    The graph gives `label` and `probabilities` (of several labels `probabilities` alone), or
    `variable` in regression. Where ONNX Runtime is installed it is run on the rows of `X`, and
    compared with what the models and the fusion say.

    Parameters:
        fused: What `fuse` returned, a fitted fusion, or the path of a saved one.
        path: File to write, as a whole or not at all.
        models: The models by the names that they have in the fusion: estimators of scikit-learn,
            modules of PyTorch, or graphs that onnx.load has read.
        X: Some rows of inputs, which tell types and shapes: an array or data frame that all models
            read, named arrays that modules take as keywords, or a dictionary with one input for
            each model, by its name.

    Returns:
        Notes: how near the graph is to the models.

    Raises:
        UnsupportedError: A model or the fusion cannot be exported; it says which part, and why.
        MissingDependencyError: onnx, or what converts a model, is not installed.

    >>> from assay.fusions.fuse import fuse
    >>> votes = Predictions.from_arrays(["x", "y"], {"a": ["x", "y"], "b": ["y", "y"]})
    >>> export_onnx(fuse(votes, "mean"), "pool.onnx", {"a": None, "b": None}, [[0.0]])
    Traceback (most recent call last):
    assay.errors.UnsupportedError: mean is a vote of labels, which is not exported; ...
    """
    fitted = (
        load_fitted(fused) if isinstance(fused, str | Path) else getattr(fused, "fitted", fused)
    )
    if not isinstance(fitted, Fitted):
        raise UnsupportedError(
            f"expected a fusion, as assay.fuse returns one; got {type(fused).__name__}"
        )
    needed = fitted.required_models
    missing = [name for name in needed if name not in models]
    if missing:
        raise UnsupportedError(
            f"the fusion needs the models {', '.join(needed)}; models has no {missing[0]!r}"
        )
    refuse_pool(fitted)
    samples = {name: _choose_sample(name, models, X) for name in needed}
    graph = _Pool(get_onnx(), fitted)
    for name in needed:
        gives = _choose_kind(fitted, name)
        member = build_member_graph(name, models[name], samples[name], gives)
        graph.add_member(name, member, shares=_holds_one_input(X, models))
    proto = graph.finish()
    content = proto.SerializeToString()
    notes = _check_graph(content, fitted, models, samples, X)
    write_whole(path, content)
    return notes


class _Pool:
    """A graph to which members are added, then the fusion."""

    def __init__(self, onnx: Any, fitted: Fitted) -> None:
        self.onnx = onnx
        self.fitted = fitted
        self.nodes = Nodes(onnx)
        self.inputs: dict[str, Any] = {}
        self.proba: dict[str, str] = {}
        self.logs: dict[str, str] = {}
        self.versions: dict[str, int] = {"": OPSET}

    def add_member(self, name: str, member: MemberGraph, *, shares: bool) -> None:
        """Add the graph of one model; where it `shares` its input, that is X for all."""
        own = self.onnx.compose.add_prefix(member.proto, prefix=f"{name}/")
        for each in own.opset_import:
            if each.domain:
                self.versions[each.domain] = max(each.version, self.versions.get(each.domain, 0))
        own = self.onnx.inliner.inline_local_functions(own) if own.functions else own
        constants = {one.name for one in own.graph.initializer}
        entries = [entry for entry in own.graph.input if entry.name not in constants]
        for entry in entries:
            plain = entry.name.removeprefix(f"{name}/")
            shared = "X" if shares and len(entries) == 1 else plain
            if not shares and len(entries) == 1:
                shared = name
            self._link_input(shared, entry)
        self.nodes.nodes += own.graph.node
        self.nodes.initializers += own.graph.initializer
        self._read_member(name, member, f"{name}/{member.output}")

    def _link_input(self, name: str, entry: Any) -> None:
        """Feed an `entry` of a member from the input `name` of the whole, in its own type."""
        kind = entry.type.tensor_type.elem_type
        if name not in self.inputs:
            shape = [d.dim_value or "rows" for d in entry.type.tensor_type.shape.dim]
            whole = self.onnx.helper.make_tensor_value_info(name, kind, ["rows", *shape[1:]])
            self.inputs[name] = whole
        same = self.inputs[name].type.tensor_type.elem_type == kind
        operator = "Identity" if same else "Cast"
        attributes = {} if same else {"to": kind}
        self.nodes.add(operator, name, name=entry.name, **attributes)

    def _read_member(self, name: str, member: MemberGraph, output: str) -> None:
        """What a member gives, as probabilities and their logarithms, or values."""
        nodes = self.nodes
        schema = self.fitted.schema
        value = nodes.cast(output)
        if schema.task == "regression":
            self.proba[name] = nodes.add("Reshape", value, nodes.hold([-1], np.int64))
            return
        if member.classes is not None and tuple(member.classes) != tuple(schema.classes):
            value = self._order_classes(name, member.classes, value)
        if schema.task == "binary" and member.classes is None:
            value = self._widen(value, member.gives == "logit", name, member)
        if member.gives == "logit":
            multilabel = schema.task == "multilabel"
            softmax = nodes.add("LogSoftmax", value, axis=1) if not multilabel else ""
            self.proba[name] = (
                nodes.add("Sigmoid", value) if multilabel else nodes.add("Exp", softmax)
            )
            self.logs[name] = softmax or nodes.add("Log", self.proba[name])
            return
        self.proba[name] = value
        least = nodes.hold(np.finfo(np.float64).tiny)
        self.logs[name] = nodes.add("Log", nodes.add("Max", value, least))

    def _order_classes(self, name: str, own: tuple[Any, ...], value: str) -> str:
        """The columns of a member in the order of the table's classes; absent ones are 0."""
        wanted = self.fitted.schema.classes
        if self.fitted.schema.task == "multilabel":
            return value
        unknown = [label for label in own if label not in wanted]
        if unknown:
            raise UnsupportedError(
                f"model {name!r} knows the class {unknown[0]!r}, which the fusion has not "
                f"({', '.join(map(repr, wanted))})"
            )
        places = [own.index(label) if label in own else len(own) for label in wanted]
        if len(own) in places:
            first = self.nodes.add("Gather", value, self.nodes.hold([0], np.int64), axis=1)
            zero = self.nodes.scale(first, 0.0)
            value = self.nodes.add("Concat", value, zero, axis=1)
        return self.nodes.add("Gather", value, self.nodes.hold(places, np.int64), axis=1)

    def _widen(self, value: str, is_logit: bool, name: str, member: MemberGraph) -> str:
        """Both columns of a binary output that has one alone, of the positive class."""
        dims = next(
            output.type.tensor_type.shape.dim
            for output in member.proto.graph.output
            if output.name == member.output
        )
        if len(dims) == 2 and dims[1].dim_value == len(self.fitted.schema.classes):
            return value
        column = self.nodes.add("Reshape", value, self.nodes.hold([-1, 1], np.int64))
        zero = self.nodes.scale(column, 0.0)
        other = zero if is_logit else self.nodes.add("Sub", self.nodes.hold(1.0), column)
        schema = self.fitted.schema
        last = schema.positive in (None, schema.classes[-1])
        both = (other, column) if last else (column, other)
        return self.nodes.add("Concat", *both, axis=1)

    def finish(self) -> Any:
        """The whole graph, checked."""
        helper = self.onnx.helper
        kinds = self.onnx.TensorProto
        nodes = self.nodes
        schema = self.fitted.schema
        fused = build_pool(nodes, self.fitted, self.proba, self.logs)
        outputs = []
        if schema.task == "regression":
            nodes.add("Cast", fused, name="variable", to=kinds.FLOAT)
            outputs.append(helper.make_tensor_value_info("variable", kinds.FLOAT, ["rows"]))
        else:
            k = schema.k
            if schema.task != "multilabel":
                best = nodes.add("ArgMax", fused, axis=1, keepdims=0)
                whole = all(isinstance(c, int) and not isinstance(c, bool) for c in schema.classes)
                kind = kinds.INT64 if whole else kinds.STRING
                labels = list(schema.classes) if whole else [str(c) for c in schema.classes]
                names = nodes.hold(labels, np.int64 if whole else object)
                nodes.add("Gather", names, best, name="label", axis=0)
                outputs.append(helper.make_tensor_value_info("label", kind, ["rows"]))
            nodes.add("Cast", fused, name="probabilities", to=kinds.FLOAT)
            outputs.append(helper.make_tensor_value_info("probabilities", kinds.FLOAT, ["rows", k]))
        graph = helper.make_graph(
            nodes.nodes, "fused", list(self.inputs.values()), outputs, nodes.initializers
        )
        versions = [helper.make_opsetid(domain, v) for domain, v in self.versions.items()]
        proto = helper.make_model(graph, opset_imports=versions, producer_name="assay")
        proto.ir_version = 8  # the oldest that OPSET needs, so that older runtimes take it
        self.onnx.checker.check_model(proto)
        return proto


def _holds_one_input(X: Any, models: Mapping[str, Any]) -> bool:
    """Whether `X` is one input that all `models` read."""
    return not (isinstance(X, Mapping) and set(models) <= set(X))


def _choose_sample(name: str, models: Mapping[str, Any], X: Any) -> Any:
    """The rows of the model `name`, of single precision where they are floats."""
    own = X if _holds_one_input(X, models) else X[name]
    return _lower_precision(own)


def _lower_precision(values: Any) -> Any:
    """The `values` with floats in single precision."""
    if isinstance(values, Mapping):
        return {key: _lower_precision(each) for key, each in values.items()}
    if hasattr(values, "columns"):
        floats = {c: np.float32 for c in values.columns if values[c].dtype == np.float64}
        return values.astype(floats)
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _check_graph(
    content: bytes,
    fitted: Fitted,
    models: Mapping[str, Any],
    samples: Mapping[str, Any],
    X: Any,
) -> list[str]:
    """A note on how near the graph is to the models, where ONNX Runtime is installed."""
    onnx_models = [name for name in fitted.required_models if _is_proto(models[name])]
    if onnx_models:
        return [f"The graph was not compared: {onnx_models[0]!r} was a graph already."]
    session = open_session(content)
    if session is None:
        return ["ONNX Runtime is not installed: the graph was not run."]
    feeds = _make_feeds(session, samples, X)
    wanted = "variable" if fitted.schema.task == "regression" else "probabilities"
    given = session.run([wanted], feeds)[0]
    expected = fitted.apply(_ask_models(fitted, models, samples))[fitted.kind][:CHECKED]
    if given.shape != expected.shape:
        raise UnsupportedError(
            f"the graph gives {wanted} of shape {given.shape}, and the fusion {expected.shape}: "
            "what converts one of the models does so wrongly; convert the models one by one, and "
            "give what onnx.load reads of those that are right"
        )
    largest = measure_largest(given, expected)
    note = f"On {len(given)} rows the graph differs from the models by at most {largest:.1g}"
    if largest <= CLOSE * max(1.0, float(np.abs(expected).max(initial=0.0))):
        return [f"{note}."]
    row = int(np.abs(given - expected).reshape(len(given), -1).max(axis=1).argmax())
    return [f"{note}, in row {row}: it computes in single precision."]


def _make_feeds(session: Any, samples: Mapping[str, Any], X: Any) -> dict[str, Array]:
    """The first rows of each input of a `session`."""
    feeds = {}
    first = next(iter(samples.values()))
    for entry in session.get_inputs():
        if entry.name == "X":
            values = first
        elif entry.name in samples and isinstance(X, Mapping) and entry.name in X:
            values = samples[entry.name]
        else:
            values = first[entry.name]
        array = np.asarray(values)[:CHECKED]
        array = array[:, None] if array.ndim == 1 and len(entry.shape) == 2 else array
        feeds[entry.name] = array
    return feeds


def _ask_models(
    fitted: Fitted, models: Mapping[str, Any], samples: Mapping[str, Any]
) -> Predictions:
    """What the models say of the first rows of their samples."""
    schema = fitted.schema
    columns: dict[str, Any] = {}
    truth: Any = None
    classes = None if schema.task == "regression" else schema.classes
    for name in fitted.required_models:
        rows = _take(samples[name], CHECKED)
        n = len(next(iter(rows.values())) if isinstance(rows, Mapping) else rows)
        truth = _make_truth(fitted, n)
        kind = _choose_kind(fitted, name)
        table = collect(
            {name: models[name]}, rows, truth, task=schema.task, classes=classes, kinds={name: kind}
        )
        columns[f"{name}.{kind}"] = table.outputs[name][kind]
    return Predictions.from_arrays(
        truth, columns, task=schema.task, classes=classes, positive=schema.positive
    )


def _make_truth(fitted: Fitted, n: int) -> Array:
    """Some truth (n,) that holds every class, for a table that needs one."""
    schema = fitted.schema
    if schema.task == "regression":
        return np.arange(n, dtype=np.float64)
    if schema.task == "multilabel":
        return np.tile(np.arange(schema.k) % 2, (n, 1))
    return np.array([schema.classes[i % schema.k] for i in range(n)])


def _choose_kind(fitted: Fitted, name: str) -> Literal["proba", "logit", "value"]:
    """What the fusion reads of the model `name`."""
    kinds = fitted.schema.models[name]
    if "value" in kinds:
        return "value"
    return "logit" if "logit" in kinds else "proba"


def _take(values: Any, n: int) -> Any:
    """The first `n` rows of `values`."""
    if isinstance(values, Mapping):
        return {key: each[:n] for key, each in values.items()}
    return values[:n]


def _is_proto(model: Any) -> bool:
    return isinstance(model, get_onnx().ModelProto)
