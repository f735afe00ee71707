"""Commands that show what is there: figures of models and where they are weak, what logs say, what can be named."""

from typing import Any

import click

from assay.cli.options import (
    CONFIDENCE,
    IGNORE,
    JSON,
    POINT,
    SEED,
    gate,
    only_with,
    predictions_options,
    read_table,
    show,
    split,
)

__all__ = ["evaluate", "merge"]


@click.command()
@predictions_options
@click.option(
    "--metric",
    "-m",
    "metrics",
    multiple=True,
    metavar="M",
    help="Metric, as in f1 or 'f_beta(beta=2)' (repeatable).",
)
@click.option(
    "--by",
    multiple=True,
    metavar="COL",
    help="Also for each value of this column (repeatable: crosses).",
)
@CONFIDENCE
@click.option(
    "--intervals/--no-intervals", default=True, help="Whether to give an interval with each figure."
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
    from assay.audit.requirements import Requirement
    from assay.metrics.resolve import defaults

    required = [
        Requirement.parse(text)
        for text in split(require, "--require", "state a bound, as in 'f1 >= 0.9'")
    ]
    only_with("--point", point, "--require", required)
    if required and not (intervals or point):
        raise click.UsageError(
            "--require holds intervals to the bound: leave out --no-intervals, or give --point"
        )
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
    from assay.evaluation.checkpoint import merged, write_merged
    from assay.evaluation.evaluate import answer

    folded, question = merged(states)
    if out is not None:
        write_merged(out, folded, question)
    show(answer(folded, question), json_to)
