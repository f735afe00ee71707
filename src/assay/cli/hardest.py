"""hardest: `assay hardest`, the rows that models get most wrong."""

from typing import Any

import click

from assay.cli.options import JSON, add_reading, read_table, show

__all__ = ["hardest"]


@click.command()
@add_reading
@click.option("--models", "chosen", metavar="A,B,...", help="Models to go by.  [default: all]")
@click.option(
    "--most",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many rows to give.",
)
@JSON
def hardest(
    files: tuple[str, ...], chosen: str | None, most: int, json_to: str | None, **reading: Any
) -> None:
    """The rows of FILE... that models get most wrong, the hardest first.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        chosen: Models to go by, with commas between; default: all.
        most: How many rows to give; default 20.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    names = None if chosen is None else [name.strip() for name in chosen.split(",")]
    show(assay.hardest_rows(read_table(files, **reading), models=names, most=most), json_to)
