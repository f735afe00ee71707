"""What commands share: options, the table read as they say, the result shown, and the exit status of a failed check.

>>> split(["f1, f_beta(beta=2)", "accuracy"]), label(" 3"), label("cat")
(['f1', 'f_beta(beta=2)', 'accuracy'], 3, 'cat')
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from assay.errors import SchemaError

__all__ = [
    "CONFIDENCE", "IGNORE", "JSON", "POINT", "SEED", "gate", "label", "only_with", "predictions_options",
    "read_table", "show", "split",
]  # fmt: skip


def predictions_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads a predictions table."""
    options = (
        click.argument("files", nargs=-1, required=True, metavar="FILE..."),
        click.option(
            "--truth",
            default="y",
            show_default=True,
            metavar="COL",
            help="Column that holds the truth.",
        ),
        click.option(
            "--task",
            metavar="T",
            help="binary, multiclass, multilabel or regression; read off the data if not said.",
        ),
        click.option("--positive", metavar="LABEL", help="Positive class of a binary task."),
        click.option(
            "--classes",
            metavar="A,B,...",
            help="All classes, where the table may not show or name them.",
        ),
        click.option(
            "--model",
            "models",
            multiple=True,
            metavar="COL",
            help="Bare column to read as a model (repeatable).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


JSON = click.option(
    "--json", "json_to", metavar="FILE|-", help="Write the result as JSON; - prints JSON alone."
)

CONFIDENCE = click.option(
    "--confidence", default=0.95, show_default=True, help="Level of the intervals."
)

SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))

IGNORE = click.option(
    "--ignore",
    multiple=True,
    metavar="CODE",
    help="Advice that is not wanted, as in A003 (repeatable).",
)

POINT = click.option(
    "--point", is_flag=True, help="Check the figures themselves, not their intervals."
)


def read_table(
    files: Sequence[str], truth: str, task: Any, positive: str | None, classes: str | None, models: tuple[str, ...],
    large: bool = False,
) -> Any:  # fmt: skip
    """The table that files hold; where `large`, one larger than memory is a stream."""
    from assay.io.read_write import read
    from assay.io.stream import opened

    declared = None if classes is None else [label(text) for text in classes.split(",")]
    reading = {
        "truth": truth,
        "task": task,
        "positive": positive,
        "classes": declared,
        "models": list(models) or None,
    }
    table = opened(files, **reading) if large else read(*files, **reading)
    if not table.n:
        raise SchemaError(
            f"{', '.join(files)}: the table has columns but no rows; give at least one row"
        )
    return table


def only_with(option: str, given: bool, other: str, value: Any) -> None:
    """Refuse an option that would say nothing without another."""
    if given and not value:
        raise click.UsageError(f"{option} goes with {other}; give both, or neither")


def label(text: str) -> str | int:
    """A class as typed on the command line: a whole number where it is one."""
    text = text.strip()
    return int(text) if text.lstrip("-").isdigit() else text


def split(
    given: Sequence[str],
    option: str = "--metric",
    remedy: str = "name a metric, or leave the option out for those that suit the table",
) -> list[str]:
    """What was asked for; one option may hold several, separated by commas outside brackets."""
    import re

    if any(not text.strip() for text in given):
        raise SchemaError(f"{option} is empty; {remedy}")
    return [m.strip() for text in given for m in re.split(r",(?![^(]*\))", text) if m.strip()]


def gate(failures: Sequence[str]) -> None:
    """Exit with 1 where a check failed, a line for each reason on standard error."""
    for failure in failures:
        click.echo(f"assay: check failed: {failure}", err=True)
    if failures:
        sys.exit(1)


def show(result: Any, json_to: str | None) -> None:
    """The result as text on standard output, or as JSON alone where that was asked for."""
    if json_to == "-":
        click.echo(result.to_json())
        return
    if json_to:
        result.to_json(json_to)
    click.echo(repr(result))
