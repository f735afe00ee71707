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
@click.option(
    "--models",
    "chosen",
    metavar="A,B,...",
    help="Models to fuse; the others stay in the table as they are.  [default: all]",
)
@click.option(
    "--weights",
    metavar="A=W,B=W,...",
    help="Weight of each model that is fused, for mean and votes.",
)
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
    chosen: str | None,
    weights: str | None,
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
        chosen: Models to fuse, with commas between; default: all.
        weights: Weight of each model that is fused, for mean and votes.
        name: Name of the fused model in the table.
        out: File for the table with the fused model in it.
        folds: Folds of the cross-fitting, where the table has none; default 5.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    names = None if chosen is None else [name.strip() for name in chosen.split(",")]
    given = None if weights is None else _parse_weights(weights)
    table = read_table(files, **reading)
    fused = assay.fuse(
        table,
        how,
        metric=metric,
        models=names,
        weights=given,
        name=name,
        folds=folds,
        seed=seed,
    )
    assay.write(fused.predictions, out)
    show(fused, json_to)
    say(f"written: {out}")


def _parse_weights(text: str) -> dict[str, float]:
    """The weight of each model that a text such as "a=0.7,b=0.3" gives."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            raise click.UsageError(
                f"--weights: {part.strip()!r} gives no model a number; say as in a=0.7,b=0.3"
            ) from None
    return weights
