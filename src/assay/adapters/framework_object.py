"""Base of what a framework calls: an instance of its own class, imported when the first is made.

>>> class Collected(FrameworkObject):
...     places = (("collections", "UserList"),)
...     extra = "none"
>>> from collections import UserList
>>> isinstance(Collected(), UserList), isinstance(Collected(), Collected)
(True, True)
"""

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Self

from assay.errors import MissingDependencyError

__all__ = ["FrameworkObject"]


class FrameworkObject:
    """A callback or metric that is an instance of its framework's own class, too.

    `places` are the modules and names of that class, the first of those that are imported already
    or else the first; `extra` is what to install. It can be copied and pickled.
    """

    places: ClassVar[tuple[tuple[str, str], ...]] = ()
    extra: ClassVar[str] = ""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        made: Self = object.__new__(_derive(cls))  # type: ignore[arg-type]
        return made

    def __reduce__(self) -> tuple[Any, tuple[type], Mapping[str, Any]]:
        # What is derived below has no place that pickle could find it at.
        return _make, (type(self).__bases__[0],), vars(self)


def _make(cls: type[FrameworkObject]) -> FrameworkObject:
    return cls.__new__(cls)


@cache
def _derive(cls: type[Any]) -> type[Any]:
    """The class with that of its framework as a further base."""
    places = sorted(cls.places, key=lambda place: place[0] not in sys.modules)
    module, name = places[0]
    try:
        base = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise MissingDependencyError(
            f"{module.partition('.')[0]} is not installed; run pip install 'assay[{cls.extra}]'"
        ) from error
    if issubclass(cls, base):
        return cls
    return type(cls.__name__, (cls, base), {"__module__": cls.__module__, "__doc__": cls.__doc__})
