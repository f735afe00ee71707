"""study: one file that says data, models, splits and what to compare, run as a whole, and resumed where it stopped.

from assay import run_study
study = run_study("study.toml")
study.report.verdict
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from assay.adapters.base import adapter_for, class_list
from assay.advice.advise import CHECKS
from assay.core.result import Result
from assay.errors import AssayError, UnsupportedError
from assay.fusions.base import FUSIONS
from assay.fusions.fuse import Fused, fuse
from assay.io.formats import is_text, read_table
from assay.io.read_write import write
from assay.kernels import Array
from assay.metrics.base import METRICS
from assay.reporting.report import Report, report
from assay.selection.cross_validate import cross_validate
from assay.selection.one_standard_error import Frugal, one_standard_error
from assay.selection.race import Race, race
from assay.selection.splits import length
from assay.selection.store import Timings, timings
from assay.studies.recipe import Recipe, Where, imported, read_recipe
from assay.table.predictions import Predictions

__all__ = ["Study", "run_study"]

# Names under which functions and scikit-learn's data sets give what a study needs.
GIVEN = {
    "X": "X",
    "data": "X",
    "y": "y",
    "target": "y",
    "groups": "groups",
    "weight": "weight",
    "id": "id",
}


@dataclass(frozen=True, repr=False, eq=False)
class Study(Result):
    """What a study found: its table with the fused models in it, the report on it, and how long everything took.

    `frugal` says which of the fitted models to take for its speed, by the one-standard-error rule; `race`, where there
    was one, which models were dropped, and when.
    """

    schema_name: ClassVar[str] = "assay.study/1"
    drawn_by: ClassVar[str] = "leaderboard"

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
    def records(self) -> list[dict[str, Any]]:
        return self.report.records

    def to_dict(self) -> dict[str, Any]:
        parts: dict[str, Result] = {"report": self.report, "timings": self.timings}
        parts |= {"frugal": self.frugal} if self.frugal is not None else {}
        parts |= {"race": self.race} if self.race is not None else {}
        return {
            "title": self.title,
            "file": str(self.file),
            "output": str(self.output),
            "fused": [fused.to_dict() for fused in self.fused],
            "notes": self.notes,
        } | {name: {"schema": part.schema_name, **part.to_dict()} for name, part in parts.items()}

    def chart(self) -> Any:
        """The report's leaderboard."""
        return self.report.chart()

    def __repr__(self) -> str:
        fused = [fused.note for fused in self.fused[1:]]
        said = "\n".join([*self.notes, *fused])
        cost = "" if self.frugal is None else self.frugal.verdict
        ran = "" if self.race is None else repr(self.race)
        return "\n\n".join(
            filter(None, [self.report.summary(), said, ran, repr(self.timings), cost])
        )


def run_study(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = print,
    progress: bool | None = None,
) -> Study:
    """Run the study of a TOML file: cross-validate, fuse, evaluate, compare, report.

    The output folder (the file's own name, unless it or `output` says otherwise) gets predictions.parquet, report.html,
    report.json and `parts`, where each (model, fold) is kept as it finishes: the same call again goes on from there,
    and computes again only what was changed. Relative paths in the file are relative to it. Import paths in it are
    code that is run: run only studies you trust.

    say: called with a sentence at each step. The first of the fusions is described in the report; all are in the table.
    Raises SchemaError or ReadError naming file and key for a study that cannot be used.
    """
    recipe = read_recipe(os.fspath(path), None if output is None else os.fspath(output))
    for code in recipe.ignore:
        if code not in tuple(CHECKS):
            recipe.where.at("ignore").refuse(
                f"no advice has the code {code!r}; the codes are {', '.join(CHECKS)}"
            )
    models, split, within = recipe.estimators(), recipe.splitter(), recipe.splitter(within=True)
    data = _data(recipe)
    _check_metrics(recipe, models, data["y"])
    if recipe.positive is not None and recipe.positive not in (
        known := class_list(data["y"], recipe.task)
    ):
        recipe.where.at("positive").refuse(
            f"{recipe.positive!r} is not among the classes, {', '.join(map(repr, known[:10])) or 'for there are none'}"
        )
    say(f"cross-validating {', '.join(models)} on {length(data['X'])} rows, into {recipe.output}")
    options = data | {
        "cv": split,
        "task": recipe.task,
        "positive": recipe.positive,
        "inner": within,
        "inner_metric": recipe.inner.get("metric", recipe.compare_by)
        if within is not None
        else None,
        "store": recipe.output / "parts",
        "n_jobs": recipe.n_jobs,
        "progress": progress,
        "seed": recipe.seed,
    }
    raced = None if recipe.race is None else _raced(recipe, models, options)
    table = (
        cross_validate(models, on_error=recipe.on_error, **options)
        if raced is None
        else raced.predictions
    )
    for note in table.notes:
        say(note)
    fused, table = _fused(recipe, table, say)
    say("evaluating, comparing, and writing the report")
    write(table, recipe.output / "predictions.parquet")
    took = timings(recipe.output / "parts")
    missing = took.failed | ({} if raced is None else raced.left_behind)
    made = report(
        table, metrics=recipe.metrics, metric=recipe.compare_by, title=recipe.title,
        fused=fused[0] if fused else None, failed=missing, equivalence=recipe.equivalence,
        correction=recipe.correction, ignore=recipe.ignore, seed=recipe.seed,
    )  # fmt: skip
    made.save(recipe.output / "report.html")
    made.to_json(recipe.output / "report.json")
    frugal = _frugal(table, made.metric, took, recipe.seed)
    return Study(
        recipe.title,
        recipe.path,
        recipe.output,
        table,
        fused,
        made,
        took,
        frugal,
        raced,
        table.notes,
    )


