"""File formats: Parquet, Arrow, delimited text, JSON and Excel files as Arrow tables, and back.

Files are written whole or not at all.

>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
>>> write_table(pa.table({"y": ["cat", "dog"]}), path)
>>> read_table(path).table.column("y").to_pylist()
['cat', 'dog']
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from assay.core.atomic import stage_file
from assay.errors import AssayError, ReadError, SchemaError, suggest
from assay.io.delimited import AS_WRITTEN, TextOptions, read_delimited
from assay.io.records import read_records
from assay.io.spreadsheet import read_spreadsheet
from assay.table.labels import Label

__all__ = [
    "PACKED",
    "File",
    "Metadata",
    "add_keys",
    "detect_format",
    "expand_paths",
    "find_keys",
    "have_keys",
    "is_text",
    "parse_metadata",
    "read_table",
    "refuse_repeated_names",
    "write_table",
]

VERSION = 1
SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
PACKED = (".gz", ".bz2", ".zst")
KNOWN = f"expected {', '.join(SUFFIXES)} (text also as .csv.gz)"
WRITTEN = ("parquet", "arrow", "csv")
# What Hive, Spark and Arrow write in the name of a folder whose rows have no key.
MISSING_KEY = "__HIVE_DEFAULT_PARTITION__"
# How to make a table of a file that is read by another program alone.
CONVERSIONS = {
    ".xls": "save it as .xlsx or .csv",
    ".ods": "save it as .xlsx or .csv",
    ".pkl": "write the frame with to_parquet or to_csv: what a pickle holds is not read",
    ".pickle": "write the frame with to_parquet or to_csv: what a pickle holds is not read",
    ".npy": "give the array to assay.evaluate(y, {'model': array}), or write a CSV file",
    ".npz": "give the arrays to assay.evaluate(y, {'model': array}), or write a CSV file",
    ".rds": "write it in R with write.csv(..., row.names = FALSE) or arrow::write_parquet",
    ".rdata": "write it in R with write.csv(..., row.names = FALSE) or arrow::write_parquet",
    **dict.fromkeys(
        (".safetensors", ".pt", ".pth", ".ckpt"),
        "it holds the weights of a model: assay.soup fuses those of several",
    ),
    ".txt": "rename it to .csv if it is delimited text, .jsonl if each line is an object",
}


class Metadata(NamedTuple):
    """What the metadata key `assay` of a file declares: nothing, where there is none."""

    task: Any = None
    classes: tuple[Label, ...] | None = None
    positive: Label | None = None
    models: tuple[str, ...] | None = None

    def to_json(self) -> bytes:
        """The metadata value, with the version of the format in front."""
        return json.dumps({"version": VERSION, **self._asdict()}, ensure_ascii=False).encode()


class File(NamedTuple):
    """One file's table; `typed` tells whether its format keeps types (text files do not).

    `name` is that of the model whose columns have no prefix; "" for the name of the file. `text`
    says how it was read, if it is text; `origins` gives the name in the file of each column that
    has been given another, and `fold` the number of the fold that the name of the file tells. Where
    it is `scored`, its labels say of each row whether the model was right, and its truth is 1.
    """

    path: str
    table: pa.Table
    metadata: Metadata = Metadata()
    typed: bool = True
    name: str = ""
    text: TextOptions = AS_WRITTEN
    origins: Mapping[str, str] = {}
    fold: int | None = None
    scored: bool = False
    notes: tuple[str, ...] = ()

    def reread(self, as_text: Sequence[str], only: Sequence[str] = ()) -> pa.Table:
        """The table of the same file once more, with the columns `as_text` as text.

        No others than those in `only` are read, if any are named there.
        """
        texts = [self.origins.get(name, name) for name in as_text]
        kept = [self.origins.get(name, name) for name in only]
        table = read_table(self.path, texts, kept, self.text).table
        named = {origin: name for name, origin in self.origins.items()}
        return table.rename_columns([named.get(name, name) for name in table.column_names])

    def declare_task(self, task: Any) -> "File":
        """The file with `task` as what its metadata says."""
        return self._replace(metadata=self.metadata._replace(task=task))

    def rename(self, names: Mapping[str, str], note: str = "") -> "File":
        """The file with other names for the columns that are keys of `names`, and why, a `note`."""
        columns = [names.get(name, name) for name in self.table.column_names]
        origins = {new: self.origins.get(old, old) for old, new in names.items()}
        kept = {name: origin for name, origin in self.origins.items() if name not in names}
        return self._replace(
            table=self.table.rename_columns(columns),
            origins={**kept, **origins},
            notes=(*self.notes, note) if note else self.notes,
        )


def expand_paths(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files that `paths` (files, folders and glob patterns) name.

    Those of a folder or a pattern come in sorted order.
    """
    if not paths:
        raise ReadError("no file is given; name at least one Parquet, Arrow or CSV file")
    return [file for path in paths for file in _expand(path)]


