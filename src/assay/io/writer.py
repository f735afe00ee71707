"""Writer: a predictions table that comes in parts, as one Parquet file, whole or not at all.

>>> import tempfile, pathlib
>>> from assay.io.stream import scan
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> path = pathlib.Path(tempfile.mkdtemp()) / "p.parquet"
>>> with open_writer(path) as write:
...     write(p)
...     write(p)
>>> scan(path).n
6
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from assay.core.atomic import stage_file
from assay.errors import ReadError
from assay.io.formats import detect_format, is_text
from assay.io.read_write import make_table
from assay.table.predictions import Predictions

__all__ = ["open_writer", "require_parquet"]


def require_parquet(path: str | os.PathLike[str]) -> None:
    """ReadError unless the suffix of `path` is that of Parquet, which alone is written in parts."""
    suffix = os.path.splitext(path)[1]
    if suffix.lower() not in (".parquet", ".pq"):
        raise ReadError(
            f"{os.fspath(path)}: a table is written in parts as Parquet alone; give a path that "
            f"ends in .parquet"
        )
    detect_format(path)


@contextmanager
def open_writer(path: str | os.PathLike[str]) -> Iterator[Callable[[Predictions], None]]:
    """A function that appends the rows of a table to a new Parquet file, a row group each time.

    Parameters:
        path: The file, which ends in .parquet; it is there, or replaced, when all went well.

    Raises:
        ReadError: The file cannot be written.
        SchemaError: A column would not be read back as what it is, or has another type than before.
    """
    import pyarrow.parquet as parquet

    require_parquet(path)
    with stage_file(path) as place:
        writer: Any = None

        def write(predictions: Predictions) -> None:
            nonlocal writer
            table = make_table(predictions, path)
            if writer is None:
                texts = [f.name for f in table.schema if is_text(f.type) and f.name != "id"]
                writer = parquet.ParquetWriter(place, table.schema, use_dictionary=texts)
            writer.write_table(table.cast(writer.schema))

        try:
            yield write
        finally:
            if writer is not None:
                writer.close()
