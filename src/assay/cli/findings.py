"""Commands that show what is there: figures of models and where they are weak, what logs say, what can be named."""

from typing import Any

import click

from assay.cli.shared import (
    CONFIDENCE,
    IGNORE,
    JSON,
    POINT,
    SEED,
    gate,
    label,
    only_with,
    predictions_options,
    read_table,
    show,
    split,
)

__all__ = ["diagnose", "evaluate", "fairness", "list_", "merge", "slices"]


@click.command()
@predictions_options
@click.option(
    "--metric", "-m", "metrics", multiple=True, metavar="M", help="Metric, as in f1 or 'f_beta(beta=2)' (repeatable)."
)
@click.option("--by", multiple=True, metavar="COL", help="Also for each value of this column (repeatable: crosses).")
@CONFIDENCE
@click.option("--intervals/--no-intervals", default=True, help="Whether to give an interval with each figure.")
@click.option(
    "--require", multiple=True, metavar="'M >= X'", help="Exit 1 unless the interval keeps the bound (repeatable)."
)
@POINT
@click.option(
    "--checkpoint", metavar="STATE", help="Keep the states here: goes on after an interruption, and can be merged."
)
@IGNORE
@SEED
@JSON
def evaluate(
    files: tuple[str, ...], metrics: tuple[str, ...], by: tuple[str, ...], confidence: float, intervals: bool,
    require: tuple[str, ...], point: bool, checkpoint: str | None, ignore: tuple[str, ...], seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Every metric of every model in FILE..., each with its interval; Parquet larger than memory is streamed."""
    import assay
    from assay.evaluate import defaults
    from assay.gates import Requirement

    required = [Requirement.parse(text) for text in split(require, "--require", "state a bound, as in 'f1 >= 0.9'")]
    only_with("--point", point, "--require", required)
    if required and not (intervals or point):
        raise click.UsageError("--require holds intervals to the bound: leave out --no-intervals, or give --point")
    table = read_table(files, large=True, **reading)
    asked: list[str] | None = split(metrics)
    if required:
        asked = [*(asked or defaults(table)), *(r.metric for r in required)]
    found = assay.evaluate(
        table, asked or None, by=by or None, intervals=intervals, confidence=confidence, seed=seed,
        checkpoint=checkpoint, ignore=split(ignore, "--ignore", "name a code of advice, as in A003"),
    )  # fmt: skip
    failures = [failure for one in required for failure in one.failures(found, point=point)]
    show(found, json_to)
    gate(failures)


@click.command()
@click.argument("states", nargs=-1, required=True, metavar="STATE...")
@click.option("-o", "--out", metavar="STATE", help="Write the joined states here as well.")
@JSON
def merge(states: tuple[str, ...], out: str | None, json_to: str | None) -> None:
    """The figures over the rows of separate jobs, from the states that each kept (evaluate --checkpoint STATE)."""
    from assay.evaluate import answer
    from assay.statefile import merged, write_merged

    folded, question = merged(states)
    if out is not None:
        write_merged(out, folded, question)
    show(answer(folded, question), json_to)


@click.command()
@predictions_options
@click.option("--by-metric", metavar="M", help="Metric to search by (default: accuracy, or mse in regression).")
@click.option("--by", multiple=True, metavar="COL", help="Column to slice by (repeatable; default: all).")
@click.option("--depth", default=2, show_default=True, help="Most columns to cross.")
@click.option("--min-rows", default=30, show_default=True, help="Fewest rows of a slice.")
@click.option("--alpha", default=0.05, show_default=True, help="Chance of reporting any slice without reason.")
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
@click.option("--by", required=True, multiple=True, metavar="COL", help="Column of groups (repeatable: crosses).")
@click.option("--metric", "-m", "metrics", multiple=True, metavar="M", help="Metric to hold between groups.")
@click.option("--reference", metavar="GROUP", help="Group to hold the others against (default: all other rows).")
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


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@JSON
def diagnose(logs: tuple[str, ...], json_to: str | None) -> None:
    """Read training logs: good fit, overfit since when, underfit; best epoch; what to do."""
    import assay

    show(assay.diagnose(logs), json_to)


@click.command(name="list")
@click.argument("family", type=click.Choice(["metrics", "fusions", "adapters", "engines", "readers"]))
def list_(family: str) -> None:
    """Names of all metrics, fusions, adapters, engines or readers, with what each is."""
    import importlib

    room = importlib.import_module(f"assay.{family.rstrip('s')}")
    registry = getattr(room, family.upper())
    width = max(map(len, registry.names()), default=0)
    for name in registry.names():
        first = (registry[name].__doc__ or "").strip().splitlines()[0].rstrip(".")
        click.echo(f"{name:<{width}}  {first}")
