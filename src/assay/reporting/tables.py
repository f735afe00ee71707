"""Tables: for every chart one that says the same, for readers who cannot see it.

>>> nan = float("nan")
>>> make_cell(Row("m", "f1", None, None, nan, nan, nan, 0, "", "no_positive"))
Cell(text='–', small='no positive', number=True)
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from assay.charts import confusions
from assay.charts.curves import MOST_MODELS
from assay.charts.leaderboard import choose_pairs, orient_pair
from assay.charts.performance import MOST_CLASSES, OUTCOMES, name_classes
from assay.charts.points import (
    CurvePoints,
    ReliabilityBin,
    confusion_counts,
    precision_recall_curve,
    reliability_bins,
    residual_bins,
    roc_curve,
)
from assay.charts.training import shorten
from assay.comparison.compare import Comparison
from assay.core.text import TextTable, format_number
from assay.diagnosis.diagnose import RunDiagnosis
from assay.evaluation.values import Row
from assay.reporting.content import Content
from assay.table.predictions import Predictions

__all__ = [
    "Cell",
    "MarkedTable",
    "make_cell",
    "tabulate_confusion",
    "tabulate_curves",
    "tabulate_fits",
    "tabulate_pairs",
    "tabulate_precision_recall",
    "tabulate_reliability",
    "tabulate_residuals",
    "tabulate_roc",
    "tabulate_rows",
    "tabulate_text",
]

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
RECALLS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
MOST_EPOCHS = 60


class Cell(NamedTuple):
    """One cell: its text, a word in small print, and whether it is a number (set to the right)."""

    text: str
    small: str = ""
    number: bool = False


class MarkedTable(NamedTuple):
    """A table of text; `marks` (rows,) says how a row stands out ("tied", "baseline" or "")."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[str, ...] = ()


def make_cell(row: Row) -> Cell:
    """The value of a `row` with its interval; a dash and the reason where it is undefined."""
    if math.isnan(row.value):
        return Cell("–", row.note.replace("_", " "), True)
    small = (
        f"{format_number(row.low)} to {format_number(row.high)}"
        if math.isfinite(row.low + row.high)
        else ""
    )
    return Cell(format_number(row.value), small, True)


def tabulate_rows(rows: Iterable[Row]) -> MarkedTable:
    """The values of a leaderboard's `rows`, an end of the interval a column."""
    header = ("model", "value", "low", "high", "rows")
    return MarkedTable(
        header, tuple((Cell(r.model), *_make_cells(r.value, r.low, r.high, r.n)) for r in rows)
    )


def tabulate_pairs(comparison: Comparison) -> MarkedTable:
    """The differences of a `comparison` that are drawn, the best model first in its pairs."""
    rows = []
    for pair in choose_pairs(comparison):
        a, b, difference, low, high = orient_pair(pair, comparison)
        gap = Cell(f"{difference:+.4f}", f"{low:+.4f} to {high:+.4f}", True)
        rows.append(
            (
                Cell(f"{a} − {b}"),
                gap,
                Cell(f"{pair.p_adjusted:.2g}", number=True),
                Cell(pair.verdict),
                Cell(pair.method),
            )
        )
    return MarkedTable(
        (
            "first minus second",
            f"difference in {comparison.metric}",
            f"p ({comparison.correction_name})",
            "verdict",
            "test",
        ),
        tuple(rows),
    )


def tabulate_text(table: TextTable) -> MarkedTable:
    """The same `table` for the page; of each line the first cell is its name."""
    return MarkedTable(
        tuple(table.header),
        tuple(
            (Cell(name), *(Cell(text, number=True) for text in texts))
            for name, *texts in table.rows
        ),
    )


def tabulate_fits(content: Content) -> MarkedTable:
    """Each model of `content` on the rows of the training and on the others, best first."""
    name = content.metric
    rows = [
        (Cell(model), *(Cell(format_number(value), number=True) for value in values))
        for model, *values in content.fits
    ]
    return MarkedTable(("model", f"{name} on training rows", f"{name} on the others"), tuple(rows))


