"""Types that wings on different floors share."""

from typing import Literal, TypeAlias

__all__ = ["Better"]

Better: TypeAlias = Literal["higher", "lower"]  # which of two values of a metric is better
