"""Dispatch: a kernel runs in compiled form where the package was built with a compiler.

>>> from assay.kernels import count_pairs
>>> callable(count_pairs)
True
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from assay._native import COMPILED

__all__ = ["BLOCK", "compiled_or_numpy", "get_backend"]

F = TypeVar("F", bound=Callable[..., Any])

BLOCK = 32_768  # rows of a block: they are read a few times, and stay in cache meanwhile


def get_backend() -> str:
    """Which kernels run: "compiled" or "numpy"."""
    return "compiled" if COMPILED else "numpy"


def compiled_or_numpy(reference: F) -> F:
    """The compiled form of the kernel `reference`, which itself serves inputs that form refuses."""
    compiled = COMPILED.get(reference.__name__)
    if compiled is None:
        return reference

    @wraps(reference)
    def kernel(*args: Any, **options: Any) -> Any:
        result = compiled(*args, **options)
        return reference(*args, **options) if result is None else result

    return cast(F, kernel)
