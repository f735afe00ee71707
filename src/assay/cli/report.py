"""report: `assay report`, one HTML page from predictions and training logs."""

from pathlib import Path
from typing import Any

import click

from assay.cli.options import (
    CONFIDENCE,
    EQUIVALENCE,
    IGNORE,
    JSON,
    SEED,
    add_metric,
    add_reading,
    read_table,
    say,
    show,
    split_codes,
)

__all__ = ["report"]


@click.command()
@add_reading
@add_metric("Metric to decide by (default: f1, or mse in regression).")
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option(
    "--out",
    "-o",
    required=True,
    metavar="report.html",
    help="The report: one self-contained HTML file.",
)
@CONFIDENCE
@EQUIVALENCE
@IGNORE
@SEED
@JSON
def report(
    files: tuple[str, ...],
    metric: str | None,
    title: str | None,
    out: str,
    confidence: float,
    equivalence: float | None,
    ignore: tuple[str, ...],
    seed: int,
    json_to: str | None,
    **reading: Any,
) -> None:
    """One HTML file to hand on, from predictions and training logs (FILE... [LOG...]).

    \f

    Parameters:
        files: Tables, or folders of them, that hold one table.
        metric: Metric to decide by (default: f1, or mse in regression).
        title: Title of the report.
        out: The report: one self-contained HTML file.
        confidence: Level of the intervals; default 0.95.
        equivalence: Difference that does not matter: which models are as good?
        ignore: Advice that is not wanted, as in A003 (repeatable).
        seed: Seed of all that is drawn at random.
        json_to: Write the result as JSON; - prints JSON alone.
        reading: How the files are read (see `add_reading`).
    """
    import assay

    logs = [file for file in files if _is_log(Path(file), reading["truth"])]
    tables = [file for file in files if file not in logs]
    if not tables:
        raise click.UsageError(
            f"none of {', '.join(files)} is a predictions table; for logs alone use "
            f"'assay diagnose'"
        )
    result = assay.report(
        read_table(tables, **reading),
        histories=logs or None,
        metric=metric,
        title=title,
        equivalence=equivalence,
        confidence=confidence,
        ignore=split_codes(ignore),
        seed=seed,
    )
    result.save(out)
    say(f"written: {out}")
    show(result, json_to)


def _is_log(place: Path, truth: str) -> bool:
    """Whether a reader finds a run in a file or folder, other than in a predictions table.

    A file of no table format counts as a log, so that the readers say what is wrong with it.
    """
    from assay.io.formats import detect_format
    from assay.io.records import peek_names
    from assay.readers.mlflow_runs import find_run
    from assay.readers.read_history import find_places

    if find_run(str(place)) is not None:
        return False
    if place.is_file() and detect_format(place) is None:
        return True
    if place.is_file() and detect_format(place) == "json" and not peek_names(place):
        return True
    return any(not _is_table(found, truth) for _, found in find_places(place))


def _is_table(place: Path, truth: str) -> bool:
    """Whether the header names the truth, or declares predictions and numbers no epochs.

    So does a log of the samples of an evaluation harness, which numbers documents.
    """
    from assay.io.records import peek_names
    from assay.readers.naming import find_axis
    from assay.readers.text import peek_header
    from assay.table.schema import parse_column

    header = peek_header(place) or peek_names(place)
    if "doc_id" in header or any(name == truth or name.startswith(f"{truth}.") for name in header):
        return True
    declares = any(parse_column(name)[1] is not None for name in header)
    return declares and find_axis(header) is None
