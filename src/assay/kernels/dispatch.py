"""Twin: how a kernel is replaced by its compiled form, where the package was built with a compiler.

>>> from assay.kernels import count_pairs
>>> callable(count_pairs)
True
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from assay._native import COMPILED, Array

__all__ = ["BLOCK", "Array", "get_backend", "compiled_or_numpy"]

F = TypeVar("F", bound=Callable[..., Any])

BLOCK = 32_768  # rows that are looked at a few times, and stay in cache


def get_backend() -> str:
    """Which kernels run: "compiled" or "numpy"."""
    return "compiled" if COMPILED else "numpy"


def compiled_or_numpy(reference: F) -> F:
    """The compiled twin of a kernel, with the kernel itself for inputs that the twin does not take."""
    twin = COMPILED.get(reference.__name__)
    if twin is None:
        return reference

    @wraps(reference)
    def kernel(*args: Any, **options: Any) -> Any:
        found = twin(*args, **options)
        return reference(*args, **options) if found is None else found

    return cast(F, kernel)
