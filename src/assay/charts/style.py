"""Style: how every chart looks - its colours, its type, its frame - and how it becomes a picture.

Colour-blind readers can tell the colours apart (Okabe & Ito, 2008); each has one for dark pages.

>>> get_spec(finish(draw_blank("nothing to compare"), "Differences"))["title"]["text"]
'Differences'
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from assay.charts.base import AltairChart
from assay.core.result import to_plain
from assay.core.text import escape_line

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
]

INK = "#1f2430"
MUTED = "#667080"
GRID = "#e3e6eb"
PAPER = "#fefefe"
# White on strong colour stays white on a dark page; paper does not.
WHITE = "#ffffff"
SHADE = "#dbe9f6"
GOOD = "#d9efe3"
HEAT = "#08539c"
WARN = "#d55e00"
SERIES = ("#0072b2", "#e07b00", "#009e73", "#b3559b", "#56b4e9", "#8c6d1f", "#7f6bb8", "#59636e")
# Fonts of equal widths: text that is measured here fits elsewhere.
FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"

# Attributes of the SVG that say nothing on our page.
UNUSED = (
    "aria-hidden|aria-label|aria-roledescription|pointer-events|font-family|role|version"
    "|xmlns:xlink|class"
)

# What each colour becomes on a dark page.
DARK: Mapping[str, str] = {
    INK: "#e6e9ef",
    MUTED: "#9aa4b2",
    GRID: "#2b313b",
    SHADE: "#1b3350",
    GOOD: "#163a2b",
    HEAT: "#2f7fc9",
    WARN: "#ff8a4c",
    PAPER: "#12151b",
    "#0072b2": "#5aaee6",
    "#e07b00": "#f2a33c",
    "#009e73": "#3cc79b",
    "#b3559b": "#e08fc9",
    "#56b4e9": "#8fd0f5",
    "#8c6d1f": "#d1b15a",
    "#7f6bb8": "#b3a1ea",
    "#59636e": "#a7b0bc",
}


class Drawing(NamedTuple):
    """A chart as a page holds it: words beside it, and the picture as SVG without those words."""

    title: str
    subtitle: str
    description: str
    svg: str


def colours(texts: Mapping[str, str], models: Sequence[str], legend: Any = None) -> Any:
    """A colour for each model that is drawn, by its place among all `models`.

    `texts` maps the model to its text in the `legend` (None: there is no legend).
    """
    import altair as alt

    places = {model: i for i, model in enumerate(models)}
    # More models than colours: by place among those drawn, so that no two drawn together share one.
    taken = places if len(models) <= len(SERIES) else {model: i for i, model in enumerate(texts)}
    drawn = [SERIES[taken[model] % len(SERIES)] for model in texts]
    return alt.Color(
        "model:N", scale=alt.Scale(domain=list(texts.values()), range=drawn), legend=legend
    )


def embed_rows(rows: Sequence[Mapping[str, Any]]) -> Any:
    """`rows` as inline values; what is not finite becomes null, which is not drawn."""
    import altair as alt

    return alt.Data(values=to_plain(rows))  # type: ignore[no-untyped-call]


def draw_blank(text: str) -> AltairChart:
    """A chart whose `text` says why there is nothing to see."""
    import altair as alt

    words = alt.Chart(embed_rows([{"text": text}]), width=420, height=60)
    return words.mark_text(color=MUTED, fontSize=13).encode(text="text:N")


def finish(
    chart: AltairChart, title: str, subtitle: str = "", description: str = ""
) -> AltairChart:
    """The `chart` in the look that all charts share, with `title`, `subtitle` and `description`."""
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
    """The Vega-Lite specification of the `chart`; control characters in names are spelled out."""
    # Its parts were checked when they were made; checking the whole again takes as long as drawing.
    spec: dict[str, Any] = _escape_texts(chart.to_dict(validate=False))
    return spec


def _escape_texts(part: Any) -> Any:
    """A `part` of a specification in which every text is one line, as Vega's expressions need."""
    if isinstance(part, str):
        return escape_line(part)
    if isinstance(part, dict):
        return {escape_line(key): _escape_texts(item) for key, item in part.items()}
    return [_escape_texts(item) for item in part] if isinstance(part, list) else part


def draw(chart: AltairChart, name: str) -> Drawing:
    """The `chart` as SVG, drawn without browser, script or network; its ids begin with `name`."""
    import altair as alt
    import vl_convert
    from markupsafe import escape

    spec = get_spec(chart)
    heading = spec.pop("title")
    description = spec.pop("description")
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
    title = f'<title id="{name}-t">{escape(heading["text"])}</title>'
    words = f'{title}<desc id="{name}-d">{escape(description)}</desc>'
    labelled = f'<svg role="img" aria-labelledby="{name}-t {name}-d" '
    svg = _lighten(svg, name).replace("<svg ", labelled, 1).replace(">", f">{words}", 1)
    return Drawing(heading["text"], " ".join(heading.get("subtitle", [])), description, svg)


def _lighten(svg: str, name: str) -> str:
    """Leave out of the tags what says nothing, and round to tenths of a pixel.

    Ids are numbered anew, after `name`: the renderer counts on from drawing to drawing, and equal
    charts should be equal text. Text between tags stays as it is.
    """
    ids: dict[str, str] = {}

    def number_id(match: re.Match[str]) -> str:
        return match[1] + ids.setdefault(match[2], f"{name}-{len(ids)}")

    def lighten_tag(match: re.Match[str]) -> str:
        text = re.sub(r' (d|transform|x1|x2|y1|y2)="[^"]*"', lambda m: _round(m[0]), match[0])
        text = re.sub(r'( id="|url\(#)(\w+)', number_id, text)
        return re.sub(f' ({UNUSED})="[^"]*"', "", text)

    return re.sub(r"<[^<>]*>", lighten_tag, svg)


def _round(attribute: str) -> str:
    return re.sub(r"-?\d+\.\d{2,}", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), attribute)
