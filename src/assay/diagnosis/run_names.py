"""run_names: which runs are one configuration with other seeds or folds, by their names; names in
short.

>>> from assay.diagnosis.run_names import find_group
>>> [find_group(name) for name in ("lr=0.1_seed=3", "seed2/big", "big, fold 1", "resnet50")]
['lr=0.1', 'big', 'big', 'resnet50']
"""

import re
from collections.abc import Sequence

from assay.errors import SchemaError

__all__ = ["find_group", "group_runs", "shorten_names"]

# A word for a seed or a fold and its number, at the start or behind a mark: seed=3, _s1, -rng_0,
# seed42/, fold 2.
WORD = r"(?:(?:random[_-]?)?(?:seed|state|rng|rs|s)[=_\-:]?|fold[=_\-: ]?)"
SEED = rf"(?:^|(?<=[/_.\-,; (])){WORD}\d+(?=$|[/_.\-,; )])"


def find_group(name: str, seed_pattern: str | None = None) -> str:
    """The `name` of a run without its seed, which `seed_pattern` matches.

    >>> find_group("a-try7", seed_pattern=r"try\\d+")
    'a'
    """
    rest = re.sub(seed_pattern or SEED, "", name, flags=re.IGNORECASE)
    if rest == name:
        return name
    rest = re.sub(r"([/_.\-,; ])[/_.\-,; ]+", r"\1", rest)
    return rest.strip("/_.-,; ") or "all"


def group_runs(names: Sequence[str], seed_pattern: str | None = None) -> list[str]:
    """The group of each of the runs; each is its own where no two differ in their seed alone.

    Parameters:
        names: Names of the runs.
        seed_pattern: Regular expression of the part of a name that tells the seed; default: words
            such as seed=3, seed3, s3, fold 3.

    Raises:
        SchemaError: The pattern is no regular expression, or matches no name.

    >>> group_runs(["a_s1", "a_s2", "b_s1"])
    ['a', 'a', 'b']
    """
    try:
        groups = [find_group(name, seed_pattern) for name in names]
    except re.error as error:
        raise SchemaError(
            f"seed_pattern must be a regular expression, as in 'seed=\\d+'; got {seed_pattern!r} "
            f"({error})"
        ) from error
    if seed_pattern is not None and groups == list(names):
        raise SchemaError(
            f"seed_pattern {seed_pattern!r} matches no name of a run; the first is {names[0]!r}"
        )
    return groups if len(set(groups)) < len(groups) else list(names)


def shorten_names(names: Sequence[str], width: int) -> list[str]:
    """The `names` without the folders that all share, each within `width` characters.

    >>> shorten_names(["runs/a/metrics", "runs/b/metrics"], 20)
    ['a', 'b']
    >>> shorten_names(["learning_rate=0.001", "b"], 12)
    ['learni…0.001', 'b']
    """
    parts = [name.split("/") for name in names]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({p[0] for p in parts}) == 1:
        parts = [p[1:] for p in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({p[-1] for p in parts}) == 1:
        parts = [p[:-1] for p in parts]
    return [_cut_middle("/".join(p), width) for p in parts]


def _cut_middle(name: str, width: int) -> str:
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"
