"""fuse: `assay fuse`, one more model made of all, with an honest score."""

from typing import Any

import click

from assay.cli.options import JSON, SEED, add_metric, add_reading, read_table, say, show

__all__ = ["fuse"]


@click.command()
@add_reading
@click.option(
    "--how",
    default="auto",
    show_default=True,
    metavar="HOW",
    help="auto, or a fusion: see 'assay list fusions'.",
)
@add_metric("Metric the fusion aims at, where it can choose.")
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
@JSON
def fuse(
    files: tuple[str, ...],
    how: str,
    metric: str | None,
    name: str | None,
    out: str,
    folds: int,
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """Fuse the models in FILE... into one more; cross-fitted, so that its score is honest.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        how: auto, or a fusion: see 'assay list fusions'; default auto.
        metric: Metric the fusion aims at, where it can choose.
        name: Name of the fused model in the table.
        out: File for the table with the fused model in it.
        folds: Folds of the cross-fitting, where the table has none; default 5.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    table = read_table(files, **reading)
    fused = assay.fuse(table, how, metric=metric, name=name, folds=folds, seed=seed)
    assay.write(fused.predictions, out)
    show(fused, json_to)
    say(f"written: {out}")
