"""Functions: anything that takes a batch of rows and gives an array, as a model.

>>> import numpy as np
>>> def score(rows):
...     return np.asarray(rows)[:, 0]
>>> Function().predict(score, [[0.5], [-2.0]])["logit"].tolist()
[0.5, -2.0]
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from assay.adapters.base import Adapter, find_several
from assay.adapters.extents import Extent, choose_kind
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.schema import Kind, Task

__all__ = ["Function"]

UNKNOWN: Kind = "logit"  # what outputs are called until all are there


@dataclass(frozen=True)
class Function(Adapter):
    """Functions of a batch of rows, which give labels, numbers, class columns, or these by kind.

    Text is labels; whole numbers are labels unless the task is regression; other arrays are told
    apart as the outputs of a network are. A mapping of kind to array ({"label": ..., "proba": ...})
    says what it holds. Class columns are in the order of `classes`, or of the numbers 0 to k - 1.
    """

    name = "function"
    extra = ""
    modules = ("builtins",)
    rank = -10

    def accepts(self, model: Any) -> bool:
        """Whether `model` can be called, and is no class."""
        return isinstance(model, Callable) and not isinstance(model, type)  # type: ignore[arg-type]

    def task(self, model: Any, y: Any) -> Task | None:
        """As the columns of the truth `y` say where it has several. `model` is not asked."""
        return find_several(y)

    def predict(
        self, model: Any, inputs: Any, *, device: str | None = None
    ) -> Mapping[Kind, Array]:
        """What `model` gives for `inputs`. `device` is not used."""
        given = model(inputs)
        if isinstance(given, Mapping):
            unknown = [name for name in given if name not in get_args(Kind)]
            if unknown:
                raise UnsupportedError(
                    f"the function gives {unknown[0]!r}; expected a mapping of kinds "
                    f"({', '.join(get_args(Kind))}) to arrays"
                )
            return {kind: _convert_to_numpy(values) for kind, values in given.items()}
        values = _convert_to_numpy(given)
        whole = values.dtype.kind in "OUSbiu" and values.ndim == 1
        return {"label" if whole else UNKNOWN: values}

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The kinds of the outputs: as the function `model` says, as the declared `kind`, or as
        their `extents` tell for the `task`.
        """
        if len(extents) > 1 or (kind is None and UNKNOWN not in extents):
            return super().settle(model, extents, task, None)
        given = next(iter(extents))
        if kind is None:
            name = getattr(model, "__name__", type(model).__name__)
            kind = choose_kind(extents[given], task, model_name=name)
        return {given: kind}


def _convert_to_numpy(values: Any) -> Array:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
