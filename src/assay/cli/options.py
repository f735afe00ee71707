"""What commands share: options, the table read as they say, output, and the exit status of gates.

>>> split(["f1, f_beta(beta=2)", "accuracy"]), parse_label(" 3"), parse_label("cat")
(['f1', 'f_beta(beta=2)', 'accuracy'], 3, 'cat')
"""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from assay.errors import SchemaError

__all__ = [
    "CONFIDENCE",
    "EQUIVALENCE",
    "IGNORE",
    "JSON",
    "METRICS",
    "POINT",
    "SEED",
    "add_metric",
    "add_reading",
    "apply_gate",
    "parse_label",
    "read_table",
    "refuse_alone",
    "show",
    "split",
    "split_codes",
]

Command = Callable[..., Any]

READING = (
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

JSON = click.option(
    "--json", "json_to", metavar="FILE|-", help="Write the result as JSON; - prints JSON alone."
)

CONFIDENCE = click.option(
    "--confidence", default=0.95, show_default=True, help="Level of the intervals."
)

EQUIVALENCE = click.option(
    "--equivalence",
    metavar="X",
    type=float,
    help="Difference that does not matter: which models are as good?",
)

METRICS = click.option(
    "--metric",
    "-m",
    "metrics",
    multiple=True,
    metavar="M",
    help="Metric, as in f1 or 'f_beta(beta=2)' (repeatable).",
)

SEED = click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of all that is drawn at random.",
)

IGNORE = click.option(
    "--ignore",
    multiple=True,
    metavar="CODE",
    help="Advice that is not wanted, as in A003 (repeatable).",
)

POINT = click.option(
    "--point", is_flag=True, help="Check the values themselves, not their intervals."
)


def add_reading(command: Command) -> Command:
    """Add to `command` the options that say how to read a predictions table."""
    for option in reversed(READING):
        command = option(command)
    return command


def add_metric(purpose: str) -> Callable[[Command], Command]:
    """The option `--metric`, of one metric; `purpose` says what it is for."""
    return click.option("--metric", "-m", metavar="M", help=purpose)


def read_table(
    files: Sequence[str],
    truth: str,
    task: Any,
    positive: str | None,
    classes: str | None,
    models: tuple[str, ...],
    large: bool = False,
) -> Any:
    """The table that `files` hold; where `large`, one larger than memory is a stream.

    `truth`, `task`, `positive`, `classes` and `models` are the options of `add_reading`.
    """
    from assay.io.source import open_table

    declared = None if classes is None else [parse_label(text) for text in classes.split(",")]
    reading = {
        "truth": truth,
        "task": task,
        "positive": positive,
        "classes": declared,
        "models": list(models) or None,
    }
    table = open_table(files, in_memory=not large, **reading)
    if not table.n:
        raise SchemaError(
            f"{', '.join(files)}: the table has columns but no rows; give at least one row"
        )
    return table


def refuse_alone(option: str, present: bool, other: str, value: Any) -> None:
    """Refuse `option`, where `present`, if the `other` that it goes with has no `value`."""
    if present and not value:
        raise click.UsageError(f"{option} goes with {other}; give both, or neither")


def parse_label(text: str) -> str | int:
    """The class that `text` names on the command line: a whole number where it is one."""
    text = text.strip()
    return int(text) if text.lstrip("-").isdigit() else text


def split(
    texts: Sequence[str],
    option: str = "--metric",
    remedy: str = "name a metric, or leave the option out for those that suit the table",
) -> list[str]:
    """The items of `texts`; each may hold several, separated by commas outside brackets.

    An empty text is refused, with the name of the `option` and the `remedy`.
    """
    if any(not text.strip() for text in texts):
        raise SchemaError(f"{option} is empty; {remedy}")
    items = [item.strip() for text in texts for item in re.split(r",(?![^(]*\))", text)]
    return [item for item in items if item]


def split_codes(ignore: Sequence[str]) -> list[str]:
    """The codes of advice that the option `ignore` names."""
    return split(ignore, "--ignore", "name a code of advice, as in A003")


def apply_gate(failures: Sequence[str]) -> None:
    """Exit with 1 where a check failed, a line for each of `failures` on standard error."""
    for failure in failures:
        click.echo(f"assay: check failed: {failure}", err=True)
    if failures:
        sys.exit(1)


def show(result: Any, json_to: str | None, text: str | None = None) -> None:
    """Print `result` as text, or as JSON alone where `json_to` is a dash; a path gets the JSON too.

    `text` replaces the words of the result.
    """
    if json_to == "-":
        click.echo(result.to_json())
        return
    if json_to:
        result.to_json(json_to)
    click.echo(repr(result) if text is None else text)
