"""Fold files: tables of one file a fold, whose names say which, as oof_fold0.csv.

>>> files = [File(f"oof_fold{i}.csv", pa.table({"y": [i], "label": [1]})) for i in range(2)]
>>> [(file.name, file.table.column_names) for file in number_folds(files, "y")]
[('oof', ['y', 'label', 'fold']), ('oof', ['y', 'label', 'fold'])]
"""

import os
import re
from collections.abc import Sequence

import pyarrow as pa

from assay.io.formats import PACKED, File
from assay.io.layout import detect_layout

__all__ = ["number_folds", "strip_suffix"]

FOLD = re.compile(r"(?P<head>.*?)(?<![a-z])k?(fold|cv)[-_. ]?(?P<fold>\d+)(?P<tail>.*)", re.I)


def strip_suffix(path: str | os.PathLike[str]) -> str:
    """The name of the file at `path`, without folder and suffix."""
    name = os.path.basename(path)
    stem, suffix = os.path.splitext(name)
    return os.path.splitext(stem)[0] if suffix.lower() in PACKED else stem


def number_folds(files: Sequence[File], truth: str) -> list[File]:
    """The `files` with a column `fold`, where the names of all of them say which fold each is.

    `truth` is the name of the truth column: files of the same rows are models, not folds.
    """
    matches = [FOLD.fullmatch(strip_suffix(file.path)) for file in files]
    found = [match for match in matches if match]
    if len(found) < max(len(files), 2):
        return list(files)
    names = [f"{match['head']}{match['tail']}".strip("-_. ") or "model" for match in found]
    folds = [int(match["fold"]) for match in found]
    distinct = len(set(zip(names, folds, strict=True))) == len(files) and len(set(folds)) > 1
    if not distinct or any("fold" in file.table.column_names for file in files):
        return list(files)
    layouts = {detect_layout(file.table.column_names, truth) for file in files}
    alone = bool(layouts & {"single", "bare"})
    if alone and any(_are_same_rows(a, b, truth) for a, b in _pair_by_name(files, names)):
        return list(files)
    shown = ", ".join(map(str, sorted(set(folds))))
    note = f"The folds ({shown}) are read off the names of the files."
    return [
        file._replace(
            name=name,
            fold=fold,
            table=file.table.append_column("fold", pa.array([fold] * file.table.num_rows)),
            notes=(*file.notes, note) if file is files[0] else file.notes,
        )
        for file, name, fold in zip(files, names, folds, strict=True)
    ]


def _pair_by_name(files: Sequence[File], names: Sequence[str]) -> list[tuple[File, File]]:
    """Each file with the next of the same name."""
    last: dict[str, File] = {}
    pairs = []
    for file, name in zip(files, names, strict=True):
        if name in last:
            pairs.append((last[name], file))
        last[name] = file
    return pairs


def _are_same_rows(a: File, b: File, truth: str) -> bool:
    for name in ("id", truth):
        if name in a.table.column_names and name in b.table.column_names:
            first = a.table[name].to_pylist()
            return len(first) > 1 and first == b.table[name].to_pylist()
    return False
