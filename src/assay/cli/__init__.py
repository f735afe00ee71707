"""The command line: one command a verb. It parses, calls and prints; the library decides.

Exit status: 0 done; 1 a check failed; 2 the input was unusable, with one line on standard error.

- options: what commands share: options, the table read as they say, output, exit status
- plugins: `--plugin`: modules that define further members of a family
- checkpoints: what `assay fuse` does with weights instead of tables
- compare: `assay compare`: paired differences, and which models are tied for best
- demo: `assay demo`: the main job on real data
- diagnose: `assay diagnose`: what training logs say
- digits: the job that the demo runs, on handwritten digits
- evaluate: `assay evaluate`: every metric of every model
- fairness: `assay fairness`: how metrics differ between groups
- fuse: `assay fuse`: one more model made of all
- hardest: `assay hardest`: the rows that models get most wrong
- list: `assay list`: the members of a family
- membership: `assay membership`: what losses give away of the training rows
- merge: `assay merge`: the evaluation of rows from separate jobs
- report: `assay report`: one HTML page
- slices: `assay slices`: where a model is weak
- threshold: `assay threshold`: from which score to say yes
- validate: `assay validate`: a whole study from one file

>>> sorted(load_commands())[:4]
['compare', 'demo', 'diagnose', 'evaluate']
"""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from assay.cli.plugins import load_plugins
from assay.errors import AssayError, suggest
from assay.version import __version__

__all__ = ["cli", "load_commands", "main"]

# In the order of the help. Each is a room of its name, imported when it is asked for.
COMMANDS = (
    "demo",
    "evaluate",
    "merge",
    "slices",
    "fairness",
    "hardest",
    "membership",
    "compare",
    "fuse",
    "threshold",
    "validate",
    "diagnose",
    "report",
    "list",
)

OLDER_SPELLINGS = {"by-metric": "metric"}  # options that scripts may still name


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; unusable input is one line on standard error and exit status 2.

    Parameters:
        arguments: What follows `assay`; default: those of the process.
    """
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
            "not enough memory for this table; give fewer models, classes, clusters or groups "
            "at a time"
        )
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("assay: interrupted", err=True)
        sys.exit(130)
    finally:
        if arguments is None:
            gc.freeze()  # a process that ends need not look through what it leaves: 20 ms


def _stop(message: str) -> None:
    from assay.core.text import escape_controls

    click.echo("assay: " + escape_controls(" ".join(message.split())), err=True)
    sys.exit(2)


def _show_version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from assay.kernels import get_backend

    click.echo(f"assay, version {__version__} ({get_backend()} kernels)")
    context.exit()


def _load(context: click.Context, option: click.Parameter, modules: Sequence[str]) -> None:
    load_plugins(modules)


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for: 10 ms less than all of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; None where there is none."""
        return _load_command(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; of a name that is none, those that it is close to."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = suggest(args[0], COMMANDS)
            known = f"the commands are {', '.join(COMMANDS)}"
            ctx.fail(
                f"no such command {args[0]!r}; " + (f"did you mean {close[0]}?" if close else known)
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": lambda token: OLDER_SPELLINGS.get(token, token),
    },
)
@click.option(
    "--plugin",
    multiple=True,
    metavar="FILE.py|MODULE",
    callback=_load,
    expose_value=False,
    help="Import your own metrics, charts and the like before the command (repeatable).",
)
@click.option(
    "--version",
    is_flag=True,
    callback=_show_version,
    expose_value=False,
    is_eager=True,
    help="Show the version, and which kernels are in use.",
)
def cli() -> None:
    """Which model is best, how sure are we, does it overfit, and would fusing them be better?"""


def load_commands() -> dict[str, click.Command]:
    """Every command by its name, imported."""
    return {name: _load_command(name) for name in COMMANDS}


def _load_command(name: str) -> click.Command:
    room = import_module(f"assay.cli.{name}")
    (function,) = room.__all__
    command: click.Command = getattr(room, function)
    return command
