"""Charts of a search under a limited budget: races, rungs, costs and learning curves.

>>> from assay.charts.style import get_spec
>>> from assay.selection.store import Timing, Timings
>>> get_spec(timings(Timings((Timing("svm", 0, 1.5, 0.1, 30),))))["title"]["text"]
'Time to fit'
"""

from assay.charts.base import AltairChart, register
from assay.charts.style import GOOD, INK, MUTED, SERIES, colours, embed_rows, finish
from assay.selection.halving import Halving
from assay.selection.learning_curve import LearningCurve
from assay.selection.one_standard_error import Frugal
from assay.selection.race import Race
from assay.selection.store import Timings

__all__ = ["frugal", "halving", "learning_curve", "race", "timings"]


@register(draws="assay.race/1")
def race(result: Race) -> AltairChart:
    """How many folds each model of `result` ran before it was dropped, or to the end."""
    import altair as alt

    rows = [
        {
            "model": r.model,
            "folds": r.folds,
            "fate": "finished" if r.dropped_after is None else "dropped",
            "value": r.value,
        }
        for r in result.rows
    ]
    base = alt.Chart(embed_rows(rows), width=400, height=26 * len(rows)).encode(
        x=alt.X("folds:Q", title="folds run", axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("model:N", sort=[r.model for r in result.rows], title=None),
        color=alt.Color(
            "fate:N",
            scale=alt.Scale(domain=["finished", "dropped"], range=[SERIES[0], MUTED]),
            title=None,
        ),
    )
    subtitle = f"{result.fits_saved} of {result.fits + result.fits_saved} fits saved"
    return finish(base.mark_bar(height=12), f"Race by {result.metric}", subtitle)


@register(draws="assay.halving/1")
def halving(result: Halving) -> AltairChart:
    """The value of each model of `result` at every number of rows, until it was left behind."""
    return finish(
        _lines([r.__dict__ for r in result.rows], "rows", result.metric),
        f"Halving by {result.metric}",
    )


@register(draws="assay.learning_curve/1")
def learning_curve(result: LearningCurve) -> AltairChart:
    """The value of each model of `result`, with its interval, over the number of training rows.

    In dashes, the value on these training rows.
    """
    import altair as alt

    rows = [r.__dict__ for r in result.rows]
    models = list(dict.fromkeys(r.model for r in result.rows))
    base = alt.Chart(embed_rows(rows)).encode(
        x=alt.X("size:Q", scale=alt.Scale(type="log")),
        color=colours({m: m for m in models}, models, alt.Legend(title=None)),
    )
    band = base.mark_area(opacity=0.15).encode(y="low:Q", y2="high:Q")
    training = base.mark_line(strokeDash=[5, 4]).encode(y="train:Q")
    chart = band + training + _lines(rows, "size", result.metric, log=True)
    subtitle = f"{result.confidence:.0%} intervals; in dashes, on the training rows"
    return finish(chart, f"Learning curve by {result.metric}", subtitle)


@register(draws="assay.frugal/1")
def frugal(result: Frugal) -> AltairChart:
    """Value against cost of each model of `result`; the one that was chosen is ringed.

    Those within one standard error of the best are marked.
    """
    import altair as alt

    rows = [{**r.__dict__, "chosen": r.model == result.chosen} for r in result.rows]
    base = alt.Chart(embed_rows(rows), width=400, height=260).encode(
        x=alt.X("cost:Q", title=result.cost_name),
        y=alt.Y("value:Q", title=result.metric, scale=alt.Scale(zero=False)),
    )
    near = alt.condition("datum.within", alt.value(SERIES[0]), alt.value(MUTED))
    dots = base.mark_circle(size=70, opacity=1).encode(color=near)
    ring = base.transform_filter("datum.chosen").mark_point(size=220, color=GOOD, stroke=INK)
    names = base.mark_text(align="left", dx=9).encode(text="model:N")
    return finish(
        ring + dots + names, "What the best costs", f"chosen: {result.chosen}; best: {result.best}"
    )


@register(draws="assay.timings/1")
def timings(result: Timings) -> AltairChart:
    """Seconds to fit each model of `result`, fold by fold."""
    import altair as alt

    rows = [r.__dict__ for r in result.rows if not r.error]
    models = list(dict.fromkeys(str(r["model"]) for r in rows))
    base = alt.Chart(embed_rows(rows), width=400, height=26 * max(len(models), 1)).encode(
        x=alt.X("fit_seconds:Q", title="seconds a fold"),
        y=alt.Y("model:N", sort=models, title=None),
    )
    return finish(base.mark_tick(thickness=2, color=SERIES[0]), "Time to fit")


def _lines(
    rows: list[dict[str, object]], over: str, metric: str, *, log: bool = False
) -> AltairChart:
    """A line with points for each model."""
    import altair as alt

    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    x = alt.X(
        f"{over}:Q",
        title=f"{'training ' if log else ''}rows",
        scale=alt.Scale(type="log" if log else "linear"),
    )
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(zero=False))
    legend = alt.Legend(title=None)
    base = alt.Chart(embed_rows(rows), width=400, height=260).encode(
        x=x, y=y, color=colours({m: m for m in models}, models, legend)
    )
    return base.mark_line() + base.mark_circle(size=40, opacity=1)
