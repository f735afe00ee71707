"""Layers of PyTorch that join networks: branches, projections, joins and heads.

>>> join = Gated(2, 4)
>>> join([torch.ones(3, 4), torch.zeros(3, 4)]).shape
torch.Size([3, 4])
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from assay.deep.options import (
    MOST,
    Design,
    Features,
    check_layer,
    divide_inputs,
    find_pooled_axes,
)
from assay.errors import SchemaError

__all__ = ["Attention", "Branch", "Concat", "FusedModule", "Gated", "Head", "call_network"]

OUTPUTS = ("pooler_output", "last_hidden_state", "logits")  # what Transformers name, in turn


class Branch(nn.Module):
    """A network, and where its features are taken from.

    Parameters:
        name: Name of the branch.
        network: The network, a copy.
        features: Name of the layer whose output they are, a function of the network and its input,
            or None for the network's output.
        frozen: Whether its weights stay; it is then in evaluation mode always.
    """

    def __init__(
        self, name: str, network: nn.Module, features: Features | None, frozen: bool
    ) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.features = features
        self.frozen = frozen
        if isinstance(features, str):
            known = [layer for layer, _ in network.named_modules() if layer]
            check_layer(name, features, known)
        if frozen:
            network.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Branch":
        """Training `mode`, in which a frozen network is in evaluation mode all the same."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def forward(self, inputs: Any) -> Tensor:
        """The features (n, width) of `inputs`."""
        if isinstance(self.features, str):
            layer = self.network.get_submodule(self.features)
            with _hear(layer) as heard:
                call_network(self.network, inputs)
            if not heard:
                raise SchemaError(
                    f"branch {self.name!r} does not run its layer {self.features!r} on this input; "
                    "name another by features="
                )
            found = heard[-1]
        elif self.features is not None:
            found = self.features(self.network, inputs)
        else:
            found = call_network(self.network, inputs)
        return self._pool(_choose_tensor(found), inputs)

    def _pool(self, features: Any, inputs: Any) -> Tensor:
        """Features averaged over places or positions, of a text over those that are no padding."""
        if not isinstance(features, Tensor):
            raise SchemaError(
                f"branch {self.name!r} gives features of type {type(features).__name__}; expected "
                "a tensor; give features= a function that returns one"
            )
        axes = find_pooled_axes(self.name, features.shape, channels_last=False)
        if axes == [1] and isinstance(inputs, Mapping) and "attention_mask" in inputs:
            mask = inputs["attention_mask"].unsqueeze(-1).to(features.dtype)
            return (features * mask).sum(1) / mask.sum(1).clamp(min=1)
        return features.mean(axes) if axes else features


class Projection(nn.Module):
    """Features standardised, dropped by rows in training, projected to some width.

    Parameters:
        mean: Mean of each feature over training rows (d,).
        scale: Their deviation (d,), above 0.
        width: Numbers to project to.
        dropout: Probability that a row goes without this branch in training.
        most: Deviations beyond which a feature counts as so many.
    """

    def __init__(
        self, mean: Tensor, scale: Tensor, width: int, dropout: float, most: float
    ) -> None:
        super().__init__()
        self.most = most
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.dropout = nn.Dropout1d(dropout)
        self.linear = nn.Linear(len(mean), width)

    def forward(self, features: Tensor, is_dropped: bool = False) -> Tensor:
        """The projection (n, width) of `features` (n, d); of their mean where `is_dropped`."""
        standard = ((features - self.mean) / self.scale).clamp(-self.most, self.most)
        if is_dropped:
            standard = torch.zeros_like(standard)
        return self.linear(self.dropout(standard.unsqueeze(1)).squeeze(1)).relu()


class Concat(nn.Module):
    """Projections side by side."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.width = count * width

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """The `parts` (n, width) of each branch as (n, count * width)."""
        return torch.cat(list(parts), dim=1)


class Gated(nn.Module):
    """A sum of the projections, weighed by gates that all branches set and that sum to 1."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.count = count
        self.gates = nn.Linear(count * width, count * width)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """The gated sum (n, width) of the `parts` (n, width) of each branch."""
        gates = self.gates(torch.cat(list(parts), dim=1))
        shares = gates.unflatten(1, (self.count, self.width)).softmax(1)
        return (shares * torch.stack(list(parts), dim=1)).sum(1)


