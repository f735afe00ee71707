"""What commands share: options, the table read as they say, output, and the exit status of gates.

>>> split(["f1, f_beta(beta=2)", "accuracy"]), parse_label(" 3"), parse_label("cat")
(['f1', 'f_beta(beta=2)', 'accuracy'], 3, 'cat')
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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
    "copy_pipes",
    "parse_label",
    "read_labels",
    "read_table",
    "refuse_alone",
    "say",
    "show",
    "split",
    "split_codes",
]

Command = Callable[..., Any]

# What columns do for rows, by the names of the options that say which column does.
ROLES = {
    "weight": "Column of the weights of rows.",
    "id": "Column that names each row.",
    "fold": "Column that tells folds.",
    "cluster": "Column whose values are resampled as a whole.",
}

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
        help="binary, multiclass, multilabel, regression, multioutput (several numbers a row), "
        "text (texts that models wrote) or detection (boxes, as of COCO); read off the data if not "
        "said, which is neither of the last two.",
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
        metavar="NAME=KIND:COL",
        help="What a column holds, as in lgbm=proba:oof_lgbm or oof_lgbm=proba; or the name of a "
        "model or column (repeatable).",
    ),
    click.option(
        "--header/--no-header",
        default=True,
        help="Whether the first line names the columns; where not, they are named 1, 2, ...",
    ),
    click.option(
        "--decimal",
        metavar="MARK",
        type=click.Choice([".", ","]),
        help="Decimal mark of the numbers in text files; read off the cells if not said.",
    ),
    click.option(
        "--where",
        metavar="'COL == X'",
        help="Rows to take, as in 'split == \"test\"'; all but training rows if not said.",
    ),
    click.option(
        "--normalise", is_flag=True, help="Divide the probabilities of each row by their sum."
    ),
    click.option("--percent", is_flag=True, help="Probabilities are percentages, in 0..100."),
    click.option(
        "--labels",
        metavar="MAP.json",
        type=click.Path(exists=True, dir_okay=False),
        help="JSON object: the label that is meant for each label of truth and models.",
    ),
    click.option(
        "--class-names",
        metavar="A,B,...",
        help="Names of the classes 0, 1, ..., in their order.",
    ),
    click.option(
        "--ignore-label",
        metavar="LABEL",
        help="Leave out the rows whose truth is this, as -100.",
    ),
    *(
        click.option(f"--{role}", metavar="COL", help=f"{about}  [default: {role}]")
        for role, about in ROLES.items()
    ),
    *(
        click.option(f"--no-{role}", is_flag=True, help=f"Column {role!r} is but a group of rows.")
        for role in ROLES
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
    files: Sequence[str], where: str | None = None, large: bool = False, **reading: Any
) -> Any:
    """The table that files hold.

    Parameters:
        files: Their paths.
        where: Which rows to take; None: all.
        large: Whether one larger than memory is given as a stream.
        reading: The other options of `add_reading` (see `parse_reading`).
    """
    from assay.io.source import open_table

    parsed = parse_reading(**reading)
    files = copy_pipes(files)
    table = open_table(files, in_memory=not large, where=where, **parsed)
    if not table.n:
        raise SchemaError(
            f"{', '.join(files)}: the table has columns but no rows; give at least one row"
        )
    return table


def parse_reading(
    truth: str,
    task: Any,
    positive: str | None,
    classes: str | None,
    models: tuple[str, ...],
    normalise: bool = False,
    percent: bool = False,
    labels: str | None = None,
    class_names: str | None = None,
    ignore_label: str | None = None,
    header: bool = True,
    decimal: str | None = None,
    **roles: Any,
) -> dict[str, Any]:
    """How files are to be read, as `assay.read` takes it, from the options of a command.

    Parameters:
        truth: Column that holds the truth.
        task: Task; None: read off the data.
        positive: Positive class of a binary task, as text; None: the last of two.
        classes: All classes with commas between; None: those that the data show.
        models: What columns hold that do not say, as NAME=KIND:COLUMN; default: nothing.
        normalise: Whether probabilities are divided by their sum.
        percent: Whether probabilities are percentages.
        labels: File or JSON text that renames labels; None: none.
        class_names: Names of the classes 0, 1, ... with commas between; None: none.
        ignore_label: Label whose rows are left out, as text; None: none.
        header: Whether text files begin with the names of their columns.
        decimal: Decimal mark of text files; None: a point.
        roles: Columns of weight, id, fold and cluster, and which of them not to use.
    """
    declared = None if classes is None else [parse_label(text) for text in classes.split(",")]
    reading = {
        "truth": truth,
        "task": task,
        "positive": positive,
        "classes": declared,
        "models": list(models) or None,
        "decimal": decimal,
    }
    if not header:
        reading["header"] = False
    conversions = {
        "normalise": normalise,
        "percent": percent,
        "labels": None if labels is None else read_labels(labels),
        "class_names": None if class_names is None else [n.strip() for n in class_names.split(",")],
        "ignore_label": None if ignore_label is None else parse_label(ignore_label),
    }
    return reading | conversions | _choose_roles(roles)


def copy_pipes(files: Sequence[str]) -> list[str]:
    """The `files` with copies in place of pipes, which last as long as the command."""
    if all(map(os.path.isfile, files)) and not any(file.startswith("/dev/") for file in files):
        return list(files)
    import tempfile

    from assay.io.pipes import copy_pipe

    context = click.get_current_context()
    folder = context.with_resource(tempfile.TemporaryDirectory(prefix="assay-"))
    return [copy_pipe(file, folder) for file in files]


def _choose_roles(options: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns that play a role, None for none, where the `options` say so."""
    roles: dict[str, str | None] = {}
    for role in ROLES:
        column = options.get(role)
        if options.get(f"no_{role}"):
            if column is not None:
                raise click.UsageError(f"--{role} and --no-{role} are both given; give one of them")
            roles[role] = None
        elif column is not None:
            roles[role] = column
    return roles


def read_labels(path: str) -> dict[str, str | int | bool]:
    """The map of labels in the JSON file at `path`, an object."""
    import json

    try:
        labels = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise SchemaError(f"{path}: is no JSON ({error}); write an object of labels") from error
    if not isinstance(labels, dict):
        raise SchemaError(
            f"{path}: holds no JSON object; write the label that is meant for each label, as in "
            '{"LABEL_0": "no", "LABEL_1": "yes"}'
        )
    return labels


def refuse_alone(option: str, present: bool, other: str, value: Any) -> None:
    """Refuse `option`, where `present`, if the `other` that it goes with has no `value`."""
    if present and not value:
        raise click.UsageError(f"{option} goes with {other}; give both, or neither")


def list_given() -> list[str]:
    """The names of the parameters that the command line gives."""
    context = click.get_current_context()
    defaults = (click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP)
    return [name for name in context.params if context.get_parameter_source(name) not in defaults]


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


def say(text: str) -> None:
    """Print a line of `text` on standard error, where progress and failures are told."""
    from assay.core.text import escape_line

    click.echo(escape_line(text), err=True)


def apply_gate(failures: Sequence[str]) -> None:
    """Exit with 1 where a check failed, a line for each of `failures` on standard error."""
    for failure in failures:
        say(f"assay: check failed: {failure}")
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
    from assay.core.terminal import is_terminal, print_result
    from assay.core.text import escape_controls

    if is_terminal():
        print_result(result, text)
        return
    click.echo(escape_controls(repr(result) if text is None else text))
