"""Charts of evaluations, comparisons and fusions: who is best, and by how much.

>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b"], {"m": ["a", "b", "a"]})
>>> leaderboard(evaluate(p, "accuracy")).to_dict()["title"]["text"]
'Leaderboard by accuracy'
"""

import math
from typing import Any

from assay.charts.base import AltairChart, register
from assay.charts.style import INK, MUTED, PAPER, SERIES, SHADE, draw_blank, embed_rows, finish
from assay.comparison.bayesian_fold_test import BayesianFoldTest
from assay.comparison.compare import Comparison, Difference
from assay.comparison.fold_tests import FiveByTwoFTest
from assay.comparison.selection_bias import SelectionBias
from assay.core.text import format_number
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.values import Row
from assay.fusions.fuse import Fused
from assay.metrics.base import METRICS
from assay.metrics.resolve import DEFAULT

__all__ = [
    "choose_metric",
    "choose_pairs",
    "differences",
    "f_test",
    "fold_test",
    "fusion",
    "leaderboard",
    "order_by_value",
    "orient_pair",
    "rank_models",
    "selection_bias",
]

MOST_PAIRS = 15


def choose_metric(evaluation: Evaluation) -> str:
    """The metric that the models of an `evaluation` are ranked by where none is named.

    f1 (mse in regression) if it was evaluated, else the first.
    """
    whole = dict.fromkeys(
        row.metric for row in evaluation.rows if row.class_ is None and row.group is None
    )
    if not whole:
        raise UnsupportedError(
            f"no metric here gives one value a model "
            f"({', '.join(evaluation.metrics) or 'none evaluated'}); add one, as in "
            f"f1(average=macro)"
        )
    return DEFAULT[evaluation.task] if DEFAULT[evaluation.task] in whole else next(iter(whole))


def rank_models(evaluation: Evaluation, metric: str, last: str | None = None) -> list[Row]:
    """The row of each model of an `evaluation` by `metric`, best first.

    Undefined ones stand at the end, then the model `last`.
    """
    sign = {"higher": -1, "lower": 1}.get(METRICS.parse(metric).better, 0)
    rows = [evaluation.get(model, metric) for model in evaluation.models]
    return sorted(
        rows,
        key=lambda r: (
            r.model == last,
            math.isnan(r.value),
            0 if math.isnan(r.value) else sign * r.value,
        ),
    )


@register(draws="assay.evaluation/1")
def leaderboard(
    evaluation: Evaluation,
    metric: str | None = None,
    comparison: Comparison | None = None,
    *,
    baseline: str | None = None,
) -> AltairChart:
    """Who is best: a dot and its interval for each model of an `evaluation`, best first.

    `metric` is one of those evaluated (default: f1, or mse in regression, else the first). Models
    tied for best by `comparison` are shaded. The model named `baseline` is drawn last and in grey.
    """
    import altair as alt

    if metric is None:
        metric = comparison.metric if comparison is not None else choose_metric(evaluation)
    text = str(METRICS.parse(metric))
    rows = rank_models(evaluation, text, baseline)
    order = [row.model for row in rows]
    tied = comparison.tied if comparison is not None and len(comparison.tied) > 1 else ()
    better = METRICS.parse(text).better
    subtitle = f"{evaluation.confidence:.0%} intervals; {better} is better" + (
        "; shaded: tied for best" if tied else ""
    )
    title = f"Leaderboard by {text}"
    if all(math.isnan(row.value) for row in rows if row.model != baseline):
        return finish(
            draw_blank(f"{text} is undefined for every model: {_explain_undefined(rows[0])}"), title
        )
    marks = [_make_mark(row, row.model in tied, row.model == baseline) for row in rows]
    _move_aside(marks)
    x = alt.X(
        "value:Q", title=text, axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=False, nice=True)
    )
    y = alt.Y("model:N", sort=order, title=None)
    base = alt.Chart(embed_rows(marks), width=400, height=26 * len(rows)).encode(x=x, y=y)
    shade = (
        base.transform_filter("datum.tied")
        .mark_bar(color=SHADE, height=26)
        .encode(x=alt.value(0), x2=alt.value(400))
    )
    grey = alt.condition("datum.baseline", alt.value(MUTED), alt.value(SERIES[0]))
    strip = base.mark_rule(strokeWidth=2.5, opacity=0.65, strokeCap="round").encode(
        x="low:Q", x2="high:Q", color=grey
    )
    dot = base.mark_circle(size=70, opacity=1).encode(color=grey)
    why = base.transform_filter("datum.value === null").mark_text(align="left", color=MUTED, dx=4)
    layers = [*([shade] if tied else []), strip, dot, why.encode(x=alt.value(0), text="why:N")]
    return finish(
        alt.layer(*layers), title, subtitle, f"{title}, best first: {', '.join(order[:10])}"
    )


