"""merge: the states that separate jobs kept, joined to those of one evaluation over all their rows.

>>> import tempfile, pathlib
>>> from assay.evaluation.evaluate import evaluate
>>> from assay.table.predictions import Predictions
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> for i in range(2):
...     p = Predictions.from_arrays([0, 1, 1], {"m": [0, 1, i]})
...     _ = evaluate(p, "accuracy", checkpoint=folder / f"{i}.state")
>>> folded, plan = merge_states([folder / "0.state", folder / "1.state"])
>>> folded.info.n
6
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from assay.engines.base import Job
from assay.errors import UnsupportedError
from assay.evaluation.plan import FoldedStates, Plan
from assay.evaluation.state_file import StateFile, write_states
from assay.states.row_values import Ranked
from assay.table.schema import Schema

__all__ = ["merge_states", "write_merged"]


def merge_states(paths: Sequence[str | os.PathLike[str]]) -> tuple[FoldedStates, Plan]:
    """The states in the files at `paths` as those of one job, and what all the jobs were asked.

    The jobs must have been asked the same of tables with the same classes and models. ReadError
    where a file is no state file, UnsupportedError where the files do not fit together.
    """
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise UnsupportedError("a state file is named twice; its rows would count twice")
    files = [StateFile.read(path) for path in paths]
    first = files[0]
    folded = first.states
    for path, other in zip(paths[1:], files[1:], strict=True):
        for part in ("asked", "schema"):
            if other.header[part] != first.header[part]:
                raise UnsupportedError(
                    f"{paths[0]} and {path} differ in what was asked or in their classes and "
                    f"models; evaluate the parts with the same metrics, groups and declared classes"
                )
        _refuse_other_cuts(f"{paths[0]} and {path}", first.cuts, other.cuts)
        states = other.states
        for trait in ("weighted", "clustered"):
            if getattr(folded.info, trait) != getattr(states.info, trait):
                raise UnsupportedError(
                    f"of {paths[0]} and {path} one table is {trait} and the other is not"
                )
        folded = _join(folded, states)
    return folded, first.plan


def write_merged(path: str | os.PathLike[str], folded: FoldedStates, plan: Plan) -> None:
    """Write joined states to `path` as a file that can be merged again.

    UnsupportedError where the `folded` states of the `plan` are by group: keys of groups are not
    kept.
    """
    if folded.grouped is not None:
        raise UnsupportedError(
            "states by group cannot be written again once they are joined; merge all of them at "
            "once"
        )
    source = [["merged", folded.info.n]]
    write_states(path, folded.info, plan, {"whole": (0, folded.whole)}, source=source)


def _refuse_other_cuts(
    files: str, first: Mapping[str, list[float]], second: Mapping[str, list[float]]
) -> None:
    """Slices of numbers join only if both jobs cut the column at the same places."""
    for name in {**first, **second}:
        if first.get(name) != second.get(name):
            a = _list_cuts(first.get(name, []))
            b = _list_cuts(second.get(name, []))
            raise UnsupportedError(
                f"{files} cut column {name!r} at {a} and at {b}: each job cuts at the quartiles of "
                f"its own rows. Write a column of ranges before, and group by that"
            )


def _list_cuts(cuts: Sequence[float]) -> str:
    return ", ".join(f"{x:.12g}" for x in cuts) or "nowhere"


def _join(a: FoldedStates, b: FoldedStates) -> FoldedStates:
    schema = a.info.schema
    info = a.info._replace(
        n=a.info.n + b.info.n,
        notes=tuple(dict.fromkeys((*a.info.notes, *b.info.notes))),
        long=a.info.long or b.info.long,
    )
    whole = _join_values(a.whole, b.whole, schema)
    if a.grouped is None or b.grouped is None:
        return FoldedStates(info, whole)
    groups = dict(zip(a.keys, a.grouped, strict=True))
    for key, values in zip(b.keys, b.grouped, strict=True):
        groups[key] = _join_values(groups[key], values, schema) if key in groups else values
    return FoldedStates(info, whole, tuple(groups), list(groups.values()))


def _join_values(a: Mapping[Job, Any], b: Mapping[Job, Any], schema: Schema) -> dict[Job, Any]:
    if a.keys() != b.keys():
        raise UnsupportedError(
            "the jobs kept different states of their rows; evaluate each with the same intervals"
        )
    joined = {}
    for job, value in a.items():
        pair = [value, b[job]]
        if isinstance(job.state, Ranked):
            pair = job.state.unify(pair, schema)
        joined[job] = job.state.join(pair)
    return joined
