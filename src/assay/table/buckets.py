"""Buckets: the resampling unit of each row, by a hash of its cluster or id.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]}, cluster=["a", "b", "a"])
>>> units = assign_buckets(p)
>>> bool(units[0] == units[2])
True
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from assay.kernels import Array
from assay.table.protocol import Batch

__all__ = ["BUCKETS", "assign_buckets"]

BUCKETS = 1024


def assign_buckets(batch: Batch) -> Array:
    """The bucket of each row of a `batch` (n,), below BUCKETS.

    It is a hash of the row's cluster, else of its id, else of its number in the table. Rows of one
    cluster share a bucket, so that resampling buckets resamples clusters; the same rows share a
    bucket in every model and every split of the table, so that differences of models are paired.
    """
    if "cluster" in batch.columns:
        codes, names = batch.group("cluster")
        return _mix(_checksums(names))[codes]
    if "id" in batch.columns:
        return _mix(_number_ids(batch.columns["id"]))
    return _mix(np.arange(batch.offset, batch.offset + batch.n, dtype=np.uint64))


def _number_ids(column: Any) -> Array:
    """A number for each id (n,), a function of the id alone; text by its checksum."""
    if str(column.type).startswith(("int", "uint")) and not column.null_count:
        return np.from_dlpack(column).astype(np.uint64)
    return _checksums(column.to_pylist())


def _checksums(values: Iterable[Any]) -> Array:
    from zlib import crc32  # most tables have neither text ids nor clusters

    return np.array([crc32(repr(value).encode()) for value in values], np.uint64)


def _mix(x: Array) -> Array:
    """SplitMix64 (Steele et al., 2014), folded to a bucket."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) % np.uint64(BUCKETS), np.int64)
