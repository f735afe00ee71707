"""compare: `assay compare`, which model is best, and which are not significantly different."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from assay.cli.options import (
    CONFIDENCE,
    EQUIVALENCE,
    JSON,
    POINT,
    SEED,
    add_metric,
    add_reading,
    apply_gate,
    read_table,
    refuse_alone,
    show,
)

__all__ = ["compare"]


@click.command()
@add_reading
@add_metric("Metric to compare by (default: f1, or mse in regression).")
@CONFIDENCE
@click.option(
    "--unit",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "rows", "folds"]),
    help="rows: which fitted model is better; folds: which algorithm, from cross-validation.",
)
@EQUIVALENCE
@click.option(
    "--correction",
    default="holm",
    show_default=True,
    type=click.Choice(["holm", "benjamini_hochberg"]),
    help="Of the p-values, for all pairs.",
)
@click.option(
    "--selected",
    is_flag=True,
    help="Also what the best is worth, freed of having been chosen for it.",
)
@click.option(
    "--datasets",
    is_flag=True,
    help="Each FILE is a data set of its own: which model is best over them?",
)
@click.option(
    "--not-worse-than",
    "baseline",
    metavar="MODEL",
    help="Exit 1 if a model may be worse than this one.",
)
@click.option(
    "--margin", type=float, metavar="X", help="By how much it may be worse.  [default: 0]"
)
@POINT
@SEED
@JSON
def compare(
    files: tuple[str, ...],
    metric: str | None,
    confidence: float,
    unit: Any,
    equivalence: float | None,
    correction: Any,
    selected: bool,
    datasets: bool,
    baseline: str | None,
    margin: float | None,
    point: bool,
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """Paired differences between the models in FILE..., and which are tied for best.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        metric: Metric to compare by (default: f1, or mse in regression).
        confidence: Level of the intervals; default 0.95.
        unit: rows: which fitted model is better; folds: which algorithm, from cross-validation;
            default auto.
        equivalence: Difference that does not matter: which models are as good?
        correction: Of the p-values, for all pairs; default holm.
        selected: Also what the best is worth, freed of having been chosen for it.
        datasets: Each FILE is a data set of its own: which model is best over them?
        baseline: Exit 1 if a model may be worse than this one.
        margin: By how much it may be worse; default 0.
        point: Check the values themselves, not their intervals.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay
    from assay.audit.requirements import worse_than

    refuse_alone("--margin", margin is not None, "--not-worse-than", baseline)
    refuse_alone("--point", point, "--not-worse-than", baseline)
    options: dict[str, Any] = {
        "equivalence": equivalence,
        "confidence": confidence,
        "seed": seed,
    }
    if datasets:
        if baseline or unit != "auto" or correction != "holm" or selected:
            raise click.UsageError(
                "--datasets goes with --metric, --equivalence, --confidence and --seed alone"
            )
        show(_compare_datasets(files, metric, options, reading), json_to)
        return
    table = read_table(files, **reading)
    options |= {"unit": unit, "correction": correction, "selected": selected}
    comparison = assay.compare(table, metric, **options)
    failures = []
    if baseline:
        failures = worse_than(comparison, baseline, margin=margin or 0.0, point=point)
    show(comparison, json_to)
    apply_gate(failures)


def _compare_datasets(
    files: Sequence[str], metric: str | None, options: Mapping[str, Any], reading: Any
) -> Any:
    """The models over the data sets, a file each, named by their paths."""
    import assay
    from assay.metrics.resolve import choose_default

    tables = {file: read_table([file], **reading) for file in files}
    default = choose_default(next(iter(tables.values())).schema)
    margin = options["equivalence"] or 0.0
    return assay.compare_datasets(tables, metric or default, **{**options, "equivalence": margin})