def _raced(recipe: Recipe, models: Mapping[str, Any], options: Mapping[str, Any]) -> Race:
    """The models cross-validated fold by fold, losers dropped on the way."""
    told = dict(recipe.race or {})
    found = race(
        models, metric=recipe.compare_by, skip=recipe.on_error == "skip", **options, **told
    )
    return replace(found, predictions=replace(found.predictions, notes=found.notes))


def _frugal(table: Predictions, metric: str, took: Timings, seed: int) -> Frugal | None:
    """The model to take for its speed, of those that were fitted; None where none is compared."""
    fitted = [m for m in table.models if m in took.models]
    try:
        return (
            one_standard_error(table.select(fitted), metric, cost=took, seed=seed)
            if len(fitted) > 1
            else None
        )
    except UnsupportedError:
        return None


def _fused(
    recipe: Recipe, table: Predictions, say: Callable[[str], None]
) -> tuple[tuple[Fused, ...], Predictions]:
    """Each fusion of the study's models, and the table with all of them in it."""
    if recipe.fusions and len(table.models) < 2:
        say("nothing to fuse: only one model is left")
        return (), table
    found, whole = [], table
    for how in recipe.fusions:
        say(f"fusing: {how}")
        name = _free(f"fused_{FUSIONS.parse(how).name}", whole.models)
        try:
            found.append(fuse(table, how, metric=_aim(how, recipe), name=name, seed=recipe.seed))
        except AssayError as error:
            if recipe.on_error == "raise":
                recipe.where.at("fusions").refuse(str(error), type(error))
            whole = replace(
                whole, notes=(*whole.notes, f"{name} is left out: {str(error).rstrip('.')}.")
            )
            say(whole.notes[-1])
            continue
        column: dict[str, Array] = dict(found[-1].predictions.outputs[name].items())
        whole = whole.append(name, **column)
    return tuple(found), whole


def _aim(how: str, recipe: Recipe) -> str | None:
    """The metric for a fusion that searches one and was not told which."""
    fields = getattr(FUSIONS.parse(how), "__dataclass_fields__", {})
    return (
        recipe.compare_by if "metric" in fields and "metric=" not in how.replace(" ", "") else None
    )


def _free(name: str, taken: list[str]) -> str:
    names = [name, *(f"{name}_{i}" for i in range(2, len(taken) + 3))]
    return next(n for n in names if n not in taken)


