"""merge: `assay merge`, the evaluation of all rows from the states of separate jobs."""

import click

from assay.cli.options import JSON, show

__all__ = ["merge"]


@click.command()
@click.argument("states", nargs=-1, required=True, metavar="STATE...")
@click.option("-o", "--out", metavar="STATE", help="Write the joined states here as well.")
@JSON
def merge(states: tuple[str, ...], out: str | None, json_to: str | None) -> None:
    """The metrics over the rows of separate jobs, from the states that each kept.

    A job keeps its states with `assay evaluate --checkpoint STATE`.

    \f

    Parameters:
        states: Files that `assay evaluate --checkpoint` wrote.
        out: Write the joined states here as well.
        json_to: Write the result as JSON; - prints JSON alone.
    """
    from assay.evaluation.evaluate import build_evaluation
    from assay.evaluation.merge import merge_states, write_merged

    folded, plan = merge_states(states)
    if out is not None:
        write_merged(out, folded, plan)
    show(build_evaluation(folded, plan, progress=None), json_to)
