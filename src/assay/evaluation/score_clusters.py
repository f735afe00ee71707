"""score_clusters: a metric of each cluster of rows, such as the Dice coefficient of each image.

>>> import assay
>>> maps = [[[0, 1], [1, 1]], [[0, 0], [1, 1]]]
>>> p = assay.count_pixels(maps, {"unet": [[[0, 1], [0, 1]], maps[1]]})
>>> assay.evaluate(score_clusters(p, "iou"), "mean", intervals=False).value
0.8333333333333333
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import SchemaError, UnsupportedError
from assay.evaluation.evaluate import evaluate
from assay.io.read_write import read
from assay.io.source import Source, open_table
from assay.kernels import Array
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.predictions import Predictions

__all__ = ["score_clusters"]


def score_clusters(
    predictions: Source,
    metric: str | Metric,
    *,
    by: str = "cluster",
    undefined: float | None = None,
) -> Predictions:
    """The value of a metric in each cluster of rows, as a table of scores.

    Its mean over clusters is another figure than the value of all rows together: each image (or
    patient, or document) counts alike, however many pixels it has. Intervals and comparisons of the
    metric `mean` of the table are over clusters.

    Parameters:
        predictions: A table with a cluster column, as `count_pixels` makes it, or its path.
        metric: A metric of one value, such as "dice" or "miou".
        by: Column whose values are the clusters; default "cluster".
        undefined: What a cluster counts where the metric is undefined, as the IoU of an image in
            which a class is neither true nor found, often 1; default: clusters where it is
            undefined for all models are left out, and one where it is so for some is refused.

    Returns:
        A row a cluster, without a truth: `<model>.value`, and the cluster as `id`.

    Raises:
        UnsupportedError: There is no such column, or the metric has a value a class.
        SchemaError: The metric is undefined in a cluster for some of the models.

    >>> import assay
    >>> maps = [[[0, 1], [1, 1]], [[0, 0], [1, 1]]]
    >>> p = assay.count_pixels(maps, {"unet": [[[0, 1], [0, 1]], maps[1]]}, id=["x", "y"])
    >>> scores = assay.score_clusters(p, "dice")
    >>> scores.columns["id"].to_pylist(), scores.outputs["unet"]["value"].round(3).tolist()
    (['x', 'y'], [0.8, 1.0])
    """
    table = open_table(predictions, in_memory=True)
    if by not in table.columns:
        others = ", ".join(table.columns) or "none"
        raise UnsupportedError(
            f"the table has no column {by!r} of clusters; its further columns are {others}: name "
            "one of them, as in by='image'"
        )
    if undefined is not None and not math.isfinite(undefined):
        raise UnsupportedError(f"undefined must be a finite number; got {undefined!r}")
    text, bound = resolve(metric, table.schema)[0]
    if bound.granularity != "table":
        raise UnsupportedError(f"{text} has a value for each class; scores take a metric of one")
    evaluation = evaluate(table, metric, by=by, intervals=False)
    found = [row for row in evaluation.rows if row.group is not None]
    models = [model for model in table.models if any(row.model == model for row in found)]
    values = {model: [row.value for row in found if row.model == model] for model in models}
    clusters = [row.group for row in found if row.model == models[0]]
    scores = np.array(list(values.values()), np.float64)
    missing = np.isnan(scores)
    notes = []
    if undefined is not None and missing.any():
        scores[missing] = undefined
        notes.append(
            f"{text} is undefined in {int(missing.any(axis=0).sum())} of {len(clusters)} clusters, "
            f"which count {undefined:g} there."
        )
    elif missing.any():
        _refuse_undefined_of_some(text, missing, models, clusters)
        notes.append(
            f"{int(missing[0].sum())} of {len(clusters)} clusters are left out: {text} is "
            "undefined in them."
        )
    kept: Array = np.logical_not(np.isnan(scores).any(axis=0))
    if not kept.any():
        raise SchemaError(f"{text} is undefined in every cluster; choose another metric")
    columns = {f"{model}.value": of[kept] for model, of in zip(models, scores, strict=True)}
    names = [cluster for cluster, keep in zip(clusters, kept, strict=True) if keep]
    made = read({**columns, "id": names})
    heading = f"Rows are clusters, their scores {text}."
    return replace(made, notes=(heading, *notes, *made.notes))


def _refuse_undefined_of_some(
    text: str, missing: Array, models: list[str], clusters: list[Any]
) -> None:
    """Refuse clusters where the metric `text` is undefined for some of the models alone."""
    some = missing.any(axis=0) & ~missing.all(axis=0)
    if not some.any():
        return
    place = int(np.argmax(some))
    lacking = models[int(np.argmax(missing[:, place]))]
    raise SchemaError(
        f"{text} is undefined in cluster {clusters[place]!r} for model {lacking!r} and not for "
        f"others ({int(some.sum())} such clusters), so that means would be over different ones; "
        "say what such a cluster counts, as in undefined=1.0 if nothing is true and nothing found"
    )
