"""threshold: `assay threshold`, the score from which a binary model should say yes."""

from typing import Any

import click

from assay.cli.options import JSON, SEED, add_metric, add_reading, read_table, show
from assay.errors import SchemaError

__all__ = ["threshold"]


@click.command()
@add_reading
@click.option(
    "--tune", metavar="MODEL", help="Model whose threshold to choose (default: the only one)."
)
@add_metric("Metric that the threshold is to make best (default: f1).")
@click.option(
    "--costs",
    nargs=2,
    type=float,
    metavar="FP FN",
    help="What a false positive and a false negative cost, in place of a metric.",
)
@click.option(
    "--folds",
    default=5,
    show_default=True,
    help="Folds of the cross-fitting, where the table has none.",
)
@SEED
@JSON
def threshold(
    files: tuple[str, ...],
    tune: str | None,
    metric: str | None,
    costs: tuple[float, float] | None,
    folds: int,
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """The threshold of a binary model in FILE..., chosen and judged by inner cross-validation.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        tune: Model whose threshold to choose (default: the only one).
        metric: Metric that the threshold is to make best (default: f1).
        costs: What a false positive and a false negative cost, in place of a metric.
        folds: Folds of the cross-fitting, where the table has none; default 5.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    if metric and costs:
        raise click.UsageError("--costs stands in place of --metric; give one of them")
    table = read_table(files, **reading)
    model = tune or _only_model(table.models)
    options: dict[str, Any] = {"costs": costs, "folds": folds, "seed": seed}
    show(assay.tune_threshold(table, model, metric or "f1", **options), json_to)


def _only_model(models: list[str]) -> str:
    if len(models) > 1:
        names = ", ".join(models)
        raise SchemaError(f"the table has {len(models)} models; give --tune, one of {names}")
    return models[0]
