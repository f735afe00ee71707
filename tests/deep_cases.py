"""The cases of `proposals` that speak of networks fused into one."""

from typing import Any

import numpy as np

import assay
from proposals import case, error

__all__ = ["list_cases_of_deep_fusion"]


def list_cases_of_deep_fusion() -> None:
    """Classes and labels that do not fit the truth, rows to validate on, lower layers."""
    try:
        import torch
    except ImportError:
        return
    x = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    codes = np.arange(24) % 3

    def join(n_classes: int | None = None, **options: Any) -> Any:
        branches = {"a": torch.nn.Identity(), "b": torch.nn.Identity()}
        return assay.fuse_networks(branches, n_classes, **options)

    def train(net: Any, y: Any, val: bool = True) -> Any:
        return net.fit((x, y), (x, y) if val else None, epochs=1)

    def count_outputs(y: Any, n_classes: int | None = None, **options: Any) -> int:
        net = join(n_classes, **options)
        train(net, y)
        return int(net.module(torch.from_numpy(x)).reshape(24, -1).shape[1])

    case(error(join), lambda: count_outputs(codes, 3), 3)
    case(error(join, 3, task="binary"), lambda: count_outputs(codes % 2, 2, task="binary"), 2)
    case(error(train, join(3), codes, val=False), lambda: train(join(3), codes).n, 24)
    case(
        error(train, join(3), codes + 0.5),
        lambda: count_outputs(codes + 0.5, task="regression"),
        1,
    )
    case(error(train, join(2), codes), lambda: count_outputs(codes, 3), 3)
    case(
        error(train, join(2, task="multilabel"), np.eye(3)[codes]),
        lambda: count_outputs(np.eye(3)[codes], 3, task="multilabel"),
        3,
    )

    def make_classifier() -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))

    def widths(**options: Any) -> Any:
        net = assay.fuse_networks({"a": make_classifier(), "b": torch.nn.Identity()}, 3, **options)
        return train(net, codes)

    case(
        lambda: "\n".join(map(str, widths().notes)),
        lambda: widths(features={"a": "1"}).branches[0].width,
        5,
    )
