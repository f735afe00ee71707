"""Training: charts of what a run logged, with what the diagnosis found marked on them.

>>> from assay.diagnosis.diagnose import diagnose
>>> from assay.readers.history import History
>>> losses = {"train_loss": [0.9, 0.6, 0.5, 0.4, 0.3], "val_loss": [1.0, 0.8, 0.7, 0.75, 0.9]}
>>> training_curves(diagnose(History.from_lists(**losses, name="net"))).to_dict()["title"]["text"]
'Training curves'
"""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from assay.charts.base import AltairChart, register
from assay.charts.style import GOOD, INK, MUTED, SERIES, WARN, draw_blank, embed_rows, finish
from assay.diagnosis.diagnose import Diagnosis, RunDiagnosis
from assay.diagnosis.run_names import shorten_names
from assay.diagnosis.trend import running_median
from assay.kernels import Array
from assay.readers.history import Series
from assay.readers.naming import is_perplexity

__all__ = ["loss_curve", "metric_curve", "shorten", "smooth", "training_curves"]

LIMIT = 200  # vertices of a curve
FEW = 20  # points of a curve that is drawn as it is
SIDE_BY_SIDE = 3  # runs that are drawn with loss and metric; of more, the losses alone
MOST_PANELS = 12
RATIO = 50  # losses that span more than this are drawn on a logarithmic axis
SPLITS = {
    "train": "training",
    "train_eval": "training, evaluated",
    "val": "validation",
    "test": "test",
}
COLOURS = {
    "training": SERIES[0],
    "training, evaluated": SERIES[4],
    "validation": SERIES[1],
    "test": SERIES[2],
}
BROKEN = ("diverged", "collapsed")  # runs whose range of good epochs says nothing


class Size(NamedTuple):
    """Pixels of a panel; `axis` is the width of the labels beside it."""

    width: int
    height: int
    axis: int


WHOLE = Size(380, 230, 44)
SMALL = Size(236, 130, 44)


@register(draws="assay.diagnosis/1")
def training_curves(diagnosis: Diagnosis) -> AltairChart:
    """Is it over- or under-fitting: the curves of each run of the `diagnosis`.

    Of up to three runs the loss and a metric, a row a run; of more, the losses in small panels of
    one scale, the best run first, 12 at most. Pale: as logged; strong: the running median. Shaded:
    the epochs as good as the best. Vertical lines: the best epoch, and where overfitting,
    divergence or collapse begins. Dotted: the loss of a model that knows only how frequent each
    outcome is. A tick at the top: a loss that was not a number. At most 200 vertices a curve, lows
    and highs kept.
    """
    import altair as alt

    runs = _sort_runs(diagnosis)
    shown = runs[:MOST_PANELS]
    splits = {SPLITS[s.split] for run in shown for s in run.history.series}
    if len(runs) <= SIDE_BY_SIDE:
        rows = []
        for run in shown:
            panels = (_draw_panel(run, True, splits), _draw_panel(run, False, splits))
            rows.append(alt.hconcat(*(panel for panel in panels if panel is not None), spacing=24))
        chart = alt.vconcat(*rows, spacing=18) if len(rows) > 1 else rows[0]
    else:
        chart = _draw_grid(shown, splits)
    legend = (
        "Shaded: as good as the best epoch. Dashed: the best epoch; orange: where it goes wrong; "
        "dotted: nothing learned"
    )
    if len(runs) > len(shown):
        legend = f"The first {len(shown)} of {len(runs)} runs. {legend}"
    summary = "; ".join(run.summary for run in shown)
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


def _sort_runs(diagnosis: Diagnosis) -> list[RunDiagnosis]:
    """The runs, of many the best first."""
    if diagnosis.ranking is None or len(diagnosis.runs) <= SIDE_BY_SIDE:
        return list(diagnosis.runs)
    places = diagnosis.ranking.places
    return sorted(diagnosis.runs, key=lambda run: places[run.name])


def _draw_grid(runs: Sequence[RunDiagnosis], splits: Collection[str]) -> AltairChart:
    """The losses of many runs in small panels, of one scale where they have one loss."""
    import altair as alt

    titles = shorten_names([run.name for run in runs], 24)
    limits = _find_limits(runs)
    panels = [
        _draw_panel(
            run, True, splits, size=SMALL, limits=limits, title=f"{title}: {_spell_status(run)}"
        )
        for run, title in zip(runs, titles, strict=True)
    ]
    drawn = [panel for panel in panels if panel is not None]
    return alt.concat(*drawn, columns=3, spacing=18) if drawn else draw_blank("no loss was logged")


