"""Critical-difference diagram: mean ranks on a line, a bar over models not significantly different.

>>> from assay.comparison.datasets import compare_datasets
>>> scores = {f"set{i}": {"a": 0.8 + i / 100, "b": 0.7 + i / 200} for i in range(12)}
>>> ranks(compare_datasets(scores, "accuracy")).to_dict()["title"]["text"]
'Mean ranks by accuracy'
"""

from collections.abc import Collection, Sequence
from typing import Any

from assay.charts.base import AltairChart, register
from assay.charts.style import INK, MUTED, SERIES, embed_rows, finish
from assay.comparison.datasets import DatasetComparison

__all__ = ["find_cliques", "ranks"]

# In pixels.
WIDTH = 420  # of the axis
LEVEL = 22  # from one name to the next
BAR = 9  # from one bar to the next
GAP = 12  # from the axis to the first bar
MARGIN = 0.35  # ranks beyond the first and the last model


@register(draws="assay.datasets/1")
def ranks(comparison: DatasetComparison) -> AltairChart:
    """Which models of the `comparison` rank best over the data sets, the best on the left.

    A line leads from each mean rank to the model's name. Thick bars join models that are not
    significantly different by Wilcoxon's test, corrected by Holm. Layout: Demsar (2006).
    """
    import altair as alt

    order = sorted(comparison.ranks, key=lambda m: comparison.ranks[m])
    joined = find_cliques(order, comparison)
    names = _names(order, comparison, GAP + BAR * len(joined) + LEVEL / 2)
    bars = [
        {"from": comparison.ranks[g[0]], "to": comparison.ranks[g[-1]], "level": GAP + BAR * i}
        for i, g in enumerate(joined)
    ]
    height = max(row["level"] for row in names) + LEVEL
    ends = [1 - MARGIN, len(order) + MARGIN]
    scale = alt.Scale(domain=ends, nice=False, zero=False)
    axis = alt.Axis(
        orient="top", values=list(range(1, len(order) + 1)), format="d", grid=False, domain=True
    )
    y = alt.Y("level:Q", scale=alt.Scale(domain=[0, height], range=[0, height]), axis=None)

    def chart(rows: Sequence[dict[str, Any]], x: str) -> AltairChart:
        place = alt.X(f"{x}:Q", scale=scale, axis=axis, title="mean rank (1 is best)")
        return alt.Chart(embed_rows(rows), width=WIDTH, height=height).encode(x=place, y=y)

    colour = alt.condition("datum.tied", alt.value(SERIES[0]), alt.value(MUTED))
    down = chart(names, "rank").mark_rule(strokeWidth=1.5).encode(y2="top:Q", color=colour)
    out = chart(names, "rank").mark_rule(strokeWidth=1.5).encode(x2="end:Q", color=colour)
    words = [
        chart([row for row in names if row["left"] is left], "end")
        .mark_text(
            align="right" if left else "left", dx=-5 if left else 5, baseline="middle", color=INK
        )
        .encode(text="text:N")
        for left in (True, False)
    ]
    thick = (
        chart(bars, "from")
        .mark_rule(strokeWidth=4.5, strokeCap="round", color=INK)
        .encode(x2="to:Q")
    )
    title = f"Mean ranks by {comparison.metric}"
    many = f"{len(comparison.scores)} data sets; {comparison.better} is better"
    subtitle = (
        f"{many}; joined: not distinguishable (Wilcoxon, Holm)"
        if bars
        else f"{many}; all pairs differ"
    )
    layers = [down, out, *words, *([thick] if bars else [])]
    return finish(
        alt.layer(*layers), title, subtitle, f"{title}, best first: {', '.join(order[:10])}"
    )


def _names(
    order: Sequence[str], comparison: DatasetComparison, first: float
) -> list[dict[str, Any]]:
    """Where each model's line turns: the better half to the left, the best and the worst on top."""
    half = (len(order) + 1) // 2
    rows = []
    for place, model in enumerate(order):
        left = place < half
        rank = comparison.ranks[model]
        rows.append(
            {
                "model": model,
                "rank": rank,
                "top": 0,
                "level": first + LEVEL * (place if left else len(order) - 1 - place),
                "end": 1 - MARGIN if left else len(order) + MARGIN,
                "left": left,
                "tied": model in comparison.tied,
                "text": f"{model} ({rank:.2f})",
            }
        )
    return rows


def find_cliques(order: Sequence[str], comparison: DatasetComparison) -> list[list[str]]:
    """The longest runs of neighbours in `order` without a significant difference, of two or more.

    The pairs of the `comparison` say which models differ.
    """
    different = {
        frozenset((d.a, d.b)) for d in comparison.pairs if d.verdict != "not distinguishable"
    }
    runs: list[list[str]] = []
    end = 0
    for start in range(len(order)):
        stop = _find_end(order, start, different)
        # A run within the one before says nothing new.
        if stop > max(end, start + 1):
            runs.append(list(order[start:stop]))
            end = stop
    return runs


def _find_end(order: Sequence[str], start: int, different: Collection[frozenset[str]]) -> int:
    """Where the run from `start` ends: before the first model that is told from any in it."""
    stop = start + 1
    while stop < len(order) and not any(
        frozenset((m, order[stop])) in different for m in order[start:stop]
    ):
        stop += 1
    return stop
