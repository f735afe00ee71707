"""Palette: how every chart looks - its colours, its type, its frame - and how it becomes a picture.

The colours are told apart by colour-blind readers (Okabe & Ito, 2008); each has a twin for dark pages.

>>> get_spec(finish(draw_blank("nothing to compare"), "Differences"))["title"]["text"]
'Differences'
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from assay.charts.base import AltairChart
from assay.core.result import to_plain

__all__ = [
    "DARK",
    "GOOD",
    "GRID",
    "HEAT",
    "INK",
    "MUTED",
    "PAPER",
    "SERIES",
    "SHADE",
    "WARN",
    "WHITE",
    "Drawing",
    "colours",
    "draw",
    "draw_blank",
    "embed_rows",
    "finish",
    "get_spec",
]  # fmt: skip


INK, MUTED, GRID, PAPER = "#1f2430", "#667080", "#e3e6eb", "#fefefe"
# White on strong colour stays white on a dark page; paper does not.
WHITE = "#ffffff"
SHADE, GOOD, HEAT, WARN = "#dbe9f6", "#d9efe3", "#08539c", "#d55e00"
SERIES = ("#0072b2", "#e07b00", "#009e73", "#b3559b", "#56b4e9", "#8c6d1f", "#7f6bb8", "#59636e")
FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"  # known widths: what is measured here fits there

UNUSED = "aria-hidden|aria-label|aria-roledescription|pointer-events|font-family|role|version|xmlns:xlink|class"

# What each colour becomes on a dark page.
DARK: Mapping[str, str] = {
    INK: "#e6e9ef", MUTED: "#9aa4b2", GRID: "#2b313b", SHADE: "#1b3350", GOOD: "#163a2b", HEAT: "#2f7fc9",
    WARN: "#ff8a4c", PAPER: "#12151b",
    "#0072b2": "#5aaee6", "#e07b00": "#f2a33c", "#009e73": "#3cc79b", "#b3559b": "#e08fc9", "#56b4e9": "#8fd0f5",
    "#8c6d1f": "#d1b15a", "#7f6bb8": "#b3a1ea", "#59636e": "#a7b0bc",
}  # fmt: skip


class Drawing(NamedTuple):
    """A chart as a page holds it: words beside it, and the picture as SVG without those words."""

    title: str
    subtitle: str
    description: str
    svg: str


def colours(texts: Mapping[str, str], models: Sequence[str], legend: Any = None) -> Any:
    """A colour for each model that is drawn, by its place among all `models`; `texts` maps it to its legend text."""
    import altair as alt

    places = {model: i for i, model in enumerate(models)}
    # More models than colours: by place among those drawn, so that no two drawn together share one.
    taken = places if len(models) <= len(SERIES) else {model: i for i, model in enumerate(texts)}
    drawn = [SERIES[taken[model] % len(SERIES)] for model in texts]
    return alt.Color(
        "model:N", scale=alt.Scale(domain=list(texts.values()), range=drawn), legend=legend
    )


def embed_rows(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as inline values; what is not finite becomes null, which is not drawn."""
    import altair as alt

    return alt.Data(values=to_plain(rows))  # type: ignore[no-untyped-call]


def draw_blank(text: str) -> AltairChart:
    """A chart that says why there is nothing to see."""
    import altair as alt

    words = alt.Chart(embed_rows([{"text": text}]), width=420, height=60)
    return words.mark_text(color=MUTED, fontSize=13).encode(text="text:N")


def finish(
    chart: AltairChart, title: str, subtitle: str = "", description: str = ""
) -> AltairChart:
    """The chart with its words and the look that all charts share."""
    import altair as alt

    heading = alt.TitleParams(title, subtitle=[subtitle] if subtitle else [])
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
    }
    words = {
        "anchor": "start",
        "color": INK,
        "fontSize": 14,
        "fontWeight": 600,
        "subtitleColor": MUTED,
        "offset": 12,
    }
    return (
        chart.properties(
            title=heading, description=description or title, background="transparent", padding=4
        )
        .configure(font=FONT, aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            **axis,
            domain=False,
            ticks=False,
            gridColor=GRID,
            labelPadding=6,
            titlePadding=10,
            labelLimit=220,
        )
        .configure_header(
            labelColor=INK, labelFontSize=12, labelFontWeight=600, title=None, labelLimit=220
        )
        .configure_legend(
            labelColor=INK, titleColor=MUTED, symbolType="stroke", labelFontSize=12, labelLimit=240
        )
        .configure_title(**words)
        .configure_text(color=INK, fontSize=11)
    )


def get_spec(chart: AltairChart) -> dict[str, Any]:
    """The Vega-Lite specification."""
    # Its parts were checked when they were made; checking the whole again takes as long as drawing it.
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec


def draw(chart: AltairChart, name: str) -> Drawing:
    """The chart as SVG, drawn here and now: no browser, no script, no network. `name` keeps its ids apart on a page."""
    import altair as alt
    import vl_convert
    from markupsafe import escape

    spec = get_spec(chart)
    heading, description = spec.pop("title"), spec.pop("description")
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
    words = f'<title id="{name}-t">{escape(heading["text"])}</title><desc id="{name}-d">{escape(description)}</desc>'
    labelled = f'<svg role="img" aria-labelledby="{name}-t {name}-d" '
    svg = _lighter(svg, name).replace("<svg ", labelled, 1).replace(">", f">{words}", 1)
    return Drawing(heading["text"], " ".join(heading.get("subtitle", [])), description, svg)


def _lighter(svg: str, name: str) -> str:
    """Tags without what says nothing, tenths of a pixel, ids of the chart's own. Text between tags stays as it is."""

    ids: dict[str, str] = {}

    def own(found: re.Match[str]) -> str:
        # Numbered anew: the renderer counts on from drawing to drawing, and equal charts should be equal text.
        return found[1] + ids.setdefault(found[2], f"{name}-{len(ids)}")

    def tag(found: re.Match[str]) -> str:
        text = re.sub(r' (d|transform|x1|x2|y1|y2)="[^"]*"', lambda m: _rounded(m[0]), found[0])
        text = re.sub(r'( id="|url\(#)(\w+)', own, text)
        return re.sub(f' ({UNUSED})="[^"]*"', "", text)

    return re.sub(r"<[^<>]*>", tag, svg)


def _rounded(attribute: str) -> str:
    return re.sub(r"-?\d+\.\d{2,}", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), attribute)
