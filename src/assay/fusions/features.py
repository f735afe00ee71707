"""Features: further columns of a table as numbers, for fusions whose weights depend on the row.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(
...     [0, 1, 1], {"a": [0, 1, 1], "b": [0, 1, 0]}, groups={"age": [1, 2, 3], "sex": list("mfm")})
>>> features = Features.fit(p, "age|sex")
>>> features.labels, features.read(p).round(2).tolist()
(('age', 'sex=f', 'sex=m'), [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0], [3.0, 0.0, 1.0]])
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.schema import SPECIAL

__all__ = ["Features", "standardise"]

MOST_LEVELS = 100  # values of a column of texts


@dataclass(frozen=True)
class Features:
    """Which columns are read, and how: numbers as they are, texts as one column a value, 0 or 1.

    Parameters:
        columns: The values of each column of texts, in order; none for a column of numbers.
    """

    columns: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(cls, table: Predictions, names: str) -> Self:
        """Those of the columns `names`, as in "age|sex", of a `table`.

        Raises:
            SchemaError: The table has no such column.
            UnsupportedError: A column has missing values, or too many of them that are texts.
        """
        columns: dict[str, tuple[str, ...]] = {}
        for name in (part.strip() for part in names.split("|")):
            column = _find_column(table, name)
            _refuse_missing(column, name)
            if _is_number(column):
                columns[name] = ()
                continue
            levels = sorted({str(value) for value in column.unique().to_pylist()})
            if len(levels) > MOST_LEVELS:
                raise UnsupportedError(
                    f"column {name!r} has {len(levels)} different texts; features are numbers, or "
                    f"texts of at most {MOST_LEVELS} values. Leave it out, or give numbers."
                )
            columns[name] = tuple(levels)
        return cls(columns)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the numbers of a row."""
        each = [
            [f"{name}={level}" for level in levels] or [name]
            for name, levels in self.columns.items()
        ]
        return tuple(label for labels in each for label in labels)

    def read(self, batch: Predictions) -> Array:
        """The numbers (n, d) of each row of `batch`; a text never seen has 0 throughout."""
        parts = []
        for name, levels in self.columns.items():
            column = _find_column(batch, name)
            _refuse_missing(column, name)
            if not levels:
                if not _is_number(column):
                    raise SchemaError(
                        f"column {name!r} held numbers where the fusion was fitted, and holds "
                        f"{column.type} here; give numbers"
                    )
                parts.append(np.asarray(column.cast(pa.float64()), np.float64)[:, None])
                continue
            texts = np.array([str(value) for value in column.to_pylist()], object)
            parts.append((texts[:, None] == np.array(levels, object)).astype(float))
        return np.concatenate(parts, axis=1) if parts else np.zeros((batch.n, 0))

    def dump(self) -> dict[str, list[str]]:
        """What JSON can hold of them."""
        return {name: list(levels) for name, levels in self.columns.items()}

    @classmethod
    def load(cls, columns: Mapping[str, Any]) -> Self:
        """Those whose `columns` `dump` gave."""
        return cls({name: tuple(levels) for name, levels in columns.items()})


def standardise(inputs: Array, share: Array) -> tuple[Array, Array]:
    """Centre and scale (d,) of `inputs` (n, d), each row of its `share` (n,); no scale is 0."""
    centre = share @ inputs
    scale = np.sqrt(share @ (inputs - centre) ** 2)
    return centre, np.where(scale > 0, scale, 1.0)


def _find_column(table: Predictions, name: str) -> Any:
    if name in table.columns and name not in SPECIAL:
        column = table.columns[name]
        return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    known = ", ".join(column for column in table.columns if column not in SPECIAL) or "none"
    raise SchemaError(
        f"no column is named {name!r} for features=; the table's further columns are: {known}"
    )


def _is_number(column: Any) -> bool:
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _refuse_missing(column: Any, name: str) -> None:
    missing = column.null_count
    if not missing and pa.types.is_floating(column.type):
        missing = int(np.count_nonzero(~np.isfinite(np.asarray(column, np.float64))))
    if missing:
        raise UnsupportedError(
            f"column {name!r} has {missing} missing values; features must be there for each row. "
            f"Fill them in, take the rows that have them (where=...), or leave the column out."
        )
