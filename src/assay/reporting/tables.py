"""Twins: for every chart a table that says the same, for readers who cannot see it or who want the numbers.

>>> of_row(Row("m", "f1", None, None, float("nan"), float("nan"), float("nan"), 0, "", "no_positive"))
Cell(text='–', small='no positive', number=True)
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from assay.charts import confusions, oriented, shown_pairs
from assay.charts.performance import MOST_CLASSES, MOST_MODELS, OUTCOMES, class_texts
from assay.charts.points import (
    Curve,
    ReliabilityBin,
    confusion_counts,
    precision_recall_curve,
    reliability_bins,
    residual_bins,
    roc_curve,
)
from assay.charts.training import shortened
from assay.comparison.compare import Comparison
from assay.core.text import format_number
from assay.diagnosis.diagnose import RunDiagnosis
from assay.evaluation.values import Row
from assay.table.predictions import Predictions

__all__ = [
    "Cell", "Table", "of_confusion", "of_curves", "of_pairs", "of_precision_recall", "of_reliability", "of_residuals",
    "of_roc", "of_row", "of_rows",
]  # fmt: skip

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
RECALLS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
MOST_EPOCHS = 60


class Cell(NamedTuple):
    """One cell: its text, a word in small print, and whether it is a number (set to the right)."""

    text: str
    small: str = ""
    number: bool = False


class Table(NamedTuple):
    """A table of text; `marks` (rows,) says how a row stands out ("tied", "baseline" or "")."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[str, ...] = ()


def of_row(row: Row) -> Cell:
    """A figure with its interval; a dash and the reason where it is undefined."""
    if math.isnan(row.value):
        return Cell("–", row.note.replace("_", " "), True)
    small = (
        f"{format_number(row.low)} to {format_number(row.high)}"
        if math.isfinite(row.low + row.high)
        else ""
    )
    return Cell(format_number(row.value), small, True)


def of_rows(rows: Iterable[Row]) -> Table:
    """The figures of a leaderboard, an end of the interval a column."""
    header = ("model", "value", "low", "high", "rows")
    return Table(
        header, tuple((Cell(r.model), *_numbers(r.value, r.low, r.high, r.n)) for r in rows)
    )


def of_pairs(comparison: Comparison) -> Table:
    """The differences that are drawn, the best model first in its pairs."""
    rows = []
    for pair in shown_pairs(comparison):
        a, b, difference, low, high = oriented(pair, comparison)
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
    return Table(
        (
            "first minus second",
            f"difference in {comparison.metric}",
            f"p ({comparison.correction_name})",
            "verdict",
            "test",
        ),
        tuple(rows),
    )


def of_confusion(predictions: Predictions, model: str) -> Table:
    """Rows by truth and prediction; the most frequent confusions of many classes; the outcomes of each label."""
    names = class_texts(predictions.classes)
    counts = confusion_counts(predictions, model)
    if predictions.task == "multilabel":
        cells = [
            (Cell(name), *_numbers(t[1, 1], t[1, 0], t[0, 1], t[0, 0]))
            for name, t in zip(names, counts, strict=True)
        ]
        return Table(("label", *OUTCOMES), tuple(cells))
    if len(names) > MOST_CLASSES:
        found = confusions(predictions, model)
        rows = [
            (Cell(t), Cell(p), *_numbers(n), Cell(f"{share:.1%}", number=True))
            for t, p, n, share in found
        ]
        return Table(("truth", "predicted", "rows", "of the true class"), tuple(rows))
    rows = [(Cell(name), *_numbers(*line)) for name, line in zip(names, counts, strict=True)]
    return Table(("truth \\ predicted", *names), tuple(rows))


def of_roc(predictions: Predictions) -> Table:
    """True positive rate of each model at some false positive rates."""
    curves = _curves(predictions, roc_curve)
    rates = [[float(np.interp(rate, c.x, c.y)) for c in curves.values()] for rate in RATES]
    head = ("false positive rate", *curves)
    return Table(
        head, tuple((*_numbers(r), *_numbers(*line)) for r, line in zip(RATES, rates, strict=True))
    )


def of_precision_recall(predictions: Predictions) -> Table:
    """Precision of each model at some recalls."""
    curves = _curves(predictions, precision_recall_curve)
    lines = [
        [float(c.y[min(int(np.searchsorted(c.x, recall)), len(c.x) - 1)]) for c in curves.values()]
        for recall in RECALLS
    ]
    rows = tuple((*_numbers(r), *_numbers(*line)) for r, line in zip(RECALLS, lines, strict=True))
    return Table(("recall", *curves), rows)


def of_reliability(predictions: Predictions, model: str) -> Table:
    """The bins of a reliability diagram."""

    def line(b: ReliabilityBin) -> tuple[Cell, ...]:
        observed = Cell(
            format_number(b.observed), f"{format_number(b.low)} to {format_number(b.high)}", True
        )
        return (*_numbers(b.predicted), observed, *_numbers(b.n))

    rows = [line(b) for b in reliability_bins(predictions, model)]
    return Table(("predicted", "came true", "rows"), tuple(rows))


def of_residuals(predictions: Predictions, model: str) -> Table:
    """The bins of a chart of residuals."""
    header = ("predicted", "5 %", "25 %", "median", "75 %", "95 %", "rows")
    return Table(header, tuple(tuple(_numbers(*b)) for b in residual_bins(predictions, model)))


def of_curves(run: RunDiagnosis, metric: str | None) -> Table:
    """The values of a loss or metric by epoch, a column a split; of many epochs, the lows and highs of each stretch."""
    curves = [s for s in run.history.series if s.metric == metric]
    shown = sorted(
        {epoch for s in curves for epoch, _ in shortened(s, MOST_EPOCHS // max(len(curves), 1))}
    )
    values = [dict(zip(s.epochs, s.values, strict=True)) for s in curves]
    rows = [(Cell(f"{e:g}", number=True), *(_logged(v.get(e)) for v in values)) for e in shown]
    return Table((run.history.unit, *(s.split.replace("_", " ") for s in curves)), tuple(rows))


def _curves(predictions: Predictions, curve: object) -> dict[str, Curve]:
    """The curves of the models that give scores, largest area first, as many as are drawn."""
    scored = [m for m in predictions.models if predictions.schema.offers(m, "score")]
    found = {
        m: made for m in scored if callable(curve) and (made := curve(predictions, m)) is not None
    }
    return {m: found[m] for m in sorted(found, key=lambda m: -found[m].area)[:MOST_MODELS]}


def _logged(value: float | None) -> Cell:
    """A value of a log: nothing where none was measured, nan and inf as they are."""
    if value is None:
        return Cell("", number=True)
    return Cell(format_number(value) if math.isfinite(value) else str(value), number=True)


def _numbers(*values: float) -> Sequence[Cell]:
    return [
        Cell(str(int(v)) if float(v).is_integer() else format_number(float(v)), number=True)
        for v in values
    ]
