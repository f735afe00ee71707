"""Slices: on which kinds of rows a model does worse than on the rest, with few false alarms.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> row = np.arange(1200)
>>> groups = {"site": row % 4, "sex": row // 4 % 2}
>>> y = row % 3
>>> label = np.where((groups["site"] == 3) & (row % 5 > 1), (y + 1) % 3, y)
>>> weak_slices(Predictions.from_arrays(y, {"m": label}, groups=groups))
1 of 14 slices tested does worse by itself (accuracy, all rows: 0.8500; Holm's correction at 5%).
model  slice   rows  accuracy                 rest    difference  effect  p (Holm)
m      site=3  300   0.4000 [0.3462, 0.4564]  1.0000  -0.6000     1.68    2.5e-132
2 more overlap with these and are not worse without them: see .rows
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from assay.audit.slice_finder import Slice, SliceFinder, find_row_score, judge_slices
from assay.audit.subgroups import Subgroups
from assay.core.arguments import check_share, check_whole, list_names
from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import UnsupportedError
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.predictions import Predictions
from assay.table.schema import SPECIAL

__all__ = ["Slice", "WeakSlices", "weak_slices"]

MOST_LEVELS = 1000  # a column of more values is a name or a text, not a kind of row
MOST_SHOWN = 12
# What rows are judged by where no metric is named and the task has no right or wrong label.
ROW_METRICS = {"regression": "mse", "multioutput": "mse", "text": "token_f1", "detection": "box_ap"}


@dataclass(frozen=True, repr=False)
class WeakSlices(Result):
    """The slices that are significantly worse than the rest of the rows, clearest first.

    `rows` holds them all; those with `own` false owe it to overlapping with one before. `tested`
    counts the slices that were looked at, `closest` is the nearest to significant of the others.
    `overall` is the value of each model on all rows.

    >>> from assay.table.predictions import Predictions
    >>> y = [0, 1] * 50
    >>> p = Predictions.from_arrays(y, {"m": y}, groups={"site": [1] * 50 + [2] * 50})
    >>> weak_slices(p).distinct
    []
    """

    schema_name: ClassVar[str] = "assay.slices/1"

    metric: str
    rows: tuple[Slice, ...]
    tested: int
    closest: Slice | None
    overall: dict[str, float]
    columns: tuple[str, ...]
    depth: int
    min_rows: int
    n: int
    method: str
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The answer in one sentence or two."""
        about = self._overall_text()
        own = len(self.distinct)
        if own:
            does = "does" if own == 1 else "do"
            return f"{own} of {self.tested} slices tested {does} worse by itself ({about})."
        if self.closest is None:
            fewest = f"{self.min_rows} rows on either side"
            return f"No slice has {fewest}: nothing was tested ({about})."
        row = self.closest
        rest = f"{format_number(row.value)} against {format_number(row.rest)}"
        near = f"{row.slice} of {row.model}, {rest}, p = {row.p_adjusted:.2g}"
        return f"None of {self.tested} slices tested is worse ({about}). Closest: {near}."

    def _overall_text(self) -> str:
        values = [f"{model} {format_number(value)}" for model, value in self.overall.items()]
        if len(self.overall) == 1:
            values = [format_number(value) for value in self.overall.values()]
        level = f"Holm's correction at {1 - self.confidence:.0%}"
        return f"{self.metric}, all rows: {', '.join(values) or '-'}; {level}"

    @property
    def distinct(self) -> list[Slice]:
        """The slices that are worse by themselves, not for overlapping with one before."""
        return [row for row in self.rows if row.own]

    @property
    def tables(self) -> list[TextTable]:
        """The clearest of the slices that are worse by themselves."""
        header = ["model", "slice", "rows", self.metric, "rest", "difference", "effect", "p (Holm)"]
        body = [
            [
                row.model,
                row.slice,
                str(row.n),
                format_estimate(row.value, row.low, row.high),
                format_number(row.rest),
                f"{row.difference:+.4f}",
                f"{row.effect:.2f}",
                f"{row.p_adjusted:.2g}",
            ]
            for row in self.distinct[:MOST_SHOWN]
        ]
        return [TextTable(header, body)] if body else []

    @property
    def footnotes(self) -> list[str]:
        """How many slices the table leaves out, and notes."""
        lines = []
        own = len(self.distinct)
        if own > MOST_SHOWN:
            lines.append(f"... {own - MOST_SHOWN} more in .rows")
        overlapping = len(self.rows) - own
        if overlapping:
            text = f"{overlapping} more overlap with these and are not worse without them"
            lines.append(f"{text}: see .rows")
        return [*lines, *self.notes]