def _expand(path: str | os.PathLike[str]) -> list[Path]:
    if not isinstance(path, str | os.PathLike):
        raise ReadError(f"expected the path of a file; got {type(path).__name__} {path!r}")
    place = Path(path)
    try:
        if place.is_dir():
            files = _list_tables(place)
            if not files:
                raise ReadError(f"{path}: no table in this folder; {KNOWN}")
            return files
        if place.exists():
            return [place]
        from glob import glob, has_magic

        if has_magic(str(path)):
            matches = sorted(Path(f) for f in glob(str(path), recursive=True) if os.path.isfile(f))
            if not matches:
                raise ReadError(f"{path}: no file matches this pattern; check the path")
            return matches
        neighbours = os.listdir(place.parent) if place.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise (
            error
            if isinstance(error, AssayError)
            else ReadError(f"{path}: cannot be opened ({error})")
        ) from error
    close = suggest(place.name, neighbours)
    raise ReadError(
        f"{path}: no such file; " + (f"did you mean {close[0]}?" if close else "check the path")
    )


def _list_tables(folder: Path) -> list[Path]:
    """The tables in a `folder`; JSON and Excel files, which may be much else, only if alone."""
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.name[0] not in "._")
    if not any(detect_format(f) for f in files):
        keyed = sorted(f for f in folder.iterdir() if f.is_dir() and find_keys(Path(f.name)))
        files = [table for inner in keyed for table in _list_tables(inner)]
    known = [f for f in files if detect_format(f) in WRITTEN]
    return known or [f for f in files if detect_format(f)]


def find_keys(path: Path) -> dict[str, str | None]:
    """The keys in the names of the folders of a `path`, as text, as in split=test/part.parquet.

    None where the key of the rows is missing, for which Hive and Spark write a name of their own.

    >>> find_keys(Path("split=test/year=2024/part-0.parquet"))
    {'split': 'test', 'year': '2024'}
    """
    from urllib.parse import unquote

    pairs = (part.partition("=") for part in path.parts)
    return {
        unquote(key): None if value == MISSING_KEY else unquote(value)
        for key, found, value in pairs
        if found and key
    }


def have_keys(paths: Sequence[str | os.PathLike[str]]) -> bool:
    """Whether one of the `paths` is a folder whose tables lie in folders with keys."""
    folders = [Path(path) for path in paths if os.path.isdir(path)]
    return any(file.parent != folder for folder in folders for file in _expand(folder))


def add_keys(file: File, folder: str | os.PathLike[str]) -> File:
    """The `file` with a column of text for each key between it and the `folder` that was named."""
    path = Path(file.path)
    if not Path(folder).is_dir() or Path(folder) not in path.parents:
        return file
    table = file.table
    for key, value in find_keys(path.parent.relative_to(folder)).items():
        if key not in table.column_names:
            zeros = pa.array(memoryview(bytes(4 * table.num_rows)).cast("i"), pa.int32())
            codes = pa.nulls(table.num_rows, pa.int32()) if value is None else zeros
            values = pa.DictionaryArray.from_arrays(codes, pa.array([value], pa.string()))
            table = table.append_column(key, values)
    return file._replace(table=table)


def detect_format(path: str | os.PathLike[str]) -> str | None:
    """parquet, arrow, csv, json or xlsx, by the suffix of `path`; None where it is another."""
    name = os.fspath(path).lower()
    packed = next((suffix for suffix in PACKED if name.endswith(suffix)), "")
    kind = SUFFIXES.get(os.path.splitext(name.removesuffix(packed))[1])
    return kind if not packed or kind in ("csv", "json") else None


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of type `kind` holds text, plain or as a dictionary."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def refuse_repeated_names(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Refuse the file at `path` where two of its columns `names` are one."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SchemaError(
            f"{path}: two columns are named {twice!r}; rename one, or, if the first line is no "
            "header, say so: --no-header (header=False)"
        )


def read_table(
    path: str | os.PathLike[str],
    as_text: Sequence[str] = (),
    only: Sequence[str] = (),
    text: TextOptions = AS_WRITTEN,
) -> File:
    """The file at `path` as a table.

    In a text file the columns `as_text` are read as text, whatever they look like, and no others
    than those in `only`, if any are named there; `text` says how it is written.
    """
    kind = detect_format(path)
    if kind is None:
        suffix = os.path.splitext(os.fspath(path))[1].lower()
        advice = CONVERSIONS.get(suffix, KNOWN)
        raise ReadError(f"{path}: the suffix does not tell the format; {advice}")
    try:
        if os.path.getsize(path) == 0:
            raise ReadError(f"{path}: the file is empty; write it again")
        table, notes = _read(kind, os.fspath(path), as_text, only, text)
        # A damaged file may hold text that is not UTF-8, or offsets that point outside its buffers.
        table.validate(full=True)
        names = table.column_names
        metadata = parse_metadata(path, (table.schema.metadata or {}).get(b"assay"))
    except UnicodeDecodeError as error:
        what = "the text is" if kind == "json" else "the column names are"
        raise ReadError(f"{path}: {what} not UTF-8; save the file as UTF-8") from error
    except AssayError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, MemoryError) as error:
        why = str(error).replace(str(path), "").strip().split("\n")[0][:200]
        damaged = "it may be truncated or not what its suffix says; write it again"
        advice = _advise_on_text(why) if kind == "csv" else damaged
        raise ReadError(f"{path}: cannot be read as {kind} ({why}); {advice}") from error
    refuse_repeated_names(path, names)
    return File(os.fspath(path), table, metadata, kind != "csv", text=text, notes=notes)


