"""Training: charts of what a run logged, with what the diagnosis found marked on them.

>>> from assay.diagnosis.diagnose import diagnose
>>> from assay.readers.history import History
>>> losses = {"train_loss": [0.9, 0.6, 0.5, 0.4, 0.3], "val_loss": [1.0, 0.8, 0.7, 0.75, 0.9]}
>>> training_curves(diagnose(History.from_lists(**losses, name="net"))).to_dict()["title"]["text"]
'Training curves'
"""

import math
from collections.abc import Collection, Sequence
from typing import Any

from assay.charts.base import AltairChart, register
from assay.charts.style import GOOD, INK, SERIES, WARN, draw_blank, embed_rows, finish
from assay.diagnosis.diagnose import Diagnosis, RunDiagnosis
from assay.readers.history import Series

__all__ = ["loss_curve", "metric_curve", "shorten", "training_curves"]

LIMIT = 200
RATIO = 50  # losses that span more than this are drawn on a logarithmic axis
SPLITS = {
    "train": "training",
    "train_eval": "training, evaluated",
    "val": "validation",
    "test": "test",
}
WIDTH = 380
HEIGHT = 230


@register(draws="assay.diagnosis/1")
def training_curves(diagnosis: Diagnosis) -> AltairChart:
    """Is it over- or under-fitting: loss and a metric of each run of the `diagnosis`, a row a run.

    Shaded: the epochs as good as the best. Vertical lines: the best epoch, and where overfitting,
    divergence or collapse begins. A tick at the top: a loss that was not a number. At most 200
    vertices a curve, lows and highs kept.
    """
    import altair as alt

    rows = []
    for run in diagnosis.runs:
        panels = (_draw_panel(run, True), _draw_panel(run, False))
        rows.append(alt.hconcat(*(panel for panel in panels if panel is not None)))
    chart = alt.vconcat(*rows) if len(rows) > 1 else rows[0]
    legend = (
        "Shaded: as good as the best epoch. Dashed: the best epoch; orange: where it goes wrong"
    )
    summary = "; ".join(run.summary for run in diagnosis.runs)
    return finish(chart, "Training curves", legend, summary)


@register(draws="assay.run")
def loss_curve(run: RunDiagnosis) -> AltairChart:
    """Training and validation loss of one `run`, with what the diagnosis found."""
    chart = _draw_panel(run, True)
    if chart is None:
        chart = draw_blank("no loss was logged")
    return finish(chart, f"Loss of {run.name}", _describe_marks(run), run.summary)


@register(draws="assay.run")
def metric_curve(run: RunDiagnosis) -> AltairChart | None:
    """The first metric of the `run` besides the loss, with its own best epoch.

    None where no metric was logged.
    """
    chart = _draw_panel(run, False)
    if chart is None:
        return None
    name = run.history.metrics[0]
    best = _best_epoch(run, name)
    legend = "" if best is None else f"best at {run.history.unit} {best}"
    return finish(chart, f"{name} of {run.name}", legend)


def _best_epoch(run: RunDiagnosis, metric: str | None) -> float | None:
    """The epoch at which a metric was best."""
    return next((m["best_epoch"] for m in run.metrics if m["metric"] == metric), None)


