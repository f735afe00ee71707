"""Row groups: the rows of Parquet files, one group at a time, as batches of a checked table.

>>> import tempfile, pathlib
>>> from assay.io.stream import scan
>>> from assay.io.read_write import write
>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> part = next(scan(write(p, pathlib.Path(tempfile.mkdtemp()) / "p.parquet")).parts())
>>> part.load().rows("m").pairs.tolist()
[[1, 0], [1, 1]]
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pyarrow as pa

from assay.core.lazy import lazy_property
from assay.errors import AssayError, ReadError
from assay.io.formats import is_text
from assay.io.layout import ColumnSet, Key
from assay.io.parquet import open_parquet, read_footer
from assay.io.read_write import build_predictions
from assay.io.undeclared import ReadOptions
from assay.kernels import Array
from assay.table.columns import normalise, numpy_to_arrow
from assay.table.condition import Condition
from assay.table.labels import count_label_pairs
from assay.table.predictions import Predictions
from assay.table.protocol import Batch
from assay.table.rows import Rows
from assay.table.schema import Kind, Schema

__all__ = ["LabelBatch", "RowGroup", "RowGroupPart", "RowGroupReader", "locate_errors"]

# Row groups of more rows than LONG are read in slices of SLICE rows, so that memory does not depend
# on how a file was written.
LONG = 1 << 22
SLICE = 1 << 20
# Rows of one column that are read at a time.
CHUNK = 1 << 20
# The file that a thread has open: its next row group is likely to be of the same file.
OPEN = threading.local()


class RowGroup(NamedTuple):
    """One row group of one file: its number of rows, and how many lie before it.

    `start` counts the rows before it in the file, `offset` those before it in the whole table,
    which of a table of chosen rows are the chosen ones.
    """

    path: str
    number: int
    rows: int
    start: int
    offset: int

    def count_parts(self) -> int:
        """Number of parts: one, or, of a long row group, its slices."""
        return 1 if self.rows <= LONG else -(-self.rows // SLICE)


@dataclass(frozen=True, eq=False)
class RowGroupReader:
    """Reads row groups as batches of one table of `n` rows.

    `keys` says what each column is, `types` the type of columns that differ between the files.
    Where there is a `condition`, rows of which it is not true are left out once they are checked. A
    copy in another process reads the footers again.
    """

    footers: Mapping[str, Any]
    keys: Mapping[str, Key]
    options: ReadOptions
    types: Mapping[str, pa.DataType]
    n: int
    condition: Condition | None = None
    roles: Mapping[str, str | None] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        about = (self.keys, self.options, self.types, self.n, self.condition, self.roles)
        return RowGroupReader, ({}, *about)

    @lazy_property
    def names_in_files(self) -> Mapping[str, str]:
        """Names of the columns in the files by the names that a condition has for them."""
        names = {key.name: name for name, key in self.keys.items() if key.role == "column"}
        truth = [name for name, key in self.keys.items() if key == Key("truth")]
        return {"y": truth[0], **names} if truth else names

    def mark_rows(self, table: pa.Table) -> Array:
        """Which rows (n,) of a `table`, named as in the files, the condition is true of."""
        assert self.condition is not None
        present = set(table.column_names)
        columns = {
            name: normalise(self.unify_types(table.select([raw])).column(0), f"column {name!r}")
            for name, raw in self.names_in_files.items()
            if raw in present and (name in self.condition.columns)
        }
        known = {name: columns.get(name) for name in self.names_in_files}
        return self.condition.mark_rows(known)

    def count_kept(self, group: RowGroup) -> int:
        """The number of rows of a row `group` that the condition is true of."""
        assert self.condition is not None
        known = self.names_in_files
        names = [known[name] for name in self.condition.columns if name in known]
        with locate_errors(group), open_parquet(group.path, self._footer(group.path)) as file:
            batches = file.iter_batches(
                CHUNK, row_groups=[group.number], columns=names, use_threads=False
            )
            masks = (self.mark_rows(pa.Table.from_batches([batch])) for batch in batches)
            return sum(int(mask.sum()) for mask in masks)

    def list_parts(self, group: RowGroup) -> "Iterator[RowGroupPart]":
        """The parts of a row `group`: one, or, of a long one, slices that are read one after
        another.
        """
        if group.rows <= LONG:
            yield RowGroupPart(self, group)
            return
        start = 0
        left_out = 0
        names = list(self.keys)
        with locate_errors(group), open_parquet(group.path, self._footer(group.path)) as file:
            for batch in file.iter_batches(
                SLICE, row_groups=[group.number], columns=names, use_threads=False
            ):
                table = pa.Table.from_batches([batch])
                yield RowGroupPart(self, group, start, table, left_out)
                start += batch.num_rows
                if self.condition is not None:
                    left_out += int((~self.mark_rows(table)).sum())

    def read(self, group: RowGroup, names: Sequence[str]) -> pa.Table:
        """The columns `names` of a row `group`, as they are in the file."""
        footer = self.footers.get(group.path)
        if getattr(OPEN, "path", None) != group.path or OPEN.footer is not footer:
            OPEN.file = open_parquet(group.path, self._footer(group.path))
            OPEN.path = group.path
            OPEN.footer = footer
        return OPEN.file.read_row_group(group.number, columns=list(names), use_threads=False)

    def read_column(self, name: str) -> Iterator[pa.Array]:
        """The column `name` of all files, some rows at a time; texts as dictionaries."""
        import pyarrow.parquet as parquet

        name = self.names_in_files.get(name, name)
        tested = () if self.condition is None else self.condition.columns
        names = list(dict.fromkeys([name, *(self.names_in_files[other] for other in tested)]))
        for path, footer in self.footers.items():
            schema = footer.schema.to_arrow_schema()
            texts = [other for other in names if is_text(schema.field(other).type)]
            try:
                with parquet.ParquetFile(path, metadata=footer, read_dictionary=texts) as file:
                    for batch in file.iter_batches(CHUNK, columns=names):
                        yield self._pick(batch, name)
            except (pa.ArrowException, OSError) as error:
                raise ReadError(
                    f"{path}: column {name!r} cannot be read ({error}); write it again"
                ) from error

    def _pick(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        """The column `name` of the rows of a `batch` that the condition is true of."""
        column = batch.column(batch.schema.get_field_index(name))
        if self.condition is None:
            return column
        return column.filter(numpy_to_arrow(self.mark_rows(pa.Table.from_batches([batch]))))

    def build_batch(self, group: RowGroup, start: int, table: pa.Table, left_out: int = 0) -> Batch:
        """The rows from `start` on of a row `group`: checked now, or, of labels alone, when used.

        Its rows are in `table`; of those before, so many are `left_out`.
        """
        if self._reads_labels_alone:
            return LabelBatch(self, group, start, table)
        return self.build_predictions(group, start, table, left_out)

    def build_predictions(
        self, group: RowGroup, start: int, table: pa.Table, left_out: int = 0
    ) -> Predictions:
        """The rows from `start` on of a row `group`, which are in `table`, checked.

        Of the rows of the group before `start`, so many are `left_out`, as the condition is not
        true of them; default 0.
        """
        with locate_errors(group, start):
            predictions = self.check(self.unify_types(table))
            if self.condition is not None:
                predictions = predictions.take(self.mark_rows(table))
        offset = group.offset + start - left_out
        return replace(predictions, offset=offset, streamed=self.n)

    def check(self, table: pa.Table) -> Predictions:
        """A checked table of the columns of a `table` that are named as in the files."""
        # A nested column `m` is read, too, where one is named `m.label`.
        columns = {
            self.keys[name]: join_chunks(table.column(name))
            for name in table.column_names
            if name in self.keys
        }
        return build_predictions(ColumnSet("", columns), self.options)

    def unify_types(self, table: pa.Table) -> pa.Table:
        """The `table` with the types that its columns have in all files together."""
        if not self.types:
            return table
        for i, name in enumerate(table.column_names):
            if name in self.types and table.column(i).type != self.types[name]:
                table = table.set_column(i, name, table.column(i).cast(self.types[name]))
        return table

    @lazy_property
    def _reads_labels_alone(self) -> bool:
        """Whether nothing but labels is read, of columns that are of one type in all files."""
        labels = all(key.role == "truth" or key.kind == "label" for key in self.keys.values())
        schema = self.options.like
        single_label = schema is not None and schema.task in ("binary", "multiclass")
        return labels and single_label and not self.types and self.condition is None

    @lazy_property
    def label_schema(self) -> Schema:
        """The schema of the rows, where labels alone are read."""
        assert self.options.like is not None  # the options of a stream are settled
        kinds: tuple[Kind, ...] = ("label",)
        models = {key.name: kinds for key in self.keys.values() if key.role == "model"}
        return replace(self.options.like, models=models)

    def _footer(self, path: str) -> Any:
        footer = self.footers.get(path)
        return read_footer(path) if footer is None else footer


class RowGroupPart(NamedTuple):
    """A part of a stream: a row group, or a slice of a long one, whose rows are in `table`."""

    reader: RowGroupReader
    group: RowGroup
    start: int = 0
    table: pa.Table | None = None
    left_out: int = 0  # rows of the group before `start` that the condition is not true of

    def load(self) -> Batch:
        """The rows, read and checked."""
        table = self.table
        if table is None:
            with locate_errors(self.group):
                table = self.reader.read(self.group, list(self.reader.keys))
        return self.reader.build_batch(self.group, self.start, table, self.left_out)

    def __str__(self) -> str:
        path, number, rows, start, _ = self.group
        rows = rows if self.table is None else self.table.num_rows
        first = start + self.start
        return f"{path}, row group {number}, rows {first} to {first + rows - 1}"


class LabelBatch:
    """Labels of the truth and of models as a file has them: pairs of them are counted as they come.

    Whatever else is asked of the batch is answered by `predictions`, the table of these rows.
    """

    columns: Mapping[str, pa.Array] = {}

    def __init__(
        self, reader: RowGroupReader, row_group: RowGroup, start: int, table: pa.Table
    ) -> None:
        self.reader = reader
        self.row_group = row_group
        self.start = start
        self.table = table
        self.schema = reader.label_schema

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def offset(self) -> int:
        """Number of rows of the stream that lie before this batch."""
        return self.row_group.offset + self.start

    @lazy_property
    def predictions(self) -> Predictions:
        """The rows as a checked table."""
        return self.reader.build_predictions(self.row_group, self.start, self.table)

    def rows(self, model: str) -> Rows:
        """What the named `model` predicted."""
        return LabelRows(self, model)

    def group(self, name: str) -> tuple[Array, list[Any]]:
        """Codes and values of the column `name`: SchemaError, for no further column is read."""
        return self.predictions.group(name)

    def batches(self, size: int) -> Iterator["LabelBatch"]:
        """Consecutive batches of at most `size` rows."""
        for start in range(0, self.n, size):
            table = self.table.slice(start, size)
            yield LabelBatch(self.reader, self.row_group, self.start + start, table)

    def row_bytes(self, models: Collection[str]) -> int:
        """Bytes that a row takes, of all models whatever `models` are named."""
        return int(self.table.nbytes // max(self.n, 1))

    def count_pairs(self, model: str) -> Array | None:
        """Pairs of true and predicted class (k, k) of a `model`; None where codes must be made
        first.
        """
        keys = self.reader.keys.items()
        truth = next(name for name, key in keys if key.role == "truth")
        label = next(name for name, key in keys if key.role == "model" and key.name == model)
        true = join_chunks(self.table.column(truth))
        predicted = join_chunks(self.table.column(label))
        return count_label_pairs(true, predicted, self.schema.classes)


class LabelRows(Rows):
    """One model's rows of a `LabelBatch`, checked when more than pairs of labels is read."""

    def __init__(self, batch: LabelBatch, model: str) -> None:
        self.batch = batch
        self.model = model
        self.schema = batch.schema
        self.weight = None

    @property
    def predictions(self) -> Predictions:
        """The checked table of these rows."""
        return self.batch.predictions

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.batch.n

    @lazy_property
    def pairs(self) -> Array:
        """How often each class was predicted for each true class (k, k)."""
        counts = self.batch.count_pairs(self.model)
        return Rows(self.predictions, self.model).pairs if counts is None else counts


@contextmanager
def locate_errors(group: RowGroup, start: int = 0) -> Iterator[None]:
    """Let errors begin with the file, the `group`, and the row of the file from which rows count.

    `start` is how many rows of the group lie before those that are read.
    """
    where = f"{group.path}, row group {group.number}, rows from {group.start + start} on"
    try:
        yield
    except AssayError as error:
        raise type(error)(f"{where}: {error}") from error
    except (pa.ArrowException, OSError) as error:
        why = " ".join(str(error).split())
        raise ReadError(f"{where}: cannot be read ({why}); write it again") from error


def join_chunks(column: pa.ChunkedArray) -> pa.Array:
    """A `column` as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()
