"""PyTorch: any nn.Module on arrays, tensors, a Dataset or a DataLoader; logits stay logits.

>>> import torch
>>> net = torch.nn.Linear(2, 3)
>>> output = Torch().predict(net, torch.zeros(4, 2))
>>> output["logit"].shape, net.training
((4, 3), True)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.adapters.extents import Extent, choose_kind
from assay.adapters.torch_modules import TorchModules
from assay.table.schema import Kind, Task

__all__ = ["Torch"]

ENDS: Mapping[str, Kind] = {"Sigmoid": "proba", "Linear": "logit"}  # what a last layer gives


@dataclass(frozen=True)
class Torch(TorchModules):
    """Modules of PyTorch, run in evaluation mode without gradients, and put back afterwards.

    Several inputs are passed to the module one after the other, named ones by name.  The output may
    be a tensor, a tuple that begins with one, or something with `logits`.
    """

    name = "torch"
    rank = 10

    def accepts(self, model: Any) -> bool:
        """Whether `model` is an nn.Module."""
        return isinstance(model, self.import_torch().nn.Module)

    def settle(
        self,
        model: Any,
        extents: Mapping[Kind, Extent],
        task: Task | None,
        kind: Kind | None,
    ) -> Mapping[Kind, Kind]:
        """The outputs of a `task` as values, logits or probabilities, or as the declared `kind`.

        Rows that sum to 1 are probabilities. Single outputs and those of several labels are logits
        where any lies outside [0, 1]; otherwise the last layer of the `model` tells, or `kind`.
        """
        last = type([*model.modules()][-1]).__name__
        name = type(model).__name__
        shown = choose_kind(extents["logit"], task, model_name=name, ends_in=kind or ENDS.get(last))
        return {"logit": kind or shown}
