"""slices: `assay slices`, on which rows a model is weak."""

from typing import Any

import click

from assay.cli.options import CONFIDENCE, JSON, add_metric, add_reading, read_table, show

__all__ = ["slices"]


@click.command()
@add_reading
@add_metric("Metric to search by (default: accuracy, or mse in regression).")
@click.option(
    "--by", multiple=True, metavar="COL", help="Column to slice by (repeatable; default: all)."
)
@click.option("--depth", default=2, show_default=True, help="Most columns to cross.")
@click.option("--min-rows", default=30, show_default=True, help="Fewest rows of a slice.")
@CONFIDENCE
@JSON
def slices(
    files: tuple[str, ...],
    metric: str | None,
    by: tuple[str, ...],
    depth: int,
    min_rows: int,
    confidence: float,
    json_to: str | None,
    **reading: Any,
) -> None:
    """The slices of the rows in FILE... on which a model does significantly worse.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        metric: Metric to search by (default: accuracy, or mse in regression).
        by: Column to slice by (repeatable; default: all).
        depth: Most columns to cross; default 2.
        min_rows: Fewest rows of a slice; default 30.
        confidence: Level of the intervals; default 0.95.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    table = read_table(files, **reading)
    options: dict[str, Any] = {"depth": depth, "min_rows": min_rows, "confidence": confidence}
    show(assay.weak_slices(table, metric, by=by or None, **options), json_to)
