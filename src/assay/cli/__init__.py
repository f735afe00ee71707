"""The command line: one command a verb. It parses, calls, prints; what it means is decided in the library.

Exit status: 0 done; 1 a check failed; 2 the input was unusable, with one line on standard error.
"""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from assay.cli.audit import fairness, slices
from assay.cli.catalog import list_
from assay.cli.compare import compare
from assay.cli.diagnose import diagnose
from assay.cli.evaluate import evaluate, merge
from assay.cli.fuse import fuse
from assay.cli.report import demo, report
from assay.cli.validate import validate
from assay.errors import AssayError
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
        _stop(
            "not enough memory for this table; give fewer models, classes, clusters or groups at a time"
        )
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
    from assay.kernels import get_backend

    click.echo(f"assay, version {__version__} ({get_backend()} kernels)")
    raise click.exceptions.Exit(0)


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
            raise click.BadParameter(
                f"{text} cannot be imported ({type(error).__name__}: {error})"
            ) from error


KEPT: list[Any] = []  # what plugins defined, which a class may refer to


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--plugin",
    multiple=True,
    metavar="FILE.py|MODULE",
    callback=lambda *given: _plugin(given[-1]),
    expose_value=False,
    help="Import your own metrics (assay.make_metric, or a subclass) before the command (repeatable).",
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


for command in (
    demo,
    evaluate,
    merge,
    slices,
    fairness,
    compare,
    fuse,
    validate,
    diagnose,
    report,
    list_,
):
    cli.add_command(command)
