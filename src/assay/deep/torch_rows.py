"""Rows of PyTorch to train on: arrays, or a loader; features of frozen branches, computed once.

>>> import numpy as np
>>> rows = open_rows((np.zeros((5, 2)), np.arange(5) % 2), "train", Target("binary", 2), 3)
>>> [len(truth) for _, truth in rows.batches(None)]
[3, 2]
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler

from assay.adapters.torch_modules import find_place, split_truth
from assay.deep.feature_cache import FeatureCache, describe_function, update_digest
from assay.deep.options import Target, divide_inputs
from assay.deep.torch_layers import Branch, check_rows
from assay.errors import SchemaError, UnsupportedError

__all__ = [
    "ArrayRows",
    "LoaderRows",
    "Rows",
    "compute_features",
    "fingerprint",
    "move_inputs",
    "open_rows",
]


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows that are all in memory.

    Parameters:
        inputs: Tensors, with the rows on the first axis: one, or several in a tuple or by name.
        truth: Truth of each row.
        size: Rows a batch.
    """

    inputs: Any
    truth: Tensor
    size: int

    def batches(self, order: torch.Generator | None) -> Iterator[tuple[Any, Tensor]]:
        """Inputs and truth of each batch, in an `order` of chance; None: as they stand."""
        n = len(self.truth)
        places = torch.arange(n) if order is None else torch.randperm(n, generator=order)
        for some in places.split(self.size):
            if order is not None and len(some) == 1 and n > 1:
                continue  # batch norm cannot train on one row; it comes in another epoch
            yield _map_tensors(self.inputs, lambda values, p=some: values[p]), self.truth[some]

    @property
    def is_stable(self) -> bool:
        """Whether rows are the same each time."""
        return True


@dataclass(frozen=True, eq=False)
class LoaderRows:
    """Rows that a DataLoader gives.

    Parameters:
        loader: The loader.
        what: What the rows are for, for messages.
        target: What the network gives, to check the truth by.
    """

    loader: Any
    what: str
    target: Target

    def batches(self, order: torch.Generator | None) -> Iterator[tuple[Any, Tensor]]:
        """Inputs and truth of each batch, in the `order` of the loader; None: without shuffling."""
        loader = self.loader if order is not None or not self.is_stable else _lay_in_order(self)
        for batch in loader:
            inputs, truth = split_truth(batch)
            checked = torch.as_tensor(self.target.read_truth(truth, self.what))
            inputs = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else inputs
            yield _map_tensors(inputs, torch.as_tensor), checked

    @property
    def is_stable(self) -> bool:
        """Whether its rows can be drawn in the order of the data set."""
        plain = isinstance(self.loader.sampler, RandomSampler | SequentialSampler)
        return plain and not isinstance(self.loader.dataset, IterableDataset)


Rows = ArrayRows | LoaderRows


def open_rows(data: Any, what: str, target: Target, size: int) -> Rows:
    """The rows of `data`.

    Parameters:
        data: (X, y), a Dataset or a DataLoader.
        what: What the rows are for, for messages, as in "train".
        target: What the network gives.
        size: Rows a batch, of what is no DataLoader.

    Raises:
        UnsupportedError: The data are neither.
        SchemaError: Inputs and truth differ in their number of rows, or there is none.
    """
    if isinstance(data, DataLoader):
        return LoaderRows(data, what, target)
    if isinstance(data, Dataset):
        return LoaderRows(DataLoader(data, size, shuffle=True), what, target)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise UnsupportedError(
            f"{what} must be (X, y), a Dataset or a DataLoader; got {type(data).__name__}"
        )
    inputs = _map_tensors(data[0], _make_tensor)
    truth = torch.as_tensor(target.read_truth(data[1], what))
    counts = {len(values) for values in _list_tensors(inputs)}
    if counts != {len(truth)} or not len(truth):
        found = " and ".join(map(str, sorted(counts)))
        raise SchemaError(f"{what} has {found} rows of inputs and {len(truth)} of truth")
    return ArrayRows(inputs, truth, size)


def move_inputs(inputs: Any, module: torch.nn.Module, device: str | None) -> Any:
    """The `inputs` on the `device` or that of a `module`, floats in the type of its weights."""
    place, dtype = find_place(module, device)

    def move(values: Tensor) -> Tensor:
        kind = (dtype or torch.float32) if values.is_floating_point() else values.dtype
        return values.to(place or "cpu", kind)

    return _map_tensors(inputs, move)


