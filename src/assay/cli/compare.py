"""Commands that lead to a decision: which model is best, one fused of all, a whole study, the report to hand on."""

from collections.abc import Sequence
from typing import Any

import click

from assay.cli.options import (
    CONFIDENCE,
    JSON,
    POINT,
    SEED,
    gate,
    only_with,
    predictions_options,
    read_table,
    show,
)

__all__ = ["compare"]


@click.command()
@predictions_options
@click.option(
    "--by-metric", metavar="M", help="Metric to compare by (default: f1, or mse in regression)."
)
@CONFIDENCE
@click.option(
    "--unit",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "rows", "folds"]),
    help="rows: which fitted model is better; folds: which algorithm, from cross-validation.",
)
@click.option(
    "--equivalence",
    metavar="X",
    type=float,
    help="Difference that does not matter: which models are as good?",
)
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
    files: tuple[str, ...], by_metric: str | None, confidence: float, unit: Any, equivalence: float | None,
    correction: Any, selected: bool, datasets: bool, baseline: str | None, margin: float | None, point: bool, seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Paired differences between the models in FILE..., and which are tied for best."""
    import assay
    from assay.audit.requirements import worse_than

    only_with("--margin", margin is not None, "--not-worse-than", baseline)
    only_with("--point", point, "--not-worse-than", baseline)
    if datasets:
        if baseline or unit != "auto" or correction != "holm" or selected:
            raise click.UsageError(
                "--datasets goes with --by-metric, --equivalence, --confidence and --seed alone"
            )
        show(_over_datasets(files, by_metric, equivalence, confidence, seed, reading), json_to)
        return
    found = assay.compare(
        read_table(files, **reading), by_metric, unit=unit, correction=correction, equivalence=equivalence,
        selected=selected, confidence=confidence, seed=seed,
    )  # fmt: skip
    failures = worse_than(found, baseline, margin=margin or 0.0, point=point) if baseline else []
    show(found, json_to)
    gate(failures)


def _over_datasets(
    files: Sequence[str],
    metric: str | None,
    rope: float | None,
    confidence: float,
    seed: int,
    reading: Any,
) -> Any:
    """The models over the data sets, a file each, named by their paths."""
    import assay
    from assay.metrics.resolve import DEFAULT

    tables = {file: read_table([file], **reading) for file in files}
    asked = metric or DEFAULT[next(iter(tables.values())).task]
    return assay.compare_datasets(tables, asked, rope=rope or 0.0, confidence=confidence, seed=seed)
