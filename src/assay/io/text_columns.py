"""text_columns: columns of texts in files that keep no types, read as they are written.

>>> import pathlib, tempfile
>>> from assay.io.formats import read_table
>>> path = pathlib.Path(tempfile.mkdtemp()) / "p.csv"
>>> _ = path.write_text("y,m.text\\n007,\\n")
>>> read_texts(read_table(path), ["y", "m.text"]).table.to_pylist()
[{'y': '007', 'm.text': ''}]
"""

from collections.abc import Sequence

import pyarrow as pa

from assay.io.formats import File

__all__ = ["read_texts"]


def read_texts(file: File, names: Sequence[str]) -> File:
    """The `file` with the columns `names` as texts.

    In a file that keeps types they are what they are. In one that keeps none, cells that look like
    numbers keep their spelling, and an empty cell is an empty text, which a note tells.
    """
    if file.typed or not names:
        return file
    again = file.reread(names)
    table = file.table
    notes = list(file.notes)
    for name in names:
        column = again.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        if column.null_count:
            cells = "1 cell" if column.null_count == 1 else f"{column.null_count} cells"
            notes.append(f"Column {name!r} of {file.path}: {cells} without text, read as ''.")
            column = column.fill_null("")
        table = table.set_column(table.column_names.index(name), name, column)
    return file._replace(table=table, notes=tuple(notes))