def compute_features(
    branches: Sequence[Branch],
    names: Sequence[str],
    rows: Rows,
    device: str | None,
    cache: FeatureCache,
) -> tuple[dict[str, Tensor], Tensor]:
    """The features (n, d) of some branches for all `rows`, and their truth, as they stand.

    Parameters:
        branches: Frozen branches, in evaluation mode.
        names: Names of all branches, among which inputs are divided.
        rows: The rows.
        device: The device that branches are on.
        cache: Where features are kept.
    """
    keys: dict[str, str] = {}
    if cache.folder is not None or isinstance(rows, ArrayRows):
        keys = _fingerprint_rows(branches, names, rows)
    features: dict[str, Tensor] = {}
    for name, key in keys.items():
        kept = cache.recall(name, key)
        if kept is not None:
            features[name] = torch.as_tensor(kept)
    asked = [branch for branch in branches if branch.name not in features]
    found: dict[str, list[Tensor]] = {branch.name: [] for branch in asked}
    truths = []
    for inputs, truth in rows.batches(None):
        truths.append(truth)
        divided = dict(zip(names, divide_inputs(names, inputs), strict=True))
        for branch in asked:
            with torch.no_grad():
                values = branch(move_inputs(divided[branch.name], branch, device))
            found[branch.name].append(values.detach().float().cpu())
    if not truths:
        raise UnsupportedError(f"{getattr(rows, 'what', 'train')} gives no rows; give at least one")
    for name, parts in found.items():
        features[name] = torch.cat(parts)
        if name in keys:
            cache.keep(name, keys[name], features[name].numpy())
    truth = torch.cat(truths)
    check_rows([*features, "the truth"], [*features.values(), truth])
    return {branch.name: features[branch.name] for branch in branches}, truth


def fingerprint(branch: Branch) -> str:
    """What tells the features of one `branch` from those of another: its weights and its layer."""
    digest = hashlib.sha256(f"{branch.network}{describe_function(branch.features)}".encode())
    for name, values in branch.network.state_dict().items():
        digest.update(name.encode())
        update_digest(digest, [_read_bytes(values)])
    return digest.hexdigest()


def _fingerprint_rows(
    branches: Sequence[Branch], names: Sequence[str], rows: Rows
) -> dict[str, str]:
    """The key of each of the `branches` on these `rows`: of its weights and of its inputs."""
    digests = {branch.name: hashlib.sha256(fingerprint(branch).encode()) for branch in branches}
    # The keys of arrays must not depend on how many rows a batch has.
    parts = [(rows.inputs, None)] if isinstance(rows, ArrayRows) else rows.batches(None)
    for inputs, _ in parts:
        divided = dict(zip(names, divide_inputs(names, inputs), strict=True))
        for name, digest in digests.items():
            for tensor in _list_tensors(divided[name]):
                digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
                update_digest(digest, [_read_bytes(tensor)])
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _read_bytes(values: Tensor) -> Any:
    """The bytes of `values` as NumPy, whatever their type."""
    flat = values.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy() if len(flat) else np.zeros(0)


def _lay_in_order(rows: LoaderRows) -> Any:
    """A loader of the same data set that does not shuffle and leaves out nothing."""
    loader = rows.loader
    return DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        shuffle=False,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
    )


def _make_tensor(values: Any) -> Tensor:
    """A tensor of an array, data frame or tensor; double precision becomes single."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    tensor = torch.as_tensor(array)
    return tensor.float() if tensor.dtype == torch.float64 else tensor


def _map_tensors(inputs: Any, function: Any) -> Any:
    """The `inputs` with a `function` on each array among them."""
    if isinstance(inputs, Mapping):
        return {name: _map_tensors(values, function) for name, values in inputs.items()}
    if isinstance(inputs, tuple | list) and not (inputs and np.isscalar(inputs[0])):
        return tuple(_map_tensors(values, function) for values in inputs)
    return function(inputs)


def _list_tensors(inputs: Any) -> list[Tensor]:
    """All tensors among `inputs`."""
    found: list[Tensor] = []
    _map_tensors(inputs, found.append)
    return found
