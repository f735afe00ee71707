"""Distributed: what every process of a distributed training holds, gathered to each of them.

>>> gather({"rows": 3})
[{'rows': 3}]
"""

import sys
from typing import TypeVar

__all__ = ["gather"]

T = TypeVar("T")


def gather(value: T) -> list[T]:
    """The `value` of every process, in the order of their ranks; its own alone outside of any.

    All processes of the default group of `torch.distributed` must call it, each once.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.distributed.is_available():
        return [value]
    distributed = torch.distributed
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return [value]
    gathered: list[T] = [value] * distributed.get_world_size()
    distributed.all_gather_object(gathered, value)
    return gathered
