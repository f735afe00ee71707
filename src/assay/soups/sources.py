"""Sources: what is given as checkpoints, opened and named.

>>> import torch
>>> opened, _ = open_all({"first": {"w": torch.ones(1)}, "second": {"w": torch.zeros(1)}})
>>> [checkpoint.name for checkpoint in opened]
['first', 'second']
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard

from assay.errors import ReadError, UnsupportedError
from assay.soups.checkpoints import Checkpoint, StateDict
from assay.soups.folders import find_checkpoints, find_main_file, name_paths
from assay.soups.shards import open_file

__all__ = ["Source", "open_all", "open_one"]

Source = str | Path | Mapping[str, Any]  # a path or a state dict


def open_all(
    checkpoints: Source | Sequence[Source] | Mapping[str, Source],
) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints that are given, and notes on how they were read.

    Parameters:
        checkpoints: Paths or state dicts, those of a mapping with their names; or one folder.

    Raises:
        ReadError: Something cannot be read.
        UnsupportedError: Something is neither a path nor a state dict.
    """
    notes: list[str] = []
    if isinstance(checkpoints, Mapping):
        if any(hasattr(value, "untyped_storage") for value in checkpoints.values()):
            checkpoints = [checkpoints]  # one state dict
        else:
            opened = [open_one(str(name), source) for name, source in checkpoints.items()]
            return opened, [note for one in opened for note in one.notes]
    given: Any = checkpoints
    sources: list[Any] = [given] if _is_path(given) else list(given)
    if len(sources) == 1 and _is_path(sources[0]) and Path(sources[0]).is_dir():
        sources, notes = _expand(Path(sources[0]))
    paths = [Path(source) for source in sources if _is_path(source)]
    names = name_paths(paths) if len(paths) == len(sources) else None
    opened = [
        open_one(names[i] if names else str(i + 1), source) for i, source in enumerate(sources)
    ]
    return opened, notes + [note for one in opened for note in one.notes]


def open_one(name: str, source: Source) -> Checkpoint:
    """One checkpoint.

    Parameters:
        name: What it is called in results.
        source: A file, an index of shards, a folder that holds one checkpoint, or a state dict.
    """
    if isinstance(source, Mapping):
        return StateDict(name, source)
    if not _is_path(source):
        raise UnsupportedError(
            f"checkpoint {name} is a {type(source).__name__}; give the path of a file or a folder, "
            f"or a state dict: model.state_dict()"
        )
    path = Path(source)
    if not path.exists():
        raise ReadError(f"{path}: no such file or folder; check the path")
    if not path.is_dir():
        return open_file(name, path)
    main = find_main_file(path)
    if main is None:
        inside = find_checkpoints(path)
        if len(inside) != 1 or inside[0].is_dir():
            raise ReadError(
                f"{path}: the folder holds {len(inside) or 'no'} checkpoints, where one was "
                f"expected; name the files"
            )
        main = inside[0]
    return open_file(name, main)


def _expand(folder: Path) -> tuple[list[Any], list[str]]:
    """The checkpoints in one folder, and a note where weights of its own are left out."""
    inside = find_checkpoints(folder)
    main = find_main_file(folder)
    of_runs = [place for place in inside if place.is_dir()]
    if main is None:
        return inside, []
    if not of_runs:
        return [folder], []
    note = f"Of {folder} the {len(of_runs)} checkpoints are taken, and not {main.name}."
    return list(of_runs), [note]


def _is_path(source: Any) -> TypeGuard[str | PathLike[str]]:
    """Whether a `source` is the path of something."""
    return isinstance(source, str | PathLike)
