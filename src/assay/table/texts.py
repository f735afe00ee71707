"""Texts: truth and predictions that are written out, one a row, such as transcripts and answers.

>>> convert_to_texts(["the cat sat", ""], "truth").tolist()
['the cat sat', '']
"""

from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.columns import (
    RowNamer,
    convert_to_arrow,
    count_columns,
    find_first_null,
    name_by_position,
    normalise,
)

__all__ = ["convert_to_texts", "measure_row", "refuse_token_lists", "restore_texts"]

SAMPLED = 1000  # texts by whose length the memory of a row is told
BYTES_OF_TEXT = 57  # what a text takes beside its characters: a pointer, and the head of an object
JOIN = "join the words or tags of a row by blanks, as in ' '.join(words)"


def convert_to_texts(values: Any, where: str, name_row: RowNamer = name_by_position) -> Array:
    """One column of texts in `values` as objects (n,); anything but text is refused.

    Messages name the column by `where` and the row by `name_row`. An empty text is a text; a
    missing one is not.
    """
    values = normalise(values, where)
    if (count_columns(values) or 1) > 1:
        raise SchemaError(f"{where} has several columns, and texts are one; {JOIN}")
    column = convert_to_arrow(values, where)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        raise SchemaError(f"{where} holds a list in each row; {JOIN}")
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if not is_text and column.null_count < len(column):
        raise SchemaError(
            f"{where} must hold texts; got {column.drop_null()[0].as_py()!r}. Convert it, as in "
            "str(value), or leave out task='text'"
        )
    if column.null_count:
        raise SchemaError(
            f"{where} is missing at {name_row(find_first_null(column))} ({column.null_count} such "
            "rows); give '' where nothing was written, or drop the row"
        )
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)


def refuse_token_lists(values: Any, where: str) -> None:
    """Refuse `values` that are lists of words or tags, which texts hold between blanks."""
    if isinstance(values, list | tuple) and any(isinstance(row, list | tuple) for row in values):
        raise SchemaError(f"{where} holds a list in each row; {JOIN}")


def measure_row(values: Array) -> int:
    """Bytes that a row of `values` (n, ...) takes; of texts by the mean of the first ones.

    >>> measure_row(np.zeros((5, 2)))
    16
    """
    if values.dtype != object or not len(values):
        return values[:1].nbytes
    lengths = [len(text) for text in values[:SAMPLED]]
    return BYTES_OF_TEXT + sum(lengths) // len(lengths)


def restore_texts(texts: Array) -> pa.Array:
    """`texts` (n,) as an Arrow column.

    >>> restore_texts(np.array(["a", ""], object)).to_pylist()
    ['a', '']
    """
    return pa.array(texts, pa.string())
