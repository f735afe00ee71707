"""Leading zeros: codes such as 007 in text files, which are text although they look like numbers.

>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "codes.csv"
>>> _ = path.write_text("y,m\\n007,7\\n")
>>> may_hold_codes(path)
True
"""

import mmap
import os
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from assay.io.formats import PACKED, File
from assay.kernels import Array
from assay.table.columns import list_distinct

__all__ = ["holds_codes", "may_hold_codes"]

CODE = re.compile(r"0\d")  # how a code with leading zeros begins
STEP = 1 << 17  # bytes that are searched at a time


def holds_codes(file: File, names: Sequence[str]) -> bool:
    """Whether one of the columns `names` of a `file` holds whole numbers with leading zeros.

    Only text files have such: their columns of numbers are read once more, as text, where a quick
    search finds that any cell may hold one.
    """
    whole = [name for name in names if pa.types.is_integer(file.table.schema.field(name).type)]
    if file.typed or not whole or not may_hold_codes(file.path):
        return False
    texts = file.reread(whole, whole)
    return any(CODE.match(text or "") for name in whole for text in list_distinct(texts[name]))


def may_hold_codes(path: str | os.PathLike[str]) -> bool:
    """Whether a cell of the text file at `path` may begin with 0 and a digit.

    True where the search cannot tell.
    """
    if os.fspath(path).lower().endswith(PACKED):
        return True
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data[:4096]
        if b"\0" in start or b"sep=" in start:
            return True  # of two bytes a sign, or of a separator of its own
        content = np.frombuffer(data, np.uint8)
        steps = range(0, len(content), STEP)
        holds = any(_begins_with_code(content[at : at + STEP + 2]) for at in steps)
        del content  # the map cannot be closed while an array shows it
        return holds


def _begins_with_code(content: Array) -> bool:
    """Whether after a sign that may end a cell there is 0 and a digit, in bytes (n,)."""
    before = content[:-2]
    hit = content[1:-1] == ord("0")
    hit &= (content[2:] - np.uint8(ord("0"))) < 10
    hit &= (before < ord(".")) | (before == ord(";")) | (before == ord("|"))
    hit &= (before != ord("+")) & (before != ord("-"))
    return bool(hit.any())
