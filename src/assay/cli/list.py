"""list: `assay list FAMILY`, the names of all members of a family."""

import importlib

import click

__all__ = ["list_family"]

# Each family, and the wing whose `base` holds its registry.
FAMILIES = {
    "metrics": "metrics",
    "fusions": "fusions",
    "soups": "soups",
    "adapters": "adapters",
    "engines": "engines",
    "readers": "readers",
    "checks": "advice",
    "charts": "charts",
    "trackers": "tracking",
}


@click.command(name="list")
@click.argument("family", type=click.Choice(list(FAMILIES)))
def list_family(family: str) -> None:
    """Names of all metrics, fusions, soups, adapters, engines, readers, checks, charts or
    trackers, a line each.

    \f

    Parameters:
        family: What to list, as in metrics.
    """
    base = importlib.import_module(f"assay.{FAMILIES[family]}.base")
    registry = getattr(base, family.upper())
    names = registry.names()
    width = max(map(len, names), default=0)
    for name in names:
        summary = (registry[name].__doc__ or "").strip().splitlines()[0].rstrip(".")
        summary = summary.replace("`", "")
        click.echo(f"{name:<{width}}  {summary}")
