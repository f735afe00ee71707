"""fairness: `assay fairness`, how metrics differ between groups of rows."""

from typing import Any

import click

from assay.cli.options import (
    CONFIDENCE,
    JSON,
    METRICS,
    SEED,
    add_reading,
    parse_label,
    read_table,
    show,
    split,
)

__all__ = ["fairness"]


@click.command()
@add_reading
@click.option(
    "--by",
    required=True,
    multiple=True,
    metavar="COL",
    help="Column of groups (repeatable: crosses).",
)
@METRICS
@click.option(
    "--reference",
    metavar="GROUP",
    help="Group to hold the others against (default: all other rows).",
)
@CONFIDENCE
@SEED
@JSON
def fairness(
    files: tuple[str, ...],
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    reference: str | None,
    confidence: float,
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """How the metrics of the models in FILE... differ between groups of rows.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        by: Column of groups (repeatable: crosses).
        metrics: Metric, as in f1 or 'f_beta(beta=2)' (repeatable).
        reference: Group to hold the others against (default: all other rows).
        confidence: Level of the intervals; default 0.95.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    table = read_table(files, **reading)
    group = None if reference is None else parse_label(reference)
    options: dict[str, Any] = {"reference": group, "confidence": confidence, "seed": seed}
    show(assay.fairness(table, by, split(metrics) or None, **options), json_to)
