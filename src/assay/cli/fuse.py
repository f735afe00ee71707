"""fuse: `assay fuse`, one more model made of all, with an honest score; or one of checkpoints."""

from typing import Any

import click

from assay.cli.checkpoints import (
    add_soup_options,
    fuse_checkpoints,
    has_weights,
    refuse_soup_options,
)
from assay.cli.options import (
    JSON,
    SEED,
    add_metric,
    add_reading,
    copy_pipes,
    list_given,
    parse_reading,
    read_table,
    say,
    show,
)

__all__ = ["fuse"]


@click.command()
@add_reading
@click.option(
    "--how",
    default="auto",
    show_default=True,
    metavar="HOW",
    help="auto, or a fusion: see 'assay list fusions'; of checkpoints soup, or one of 'assay list "
    "soups'.",
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
    help="Weight of each model that is fused, for mean and votes; of each checkpoint, for "
    "weighted.",
)
@click.option("--name", metavar="NAME", help="Name of the fused model in the table.")
@click.option(
    "--out",
    "-o",
    required=True,
    metavar="OUT",
    help="File for the table with the fused model in it; file or folder for fused weights.",
)
@click.option(
    "--folds",
    default=5,
    show_default=True,
    help="Folds of the cross-fitting, where the table has none.",
)
@click.option(
    "--save",
    metavar="POOL.json",
    help="File for the fitted fusion, for --apply.",
)
@click.option(
    "--apply",
    "pool",
    metavar="POOL.json",
    help="Fit nothing: apply the fusion that --save wrote to FILE..., with a truth or without.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Say why the fusion works: what each model adds, how differently they err, how few would "
    "do.",
)
@click.option(
    "--costs",
    metavar="A=C,B=C,...",
    help="Cost of each model that is fused, for what the cheap ones give; asks for --explain.",
)
@click.option(
    "--features",
    metavar="A,B,...",
    help="Columns that the fusion reads beside the models, for gated, neighbours and stacking.",
)
@click.option("--intervals", is_flag=True, help="Give a 95 % interval with each weight.")
@add_soup_options
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
    save: str | None,
    pool: str | None,
    explain: bool,
    costs: str | None,
    features: str | None,
    intervals: bool,
    base: str | None,
    score: str | None,
    better: Any,
    barrier: bool,
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """Fuse the models in FILE... into one more; cross-fitted, so that its score is honest.

    Checkpoints (.safetensors, .pt, .pth, .ckpt, .bin, folders of them) are fused by their weights.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table; or checkpoints.
        how: auto, or a fusion: see 'assay list fusions'; default auto. Of checkpoints soup, or one
            of 'assay list soups'.
        metric: Metric the fusion aims at, where it can choose.
        chosen: Models to fuse, with commas between; default: all.
        weights: Weight of each model that is fused, for mean and votes; of each checkpoint, for
            weighted.
        name: Name of the fused model in the table.
        out: File for the table with the fused model in it; file or folder for fused weights.
        folds: Folds of the cross-fitting, where the table has none; default 5.
        save: File for the fitted fusion, which --apply reads.
        pool: File of a fitted fusion that is applied to the files; nothing is fitted then.
        explain: Say why the fusion works: what each model adds, how few would do.
        costs: Cost of each model that is fused, for what the cheap ones give.
        features: Columns that the fusion reads beside the models, with commas between.
        intervals: Give a 95 % interval with each weight.
        base: Checkpoint from which the others were fine-tuned.
        score: Function that scores the weights of checkpoints, as FILE.py:function.
        better: Whether a higher or a lower score is better; default higher.
        barrier: Score the midpoint between each two checkpoints, too.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    names = None if chosen is None else [name.strip() for name in chosen.split(",")]
    given = None if weights is None else _parse_numbers("--weights", weights)
    prices = None if costs is None else _parse_numbers("--costs", costs)
    if has_weights(files, how):
        fuse_checkpoints(
            files,
            json_to=json_to,
            out=out,
            how=how,
            weights=given,
            base=base,
            score=score,
            better=better,
            barrier=barrier,
            seed=seed,
        )
        return
    refuse_soup_options()
    if pool is not None:
        _apply(pool, files, out, name, reading)
        return
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
        explain=explain,
        costs=prices,
        features=None if features is None else [name.strip() for name in features.split(",")],
        intervals=intervals,
    )
    assay.write(fused.predictions, out)
    if save is not None:
        fused.save(save)
    show(fused, json_to)
    say(f"written: {out}")


def _apply(
    pool: str, files: tuple[str, ...], out: str, name: str | None, reading: dict[str, Any]
) -> None:
    """Apply the fusion in the file `pool` to the rows of `files`, and write them."""
    import assay

    reading.pop("where")
    known = {"files", "out", "name", "pool", *reading}
    strange = [option for option in list_given() if option not in known]
    if strange:
        raise click.UsageError(
            f"--{strange[0].replace('_', '-')} is for fitting, and --apply fits nothing; leave it "
            f"out"
        )
    assay.apply_fusion(
        pool, copy_pipes(files), out, name=name or "fused", **parse_reading(**reading)
    )
    say(f"written: {out}")


def _parse_numbers(option: str, text: str) -> dict[str, float]:
    """The number of each model that an `option` gives as a text such as "a=0.7,b=0.3"."""
    numbers: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError:
            raise click.UsageError(
                f"{option}: {part.strip()!r} gives no model a number; say as in a=0.7,b=0.3"
            ) from None
    return numbers
