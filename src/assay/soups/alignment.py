"""Alignment: checkpoints with other tensors are refused; which tensors are fused, and which not.

>>> import torch
>>> from assay.soups.checkpoints import StateDict
>>> check_alike([
...     StateDict("a", {"w": torch.ones(2), "b": torch.ones(1)}),
...     StateDict("b", {"w": torch.ones(3)})])
Traceback (most recent call last):
assay.errors.SchemaError: the checkpoints do not hold the same tensors, ...: b lacks 'b'; in b 'w'
is float32 (3,), in a float32 (2,). Fuse checkpoints of one architecture, saved in the same way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.core.text import Headline
from assay.errors import SchemaError, UnsupportedError
from assay.soups.base import get_torch
from assay.soups.checkpoints import Checkpoint, TensorSpec

__all__ = [
    "PART",
    "check_alike",
    "check_integers",
    "check_numbers",
    "compare_origins",
    "find_running",
    "join_names",
    "split_tensor",
]

PART = 1 << 17  # elements of a tensor that are read at a time, of each checkpoint
LEAST = 1 << 14  # elements that are read at a time however many checkpoints there are
MOST_BYTES = 1 << 24  # of all checkpoints together
MOST_LISTED = 5  # names in a message
LARGEST_MATRICES = 3  # how many are looked at to see whether checkpoints have one origin
LEAST_COSINE = 0.1  # between weights of one origin; those of two are nearly orthogonal


def check_alike(
    checkpoints: Sequence[Checkpoint], free: frozenset[str] = frozenset()
) -> dict[str, TensorSpec]:
    """The tensors that all have, in the order of the first.

    Parameters:
        checkpoints: The checkpoints, with the base where there is one.
        free: Names whose shapes may differ.

    Raises:
        SchemaError: Names, shapes or types differ; all of them are named, up to five a kind.
    """
    first = checkpoints[0]
    problems: list[str] = []
    hints: dict[str, None] = {}
    for other in checkpoints[1:]:
        missing = [name for name in first.tensors if name not in other.tensors]
        extra = [name for name in other.tensors if name not in first.tensors]
        if missing:
            problems.append(f"{other.name} lacks {join_names(missing)}")
        if extra:
            problems.append(f"{other.name} has {join_names(extra)}, which {first.name} lacks")
        hints |= dict.fromkeys(_explain_names(other.name, missing, extra))
        differing = [
            name
            for name, spec in first.tensors.items()
            if name in other.tensors and not _is_alike(spec, other.tensors[name], name in free)
        ]
        problems += [
            f"in {other.name} {name!r} is {other.tensors[name]}, in {first.name} "
            f"{first.tensors[name]}"
            for name in differing[:MOST_LISTED]
        ]
        if len(differing) > MOST_LISTED:
            problems.append(f"and {len(differing) - MOST_LISTED} more tensors of {other.name}")
        pairs = [(first.tensors[name], other.tensors[name]) for name in differing]
        hints |= dict.fromkeys(_explain_specs(pairs))
    if problems:
        advice = " ".join(hints) or "Fuse checkpoints of one architecture, saved in the same way."
        raise SchemaError(
            f"the checkpoints do not hold the same tensors, so they cannot be averaged: "
            f"{'; '.join(problems)}. {advice}"
        )
    return dict(first.tensors)


def _is_alike(spec: TensorSpec, other: TensorSpec, is_free: bool) -> bool:
    """Whether two tensors have one type and, unless it `is_free`, one shape."""
    return spec.dtype == other.dtype and (is_free or spec.shape == other.shape)


def _explain_names(checkpoint: str, missing: list[str], extra: list[str]) -> Iterator[str]:
    """What to do where names of a `checkpoint` differ by a prefix alone."""
    for longer, shorter, where in ((extra, missing, "in it"), (missing, extra, "in the others")):
        prefix = next(
            (
                long.removesuffix(short)
                for long in longer[:1]
                for short in shorter
                if long.endswith(f".{short}")
            ),
            "",
        )
        if prefix and {f"{prefix}{name}" for name in shorter} == set(longer):
            yield (
                f"The names of {checkpoint} are the same but for {prefix!r} {where}: remove it, as "
                f"in {{name.removeprefix({prefix!r}): tensor for name, tensor in state.items()}}, "
                f"and save again."
            )


def _explain_specs(pairs: list[tuple[TensorSpec, TensorSpec]]) -> Iterator[str]:
    """What to do where tensors differ in type, or in their first axis alone."""
    if any(a.dtype != b.dtype for a, b in pairs):
        yield "Convert all checkpoints to one type before, as with model.float()."
    matrices = [(a.shape, b.shape) for a, b in pairs if a.shape != b.shape and len(a.shape) > 1]
    if matrices and all(a[1:] == b[1:] for a, b in matrices):
        yield (
            "Where only the first size differs, the vocabularies or the classes do: row i does not "
            "mean the same in both."
        )


def check_numbers(specs: Mapping[str, TensorSpec]) -> None:
    """UnsupportedError where tensors of `specs` are of numbers whose mean means nothing."""
    narrow = [n for n, spec in specs.items() if spec.is_float and spec.dtype.itemsize < 2]
    if narrow:
        raise UnsupportedError(
            f"{join_names(narrow)} are of {specs[narrow[0]].dtype}: quantised weights have scales "
            f"of their own and cannot be averaged. Fuse the checkpoints from before quantising."
        )
    complex_ = [n for n, spec in specs.items() if spec.dtype.is_complex]
    if complex_:
        raise UnsupportedError(
            f"{join_names(complex_)} are complex, which soups do not fuse; save real and imaginary "
            f"parts as two tensors"
        )


def split_tensor(spec: TensorSpec, count: int = 1) -> Iterator[tuple[int, int]]:
    """The parts of a tensor: position of the first element and after the last.

    Parameters:
        spec: The tensor.
        count: Number of checkpoints of which the same part is in memory at a time; default 1.
    """
    size = min(PART, max(LEAST, MOST_BYTES // (count * spec.dtype.itemsize)))
    for start in range(0, spec.size, size):
        yield start, min(start + size, spec.size)


def check_integers(checkpoints: Sequence[Checkpoint], names: Sequence[str]) -> list[str]:
    """Notes on tensors of whole numbers, which are taken from the first of the `checkpoints`.

    Parameters:
        checkpoints: The checkpoints.
        names: Names of these tensors.

    Raises:
        UnsupportedError: Tensors of 8 bits differ: they look like quantised weights.
    """
    if not names:
        return []
    first = checkpoints[0]
    differing = [name for name in names if not _is_equal(checkpoints, name)]
    quantised = [
        n for n in differing if str(first.tensors[n].dtype) in ("torch.int8", "torch.uint8")
    ]
    if quantised:
        raise UnsupportedError(
            f"{join_names(quantised)} are of 8-bit whole numbers that differ between the "
            f"checkpoints: they look like quantised weights, which cannot be averaged. Fuse the "
            f"checkpoints from before quantising."
        )
    alike = f"they differ in {join_names(differing)}" if differing else "they are the same in all"
    return [
        f"Whole numbers are taken from {first.name!r}, not averaged: {join_names(names)} ({alike})."
    ]


def _is_equal(checkpoints: Sequence[Checkpoint], name: str) -> bool:
    """Whether the tensor of that `name` has the same elements in all `checkpoints`."""
    first, *others = checkpoints
    for start, stop in split_tensor(first.tensors[name]):
        elements = first.read(name, start, stop)
        if any(not elements.equal(other.read(name, start, stop)) for other in others):
            return False
    return True


def find_running(specs: Mapping[str, TensorSpec]) -> list[str]:
    """The names in `specs` of running statistics of batch norm."""
    return [
        name
        for name in specs
        for layer, _, kind in [name.rpartition(".")]
        if kind in ("running_mean", "running_var") and f"{layer}.running_var" in specs
    ]


def compare_origins(checkpoints: Sequence[Checkpoint], names: Sequence[str]) -> list[str]:
    """Notes on checkpoints that seem to be no kin, or the same, by parts of their largest matrices.

    Parameters:
        checkpoints: The checkpoints.
        names: Tensors that are fused.
    """
    first, *others = checkpoints
    matrices = [name for name in names if len(first.tensors[name].shape) > 1]
    largest = sorted(matrices, key=lambda name: -first.tensors[name].size)[:LARGEST_MATRICES]
    if not largest:
        return []
    start = _read_beginnings(first, largest)
    strangers: list[str] = []
    twins: list[str] = []
    for other in others:
        beginning = _read_beginnings(other, largest)
        if beginning.equal(start):
            twins.append(other.name)
        length = float(start.norm() * beginning.norm())
        if length and float(start.dot(beginning)) / length < LEAST_COSINE:
            strangers.append(other.name)
    notes: list[str] = []
    if strangers:
        notes.append(
            Headline(
                f"The weights of {join_names(strangers)} are nearly orthogonal to those of "
                f"{first.name!r}: they do not seem to come from one initialisation, and an average "
                f"of such networks computes nothing of use. Score it before you use it, or fuse "
                f"predictions: assay.fuse."
            )
        )
    if twins:
        notes.append(f"The weights of {join_names(twins)} seem to be those of {first.name!r}.")
    return notes


def _read_beginnings(checkpoint: Checkpoint, names: Sequence[str]) -> Any:
    """The first elements of some tensors, one after the other, in double precision."""
    pieces = [
        checkpoint.read(name, 0, min(PART, checkpoint.tensors[name].size)).double()
        for name in names
    ]
    return get_torch().cat(pieces)


def join_names(names: Sequence[str]) -> str:
    """Some `names` in quotes, and how many more there are.

    >>> join_names(["a", "b", "c", "d", "e", "f", "g"])
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    listed = ", ".join(map(repr, names[:MOST_LISTED]))
    return listed + (f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else "")
