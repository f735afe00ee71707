"""progress: one bar on standard error for long work, the same in every verb.

`show=None` shows it where standard error is a terminal and the work takes longer than half a
second; True and False force it.

>>> with show_progress("reading", total=3, show=False) as update:
...     for done in range(3):
...         update(done + 1, "of three files")
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from assay.core.text import escape_line

__all__ = ["show_progress"]

# Seconds that work may take before a bar appears that nobody asked for.
PATIENCE = 0.5


@contextmanager
def show_progress(
    task: str, total: int, show: bool | None = None, *, done: int = 0
) -> Iterator[Callable[[int, str], None]]:
    """A bar on standard error; gives the function that moves it.

    Parameters:
        task: What is being done, in a word or two, as in "evaluating".
        total: How many steps there are.
        show: True or False; default: where standard error is a terminal, once the work takes more
            than 0.5 s.
        done: How many of the steps were done before.

    Returns:
        `update(done, text)`: so many steps are done now; the text stands beside the bar.
    """
    if not (sys.stderr.isatty() if show is None else show):
        yield _ignore
        return
    bar = _Bar(task, total, done, 0.0 if show else PATIENCE)
    try:
        yield bar.update
    finally:
        bar.close()


def _ignore(done: int, text: str = "") -> None:
    """What moves a bar that is not shown."""


class _Bar:
    """A bar that appears with the first update after so many seconds."""

    def __init__(self, task: str, total: int, done: int, patience: float) -> None:
        self.task = task
        self.total = total
        self.done = done
        self.due = time.monotonic() + patience
        self.shown: Any = None  # rich's progress display
        self.line: Any = None  # the task's line in it
        if not patience:
            self._open()

    def update(self, done: int, text: str = "") -> None:
        self.done = done
        if self.shown is None and time.monotonic() < self.due:
            return
        if self.shown is None:
            self._open()
        self.shown.update(self.line, completed=done, text=escape_line(text))

    def close(self) -> None:
        if self.shown is not None:
            self.shown.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        self.shown = Progress(*columns, console=console, transient=console.is_terminal)
        self.line = self.shown.add_task(self.task, total=self.total, completed=self.done, text="")
        self.shown.start()
