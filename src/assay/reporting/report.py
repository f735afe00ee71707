"""report: everything about the models on one page - who is best, how sure that is, what went wrong, what to do next.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays(["a", "b", "b", "a"] * 25, {"good": ["a", "b", "b", "a"] * 25, "poor": ["a"] * 100})
>>> made = report(p, metric="accuracy")
>>> made.conclusions[0]
'good is best by accuracy (1.0000); every other model is significantly worse.'
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar, Literal

import numpy as np

from assay.advice.advise import advise, costs_of, majority_baseline
from assay.advice.base import Advice
from assay.charts import leaderboard
from assay.comparison.compare import Comparison, compare
from assay.core.atomic import write_whole
from assay.core.result import Result
from assay.core.text import TextTable, format_estimate, format_number
from assay.diagnosis.diagnose import Diagnosis, diagnose
from assay.errors import UnsupportedError
from assay.evaluation.evaluate import Evaluation, evaluate
from assay.evaluation.values import Row
from assay.fusions.fuse import Fused
from assay.metrics.base import METRICS, Metric
from assay.metrics.resolve import DEFAULT, resolve
from assay.readers.history import History
from assay.reporting.content import Findings, Held
from assay.reporting.html import page
from assay.reporting.prose import important, next_steps, verdict_on
from assay.table.predictions import Predictions

__all__ = ["Held", "Report", "report"]

Sources = Diagnosis | History | str | os.PathLike[str] | Iterable[History | str | os.PathLike[str]]


@dataclass(frozen=True, repr=False, eq=False)
class Report(Findings, Result):
    """What is known of the models of one table, gathered and said: in words, as JSON, as a page.

    `rows` and `to_json` hold every figure; `repr` is the summary; `save` writes the page.
    """

    schema_name: ClassVar[str] = "assay.report/1"
    json_keys: ClassVar[tuple[str, ...]] = (
        "title", "metric", "baseline", "verdict", "next", "confidence", "seed",
    )  # fmt: skip

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What to know about the data, the most important first."""
        return important(self.evaluation.advice)

    @property
    def conclusions(self) -> tuple[str, ...]:
        """The answer, a sentence each: who is best, baseline, held-out rows, fusion, training."""
        return verdict_on(self)

    @property
    def verdict(self) -> str:
        """The conclusions as one text."""
        return " ".join(self.conclusions)

    @property
    def next(self) -> tuple[str, ...]:
        """What to do now, the most useful first; three at most."""
        return next_steps(self)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every figure, the baseline's at the end."""
        return self.evaluation.rows

    def to_dict(self) -> dict[str, Any]:
        parts: dict[str, Result | None] = {
            "evaluation": self.evaluation,
            "comparison": self.comparison,
            "against_baseline": self.against,
            "diagnosis": self.diagnosis,
            "fusion": self.fused,
        }
        test = None if self.held is None else _documents(self.held.__dict__)
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
        """One self-contained page: no script, no network, pictures as SVG, every chart with its table."""
        return page(self)

    def save(self, path: str | Path) -> Path:
        """Write the page to `path`, as a whole or not at all."""
        write_whole(path, self.to_html())
        return Path(path)

    def summary(self) -> str:
        """The report as read in ten seconds: verdict, leaderboard, advice, what to do next."""
        board = "\n".join([*map(str, self.tables), *self._legend])
        parts = [*self.details, "\n".join(self.conclusions), board]
        parts += [_list_lines("Advice", self._most_important), _list_lines("Next", self.next)]
        return "\n\n".join(part for part in parts if part)

    @property
    def details(self) -> list[str]:
        """Title, rows, task and classes."""
        table = self.predictions
        kind = "labels" if table.task == "multilabel" else "classes"
        classes = f", {len(table.classes)} {kind}" if table.classes else ""
        return [f"{self.title}: {table.n:,} rows, {table.task}{classes}"]

    @property
    def tables(self) -> list[TextTable]:
        """The models by the metric, best first, and by up to two more."""
        others = [text for text in self.evaluation.metrics if text != self.metric]
        more = [text for text in others if self._is_single(text)][:2]
        header = ["", "model", f"{self.metric} ({self.confidence:.0%} interval)", *more]
        body = []
        for row in self.ranked:
            values = [format_number(self.evaluation.get(row.model, text).value) for text in more]
            mark = "*" if row.model in self.tied else ""
            body.append([mark, row.model, _format_row(row), *values])
        return [TextTable(header, body)]

    @property
    def footnotes(self) -> list[str]:
        """What the star means, the most important advice, and what to do next."""
        return [*self._legend, *self._most_important, *self.next]

    @property
    def _legend(self) -> list[str]:
        if not self.tied:
            return []
        return ["* tied for best" if len(self.tied) > 1 else "* best"]

    @property
    def _most_important(self) -> list[str]:
        return [f"{advice.title} {advice.remedy}" for advice in self.advice[:2]]

    def _is_single(self, text: str) -> bool:
        return any(r.metric == text and r.class_ is None for r in self.evaluation.rows)

    def __repr__(self) -> str:
        return self.summary()


