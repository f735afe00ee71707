"""study: one file that says data, models, splits and what to compare, run as a whole.

A study that was interrupted is resumed where it stopped.

from assay import run_study
study = run_study("study.toml")
study.report.verdict
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from assay.adapters.base import count_rows, list_classes
from assay.advice.advise import list_checks
from assay.core.result import Result
from assay.core.text import TextTable, escape_line, find_free_name
from assay.errors import AssayError, UnsupportedError
from assay.evaluation.values import Row
from assay.fusions.base import FUSIONS
from assay.fusions.fuse import Fused, fuse
from assay.io.read_write import write
from assay.metrics.base import METRICS
from assay.reporting.report import Report, report
from assay.selection.cross_validate import cross_validate
from assay.selection.experiment import infer_task
from assay.selection.one_standard_error import Frugal, one_standard_error
from assay.selection.race import Race, race
from assay.selection.store import Timings, histories, timings
from assay.studies.data import load_data
from assay.studies.recipe import Recipe, read_recipe
from assay.table.predictions import Predictions

__all__ = ["Study", "run_study"]


@dataclass(frozen=True, repr=False, eq=False)
class Study(Result):
    """The result of a study: its table with the fused models, the report on it, and the times.

    `frugal` says which of the fitted models to take for its speed, by the one-standard-error rule;
    `race`, where there was one, which models were dropped, and when.

    >>> Study.schema_name
    'assay.study/1'
    """

    schema_name: ClassVar[str] = "assay.study/1"
    json_keys: ClassVar[tuple[str, ...]] = ("title", "file", "output", "fused", "notes")

    title: str
    file: Path
    output: Path
    predictions: Predictions
    fused: tuple[Fused, ...]
    report: Report
    timings: Timings
    frugal: Frugal | None = None
    race: Race | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the report."""
        return self.report.rows

    @property
    def verdict(self) -> str:
        """The verdict of the report."""
        return self.report.verdict

    def to_dict(self) -> dict[str, Any]:
        parts: dict[str, Result | None] = {"report": self.report, "timings": self.timings}
        parts |= {"frugal": self.frugal, "race": self.race}
        documents = {name: part.document for name, part in parts.items() if part is not None}
        return super().to_dict() | documents

    @property
    def tables(self) -> list[TextTable]:
        """The leaderboard, and the seconds that each model took."""
        return [*self.report.tables, *self.timings.tables]

    def chart(self, name: str | None = None, **options: Any) -> Any:
        """The report's leaderboard, or the chart that `name` and its `options` say."""
        return self.report.chart(name, **options)

    def __repr__(self) -> str:
        notes = "\n".join(map(escape_line, [*self.notes, *(f.note for f in self.fused[1:])]))
        parts = [self.report.summary(), notes]
        if self.race is not None:
            parts.append(repr(self.race))
        parts.append(repr(self.timings))
        if self.frugal is not None:
            parts.append(escape_line(self.frugal.verdict))
        return "\n\n".join(filter(None, parts))


def run_study(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = print,
    progress: bool | None = None,
) -> Study:
    """Run the study of a TOML file: cross-validate, fuse, evaluate, compare, report.

    The output folder gets predictions.parquet, report.html, report.json and `parts`, where each
    (model, fold) is kept as it finishes: the same call again goes on from there, and computes again
    only what was changed. Import paths in the file are code that is run: run only studies you
    trust.

    Parameters:
        path: The TOML file; relative paths in it are relative to it.
        output: Folder for the results; default: what the file says, else a folder of its name.
        say: Called with a sentence at each step; default: `print`.
        progress: Whether to show a bar on standard error; default: on a terminal.

    Returns:
        The table, the report, and what else was found. The report describes the first of the
        fusions; all are in the table.

    Raises:
        SchemaError: The study cannot be used; the message names file and key.
        ReadError: The file or what it names cannot be read.

    >>> run_study("no-such-study.toml")
    Traceback (most recent call last):
    assay.errors.ReadError: no-such-study.toml: cannot be read ...
    """
    recipe = read_recipe(os.fspath(path), None if output is None else os.fspath(output))
    _check_advice(recipe)
    models = recipe.estimators()
    options = _validation_options(recipe)
    data = load_data(recipe)
    _check_metrics(recipe, models, data["y"])
    _check_positive(recipe, data["y"])
    rows = count_rows(data["X"])
    say(f"cross-validating {', '.join(models)} on {rows} rows, into {recipe.output}")
    options |= {**data, "progress": progress}
    race_result = None
    if recipe.race is not None:
        race_result = _run_race(recipe, models, options)
        table = race_result.predictions
    else:
        table = cross_validate(models, on_error=recipe.on_error, seeds=recipe.seeds, **options)
    for note in table.notes:
        say(note)
    fused, table = _fuse_models(recipe, table, say)
    say("evaluating, comparing, and writing the report")
    write(table, recipe.output / "predictions.parquet")
    times = timings(recipe.output / "parts")
    dropped = {} if race_result is None else race_result.dropped_models
    logs = histories(recipe.output / "parts")
    study_report = report(
        table,
        histories=list(logs.values()) or None,
        metrics=recipe.metrics,
        metric=recipe.compare_by,
        title=recipe.title,
        fused=fused[0] if fused else None,
        failed=times.failures | dropped,
        equivalence=recipe.equivalence,
        correction=recipe.correction,
        ignore=recipe.ignore,
        seed=recipe.seed,
    )
    study_report.save(recipe.output / "report.html")
    study_report.to_json(recipe.output / "report.json")
    return Study(
        title=recipe.title,
        file=recipe.path,
        output=recipe.output,
        predictions=table,
        fused=fused,
        report=study_report,
        timings=times,
        frugal=_find_frugal(table, study_report.metric, times, recipe.seed),
        race=race_result,
        notes=table.notes,
    )


