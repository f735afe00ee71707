"""Commands that lead to a decision: which model is best, one fused of all, a whole study, the report to hand on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from assay.cli.shared import (
    CONFIDENCE,
    IGNORE,
    JSON,
    POINT,
    SEED,
    gate,
    only_with,
    predictions_options,
    read_table,
    show,
    split,
)

__all__ = ["compare", "demo", "fuse", "report", "validate"]


@click.command()
@click.option("--out", default="demo", show_default=True, metavar="DIR", type=click.Path(path_type=Path))
@SEED
def demo(out: Path, seed: int) -> None:
    """The main job on real data, end to end: handwritten digits, four models, one verdict."""
    from assay.demo import run

    click.echo(run(out, seed=seed, say=lambda text: click.echo(text, err=True)))


@click.command()
@predictions_options
@click.option("--by-metric", metavar="M", help="Metric to compare by (default: f1, or mse in regression).")
@CONFIDENCE
@click.option(
    "--unit",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "rows", "folds"]),
    help="rows: which fitted model is better; folds: which algorithm, from cross-validation.",
)
@click.option(
    "--equivalence", metavar="X", type=float, help="Difference that does not matter: which models are as good?"
)
@click.option(
    "--correction",
    default="holm",
    show_default=True,
    type=click.Choice(["holm", "benjamini_hochberg"]),
    help="Of the p-values, for all pairs.",
)
@click.option("--selected", is_flag=True, help="Also what the best is worth, freed of having been chosen for it.")
@click.option("--datasets", is_flag=True, help="Each FILE is a data set of its own: which model is best over them?")
@click.option("--not-worse-than", "baseline", metavar="MODEL", help="Exit 1 if a model may be worse than this one.")
@click.option("--margin", type=float, metavar="X", help="By how much it may be worse.  [default: 0]")
@POINT
@SEED
@JSON
def compare(
    files: tuple[str, ...], by_metric: str | None, confidence: float, unit: Any, equivalence: float | None,
    correction: Any, selected: bool, datasets: bool, baseline: str | None, margin: float | None, point: bool, seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Paired differences between the models in FILE..., and which are tied for best."""
    import assay
    from assay.gates import worse_than

    only_with("--margin", margin is not None, "--not-worse-than", baseline)
    only_with("--point", point, "--not-worse-than", baseline)
    if datasets:
        if baseline or unit != "auto" or correction != "holm" or selected:
            raise click.UsageError("--datasets goes with --by-metric, --equivalence, --confidence and --seed alone")
        show(_over_datasets(files, by_metric, equivalence, confidence, seed, reading), json_to)
        return
    found = assay.compare(
        read_table(files, **reading), by_metric, unit=unit, correction=correction, equivalence=equivalence,
        selected=selected, confidence=confidence, seed=seed,
    )  # fmt: skip
    failures = worse_than(found, baseline, margin=margin or 0.0, point=point) if baseline else []
    show(found, json_to)
    gate(failures)


@click.command()
@predictions_options
@click.option(
    "--how", default="auto", show_default=True, metavar="HOW", help="auto, or a fusion: see 'assay list fusions'."
)
@click.option("--metric", metavar="M", help="Metric the fusion aims at, where it can choose.")
@click.option("--name", metavar="NAME", help="Name of the fused model in the table.")
@click.option("--out", "-o", required=True, metavar="OUT", help="File for the table with the fused model in it.")
@click.option("--folds", default=5, show_default=True, help="Folds of the cross-fitting, where the table has none.")
@SEED
def fuse(
    files: tuple[str, ...],
    how: str,
    metric: str | None,
    name: str | None,
    out: str,
    folds: int,
    seed: int,
    **reading: Any,
) -> None:
    """Fuse the models in FILE... into one more; its column is cross-fitted, so its score is honest."""
    import assay

    fused = assay.fuse(read_table(files, **reading), how, metric=metric, name=name, folds=folds, seed=seed)
    assay.write(fused.predictions, out)
    click.echo(repr(fused))
    click.echo(f"written: {out}", err=True)


@click.command()
@click.argument("study", metavar="STUDY.toml")
@click.option("--out", "-o", metavar="DIR", help="Folder for the results (default: named after the file).")
@JSON
def validate(study: str, out: str | None, json_to: str | None) -> None:
    """Cross-validate, compare, fuse, report: a whole study in one file; run again, it goes on where it stopped."""
    import assay

    show(assay.run_study(study, output=out, say=lambda text: click.echo(text, err=True)), json_to)


@click.command()
@predictions_options
@click.option("--metric", metavar="M", help="Metric to decide by (default: f1, or mse in regression).")
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option("--out", "-o", required=True, metavar="report.html", help="The report: one self-contained HTML file.")
@IGNORE
@SEED
@JSON
def report(
    files: tuple[str, ...], metric: str | None, title: str | None, out: str, ignore: tuple[str, ...], seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """One HTML file to hand to a colleague, from predictions and training logs (FILE... [LOG...])."""
    import assay
    from assay.reader import is_log

    logs = [f for f in files if is_log(f, reading["truth"])]
    tables = [f for f in files if f not in logs]
    if not tables:
        raise click.UsageError(
            f"none of {', '.join(files)} is a predictions table; for logs alone use 'assay diagnose'"
        )
    made = assay.report(
        read_table(tables, **reading), histories=logs or None, metric=metric, title=title, seed=seed,
        ignore=split(ignore, "--ignore", "name a code of advice, as in A003"),
    )  # fmt: skip
    made.save(out)
    click.echo(f"written: {out}", err=True)
    show(made, json_to)


def _over_datasets(
    files: Sequence[str], metric: str | None, rope: float | None, confidence: float, seed: int, reading: Any
) -> Any:
    """The models over the data sets, a file each, named by their paths."""
    import assay
    from assay.compare import DEFAULT

    tables = {file: read_table([file], **reading) for file in files}
    asked = metric or DEFAULT[next(iter(tables.values())).task]
    return assay.compare_datasets(tables, asked, rope=rope or 0.0, confidence=confidence, seed=seed)
