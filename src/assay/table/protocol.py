"""Table: what verbs and engines ask of predictions, whether they are in memory or streamed from
files.

`Predictions` and `Stream` both satisfy `Table`; what differs between them is an attribute here, so
that no verb asks which of the two it was given. A table is read in parts: each is small, can be
sent to another process, and gives its rows when it is loaded.

>>> from assay.table.predictions import Predictions
>>> table: Table = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> [(str(part), part.load().n) for part in table.parts(rows=2)]
[('rows 0 to 1', 2), ('rows 2 to 2', 1)]
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

import pyarrow as pa

from assay.kernels import Array
from assay.table.labels import Label
from assay.table.predictions import Predictions
from assay.table.rows import Rows
from assay.table.schema import Schema, Task

__all__ = ["Batch", "Grouping", "Part", "Table"]


class Batch(Protocol):
    """Rows as states read them; `Predictions` are one, and so are labels that come straight from a
    file.
    """

    @property
    def schema(self) -> Schema:
        """Task, classes, and the kinds each model gives."""

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def offset(self) -> int:
        """Number of rows of the table that lie before this batch."""

    @property
    def columns(self) -> Mapping[str, pa.Array]:
        """The further columns that were read, as Arrow arrays (n,)."""

    def rows(self, model: str) -> Rows:
        """What the named `model` predicted, beside the truth."""

    def group(self, name: str) -> tuple[Array, list[Any]]:
        """Codes (n,) and sorted values of the column `name`."""

    def batches(self, size: int) -> "Iterator[Batch]":
        """Consecutive batches of at most `size` rows."""

    def row_bytes(self, models: Collection[str]) -> int:
        """Bytes that a row of the truth and of the outputs of `models` takes."""


class Part(Protocol):
    """Some rows of a table: small and picklable until they are loaded.

    Its text names the file and the rows.
    """

    def load(self) -> Batch:
        """The rows; SchemaError or ReadError, naming file and row, where they cannot be used."""


class Grouping(Protocol):
    """Which group each row of a table belongs to."""

    @property
    def keys(self) -> tuple[tuple[Any, ...], ...]:
        """One key a group."""

    @property
    def cuts(self) -> Mapping[str, Array]:
        """Where each column of numbers was cut, by its name."""

    def encode_rows(self, batch: Batch) -> Array:
        """Positions (n,) in `keys` of the rows of a `batch` of the table."""


class Table(Protocol):
    """Truth and the outputs of several models on the same rows, read in parts."""

    @property
    def schema(self) -> Schema:
        """Task, classes, and the kinds each model gives."""

    @property
    def task(self) -> Task:
        """binary, multiclass, multilabel or regression."""

    @property
    def classes(self) -> tuple[Label, ...]:
        """Class labels in their declared order."""

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the table."""

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results must know of the table."""

    @property
    def columns(self) -> Mapping[str, pa.Array]:
        """The further columns of the rows in `head`: ids, folds, groups."""

    @property
    def head(self) -> Predictions:
        """The first rows with all their columns; of a table in memory, all rows."""

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows are at hand, in `head`."""

    @property
    def classes_assumed(self) -> bool:
        """Whether the classes are those of `head` alone, and further rows may show more."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that the parts are read from; empty for a table in memory."""

    @property
    def condition(self) -> str:
        """The condition by which its rows were chosen from the files; empty where all are read."""

    @property
    def rows_chosen(self) -> bool:
        """Whether rows have been chosen: training rows that are left shall judge."""

    def where(self, condition: str, /) -> Self:
        """The rows of which a `condition` is true."""

    def parts(self, rows: int) -> Iterator[Part]:
        """The table in parts, in the order of its rows: of at most `rows` rows in memory, else as
        its files hold them.
        """

    def count_parts(self, rows: int) -> int:
        """Number of the parts that `parts` gives for this number of `rows`."""

    def narrow(self, reads: Mapping[str, set[str]], columns: Sequence[str]) -> Self:
        """With no more than is needed of each model (`reads`: label, proba, ...) and of the further
        `columns`.
        """

    def settle_classes(self, classes: Sequence[Label] | None = None) -> Self:
        """With these `classes` in place of assumed ones; None: those of all rows, which are read
        for them.
        """

    def column_chunks(self, name: str) -> Iterator[pa.Array]:
        """The further column `name` of all rows, some rows at a time."""

    def close(self) -> None:
        """Close what this thread has open; what is read later opens it again."""