def shorten(series: Series, limit: int = LIMIT) -> list[tuple[float, float]]:
    """(epoch, value) of a curve of at most `limit` points.

    Of a longer `series`, the lowest and the highest value of each stretch.

    >>> many = Series("val", "loss", tuple(range(10_000)), tuple(i % 100 for i in range(10_000)))
    >>> len(shorten(many))
    200
    """
    points = list(zip(series.epochs, series.values, strict=True))
    if len(points) <= limit:
        return points
    chosen: set[int] = set()
    stretches = limit // 2
    for s in range(stretches):
        stretch = range(s * len(points) // stretches, (s + 1) * len(points) // stretches)
        finite = [i for i in stretch if math.isfinite(points[i][1])] or [stretch[0]]
        chosen |= {min(finite, key=lambda i: points[i][1]), max(finite, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(chosen)]


def _describe_marks(run: RunDiagnosis) -> str:
    unit = run.history.unit
    parts = []
    if run.good_range is not None and run.good_range[0] < run.good_range[1]:
        first, last = run.good_range
        parts.append(f"shaded: {unit}s {first:g} to {last:g}, as good as the best")
    if run.best_epoch is not None:
        parts.append(f"dashed: best {unit} {run.best_epoch:g}")
    if run.onset is not None:
        parts.append(f"orange: {_name_onset(run)} from {unit} {run.onset:g}")
    return "; ".join(parts)


def _name_onset(run: RunDiagnosis) -> str:
    return {"overfit": "overfitting", "diverged": "divergence", "collapsed": "collapse"}.get(
        run.status, run.status
    )


def _draw_panel(run: RunDiagnosis, loss: bool) -> AltairChart | None:
    """One axis: the curves of the loss, or of the first metric, over the epochs."""
    import altair as alt

    name = run.history.loss if loss else next(iter(run.history.metrics), None)
    curves = [s for s in run.history.series if s.metric == name]
    rows = [
        {"split": SPLITS[s.split], "epoch": e, "value": v} for s in curves for e, v in shorten(s)
    ]
    finite = [v for s in curves for v in s.values if math.isfinite(v)]
    if not rows:
        return None
    x = alt.X("epoch:Q", title=run.history.unit, scale=alt.Scale(nice=False, zero=False))
    y = alt.Y("value:Q", title=name, scale=_choose_scale(finite, loss))
    base = alt.Chart(embed_rows(rows), width=WIDTH, height=HEIGHT)
    dots = {"size": 18, "filled": True} if len(rows) <= 80 else False
    lines = base.mark_line(strokeWidth=2, strokeJoin="round", point=dots, clip=True)
    layers = [
        *_draw_marks(run, loss),
        lines.encode(x=x, y=y, color=_colour_splits({row["split"] for row in rows})),
    ]
    undefined = sorted(
        {e for s in curves for e, v in zip(s.epochs, s.values, strict=True) if not math.isfinite(v)}
    )
    if undefined:
        layers.append(_mark_undefined(undefined[:LIMIT]))
    return alt.layer(*layers).properties(title=f"{run.name}: {name}")


def _colour_splits(present: Collection[object]) -> Any:
    import altair as alt

    shown = {
        "training": SERIES[0],
        "training, evaluated": SERIES[4],
        "validation": SERIES[1],
        "test": SERIES[2],
    }
    shown = {name: colour for name, colour in shown.items() if name in present}
    legend = alt.Legend(title=None, orient="bottom", offset=10, symbolType="stroke")
    return alt.Color(
        "split:N", scale=alt.Scale(domain=list(shown), range=list(shown.values())), legend=legend
    )


def _choose_scale(finite: Sequence[float], loss: bool) -> Any:
    import altair as alt

    low = min(finite, default=0.0)
    high = max(finite, default=1.0)
    if loss and low > 0 and high / low > RATIO:
        return alt.Scale(type="log")
    return alt.Scale(zero=False)


def _draw_marks(run: RunDiagnosis, loss: bool) -> list[AltairChart]:
    """Good range, best epoch and onset on the loss; its own best epoch on the metric."""
    if not loss:
        best = _best_epoch(run, next(iter(run.history.metrics), None))
        return [] if best is None else [_draw_upright(best, INK, "best", dashed=True)]
    marks = []
    if run.good_range is not None and run.good_range[0] < run.good_range[1]:
        marks.append(_draw_band(*run.good_range))
    if run.best_epoch is not None:
        marks.append(_draw_upright(run.best_epoch, INK, "best", dashed=True))
    if run.onset is not None:
        marks.append(_draw_upright(run.onset, WARN, _name_onset(run), dashed=False))
    return marks


def _draw_band(first: float, last: float) -> AltairChart:
    import altair as alt

    band = alt.Chart(embed_rows([{"from": first, "to": last}])).mark_rect(color=GOOD)
    return band.encode(x=alt.X("from:Q"), x2="to:Q", y=alt.value(0), y2=alt.value(HEIGHT))


def _draw_upright(epoch: float, colour: str, word: str, *, dashed: bool) -> AltairChart:
    import altair as alt

    base = alt.Chart(embed_rows([{"epoch": epoch, "word": f"{word} {epoch:g}"}])).encode(
        x="epoch:Q"
    )
    line = base.mark_rule(color=colour, strokeDash=[5, 4] if dashed else [1, 0], strokeWidth=1.3)
    down = 10 if dashed else 24  # so that two words on neighbouring epochs do not cover each other
    text = base.mark_text(align="left", baseline="middle", dx=4, color=colour, fontSize=10)
    return line + text.encode(y=alt.value(down), text="word:N")


def _mark_undefined(epochs: Sequence[float]) -> AltairChart:
    import altair as alt

    ticks = alt.Chart(embed_rows([{"epoch": e, "word": "nan or inf"} for e in epochs])).encode(
        x="epoch:Q", y=alt.value(3)
    )
    first = alt.Chart(embed_rows([{"epoch": epochs[0], "word": "nan or inf"}])).encode(
        x="epoch:Q", y=alt.value(14)
    )
    marks = ticks.mark_tick(orient="vertical", color=WARN, thickness=2.5, size=12)
    return marks + first.mark_text(align="right", dx=-4, color=WARN, fontSize=10).encode(
        text="word:N"
    )
