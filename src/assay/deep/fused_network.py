"""Fused network: networks joined into one that is not trained yet, and what trains it.

>>> import torch
>>> from assay.deep.fuse_networks import fuse_networks
>>> net = fuse_networks({"a": torch.nn.Identity(), "b": torch.nn.Identity()}, n_classes=2)
>>> list(net.branches), net.design.join
(['a', 'b'], 'concat')
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.deep.deep_fusion import DeepFusion
from assay.deep.options import Design, Training, require_data
from assay.errors import UnsupportedError

__all__ = ["FusedNetwork"]


class FusedNetwork(ABC):
    """Networks that are joined into one, which `fit` trains.

    Parameters:
        branches: The networks by name.
        design: How they are joined.
    """

    def __init__(self, branches: Mapping[str, Any], design: Design) -> None:
        self.branches = dict(branches)
        self.design = design
        self._module: Any = None

    @property
    def module(self) -> Any:
        """The fused network: a torch.nn.Module that gives logits, or a keras.Model that ends in
        softmax or sigmoid; in regression they give values.

        Raises:
            UnsupportedError: It is not trained yet.
        """
        if self._module is None:
            raise UnsupportedError(
                "the fused network is not trained: its head is made for the features that it sees; "
                "call fit(train, val) first"
            )
        return self._module

    def fit(  # noqa: PLR0913 - the options of a training
        self,
        train: Any,
        val: Any = None,
        *,
        epochs: int = 100,
        patience: int = 10,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        cache: bool | str | Path = True,
        device: str | None = None,
        seed: int = 0,
    ) -> DeepFusion:
        """Train head and branches that are not frozen; keep the epoch of least validation loss.

        Parameters:
            train: (X, y), a Dataset or DataLoader; for Keras also a tf.data.Dataset. X is one input
                for all branches, a tuple of one for each, or a dictionary by their names; so are
                the inputs of a batch.
            val: Validation rows, likewise.
            epochs: Most epochs, 1 or more; default 100.
            patience: Epochs without a lower validation loss after which training stops; default 10.
            batch_size: Rows a step, unless a DataLoader says; default 64.
            learning_rate: Step size of AdamW, above 0; default 0.001.
            weight_decay: Weight decay of AdamW, 0 or more; default 0.01.
            cache: Whether features of frozen branches are computed once: in memory (default True),
                or in files of the folder named, by a fingerprint of data and weights. False where
                a DataLoader draws other inputs in each epoch, as augmentation does.
            device: Device to train on, as PyTorch names it; default: that of the first branch.
            seed: Seed of initial weights, of the order of rows, and of what is dropped; default 0.

        Returns:
            The losses on validation rows, of the fused network and branch by branch; the network
            is `module`.

        Raises:
            UnsupportedError: Rows to validate on are missing, or a loss is not finite.
            SchemaError: The truth does not fit, or branches give unlike numbers of rows.
            NameLookupError: A branch has no layer of the name given.
        """
        require_data(train, val)
        options = Training(epochs, patience, batch_size, learning_rate, weight_decay, seed)
        self._module, fused = self._train(train, val, options, cache, device)
        return fused

    @abstractmethod
    def _train(
        self,
        train: Any,
        val: Any,
        options: Training,
        cache: bool | str | Path,
        device: str | None,
    ) -> tuple[Any, DeepFusion]:
        """The trained network, and what it gave on validation rows."""
