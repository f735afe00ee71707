"""Training in PyTorch: epochs until the validation loss no longer falls; the best weights are back.

>>> layer = torch.nn.Linear(1, 1)
>>> x = torch.ones(4, 1)
>>> curves = train_epochs(layer, Training(3, 5, 4, 0.1, 0.0, 0), lambda _: [x],
...     lambda batch: (layer(batch).square().mean(), 4), lambda: float(layer(x).detach().mean()**2))
>>> len(curves.train), len(curves.val)
(3, 3)
"""

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from assay.deep.options import Target, Training
from assay.errors import UnsupportedError
from assay.readers.history import History

__all__ = ["Curves", "compute_loss", "find_device", "seed_torch", "train_epochs"]


@dataclass(frozen=True)
class Curves:
    """Losses of a training.

    Parameters:
        train: Training loss of each epoch.
        val: Validation loss of each epoch.
        best: The epoch of least validation loss, counted from 1.
    """

    train: tuple[float, ...]
    val: tuple[float, ...]
    best: int

    def build_history(self, name: str, target: Target, n_val: int) -> History:
        """The history of a run of some `name` on a `target`, with `n_val` validation rows."""
        n_classes = target.size if target.task in ("binary", "multiclass") else None
        return History.from_lists(
            train_loss=self.train,
            val_loss=self.val,
            name=name,
            n_val=n_val,
            n_classes=n_classes,
        )


def train_epochs(
    learner: torch.nn.Module,
    options: Training,
    draw: Callable[[torch.Generator], Iterable[Any]],
    step: Callable[[Any], tuple[Tensor, int] | tuple[Tensor, int, Tensor]],
    measure: Callable[[], float],
) -> Curves:
    """Train a `learner`, and give it the weights of the epoch of least validation loss.

    Parameters:
        learner: The module whose weights are trained, and kept of the best epoch.
        options: How long, and how.
        draw: The batches of an epoch, in an order by a generator.
        step: The loss of a batch to be lowered, its rows, and the loss to be logged, where that
            is another.
        measure: The validation loss.
    """
    weights = [weight for weight in learner.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(
        weights, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    order = torch.Generator().manual_seed(options.seed)
    train: list[float] = []
    val: list[float] = []
    kept: dict[str, Tensor] = {}
    for epoch in range(1, options.epochs + 1):
        learner.train()
        total = 0.0
        rows = 0
        for batch in draw(order):
            loss, n, *logged = step(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += n * float((logged or [loss])[0].detach())
            rows += n
        if not rows:
            raise UnsupportedError("train gives no rows; give at least one")
        options.refuse_loss(total / rows, epoch, "training")
        learner.eval()
        with torch.no_grad():
            value = measure()
        options.refuse_loss(value, epoch, "validation")
        train.append(total / rows)
        val.append(value)
        if value <= min(val):
            kept = {name: values.clone() for name, values in learner.state_dict().items()}
            best = epoch
        if epoch - best >= options.patience:
            break
    learner.load_state_dict(kept)
    return Curves(tuple(train), tuple(val), best)


def compute_loss(target: Target, output: Tensor, truth: Tensor) -> Tensor:
    """Mean loss of an `output` by the `truth` of a `target`: cross-entropy, or squared error."""
    if target.task == "regression":
        return functional.mse_loss(output, truth.to(output.dtype))
    if target.task == "multilabel":
        return functional.binary_cross_entropy_with_logits(output, truth.to(output.dtype))
    return functional.cross_entropy(output, truth)


@contextmanager
def seed_torch(seed: int) -> Any:
    """Random numbers of PyTorch by a `seed`; afterwards they go on as if nothing had been drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def find_device(device: str | None, module: torch.nn.Module) -> torch.device:
    """The `device`, or that of the weights of a `module`.

    Raises:
        UnsupportedError: PyTorch knows none of that name, or it is not there.
    """
    if device is None:
        first = next(iter(module.parameters()), None)
        return torch.device("cpu") if first is None else first.device
    try:
        place = torch.device(device)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = str(error).splitlines()[0]
        raise UnsupportedError(f"device {device!r} cannot be used ({first_line})") from error
    return place
