"""demo: `assay demo`, the main job on real data, end to end."""

from pathlib import Path

import click

from assay.cli.options import JSON, SEED, say, show

__all__ = ["demo"]


@click.command()
@click.option(
    "--out",
    default="demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for the report and the tables.",
)
@SEED
@JSON
def demo(out: Path, seed: int, json_to: str | None) -> None:
    """The main job on real data, end to end: handwritten digits, four models, one verdict.

    \f

    Parameters:
        out: Folder for the report and the tables; default demo.
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
    """
    from assay.cli.digits import run_demo

    result = run_demo(out, seed=seed, say=say)
    show(result.report, json_to, result.text)
