"""Kept rows: the rows themselves beside the states of a checkpoint, while they are few.

The interval of few rows rests on single rows, which no state of two jobs can give once they are
joined. Rows that are kept are evaluated again as one table, exactly as if one job had read them.

>>> from assay.table.predictions import Predictions
>>> p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, 0]})
>>> rows = keep_rows(p, [])
>>> load_rows(dump_rows(rows), p.schema) == p
True
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import UnsupportedError
from assay.kernels import Array
from assay.table.predictions import Predictions
from assay.table.protocol import Table
from assay.table.schema import WRITTEN, Schema
from assay.table.texts import convert_to_texts, restore_texts

__all__ = ["MOST_ROWS", "dump_rows", "join_rows", "keep_rows", "load_rows"]

# Rows, and bytes of what models gave, up to which the rows of a job are kept.
MOST_ROWS = 1 << 16
MOST_BYTES = 1 << 25


def keep_rows(table: Table, columns: Collection[str]) -> Predictions | None:
    """All rows of a `table` with those of the further `columns`, where they are few; else None."""
    size = table.n * table.head.row_bytes(table.models)
    if table.n > MOST_ROWS or size > MOST_BYTES:
        return None
    if table.is_in_memory:
        return _keep_columns(table.head, columns)
    batches: list[Any] = [part.load() for part in table.parts(MOST_ROWS)]
    tables = [b if isinstance(b, Predictions) else b.predictions for b in batches]
    joined = join_rows([_keep_columns(few, columns) for few in tables])
    return replace(joined, schema=table.schema, streamed=0, rows_chosen=table.rows_chosen)


def _keep_columns(rows: Predictions, names: Collection[str]) -> Predictions:
    kept = {name: column for name, column in rows.columns.items() if name in names}
    return replace(rows, columns=kept)


def join_rows(tables: Sequence[Predictions]) -> Predictions:
    """The rows of `tables` of one schema as one table, with the further columns that all have.

    UnsupportedError where a column has another type in one of them.
    """
    first = tables[0]
    outputs = {
        model: {
            kind: np.concatenate([table.outputs[model][kind] for table in tables]) for kind in kinds
        }
        for model, kinds in first.outputs.items()
    }
    weight = None
    if first.weight is not None:
        weight = np.concatenate([table.weight for table in tables if table.weight is not None])
    names = [name for name in first.columns if all(name in table.columns for table in tables)]
    return replace(
        first,
        truth=np.concatenate([table.truth for table in tables]),
        outputs=outputs,
        weight=weight,
        columns={name: _join_columns(name, tables) for name in names},
        offset=0,
        rows_chosen=any(table.rows_chosen for table in tables),
    )


def dump_rows(rows: Predictions) -> dict[str, Array]:
    """The `rows` as named arrays, for a file."""
    arrays = {"truth": _pack(rows.truth), "chosen": np.array(rows.rows_chosen)}
    if rows.weight is not None:
        arrays["weight"] = rows.weight
    for i, kinds in enumerate(rows.outputs.values()):
        arrays |= {f"{i}/{kind}": _pack(array) for kind, array in kinds.items()}
    if rows.columns:
        arrays["columns"] = _write_table(pa.table(dict(rows.columns)))
    return arrays


def load_rows(arrays: Mapping[str, Array], schema: Schema) -> Predictions:
    """The rows of a table of this `schema` that `dump_rows` wrote as `arrays`."""
    outputs: dict[str, Any] = {
        model: {kind: _unpack(arrays[f"{i}/{kind}"], schema) for kind in kinds}
        for i, (model, kinds) in enumerate(schema.models.items())
    }
    columns = {}
    if "columns" in arrays:
        table = _read_table(arrays["columns"])
        columns = {name: _combine_chunks(table.column(name)) for name in table.column_names}
    return Predictions(
        schema=schema,
        truth=_unpack(arrays["truth"], schema),
        outputs=outputs,
        weight=arrays.get("weight"),
        columns=columns,
        rows_chosen=bool(arrays["chosen"]),
    )


def _pack(array: Array) -> Array:
    """The `array` as numbers: texts as the bytes of an Arrow table."""
    if array.dtype != object:
        return array
    return _write_table(pa.table({"text": restore_texts(array)}))


def _unpack(array: Array, schema: Schema) -> Array:
    """What `_pack` made an `array` of, in a table of this `schema`."""
    if schema.task not in WRITTEN:
        return array
    return convert_to_texts(_read_table(array).column("text"), "text")


def _write_table(table: pa.Table) -> Array:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return np.frombuffer(sink.getvalue(), np.uint8)


def _read_table(content: Array) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(content.tobytes())) as reader:
        return reader.read_all()


def _join_columns(name: str, tables: Sequence[Predictions]) -> pa.Array:
    """The column `name` of all `tables`."""
    columns = [table.columns[name] for table in tables]
    plain = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in columns]
    parts = [pa.table({name: column}) for column in plain]
    try:
        joined = pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        raise UnsupportedError(
            f"column {name!r} has values of different types in the jobs that are joined ({error}); "
            f"give it one type, and evaluate them again"
        ) from error
    return _combine_chunks(joined.column(name))


def _combine_chunks(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()
