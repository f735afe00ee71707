"""Features of frozen branches, kept by a fingerprint of weights and data: in memory or in files.

>>> kept = FeatureCache(True)
>>> kept.keep("image", "0f", np.zeros((2, 3)))
>>> kept.recall("image", "0f").shape, kept.recall("image", "1e")
((2, 3), None)
"""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from assay.core.atomic import write_whole
from assay.errors import ReadError
from assay.kernels import Array

__all__ = ["FeatureCache", "describe_function", "update_digest"]


class FeatureCache:
    """Where features are kept.

    Parameters:
        where: A folder, for files that outlast the run; True: memory; False: nowhere.
    """

    def __init__(self, where: bool | str | Path) -> None:
        self.folder = None if isinstance(where, bool) else Path(where)
        self.is_on = where is not False
        self._memory: dict[str, Array] = {}

    def recall(self, branch: str, key: str) -> Array | None:
        """The features of a `branch` under a `key`; None where there are none.

        Raises:
            ReadError: The file that should hold them cannot be read.
        """
        if self.folder is None:
            return self._memory.get(key)
        place = self._find_place(self.folder, branch, key)
        if not place.exists():
            return None
        try:
            features: Array = np.load(place)
        except (ValueError, OSError, EOFError) as error:
            raise ReadError(
                f"{place}: the features kept there cannot be read ({error}); remove the file, and "
                "they are computed anew"
            ) from error
        return features

    def keep(self, branch: str, key: str, features: Array) -> None:
        """Keep the `features` of a `branch` under a `key`."""
        if self.folder is None:
            self._memory[key] = features
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, features)
        write_whole(self._find_place(self.folder, branch, key), buffer.getvalue())

    def _find_place(self, folder: Path, branch: str, key: str) -> Path:
        return folder / f"{branch}-{key[:32]}.npy"


def update_digest(digest: "hashlib._Hash", arrays: Iterable[Array]) -> None:
    """Add type, shape and numbers of `arrays` to a `digest`."""
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")


def describe_function(function: Any) -> str:
    """A text of a `function`, another where it computes something else; of a name, the name.

    >>> describe_function(lambda x: x + 1) == describe_function(lambda x: x + 2)
    False
    """
    code = getattr(function, "__code__", None)
    return repr(function if code is None else (code.co_code, code.co_consts, code.co_names))
