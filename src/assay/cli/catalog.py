"""Catalog."""

import click

__all__ = ["list_"]


@click.command(name="list")
@click.argument(
    "family", type=click.Choice(["metrics", "fusions", "adapters", "engines", "readers"])
)
def list_(family: str) -> None:
    """Names of all metrics, fusions, adapters, engines or readers, with what each is."""
    import importlib

    room = importlib.import_module(f"assay.{family}.base")
    registry = getattr(room, family.upper())
    width = max(map(len, registry.names()), default=0)
    for name in registry.names():
        first = (registry[name].__doc__ or "").strip().splitlines()[0].rstrip(".")
        click.echo(f"{name:<{width}}  {first}")
