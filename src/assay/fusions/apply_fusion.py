"""Apply fusion: a fusion that was saved, on rows that came later, whose truth nobody knows yet.

>>> from assay.fusions.mean import Mean
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1], {"a.proba": [0.4, 0.8], "b.proba": [0.2, 0.4]})
>>> new = {"a.proba": [0.5], "b.proba": [1.0]}
>>> apply_fusion(Mean().fit(p), new).column("fused.proba").to_pylist()
[[0.25, 0.75]]
"""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.fusions.base import load_fitted
from assay.fusions.fitted import Fitted
from assay.io.formats import write_table
from assay.io.new_rows import open_new_rows
from assay.io.source import Source

__all__ = ["apply_fusion"]


def apply_fusion(
    fitted: Fitted | str | os.PathLike[str],
    predictions: Source,
    out: str | os.PathLike[str] | None = None,
    *,
    name: str = "fused",
    **reading: Any,
) -> pa.Table:
    """The columns of other rows with those of the fused model, whether their truth is known or not.

    Parameters:
        fitted: A fitted fusion (`fuse(...).fitted`), or the file that `save` wrote.
        predictions: Rows with the columns of the fused models: a table, a data frame, the path of a
            file or of several. A column of the truth is kept where there is one.
        out: File to write, as a whole or not at all; its suffix says the format. Default: none.
        name: Name of the fused model; default "fused".
        **reading: How files are to be read, as of `read`: truth, normalise, percent, labels.

    Returns:
        The columns, as they are written.

    Raises:
        ReadError: A file cannot be read, or holds no fitted fusion.
        SchemaError: A model that the fusion needs is missing, or the classes differ.

    >>> from assay.fusions.mean import Mean
    >>> from assay.table.predictions import Predictions
    >>> fitted = Mean().fit(Predictions.from_arrays([0, 1], {"a": [0, 1], "b": [1, 1]}))
    >>> apply_fusion(fitted, {"a.label": [1, 0], "b.label": [1, 0]}).column_names
    ['a.label', 'b.label', 'fused.label']
    """
    fusion = fitted if isinstance(fitted, Fitted) else load_fitted(Path(fitted))
    rows = open_new_rows(predictions, fusion.schema, **reading)
    fused = rows._replace(table=rows.table.append(name, **fusion.apply(rows.table)))
    columns = fused.make_columns("fused.parquet" if out is None else out)
    if out is not None:
        write_table(columns, out)
    return columns
