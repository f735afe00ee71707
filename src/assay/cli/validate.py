"""validate: `assay validate`, a whole study from one file."""

import click

from assay.cli.options import JSON, say, show

__all__ = ["validate"]


@click.command()
@click.argument("study", metavar="STUDY.toml")
@click.option(
    "--out", "-o", metavar="DIR", help="Folder for the results (default: named after the file)."
)
@JSON
def validate(study: str, out: str | None, json_to: str | None) -> None:
    """Cross-validate, compare, fuse, report: a whole study in one file.

    Run again, it goes on where it stopped.

    \f

    Parameters:
        study: The file that describes it, as TOML.
        out: Folder for the results (default: named after the file).
        json_to: Write the result as JSON; - prints JSON alone.
    """
    import assay

    result = assay.run_study(study, output=out, say=say)
    show(result, json_to)