class Attention(nn.Module):
    """Branches attend to one another; the mean of what they then say."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.attention = nn.MultiheadAttention(width, 4 if width % 4 == 0 else 1, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """The mean (n, width) over branches of the `parts` (n, width) after attention."""
        tokens = torch.stack(list(parts), dim=1)
        attended = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.norm(tokens + attended).mean(1)


JOINS = {"concat": Concat, "gated": Gated, "attention": Attention}


class Head(nn.Module):
    """Projections of features, their join, and what the fused network gives.

    Parameters:
        design: How the branches are joined.
        moments: Mean and deviation (d,) of each branch's features.
        origin: Mean and standard deviation of the truth in regression; else 0 and 1.
    """

    def __init__(
        self,
        design: Design,
        moments: Sequence[tuple[Tensor, Tensor]],
        origin: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            Projection(mean, scale, design.width, design.modality_dropout, MOST)
            for mean, scale in moments
        )
        self.join = JOINS[design.join](len(moments), design.width)
        self.dropout = nn.Dropout(design.dropout)
        self.output = nn.Linear(self.join.width, design.target.size)
        self.origin = origin
        self.is_regression = design.target.task == "regression"

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits (n, k), or values (n,), of the `features` (n, d) of each branch."""
        return self.fuse(self.project(features))

    def project(self, features: Sequence[Tensor], dropped: int | None = None) -> list[Tensor]:
        """The projections of `features`; those of the branch number `dropped` at their mean."""
        return [
            projection(values, number == dropped)
            for number, (projection, values) in enumerate(
                zip(self.projections, features, strict=True)
            )
        ]

    def fuse(self, parts: Sequence[Tensor]) -> Tensor:
        """Logits (n, k), or values (n,), of projections `parts`."""
        return self.finish(self.output(self.dropout(self.join(parts))))

    def finish(self, output: Tensor) -> Tensor:
        """An `output` (n, k) as it is; in regression as values (n,) on the scale of the truth."""
        if not self.is_regression:
            return output
        mean, scale = self.origin
        return mean + scale * output.squeeze(1)


class FusedModule(nn.Module):
    """Networks joined into one. It gives logits (n, k), or values (n,) in regression.

    It is called with one input for all branches, one for each in their order, or one for each by
    name: `module(x)`, `module(x_a, x_b)`, `module(a=x_a, b=x_b)`.

    Parameters:
        branches: The branches.
        head: What joins their features.
    """

    def __init__(self, branches: Sequence[Branch], head: Head) -> None:
        super().__init__()
        self.names = tuple(branch.name for branch in branches)
        self.branches = nn.ModuleList(branches)
        self.head = head

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        """Logits or values for `inputs`, or for inputs `named` by branch."""
        return self.head(self.extract(named or inputs))

    def extract(self, inputs: Any) -> list[Tensor]:
        """The features (n, d) of each branch for `inputs`."""
        divided = divide_inputs(self.names, inputs)
        features = []
        for branch, values in zip(self.branches, divided, strict=True):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not branch.frozen):
                features.append(branch(values))
        if not torch.jit.is_tracing() and not torch.compiler.is_compiling():
            check_rows(self.names, features)
        return features


def check_rows(names: Sequence[str], features: Sequence[Any]) -> None:
    """Raise SchemaError where `features` of the branches `names` differ in their number of rows."""
    rows = [len(values) for values in features]
    if len(set(rows)) > 1:
        listed = ", ".join(f"{n!r} {r}" for n, r in zip(names, rows, strict=True))
        raise SchemaError(
            f"branches give unlike numbers of rows ({listed}); each must give one row of features "
            "for each row of its input"
        )


def call_network(network: Any, inputs: Any) -> Any:
    """What a `network` gives for `inputs`: a tensor, several in a row, or named ones."""
    if isinstance(inputs, Mapping):
        return network(**inputs)
    return network(*inputs) if isinstance(inputs, tuple | list) else network(inputs)


def _choose_tensor(output: Any) -> Any:
    """The tensor that counts of an `output`."""
    for name in OUTPUTS:
        if getattr(output, name, None) is not None:
            return getattr(output, name)
        if isinstance(output, Mapping) and name in output:
            return output[name]
    return output[0] if isinstance(output, tuple | list) and output else output


@contextmanager
def _hear(layer: nn.Module) -> Any:
    """Keep what a `layer` gives meanwhile."""
    heard: list[Any] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: heard.append(output))
    try:
        yield heard
    finally:
        handle.remove()
