"""The command line: one command a verb. It parses, calls, prints; what it means is decided in the library.

Exit status: 0 done; 1 a check failed; 2 the input was unusable, with one line on standard error.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from assay.errors import AssayError, SchemaError
from assay.version import __version__

__all__ = ["cli", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; unusable input is one line on standard error and exit status 2, never a traceback."""
    try:
        cli.main(args=arguments, prog_name="assay", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_shown:
        click.echo(help_shown.ctx.get_help())
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _stop(error.format_message())
    except (AssayError, OSError) as error:
        _stop(str(error))
    except MemoryError:
        _stop("not enough memory for this table; give fewer models, classes, clusters or groups at a time")
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("assay: interrupted", err=True)
        sys.exit(130)
    finally:
        if arguments is None:
            gc.freeze()  # a process that ends need not look through what it leaves: 20 ms


def _stop(message: str) -> None:
    click.echo("assay: " + " ".join(message.split()), err=True)
    sys.exit(2)


def _version(asked: bool) -> None:
    if not asked:
        return
    from assay.kernels import in_use

    click.echo(f"assay, version {__version__} ({in_use()} kernels)")
    raise click.exceptions.Exit(0)


def predictions_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that reads a predictions table."""
    options = (
        click.argument("files", nargs=-1, required=True, metavar="FILE..."),
        click.option("--truth", default="y", show_default=True, metavar="COL", help="Column that holds the truth."),
        click.option(
            "--task", metavar="T", help="binary, multiclass, multilabel or regression; read off the data if not said."
        ),
        click.option("--positive", metavar="LABEL", help="Positive class of a binary task."),
        click.option("--classes", metavar="A,B,...", help="All classes, where the table may not show or name them."),
        click.option(
            "--model", "models", multiple=True, metavar="COL", help="Bare column to read as a model (repeatable)."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


JSON = click.option("--json", "json_to", metavar="FILE|-", help="Write the result as JSON; - prints JSON alone.")

CONFIDENCE = click.option("--confidence", default=0.95, show_default=True, help="Level of the intervals.")

SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))

IGNORE = click.option(
    "--ignore", multiple=True, metavar="CODE", help="Advice that is not wanted, as in A003 (repeatable)."
)

POINT = click.option("--point", is_flag=True, help="Check the figures themselves, not their intervals.")


def _plugin(modules: Sequence[str]) -> None:
    """Import what defines further metrics, fusions and the like: files, or modules by name."""
    import importlib
    import runpy

    for text in modules:
        try:
            if text.endswith(".py"):
                KEPT.append(runpy.run_path(text, run_name=Path(text).stem))
            else:
                importlib.import_module(text)
        except AssayError:
            raise
        except FileNotFoundError as error:
            raise click.BadParameter(f"{text}: no such file; check the path") from error
        except Exception as error:
            raise click.BadParameter(f"{text} cannot be imported ({type(error).__name__}: {error})") from error


KEPT: list[Any] = []  # what plugins defined, which a class may refer to


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--plugin",
    multiple=True,
    metavar="FILE.py|MODULE",
    callback=lambda *given: _plugin(given[-1]),
    expose_value=False,
    help="Import your own metrics (assay.metric_from, or a subclass) before the command (repeatable).",
)
@click.option(
    "--version",
    is_flag=True,
    callback=lambda *given: _version(given[-1]),
    expose_value=False,
    is_eager=True,
    help="Show the version, and which kernels are in use.",
)
def cli() -> None:
    """Which model is best, how sure are we, is it over- or under-fitting, and would fusing them be better?"""


@cli.command()
@click.option("--out", default="demo", show_default=True, metavar="DIR", type=click.Path(path_type=Path))
@SEED
def demo(out: Path, seed: int) -> None:
    """The main job on real data, end to end: handwritten digits, four models, one verdict."""
    from assay.demo import run

    click.echo(run(out, seed=seed, say=lambda text: click.echo(text, err=True)))


@cli.command()
@predictions_options
@click.option(
    "--metric", "-m", "metrics", multiple=True, metavar="M", help="Metric, as in f1 or 'f_beta(beta=2)' (repeatable)."
)
@click.option("--by", multiple=True, metavar="COL", help="Also for each value of this column (repeatable: crosses).")
@CONFIDENCE
@click.option("--intervals/--no-intervals", default=True, help="Whether to give an interval with each figure.")
@click.option(
    "--require", multiple=True, metavar="'M >= X'", help="Exit 1 unless the interval keeps the bound (repeatable)."
)
@POINT
@click.option(
    "--checkpoint", metavar="STATE", help="Keep the states here: goes on after an interruption, and can be merged."
)
@IGNORE
@SEED
@JSON
def evaluate(
    files: tuple[str, ...], metrics: tuple[str, ...], by: tuple[str, ...], confidence: float, intervals: bool,
    require: tuple[str, ...], point: bool, checkpoint: str | None, ignore: tuple[str, ...], seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Every metric of every model in FILE..., each with its interval; Parquet larger than memory is streamed."""
    import assay
    from assay.evaluate import defaults
    from assay.gates import Requirement

    required = [Requirement.parse(text) for text in _split(require, "--require", "state a bound, as in 'f1 >= 0.9'")]
    _only_with("--point", point, "--require", required)
    if required and not (intervals or point):
        raise click.UsageError("--require holds intervals to the bound: leave out --no-intervals, or give --point")
    table = _read(files, large=True, **reading)
    asked: list[str] | None = _split(metrics)
    if required:
        asked = [*(asked or defaults(table)), *(r.metric for r in required)]
    found = assay.evaluate(
        table, asked or None, by=by or None, intervals=intervals, confidence=confidence, seed=seed,
        checkpoint=checkpoint, ignore=_split(ignore, "--ignore", "name a code of advice, as in A003"),
    )  # fmt: skip
    failures = [failure for one in required for failure in one.failures(found, point=point)]
    _show(found, json_to)
    _gate(failures)


@cli.command()
@click.argument("states", nargs=-1, required=True, metavar="STATE...")
@click.option("-o", "--out", metavar="STATE", help="Write the joined states here as well.")
@JSON
def merge(states: tuple[str, ...], out: str | None, json_to: str | None) -> None:
    """The figures over the rows of separate jobs, from the states that each kept (evaluate --checkpoint STATE)."""
    from assay.evaluate import answer
    from assay.statefile import merged, write_merged

    folded, question = merged(states)
    if out is not None:
        write_merged(out, folded, question)
    _show(answer(folded, question), json_to)


@cli.command()
@predictions_options
@click.option("--by-metric", metavar="M", help="Metric to search by (default: accuracy, or mse in regression).")
@click.option("--by", multiple=True, metavar="COL", help="Column to slice by (repeatable; default: all).")
@click.option("--depth", default=2, show_default=True, help="Most columns to cross.")
@click.option("--min-rows", default=30, show_default=True, help="Fewest rows of a slice.")
@click.option("--alpha", default=0.05, show_default=True, help="Chance of reporting any slice without reason.")
@CONFIDENCE
@JSON
def slices(
    files: tuple[str, ...], by_metric: str | None, by: tuple[str, ...], depth: int, min_rows: int, alpha: float,
    confidence: float, json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """The slices of the rows in FILE... on which a model does significantly worse than on the rest."""
    import assay

    found = assay.weak_slices(
        _read(files, **reading), by_metric, columns=by or None, depth=depth, min_rows=min_rows, alpha=alpha,
        confidence=confidence,
    )  # fmt: skip
    _show(found, json_to)


@cli.command()
@predictions_options
@click.option("--by", required=True, multiple=True, metavar="COL", help="Column of groups (repeatable: crosses).")
@click.option("--metric", "-m", "metrics", multiple=True, metavar="M", help="Metric to hold between groups.")
@click.option("--reference", metavar="GROUP", help="Group to hold the others against (default: all other rows).")
@CONFIDENCE
@SEED
@JSON
def fairness(
    files: tuple[str, ...], by: tuple[str, ...], metrics: tuple[str, ...], reference: str | None, confidence: float,
    seed: int, json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """How the figures of the models in FILE... differ between groups of rows."""
    import assay

    table = _read(files, **reading)
    against = None if reference is None else _label(reference)
    found = assay.fairness(
        table, by, _split(metrics) or None, reference=against, confidence=confidence, seed=seed
    )  # fmt: skip
    _show(found, json_to)


@cli.command()
@predictions_options
@click.option("--by-metric", metavar="M", help="Metric to compare by (default: f1, or mse in regression).")
@CONFIDENCE
@click.option(
    "--unit",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "rows", "folds"]),
    help="rows: which fitted model is better; folds: which algorithm, from cross-validation.",
)
@click.option(
    "--equivalence", metavar="X", type=float, help="Difference that does not matter: which models are as good?"
)
@click.option(
    "--correction",
    default="holm",
    show_default=True,
    type=click.Choice(["holm", "benjamini_hochberg"]),
    help="Of the p-values, for all pairs.",
)
@click.option("--selected", is_flag=True, help="Also what the best is worth, freed of having been chosen for it.")
@click.option("--datasets", is_flag=True, help="Each FILE is a data set of its own: which model is best over them?")
@click.option("--not-worse-than", "baseline", metavar="MODEL", help="Exit 1 if a model may be worse than this one.")
@click.option("--margin", type=float, metavar="X", help="By how much it may be worse.  [default: 0]")
@POINT
@SEED
@JSON
def compare(
    files: tuple[str, ...], by_metric: str | None, confidence: float, unit: Any, equivalence: float | None,
    correction: Any, selected: bool, datasets: bool, baseline: str | None, margin: float | None, point: bool, seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Paired differences between the models in FILE..., and which are tied for best."""
    import assay
    from assay.gates import worse_than

    _only_with("--margin", margin is not None, "--not-worse-than", baseline)
    _only_with("--point", point, "--not-worse-than", baseline)
    if datasets:
        if baseline or unit != "auto" or correction != "holm" or selected:
            raise click.UsageError("--datasets goes with --by-metric, --equivalence, --confidence and --seed alone")
        _show(_over_datasets(files, by_metric, equivalence, confidence, seed, reading), json_to)
        return
    found = assay.compare(
        _read(files, **reading), by_metric, unit=unit, correction=correction, equivalence=equivalence,
        selected=selected, confidence=confidence, seed=seed,
    )  # fmt: skip
    failures = worse_than(found, baseline, margin=margin or 0.0, point=point) if baseline else []
    _show(found, json_to)
    _gate(failures)


@cli.command()
@predictions_options
@click.option(
    "--how", default="auto", show_default=True, metavar="HOW", help="auto, or a fusion: see 'assay list fusions'."
)
@click.option("--metric", metavar="M", help="Metric the fusion aims at, where it can choose.")
@click.option("--name", metavar="NAME", help="Name of the fused model in the table.")
@click.option("--out", "-o", required=True, metavar="OUT", help="File for the table with the fused model in it.")
@click.option("--folds", default=5, show_default=True, help="Folds of the cross-fitting, where the table has none.")
@SEED
def fuse(
    files: tuple[str, ...],
    how: str,
    metric: str | None,
    name: str | None,
    out: str,
    folds: int,
    seed: int,
    **reading: Any,
) -> None:
    """Fuse the models in FILE... into one more; its column is cross-fitted, so its score is honest."""
    import assay

    fused = assay.fuse(_read(files, **reading), how, metric=metric, name=name, folds=folds, seed=seed)
    assay.write(fused.predictions, out)
    click.echo(repr(fused))
    click.echo(f"written: {out}", err=True)


@cli.command()
@click.argument("study", metavar="STUDY.toml")
@click.option("--out", "-o", metavar="DIR", help="Folder for the results (default: named after the file).")
@JSON
def validate(study: str, out: str | None, json_to: str | None) -> None:
    """Cross-validate, compare, fuse, report: a whole study in one file; run again, it goes on where it stopped."""
    import assay

    _show(assay.run_study(study, output=out, say=lambda text: click.echo(text, err=True)), json_to)


@cli.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@JSON
def diagnose(logs: tuple[str, ...], json_to: str | None) -> None:
    """Read training logs: good fit, overfit since when, underfit; best epoch; what to do."""
    import assay

    _show(assay.diagnose(logs), json_to)


@cli.command()
@predictions_options
@click.option("--metric", metavar="M", help="Metric to decide by (default: f1, or mse in regression).")
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option("--out", "-o", required=True, metavar="report.html", help="The report: one self-contained HTML file.")
@IGNORE
@SEED
@JSON
def report(
    files: tuple[str, ...], metric: str | None, title: str | None, out: str, ignore: tuple[str, ...], seed: int,
    json_to: str | None, **reading: Any,
) -> None:  # fmt: skip
    """One HTML file to hand to a colleague, from predictions and training logs (FILE... [LOG...])."""
    import assay
    from assay.reader import is_log

    logs = [f for f in files if is_log(f, reading["truth"])]
    tables = [f for f in files if f not in logs]
    if not tables:
        raise click.UsageError(
            f"none of {', '.join(files)} is a predictions table; for logs alone use 'assay diagnose'"
        )
    made = assay.report(
        _read(tables, **reading), histories=logs or None, metric=metric, title=title, seed=seed,
        ignore=_split(ignore, "--ignore", "name a code of advice, as in A003"),
    )  # fmt: skip
    made.save(out)
    click.echo(f"written: {out}", err=True)
    _show(made, json_to)


@cli.command(name="list")
@click.argument("family", type=click.Choice(["metrics", "fusions", "adapters", "engines", "readers"]))
def list_(family: str) -> None:
    """Names of all metrics, fusions, adapters, engines or readers, with what each is."""
    import importlib

    room = importlib.import_module(f"assay.{family.rstrip('s')}")
    registry = getattr(room, family.upper())
    width = max(map(len, registry.names()), default=0)
    for name in registry.names():
        first = (registry[name].__doc__ or "").strip().splitlines()[0].rstrip(".")
        click.echo(f"{name:<{width}}  {first}")


def _read(
    files: Sequence[str], truth: str, task: Any, positive: str | None, classes: str | None, models: tuple[str, ...],
    large: bool = False,
) -> Any:  # fmt: skip
    from assay.io import read
    from assay.stream import opened

    declared = None if classes is None else [_label(text) for text in classes.split(",")]
    reading = {"truth": truth, "task": task, "positive": positive, "classes": declared, "models": list(models) or None}
    table = opened(files, **reading) if large else read(*files, **reading)
    if not table.n:
        raise SchemaError(f"{', '.join(files)}: the table has columns but no rows; give at least one row")
    return table


def _over_datasets(
    files: Sequence[str], metric: str | None, rope: float | None, confidence: float, seed: int, reading: Any
) -> Any:
    """The models over the data sets, a file each, named by their paths."""
    import assay
    from assay.compare import DEFAULT

    tables = {file: _read([file], **reading) for file in files}
    asked = metric or DEFAULT[next(iter(tables.values())).task]
    return assay.compare_datasets(tables, asked, rope=rope or 0.0, confidence=confidence, seed=seed)


def _only_with(option: str, given: bool, other: str, value: Any) -> None:
    """Refuse an option that would say nothing without another."""
    if given and not value:
        raise click.UsageError(f"{option} goes with {other}; give both, or neither")


def _label(text: str) -> str | int:
    """A class as typed on the command line: a whole number where it is one."""
    text = text.strip()
    return int(text) if text.lstrip("-").isdigit() else text


def _split(
    given: Sequence[str],
    option: str = "--metric",
    remedy: str = "name a metric, or leave the option out for those that suit the table",
) -> list[str]:
    """What was asked for; one option may hold several, separated by commas outside brackets."""
    import re

    if any(not text.strip() for text in given):
        raise SchemaError(f"{option} is empty; {remedy}")
    return [m.strip() for text in given for m in re.split(r",(?![^(]*\))", text) if m.strip()]


def _gate(failures: Sequence[str]) -> None:
    """Exit with 1 where a check failed, a line for each reason on standard error."""
    for failure in failures:
        click.echo(f"assay: check failed: {failure}", err=True)
    if failures:
        sys.exit(1)


def _show(result: Any, json_to: str | None) -> None:
    """The result as text on standard output, or as JSON alone where that was asked for."""
    if json_to == "-":
        click.echo(result.to_json())
        return
    if json_to:
        result.to_json(json_to)
    click.echo(repr(result))
