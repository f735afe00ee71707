"""Folders: which checkpoints lie in a folder, and in which order a run wrote them.

>>> import tempfile
>>> folder = Path(tempfile.mkdtemp())
>>> for name in ("step-10.pt", "step-9.pt", "optimizer.pt", "notes.txt"):
...     (folder / name).touch()
>>> [path.name for path in find_checkpoints(folder)], is_checkpoint(folder / "notes.txt")
(['step-9.pt', 'step-10.pt'], False)
"""

import re
from collections.abc import Sequence
from pathlib import Path

from assay.errors import ReadError

__all__ = ["SUFFIXES", "find_checkpoints", "find_main_file", "is_checkpoint", "name_paths"]

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")

# The weights of a folder that is one checkpoint, as libraries name them, the first that is there.
MAIN_FILES = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
    "adapter_model.safetensors",
    "adapter_model.bin",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
)

# What lies beside weights and is none.
NO_WEIGHTS = re.compile(r"optimizer|scheduler|scaler|training_args|rng_state|random_states")


def find_main_file(folder: Path) -> Path | None:
    """The file, or the index of files, with the weights of a `folder` that is one checkpoint."""
    places = (folder / name for name in MAIN_FILES)
    return next((place for place in places if place.is_file()), None)


def is_checkpoint(path: Path) -> bool:
    """Whether the name at `path` is one of weights, or the folder holds some."""
    if path.is_dir():
        return bool(find_main_file(path) or find_checkpoints(path))
    return path.name.endswith(".index.json") or (
        path.suffix.lower() in SUFFIXES and not NO_WEIGHTS.match(path.name)
    )


def find_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints within a `folder`, each a file or a folder of its own, by number and name."""
    try:
        places = list(folder.iterdir())
    except OSError as error:
        raise ReadError(f"{folder}: cannot be read ({error.strerror or error})") from error
    visible = [place for place in places if not place.name.startswith(".")]
    indices = {place for place in visible if place.name.endswith(".index.json")}
    sharded = {place.name.removesuffix(".index.json").partition(".")[0] for place in indices}
    found = [
        place
        for place in visible
        if (find_main_file(place) is not None if place.is_dir() else is_checkpoint(place))
        and not (re.sub(r"-\d+-of-\d+$", "", place.stem) in sharded and place not in indices)
    ]
    return sorted(found, key=_sort_key)


def _sort_key(path: Path) -> list[tuple[int, int, str]]:
    """The parts of a name, numbers as numbers: step-9 comes before step-10."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts]


def name_paths(paths: Sequence[Path]) -> list[str]:
    """A short name of each of the `paths`, all of them different.

    >>> name_paths([Path("run1/last.pt"), Path("run2/last.pt")])
    ['run1/last', 'run2/last']
    """
    for depth in range(1, max((len(path.parts) for path in paths), default=1) + 1):
        names = [_strip_suffix("/".join(path.parts[-depth:])) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _strip_suffix(name: str) -> str:
    """A `name` without the suffix of a file of weights."""
    for suffix in (".safetensors.index.json", ".bin.index.json", *SUFFIXES):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name