def _make_mark(row: Row, tied: bool, baseline: bool) -> dict[str, Any]:
    known = math.isfinite(row.low) and math.isfinite(row.high)
    ends = {"low": row.low if known else row.value, "high": row.high if known else row.value}
    return {
        "model": row.model,
        "value": row.value,
        **ends,
        "tied": tied,
        "baseline": baseline,
        "why": _explain_undefined(row),
    }


def _move_aside(marks: list[dict[str, Any]]) -> None:
    """Put a baseline far from every model in words: it would press the models into one place."""
    models = [m for m in marks if not m["baseline"] and math.isfinite(m["value"])]
    low = min(m["low"] for m in models)
    high = max(m["high"] for m in models)
    for mark in marks:
        away = max(low - mark["value"], mark["value"] - high)
        if mark["baseline"] and away > 2 * (high - low):
            value = format_number(mark["value"])
            mark.update(value=None, low=None, high=None, why=f"{value}, off the axis")


def _explain_undefined(row: Row) -> str:
    return f"undefined: {row.note.replace('_', ' ')}" if math.isnan(row.value) else ""


def orient_pair(pair: Difference, comparison: Comparison) -> tuple[str, str, float, float, float]:
    """(a, b, difference, low, high) of a `pair` of the `comparison`, the better model first.

    The interval is the one corrected for all pairs, as the verdict is.
    """
    order = order_by_value(comparison)
    if order.index(pair.a) > order.index(pair.b):
        return pair.b, pair.a, -pair.difference, -pair.high_adjusted, -pair.low_adjusted
    return pair.a, pair.b, pair.difference, pair.low_adjusted, pair.high_adjusted


def order_by_value(comparison: Comparison) -> list[str]:
    """The models of the `comparison`, best first."""
    sign = -METRICS.parse(comparison.metric).sign
    return sorted(
        comparison.values, key=lambda m: (m != comparison.best, sign * comparison.values[m])
    )


def choose_pairs(comparison: Comparison) -> list[Difference]:
    """All pairs of the `comparison`, best first; past fifteen, only those with the best."""
    order = order_by_value(comparison)
    pairs = sorted(comparison.pairs, key=lambda d: sorted((order.index(d.a), order.index(d.b))))
    return (
        pairs if len(pairs) <= MOST_PAIRS else [d for d in pairs if comparison.best in (d.a, d.b)]
    )


@register(draws="assay.comparison/1")
def differences(comparison: Comparison) -> AltairChart:
    """How far apart two models are on the same rows: a dot and its interval for each pair.

    Filled dots are significant after the correction for all pairs of the `comparison`, hollow ones
    are not. Past fifteen pairs, only those with the best are drawn.
    """
    import altair as alt

    title = f"Paired differences in {comparison.metric}"
    if not comparison.pairs:
        return finish(draw_blank(f"{comparison.best} is the only model: nothing to compare"), title)
    pairs = choose_pairs(comparison)
    rows = [_make_pair(d, comparison) for d in pairs]
    subtitle = (
        f"First model minus second, {comparison.confidence:.0%} intervals corrected as p is; "
        f"filled: significant ({comparison.correction_name})"
    )
    left = len(comparison.pairs) - len(pairs)
    if left:
        subtitle += f"; {left} pairs without {comparison.best} are not drawn"
    x = alt.X(
        "difference:Q",
        title=f"difference in {comparison.metric}",
        scale=alt.Scale(zero=True, nice=True),
    )
    y = alt.Y(
        "pair:N", sort=[row["pair"] for row in rows], title=None, axis=alt.Axis(labelLimit=260)
    )
    base = alt.Chart(embed_rows(rows), width=340, height=26 * len(rows)).encode(x=x, y=y)
    colour = alt.condition("datum.clear", alt.value(SERIES[0]), alt.value(MUTED))
    strip = base.mark_rule(strokeWidth=2.5, opacity=0.65, strokeCap="round").encode(
        x="low:Q", x2="high:Q", color=colour
    )
    fill = alt.condition("datum.clear", alt.value(SERIES[0]), alt.value(PAPER))
    dot = base.mark_point(size=60, strokeWidth=2, opacity=1, filled=True).encode(
        fill=fill, stroke=colour
    )
    zero = base.mark_rule(color=INK, strokeDash=[4, 4]).encode(
        x=alt.datum(0), y=alt.value(0), y2=alt.value("height")
    )
    return finish(alt.layer(zero, strip, dot), title, subtitle)


def _make_pair(pair: Difference, comparison: Comparison) -> dict[str, Any]:
    a, b, difference, low, high = orient_pair(pair, comparison)
    clear = pair.verdict != "not distinguishable"
    known = math.isfinite(low) and math.isfinite(high)
    ends = {"low": low if known else difference, "high": high if known else difference}
    return {"pair": f"{a} − {b}", "difference": difference, **ends, "clear": clear}


