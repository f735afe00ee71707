"""PyTorch: any nn.Module on arrays, tensors, a Dataset or a DataLoader; logits stay logits.

>>> import torch
>>> net = torch.nn.Linear(2, 3)
>>> output = Torch().predict(net, torch.zeros(4, 2))
>>> output["logit"].shape, net.training
((4, 3), True)
"""

from dataclasses import dataclass
from typing import Any

from assay.adapters.torch_modules import TorchModules

__all__ = ["Torch"]


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
