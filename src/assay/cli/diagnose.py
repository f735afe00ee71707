"""diagnose: `assay diagnose`, what training logs say: overfitting, underfitting, best epoch."""

import click

from assay.cli.options import JSON, show

__all__ = ["diagnose"]


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--n-val", type=int, metavar="N", help="Number of validation rows.")
@click.option("--n-classes", type=int, metavar="K", help="Number of classes.")
@click.option(
    "--baseline",
    type=float,
    metavar="LOSS",
    help="Loss of a model that knows only how frequent each outcome is.",
)
@click.option(
    "--reference",
    type=float,
    metavar="LOSS",
    help="Loss known to be possible on the validation rows.",
)
@click.option(
    "--metric",
    metavar="NAME[:higher|lower]",
    help="Metric by which the epoch to keep is chosen.",
)
@click.option("--train", metavar="COL", help="Column of the training loss.")
@click.option("--val", metavar="COL", help="Column of the validation loss.")
@click.option("--x", metavar="COL", help="Column that numbers the rows, as epoch or step do.")
@click.option(
    "--seed-pattern",
    metavar="REGEX",
    help="Part of a run's name that tells its seed; read off words such as seed=3 if not said.",
)
@JSON
def diagnose(
    logs: tuple[str, ...],
    n_val: int | None,
    n_classes: int | None,
    baseline: float | None,
    reference: float | None,
    metric: str | None,
    train: str | None,
    val: str | None,
    x: str | None,
    seed_pattern: str | None,
    json_to: str | None,
) -> None:
    """Read training logs: good fit, overfit since when, underfit; best epoch; what to do.

    LOG is a file, or a folder below which every run is read. Of several runs: which is best, and
    whether the scatter between seeds explains it.

    \f

    Parameters:
        logs: Files or folders of training logs.
        n_val: Number of validation rows.
        n_classes: Number of classes.
        baseline: Loss of a model that knows only how frequent each outcome is.
        reference: Loss known to be possible on the validation rows.
        metric: Metric by which the epoch to keep is chosen.
        train: Column of the training loss.
        val: Column of the validation loss.
        x: Column that numbers the rows, as epoch or step do.
        seed_pattern: Regular expression that names the part of a run's name that is its seed.
        json_to: Write the result as JSON; - prints JSON alone.
    """
    import shutil

    import assay

    diagnosis = assay.diagnose(
        logs,
        n_val=n_val,
        n_classes=n_classes,
        baseline=baseline,
        reference=reference,
        metric=metric,
        train=train,
        val=val,
        x=x,
        seed_pattern=seed_pattern,
    )
    columns = shutil.get_terminal_size().columns
    show(diagnosis, json_to, None if json_to == "-" else diagnosis.draw_text(min(columns, 80)))
