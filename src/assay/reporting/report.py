"""report: everything about the models on one page.

Who is best, how sure that is, what went wrong, and what to do next.

>>> from assay.table.predictions import Predictions
>>> y = ["a", "b", "b", "a"] * 25
>>> p = Predictions.from_arrays(y, {"good": y, "poor": ["a"] * 100})
>>> report(p, metric="accuracy").conclusions[0]
'good is best by accuracy (1.0000); every other model is significantly worse.'
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from assay.advice.advise import find_advice, find_costs, majority_baseline
from assay.advice.base import Advice
from assay.charts import leaderboard
from assay.comparison.compare import Comparison, compare
from assay.core.atomic import write_whole
from assay.core.result import Result
from assay.core.text import (
    Headline,
    TextTable,
    escape_line,
    find_free_name,
    format_estimate,
    format_number,
)
from assay.diagnosis.diagnose import Diagnosis, diagnose
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation, evaluate
from assay.evaluation.values import Row
from assay.fusions.fuse import Fused
from assay.io.arrays import accept_arrays
from assay.io.source import Source, open_table
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import choose_default, resolve
from assay.readers.history import History
from assay.readers.read_history import read_runs
from assay.reporting.content import Content, HeldOut
from assay.reporting.html import render_page
from assay.reporting.prose import draw_conclusions, list_steps, rank_advice
from assay.table.judging import leave_out_training, take_training
from assay.table.predictions import Predictions
from assay.table.splits import simplify

__all__ = ["HeldOut", "Report", "report"]

Log: TypeAlias = History | str | os.PathLike[str]

# What a column `split` says of rows that training was validated on.
VALIDATION = frozenset({"val", "valid", "validation", "dev", "development"})


@dataclass(frozen=True, repr=False, eq=False)
class Report(Content, Result):
    """What is known of the models of one table: in words, as JSON, as a page.

    `rows` and `to_json` hold every value; `repr` is the summary; `save` writes the page.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays(["a", "b"] * 50, {"m": ["a", "b"] * 50})
    >>> print(report(p).summary().splitlines()[0])
    Model report: 100 rows, binary, 2 classes
    """

    schema_name: ClassVar[str] = "assay.report/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "title", "metric", "baseline", "verdict", "next", "confidence", "seed",
    )  # fmt: skip

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What to know about the data, the most important first."""
        return rank_advice(self.evaluation.advice)

    @property
    def conclusions(self) -> tuple[str, ...]:
        """The answer, a sentence each: who is best, baseline, held-out rows, fusion, training."""
        return draw_conclusions(self)

    @property
    def verdict(self) -> str:
        """The conclusions as one text."""
        return " ".join(self.conclusions)

    @property
    def next(self) -> tuple[str, ...]:
        """What to do now, the most useful first; three at most."""
        return list_steps(self)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The row of every value, the baseline's at the end."""
        return self.evaluation.rows

    def to_dict(self) -> dict[str, Any]:
        parts: dict[str, Result | None] = {
            "evaluation": self.evaluation,
            "comparison": self.comparison,
            "against_baseline": self.against_baseline,
            "diagnosis": self.diagnosis,
            "fusion": self.fused,
            "training": self.training,
        }
        test = None if self.held_out is None else _documents(self.held_out.__dict__)
        head = super().to_dict() | {"verdict": list(self.conclusions)}
        return head | _documents(parts) | {"test": test, "notes": list(self.notes)}

    def chart(self, name: str | None = None, **options: Any) -> Any:
        """The leaderboard by `metric`, models tied for best shaded.

        Parameters:
            name: Another chart of an evaluation, see `assay list charts`; default: the leaderboard.
            options: What that chart takes besides the evaluation.
        """
        if name is not None:
            return self.evaluation.chart(name, **options)
        return leaderboard(self.evaluation, self.metric, self.comparison, baseline=self.baseline)

    def to_html(self) -> str:
        """One self-contained page without script or network, every chart with its table."""
        return render_page(self)

    def save(self, path: str | Path) -> Path:
        """Write the page as a whole or not at all.

        Parameters:
            path: The file to write, as in report.html.

        Returns:
            The path.
        """
        write_whole(path, self.to_html())
        return Path(path)

    def summary(self) -> str:
        """The report as read in ten seconds: verdict, leaderboard, advice, what to do next."""
        board, *fits = map(str, self.tables)
        board = "\n".join([board, *self._legend])
        above = map(escape_line, [*self.headlines, *self.details])
        parts = [*above, "\n".join(map(escape_line, self.conclusions)), board, *fits]
        parts += [_list_lines("Advice", self._most_important), _list_lines("Next", self.next)]
        return "\n\n".join(part for part in parts if part)

    @property
    def headlines(self) -> list[str]:
        """What must be read first, as that rows were left out."""
        return [note for note in self.predictions.notes if isinstance(note, Headline)]

    @property
    def details(self) -> list[str]:
        """Title, rows, task and classes."""
        table = self.predictions
        kind = {"multilabel": "labels", "multioutput": "outputs"}.get(table.task, "classes")
        classes = f", {len(table.classes)} {kind}" if table.classes else ""
        return [f"{self.title}: {table.n:,} rows, {table.task}{classes}"]

    @property
    def tables(self) -> list[TextTable]:
        """The models by the metric, best first, and by two more; by it on training rows."""
        others = [text for text in self.evaluation.metrics if text != self.metric]
        more = [text for text in others if self._is_single(text)][:2]
        header = ["", "model", f"{self.metric} ({self.confidence:.0%} interval)", *more]
        body = []
        for row in self.ranking:
            values = [format_number(self.evaluation.get(row.model, text).value) for text in more]
            mark = "*" if row.model in self.tied_models else ""
            body.append([mark, row.model, _format_row(row), *values])
        return [TextTable(header, body), *self._list_fits()]

    def _list_fits(self) -> list[TextTable]:
        if self.training is None:
            return []
        header = ["model", f"{self.metric} on training rows", "on the others"]
        body = [[model, *map(format_number, values)] for model, *values in self.fits]
        return [TextTable(header, body)]

    @property
    def footnotes(self) -> list[str]:
        """What the star means, the most important advice, and what to do next."""
        return [*self._legend, *self._most_important, *self.next]

    @property
    def _legend(self) -> list[str]:
        if not self.tied_models:
            return []
        return ["* tied for best" if len(self.tied_models) > 1 else "* best"]

    @property
    def _most_important(self) -> list[str]:
        return [f"{advice.title} {advice.remedy}" for advice in self.advice[:2]]

    def _is_single(self, text: str) -> bool:
        return any(r.metric == text and r.class_ is None for r in self.evaluation.rows)

    def __repr__(self) -> str:
        return self.summary()