def _find_limits(runs: Sequence[RunDiagnosis]) -> tuple[float, float] | None:
    """Lowest and highest loss of all sound runs; None where panels cannot share a scale."""
    curves = [s for run in runs for s in run.history.series if s.metric == run.history.loss]
    if len({s.metric for s in curves}) != 1:
        return None
    sound = [s for run in runs if run.status not in BROKEN for s in _list_curves(run, True)]
    finite = [values[np.isfinite(values)] for values in (np.asarray(s.values) for s in sound)]
    finite = [values for values in finite if len(values)]
    if not finite:
        return None
    low = float(min(values.min() for values in finite))
    high = float(max(values.max() for values in finite))
    return None if low > 0 and high / low > RATIO else (low, high)


def _spell_status(run: RunDiagnosis) -> str:
    return run.status.replace("_", " ")


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
    count = len(series.values)
    if count <= limit:
        return list(zip(series.epochs, series.values, strict=True))
    values = np.asarray(series.values, dtype=np.float64)
    bounds = _cut_stretches(count, limit // 2)
    chosen: set[int] = set()
    for first, last in pairwise(bounds):
        stretch = values[first:last]
        finite = np.flatnonzero(np.isfinite(stretch))
        if not len(finite):
            chosen.add(first)
            continue
        known = stretch[finite]
        chosen |= {first + int(finite[known.argmin()]), first + int(finite[known.argmax()])}
    return [(series.epochs[i], series.values[i]) for i in sorted(chosen)]


def smooth(series: Series, limit: int = LIMIT) -> list[tuple[float, float]]:
    """(epoch, value) of the running median of a curve, of at most `limit` points.

    It spans a twentieth of the curve, three points at least; of a longer `series`, the median of
    each stretch stands for its points.

    >>> smooth(Series("val", "loss", (1, 2, 3, 4), (5.0, 1.0, 4.0, 3.0)))
    [(1.0, 5.0), (2.0, 4.0), (3.0, 3.0), (4.0, 3.0)]
    """
    values = np.asarray(series.values, dtype=np.float64)
    epochs = np.asarray(series.epochs, dtype=np.float64)
    kept = np.isfinite(values)
    values, epochs = values[kept], epochs[kept]
    if len(values) > limit:
        bounds = _cut_stretches(len(values), limit)
        cuts = list(pairwise(bounds))
        values = np.array([np.median(values[first:last]) for first, last in cuts])
        epochs = np.array([epochs[first:last].mean() for first, last in cuts])
    smoothed = _smooth_widely(values)
    return list(zip(epochs.tolist(), smoothed.tolist(), strict=True))


def _smooth_widely(values: Array) -> Array:
    """The running median over a twentieth of the values; the ends over what there is."""
    half = len(values) // 40
    if half < 2:
        return running_median(values)
    padded = np.pad(values, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    smoothed: Array = np.median(windows, axis=1)
    return smoothed


def _cut_stretches(count: int, stretches: int) -> list[int]:
    return [s * count // stretches for s in range(stretches + 1)]


def _describe_marks(run: RunDiagnosis) -> str:
    unit = run.history.unit
    parts = []
    if _has_range(run):
        first, last = run.good_range or (0, 0)
        parts.append(f"shaded: {unit}s {first:g} to {last:g}, as good as the best")
    if run.best_epoch is not None:
        parts.append(f"dashed: best {unit} {run.best_epoch:g}")
    if run.onset is not None:
        parts.append(f"orange: {_name_onset(run)} from {unit} {run.onset:g}")
    baseline = _find_baseline(run)
    if baseline is not None:
        place = "dotted: " if _is_near(baseline, _list_finite(run, True)) else ""
        parts.append(f"{place}loss without learning {baseline:.4g}")
    return "; ".join(parts)


def _has_range(run: RunDiagnosis) -> bool:
    """Whether a range of good epochs is worth shading."""
    if run.good_range is None or run.status in BROKEN:
        return False
    return run.good_range[0] < run.good_range[1]


def _name_onset(run: RunDiagnosis) -> str:
    return {"overfit": "overfitting", "diverged": "divergence", "collapsed": "collapse"}.get(
        run.status, run.status
    )


def _find_baseline(run: RunDiagnosis) -> float | None:
    """The loss of a model that knows only how frequent each outcome is, unless it was guessed."""
    baseline = run.evidence.get("baseline")
    if baseline is None or run.evidence.get("baseline_from") == "first epoch":
        return None
    # A perplexity is judged by its logarithm and drawn as it was logged.
    return math.exp(baseline) if is_perplexity(run.history.loss or "") else float(baseline)


def _is_near(baseline: float, finite: Sequence[float]) -> bool:
    """Whether a line at the baseline leaves the curves most of the chart."""
    if not finite:
        return False
    low, high = min(finite), max(finite)
    return low - (high - low) <= baseline <= high + (high - low)


def _list_curves(run: RunDiagnosis, loss: bool) -> list[Series]:
    name = run.history.loss if loss else next(iter(run.history.metrics), None)
    return [s for s in run.history.series if s.metric == name]


def _list_finite(run: RunDiagnosis, loss: bool) -> list[float]:
    """Lowest and highest finite values of the curves that a panel shows."""
    ends = []
    for series in _list_curves(run, loss):
        values = np.asarray(series.values, dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values):
            ends += [float(values.min()), float(values.max())]
    return ends


def _draw_panel(
    run: RunDiagnosis,
    loss: bool,
    splits: Collection[str] = (),
    *,
    size: Size = WHOLE,
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> AltairChart | None:
    """One axis: the curves of the loss, or of the first metric, over the epochs.

    The colours are those of all `splits` that are drawn together.
    """
    import altair as alt

    curves = _list_curves(run, loss)
    if not curves:
        return None
    finite = _list_finite(run, loss)
    name = curves[0].metric
    scale = _choose_scale(finite, loss, limits)
    is_odd = _is_wide(finite, loss) or max(map(abs, finite), default=0) > 1e5
    labels: dict[str, Any] = {"format": ".3~g"} if is_odd and limits is None else {}
    axis = alt.Axis(minExtent=size.axis, maxExtent=size.axis, tickCount=5, **labels)
    y = alt.Y("value:Q", title=None if title else name, scale=scale, axis=axis)
    x = alt.X(
        "epoch:Q",
        title=None if title else run.history.unit,
        scale=alt.Scale(nice=False, zero=False),
        axis=alt.Axis(tickCount=6, labelFlush=True),
    )
    colour = _colour_splits(splits or {SPLITS[s.split] for s in curves})
    layers = [
        *_draw_marks(run, loss, size),
        *_draw_curves(curves, size, {"x": x, "y": y, "color": colour}),
    ]
    baseline = _find_baseline(run) if loss else None
    if baseline is not None and limits is None and _is_near(baseline, finite):
        layers.insert(0, _draw_baseline(baseline))
    undefined = _find_undefined(curves)
    if undefined:
        layers.append(_mark_undefined(undefined))
    heading = alt.TitleParams(
        title or f"{run.name}: {name}",
        offset=26,
        fontSize=12 if title else 13,
        limit=size.width + 40,
    )
    return alt.layer(*layers).properties(title=heading, width=size.width, height=size.height)


def _draw_curves(curves: Sequence[Series], size: Size, channels: dict[str, Any]) -> list[Any]:
    """Each curve as it was logged; over one of many points its running median."""
    import altair as alt

    is_smoothed = any(len(s.values) > FEW for s in curves)
    raw = [
        {"split": SPLITS[s.split], "epoch": e, "value": v} for s in curves for e, v in shorten(s)
    ]
    dots = {"size": 18, "filled": True} if len(raw) <= 80 and not is_smoothed else False
    logged = alt.Chart(embed_rows(raw)).mark_line(
        strokeWidth=1 if is_smoothed else 2,
        opacity=0.45 if is_smoothed else 1,
        strokeJoin="round",
        point=dots,
        clip=True,
    )
    drawn = [logged.encode(**channels)]
    if is_smoothed:
        medians = [
            {"split": SPLITS[s.split], "epoch": e, "value": v} for s in curves for e, v in smooth(s)
        ]
        line = alt.Chart(embed_rows(medians)).mark_line(
            strokeWidth=2, strokeJoin="round", clip=True
        )
        drawn.append(line.encode(**channels))
    return drawn


def _find_undefined(curves: Sequence[Series]) -> list[float]:
    """Epochs at which a curve was nan or inf, the first ones."""
    epochs: set[float] = set()
    for series in curves:
        lost = np.flatnonzero(~np.isfinite(np.asarray(series.values, dtype=np.float64)))
        epochs |= {series.epochs[i] for i in lost[:LIMIT].tolist()}
    return sorted(epochs)[:LIMIT]


def _colour_splits(present: Collection[object]) -> Any:
    import altair as alt

    shown = {name: colour for name, colour in COLOURS.items() if name in present}
    legend = alt.Legend(
        title=None, orient="bottom", offset=10, symbolType="stroke", symbolOpacity=1
    )
    return alt.Color(
        "split:N", scale=alt.Scale(domain=list(shown), range=list(shown.values())), legend=legend
    )


def _choose_scale(
    finite: Sequence[float], loss: bool, limits: tuple[float, float] | None = None
) -> Any:
    import altair as alt

    if limits is not None:
        return alt.Scale(zero=False, domain=list(limits), nice=True, clamp=False)
    return alt.Scale(type="log") if _is_wide(finite, loss) else alt.Scale(zero=False)


def _is_wide(finite: Sequence[float], loss: bool) -> bool:
    """Whether losses span so much that a linear axis would hide most of them."""
    low = min(finite, default=0.0)
    return loss and low > 0 and max(finite) / low > RATIO


def _draw_marks(run: RunDiagnosis, loss: bool, size: Size) -> list[AltairChart]:
    """Good range, best epoch and onset on the loss; its own best epoch on the metric."""
    middle = sum(run.history.epochs[:: len(run.history.epochs) - 1 or 1][:2]) / 2
    # The word for the best epoch stands over that for the onset, also where panels are a row.
    is_above = run.onset is not None or size is SMALL
    if not loss:
        best = _best_epoch(run, next(iter(run.history.metrics), None))
        if best is None:
            return []
        is_left = best > middle
        return [_draw_upright(best, INK, "best", dashed=True, is_left=is_left, is_above=is_above)]
    marks = []
    if _has_range(run) and run.good_range is not None:
        marks.append(_draw_band(*run.good_range, size))
    best, onset = run.best_epoch, run.onset
    if onset is not None:
        word = _name_onset(run)
        is_left = onset > middle
        marks.append(
            _draw_upright(onset, WARN, word, dashed=False, is_left=is_left, is_above=best is None)
        )
    if best is not None:
        is_left = best > middle
        marks.append(
            _draw_upright(best, INK, "best", dashed=True, is_left=is_left, is_above=is_above)
        )
    return marks


def _draw_band(first: float, last: float, size: Size) -> AltairChart:
    import altair as alt

    band = alt.Chart(embed_rows([{"from": first, "to": last}])).mark_rect(color=GOOD)
    return band.encode(x=alt.X("from:Q"), x2="to:Q", y=alt.value(0), y2=alt.value(size.height))


def _draw_baseline(loss: float) -> AltairChart:
    import altair as alt

    line = alt.Chart(embed_rows([{"value": loss, "word": "without learning"}]))
    return line.mark_rule(color=MUTED, strokeDash=[1, 3], strokeWidth=1.3).encode(y="value:Q")


def _draw_upright(
    epoch: float,
    colour: str,
    word: str,
    *,
    dashed: bool,
    is_left: bool,
    is_above: bool = False,
) -> AltairChart:
    """A vertical line, with its word above the curves; `is_above` leaves room for another."""
    import altair as alt

    base = alt.Chart(embed_rows([{"epoch": epoch, "word": f"{word} {epoch:g}"}])).encode(
        x="epoch:Q"
    )
    line = base.mark_rule(color=colour, strokeDash=[5, 4] if dashed else [1, 0], strokeWidth=1.3)
    text = base.mark_text(
        align="right" if is_left else "left",
        baseline="bottom",
        dx=2 if is_left else -2,
        color=colour,
        fontSize=10,
    )
    return line + text.encode(y=alt.value(-15 if is_above else -3), text="word:N")


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