def report(
    predictions: Predictions | str | os.PathLike[str],
    *,
    histories: Sources | None = None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    metric: str | Metric | None = None,
    title: str | None = None,
    test: Predictions | str | os.PathLike[str] | None = None,
    fused: Fused | None = None,
    failed: Mapping[str, str] | None = None,
    equivalence: float | None = None,
    correction: Literal["holm", "benjamini_hochberg"] = "holm",
    ignore: Iterable[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
) -> Report:
    """Everything about the models of a table: evaluated, compared, set against a baseline, with charts and advice.

    metrics: those to evaluate (default: the task's). metric: the one that models are ranked and compared by (default:
    the first of `metrics`; else f1, or mse in regression). histories: training logs, as paths, History objects or a
    Diagnosis. test: a further table of the same models on rows that nothing was chosen on. fused: what `fuse` returned,
    to be described. failed: models that are not in the table because they failed, and how: a row each, without figures.
    equivalence, correction: as in `compare`. ignore: codes of advice that is not wanted. An `expected_cost` among the
    metrics tells the advice what errors cost.

    >>> from assay.table.predictions import Predictions
    >>> p = Predictions.from_arrays([1.0, 2.0, 3.5, 4.0], {"m": [1.1, 2.1, 3.2, 4.1]}, task="regression")
    >>> report(p).baseline
    'baseline'
    """
    table = _table(predictions)
    name, asked = _asked(table, metrics, metric)
    evaluation = evaluate(table, asked, confidence=confidence, seed=seed)
    told = advise(
        table, ignore=ignore, thorough=True, costs=costs_of(resolve(asked, table.schema)), seed=seed
    )
    evaluation = replace(evaluation, advice=told)
    options = {
        "equivalence": equivalence,
        "correction": correction,
        "confidence": confidence,
        "seed": seed,
    }
    comparison, notes = _compared(table, evaluation, name, options)
    baseline = _free("baseline", table.models) if _has_weight(table) else None
    against = None
    if baseline is not None:
        flat = majority_baseline(table, baseline)
        of_flat = evaluate(
            flat.select([baseline]),
            _served(flat, baseline, asked),
            confidence=confidence,
            seed=seed,
        )
        evaluation = replace(
            evaluation,
            rows=evaluation.rows + of_flat.rows + _lacking(evaluation, of_flat, baseline),
        )
        if comparison is not None:
            pair = flat.select([comparison.best, baseline])
            against = _compared(pair, evaluation, name, {"confidence": confidence, "seed": seed})[0]
    evaluation = replace(
        evaluation, rows=evaluation.rows + _without_figures(evaluation, failed or {})
    )
    return Report(
        title=title or "Model report",
        metric=name,
        predictions=table,
        evaluation=evaluation,
        comparison=comparison,
        baseline=baseline,
        against=against,
        diagnosis=histories
        if isinstance(histories, Diagnosis)
        else None
        if histories is None
        else _diagnosed(histories),
        fused=fused,
        held=None if test is None else _held(_table(test), asked, name, options),
        confidence=confidence,
        seed=seed,
        notes=tuple(notes),
    )


def _asked(table: Predictions, metrics: Any, metric: Any) -> tuple[str, list[str | Metric]]:
    """The metric to rank by, and all to evaluate, that one first."""
    given = [metrics] if isinstance(metrics, str | Metric) else metrics
    found = resolve(given, table.schema)
    asked: dict[str, str | Metric] = (
        {t: t for t, _ in found} if given is None else {str(METRICS.parse(m)): m for m in given}
    )
    single = [text for text, on in found if on.granularity == "table"]
    default = DEFAULT[table.task]
    if metric is None:
        metric = default if not single or (given is None and default in single) else single[0]
    ((name, on),) = resolve(metric, table.schema)
    if on.granularity != "table":
        raise UnsupportedError(
            f"{name} has one figure a class; rank by one figure, as in f1(average=macro)"
        )
    return name, [metric, *(m for text, m in asked.items() if text != name)]


def _compared(
    table: Predictions, evaluation: Evaluation, name: str, options: Mapping[str, Any]
) -> tuple[Comparison | None, list[str]]:
    """The comparison of the models for which the metric is defined, and what to say of the others."""
    defined = [m for m in table.models if not np.isnan(evaluation.get(m, name).value)]
    left = [
        f"{m} is left out of the comparison: its {name} is undefined"
        for m in table.models
        if m not in defined
    ]
    if not defined:
        return None, [f"{name} is undefined for every model, so nothing is compared"]
    try:
        return compare(table.select(defined), name, **options), left
    except UnsupportedError as error:
        return None, [*left, str(error)]


def _held(
    table: Predictions, asked: list[str | Metric], name: str, options: Mapping[str, Any]
) -> Held:
    found = evaluate(table, asked, confidence=options["confidence"], seed=options["seed"])
    return Held(found, _compared(table, found, name, options)[0])


def _diagnosed(histories: Any) -> Diagnosis | None:
    found = [histories] if isinstance(histories, History | str | os.PathLike) else list(histories)
    return diagnose([h if isinstance(h, History) else Path(h) for h in found]) if found else None


def _served(table: Predictions, model: str, asked: list[str | Metric]) -> list[str | Metric]:
    return [m for m in asked if table.schema.offers(model, METRICS.parse(m).reads)]


def _lacking(evaluation: Evaluation, of_one: Evaluation, model: str) -> tuple[Row, ...]:
    """Rows that say that a model has no figure, for the metrics it was not evaluated by."""
    nan = float("nan")
    missing = [text for text in evaluation.metrics if text not in of_one.metrics]
    return tuple(
        Row(model, text, None, None, nan, nan, nan, 0, "", "not_applicable") for text in missing
    )


def _without_figures(evaluation: Evaluation, failed: Mapping[str, str]) -> tuple[Row, ...]:
    """A row for each metric of each model that failed, which says how."""
    nan = float("nan")
    return tuple(
        Row(model, text, None, None, nan, nan, nan, 0, "", error)
        for model, error in failed.items()
        for text in evaluation.metrics
    )


def _table(given: Predictions | str | os.PathLike[str]) -> Predictions:
    if isinstance(given, Predictions):
        return given
    from assay.io.read_write import read

    return read(given)


def _has_weight(table: Predictions) -> bool:
    return bool(table.n and (table.weight is None or table.weight.sum() > 0))


def _free(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


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
    numbered = [f"  {i}. {line}" for i, line in enumerate(lines, start=1)]
    return "\n".join([heading, *numbered]) if lines else ""
