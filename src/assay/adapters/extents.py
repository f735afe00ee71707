"""Extents: the range of what a model gives, by which logits are told from probabilities.

It is observed batch by batch, so that the size of batches changes nothing.

>>> import numpy as np
>>> extent = Extent().observe(np.array([[0.2, 0.8]])).observe(np.array([[0.5, 0.5]]))
>>> extent.is_bounded, extent.sums_to_1, extent.width
(True, True, 2)
>>> choose_kind(extent, "multiclass", model_name="net")
'proba'
"""

from typing import NamedTuple

import numpy as np

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = ["Extent", "choose_kind"]

TOLERANCE = 1e-3  # by which the probabilities of a row may miss a sum of 1


class Extent(NamedTuple):
    """What is known of one column of outputs, or of the class columns (n, k), over all rows so far.

    `shape` is that of a row: () or (k,). `is_bounded` says whether all numbers lie in [0, 1],
    `sums_to_1` whether besides all rows sum to 1.
    """

    n: int = 0
    shape: tuple[int, ...] = ()
    is_bounded: bool = True
    sums_to_1: bool = True

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.shape[0] if self.shape else 1

    def observe(self, values: Array) -> "Extent":
        """The extent of the rows so far and of further `values` (n, ...)."""
        shape = values.shape[1:]
        if self.n and shape != self.shape and len(values):
            raise UnsupportedError(
                f"the outputs of a batch have shape {values.shape}, those before it had rows of "
                f"shape {self.shape}; expected one row a row of data, all alike"
            )
        extent = Extent(self.n + len(values), shape, self.is_bounded, self.sums_to_1)
        if not self.is_bounded or not values.size or values.dtype.kind not in "fiub":
            return extent
        # Once a number lies outside [0, 1], no further one can change the answer.
        if not (values.min() >= 0 and values.max() <= 1):
            return extent._replace(is_bounded=False, sums_to_1=False)
        if not self.sums_to_1 or values.ndim != 2:
            return extent
        off = np.abs(values.sum(axis=1, dtype=np.float64) - 1).max()
        return extent._replace(sums_to_1=bool(off <= TOLERANCE))


def choose_kind(
    extent: Extent, task: Task | None, *, model_name: str, ends_in: Kind | None = None
) -> Kind:
    """The kind of outputs that do not say themselves what they are.

    Rows that sum to 1 are probabilities. Single outputs, and those of several labels, are logits
    where any lies outside [0, 1]; where none does, they may be either.

    Parameters:
        extent: The range of the outputs.
        task: The task, where it is known.
        model_name: What a message calls the model.
        ends_in: What the last layer of the model shows: "proba" or "logit"; None: nothing.

    Raises:
        UnsupportedError: The outputs have no single row for a row of data, or may be either.
    """
    if len(extent.shape) > 1:
        raise UnsupportedError(
            f"the outputs of a {model_name} have shape {(extent.n, *extent.shape)}; expected one "
            f"row a row of data: (n,), or (n, k). Where these are scores of the pixels of images, "
            f"count their classes: assay.count_pixels(y, {{'model': outputs.argmax(1)}})"
        )
    if task in ("regression", "multioutput"):
        return "value"
    if not extent.n or not extent.is_bounded:
        return "logit"
    if extent.width > 1 and task != "multilabel":
        return "proba" if extent.sums_to_1 else "logit"
    if ends_in is not None:
        return ends_in
    raise UnsupportedError(
        f"the outputs of a {model_name} all lie in [0, 1]: they may be logits or probabilities; "
        f"say which, as in kinds={{'name': 'logit'}}"
    )