def tabulate_confusion(predictions: Predictions, model: str) -> MarkedTable:
    """Rows of `predictions` by truth and prediction of `model`.

    Of many classes the most frequent confusions; of multi-label the outcomes of each label.
    """
    names = name_classes(predictions.classes)
    counts = confusion_counts(predictions, model)
    if predictions.task == "multilabel":
        cells = [
            (Cell(name), *_make_cells(t[1, 1], t[1, 0], t[0, 1], t[0, 0]))
            for name, t in zip(names, counts, strict=True)
        ]
        return MarkedTable(("label", *OUTCOMES), tuple(cells))
    if len(names) > MOST_CLASSES:
        errors = confusions(predictions, model)
        rows = [
            (Cell(t), Cell(p), *_make_cells(n), Cell(f"{share:.1%}", number=True))
            for t, p, n, share in errors
        ]
        return MarkedTable(("truth", "predicted", "rows", "of the true class"), tuple(rows))
    rows = [(Cell(name), *_make_cells(*line)) for name, line in zip(names, counts, strict=True)]
    return MarkedTable(("truth \\ predicted", *names), tuple(rows))


def tabulate_roc(predictions: Predictions) -> MarkedTable:
    """True positive rate of each model of `predictions` at some false positive rates."""
    curves = _largest_curves(predictions, roc_curve)
    rates = [[float(np.interp(rate, c.x, c.y)) for c in curves.values()] for rate in RATES]
    head = ("false positive rate", *curves)
    return MarkedTable(
        head,
        tuple((*_make_cells(r), *_make_cells(*line)) for r, line in zip(RATES, rates, strict=True)),
    )


def tabulate_precision_recall(predictions: Predictions) -> MarkedTable:
    """Precision of each model of `predictions` at some recalls."""
    curves = _largest_curves(predictions, precision_recall_curve)
    lines = [
        [float(c.y[min(int(np.searchsorted(c.x, recall)), len(c.x) - 1)]) for c in curves.values()]
        for recall in RECALLS
    ]
    rows = tuple(
        (*_make_cells(r), *_make_cells(*line)) for r, line in zip(RECALLS, lines, strict=True)
    )
    return MarkedTable(("recall", *curves), rows)


def tabulate_reliability(predictions: Predictions, model: str) -> MarkedTable:
    """The bins of the reliability diagram of `model` on `predictions`."""

    def line(b: ReliabilityBin) -> tuple[Cell, ...]:
        observed = Cell(
            format_number(b.observed), f"{format_number(b.low)} to {format_number(b.high)}", True
        )
        return (*_make_cells(b.predicted), observed, *_make_cells(b.n))

    rows = [line(b) for b in reliability_bins(predictions, model)]
    return MarkedTable(("predicted", "came true", "rows"), tuple(rows))


def tabulate_residuals(predictions: Predictions, model: str) -> MarkedTable:
    """The bins of the chart of residuals of `model` on `predictions`."""
    header = ("predicted", "5 %", "25 %", "median", "75 %", "95 %", "rows")
    return MarkedTable(
        header, tuple(tuple(_make_cells(*b)) for b in residual_bins(predictions, model))
    )


def tabulate_curves(run: RunDiagnosis, metric: str | None) -> MarkedTable:
    """The values of a loss or `metric` of a `run` by epoch, a column a split.

    Of many epochs, the lows and highs of each stretch.
    """
    curves = [s for s in run.history.series if s.metric == metric]
    shown = sorted(
        {epoch for s in curves for epoch, _ in shorten(s, MOST_EPOCHS // max(len(curves), 1))}
    )
    values = [dict(zip(s.epochs, s.values, strict=True)) for s in curves]
    rows = [
        (Cell(f"{e:g}", number=True), *(_make_logged_cell(v.get(e)) for v in values)) for e in shown
    ]
    return MarkedTable(
        (run.history.unit, *(s.split.replace("_", " ") for s in curves)), tuple(rows)
    )


def _largest_curves(
    predictions: Predictions, curve: Callable[[Predictions, str], CurvePoints | None]
) -> dict[str, CurvePoints]:
    """The curves of the models that give scores, largest area first, as many as are drawn."""
    scored = [m for m in predictions.models if predictions.schema.offers(m, "score")]
    curves = {model: curve(predictions, model) for model in scored}
    defined = {model: points for model, points in curves.items() if points is not None}
    best = sorted(defined, key=lambda model: -defined[model].area)
    return {model: defined[model] for model in best[:MOST_MODELS]}


def _make_logged_cell(value: float | None) -> Cell:
    """A value of a log: nothing where none was measured, nan and inf as they are."""
    if value is None:
        return Cell("", number=True)
    return Cell(format_number(value) if math.isfinite(value) else str(value), number=True)


def _make_cells(*values: float) -> Sequence[Cell]:
    return [
        Cell(str(int(v)) if float(v).is_integer() else format_number(float(v)), number=True)
        for v in values
    ]
