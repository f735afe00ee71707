"""Lazy properties: computed when first read and kept, without locks.

Threads do not wait for each other.

functools.cached_property holds one lock for all instances of a class until Python 3.12.

>>> class Circle:
...     radius = 2
...     @lazy_property
...     def area(self) -> float:
...         return 3.14 * self.radius**2
>>> Circle().area
12.56
"""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["lazy_property"]

T = TypeVar("T")


class lazy_property(Generic[T]):  # noqa: N801 - reads as the built-in `property` does
    """Decorator of a method without arguments.

    Two threads at once may both compute the value; they agree.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value = self.compute(instance)
        instance.__dict__[self.name] = value
        return value
