"""Fuse."""

from typing import Any

import click

from assay.cli.options import SEED, predictions_options, read_table

__all__ = ["fuse"]


@click.command()
@predictions_options
@click.option(
    "--how",
    default="auto",
    show_default=True,
    metavar="HOW",
    help="auto, or a fusion: see 'assay list fusions'.",
)
@click.option("--metric", metavar="M", help="Metric the fusion aims at, where it can choose.")
@click.option("--name", metavar="NAME", help="Name of the fused model in the table.")
@click.option(
    "--out",
    "-o",
    required=True,
    metavar="OUT",
    help="File for the table with the fused model in it.",
)
@click.option(
    "--folds",
    default=5,
    show_default=True,
    help="Folds of the cross-fitting, where the table has none.",
)
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

    fused = assay.fuse(
        read_table(files, **reading), how, metric=metric, name=name, folds=folds, seed=seed
    )
    assay.write(fused.predictions, out)
    click.echo(repr(fused))
    click.echo(f"written: {out}", err=True)
