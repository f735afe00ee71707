"""Charts of parts of rows and inputs: weak slices, groups of people, rows trained on, importance.

>>> from assay.audit.slices import WeakSlices
>>> from assay.charts.style import get_spec
>>> nothing = WeakSlices("accuracy", (), 0, None, {"m": 0.5}, ("site",), 1, 30, 20, "", 0.95)
>>> get_spec(weak_slices(nothing))["title"]["text"]
'Weak slices by accuracy'
"""

import math
from collections.abc import Sequence
from typing import Any

from assay.audit.fairness import Fairness
from assay.audit.importance import Importance
from assay.audit.membership import Membership
from assay.audit.slices import WeakSlices
from assay.charts.base import AltairChart, register
from assay.charts.style import MUTED, SERIES, draw_blank, embed_rows, finish

__all__ = ["fairness", "importance", "membership", "weak_slices"]

MOST = 20  # lines that can be read at once


@register(draws="assay.slices/1")
def weak_slices(result: WeakSlices) -> AltairChart:
    """Value and interval of each slice of `result` that is weak by itself, a tick at the rest.

    The clearest first.
    """
    own = result.distinct[:MOST]
    title = f"Weak slices by {result.metric}"
    if not own:
        return finish(draw_blank(result.verdict), title)
    several = len(result.overall) > 1
    marks = [
        {
            "name": f"{f'{row.model}: ' if several else ''}{row.slice} ({row.n})",
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "other": row.rest,
        }
        for row in own
    ]
    level = f"Holm's correction at {1 - result.confidence:.0%}"
    subtitle = (
        f"{result.confidence:.0%} intervals; tick: all other rows; {result.tested} slices tested, "
        f"{level}"
    )
    return finish(_draw_strips(marks, result.metric), title, subtitle)


@register(draws="assay.fairness/1")
def fairness(result: Fairness) -> AltairChart:
    """Value and interval of each group of `result`, a tick at what it is held against.

    A panel for each metric, and model where there are several.
    """
    import altair as alt

    values = {(row.model, row.metric, row.group): row.value for row in result.rows}
    several = len({row.model for row in result.rows}) > 1
    panels = []
    for model, metric in dict.fromkeys((row.model, row.metric) for row in result.rows):
        rows = [row for row in result.rows if (row.model, row.metric) == (model, metric)][:MOST]
        marks = [
            {
                "name": f"{row.group} ({row.n})",
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "other": values.get((model, metric, row.against), row.value - row.difference),
            }
            for row in rows
        ]
        panels.append(_draw_strips(marks, f"{metric} of {model}" if several else metric))
    against = "a tick: what the group is held against"
    chart = alt.vconcat(*panels) if panels else draw_blank("no metric applies")
    return finish(
        chart, f"Values by {', '.join(result.by)}", f"{result.confidence:.0%} intervals; {against}"
    )


@register(draws="assay.importance/1")
def importance(result: Importance) -> AltairChart:
    """What each model of `result` loses without each part of the inputs, the most important first.

    A panel for each model, a tick at 0.
    """
    import altair as alt

    panels = []
    for model in result.values:
        own = sorted(
            (row for row in result.rows if row.model == model), key=lambda row: -row.importance
        )
        marks = [
            {"name": r.part, "value": r.importance, "low": r.low, "high": r.high, "other": 0.0}
            for r in own[:MOST]
        ]
        panels.append(_draw_strips(marks, f"loss of {result.metric} of {model}"))
    return finish(
        alt.vconcat(*panels),
        f"Permutation importance by {result.metric}",
        f"{result.confidence:.0%} intervals; at the tick nothing is lost",
    )


@register(draws="assay.membership/1")
def membership(result: Membership) -> AltairChart:
    """How well the loss tells training rows from others, for each model of `result`.

    The tick at 0.5 gives nothing away.
    """
    marks = [
        {"name": r.model, "value": r.auc, "low": r.low, "high": r.high, "other": 0.5}
        for r in result.rows
    ]
    subtitle = f"{result.confidence:.0%} intervals; 0.5 gives nothing away"
    return finish(
        _draw_strips(marks, "chance that the training row has the lower loss"),
        "Membership inference",
        subtitle,
    )


def _draw_strips(marks: Sequence[dict[str, Any]], title: str) -> AltairChart:
    """A dot and its interval for each name, in their order, and a tick for comparison."""
    import altair as alt

    rows = [
        {**m, **({} if math.isfinite(m["low"]) else {"low": m["value"], "high": m["value"]})}
        for m in marks
    ]
    base = alt.Chart(embed_rows(rows), width=400, height=24 * len(rows)).encode(
        x=alt.X(
            "value:Q",
            title=title,
            axis=alt.Axis(tickCount=6),
            scale=alt.Scale(zero=False, nice=True),
        ),
        y=alt.Y("name:N", sort=[m["name"] for m in rows], title=None),
    )
    strip = base.mark_rule(strokeWidth=2.5, opacity=0.65, strokeCap="round", color=SERIES[0])
    tick = base.mark_tick(thickness=2, size=16, color=MUTED).encode(x="other:Q")
    dot = base.mark_circle(size=70, opacity=1, color=SERIES[0])
    return alt.layer(strip.encode(x="low:Q", x2="high:Q"), tick, dot)
