"""Curves: which models' curves are drawn, and how, shared by all charts of scores.

>>> from assay.table.predictions import Predictions
>>> describe_event(Predictions.from_arrays([0, 1], {"m.score": [0.1, 0.9]}, positive=1))
' of class 1'
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from assay.charts.base import AltairChart
from assay.charts.points import CurvePoints
from assay.charts.style import MUTED, colours, embed_rows
from assay.errors import UnsupportedError
from assay.table.predictions import Predictions

__all__ = [
    "MOST_MODELS",
    "choose_curves",
    "describe_event",
    "draw_guides",
    "draw_line",
    "draw_lines",
    "refuse_lacking",
]

MOST_MODELS = 8
Steps = Literal["linear", "step-before"]


def refuse_lacking(predictions: Predictions, models: Sequence[str], reads: str, chart: str) -> None:
    """Refuse a `chart` where one of `models` of `predictions` does not give what it `reads`."""
    lacking = [m for m in models if not predictions.schema.offers(m, reads)]
    if lacking or not models:
        who = f"no model of this {predictions.task} table gives"
        if lacking:
            who = f"model {lacking[0]!r} does not give"
        raise UnsupportedError(
            f"the {chart} chart needs {reads}, which {who}; the table: {predictions!r}"
        )


def _find_scoring_models(predictions: Predictions, chart: str) -> list[str]:
    models = [] if predictions.task == "regression" else predictions.models
    models = [m for m in models if predictions.schema.offers(m, "score")]
    refuse_lacking(predictions, models, "score", chart)
    return models


def describe_event(predictions: Predictions) -> str:
    """Which class of `predictions` a curve is of, for its title."""
    if predictions.task == "binary":
        return f" of class {predictions.schema.positive}"
    return " (macro average)"


def choose_curves(
    predictions: Predictions, chart: str, curve: Callable[[Predictions, str], CurvePoints | None]
) -> tuple[dict[str, CurvePoints], str]:
    """The curves of the models that give scores, largest area first, and a word on others.

    `curve` makes the curve of a model on `predictions`; `chart` is named where none gives scores.
    """
    curves = {}
    for model in _find_scoring_models(predictions, chart):
        points = curve(predictions, model)
        if points is not None:
            curves[model] = points
    best = sorted(curves, key=lambda model: -curves[model].area)
    more = f"; the best {MOST_MODELS} of {len(best)} models" if len(best) > MOST_MODELS else ""
    return {model: curves[model] for model in best[:MOST_MODELS]}, more


def draw_lines(
    curves: dict[str, CurvePoints],
    models: Sequence[str],
    axes: tuple[str, str],
    steps: Steps,
    ends: Sequence[float] = (0, 1),
    axis: Any = None,
) -> AltairChart:
    """The `curves`, each in the colour of its model's place in `models`, the same in every chart.

    `axes` are the titles of x and y, `steps` how vertices are joined, `ends` the ends of both axes,
    and `axis` an Altair axis in place of the usual one.
    """
    import altair as alt

    names = {m: f"{m}  {c.area:.3f}" for m, c in curves.items()}
    rows = [
        {"model": names[m], "x": round(float(x), 4), "y": round(float(y), 4), "i": i}
        for m, c in curves.items()
        for i, (x, y) in enumerate(zip(c.x, c.y, strict=True))
    ]
    scale = alt.Scale(domain=list(ends))
    axis = axis or alt.Axis()
    x = alt.X("x:Q", title=axes[0], scale=scale, axis=axis)
    y = alt.Y("y:Q", title=axes[1], scale=scale, axis=axis)
    legend = alt.Legend(title=None, orient="bottom", columns=2, offset=14)
    lines = alt.Chart(embed_rows(rows)).mark_line(
        interpolate=steps, strokeWidth=1.8, strokeJoin="round", clip=True
    )
    return lines.encode(x=x, y=y, order="i:Q", color=colours(names, models, legend))


def draw_line(rows: list[dict[str, Any]]) -> AltairChart:
    """A dashed line through the points of `rows`, for comparison."""
    import altair as alt

    return (
        alt.Chart(embed_rows(rows))
        .mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1)
        .encode(x="x:Q", y="y:Q")
    )


def draw_guides(*layers: AltairChart) -> AltairChart:
    """The `layers` as one square chart."""
    import altair as alt

    return alt.layer(*layers).properties(width=380, height=380)
