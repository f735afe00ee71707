"""read_history: the runs that a log, or a folder of logs, holds, whatever wrote them.

>>> import tempfile
>>> folder = Path(tempfile.mkdtemp())
>>> for run in ("a", "b"):
...     (folder / run).mkdir()
...     _ = (folder / run / "log.csv").write_text("epoch,val_loss\\n1,0.9\\n2,0.8\\n")
>>> [history.name for history in read_history(folder)]
['a/log', 'b/log']
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from assay.errors import AssayError, ReadError, SchemaError
from assay.readers.base import READERS, Reader
from assay.readers.cells import Cells, list_names
from assay.readers.columns import Choice, name_columns, read_columns
from assay.readers.console import Console, load_lines
from assay.readers.history import EXPECTED, History
from assay.readers.json import find_tables
from assay.readers.mlflow_runs import find_run, read_run
from assay.readers.objects import convert_frame, find_value, is_frame
from assay.readers.text import load_table
from assay.readers.values import ValueReader, load_value

__all__ = ["Runs", "find_places", "find_reader", "read_history", "read_runs"]

TEXT_SUFFIXES = (
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".txt",
    ".log",
    ".out",
)  # that say nothing about the run


class Runs(NamedTuple):
    """The histories below a path, and a note on each place that could not be read."""

    histories: tuple[History, ...]
    notes: tuple[str, ...] = ()


def read_history(
    log: Any, *, train: str | None = None, val: str | None = None, x: str | None = None
) -> tuple[History, ...]:
    """The runs that a log, or a folder of logs, holds.

    Parameters:
        log: Path of a file or folder, or mlflow:RUN_ID; or what a framework returns: a Keras
            History, a Transformers
            TrainerState or its `log_history`, a fitted estimator, a dictionary of lists, a list of
            dictionaries, or a data frame of pandas, polars or Arrow.
        train: Column of the training loss, in logs with named columns; default: by its name.
        val: Column of the validation loss; default: by its name.
        x: Column that numbers the rows; default: by its name.

    Returns:
        One history a run.

    Raises:
        ReadError: The file is missing, empty, cut off or of no known format.
        SchemaError: The log has no loss, or text where numbers belong.

    >>> import assay
    >>> (run,) = assay.read_history({"loss": [0.9, 0.5], "val_loss": [1.0, 0.8]})
    >>> run.find("val", "loss").values
    (1.0, 0.8)
    """
    return read_runs(log, Choice(train, val, x)).histories


def read_runs(log: Any, choice: Choice | None = None) -> Runs:
    """The runs of a `log`: a history, a path, an object of a framework, or a list of any.

    Those below a folder are named by their place in it. With a `choice` of columns the log must
    have named columns.

    A place below a folder that cannot be read is left out with a note, unless all are such: then
    the error of the first is raised.
    """
    if isinstance(log, History):
        return Runs((log,))
    if isinstance(log, str) and not log:
        raise ReadError("the path of the log is empty. Give the log that the training run wrote.")
    run = find_run(log)
    if run is not None:
        return Runs((_read_run(*run, choice),))
    if isinstance(log, str | PathLike):
        return _read_path(Path(log), choice)
    if is_frame(log):
        return Runs(tuple(_read_tables([("", convert_frame(log))], choice, "run", None)))
    value = find_value(log)
    reader = _find_value_reader(value)
    if choice and find_tables(value):
        return Runs(tuple(_read_tables(find_tables(value), choice, "run", None)))
    if reader is not None:
        histories = _require_readable(
            reader, "what was given", lambda: reader.convert(value, name="run", source=None)
        )
        return Runs(tuple(replace(h, name=h.name.removeprefix("run/")) for h in histories))
    if isinstance(log, Mapping | bytes) or not isinstance(log, Iterable):
        raise SchemaError(
            f"expected a history, the path of a log, curves by name, a list of one dictionary an "
            f"epoch, a data frame or what a framework's fit returns; found {_describe(log)}"
        )
    parts = [read_runs(part, choice) for part in log]
    runs = tuple(history for part in parts for history in part.histories)
    if not runs:
        raise SchemaError("no training log was given; expected histories or paths of logs")
    return Runs(runs, tuple(note for part in parts for note in part.notes))


def _read_run(run: str, file: str | None, choice: Choice | None) -> History:
    """The history of a `run` of MLflow by its ID."""
    if choice or file is not None:
        raise SchemaError(
            f"the curves of a run of MLflow are its metrics; name the run alone, mlflow:{run}, "
            "without a file and without train, val or x"
        )
    return read_run(run)


def _find_value_reader(value: Any) -> ValueReader | None:
    """The first reader, by rank, that takes a value in memory."""
    if not isinstance(value, Mapping | list):
        return None
    readers = (reader for reader in _ranked_readers() if isinstance(reader, ValueReader))
    return next((reader for reader in readers if reader.accepts(value)), None)


def _read_path(path: Path, choice: Choice | None) -> Runs:
    if not path.exists():
        raise ReadError(f"no such file: {path}. Give the log that the training run wrote.")
    if choice:
        return Runs(tuple(_read_chosen(path, choice)))
    reader = find_reader(path)
    if reader is not None:
        return Runs(tuple(_read_place(reader, path)))
    if path.is_dir():
        return _read_folder(path)
    raise _explain_refusal(path)


def _read_place(reader: Reader, place: Path) -> list[History]:
    return _require_readable(reader, str(place), lambda: reader.read(place))


def _require_readable(
    reader: Reader, where: str, read: Callable[[], list[History]]
) -> list[History]:
    """What `read` gives; a ReadError where a log has the keys of its format, but not its values."""
    try:
        return read()
    except AssayError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise ReadError(
            f"{where} looks like a log of the format {reader.name}, and holds other values than "
            f"that format does ({type(error).__name__}: {said}). It was edited or damaged; give "
            f"the log as it was written."
        ) from error


def _read_chosen(path: Path, choice: Choice) -> list[History]:
    """The runs in the columns that a person named."""
    if path.is_dir():
        raise SchemaError(
            f"{path} is a folder; train, val and x name columns of one file. Give the file."
        )
    value = load_value(path)
    tables: list[tuple[str, dict[str, Cells]]] = [("", {})]
    if value is not None:
        tables = find_tables(value) or [("", {})]
    elif find_reader(path) == Console():
        tables = [("", load_lines(path))]
    else:
        tables = [("", load_table(path)[1])]
    return _read_tables(tables, choice, path.stem, path)


def _read_tables(
    tables: Sequence[tuple[str, Mapping[str, Cells]]],
    choice: Choice | None,
    name: str,
    path: Path | None,
) -> list[History]:
    """The runs in tables of named columns."""
    where = str(path or name)
    return [
        history
        for part, table in tables
        for history in read_columns(
            name_columns(table, choice, where) if choice else table,
            name=f"{name}/{part}" if part else name,
            format="columns",
            source=str(path) if path else None,
        )
    ]


def find_reader(place: Path) -> Reader | None:
    """The first reader, by rank, that `place` matches; None where no reader knows it."""
    return next((reader for reader in _ranked_readers() if reader.matches(place)), None)


def find_places(path: Path) -> list[tuple[Reader, Path]]:
    """The places at and below `path` with their readers, in the order of their names.

    A place goes to the first reader that matches it. A file in a folder that is a place of another
    reader belongs to that folder, and copies that a framework logs belong to its run.
    """
    owners = {
        place: reader
        for reader in _ranked_readers()
        for place in reader.places(path)
        if reader == find_reader(place)
    }
    copies = {copy for place, reader in owners.items() for copy in reader.list_copies(place)}
    return [
        (reader, place)
        for place, reader in sorted(owners.items())
        if owners.get(place.parent, reader) == reader and not copies & {place, *place.parents}
    ]


def _ranked_readers() -> list[Reader]:
    readers = [READERS[name]() for name in READERS.names()]
    return sorted(readers, key=lambda reader: (-reader.rank, reader.name))


def _read_folder(folder: Path) -> Runs:
    histories: list[History] = []
    errors: list[AssayError] = []
    owned = find_places(folder)
    names = _name_places([place.relative_to(folder) for _, place in owned])
    for (reader, place), name in zip(owned, names, strict=True):
        try:
            histories += _rename(_read_place(reader, place), name)
        except AssayError as error:
            errors.append(error)
    if errors and not histories:
        raise errors[0]
    if not histories:
        raise ReadError(
            f"{folder} is a folder in which no log of a known format was found. "
            f"Run 'assay list readers' for the formats."
        )
    return Runs(tuple(histories), tuple(f"left out: {error}" for error in errors))


def _name_places(places: Sequence[Path]) -> list[str]:
    """Relative paths, without the suffix of a text file where that leaves them different."""
    stems = [place.with_suffix("") if place.suffix in TEXT_SUFFIXES else place for place in places]
    uses = Counter(stems)
    return [
        (stem if uses[stem] == 1 else place).as_posix()
        for stem, place in zip(stems, places, strict=True)
    ]


def _rename(histories: Sequence[History], name: str) -> list[History]:
    if len(histories) == 1:
        return [replace(histories[0], name=name)]
    parts = [history.name.rpartition("/")[2] for history in histories]
    return [
        replace(history, name=f"{name}/{part}")
        for history, part in zip(histories, parts, strict=True)
    ]


def _explain_refusal(path: Path) -> AssayError:
    """Why no reader takes the file: what is wrong with it, or what it holds instead of curves."""
    value = load_value(path)
    if value is None:
        header, _ = load_table(path)
        return SchemaError(
            f"{path}: expected {EXPECTED}; found {list_names(header)}. Rename one, or name "
            f"them with train= and val= (--train, --val), or pass "
            f"History.from_lists(train_loss=[...], val_loss=[...])"
        )
    return SchemaError(
        f"{path}: expected a list of one object an epoch, such as "
        f'[{{"epoch": 1, "val_loss": 0.5}}], or curves by name, such as {{"val_loss": [0.5]}}; '
        f"found {_describe(value)}"
    )


def _describe(value: Any) -> str:
    """A JSON value in words."""
    if isinstance(value, Mapping):
        return f"an object with {list_names(value, 'keys')}" if value else "an empty object"
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return f"a list of objects with {list_names(value[0], 'keys')}"
    return f"a list of {len(value)} values" if isinstance(value, list) else type(value).__name__
