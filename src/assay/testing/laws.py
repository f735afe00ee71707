"""Laws: how a law that does not hold is told, and when two results are the same.

>>> require(1 + 1 == 2, "one and one", "are two")
>>> require(1 + 1 == 3, "one and one", "are three")
Traceback (most recent call last):
AssertionError: one and one: are three
"""

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["require", "require_same"]


def require(holds: bool, member: object, law: str) -> None:
    """Raise AssertionError, naming the `member` and the `law`, unless it `holds`.

    Plain `assert` is left out where Python runs with -O, and says less.
    """
    if not holds:
        raise AssertionError(f"{member}: {law}")


def require_same(
    a: Mapping[Any, float], b: Mapping[Any, float], member: object, law: str, rtol: float = 1e-12
) -> None:
    """Raise AssertionError, naming the `member` and the `law`, unless the values are the same.

    `a` and `b` must have the same keys; values are the same where both are nan, or where they agree
    to the relative tolerance `rtol`, of numbers below 1 to the absolute one.
    """
    require(a.keys() == b.keys(), member, f"{law}; keys {sorted(map(str, a.keys() ^ b.keys()))}")
    for key, value in a.items():
        other = b[key]
        same = math.isclose(value, other, rel_tol=rtol, abs_tol=rtol)
        both_undefined = math.isnan(value) and math.isnan(other)
        require(same or both_undefined, member, f"{law}; {key}: {value!r} against {other!r}")
