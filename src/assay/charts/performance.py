"""Performance: charts of predictions - where a model errs, how it ranks, how far to trust it.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "b", "a"]})
>>> confusion(p, "m").to_dict()["title"]["text"]
'Confusion: m'
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.calibration.threshold import Threshold
from assay.charts.base import AltairChart, register
from assay.charts.curves import (
    MOST_MODELS,
    choose_curves,
    describe_event,
    draw_guides,
    draw_line,
    draw_lines,
    refuse_lacking,
)
from assay.charts.points import (
    confusion_counts,
    precision_recall_curve,
    prevalence,
    reliability_bins,
    residual_bins,
    roc_curve,
)
from assay.charts.style import (
    GRID,
    HEAT,
    INK,
    MUTED,
    SERIES,
    WARN,
    WHITE,
    draw_blank,
    embed_rows,
    finish,
)
from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.predictions import Predictions

__all__ = [
    "confusion",
    "confusions",
    "name_classes",
    "precision_recall",
    "reliability",
    "residuals",
    "roc",
]

MOST_CLASSES = 30
TOP = 20

OUTCOMES = ("true and predicted", "missed", "false alarm", "neither")


@register(draws="assay.predictions")
def confusion(predictions: Predictions, model: str) -> AltairChart:
    """How often `model` took each class for each other on `predictions`: a heat-map with counts.

    Colour is the share of the true class. With more than 30 classes: the twenty most frequent
    confusions. Multi-label: the four outcomes of each label.
    """
    refuse_lacking(predictions, [model], "label", "confusion")
    title = f"Confusion: {model}"
    if predictions.task == "multilabel":
        rows = _list_outcomes(predictions, model)
        names = name_classes(predictions.classes)
        subtitle = "Rows of each label by outcome; colour is the share of all rows"
        return finish(
            _draw_heat_map(rows[: MOST_CLASSES * 4], names, OUTCOMES, ("label", "")),
            title,
            subtitle,
        )
    if predictions.schema.k > MOST_CLASSES:
        return _draw_frequent_errors(predictions, model, title)
    names = name_classes(predictions.classes)
    subtitle = "Rows by true and predicted class; colour is the share of the true class"
    return finish(
        _draw_heat_map(_list_cells(predictions, model), names, names, ("truth", "predicted")),
        title,
        subtitle,
    )


def confusions(
    predictions: Predictions, model: str, top: int = TOP
) -> list[tuple[str, str, float, float]]:
    """The `top` most frequent errors of `model`: truth, prediction, weight of the rows, and share.

    The share is that of the true class in `predictions`.

    >>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "b", "a"]})
    >>> confusions(p, "m")
    [('b', 'a', 1.0, 0.5)]
    """
    table = np.array(confusion_counts(predictions, model), np.float64)
    names = name_classes(predictions.classes)
    total = table.sum(axis=1)
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:top]
    pairs = [divmod(int(at), len(names)) for at in order]
    return [
        (names[t], names[p], float(table[t, p]), float(table[t, p] / total[t]))
        for t, p in pairs
        if table[t, p]
    ]


@register(draws="assay.predictions")
def roc(predictions: Predictions) -> AltairChart:
    """True against false positive rate at every threshold, a curve for each model of `predictions`.

    The diagonal is chance. Multi-class and multi-label: one class against the rest, averaged over
    classes (macro), as in roc_auc. With more than eight models the eight of largest area are drawn.
    """
    curves, more = choose_curves(predictions, "ROC curve", roc_curve)
    if not curves:
        return finish(draw_blank("every row is of one class: the curve is undefined"), "ROC curves")
    chance = draw_line([{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    axes = ("false positive rate", "true positive rate")
    title = f"ROC curves{describe_event(predictions)}"
    return finish(
        draw_guides(chance, draw_lines(curves, predictions.models, axes, "linear")),
        title,
        f"Area under each curve in the legend{more}{_describe_average(predictions)}",
    )


@register(draws="assay.predictions")
def precision_recall(predictions: Predictions) -> AltairChart:
    """Precision against recall at every threshold, as steps, for each model of `predictions`.

    With lines of equal F1, and the precision of guessing. Binary: of the positive class. Otherwise
    one class against the rest, averaged over classes (macro) at equal recall.
    """
    curves, more = choose_curves(predictions, "precision-recall curve", precision_recall_curve)
    if not curves:
        return finish(
            draw_blank("no row is positive: the curve is undefined"), "Precision and recall"
        )
    share = prevalence(predictions)
    guess = draw_line([{"x": 0, "y": share}, {"x": 1, "y": share}])
    steps = draw_lines(curves, predictions.models, ("recall", "precision"), "step-before")
    title = f"Precision and recall{describe_event(predictions)}"
    subtitle = (
        f"Average precision in the legend{more}. Grey: equal F1; dashed: guessing"
        f"{_describe_average(predictions)}"
    )
    return finish(draw_guides(_draw_equal_f1(), guess, steps), title, subtitle)


@register(draws="assay.threshold/1")
def trade_off(threshold: Threshold) -> AltairChart:
    """Precision against recall as the `threshold` moves, its place marked; grey: equal F1."""
    import altair as alt

    rows = [{"x": p.recall, "y": p.precision, "f1": p.f1} for p in threshold.points]
    chosen = min(
        threshold.points, key=lambda p: abs(p.threshold - threshold.threshold), default=None
    )
    x = alt.X("x:Q", title="recall", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("y:Q", title="precision", scale=alt.Scale(domain=[0, 1]))
    line = alt.Chart(embed_rows(rows)).mark_line(color=SERIES[0], strokeWidth=2).encode(x=x, y=y)
    mark = [{"x": chosen.recall, "y": chosen.precision}] if chosen else []
    dot = alt.Chart(embed_rows(mark)).mark_circle(size=90, color=WARN, opacity=1).encode(x=x, y=y)
    title = f"Precision, recall and F1 of {threshold.model}"
    subtitle = (
        f"marked: the threshold {threshold.threshold:.3g}, chosen by {threshold.metric}; "
        f"grey lines: equal F1"
    )
    return finish(draw_guides(_draw_equal_f1(), line, dot), title, subtitle)


@register(draws="assay.predictions")
def reliability(predictions: Predictions) -> AltairChart:
    """Predicted probability against how often it came true in `predictions`, a panel a model.

    In bins of equally many rows. On the diagonal probabilities can be taken at their word; below it
    the model is over-confident. Bars are 95 % Wilson intervals. Binary: positive class;
    multi-class: the most probable class; multi-label: all labels together.
    """
    models = [m for m in predictions.models if predictions.schema.offers(m, "proba")][:MOST_MODELS]
    refuse_lacking(predictions, models, "proba", "reliability")
    rows = [{"model": m, **b._asdict()} for m in models for b in reliability_bins(predictions, m)]
    title = "Reliability"
    if not rows:
        return finish(draw_blank("no rows"), title)
    what = {
        "binary": f"class {predictions.schema.positive}",
        "multiclass": "the most probable class",
    }
    subtitle = (
        f"Probability of {what.get(predictions.task, 'every label')}, ten bins of equally many rows"
    )
    return finish(_facet(_draw_reliability(rows, models), models), title, subtitle)


@register(draws="assay.predictions")
def residuals(predictions: Predictions) -> AltairChart:
    """Truth minus prediction along the predicted value, a panel for each model of `predictions`.

    Median, and the middle 50 % and 90 % of rows. A median away from zero is bias; bands that widen
    say that errors grow with the value.
    """
    models = [m for m in predictions.models if predictions.schema.offers(m, "value")][:MOST_MODELS]
    refuse_lacking(predictions, models, "value", "residuals")
    if predictions.task == "multioutput":
        raise UnsupportedError(
            "residuals are drawn of one output; make a table of it alone, its truth (n,) beside "
            "the column of each model"
        )
    rows = [{"model": m, **b._asdict()} for m in models for b in residual_bins(predictions, m)]
    if not rows:
        return finish(draw_blank("no rows"), "Residuals")
    subtitle = "Truth minus prediction: median (line), middle 50 % and 90 % of rows (bands)"
    return finish(_facet(_draw_residuals(rows), models), "Residuals", subtitle)


def name_classes(classes: Sequence[Any]) -> list[str]:
    """The labels `classes` as text; where 1 and '1' would look the same, as Python writes them."""
    plain = [str(label) for label in classes]
    return plain if len(set(plain)) == len(plain) else [repr(label) for label in classes]


def _describe_average(predictions: Predictions) -> str:
    return "" if predictions.task == "binary" else ". Each class against the rest, averaged"


def _list_cells(predictions: Predictions, model: str) -> list[dict[str, Any]]:
    table = confusion_counts(predictions, model)
    names = name_classes(predictions.classes)
    total = np.maximum(table.sum(axis=1, keepdims=True), 1e-300)
    return [
        {"row": t, "column": p, "n": float(table[i, j]), "share": float(table[i, j] / total[i, 0])}
        for i, t in enumerate(names)
        for j, p in enumerate(names)
    ]


def _list_outcomes(predictions: Predictions, model: str) -> list[dict[str, Any]]:
    tables = confusion_counts(predictions, model)
    rows = []
    for name, table in zip(name_classes(predictions.classes), tables, strict=True):
        total = max(float(table.sum()), 1e-300)
        counts: Sequence[Array] = (table[1, 1], table[1, 0], table[0, 1], table[0, 0])
        for outcome, n in zip(OUTCOMES, counts, strict=True):
            rows.append({"row": name, "column": outcome, "n": float(n), "share": float(n) / total})
    return rows


def _draw_heat_map(
    rows: list[dict[str, Any]], down: Sequence[str], across: Sequence[str], axes: tuple[str, str]
) -> AltairChart:
    import altair as alt

    # Colour is ink of growing strength, so that one picture serves light pages and dark ones.
    size = max(15, min(64, 380 // max(len(down), 1)))
    width = max(size, 84 if axes[1] == "" else 0) * len(across)
    x = alt.X(
        "column:N",
        sort=list(across),
        title=axes[1] or None,
        axis=alt.Axis(labelAngle=_choose_angle(across, size), labelLimit=110),
    )
    y = alt.Y("row:N", sort=list(down), title=axes[0], axis=alt.Axis(labelLimit=130))
    base = alt.Chart(
        embed_rows(rows), width=width, height=size * len({r["row"] for r in rows})
    ).encode(x=x, y=y)
    strength = alt.FillOpacity(
        "share:Q",
        scale=alt.Scale(type="pow", exponent=0.6, domain=[0, 1], range=[0, 1]),
        legend=None,
    )
    cells = base.mark_rect(fill=HEAT, stroke=GRID, strokeWidth=0.5).encode(fillOpacity=strength)
    if len(down) > 20:
        return cells
    ink = alt.condition("datum.share > 0.35", alt.value(WHITE), alt.value(INK))
    numbers = base.transform_filter("datum.n > 0").mark_text(fontSize=11 if size >= 28 else 9)
    return cells + numbers.encode(text=alt.Text("n:Q", format=",.4~g"), color=ink)


def _choose_angle(names: Sequence[str], size: int) -> int:
    return 0 if max(map(len, names), default=0) * 6.5 <= size or names == OUTCOMES else -45


def _draw_frequent_errors(predictions: Predictions, model: str, title: str) -> AltairChart:
    import altair as alt

    errors = confusions(predictions, model)
    if not errors:
        return finish(draw_blank("no errors"), title)
    rows = [{"pair": f"{t} → {p}", "n": n, "share": share} for t, p, n, share in errors]
    order = [f"{t} → {p}" for t, p, _, _ in errors]
    y = alt.Y("pair:N", sort=order, title="truth → predicted")
    base = alt.Chart(embed_rows(rows), width=420, height=20 * len(rows)).encode(
        x=alt.X("n:Q", title="rows"), y=y
    )
    bars = base.mark_bar(color=SERIES[0], height=12, cornerRadiusEnd=2)
    shares = base.mark_text(align="left", dx=5, color=MUTED).encode(
        text=alt.Text("share:Q", format=".0%")
    )
    return finish(
        bars + shares, title, f"The {len(rows)} most frequent errors; percent of the true class"
    )


def _draw_equal_f1() -> AltairChart:
    import altair as alt

    rows = []
    for f1 in (0.2, 0.4, 0.6, 0.8, 0.9):
        recall = np.geomspace(f1 / (2 - f1), 1, 49)  # closer where the line is steep
        precision = f1 * recall / (2 * recall - f1)
        rows += [
            {"f1": f"F1 {f1}", "x": float(r), "y": float(p)}
            for r, p in zip(recall, precision, strict=True)
        ]
    base = alt.Chart(embed_rows(rows)).encode(x="x:Q", y="y:Q", detail="f1:N")
    ends = alt.Chart(embed_rows([row for row in rows if row["x"] == 1])).encode(
        x="x:Q", y="y:Q", text="f1:N"
    )
    words = ends.mark_text(align="right", dx=-3, dy=-5, fontSize=9, color=MUTED)
    return base.mark_line(color=GRID, strokeWidth=1.2) + words


def _facet(panel: AltairChart, models: Sequence[str]) -> AltairChart:
    import altair as alt

    if len(models) == 1:
        return panel
    return panel.facet(alt.Facet("model:N", sort=list(models)), columns=2)


def _draw_reliability(rows: list[dict[str, Any]], models: Sequence[str]) -> AltairChart:
    import altair as alt

    diagonal = [{"model": m, "predicted": at, "observed": at} for m in models for at in (0, 1)]
    both = [
        *({**row, "kind": "bin"} for row in rows),
        *({**row, "kind": "ideal"} for row in diagonal),
    ]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("predicted:Q", title="predicted probability", scale=scale)
    y = alt.Y("observed:Q", title="share that came true", scale=scale)
    base = alt.Chart(embed_rows(both), width=260, height=260).encode(x=x, y=y)
    bins = base.transform_filter("datum.kind == 'bin'")
    ideal = base.transform_filter("datum.kind == 'ideal'").mark_line(
        color=MUTED, strokeDash=[4, 4], strokeWidth=1
    )
    bars = bins.mark_rule(color=SERIES[0], strokeWidth=1.5, opacity=0.55).encode(
        y=alt.Y("low:Q"), y2="high:Q"
    )
    line = bins.mark_line(color=SERIES[0], strokeWidth=1.5)
    return alt.layer(ideal, bars, line, bins.mark_circle(color=SERIES[0], size=36, opacity=1))


def _draw_residuals(rows: list[dict[str, Any]]) -> AltairChart:
    import altair as alt

    x = alt.X("predicted:Q", title="predicted", scale=alt.Scale(zero=False))
    base = alt.Chart(embed_rows(rows), width=280, height=220).encode(x=x)
    wide = base.mark_area(color=SERIES[0], opacity=0.16).encode(
        y=alt.Y("q05:Q", title="truth - predicted"), y2="q95:Q"
    )
    middle = base.mark_area(color=SERIES[0], opacity=0.28).encode(y="q25:Q", y2="q75:Q")
    line = base.mark_line(
        color=SERIES[0], strokeWidth=1.8, point={"color": SERIES[0], "size": 20}
    ).encode(y="median:Q")
    zero = base.mark_rule(color=MUTED, strokeDash=[4, 4]).encode(y=alt.datum(0))
    return alt.layer(wide, middle, zero, line)
