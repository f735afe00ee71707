"""Operating points: charts of what a threshold costs and gains, seen as DET and as gain curves.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 0, 1], {"m.score": [0.1, 0.9, 0.4, 0.3]})
>>> gain(p).to_dict()["layer"][1]["encoding"]["x"]["title"]
'share of rows taken, highest scores first'
"""

import numpy as np

from assay.charts.base import AltairChart, register
from assay.charts.curves import (
    choose_curves,
    describe_event,
    draw_guides,
    draw_line,
    draw_lines,
)
from assay.charts.points import CurvePoints, prevalence, roc_curve
from assay.charts.style import draw_blank, finish
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = ["det", "gain"]

# Error rates that the axes of a DET curve name, and the least that is drawn.
RATES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
LEAST = 5e-4


@register(draws="assay.predictions")
def det(predictions: Predictions) -> AltairChart:
    """False negative against false positive rate at every threshold, a curve a model.

    Detection error trade-off: both axes are on the scale of the normal distribution, so that normal
    scores give a straight line, and rates near 0 are seen. Several classes: one against the rest,
    averaged, as in `roc` of the same `predictions`.
    Source: Martin et al. (1997), Eurospeech 1895-1898.
    """
    import altair as alt

    curves, more = choose_curves(predictions, "DET curve", roc_curve)
    if not curves:
        return finish(draw_blank("every row is of one class: the curve is undefined"), "DET curves")
    turned = {
        m: CurvePoints(_convert_to_deviates(c.x), _convert_to_deviates(1 - c.y), c.area)
        for m, c in curves.items()
    }
    named = " : ".join(
        f"datum.value < {_convert_to_deviates(np.array(r))[()] + 0.01:.4f} ? '{r * 100:g} %'"
        for r in RATES
    )
    ends = [float(_convert_to_deviates(np.array(r))[()]) for r in (LEAST, 0.9)]
    axis = alt.Axis(
        values=[float(_convert_to_deviates(np.array(r))[()]) for r in RATES],
        labelExpr=f"{named} : ''",
    )
    drawn = draw_lines(
        turned,
        predictions.models,
        ("false positive rate", "false negative rate"),
        "linear",
        ends,
        axis,
    )
    return finish(
        draw_guides(drawn),
        f"DET curves{describe_event(predictions)}",
        f"Area under the ROC curve in the legend{more}",
    )


@register(draws="assay.predictions")
def gain(predictions: Predictions) -> AltairChart:
    """Share of the positive rows of `predictions` found against the share of rows taken.

    Cumulative gain, for binary tasks, highest scores first: the diagonal is taking rows at random,
    the corner of the other line is ranking them perfectly.
    """
    if predictions.task != "binary":
        raise UnsupportedError(
            f"a gain curve is of the positive class; this table's task is {predictions.task}"
        )
    curves, more = choose_curves(predictions, "gain curve", roc_curve)
    if not curves:
        return finish(
            draw_blank("every row is of one class: the curve is undefined"), "Cumulative gain"
        )
    share = prevalence(predictions)
    taken = {
        m: CurvePoints(share * c.y + (1 - share) * c.x, c.y, c.area) for m, c in curves.items()
    }
    best = draw_line([{"x": 0, "y": 0}, {"x": share, "y": 1}, {"x": 1, "y": 1}])
    axes = ("share of rows taken, highest scores first", "share of the positive rows found")
    drawn = draw_lines(taken, predictions.models, axes, "linear")
    title = f"Cumulative gain{describe_event(predictions)}"
    return finish(
        draw_guides(best, drawn),
        title,
        f"Area under the ROC curve in the legend{more}; dashed: a perfect ranking",
    )


def _convert_to_deviates(rate: Array) -> Array:
    """Normal deviates of rates, none below LEAST."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rate, LEAST, 1 - LEAST)))
