"""Batch norm: running statistics that belong to the weights of a soup, taken from data.

>>> import torch
>>> net = torch.nn.BatchNorm1d(1)
>>> batches = [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])]
>>> refresh_batch_norm(net, batches).running_mean
tensor([4.])
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assay.errors import UnsupportedError
from assay.soups.base import get_torch

__all__ = ["refresh_batch_norm"]


def refresh_batch_norm(model: Any, batches: Iterable[Any], *, device: Any = None) -> Any:
    """Set the running statistics of all batch-norm layers to the means over some batches.

    The statistics that a soup averages are those of its checkpoints, not those that its own weights
    give: without this, networks with batch norm seem to be ruined by averaging. The layers are in
    training mode meanwhile and all others (dropout) in evaluation mode; afterwards each is as it
    was. Give training inputs, of some thousand rows, in shuffled batches.

    Parameters:
        model: A torch.nn.Module; it is changed in place.
        batches: Batches of inputs; of a tuple or list the first item is taken, a mapping is given
            as keywords.
        device: Device that inputs are moved to; default: that of the model's parameters.

    Returns:
        The model.

    Raises:
        UnsupportedError: The model has no batch-norm layer that keeps statistics, or there is no
            batch.

    Source: Izmailov et al. (2018), Averaging weights leads to wider optima, UAI, arXiv 1803.05407,
    section 3.2.

    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    >>> net = refresh_batch_norm(net, torch.randn(4, 8, 2))
    >>> int(net[1].num_batches_tracked)
    4
    """
    torch = get_torch()
    kind = torch.nn.modules.batchnorm._BatchNorm
    layers = [m for m in model.modules() if isinstance(m, kind) and m.running_mean is not None]
    if not layers:
        raise UnsupportedError(
            "the model has no batch-norm layer with running statistics: there is nothing to refresh"
        )
    place = device if device is not None else layers[0].running_mean.device
    with _measure(model, layers), torch.no_grad():
        count = sum(1 for batch in batches if _call(model, batch, place))
        if not count:
            raise UnsupportedError(
                "there is no batch to take the statistics from; give some of training inputs"
            )
    return model


@contextmanager
def _measure(model: Any, layers: list[Any]) -> Iterator[None]:
    """The `layers` begin anew and average over batches; on an error all is as it was."""
    modes = {module: module.training for module in model.modules()}
    momenta = {layer: layer.momentum for layer in layers}
    before = [{n: b.clone() for n, b in layer.named_buffers(recurse=False)} for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over batches
        layer.train()
    try:
        yield
    except BaseException:
        for layer, buffers in zip(layers, before, strict=True):
            for name, buffer in buffers.items():
                getattr(layer, name).copy_(buffer)
        raise
    finally:
        for layer, momentum in momenta.items():
            layer.momentum = momentum
        for module, mode in modes.items():
            module.training = mode


def _call(model: Any, batch: Any, device: Any) -> bool:
    """Give the inputs in a `batch` to the model, on that `device`; True when done."""
    if isinstance(batch, Mapping):
        model(**{name: _move(value, device) for name, value in batch.items()})
    else:
        model(_move(batch[0] if isinstance(batch, tuple | list) else batch, device))
    return True


def _move(value: Any, device: Any) -> Any:
    """A tensor on the `device`; anything else as it is."""
    return value.to(device) if hasattr(value, "to") else value
