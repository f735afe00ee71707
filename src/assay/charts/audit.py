"""Charts of parts of the rows: weak slices, groups of people, rows trained on.

>>> from assay.charts.style import spec_of
>>> from assay.table.predictions import Predictions
>>> from assay.audit.slices import weak_slices as search
>>> p = Predictions.from_arrays([0, 1] * 50, {"m": [0, 1] * 25 + [1, 0] * 25}, groups={"a": [0] * 50 + [1] * 50})
>>> spec_of(weak_slices(search(p)))["title"]["text"]
'Weak slices by accuracy'
"""

import math
from collections.abc import Sequence
from typing import Any

from assay.audit.fairness import Fairness
from assay.audit.membership import Membership
from assay.audit.slices import WeakSlices
from assay.charts.base import AltairChart, register
from assay.charts.style import MUTED, SERIES, draw_blank, embed_rows, finish

__all__ = ["fairness", "membership", "weak_slices"]

MOST = 20  # lines that can be read at once


@register(draws="assay.slices/1")
def weak_slices(found: WeakSlices) -> AltairChart:
    """Figure and interval of each weak slice that stands by itself, clearest first, and a tick at that of the rest."""
    own = [row for row in found.rows if row.own][:MOST]
    title = f"Weak slices by {found.metric}"
    if not own:
        return finish(draw_blank(found.verdict), title)
    several = len(found.overall) > 1
    marks = [
        {
            "name": f"{f'{row.model}: ' if several else ''}{row.slice} ({row.n})",
            "value": row.value, "low": row.low, "high": row.high, "other": row.rest,
        }
        for row in own
    ]  # fmt: skip
    said = f"{found.confidence:.0%} intervals; tick: all other rows; {found.tested} slices tested, {1 - found.confidence:.0%} Holm"
    return finish(_strips(marks, found.metric), title, said)


@register(draws="assay.fairness/1")
def fairness(found: Fairness) -> AltairChart:
    """Figure and interval of each group, a panel for each metric (and model), a tick at what it is held against."""
    import altair as alt

    figures = {(row.model, row.metric, row.group): row.value for row in found.rows}
    several = len({row.model for row in found.rows}) > 1
    panels = []
    for model, metric in dict.fromkeys((row.model, row.metric) for row in found.rows):
        rows = [row for row in found.rows if (row.model, row.metric) == (model, metric)][:MOST]
        marks = [
            {
                "name": f"{row.group} ({row.n})", "value": row.value, "low": row.low, "high": row.high,
                "other": figures.get((model, metric, row.against), row.value - row.difference),
            }
            for row in rows
        ]  # fmt: skip
        panels.append(_strips(marks, f"{metric} of {model}" if several else metric))
    against = "a tick: what the group is held against"
    chart = alt.vconcat(*panels) if panels else draw_blank("no metric applies")
    return finish(
        chart, f"Figures by {', '.join(found.by)}", f"{found.confidence:.0%} intervals; {against}"
    )


@register(draws="assay.membership/1")
def membership(found: Membership) -> AltairChart:
    """How well the loss tells training rows from others, for each model; the tick at 0.5 gives nothing away."""
    marks = [
        {"name": r.model, "value": r.auc, "low": r.low, "high": r.high, "other": 0.5}
        for r in found.rows
    ]
    said = f"{found.confidence:.0%} intervals; 0.5 gives nothing away"
    return finish(
        _strips(marks, "chance that the training row has the lower loss"),
        "Membership inference",
        said,
    )


def _strips(marks: Sequence[dict[str, Any]], title: str) -> AltairChart:
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