def _validation_options(recipe: Recipe) -> dict[str, Any]:
    """What the study says of the cross-validation."""
    inner = recipe.inner_splitter()
    inner_metric = recipe.inner.get("metric", recipe.compare_by)
    return {
        "cv": recipe.outer_splitter(),
        "inner": inner,
        "inner_metric": None if inner is None else inner_metric,
        "task": recipe.task,
        "positive": recipe.positive,
        "store": recipe.output / "parts",
        "n_jobs": recipe.n_jobs,
        "seed": recipe.seed,
        "validation_fraction": recipe.validation_fraction,
    }


def _run_race(recipe: Recipe, models: Mapping[str, Any], options: Mapping[str, Any]) -> Race:
    """The models cross-validated fold by fold, losers dropped on the way."""
    result = race(
        models,
        metric=recipe.compare_by,
        on_error=recipe.on_error,
        **options,
        **dict(recipe.race or {}),
    )
    return replace(result, predictions=replace(result.predictions, notes=result.notes))


def _find_frugal(table: Predictions, metric: str, times: Timings, seed: int) -> Frugal | None:
    """The model to take for its speed, of those that were fitted; None where none is compared."""
    fitted = [m for m in table.models if m in times.models]
    if len(fitted) < 2:
        return None
    try:
        return one_standard_error(table.select(fitted), metric, costs=times, seed=seed)
    except UnsupportedError:
        return None


def _fuse_models(
    recipe: Recipe, table: Predictions, say: Callable[[str], None]
) -> tuple[tuple[Fused, ...], Predictions]:
    """Each fusion of the study's models, and the table with all of them in it."""
    if recipe.fusions and len(table.models) < 2:
        say("nothing to fuse: only one model is left")
        return (), table
    results: list[Fused] = []
    whole = table
    for how in recipe.fusions:
        say(f"fusing: {how}")
        name = find_free_name(f"fused_{FUSIONS.parse(how).name}", whole.models)
        metric = _metric_to_search(how, recipe)
        try:
            fused = fuse(table, how, metric=metric, name=name, seed=recipe.seed)
        except AssayError as error:
            if recipe.on_error == "raise":
                recipe.location.child("fusions").refuse(str(error), type(error))
            note = f"{name} is left out: {str(error).rstrip('.')}."
            whole = replace(whole, notes=(*whole.notes, note))
            say(note)
        else:
            results.append(fused)
            whole = whole.append(name, **dict(fused.predictions.outputs[name]))
    return tuple(results), whole


def _metric_to_search(how: str, recipe: Recipe) -> str | None:
    """The metric for a fusion that searches one and does not name it."""
    fields = getattr(FUSIONS.parse(how), "__dataclass_fields__", {})
    names_it = "metric=" in how.replace(" ", "")
    return recipe.compare_by if "metric" in fields and not names_it else None


def _check_advice(recipe: Recipe) -> None:
    """Refuse to ignore advice that does not exist."""
    for code in recipe.ignore:
        if code not in list_checks():
            recipe.location.child("ignore").refuse(
                f"no advice has the code {code!r}; the codes are {', '.join(list_checks())}"
            )


def _check_positive(recipe: Recipe, y: Any) -> None:
    """Refuse a positive class that the data does not have."""
    if recipe.positive is None:
        return
    classes = list_classes(y, recipe.task)
    if recipe.positive not in classes:
        known = ", ".join(map(repr, classes[:10])) or "for there are none"
        recipe.location.child("positive").refuse(
            f"{recipe.positive!r} is not among the classes, {known}"
        )


def _check_metrics(recipe: Recipe, models: Mapping[str, Any], y: Any) -> None:
    """Refuse metrics of another task before any model is fitted."""
    task = recipe.task or infer_task(models, y)
    task = task or ("binary" if len(list_classes(y, None)) < 3 else "multiclass")
    names = [("metrics", text) for text in recipe.metrics or ()]
    ranking = {"compare_by": recipe.compare_by, "inner.metric": recipe.inner.get("metric")}
    names += [(key, text) for key, text in ranking.items() if text is not None]
    for key, text in names:
        metric = METRICS.parse(text)
        if task not in metric.tasks:
            able = ", ".join(sorted(metric.tasks))
            recipe.location.child(key).refuse(
                f"{text} is for {able} tasks; the task of this study is {task}"
            )
        if key != "metrics" and metric.better == "neither":
            recipe.location.child(key).refuse(
                f"{text} is better neither higher nor lower, so that it ranks no models"
            )
