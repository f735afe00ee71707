"""Class tables: values of classes laid out as people know them.

A confusion matrix is a matrix, and a classification report has a line for each class.

>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"], {"m": ["a", "b", "a", "a"]})
>>> print(evaluate(p, "confusion_matrix").tables[0])
m: truth \\ predicted  a  b
a                     2  0
b                     1  1
>>> print(evaluate(p, "classification_report").tables[0])
m             precision  recall  f1      support
a             0.6667     1.0000  0.8000  2
b             1.0000     0.5000  0.6667  2
<BLANKLINE>
accuracy                         0.7500  4
macro avg     0.8333     0.7500  0.7333  4
weighted avg  0.8333     0.7500  0.7333  4
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.core.text import TextTable, format_number
from assay.evaluation.values import Row

__all__ = ["split_class_tables"]

COLUMNS = ("precision", "recall", "f1")
AVERAGES = {"macro avg": "macro", "weighted avg": "weighted"}
MATRIX = "confusion_matrix"
COUNTS = ("tp(average=none)", "fn(average=none)")
# What a classification report cannot be made without, and is not shown beside.
REPORT = frozenset(
    {f"{name}(average={average})" for name in COLUMNS for average in ("none", *AVERAGES.values())}
    | set(COUNTS)
)

Cells = Mapping[tuple[str, Any], float]


def split_class_tables(rows: Sequence[Row]) -> tuple[list[Row], list[TextTable]]:
    """The rows of one value a line, and tables of the others.

    Parameters:
        rows: The rows of an evaluation.

    Returns:
        The rows that are in no table of classes, and the tables: for each model and group a
        classification report, where the metrics of one are there, and a confusion matrix.
    """
    metrics = {row.metric for row in rows}
    has_report = metrics >= REPORT
    taken = {MATRIX} | (REPORT | {"accuracy"} if has_report else set())
    tables = []
    for title, part in _group_rows(rows):
        cells = {(row.metric, row.class_): row.value for row in part}
        if has_report:
            tables.append(_make_report(title, cells))
        if MATRIX in metrics:
            tables.append(_make_matrix(title, cells))
    return [row for row in rows if row.metric not in taken], tables


def _group_rows(rows: Iterable[Row]) -> Iterable[tuple[str, list[Row]]]:
    """The rows of each model and group under a title."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        title = row.model if row.group is None else f"{row.model} | {row.group}"
        parts.setdefault(title, []).append(row)
    return parts.items()


def _make_matrix(title: str, cells: Cells) -> TextTable:
    """Truth in rows, predictions in columns."""
    counts = {pair: value for (metric, pair), value in cells.items() if metric == MATRIX}
    classes = list(dict.fromkeys(truth for truth, _ in counts))
    body = [
        [str(truth), *(_format_count(counts[truth, label]) for label in classes)]
        for truth in classes
    ]
    return TextTable([f"{title}: truth \\ predicted", *map(str, classes)], body)


def _make_report(title: str, cells: Cells) -> TextTable:
    """A line for each class, and the averages."""
    by_class = f"{COLUMNS[0]}(average=none)"
    classes = [class_ for metric, class_ in cells if metric == by_class]
    support = {c: sum(cells.get((count, c), 0.0) for count in COUNTS) for c in classes}
    total = _format_count(sum(support.values()))
    body = []
    for class_ in classes:
        values = [format_number(cells[f"{name}(average=none)", class_]) for name in COLUMNS]
        body.append([str(class_), *values, _format_count(support[class_])])
    body.append([""] * (len(COLUMNS) + 2))
    if ("accuracy", None) in cells:
        body.append(["accuracy", "", "", format_number(cells["accuracy", None]), total])
    for name, average in AVERAGES.items():
        values = [format_number(cells[f"{c}(average={average})", None]) for c in COLUMNS]
        body.append([name, *values, total])
    return TextTable([title, *COLUMNS, "support"], body)


def _format_count(value: float) -> str:
    """A number of rows, or their weight."""
    return str(int(value)) if value == int(value) else format_number(value)