def _check_metrics(recipe: Recipe, models: Mapping[str, Any], y: Any) -> None:
    """Refuse metrics of another task before any model is fitted."""
    bare = [model[0] if isinstance(model, tuple) else model for model in models.values()]
    told = recipe.task or next(
        (task for model in bare if (task := adapter_for(model).task(model, y))), None
    )
    task = told or ("binary" if len(class_list(y, None)) < 3 else "multiclass")
    asked = [("metrics", text) for text in recipe.metrics or ()]
    ranking = {"compare_by": recipe.compare_by, "inner.metric": recipe.inner.get("metric")}
    asked += [(key, text) for key, text in ranking.items() if text is not None]
    for key, text in asked:
        metric = METRICS.parse(text)
        if task not in metric.tasks:
            able = ", ".join(sorted(metric.tasks))
            recipe.where.at(key).refuse(
                f"{text} is for {able} tasks; the task of this study is {task}"
            )
        if key != "metrics" and metric.better == "neither":
            recipe.where.at(key).refuse(
                f"{text} is better neither higher nor lower, so that it ranks no models"
            )


def _data(recipe: Recipe) -> dict[str, Any]:
    """X, y and what comes with them, from a file or a function."""
    told, where = recipe.data, recipe.where.at("data")
    if ("file" in told) == ("load" in told):
        where.refuse(
            "give one of file (a table with a target column) and load (an import path of a function)"
        )
    if "load" in told:
        for key in told:
            if key not in ("load", "params"):
                where.at(key).refuse(
                    "goes with file; a function of load returns what it has itself"
                )
        return _loaded(where, told)
    if "target" not in told:
        where.refuse(
            "the key 'target' is missing; name the column of the file that holds the truth"
        )
    return _from_file(where, recipe.path.parent / told["file"], told)


def _loaded(where: Where, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the function returned: (X, y), or a mapping of X, y, groups, weight, id."""
    function = imported(where.at("load"), told["load"])
    try:
        found = function(**told.get("params", {}))
    except Exception as error:
        where.at("load").refuse(f"{told['load']} failed: {type(error).__name__}: {error}")
    if isinstance(found, tuple) and len(found) == 2:
        found = {"X": found[0], "y": found[1]}
    given = (
        {GIVEN[k]: v for k, v in found.items() if k in GIVEN} if isinstance(found, Mapping) else {}
    )
    if not {"X", "y"} <= given.keys():
        where.at("load").refuse(
            f"{told['load']} returned {type(found).__name__}; expected (X, y), or a mapping with X and y (and groups, "
            f"weight, id where there are any)"
        )
    return given


def _from_file(where: Where, path: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    try:
        table = read_table(path).table
    except AssayError as error:
        where.at("file").refuse(str(error), type(error))
    named = {key: told[key] for key in ("target", "groups", "weight", "id") if key in told}
    dropped = told.get("drop", [])
    features = told.get("features") or [
        n for n in table.column_names if n not in (*named.values(), *dropped)
    ]
    asked: dict[str, list[str]] = {key: [name] for key, name in named.items()}
    for key, names in (asked | {"drop": dropped, "features": features}).items():
        for name in names:
            if name not in table.column_names:
                where.at(key).refuse(
                    f"{path} has no column {name!r}; its columns are {', '.join(table.column_names)}"
                )
    if not features:
        where.refuse(f"{path} has no column left to learn from beside {', '.join(named.values())}")
    wanted = {
        "y" if key == "target" else key: _column(where.at(key), table, name)
        for key, name in named.items()
    }
    return {"X": _features(where, table.select(features), told.get("frame")), **wanted}


def _column(where: Where, table: pa.Table, name: str) -> Array:
    column = table.column(name)
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        where.refuse(f"column {name!r} has no value at row {row}; fill it or drop the row")
    values: Array = np.asarray(column.to_pylist()) if is_text(column.type) else column.to_numpy()
    return values


def _features(where: Where, table: pa.Table, frame: bool | None) -> Any:
    """A matrix (n, features) where all are numbers; a pandas frame otherwise, or where it is asked for."""
    numeric = [
        pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_boolean(t)
        for t in table.schema.types
    ]
    texts = [name for name, plain in zip(table.column_names, numeric, strict=True) if not plain]
    if frame is False and texts:
        where.at("frame").refuse(
            f"column {texts[0]!r} does not hold numbers; drop it, or set frame = true"
        )
    if not texts and not frame:
        return np.column_stack([c.to_numpy().astype(np.float64) for c in table.columns])
    try:
        return table.to_pandas()
    except ImportError:
        where.refuse(
            f"columns that hold no numbers ({', '.join(texts) or 'frame = true'}) are read into a pandas frame, and "
            f"pandas is not installed; run: pip install pandas, or drop the columns"
        )
