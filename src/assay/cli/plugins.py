"""Plug-ins: modules and files that define further metrics, fusions, readers, charts and the like.

>>> load_plugins(["json"])
"""

import importlib
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from assay.errors import AssayError

__all__ = ["load_plugins"]

NAMESPACES: list[Any] = []  # what files defined: their classes may refer to it


def load_plugins(modules: Iterable[str]) -> None:
    """Import `modules`, each a file that ends in .py or the name of a module.

    Defining a member of a family there registers it. What cannot be imported is a BadParameter.
    """
    for text in modules:
        try:
            if text.endswith(".py"):
                NAMESPACES.append(runpy.run_path(text, run_name=Path(text).stem))
            else:
                importlib.import_module(text)
        except AssayError:
            raise
        except FileNotFoundError as error:
            raise click.BadParameter(f"{text}: no such file; check the path") from error
        except Exception as error:
            kind = type(error).__name__
            raise click.BadParameter(f"{text} cannot be imported ({kind}: {error})") from error
