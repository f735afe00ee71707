"""Charts of why a fusion works: what each model adds, and what few or cheap models give.

>>> from assay.charts.style import get_spec
>>> from assay.fusions.fuse import fuse
>>> from assay.table.predictions import Predictions
>>> y = [1.0, 2.0, 4.0, 3.0] * 10
>>> values = {"a": [v + 1 for v in y], "b": [v - 1 for v in y]}
>>> table = Predictions.from_arrays(y, values, task="regression")
>>> get_spec(fusion_shares(fuse(table, "mean", explain=True).explanation))["title"]["text"]
'What each model adds'
"""

from typing import Any

from assay.charts.base import AltairChart, register
from assay.charts.style import GOOD, INK, SERIES, embed_rows, finish
from assay.fusions.explain import FusionExplanation

__all__ = ["fusion_frontier", "fusion_shares"]


@register(draws="assay.fusion_explanation/1")
def fusion_shares(explanation: FusionExplanation) -> AltairChart:
    """What each model of an `explanation` takes off the fused loss: its share, with interval."""
    import altair as alt

    rows = [
        {"model": row.model, "share": row.shapley, **_span(row.shapley, row.low, row.high)}
        for row in explanation.rows
    ]
    order = [row["model"] for row in sorted(rows, key=lambda row: -row["share"])]
    x = alt.X("share:Q", title=f"{explanation.loss_name} taken off", scale=alt.Scale(nice=True))
    base = alt.Chart(embed_rows(rows), width=340, height=26 * len(rows))
    base = base.encode(x=x, y=alt.Y("model:N", sort=order, title=None))
    strip = base.mark_rule(strokeWidth=2.5, opacity=0.65, strokeCap="round", color=SERIES[0])
    zero = base.mark_rule(color=INK, strokeDash=[4, 4]).encode(
        x=alt.datum(0), y=alt.value(0), y2=alt.value("height")
    )
    dot = base.mark_circle(size=70, opacity=1, color=SERIES[0])
    chart = alt.layer(zero, strip.encode(x="low:Q", x2="high:Q"), dot)
    subtitle = f"Mean over all orders in which models join {explanation.game}"
    return finish(chart, "What each model adds", subtitle)


@register(draws="assay.fusion_explanation/1")
def fusion_frontier(explanation: FusionExplanation) -> AltairChart:
    """The least loss by models, or cost, of an `explanation`; the ringed point is enough."""
    import altair as alt

    has_costs = explanation.enough.cost is not None
    least = min(point.loss for point in explanation.frontier)
    rows = [
        {
            "x": point.cost if has_costs else point.count,
            "loss": point.loss,
            **_span(point.loss, least + point.low, least + point.high),
            "enough": point is explanation.enough,
        }
        for point in explanation.frontier
    ]
    title = "cost" if has_costs else "models"
    axis = alt.Axis(tickMinStep=0 if has_costs else 1)
    base = alt.Chart(embed_rows(rows), width=340, height=200).encode(
        x=alt.X("x:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=True)),
        y=alt.Y("loss:Q", title=explanation.loss_name, scale=alt.Scale(zero=False, nice=True)),
    )
    strip = base.mark_rule(strokeWidth=2.5, opacity=0.65, strokeCap="round", color=SERIES[0])
    dot = base.mark_circle(size=70, opacity=1, color=SERIES[0])
    ring = base.transform_filter("datum.enough").mark_point(size=220, color=GOOD, stroke=INK)
    chart = alt.layer(strip.encode(y="low:Q", y2="high:Q"), ring, dot)
    subtitle = "Intervals are of the difference to the least; the ringed one is enough"
    which = "cheap" if has_costs else "few"
    return finish(chart, f"What {which} models give", subtitle)


def _span(value: float, low: float, high: float) -> dict[str, Any]:
    """The ends of an interval; the value itself where there is none."""
    known = low == low and high == high  # not nan
    return {"low": low if known else value, "high": high if known else value}