@accept_arrays
def weak_slices(
    predictions: Source,
    metric: str | Metric | None = None,
    *,
    by: str | Sequence[str] | None = None,
    model: str | None = None,
    depth: int = 2,
    min_rows: int = 30,
    confidence: float = 0.95,
    where: str | None = None,
) -> WeakSlices:
    """The slices of the rows on which a model does significantly worse than on the rest.

    Slices are the values of each column (number columns of many values are cut at their quartiles)
    and their crosses. Each is tested one-sided against all other rows: rows that are right or wrong
    by Fisher's exact test (mid-p); losses and weighted rows by the larger of the p-values of
    Welch's and of the pooled t, which err on opposite sides where losses are skewed; rows in
    clusters by a t of the sums over clusters. All are corrected together by Holm: any slice is
    reported without reason in at most 1 - `confidence` of tables. The same table gives the same
    slices, whatever the order of rows.

    Sources: Fisher (1935), JRSS 98:39-82; mid-p: Lancaster (1961), JASA 56:223-234; Welch (1947),
    Biometrika 34:28-35; Holm (1979), Scand. J. Statistics 6:65-70; slices by values and crosses:
    Chung et al. (2019), ICDE, 1550-1553.

    Parameters:
        predictions: A table, a data frame, the path of a file or of several, or the truth followed
            by what models predict, as for `evaluate`.
        metric: A mean over rows (accuracy, hamming_loss, log_loss, brier, mse, mae, ...), or rmse,
            by mse; in binary tasks also recall, specificity, precision and npv, over the rows they
            are of, of which there must be `min_rows`. Any other metric of labels (f1, mcc, ...) is
            searched by which rows are right, and a note says so. Default: accuracy, or mse.
        by: Columns to slice by; default: all but id, fold, split and cluster.
        model: The model to search; default: each that the metric suits.
        depth: Most columns to cross, at least 1; default 2.
        min_rows: Fewest rows of a slice, and of those it leaves out, at least 2; default 30.
        confidence: Level of the intervals and, less from 1, of the tests, in (0, 1); default 0.95.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        A `WeakSlices`: `distinct` are the slices that are worse by themselves.

    Raises:
        UnsupportedError: The metric has no value for each row (ranking metrics, r2), or there is
            no column to slice by.

    >>> y = [0, 1] * 50
    >>> p = Predictions.from_arrays(y, {"m": [0] * 100}, groups={"half": [1] * 50 + [2] * 50})
    >>> weak_slices(p).tested
    2
    """
    table = open_table(predictions, in_memory=True, where=where, judging=True)
    check_whole("depth", depth, 1)
    check_whole("min_rows", min_rows, 2)
    check_share("confidence", confidence)
    default = ROW_METRICS.get(table.task, "accuracy")
    text, bound = resolve(metric if metric is not None else default, table.schema)[0]
    score = find_row_score(text, bound)
    able = [name for name in table.models if table.schema.offers(name, bound.reads)]
    models = able if model is None else [model]
    names, notes = _choose_columns(table, None if by is None else list_names("by", by))
    subgroups = Subgroups(table, names, min(depth, len(names)), min_rows)
    finders = [SliceFinder(subgroups, name, score, confidence) for name in models]
    rows, tested, closest = judge_slices(finders, 1 - confidence)
    return WeakSlices(
        metric=score.name,
        rows=rows,
        tested=tested,
        closest=closest,
        overall={finder.model: finder.contrast.overall for finder in finders},
        columns=tuple(names),
        depth=depth,
        min_rows=min_rows,
        n=table.n,
        method=finders[0].contrast.method if finders else "",
        confidence=confidence,
        notes=(*table.notes, *score.notes, *notes),
    )


def _choose_columns(
    table: Predictions, by: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    """The columns to slice by, and a note on those left out for having too many values."""
    if by is not None:
        for name in by:
            if name not in table.columns:
                table.group(name)  # raises, and names what there is
        return list(dict.fromkeys(by)), ()
    chosen: list[str] = []
    too_many: list[str] = []
    for name, column in table.columns.items():
        if name in SPECIAL or (name in ("row", "repeat") and "fold" in table.columns):
            continue
        text = not str(column.type).startswith(("int", "uint", "float", "double", "half"))
        (too_many if text and len(column.unique()) > MOST_LEVELS else chosen).append(name)
    if not chosen:
        raise UnsupportedError(
            "there is no column to slice by; give the table group columns, as in "
            "groups={'site': site}"
        )
    note = (
        f"left out, having more than {MOST_LEVELS} values: {', '.join(too_many)}; name it in by "
        f"to search it"
    )
    return chosen, (note,) if too_many else ()