@register(draws="assay.fusion/1")
def fusion(fused: Fused) -> AltairChart:
    """Whether fusing pays: the loss of every model and of the one `fused`, with weights."""
    import altair as alt

    labels = {model: f"weight {weight:.2f}" for model, weight in fused.weights.items()}
    labels[fused.name] = "fused"
    losses = {**fused.losses, fused.name: fused.loss}
    rows = [
        {
            "model": m,
            "loss": v,
            "fused": m == fused.name,
            "weight": labels.get(m, ""),
        }
        for m, v in losses.items()
    ]
    order = sorted(losses, key=lambda m: losses[m])
    x = alt.X("loss:Q", title=fused.loss_name, scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(embed_rows(rows), width=340, height=26 * len(rows))
    base = base.encode(x=x, y=alt.Y("model:N", sort=order, title=None))
    colour = alt.condition("datum.fused", alt.value(SERIES[1]), alt.value(SERIES[0]))
    words = base.mark_text(align="left", dx=9, color=MUTED).encode(text="weight:N")
    subtitle = f"Cross-fitted {fused.loss_name}, lower is better; {fused.how}"
    return finish(
        base.mark_circle(size=80, opacity=1).encode(color=colour) + words,
        "Fusing the models",
        subtitle,
    )


@register(draws="assay.selection_bias/1")
def selection_bias(bias: SelectionBias) -> AltairChart:
    """What the best model is worth, freed of having been chosen; the tick is its value as selected.

    `bias` also says how often each model was the best of a resample: the bars.
    """
    import altair as alt

    value = {"model": bias.best, "value": bias.value, "low": bias.low, "high": bias.high}
    x = alt.X("value:Q", title=bias.metric, scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(embed_rows([{**value, "naive": bias.naive}]), width=340, height=40)
    base = base.encode(x=x, y=alt.Y("model:N", title=None))
    strip = base.mark_rule(strokeWidth=2.5, opacity=0.65, strokeCap="round", color=SERIES[0])
    tick = base.mark_tick(thickness=2, size=16, color=MUTED).encode(x="naive:Q")
    dot = base.mark_circle(size=70, opacity=1, color=SERIES[0])
    shares = [{"model": model, "share": share} for model, share in bias.chosen.items()]
    bars = (
        alt.Chart(embed_rows(shares), width=340, height=20 * len(shares))
        .mark_bar(height=10, color=SERIES[0])
        .encode(
            x=alt.X("share:Q", title="share of resamples in which it was the best"),
            y=alt.Y("model:N", sort="-x", title=None),
        )
    )
    layers = alt.layer(strip.encode(x="low:Q", x2="high:Q"), tick, dot)
    subtitle = f"{bias.confidence:.0%} interval; tick: as selected"
    return finish(alt.vconcat(layers, bars), f"Best of {len(shares)} models", subtitle)


@register(draws="assay.bayesian_fold_test/1")
def fold_test(test: BayesianFoldTest) -> AltairChart:
    """How likely each of two models is better, or both are equal, for every pair of the `test`."""
    import altair as alt

    answers = ("first is better", "equal", "second is better")
    rows = [
        {"pair": f"{row.a} − {row.b}", "answer": answer, "probability": p, "order": i}
        for row in test.rows
        for i, (answer, p) in enumerate(zip(answers, (row.p_a, row.p_equal, row.p_b), strict=True))
    ]
    colour = alt.Scale(domain=list(answers), range=[SERIES[0], SHADE, SERIES[1]])
    pairs = list(dict.fromkeys(str(row["pair"]) for row in rows))
    bars = (
        alt.Chart(embed_rows(rows), width=340, height=26 * len(pairs))
        .mark_bar(height=14)
        .encode(
            x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("pair:N", sort=pairs, title=None),
            color=alt.Color("answer:N", scale=colour, title=None),
            order="order:Q",
        )
    )
    subtitle = f"by the folds; equal: within {test.equivalence:g}"
    return finish(bars, f"Which model is better by {test.metric}", subtitle)


@register(draws="assay.five_by_two_f_test/1")
def f_test(test: FiveByTwoFTest) -> AltairChart:
    """The mean difference of the two models of the `test` over ten folds, beside none."""
    import altair as alt

    rows = [{"pair": f"{test.a} − {test.b}", "difference": test.difference}]
    base = alt.Chart(embed_rows(rows), width=340, height=40).encode(
        x=alt.X("difference:Q", title=f"difference in {test.metric}"),
        y=alt.Y("pair:N", title=None),
    )
    dot = base.mark_circle(size=80, opacity=1, color=SERIES[0])
    zero = base.mark_rule(color=INK, strokeDash=[4, 4]).encode(x=alt.datum(0))
    return finish(zero + dot, "Five times two folds", test.verdict)
