"""What is trained of a fused network of PyTorch: its head, a head a branch, and trained branches.

>>> from assay.deep.options import Target
>>> design = Design(Target("binary", 2), "concat", {}, frozenset("ab"), 4, 0.0, 0.3, 0.0)
>>> branches = [Branch(name, nn.Identity(), None, True) for name in "ab"]
>>> rows = ArrayRows(torch.arange(8.0).reshape(4, 2), torch.tensor([0, 1, 0, 1]), 2)
>>> rows = Source(branches, "cpu", FeatureCache(True)).prepare(rows)
>>> learner = Learner(design, branches, rows, "cpu")
>>> learner.widths
[2, 2]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from assay.deep.feature_cache import FeatureCache
from assay.deep.options import Design, compute_moments, divide_inputs, refuse_features
from assay.deep.torch_layers import Branch, Head, check_rows
from assay.deep.torch_rows import ArrayRows, Rows, compute_features, move_inputs
from assay.deep.torch_training import compute_loss
from assay.errors import UnsupportedError
from assay.kernels import Array

__all__ = ["Learner", "Prepared", "Source"]

FIRST_BATCHES = 20  # whose features tell mean and scale where they are not all at hand


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows in which the inputs of some branches are their features already.

    Parameters:
        rows: The rows.
        cached: Names of these branches.
    """

    rows: Rows
    cached: frozenset[str]


