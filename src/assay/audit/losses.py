"""losses: the loss of each row, by the sharpest that a model's outputs allow.

>>> from assay.table.predictions import Predictions
>>> rows = Predictions.from_arrays(["a", "b"], {"m": ["a", "a"]}).rows("m")
>>> compute_losses(rows)
('hamming_loss', array([0., 1.]))
"""

from typing import Any

import numpy as np

from assay.errors import SchemaError, UnsupportedError
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.table.rows import Rows

__all__ = ["compute_losses"]

# What stands for the loss of a row, the sharpest first.
LOSSES = (("proba", "log_loss"), ("value", "mse"), ("label", "hamming_loss"))


def compute_losses(rows: Rows) -> tuple[str, Array]:
    """Name and value (n,) of the loss of each of the `rows`; infinite ones become the largest
    finite number.

    That is the log loss where a model gives probabilities, the squared error in regression, the
    share of words that are not shared where it gives texts, else whether the label is wrong.

    Raises:
        SchemaError: The model gives scores only.
        UnsupportedError: In detection images have no loss.
    """
    for kind, name in LOSSES:
        if rows.schema.offers(rows.model, kind):
            metric: Any = METRICS.parse(name)
            values = np.asarray(metric.bind(rows.schema).compute_rows(rows), np.float64)
            return name, np.nan_to_num(values[:, 0] if values.ndim == 2 else values)
    if rows.schema.task == "text":
        shared: Any = METRICS.parse("token_f1")
        return "1 - token_f1", 1.0 - np.asarray(shared.compute_rows(rows), np.float64)
    if rows.schema.task == "detection":
        raise UnsupportedError(
            "an image has no loss of its own in detection, whose metrics are read off all images; "
            "evaluate the images of a group"
        )
    raise SchemaError(
        f"model {rows.model!r} gives scores only, which have no loss; give its probabilities or "
        f"labels as well"
    )
