"""demo: `assay demo`, the main job on real data, end to end."""

from pathlib import Path

import click

from assay.cli.options import JSON, SEED, show

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
    """The main job on real data, end to end: handwritten digits, four models, one verdict."""
    from assay.cli.digits import run_demo

    result = run_demo(out, seed=seed, say=lambda text: click.echo(text, err=True))
    show(result.report, json_to, result.text)
