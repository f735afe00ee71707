"""Page: a report as one self-contained HTML file without script, every chart with its table.

>>> MarkedTable(("model", "f1"), ((Cell("knn"), Cell("0.96", "0.95 to 0.97", number=True)),)).header
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
    fusion_frontier,
    fusion_shares,
    leaderboard,
    loss_curve,
    metric_curve,
    precision_recall,
    reliability,
    residuals,
    roc,
)
from assay.charts.base import AltairChart
from assay.charts.leaderboard import rank_models
from assay.charts.performance import MOST_CLASSES
from assay.charts.style import DARK, Drawing, draw
from assay.comparison import fold_tests, paired_tests
from assay.core.text import Headline, format_number
from assay.diagnosis.diagnose import RunDiagnosis
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.values import Row
from assay.fusions.explain import FusionExplanation
from assay.intervals.procedures import describe_method
from assay.metrics.base import METRICS
from assay.reporting import tables
from assay.reporting.content import Content
from assay.reporting.prose import MOST_RUNS, draw_conclusions, list_steps, rank_advice
from assay.reporting.tables import Cell, MarkedTable
from assay.version import __version__

__all__ = ["Picture", "Section", "render_page"]

MOST_SHOWN = 6  # models whose confusion matrix or panel is drawn, the best first
TESTS = {**paired_tests.METHODS, **fold_tests.METHODS}
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
# What the baseline always says, by task, or where the truth holds grades of relevance.
BASELINES = {
    "graded": "the mean grade of each label",
    "regression": "the mean of the truth",
    "multilabel": "the majority of each label",
    "multioutput": "the mean of each output",
    "text": "the most frequent text",
    "detection": "no box",
}


class Picture(NamedTuple):
    """A drawing and the table that says the same."""

    drawing: Drawing
    table: MarkedTable


@dataclass(frozen=True)
class Section:
    """One part of the page; `columns` pictures stand side by side where there is room."""

    id: str
    title: str
    lead: str = ""
    table: MarkedTable | None = None
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    columns: int = 1
    badge: str = ""
    steps: Sequence[str] = ()
    inner: Sequence["Section"] = ()


def render_page(content: Content) -> str:
    """The whole page of `content` as text."""
    import jinja2

    headlines = [note for note in content.predictions.notes if isinstance(note, Headline)]
    # Names of models and classes come from anywhere: all is escaped but what this library draws.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=content.title,
        facts=_list_facts(content),
        verdict=draw_conclusions(content),
        steps=list_steps(content),
        advice=rank_advice(content.evaluation.advice),
        headlines=headlines,
        notes=[
            note for note in (*content.notes, *content.evaluation.notes) if note not in headlines
        ],
        sections=list(_make_sections(content)),
        dark=DARK,
    )


def _list_facts(content: Content) -> list[tuple[str, str]]:
    p = content.predictions
    facts = [("rows", f"{p.n:,}"), ("task", p.task), ("models", str(len(p.models)))]
    if p.classes:
        kind = {"multilabel": "labels", "multioutput": "outputs"}.get(p.task, "classes")
        facts.append((kind, str(len(p.classes))))
    if p.task == "binary":
        facts.append(("positive class", str(p.schema.positive)))
    return [*facts, ("ranked by", content.metric)]


def _make_sections(content: Content) -> Iterator[Section]:
    """The parts of the page that apply to the content, in order."""
    makers = (
        _show_leaderboard,
        _show_comparison,
        _show_held_out,
        _show_fits,
        _show_fusion,
        _show_errors,
        _show_ranking,
        _show_reliability,
        _show_residuals,
        _show_training,
        _show_methods,
    )
    sections = (make(content) for make in makers)
    yield from (section for section in sections if section is not None)


def _show_leaderboard(content: Content) -> Section:
    table, notes = _tabulate_metrics(
        content.evaluation, content.metric, content.tied_models, content.baseline
    )
    chart = leaderboard(
        content.evaluation, content.metric, content.comparison, baseline=content.baseline
    )
    lead = (
        f"Best first by {content.metric}; in grey, the {content.confidence:.0%} interval of each "
        f"value. Intervals that overlap do not tell whether two models differ: the paired "
        f"comparison does."
    )
    picture = _draw(chart, "leaderboard", tables.tabulate_rows(content.ranking))
    return Section("leaderboard", "Leaderboard", lead, table, notes, [picture])


def _tabulate_metrics(
    evaluation: Evaluation, metric: str, tied: Sequence[str] = (), baseline: str | None = None
) -> tuple[MarkedTable, list[str]]:
    """A row a model, best first; a column a metric, that of the ranking first; and notes."""
    # A model that failed has one row of each metric, also of those with a value a class.
    by_class = {row.metric for row in evaluation.rows if row.class_ is not None}
    whole = [row.metric for row in evaluation.rows if row.group is None]
    plain = [name for name in whole if name not in by_class]
    names = list(dict.fromkeys([metric, *plain]))
    rows = []
    marks = []
    notes = []
    for best in rank_models(evaluation, metric, baseline):
        values = [evaluation.get(best.model, name) for name in names]
        mark, badge = _choose_mark(best, tied, baseline)
        rows.append((Cell(best.model, badge), *map(tables.make_cell, values)))
        marks.append(mark)
        defined = [row for row in values if row.note and not math.isnan(row.value)]
        notes += [f"{row.model}, {row.metric}: {row.note}" for row in defined]
    arrows = [f"{name}\N{NO-BREAK SPACE}{ARROWS[METRICS.parse(name).better]}" for name in names]
    return MarkedTable(("model", *arrows), tuple(rows), tuple(marks)), notes


def _choose_mark(row: Row, tied: Sequence[str], baseline: str | None) -> tuple[str, str]:
    """How a row of the leaderboard stands out, and the word beside its model."""
    if row.model == baseline:
        return "baseline", "baseline"
    if row.model not in tied:
        return "", ""
    return "tied", "tied for best" if len(tied) > 1 else "best"


def _show_comparison(content: Content) -> Section | None:
    comparison = content.comparison
    if comparison is None or not comparison.pairs:
        return None
    several = len(comparison.tied) > 1
    best = f"Tied for best: {', '.join(comparison.tied)}" if several else f"Best: {comparison.best}"
    lead = (
        f"Every two models on the same rows, by {comparison.metric}. p-values and intervals are "
        f"corrected for all pairs ({comparison.correction_name}). {best}."
    )
    table = tables.tabulate_pairs(comparison)
    picture = _draw(differences(comparison), "differences", table)
    return Section("comparison", "Comparison", lead, None, comparison.notes, [picture])


def _show_held_out(content: Content) -> Section | None:
    if content.held_out is None:
        return None
    evaluation = content.held_out.evaluation
    comparison = content.held_out.comparison
    tied = comparison.tied if comparison is not None else ()
    table, notes = _tabulate_metrics(evaluation, content.metric, tied)
    nothing = "Nothing can be compared on these rows."
    verdict = comparison.verdict if comparison is not None else nothing
    lead = f"{evaluation.n:,} rows that nothing was chosen on. {verdict}"
    return Section("held-out", "On held-out rows", lead, table, notes)


def _show_fits(content: Content) -> Section | None:
    if content.training is None:
        return None
    table = tables.tabulate_fits(content)
    lead = (
        f"{content.metric} on {content.training.n:,} rows of the training, which judge no model, "
        f"and on the {content.evaluation.n:,} others. A model that is much better on the first "
        f"overfits; one that is bad on both underfits."
    )
    return Section("fits", "On training rows", lead, table)


def _show_fusion(content: Content) -> Section | None:
    fused = content.fused
    if fused is None:
        return None
    rows = [
        (Cell(row["model"]), _number_cell(row["weight"]), _number_cell(row["loss"]))
        for row in fused.records
    ]
    table = MarkedTable(("model", "weight", fused.loss_name), tuple(rows))
    picture = _draw(fusion(fused), "fusion", table)
    inner = [] if fused.explanation is None else list(_show_explanation(fused.explanation))
    return Section("fusion", "Fusion", fused.note, None, (), [picture], inner=inner)


def _show_explanation(why: FusionExplanation) -> Iterator[Section]:
    pictures = [
        _draw(fusion_shares(why), "fusion-shares", tables.tabulate_text(why.shares)),
        _draw(fusion_frontier(why), "fusion-frontier", tables.tabulate_text(why.choices)),
    ]
    yield Section("why", "Why it works", why.verdict, None, why.remarks, pictures, 2)
    lead = "Models help each other where they err on different rows."
    pairs = tables.tabulate_text(why.diversity)
    yield Section("diversity", "How differently models err", lead, pairs)
    if why.ambiguities:
        lead = "Mean loss of the models, less the ambiguity (their spread), is the fused loss."
        yield Section("spread", "What the spread is worth", lead, tables.tabulate_text(why.spread))


def _number_cell(value: float | None) -> Cell:
    return Cell(format_number(value), number=True)


def _best_models(content: Content, reads: str) -> list[str]:
    """The models that give what a chart reads, best first, as many as are drawn."""
    schema = content.predictions.schema
    # Neither the baseline nor models that failed are in the table.
    models = [row.model for row in content.ranking if row.model in schema.models]
    return [model for model in models if schema.offers(model, reads)][:MOST_SHOWN]


def _show_errors(content: Content) -> Section | None:
    p = content.predictions
    models = _best_models(content, "label")
    if p.task == "regression" or not models or not p.n:
        return None
    pictures = [
        _draw(confusion(p, model), f"confusion-{i}", tables.tabulate_confusion(p, model), model)
        for i, model in enumerate(models)
    ]
    lead = _describe_errors(content) + _count_left_out(content, "label")
    columns = 2 if p.schema.k <= 12 and p.task != "multilabel" else 1
    return Section("errors", "Errors", lead, None, (), pictures, columns)


def _describe_errors(content: Content) -> str:
    if content.predictions.task == "multilabel":
        return "Rows of each label by outcome; colour is the share of all rows."
    if content.predictions.schema.k > MOST_CLASSES:
        return "The most frequent errors, with their share of the true class."
    return (
        "Rows by true and predicted class; colour is the share of the true class. "
        "The diagonal is right."
    )


def _count_left_out(content: Content, reads: str) -> str:
    schema = content.predictions.schema
    number = sum(schema.offers(model, reads) for model in schema.models)
    return f" The best {MOST_SHOWN} of {number} models." if number > MOST_SHOWN else ""


def _show_ranking(content: Content) -> Section | None:
    p = content.predictions
    if p.task == "regression" or not p.n or not any(p.schema.offers(m, "score") for m in p.models):
        return None
    pictures = [
        _draw(roc(p), "roc", tables.tabulate_roc(p)),
        _draw(precision_recall(p), "pr", tables.tabulate_precision_recall(p)),
    ]
    lead = (
        "How well scores put positive rows first, whatever the threshold. Where positives are "
        "rare, read the second."
    )
    return Section("thresholds", "ROC, precision and recall", lead, None, (), pictures, 2)


def _show_reliability(content: Content) -> Section | None:
    p = content.predictions
    models = _best_models(content, "proba")
    if p.task == "regression" or not models or not p.n:
        return None
    pictures = []
    for i, model in enumerate(models):
        table = tables.tabulate_reliability(p, model)
        pictures.append(_draw(reliability(p.select([model])), f"reliability-{i}", table, model))
    lead = (
        f"Whether probabilities of {_describe_event(content)} can be taken at their word: on the "
        f"diagonal they can, below it the model is over-confident. At most ten bins of equally "
        f"many rows; bars are 95 % Wilson intervals.{_count_left_out(content, 'proba')}"
    )
    return Section("reliability", "Reliability", lead, None, (), pictures, 3)


def _describe_event(content: Content) -> str:
    schema = content.predictions.schema
    if schema.task == "binary":
        return f"class {schema.positive}"
    return "the most probable class" if schema.task == "multiclass" else "every label"


def _show_residuals(content: Content) -> Section | None:
    p = content.predictions
    models = _best_models(content, "value")
    if p.task != "regression" or not models or not p.n:
        return None
    pictures = []
    for i, model in enumerate(models):
        table = tables.tabulate_residuals(p, model)
        pictures.append(_draw(residuals(p.select([model])), f"residuals-{i}", table, model))
    lead = (
        f"Truth minus prediction along the predicted value: the median, and the middle 50 % and "
        f"90 % of rows. A median away from zero is bias; bands that widen are errors that grow."
        f"{_count_left_out(content, 'value')}"
    )
    return Section("residuals", "Residuals", lead, None, (), pictures, 2)


def _draw(chart: AltairChart, name: str, table: MarkedTable, model: str | None = None) -> Picture:
    """The chart and its table, under the name of the one `model` that it shows, if any."""
    drawing = draw(chart, name)
    if model is not None:
        drawing = drawing._replace(title=model, subtitle="")
    return Picture(drawing, table)


def _show_training(content: Content) -> Section | None:
    if content.diagnosis is None:
        return None
    count = len(content.diagnosis.runs)
    shown = content.diagnosis.list_best(MOST_RUNS)
    lead = "Whether each run over- or underfits, and where it was best."
    if content.diagnosis.ranking is not None:
        lead = f"{content.diagnosis.ranking.verdict}. {lead}"
    if len(shown) < count:
        lead += f" The best {len(shown)} of {count} runs; 'assay diagnose' lists them all."
    runs = tuple(_show_run(run, i) for i, run in enumerate(shown))
    return Section("training", "Training", lead, inner=runs)


def _show_run(run: RunDiagnosis, i: int) -> Section:
    loss = tables.tabulate_curves(run, run.history.loss)
    pictures = [_draw(loss_curve(run), f"loss-{i}", loss)]
    metric = metric_curve(run)
    if metric is not None:
        table = tables.tabulate_curves(run, run.history.metrics[0])
        pictures.append(_draw(metric, f"metric-{i}", table))
    finding = run.evidence["finding"]
    return Section(
        id=f"run-{i}",
        title=run.name,
        lead=f"{finding[0].upper()}{finding[1:]}. Confidence: {run.confidence}.",
        notes=[str(remark) for remark in run.evidence["remarks"]],
        pictures=pictures,
        columns=2,
        badge=run.status.replace("_", " "),
        steps=run.remedies,
    )


def _show_methods(content: Content) -> Section:
    """How each number was made, so that it can be made again."""
    uses = [(row.method, row.metric) for row in content.evaluation.rows]
    if content.comparison is not None:
        uses += [(pair.method, "differences") for pair in content.comparison.pairs]
    metrics: dict[str, dict[str, None]] = {}
    for method, metric in uses:
        if method:
            metrics.setdefault(method, {})[metric] = None
    rows = [
        (
            Cell(", ".join(names)),
            Cell(TESTS.get(method.partition(",")[0]) or describe_method(method)),
        )
        for method, names in metrics.items()
    ]
    table = MarkedTable(("metric", "interval by"), tuple(rows))
    return Section("methods", "How the numbers were made", _describe_procedure(content), table)


def _describe_procedure(content: Content) -> str:
    p = content.predictions
    weighted = ", weighted by the weight column" if p.weight is not None else ""
    clustered = "; rows of a cluster are not taken as independent" if "cluster" in p.columns else ""
    majority = "the most frequent class, with the shares of the classes as probabilities"
    says = BASELINES.get("graded" if p.schema.graded else p.task, majority)
    baseline = f" The baseline always says {says}." if content.baseline else ""
    return (
        f"{p.n:,} rows{weighted}{clustered}. Intervals cover the true value with "
        f"{content.confidence:.0%} confidence; seed {content.seed}. A value that the data do not "
        f"define is shown as – with the reason, and is never counted as 0.{baseline} Made with "
        f"assay {__version__}."
    )
