"""checkpoints: what `assay fuse` does with weights instead of tables.

>>> has_weights(["a.safetensors", "b.safetensors"], "auto"), has_weights(["p.csv"], "auto")
(True, False)
"""

import importlib
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from assay.cli.options import list_given, say, show
from assay.errors import AssayError

__all__ = ["add_soup_options", "fuse_checkpoints", "has_weights", "refuse_soup_options"]

OPTIONS = (
    click.option(
        "--base",
        metavar="FILE",
        help="Checkpoint from which the others were fine-tuned, for task_arithmetic, ties, dare.",
    ),
    click.option(
        "--score",
        metavar="FILE.py:FUNCTION",
        help="Function of a state dict that scores checkpoints and their soup.",
    ),
    click.option(
        "--better",
        type=click.Choice(["higher", "lower"]),
        default="higher",
        show_default=True,
        help="Whether a higher or a lower score is better.",
    ),
    click.option(
        "--barrier",
        is_flag=True,
        help="Score the midpoint between each two checkpoints, too.",
    ),
)
OF_SOUPS = ("base", "score", "better", "barrier")
OF_BOTH = ("files", "how", "weights", "out", "seed", "json_to", *OF_SOUPS)


def add_soup_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add to `command` the options that are of checkpoints alone."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def has_weights(files: Sequence[str], how: str) -> bool:
    """Whether `files` are checkpoints, by their names, or `how` says so.

    Parameters:
        files: Paths of files or folders.
        how: What is asked for.
    """
    from assay.soups.folders import is_checkpoint

    return how == "soup" or all(is_checkpoint(Path(file)) for file in files)


def refuse_soup_options() -> None:
    """UsageError where the command has an option that is of checkpoints alone."""
    given = [name for name in list_given() if name in OF_SOUPS]
    if given:
        raise click.UsageError(
            f"--{given[0]} is for checkpoints, and these are tables; leave it out, or name "
            f"checkpoints (.safetensors, .pt, ...)"
        )


def fuse_checkpoints(files: Sequence[str], *, json_to: str | None, out: str, **given: Any) -> None:
    """Fuse checkpoints by their weights, show the result, and write them.

    Parameters:
        files: Paths of files or folders.
        json_to: Where the result is written as JSON; None: nowhere.
        out: File or folder for the weights.
        given: What else `assay.soup` takes, the score as text.
    """
    import assay

    strange = [name for name in list_given() if name not in OF_BOTH]
    if strange:
        raise click.UsageError(
            f"--{strange[0].replace('_', '-')} is for tables of predictions, and these are "
            f"checkpoints; leave it out"
        )
    score = given.pop("score")
    fused = assay.soup(list(files), score=None if score is None else _load_function(score), **given)
    notes = fused.save(out)
    show(fused, json_to)
    for note in [*notes, f"written: {out}"]:
        say(note)


def _load_function(text: str) -> Callable[..., Any]:
    """The function that FILE.py:FUNCTION, or MODULE:FUNCTION, names."""
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise click.UsageError(
            f"--score must be FILE.py:FUNCTION, as in score.py:accuracy; got {text!r}"
        )
    try:
        if place.endswith(".py"):
            names = runpy.run_path(place, run_name=Path(place).stem)
        else:
            names = vars(importlib.import_module(place))
    except AssayError:
        raise
    except FileNotFoundError as error:
        raise click.UsageError(f"--score: {place}: no such file; check the path") from error
    except Exception as error:
        kind = type(error).__name__
        raise click.UsageError(f"--score: {place} cannot be imported ({kind}: {error})") from error
    if not callable(names.get(name)):
        functions = [n for n, value in names.items() if callable(value) and n[0] != "_"]
        raise click.UsageError(
            f"--score: {place} has no function {name!r}; it has {', '.join(functions) or 'none'}"
        )
    function: Callable[..., Any] = names[name]
    return function
