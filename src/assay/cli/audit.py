"""Audit."""

from typing import Any

import click

from assay.cli.options import (
    CONFIDENCE,
    JSON,
    SEED,
    label,
    predictions_options,
    read_table,
    show,
    split,
)

__all__ = ["fairness", "slices"]


@click.command()
@predictions_options
@click.option(
    "--by-metric",
    metavar="M",
    help="Metric to search by (default: accuracy, or mse in regression).",
)
@click.option(
    "--by", multiple=True, metavar="COL", help="Column to slice by (repeatable; default: all)."
)
@click.option("--depth", default=2, show_default=True, help="Most columns to cross.")
@click.option("--min-rows", default=30, show_default=True, help="Fewest rows of a slice.")
@click.option(
    "--alpha", default=0.05, show_default=True, help="Chance of reporting any slice without reason."
)
@CONFIDENCE
@JSON
def slices(
    files: tuple[str, ...], by_metric: str | None, by: tuple[str, ...], depth: int, min_rows: int, alpha: float,
    confidence: float, json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """The slices of the rows in FILE... on which a model does significantly worse than on the rest."""
    import assay

    found = assay.weak_slices(
        read_table(files, **reading), by_metric, columns=by or None, depth=depth, min_rows=min_rows, alpha=alpha,
        confidence=confidence,
    )  # fmt: skip
    show(found, json_to)


@click.command()
@predictions_options
@click.option(
    "--by",
    required=True,
    multiple=True,
    metavar="COL",
    help="Column of groups (repeatable: crosses).",
)
@click.option(
    "--metric", "-m", "metrics", multiple=True, metavar="M", help="Metric to hold between groups."
)
@click.option(
    "--reference",
    metavar="GROUP",
    help="Group to hold the others against (default: all other rows).",
)
@CONFIDENCE
@SEED
@JSON
def fairness(
    files: tuple[str, ...], by: tuple[str, ...], metrics: tuple[str, ...], reference: str | None, confidence: float,
    seed: int, json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """How the figures of the models in FILE... differ between groups of rows."""
    import assay

    table = read_table(files, **reading)
    against = None if reference is None else label(reference)
    found = assay.fairness(
        table, by, split(metrics) or None, reference=against, confidence=confidence, seed=seed
    )  # fmt: skip
    show(found, json_to)
