"""evaluate: `assay evaluate`, every metric of every model with its interval."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from assay.cli.options import (
    CONFIDENCE,
    IGNORE,
    JSON,
    METRICS,
    POINT,
    SEED,
    add_reading,
    apply_gate,
    read_table,
    refuse_alone,
    show,
    split,
    split_codes,
)

if TYPE_CHECKING:
    from assay.audit.requirements import Requirement

__all__ = ["evaluate"]


@click.command()
@add_reading
@METRICS
@click.option(
    "--by",
    multiple=True,
    metavar="COL",
    help="Also for each value of this column (repeatable: crosses).",
)
@CONFIDENCE
@click.option(
    "--intervals/--no-intervals", default=True, help="Whether to give an interval with each value."
)
@click.option(
    "--require",
    multiple=True,
    metavar="'M >= X'",
    help="Exit 1 unless the interval keeps the bound (repeatable).",
)
@POINT
@click.option(
    "--checkpoint",
    metavar="STATE",
    help="Keep the states here: goes on after an interruption, and can be merged.",
)
@click.option(
    "--engine",
    metavar="E",
    help="What reads the rows, as in local (the default) or 'processes(workers=4)'.",
)
@IGNORE
@SEED
@JSON
def evaluate(
    files: tuple[str, ...],
    metrics: tuple[str, ...],
    by: tuple[str, ...],
    confidence: float,
    intervals: bool,
    require: tuple[str, ...],
    point: bool,
    checkpoint: str | None,
    engine: str | None,
    ignore: tuple[str, ...],
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """Every metric of every model in FILE..., each with its interval.

    Parquet larger than memory is streamed.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        metrics: Metric, as in f1 or 'f_beta(beta=2)' (repeatable).
        by: Also for each value of this column (repeatable: crosses).
        confidence: Level of the intervals; default 0.95.
        intervals: Whether to give an interval with each value.
        require: Exit 1 unless the interval keeps the bound (repeatable).
        point: Check the values themselves, not their intervals.
        checkpoint: Keep the states here: goes on after an interruption, and can be merged.
        engine: What reads the rows, as in local (the default) or 'processes(workers=4)'.
        ignore: Advice that is not wanted, as in A003 (repeatable).
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    bounds = split(require, "--require", "state a bound, as in 'f1 >= 0.9'")
    requirements = _parse_requirements(bounds)
    refuse_alone("--point", point, "--require", requirements)
    if requirements and not (intervals or point):
        raise click.UsageError(
            "--require holds intervals to the bound: leave out --no-intervals, or give --point"
        )
    table = read_table(files, large=True, **reading)
    texts: list[str] | None = split(metrics)
    if requirements:
        from assay.metrics.resolve import list_default_metrics

        texts = [*(texts or list_default_metrics(table)), *(r.metric for r in requirements)]
    evaluation = assay.evaluate(
        table,
        texts or None,
        by=by or None,
        intervals=intervals,
        confidence=confidence,
        seed=seed,
        checkpoint=checkpoint,
        engine=engine,
        ignore=split_codes(ignore),
    )
    show(evaluation, json_to)
    apply_gate([line for r in requirements for line in r.failures(evaluation, point=point)])


def _parse_requirements(bounds: Sequence[str]) -> "list[Requirement]":
    """The requirements that texts state; what judges them is imported where there is one."""
    if not bounds:
        return []
    from assay.audit.requirements import Requirement

    return [Requirement.parse(text) for text in bounds]
