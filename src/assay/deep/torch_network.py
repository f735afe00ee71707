"""Networks of PyTorch fused into one: features, head, training, and what each branch adds.

>>> import torch
>>> from assay.deep.fuse_networks import fuse_networks
>>> net = fuse_networks({"a": torch.nn.Identity(), "b": torch.nn.Identity()}, task="regression")
>>> x = torch.arange(24.0).reshape(12, 2)
>>> net.fit(((x[:, :1], x[:, 1:]), x.sum(1)), ((x[:, :1], x[:, 1:]), x.sum(1)), epochs=1).metric
'mse'
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import nn

from assay.deep.deep_fusion import DeepFusion
from assay.deep.feature_cache import FeatureCache
from assay.deep.fused_network import FusedNetwork
from assay.deep.judging import judge_branches
from assay.deep.options import Design, Training
from assay.deep.torch_layers import Branch, FusedModule
from assay.deep.torch_learner import Learner, Source
from assay.deep.torch_rows import open_rows
from assay.deep.torch_training import find_device, seed_torch, train_epochs

__all__ = ["TorchNetwork"]


class TorchNetwork(FusedNetwork):
    """Modules of PyTorch that are joined into one, which `fit` trains."""

    def __init__(self, branches: Mapping[str, Any], design: Design) -> None:
        super().__init__(branches, design)
        self._memory = FeatureCache(True)
        self._copy_branches()  # names of layers are looked up before anything is trained

    def _copy_branches(self) -> list[Branch]:
        """The branches, of copies of the networks."""
        design = self.design
        return [
            Branch(name, deepcopy(network), design.features.get(name), name in design.frozen)
            for name, network in self.branches.items()
        ]

    def _train(
        self,
        train: Any,
        val: Any,
        options: Training,
        cache: bool | str | Path,
        device: str | None,
    ) -> tuple[Any, DeepFusion]:
        target = self.design.target
        branches = self._copy_branches()
        place = find_device(device, nn.ModuleList(branches))
        for branch in branches:
            branch.eval().to(place)
        kept = self._memory if cache is True else FeatureCache(cache)
        source = Source(branches, str(place), kept)
        rows = source.prepare(open_rows(train, "train", target, options.batch_size))
        checks = source.prepare(open_rows(val, "val", target, max(options.batch_size, 256)))
        with seed_torch(options.seed):
            learner = Learner(self.design, branches, rows, str(place))
            curves = train_epochs(
                learner.trained,
                options,
                rows.rows.batches,
                lambda batch: learner.take_step(batch[0], batch[1], rows.cached),
                lambda: learner.measure_loss(checks),
            )
        learner.trained.eval()
        outputs, truth = learner.compute_outputs(checks)
        widths = dict(zip(self.branches, learner.widths, strict=True))
        loss, judged, table = judge_branches(
            target, truth.numpy(), outputs, widths, self.design.frozen
        )
        fused = DeepFusion(
            join=self.design.join,
            metric=target.metric,
            loss=loss,
            branches=tuple(judged),
            best_epoch=curves.best,
            history=curves.build_history("fused", target, table.n),
            predictions=table,
            notes=(
                *self._note_layers(branches, widths),
                *source.notes,
                "The epoch was chosen on these rows, so the losses flatter a little: collect "
                "predictions on other rows and compare them.",
            ),
        )
        return FusedModule(branches, learner.head).eval(), fused

    def _note_layers(self, branches: Sequence[Branch], widths: Mapping[str, int]) -> list[str]:
        """What to know of branches whose output, not a layer below it, is fused."""
        target = self.design.target
        notes = []
        for branch in branches:
            layers = [name for name, layer in branch.network.named_children()]
            is_output = branch.features is None and widths[branch.name] == target.size
            if is_output and target.size > 1 and len(layers) > 1:
                notes.append(
                    f"The features of {branch.name!r} are its {target.size} outputs, as a "
                    "classifier's; a layer below them may say more, as in "
                    f"features={{{branch.name!r}: {layers[-2]!r}}}."
                )
        return notes
