"""Diagnose."""

import click

from assay.cli.options import JSON, show

__all__ = ["diagnose"]


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@JSON
def diagnose(logs: tuple[str, ...], json_to: str | None) -> None:
    """Read training logs: good fit, overfit since when, underfit; best epoch; what to do."""
    import assay

    show(assay.diagnose(logs), json_to)
