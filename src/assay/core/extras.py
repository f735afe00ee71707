"""Extras: packages that are imported when first needed, and named with what installs them.

>>> load_module("json", "text").dumps([1])
'[1]'
"""

import importlib
from typing import Any

from assay.errors import MissingDependencyError

__all__ = ["load_module"]


def load_module(module: str, extra: str) -> Any:
    """The imported `module`; MissingDependencyError, naming the `extra`, where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"{package} is not installed; run pip install 'assay[{extra}]'"
        ) from error