class Source:
    """Rows with the features of frozen branches in place of what these are given.

    Parameters:
        branches: The branches, in evaluation mode, on the device.
        device: That device.
        cache: Where features are kept.
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        device: str,
        cache: FeatureCache,
    ) -> None:
        self.branches = branches
        self.device = device
        self.cache = cache
        self.notes: list[str] = []

    def prepare(self, rows: Rows) -> Prepared:
        """The `rows`; features of frozen branches are computed where they can be kept."""
        names = [branch.name for branch in self.branches]
        frozen = [branch for branch in self.branches if branch.frozen]
        in_memory = isinstance(rows, ArrayRows)
        if not frozen or not self.cache.is_on:
            return Prepared(rows, frozenset())
        if not in_memory and (len(frozen) < len(names) or not rows.is_stable):
            note = (
                "Features of frozen branches were computed anew in each epoch: the loader draws "
                "its rows by chance or weights, or some branches are trained. Give arrays, (X, y), "
                "to compute them once."
            )
            self.notes += [] if note in self.notes else [note]
            return Prepared(rows, frozenset())
        features, truth = compute_features(frozen, names, rows, self.device, self.cache)
        if isinstance(rows, ArrayRows):
            divided = dict(zip(names, divide_inputs(names, rows.inputs), strict=True))
            inputs = replace(rows, inputs=divided | features)
        else:
            inputs = ArrayRows(features, truth, rows.loader.batch_size or 64)
        return Prepared(inputs, frozenset(features))


class Learner:
    """The head, a head of its own for each branch, and branches that are trained.

    Parameters:
        design: How the branches are joined.
        branches: The branches, on the device.
        rows: Training rows, whose features tell mean and scale.
        device: That device.
    """

    def __init__(
        self, design: Design, branches: Sequence[Branch], rows: Prepared, device: str
    ) -> None:
        self.design = design
        self.branches = branches
        self.names = [branch.name for branch in branches]
        self.device = device
        moments, origin = self._measure_moments(rows)
        self.widths = [len(mean) for mean, _ in moments]
        self.head = Head(design, moments, origin)
        self.aux_heads = nn.ModuleList(
            nn.Linear(design.width, design.target.size) for _ in branches
        )
        trained = [branch for branch in branches if not branch.frozen]
        self.trained = nn.ModuleList([self.head, self.aux_heads, *trained]).to(device)

    def take_step(
        self, inputs: Any, truth: Tensor, cached: frozenset[str]
    ) -> tuple[Tensor, int, Tensor]:
        """The loss of a batch with those of the branches alone, its rows, and the fused loss.

        Parameters:
            inputs: Inputs of the batch.
            truth: Its truth (n,), or (n, labels).
            cached: Branches whose inputs are features already.
        """
        target = self.design.target
        truth = truth.to(self.device)
        parts = self.head.project(self.extract(inputs, cached))
        fused = compute_loss(target, self.head.fuse(parts), truth)
        total = fused
        weight = self.design.aux_loss
        for head, part in zip(self.aux_heads, parts, strict=True):
            # The head itself learns in full; what lies below it, by the weight of its loss.
            below = weight * part + (1 - weight) * part.detach()
            total = total + compute_loss(target, self.head.finish(head(below)), truth)
        return total, len(truth), fused

    def extract(self, inputs: Any, cached: frozenset[str]) -> list[Tensor]:
        """The features (n, d) of each branch of `inputs`, which for `cached` ones are theirs."""
        features = []
        divided = divide_inputs(self.names, inputs)
        for branch, values in zip(self.branches, divided, strict=True):
            if branch.name in cached:
                features.append(values.to(self.device))
                continue
            with torch.set_grad_enabled(torch.is_grad_enabled() and not branch.frozen):
                features.append(branch(move_inputs(values, branch, self.device)))
        check_rows(self.names, features)
        return features

    def measure_loss(self, rows: Prepared) -> float:
        """The mean fused loss on some `rows`."""
        total = 0.0
        count = 0
        for inputs, truth in rows.rows.batches(None):
            output = self.head(self.extract(inputs, rows.cached))
            loss = compute_loss(self.design.target, output, truth.to(self.device))
            total += len(truth) * float(loss)
            count += len(truth)
        if not count:
            raise UnsupportedError("val gives no rows; give at least one")
        return total / count

    def compute_outputs(self, rows: Prepared) -> tuple[dict[str, Array], Tensor]:
        """What the fused network, each branch alone, and the fused without each branch give.

        Parameters:
            rows: The rows that are asked for; their truth is returned, too.
        """
        parts: dict[str, list[Tensor]] = {}
        truths = []
        with torch.no_grad():
            for inputs, truth in rows.rows.batches(None):
                truths.append(truth)
                for name, values in self._ask(self.extract(inputs, rows.cached)).items():
                    parts.setdefault(name, []).append(values.float().cpu())
        return {name: torch.cat(values).numpy() for name, values in parts.items()}, torch.cat(
            truths
        )

    def _ask(self, features: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """The output of each model that is judged, for the `features` of a batch."""
        whole = self.head.project(features)
        outputs = {"fused": self.head.fuse(whole)}
        for number, name in enumerate(self.names):
            alone = self.aux_heads[number](whole[number])
            outputs[f"{name} alone"] = self.head.finish(alone)
            outputs[f"without {name}"] = self.head.fuse(self.head.project(features, number))
        return outputs

    def _measure_moments(
        self, rows: Prepared
    ) -> tuple[list[tuple[Tensor, Tensor]], tuple[float, float]]:
        """Mean and deviation of each branch's features; and of the truth, in regression."""
        found: list[list[Tensor]] = [[] for _ in self.branches]
        truths = []
        with torch.no_grad():
            for inputs, truth in islice(rows.rows.batches(None), FIRST_BATCHES):
                truths.append(truth)
                features = self.extract(inputs, rows.cached)
                for values, parts in zip(features, found, strict=True):
                    parts.append(values.float())
        if not truths:
            raise UnsupportedError("train gives no rows; give at least one")
        moments = []
        for name, parts in zip(self.names, found, strict=True):
            values = torch.cat(parts)
            refuse_features(name, values.cpu().numpy())
            mean, scale = compute_moments(values.cpu().numpy(), name in self.design.frozen)
            moments.append((torch.as_tensor(mean), torch.as_tensor(scale)))
        truth = torch.cat(truths).float()
        if self.design.target.task != "regression":
            return moments, (0.0, 1.0)
        return moments, (float(truth.mean()), float(truth.std(correction=0)) or 1.0)
