"""Report."""

from pathlib import Path
from typing import Any

import click

from assay.cli.options import IGNORE, JSON, SEED, predictions_options, read_table, show, split

__all__ = ["demo", "report"]


@click.command()
@click.option(
    "--out", default="demo", show_default=True, metavar="DIR", type=click.Path(path_type=Path)
)
@SEED
def demo(out: Path, seed: int) -> None:
    """The main job on real data, end to end: handwritten digits, four models, one verdict."""
    from assay.cli.demo import run

    click.echo(run(out, seed=seed, say=lambda text: click.echo(text, err=True)))


@click.command()
@predictions_options
@click.option(
    "--metric", metavar="M", help="Metric to decide by (default: f1, or mse in regression)."
)
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option(
    "--out",
    "-o",
    required=True,
    metavar="report.html",
    help="The report: one self-contained HTML file.",
)
@IGNORE
@SEED
@JSON
def report(
    files: tuple[str, ...], metric: str | None, title: str | None, out: str, ignore: tuple[str, ...], seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """One HTML file to hand to a colleague, from predictions and training logs (FILE... [LOG...])."""
    import assay
    from assay.readers.base import is_log

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
