"""membership: `assay membership`, whether losses give away which rows a model was trained on."""

from typing import Any

import click

from assay.cli.options import CONFIDENCE, JSON, add_reading, parse_label, read_table, show

__all__ = ["membership"]


@click.command()
@add_reading
@click.option(
    "--split",
    default="split",
    show_default=True,
    metavar="COL",
    help="Column that says which rows were trained on.",
)
@click.option(
    "--member",
    default="train",
    show_default=True,
    metavar="VALUE",
    help="Its value for those rows.",
)
@CONFIDENCE
@JSON
def membership(
    files: tuple[str, ...],
    split: str,
    member: str,
    confidence: float,
    json_to: str | None,
    **reading: Any,
) -> None:
    """Whether the losses of the models in FILE... tell rows trained on from others.

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        split: Column that says which rows were trained on; default split.
        member: Its value for those rows; default train.
        confidence: Level of the intervals; default 0.95.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    table = read_table(files, **reading)
    value = parse_label(member)
    show(assay.membership_inference(table, split, member=value, confidence=confidence), json_to)