@dataclass(frozen=True)
class _Evaluator:
    """How every table of the report is judged: by which metrics, at which level, by which tests."""

    metric: str
    metrics: Sequence[str | Metric]
    confidence: float
    seed: int
    equivalence: float | None
    correction: Literal["holm", "benjamini_hochberg"]

    def evaluate(self, table: Predictions, metrics: Sequence[str | Metric] = ()) -> Evaluation:
        """The evaluation by `metrics`, or by all of the report."""
        texts = list(metrics or self.metrics)
        return evaluate(table, texts, confidence=self.confidence, seed=self.seed)

    def evaluate_training(self, table: Predictions) -> Evaluation:
        """The values of the metric to rank by, on rows that models were trained on."""
        return replace(evaluate(table, self.metric, intervals=False), advice=())

    def compare(
        self, table: Predictions, evaluation: Evaluation
    ) -> tuple[Comparison | None, list[str]]:
        """The comparison of the models for which the metric is defined, and notes on the others."""
        metric = self.metric
        defined = [m for m in table.models if not np.isnan(evaluation.get(m, metric).value)]
        if not defined:
            return None, [f"{metric} is undefined for every model, so nothing is compared"]
        undefined = [model for model in table.models if model not in defined]
        notes = [
            f"{model} is left out of the comparison: its {metric} is undefined"
            for model in undefined
        ]
        try:
            comparison = compare(
                table.select(defined),
                metric,
                equivalence=self.equivalence,
                correction=self.correction,
                confidence=self.confidence,
                seed=self.seed,
            )
        except UnsupportedError as error:
            return None, [*notes, str(error)]
        return comparison, notes

    def hold_out(self, table: Predictions) -> HeldOut:
        """The models on further rows."""
        evaluation = self.evaluate(table)
        return HeldOut(evaluation, self.compare(table, evaluation)[0])

    def add_baseline(
        self, table: Predictions, evaluation: Evaluation, best: str | None
    ) -> tuple[str, Evaluation, Comparison | None]:
        """The baseline's name, the evaluation with its rows, and the best model beside it."""
        name = find_free_name("baseline", table.models)
        both = majority_baseline(table, name)
        served = [m for m in self.metrics if both.schema.offers(name, METRICS.parse(m).reads)]
        rows = self.evaluate(both.select([name]), served).rows
        served_texts = {row.metric for row in rows}
        missing = [text for text in evaluation.metrics if text not in served_texts]
        rows += tuple(_undefined_row(name, text, "not_applicable") for text in missing)
        evaluation = replace(evaluation, rows=evaluation.rows + rows)
        if best is None:
            return name, evaluation, None
        plain = replace(self, equivalence=None, correction="holm")
        return name, evaluation, plain.compare(both.select([best, name]), evaluation)[0]


