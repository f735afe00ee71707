"""fingerprint: a text that is the same for the same content, in any process.

It differs where the content does.

>>> from sklearn.tree import DecisionTreeClassifier
>>> shallow, deep = DecisionTreeClassifier(max_depth=3), DecisionTreeClassifier(max_depth=4)
>>> fingerprint(shallow) == fingerprint(deep)
False
>>> fingerprint([1, "a"]) == fingerprint([1, "a"])
True
"""

import inspect
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from assay.errors import UnsupportedError

__all__ = ["fingerprint"]

# Parameters that scikit-learn's glossary defines as without influence on what is learned.
IDLE = frozenset({"n_jobs", "verbose"})
CONSTANTS = (bool, int, float, complex, str, bytes, tuple, frozenset)


def fingerprint(*values: Any) -> str:
    """40 hexadecimal digits for the content of `values`.

    Arrays count by type, shape and bytes; frames by their columns; estimators by class, version of
    the library (the source, for classes of no versioned library) and parameters but `n_jobs` and
    `verbose`; functions by their compiled code, what they close over, and what they name of their
    own module: its functions, classes and constants, with what these name in turn. Anything else
    counts by its pickled state.

    Raises:
        UnsupportedError: A value cannot be pickled either.

    >>> fingerprint(1) == fingerprint(1.0), len(fingerprint())
    (False, 40)
    """
    digest = blake2b(digest_size=20)
    for value in values:
        for piece in _pieces(value):
            # The length keeps pieces apart: "ab", "c" differs from "a", "bc".
            digest.update(len(piece).to_bytes(8, "little"))
            digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any) -> Iterator[Any]:
    """`value` as a sequence of bytes."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield f"{type(value).__name__}:{value!r}".encode()
    elif isinstance(value, np.ndarray | np.generic):
        yield from _array(np.asarray(value))
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__}:{len(value)}".encode()
        for item in value:
            yield from _pieces(item)
    elif isinstance(value, dict):
        yield from _pieces(
            ["dict", *sorted((fingerprint(k), fingerprint(v)) for k, v in value.items())]
        )
    elif isinstance(value, set | frozenset):
        yield from _pieces(["set", *sorted(map(fingerprint, value))])
    else:
        yield from _object(value)


def _object(value: Any) -> Iterator[Any]:
    if isinstance(value, type):
        yield from _pieces(_class_identity(value))
    elif isinstance(value, FunctionType):
        yield from _pieces([_function(value), *_list_named(value)])
    elif isinstance(value, MethodType):
        yield from _pieces(
            ["method", value.__self__, _function(value.__func__), *_list_named(value.__func__)]
        )
    elif isinstance(value, partial):
        yield from _pieces(["partial", value.func, value.args, value.keywords])
    elif isinstance(value, BuiltinFunctionType | np.ufunc):
        yield from _pieces(["function", getattr(value, "__module__", ""), value.__name__])
    elif hasattr(value, "columns") or hasattr(value, "iloc") or hasattr(value, "to_frame"):
        yield from _pieces(_frame(value))
    elif hasattr(value, "tocsr"):
        rows = value.tocsr()
        yield from _pieces(["sparse", rows.shape, rows.data, rows.indices, rows.indptr])
    elif hasattr(value, "get_params") and not isinstance(value, type) and _is_its_parameters(value):
        parameters = {
            name: v for name, v in value.get_params(deep=False).items() if name not in IDLE
        }
        yield from _pieces(["estimator", _class_identity(type(value)), parameters])
    else:
        yield from _pieces(["pickled", _class_identity(type(value)), _hash_pickle(value)])


def _array(values: Any) -> Iterator[Any]:
    yield f"array:{values.dtype.str}:{values.shape}".encode()
    if values.dtype.hasobject or values.dtype.kind == "T":
        for item in values.ravel().tolist():
            yield from _pieces(item)
    else:
        yield np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _frame(frame: Any) -> list[Any]:
    """A frame or series of pandas or polars, without its index: rows count by position."""
    if not hasattr(frame, "columns"):
        return ["series", str(frame.dtype), np.asarray(frame)]
    return [
        "frame",
        *((str(name), str(frame[name].dtype), np.asarray(frame[name])) for name in frame.columns),
    ]


def _is_its_parameters(model: Any) -> bool:
    """Whether cloning keeps the parameters alone (a frozen estimator keeps what it has learned)."""
    cloning = getattr(type(model), "__sklearn_clone__", None)
    return cloning is None or cloning.__module__ == "sklearn.base"


def _class_identity(cls: type) -> tuple[str, ...]:
    """Name of a class, and the version of its library; its source, where that has none."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    root = sys.modules.get(cls.__module__.partition(".")[0])
    version = getattr(root, "__version__", None)
    if version is not None or cls.__module__ == "builtins":
        return (name, str(version))
    bases = [text for base in cls.__bases__ if base is not object for text in _class_identity(base)]
    return (name, _source(cls), *bases)


def _source(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return ""


def _function(function: Any) -> list[Any]:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    kept = [function.__defaults__, function.__kwdefaults__, cells]
    return ["function", function.__module__, function.__qualname__, *_code(function.__code__), kept]


def _list_named(function: Any) -> list[Any]:
    """What a `function` of no versioned library names of its own module, and what that names."""
    root = sys.modules.get(function.__module__.partition(".")[0])
    if getattr(root, "__version__", None) is not None:
        return []
    known = function.__globals__
    named: dict[str, Any] = {}
    todo = _list_names(function.__code__)
    while todo:
        name = todo.pop()
        value = known.get(name)
        if name in named or name.startswith("__") or name not in known:
            continue
        if isinstance(value, CONSTANTS):
            named[name] = value
        elif getattr(value, "__module__", None) != function.__module__:
            continue
        elif isinstance(value, FunctionType):
            named[name] = _function(value)
            todo += _list_names(value.__code__)
        elif isinstance(value, type):
            named[name] = _source(value)
            for part in vars(value).values():
                code = getattr(getattr(part, "__func__", part), "__code__", None)
                todo += [] if code is None else _list_names(code)
    return [[name, named[name]] for name in sorted(named)]


def _list_names(code: CodeType) -> list[str]:
    """The global names that `code`, and the code within it, uses."""
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _list_names(c)]
    return [*code.co_names, *inner]


def _code(code: CodeType) -> list[Any]:
    inner = [_code(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code, list(code.co_names), list(code.co_varnames), inner]


def _hash_pickle(value: Any) -> str:
    try:
        from joblib import hash as state

        return str(state(value, hash_name="sha1"))
    except Exception as error:
        raise UnsupportedError(
            f"a {type(value).__module__}.{type(value).__qualname__} cannot be told from another "
            f"one like it ({type(error).__name__}: {error}), so that results of it cannot be kept; "
            f"run without store"
        ) from error
