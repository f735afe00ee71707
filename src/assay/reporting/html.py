"""Page: findings as one self-contained HTML file that needs no network and no script, every chart with its table.

>>> Table(("model", "f1"), ((Cell("knn"), Cell("0.96", "0.95 to 0.97", number=True)),)).header
('model', 'f1')
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from assay.charts import (
    confusion,
    differences,
    fusion,
    leaderboard,
    loss_curve,
    metric_curve,
    precision_recall,
    ranked,
    reliability,
    residuals,
    roc,
)
from assay.charts.performance import MOST_CLASSES
from assay.charts.base import AltairChart
from assay.charts.style import DARK, Drawing, draw
from assay.comparison.compare import Comparison
from assay.core.text import format_number
from assay.diagnosis.diagnose import RunDiagnosis
from assay.evaluation.evaluate import Evaluation
from assay.fusions.fuse import Fused
from assay.metrics.base import METRICS
from assay.reporting import tables as twins
from assay.reporting.content import Findings
from assay.reporting.prose import important, next_steps, verdict_on
from assay.reporting.tables import Cell, Table
from assay.version import __version__

__all__ = ["Cell", "Figure", "Section", "Table", "page"]

MOST_SHOWN = 6  # models whose confusion matrix or panel is drawn, the best first

METHODS = {
    "wilson": "Wilson's score interval of a proportion of rows",
    "t": "Student's t on the values of the rows",
    "delong": "DeLong's variance of the area, on the logit scale",
    "bootstrap": "bootstrap of the rows, by their counts or in buckets",
    "cluster bootstrap": "bootstrap of whole clusters of rows",
    "mcnemar mid-p": "McNemar's mid-p test on the rows where one of the two is right; interval by Bonett and Price",
    "paired t": "Student's t on the differences of the rows",
    "paired delong": "DeLong's paired test of two areas",
    "paired bootstrap": "paired bootstrap: both models on the same draws of rows",
    "paired cluster bootstrap": "paired bootstrap: both models on the same draws of clusters",
}


class Figure(NamedTuple):
    """A drawing and the table that says the same."""

    drawing: Drawing
    table: Table


@dataclass(frozen=True)
class Section:
    """One part of the page; `columns` figures stand side by side where there is room."""

    id: str
    title: str
    lead: str = ""
    table: Table | None = None
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    columns: int = 1
    badge: str = ""
    steps: Sequence[str] = ()
    inner: Sequence["Section"] = ()


ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


def page(findings: Findings) -> str:
    """The whole page as text."""
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    # Names of models and classes come from anywhere: everything is escaped but what this library draws itself.
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=findings.title,
        facts=_facts(findings),
        verdict=verdict_on(findings),
        steps=next_steps(findings),
        advice=important(findings.evaluation.advice),
        notes=[*findings.notes, *findings.evaluation.notes],
        sections=list(_sections(findings)),
        dark=DARK,
    )


def _facts(findings: Findings) -> list[tuple[str, str]]:
    p = findings.predictions
    facts = [("rows", f"{p.n:,}"), ("task", p.task), ("models", str(len(p.models)))]
    if p.classes:
        facts.append(("labels" if p.task == "multilabel" else "classes", str(len(p.classes))))
    if p.task == "binary":
        facts.append(("positive class", str(p.schema.positive)))
    return [*facts, ("ranked by", findings.metric)]


def _sections(findings: Findings) -> Iterator[Section]:
    """The parts of the page that apply to these findings, in order."""
    yield _leaderboard(findings)
    if findings.comparison is not None and findings.comparison.pairs:
        yield _comparison(findings.comparison)
    if findings.held is not None:
        yield _held(findings)
    if findings.fused is not None:
        yield _fused(findings.fused)
    for make in (_errors, _ranking, _trust, _residuals):
        section = make(findings)
        if section is not None:
            yield section
    if findings.diagnosis is not None:
        runs = tuple(_run(run, i) for i, run in enumerate(findings.diagnosis.runs))
        yield Section(
            "training",
            "Training",
            "Whether each run over- or underfits, and where it was best.",
            inner=runs,
        )
    yield _methods(findings)


def _leaderboard(findings: Findings) -> Section:
    table, notes = figures_table(
        findings.evaluation, findings.metric, findings.tied, findings.baseline
    )
    chart = leaderboard(
        findings.evaluation, findings.metric, findings.comparison, baseline=findings.baseline
    )
    lead = (
        f"Best first by {findings.metric}; in grey, the {findings.confidence:.0%} interval of each figure. Intervals "
        "that overlap do not tell whether two models differ: the paired comparison does."
    )
    twin = twins.of_rows(findings.ranked)
    return Section(
        "leaderboard", "Leaderboard", lead, table, notes, [Figure(draw(chart, "leaderboard"), twin)]
    )


def figures_table(
    evaluation: Evaluation, metric: str, tied: Sequence[str] = (), baseline: str | None = None
) -> tuple[Table, list[str]]:
    """A row a model, best first; a column a metric, that of the ranking first; and notes on single figures."""
    plain = list(
        dict.fromkeys(r.metric for r in evaluation.rows if r.class_ is None and r.group is None)
    )
    names = [metric, *(name for name in plain if name != metric)]
    rows, marks, notes = [], [], []
    for best in ranked(evaluation, metric, baseline):
        found = [evaluation.get(best.model, name) for name in names]
        badge = "baseline" if best.model == baseline else "" if best.model not in tied else "best"
        badge = "tied for best" if badge == "best" and len(tied) > 1 else badge
        rows.append((Cell(best.model, badge), *map(twins.of_row, found)))
        marks.append({"": "", "baseline": "baseline"}.get(badge, "tied"))
        notes += [
            f"{r.model}, {r.metric}: {r.note}" for r in found if r.note and not math.isnan(r.value)
        ]
    header = (
        "model",
        *(f"{name}\N{NO-BREAK SPACE}{ARROWS[METRICS.parse(name).better]}" for name in names),
    )
    return Table(header, tuple(rows), tuple(marks)), notes


def _comparison(comparison: Comparison) -> Section:
    pairs = twins.of_pairs(comparison)
    lead = (
        f"Every two models on the same rows, by {comparison.metric}. p-values are corrected for all pairs "
        f"({comparison.correction_name}). "
        + (
            f"Tied for best: {', '.join(comparison.tied)}."
            if len(comparison.tied) > 1
            else f"Best: {comparison.best}."
        )
    )
    figure = Figure(draw(differences(comparison), "differences"), pairs)
    return Section("comparison", "Comparison", lead, None, comparison.notes, [figure])


def _held(findings: Findings) -> Section:
    assert findings.held is not None
    found = findings.held
    tied = found.comparison.tied if found.comparison is not None else ()
    table, notes = figures_table(found.evaluation, findings.metric, tied)
    n = found.evaluation.n
    verdict = (
        found.comparison.verdict
        if found.comparison is not None
        else "Nothing can be compared on these rows."
    )
    return Section(
        "held-out",
        "On held-out rows",
        f"{n:,} rows that nothing was chosen on. {verdict}",
        table,
        notes,
    )


def _fused(fused: Fused) -> Section:
    what = fused.loss_name
    rows = [(Cell(r["model"]), _number(r["weight"]), _number(r["loss"])) for r in fused.records]
    table = Table(("model", "weight", what), tuple(rows))
    return Section(
        "fusion", "Fusion", fused.note, None, (), [Figure(draw(fusion(fused), "fusion"), table)]
    )


def _number(value: float | None) -> Cell:
    return Cell(format_number(value), number=True)


def _best_models(findings: Findings, reads: str) -> list[str]:
    """The models that give what a chart reads, best first, as many as are drawn."""
    schema = findings.predictions.schema
    models = [
        row.model for row in findings.ranked if row.model in schema.models
    ]  # not the baseline, none that failed
    return [m for m in models if schema.offers(m, reads)][:MOST_SHOWN]


def _errors(findings: Findings) -> Section | None:
    p, models = findings.predictions, _best_models(findings, "label")
    if p.task == "regression" or not models or not p.n:
        return None
    figures = [
        _named(_figure(confusion(p, m), f"confusion-{i}", twins.of_confusion(p, m)), m)
        for i, m in enumerate(models)
    ]
    lead = _what_errors(findings)
    columns = 2 if p.schema.k <= 12 and p.task != "multilabel" else 1
    return Section(
        "errors", "Errors", lead + _left_out(findings, "label"), None, (), figures, columns
    )


def _what_errors(findings: Findings) -> str:
    if findings.predictions.task == "multilabel":
        return "Rows of each label by outcome; colour is the share of all rows."
    if findings.predictions.schema.k > MOST_CLASSES:
        return "The most frequent errors, with their share of the true class."
    return "Rows by true and predicted class; colour is the share of the true class. The diagonal is right."


def _left_out(findings: Findings, reads: str) -> str:
    schema = findings.predictions.schema
    number = sum(schema.offers(m, reads) for m in schema.models)
    return f" The best {MOST_SHOWN} of {number} models." if number > MOST_SHOWN else ""


def _ranking(findings: Findings) -> Section | None:
    p = findings.predictions
    if p.task == "regression" or not p.n or not any(p.schema.offers(m, "score") for m in p.models):
        return None
    curves = [
        _figure(roc(p), "roc", twins.of_roc(p)),
        _figure(precision_recall(p), "pr", twins.of_precision_recall(p)),
    ]
    lead = "How well scores put positive rows first, whatever the threshold. Where positives are rare, read the second."
    return Section("thresholds", "ROC, precision and recall", lead, None, (), curves, 2)


def _trust(findings: Findings) -> Section | None:
    p, models = findings.predictions, _best_models(findings, "proba")
    if p.task == "regression" or not models or not p.n:
        return None
    figures = [
        _named(
            _figure(reliability(p.select([m])), f"reliability-{i}", twins.of_reliability(p, m)), m
        )
        for i, m in enumerate(models)
    ]
    lead = (
        f"Whether probabilities of {_event(findings)} can be taken at their word: on the diagonal they can, below it "
        "the model is over-confident. At most ten bins of equally many rows; bars are 95 % Wilson intervals."
    )
    return Section(
        "reliability", "Reliability", lead + _left_out(findings, "proba"), None, (), figures, 3
    )


def _event(findings: Findings) -> str:
    schema = findings.predictions.schema
    return {"binary": f"class {schema.positive}", "multiclass": "the most probable class"}.get(
        schema.task, "every label"
    )


def _residuals(findings: Findings) -> Section | None:
    p, models = findings.predictions, _best_models(findings, "value")
    if p.task != "regression" or not models or not p.n:
        return None
    figures = [
        _named(_figure(residuals(p.select([m])), f"residuals-{i}", twins.of_residuals(p, m)), m)
        for i, m in enumerate(models)
    ]
    lead = (
        "Truth minus prediction along the predicted value: the median, and the middle 50 % and 90 % of rows. A median "
        "away from zero is bias; bands that widen are errors that grow."
    )
    return Section(
        "residuals", "Residuals", lead + _left_out(findings, "value"), None, (), figures, 2
    )


def _figure(chart: AltairChart, name: str, table: Table) -> Figure:
    return Figure(draw(chart, name), table)


def _named(figure: Figure, model: str) -> Figure:
    """The figure under the name of the one model it shows."""
    return figure._replace(drawing=figure.drawing._replace(title=model, subtitle=""))


def _run(run: RunDiagnosis, i: int) -> Section:
    figures = [_figure(loss_curve(run), f"loss-{i}", twins.of_curves(run, run.history.loss))]
    metric = metric_curve(run)
    if metric is not None:
        figures.append(_figure(metric, f"metric-{i}", twins.of_curves(run, run.history.metrics[0])))
    badge = run.status.replace("_", " ")
    lead = f"{run.evidence['finding']}. Confidence: {run.confidence}."
    remarks = [str(remark) for remark in run.evidence["remarks"]]
    return Section(
        f"run-{i}",
        run.name,
        lead[0].upper() + lead[1:],
        None,
        remarks,
        figures,
        2,
        badge,
        run.remedies,
    )


def _methods(findings: Findings) -> Section:
    """How each number was made, so that it can be made again."""
    used: dict[str, list[str]] = {}
    for row in findings.evaluation.rows:
        used.setdefault(row.method, []).append(row.metric)
    for pair in findings.comparison.pairs if findings.comparison is not None else ():
        used.setdefault(pair.method, []).append("differences")
    rows = [
        (Cell(", ".join(dict.fromkeys(metrics))), Cell(METHODS.get(method, method)))
        for method, metrics in used.items()
        if method
    ]
    return Section(
        "methods",
        "How the numbers were made",
        _procedure(findings),
        Table(("figure", "interval by"), tuple(rows)),
    )


def _procedure(findings: Findings) -> str:
    p = findings.predictions
    weighted = ", weighted by the weight column" if p.weight is not None else ""
    clustered = "; rows of a cluster are not taken as independent" if "cluster" in p.columns else ""
    flat = {"regression": "the mean of the truth", "multilabel": "the majority of each label"}
    says = flat.get(
        p.task, "the most frequent class, with the shares of the classes as probabilities"
    )
    baseline = f" The baseline always says {says}." if findings.baseline else ""
    return (
        f"{p.n:,} rows{weighted}{clustered}. Intervals cover the true figure with {findings.confidence:.0%} "
        f"confidence; seed {findings.seed}. A figure that the data do not define is shown as – with the reason, and is "
        f"never counted as 0.{baseline} Made with assay {__version__}."
    )