def _advise_on_text(why: str) -> str:
    """What to do about a text file that cannot be parsed, by what the parser says of it."""
    if "UTF8" in why:
        return "save it as UTF-8"
    counts = re.search(r"Expected (\d+) columns, got (\d+): (.*)", why)
    if counts and int(counts[1]) < int(counts[2]) and re.search(r"\d,\d", counts[3]):
        return (
            "if its numbers have a decimal comma, separate the cells by semicolons or put the "
            "numbers in quotes; else, is every row complete?"
        )
    return "is every row complete?"


def _read(
    kind: str, path: str, as_text: Sequence[str], only: Sequence[str], text: TextOptions
) -> tuple[pa.Table, tuple[str, ...]]:
    """The table in the file at `path`, of the format `kind`, and notes on how it was read."""
    if kind == "csv":
        return read_delimited(path, as_text, only, text)
    if kind == "json":
        return read_records(path)
    if kind == "xlsx":
        return read_spreadsheet(path, text.header)
    return (_read_parquet if kind == "parquet" else _read_arrow)(path), ()


def _read_parquet(path: str) -> pa.Table:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        footer = file.metadata
    # Ids are nearly all distinct: a dictionary of them would only cost memory.
    texts = [field.name for field in schema if is_text(field.type) and field.name != "id"]
    with parquet.ParquetFile(path, read_dictionary=texts, metadata=footer) as file:
        return file.read()


def _read_arrow(path: str) -> pa.Table:
    with pa.memory_map(path) as source:
        if source.read(6) == b"ARROW1":
            table = pa.ipc.open_file(source).read_all()
        else:
            source.seek(0)
            table = pa.ipc.open_stream(source).read_all()
    return table


def parse_metadata(path: str | os.PathLike[str], text: bytes | None) -> Metadata:
    """What `text`, the value of the metadata key `assay` of the file at `path`, declares."""
    if text is None:
        return Metadata()
    try:
        declared = json.loads(text)
        version = int(declared["version"])
        classes = None if declared.get("classes") is None else tuple(declared["classes"])
        models = None if declared.get("models") is None else tuple(map(str, declared["models"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReadError(
            f"{path}: its metadata 'assay' is not readable; remove it or write the file again"
        ) from error
    if version > VERSION:
        raise ReadError(
            f"{path}: written in version {version} of the format; this assay reads up to "
            f"{VERSION}. Update assay."
        )
    return Metadata(declared.get("task"), classes, declared.get("positive"), models)


def write_table(
    table: pa.Table, path: str | os.PathLike[str], by_dictionary: Sequence[str] = ()
) -> None:
    """Write a `table` in the format of the suffix of `path`, as a whole or not at all.

    Parquet keeps the columns `by_dictionary` as dictionaries.
    """
    kind = detect_format(path)
    if kind not in WRITTEN:
        known = ", ".join(suffix for suffix, kind in SUFFIXES.items() if kind in WRITTEN)
        raise ReadError(
            f"{path}: the suffix does not tell the format to write; expected {known} (text also as "
            ".csv.gz)"
        )
    with stage_file(path) as place:
        if kind == "parquet":
            import pyarrow.parquet as parquet

            parquet.write_table(table, place, use_dictionary=list(by_dictionary))
        elif kind == "arrow":
            with pa.OSFile(place, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
        else:
            _write_csv(table, place, os.fspath(path).lower())


def _write_csv(table: pa.Table, place: str, name: str) -> None:
    from pyarrow import csv

    delimiter = "\t" if ".tsv" in name[-8:] else ","
    packed = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(os.path.splitext(name)[1])
    header = delimiter.join('"' + column.replace('"', '""') + '"' for column in table.column_names)
    plain = [
        c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns
    ]
    with pa.output_stream(place, compression=packed) as sink:
        sink.write(header.encode() + b"\n")
        options = csv.WriteOptions(include_header=False, delimiter=delimiter)
        csv.write_csv(pa.Table.from_arrays(plain, table.column_names), sink, options)
