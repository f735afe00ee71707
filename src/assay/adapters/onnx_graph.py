"""Models as ONNX graphs: estimators of scikit-learn, modules of PyTorch, and graphs as they are.

>>> OPSET
17
"""

import inspect
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from assay.errors import MissingDependencyError, UnsupportedError
from assay.table.labels import Label

__all__ = ["OPSET", "MemberGraph", "build_member_graph", "get_onnx", "open_session"]

OPSET = 17  # that all members are written in, so that they fit into one graph
ML_OPSET = 3


@dataclass(frozen=True)
class MemberGraph:
    """One model as an ONNX graph.

    Parameters:
        proto: The onnx.ModelProto.
        output: Name of the output that counts.
        gives: Whether it is probabilities, logits or values.
        classes: The classes of its columns; None: those of the table, in their order.
    """

    proto: Any
    output: str
    gives: Literal["proba", "logit", "value"]
    classes: tuple[Label, ...] | None = None


def get_onnx() -> Any:
    """The module onnx, imported when first asked for."""
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError(
            "graphs are written with onnx; run pip install 'assay[onnx]'"
        ) from error
    return onnx


def open_session(content: bytes) -> Any:
    """A session of ONNX Runtime of the graph in `content`; None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def build_member_graph(
    name: str, model: Any, sample: Any, gives: Literal["proba", "logit", "value"]
) -> MemberGraph:
    """The graph of a `model`.

    Parameters:
        name: Its name, for messages.
        model: An estimator of scikit-learn, a torch.nn.Module, or an onnx.ModelProto.
        sample: Some rows of its input: an array, a data frame, or arrays by name.
        gives: What the table has of it: probabilities, logits or values.

    Raises:
        UnsupportedError: It cannot be converted; the message says why.
        MissingDependencyError: What converts it is not installed.
    """
    onnx = get_onnx()
    if isinstance(model, onnx.ModelProto):
        return _read_proto(name, model, gives)
    bases = {f"{cls.__module__}.{cls.__name__}" for cls in type(model).__mro__}
    if "keras.src.models.model.Model" in bases:
        raise UnsupportedError(
            f"model {name!r} is of Keras; write it with the export of Keras to ONNX, and give what "
            "onnx.load reads"
        )
    if "torch.nn.modules.module.Module" in bases:
        return _convert_module(name, model, sample, gives)
    if "sklearn.base.BaseEstimator" in bases:
        return _convert_estimator(name, model, sample)
    raise UnsupportedError(
        f"model {name!r} is of type {type(model).__name__}; what is exported are estimators of "
        "scikit-learn, modules of PyTorch, and graphs that onnx.load has read"
    )


def _convert_estimator(name: str, model: Any, sample: Any) -> MemberGraph:
    """An estimator of scikit-learn, by skl2onnx."""
    try:
        from skl2onnx import to_onnx
    except ImportError as error:
        raise MissingDependencyError(
            "estimators of scikit-learn are exported with skl2onnx; run pip install 'assay[onnx]'"
        ) from error
    classes = getattr(model, "classes_", None)
    options = {"zipmap": False} if classes is not None else None
    opset = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    try:
        proto = to_onnx(model, sample, options=options, target_opset=opset)
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnsupportedError(
            f"model {name!r} ({type(model).__name__}) cannot be exported: skl2onnx says: {first}"
        ) from error
    outputs = [output.name for output in proto.graph.output]
    if classes is None:
        return MemberGraph(proto, outputs[-1], "value")
    if len(outputs) < 2 or not hasattr(model, "predict_proba"):
        raise UnsupportedError(
            f"model {name!r} ({type(model).__name__}) gives no probabilities, so its vote cannot "
            "be exported; calibrate it (CalibratedClassifierCV), and fuse again"
        )
    several = isinstance(classes, list)
    return MemberGraph(proto, outputs[1], "proba", None if several else tuple(classes.tolist()))


def _convert_module(
    name: str, model: Any, sample: Any, gives: Literal["proba", "logit", "value"]
) -> MemberGraph:
    """A module of PyTorch, by torch.onnx; its mode and its place stay."""
    import copy

    import torch

    copied = copy.deepcopy(model).cpu().float().eval()
    arguments = {
        key: torch.as_tensor(np.asarray(values))
        for key, values in (sample if isinstance(sample, Mapping) else {"X": sample}).items()
    }
    named = isinstance(sample, Mapping)
    buffer = io.BytesIO()
    export: Any = torch.onnx.export
    # The tracer needs nothing but torch; later versions have another by default.
    traced = {"dynamo": False} if "dynamo" in inspect.signature(export).parameters else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            export(
                copied,
                (arguments,) if named else tuple(arguments.values()),
                buffer,
                input_names=list(arguments),
                output_names=["output"],
                dynamic_axes={key: {0: "rows"} for key in [*arguments, "output"]},
                opset_version=OPSET,
                **traced,
            )
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnsupportedError(
            f"model {name!r} ({type(model).__name__}) cannot be exported: torch.onnx says: {first}"
        ) from error
    proto = get_onnx().load_model_from_string(buffer.getvalue())
    return MemberGraph(proto, "output", gives)


def _read_proto(name: str, model: Any, gives: Literal["proba", "logit", "value"]) -> MemberGraph:
    """A graph that is there already, in the operators of `OPSET`."""
    onnx = get_onnx()
    versions = {one.domain: one.version for one in model.opset_import}
    if versions.get("", OPSET) != OPSET:
        model = _drop_repeats(model, versions)
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except Exception as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise UnsupportedError(
                f"the graph of model {name!r} has operators of version {versions['']}, and cannot "
                f"be brought to {OPSET}: {first}"
            ) from error
    floats = [
        output.name
        for output in model.graph.output
        if output.type.tensor_type.elem_type
        in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
    ]
    if len(floats) != 1:
        raise UnsupportedError(
            f"the graph of model {name!r} has {len(floats)} outputs of real numbers; give one with "
            "a single one (skl2onnx: convert without ZipMap)"
        )
    return MemberGraph(model, floats[0], gives)


def _drop_repeats(model: Any, versions: Mapping[str, int]) -> Any:
    """A `model` that names each domain of operators once, as skl2onnx does not always."""
    copied = type(model)()
    copied.CopyFrom(model)
    del copied.opset_import[:]
    make = get_onnx().helper.make_opsetid
    copied.opset_import.extend(make(domain, version) for domain, version in versions.items())
    return copied