@accept_arrays
def report(  # noqa: PLR0913 - each option stands for itself
    predictions: Source,
    *,
    histories: Diagnosis | Log | Iterable[Log] | None = None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    metric: str | Metric | None = None,
    title: str | None = None,
    test: Source | None = None,
    fused: Fused | None = None,
    failed: Mapping[str, str] | None = None,
    equivalence: float | None = None,
    correction: Literal["holm", "benjamini_hochberg"] = "holm",
    ignore: Iterable[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
    where: str | None = None,
) -> Report:
    """Everything about the models of a table: evaluated, compared, set against a baseline, advised.

    Parameters:
        predictions: A table, a data frame, the path of a file or of several, or the truth followed
            by what models predict, as for `evaluate`.
        histories: Training logs, as paths, History objects or a Diagnosis; default: none.
        metrics: Metrics to evaluate; default: those of the task. An `expected_cost` among them
            tells the advice what errors cost.
        metric: The metric that models are ranked and compared by; default: the first of `metrics`,
            else f1, or mse in regression.
        title: Title of the page; default: "Model report".
        test: A further table of the same models, on rows that nothing was chosen on; default: none.
        fused: What `fuse` returned, to be described; default: nothing.
        failed: How models failed that are not in the table, by name: they get rows without values.
        equivalence: Difference that does not matter, in units of the metric, as in `compare`.
        correction: Correction of the p-values, "holm" or "benjamini_hochberg"; default "holm".
        ignore: Codes of advice that is not wanted, as in "A003".
        confidence: Level of the intervals, in (0, 1); default 0.95.
        seed: Seed of all that is drawn, at least 0; default 0.
        where: Which rows to take, as in 'split == "test"' (see `Predictions.where`); default: all
            but those of a training split.

    Returns:
        A `Report`: `save` writes the page, `to_json` the numbers, `repr` is the summary.

    Raises:
        UnsupportedError: `metric` gives one value a class, or does not suit the task.

    >>> from assay.table.predictions import Predictions
    >>> values = {"m": [1.1, 2.1, 3.2, 4.1]}
    >>> p = Predictions.from_arrays([1.0, 2.0, 3.5, 4.0], values, task="regression")
    >>> report(p).baseline
    'baseline'
    """
    every = open_table(predictions, in_memory=True, where=where)
    table = leave_out_training(every)
    name, texts = _choose_metrics(table, metrics, metric)
    evaluator = _Evaluator(name, texts, confidence, seed, equivalence, correction)
    costs = find_costs(resolve(texts, table.schema))
    advice = find_advice(table, every, None, ignore, thorough=True, costs=costs, seed=seed)
    evaluation = replace(evaluator.evaluate(table), advice=advice)
    comparison, notes = evaluator.compare(table, evaluation)
    baseline = None
    against_baseline = None
    if table.schema.has_truth and table.n and (table.weight is None or table.weight.sum() > 0):
        best = None if comparison is None else comparison.best
        baseline, evaluation, against_baseline = evaluator.add_baseline(table, evaluation, best)
    further = None if test is None else open_table(test, in_memory=True, judging=True)
    learned = take_training(every) if table.n < every.n else table.slice(0, 0)
    failures = tuple(
        _undefined_row(model, text, error)
        for model, error in (failed or {}).items()
        for text in evaluation.metrics
    )
    return Report(
        title=title or "Model report",
        metric=name,
        predictions=table,
        evaluation=replace(evaluation, rows=evaluation.rows + failures),
        comparison=comparison,
        baseline=baseline,
        against_baseline=against_baseline,
        diagnosis=_diagnose(histories, table),
        fused=fused,
        held_out=None if further is None else evaluator.hold_out(further),
        confidence=confidence,
        seed=seed,
        notes=tuple(notes),
        training=evaluator.evaluate_training(learned) if learned.n else None,
    )


def _choose_metrics(
    table: Predictions, metrics: Any, metric: Any
) -> tuple[str, list[str | Metric]]:
    """The metric to rank by, and all to evaluate, that one first."""
    wanted = [metrics] if isinstance(metrics, str | Metric) else metrics
    resolved = resolve(wanted, table.schema)
    if wanted is None:
        by_text: dict[str, str | Metric] = {text: text for text, _ in resolved}
    else:
        by_text = {str(METRICS.parse(one)): one for one in wanted}
    single = [text for text, bound in resolved if bound.granularity == "table"]
    if metric is None:
        default = choose_default(table.schema)
        use_default = not single or (wanted is None and default in single)
        metric = default if use_default else single[0]
    ((name, bound),) = resolve(metric, table.schema)
    if bound.granularity != "table":
        raise UnsupportedError(
            f"{name} gives one value a class; rank by one value, as in f1(average=macro)"
        )
    return name, [metric, *(one for text, one in by_text.items() if text != name)]


def _diagnose(
    histories: Diagnosis | Log | Iterable[Log] | None, table: Predictions
) -> Diagnosis | None:
    """The diagnosis of the histories, with what the table knows and none of them says."""
    if histories is None or isinstance(histories, Diagnosis):
        return histories
    alone = isinstance(histories, History | str | os.PathLike)
    if not alone and not isinstance(histories, Iterable):
        raise UnsupportedError(
            f"histories must be training logs (paths, or what diagnose takes), or a Diagnosis; "
            f"got {histories!r}"
        )
    logs: list[Any] = [histories] if alone else list(histories)  # type: ignore[arg-type]
    if not logs:
        return None
    known = read_runs(logs).histories
    is_classes = table.schema.task in ("binary", "multiclass")
    classes = len(table.schema.classes) if is_classes else None
    return diagnose(
        logs,
        n_classes=None if any(history.n_classes for history in known) else classes,
        n_val=None if any(history.n_val for history in known) else _count_validation_rows(table),
    )


def _count_validation_rows(table: Predictions) -> int | None:
    """How many rows a column `split` says to be of validation; None where it says so of none."""
    said = table.columns["split"].to_pylist() if "split" in table.columns else []
    return sum(simplify(value) in VALIDATION for value in said) or None


def _undefined_row(model: str, metric: str, note: str) -> Row:
    """The row that says that a model has no value, and why."""
    nan = float("nan")
    return Row(model, metric, None, None, nan, nan, nan, 0, "", note)


def _documents(parts: Mapping[str, Result | None]) -> dict[str, Any]:
    """Each part as its own JSON document, None where there is none."""
    return {name: None if part is None else part.document for name, part in parts.items()}


def _format_row(row: Row) -> str:
    """Value and interval; of an undefined value the reason."""
    if np.isnan(row.value):
        return f"-  ({shorten(row.note.replace('_', ' '), 40, placeholder=' ...')})"
    return format_estimate(row.value, row.low, row.high)


def _list_lines(heading: str, lines: Sequence[str]) -> str:
    """A heading and numbered lines; nothing where there is no line."""
    numbered = [f"  {i}. {escape_line(line)}" for i, line in enumerate(lines, start=1)]
    return "\n".join([heading, *numbered]) if lines else ""
