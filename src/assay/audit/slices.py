"""slices: on which kinds of rows a model does worse than on the rest, with few false alarms.

>>> import numpy as np
>>> from assay.table.predictions import Predictions
>>> site, sex = np.arange(1200) % 4, np.arange(1200) // 4 % 2
>>> y = np.arange(1200) % 3
>>> said = np.where((site == 3) & (np.arange(1200) % 5 > 1), (y + 1) % 3, y)
>>> weak_slices(Predictions.from_arrays(y, {"m": said}, groups={"site": site, "sex": sex}))
1 of 14 slices tested does worse by itself (accuracy, all rows: 0.8500; Holm's correction at 5%).
model  slice   rows  accuracy                 rest    difference  effect  p (Holm)
m      site=3  300   0.4000 [0.3462, 0.4564]  1.0000  -0.6000     1.68    2.5e-132
2 more overlap with these and are not worse without them: see .rows
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from assay.audit.slice_finder import Search, Slice, judged, source_of
from assay.audit.subgroups import Lattice
from assay.core.arguments import check_share
from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.errors import UnsupportedError
from assay.io.read_write import Source, table_of
from assay.metrics.base import Metric
from assay.metrics.resolve import resolve
from assay.table.predictions import Predictions
from assay.table.schema import SPECIAL

__all__ = ["Slice", "WeakSlices", "weak_slices"]

MOST_LEVELS = 1000  # a column of more values is a name or a text, not a kind of row
MOST_SHOWN = 12


@dataclass(frozen=True, repr=False)
class WeakSlices(Result):
    """The slices that are significantly worse than the rest of the rows, clearest first.

    `rows` holds them all; those with `own` false owe it to overlapping with one before.  `tested` counts the slices
    that were looked at, `closest` is the nearest to significant of the others.  `overall` is each model's figure.
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


def weak_slices(
    predictions: Source,
    metric: str | Metric | None = None,
    *,
    by: str | Sequence[str] | None = None,
    model: str | None = None,
    depth: int = 2,
    min_rows: int = 30,
    confidence: float = 0.95,
) -> WeakSlices:
    """The slices of the rows on which a model (each, where none is named) does significantly worse than on the rest.

    Slices are the values of each column (number columns of many values are cut at their quartiles) and the crosses of
    up to `depth` columns, of at least `min_rows` rows that leave as many out.  by: the columns, default all but id,
    fold, split and cluster.  metric: one that is a mean over rows (accuracy, hamming_loss, log_loss, brier, mse, mae,
    ...), or rmse, by mse; in binary tasks recall, specificity, precision and npv, over the rows they are of (positive
    rows, ...), of which there must then be `min_rows`; any other metric of labels (f1, mcc, ...) is searched by which
    rows are right, that is by accuracy, and a note says so.  UnsupportedError for metrics of order and for r2.
    Default: accuracy, or mse.

    Each slice is tested one-sided against all other rows: rows that are right or wrong by Fisher's exact test
    (mid-p); losses and weighted rows by the larger of the p-values of Welch's and of the pooled t, which err on
    opposite sides where losses are skewed; rows in clusters by a t of the sums over clusters.  All are corrected
    together by Holm: any slice is reported without reason in at most 1 - `confidence` of tables. The same table gives the same
    slices, whatever the order of rows.
    Sources: Fisher (1935), JRSS 98:39-82; mid-p: Lancaster (1961), JASA 56:223-234; Welch (1947), Biometrika 34:28-35;
    Holm (1979), Scand. J. Statistics 6:65-70; slices by values and crosses: Chung et al. (2019), ICDE, 1550-1553.
    """
    table = table_of(predictions)
    _check(depth, min_rows)
    check_share("confidence", confidence)
    default = "mse" if table.task == "regression" else "accuracy"
    text, settled = resolve(metric if metric is not None else default, table.schema)[0]
    source = source_of(text, settled)
    models = (
        [model]
        if model is not None
        else [m for m in table.models if table.schema.offers(m, settled.reads)]
    )
    names, notes = _columns(table, (by,) if isinstance(by, str) else by)
    lattice = Lattice(table, names, min(depth, len(names)), min_rows)
    found = [Search(lattice, name, source, confidence) for name in models]
    rows, tested, closest = judged(found, 1 - confidence)
    notes = (*table.notes, *source.notes, *notes)
    overall = {search.model: search.contrast.overall for search in found}
    method = found[0].contrast.method if found else ""
    return WeakSlices(
        source.name, rows, tested, closest, overall, tuple(names), depth, min_rows, table.n, method, confidence,
        notes,
    )  # fmt: skip


def _check(depth: int, min_rows: int) -> None:
    for name, value, least in (("depth", depth, 1), ("min_rows", min_rows, 2)):
        if value < least:
            raise UnsupportedError(f"{name} must be at least {least}; got {value}")


def _columns(table: Predictions, asked: Sequence[str] | None) -> tuple[list[str], tuple[str, ...]]:
    """The columns to slice by, and which were left out for having too many values."""
    if asked is not None:
        for name in asked:
            if name not in table.columns:
                table.group(name)
        return list(dict.fromkeys(asked)), ()
    found: list[str] = []
    left_out: list[str] = []
    for name, column in table.columns.items():
        if name in SPECIAL or (name == "row" and "fold" in table.columns):
            continue
        text = not str(column.type).startswith(("int", "uint", "float", "double", "half"))
        (left_out if text and len(column.unique()) > MOST_LEVELS else found).append(name)
    if not found:
        raise UnsupportedError(
            "there is no column to slice by; give the table group columns, as in groups={'site': site}"
        )
    said = f"left out, having more than {MOST_LEVELS} values: {', '.join(left_out)}; name it in by to search it"
    return found, (said,) if left_out else ()
