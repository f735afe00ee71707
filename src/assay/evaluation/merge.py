"""merge: the states that separate jobs kept, joined to those of one evaluation over all their rows.

While the jobs have few rows each, these are kept and evaluated again as one table; beyond that
states are joined, and those by buckets of rows are pooled where so many rows need none.

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
from functools import reduce
from itertools import combinations
from typing import Any

from assay.engines.base import Job
from assay.engines.local import Local
from assay.errors import UnsupportedError
from assay.evaluation.fingerprint import digest_rows
from assay.evaluation.kept_rows import MOST_ROWS, join_rows
from assay.evaluation.plan import FoldedStates, Plan, TableInfo, fold_states, list_jobs
from assay.evaluation.state_file import StateFile, write_states
from assay.states.row_values import Ranked
from assay.table.buckets import BUCKETS
from assay.table.judging import leave_out_training, names_training
from assay.table.predictions import Predictions
from assay.table.schema import Schema

__all__ = ["join_states", "merge_states", "write_merged"]


def merge_states(paths: Sequence[str | os.PathLike[str]]) -> tuple[FoldedStates, Plan]:
    """The states in the files at `paths` as those of one job, and what all the jobs were asked.

    The jobs must have been asked the same of tables with the same classes and models, and no row
    may be in two of them. ReadError where a file is no state file, UnsupportedError where the files
    do not fit together.
    """
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise UnsupportedError("a state file is named twice; its rows would count twice")
    files = {os.fspath(path): StateFile.read(path) for path in paths}
    first, *others = files
    plan = files[first].plan
    for path, file in files.items():
        if not file.header["complete"]:
            raise UnsupportedError(
                f"{path}: the evaluation that kept it was interrupted; run it again, which reads "
                f"the rows that are left, then merge"
            )
    for path in others:
        _refuse_misfit(f"{first} and {path}", files[first], files[path])
    states = {path: file.states for path, file in files.items()}
    for a, b in combinations(states, 2):
        _refuse_same_rows(a, states[a], b, states[b])
    return join_states(list(states.values()), plan), plan


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
    passes = {"whole": (0, folded.whole)}
    write_states(path, folded.info, plan, passes, source=folded.source, rows=folded.rows)


def _refuse_misfit(files: str, first: StateFile, second: StateFile) -> None:
    """Refuse two `files` that were asked differently, or of tables that differ in kind."""
    for part in ("asked", "schema"):
        if second.header[part] != first.header[part]:
            raise UnsupportedError(
                f"{files} differ in what was asked or in their classes and models; evaluate the "
                f"parts with the same metrics, groups and declared classes"
            )
    _refuse_other_cuts(files, first.cuts, second.cuts)
    for trait in ("weighted", "clustered"):
        if getattr(first.info, trait) != getattr(second.info, trait):
            raise UnsupportedError(f"of {files} one table is {trait} and the other is not")


def _refuse_same_rows(path: str, a: FoldedStates, other: str, b: FoldedStates) -> None:
    """Refuse two jobs that read the same file, the same rows, or rows of the same ids."""
    same = {tuple(entry[1:]) for entry in a.source} & {tuple(entry[1:]) for entry in b.source}
    if a.rows is not None and b.rows is not None and not same:
        same = {("",)} if digest_rows(a.rows) == digest_rows(b.rows) else set()
    if same:
        raise UnsupportedError(
            f"{path} and {other} hold the same rows, which would count twice; merge one of them. "
            f"Where the rows are others that happen to be equal, give them an id column and "
            f"evaluate again"
        )
    if a.rows is None or b.rows is None or "id" not in a.rows.columns or "id" not in b.rows.columns:
        return
    repeated = set(a.rows.columns["id"].to_pylist()) & set(b.rows.columns["id"].to_pylist())
    if repeated:
        raise UnsupportedError(
            f"{path} and {other} both hold the row with id {min(repeated, key=repr)!r}, which "
            f"would count twice; evaluate each row in one job"
        )


def join_states(states: Sequence[FoldedStates], plan: Plan) -> FoldedStates:
    """The `states` that several jobs were asked for by a `plan`, as those of one."""
    if len(states) == 1:
        return states[0]
    info = reduce(_join_info, (folded.info for folded in states))
    source = [entry for folded in states for entry in folded.source]
    kept = [folded.rows for folded in states if folded.rows is not None]
    if len(kept) == len(states):
        return _fold_rows(join_rows(kept), plan, info)._replace(source=source)
    keys = dict.fromkeys(key for folded in states for key in folded.keys)
    wanted = {
        name: {(job.state, job.models): job.bucketed for job in list_jobs(info, plan, groups)}
        for name, groups in (("whole", 1), ("grouped", max(len(keys), 1)))
    }
    alike = [_pool_unneeded(folded, wanted) for folded in states]
    return reduce(_join, alike)._replace(info=info, source=source)


def _fold_rows(rows: Predictions, plan: Plan, info: TableInfo) -> FoldedStates:
    """The states of all `rows` of several jobs as if one job had read them."""
    judging = leave_out_training(rows) if names_training(rows, plan.by) else rows
    folded = fold_states(judging, plan, Local(progress=False), grouped=rows)
    few = rows if rows.n <= MOST_ROWS else None
    return folded._replace(info=folded.info._replace(notes=info.notes), rows=few)


def _pool_unneeded(
    folded: FoldedStates, wanted: Mapping[str, Mapping[tuple[Any, ...], bool]]
) -> FoldedStates:
    """The states with none by buckets of rows that all jobs together do not need so."""
    whole = _pool_values(folded.whole, wanted["whole"])
    if folded.grouped is None:
        return folded._replace(whole=whole)
    grouped = [_pool_values(values, wanted["grouped"]) for values in folded.grouped]
    return folded._replace(whole=whole, grouped=grouped)


def _pool_values(
    values: Mapping[Job, Any], bucketed: Mapping[tuple[Any, ...], bool]
) -> dict[Job, Any]:
    pooled = {}
    for job, value in values.items():
        if job.bucketed and not bucketed.get((job.state, job.models), True):
            pooled[job._replace(bucketed=False)] = job.state.pool(value, BUCKETS)
        else:
            pooled[job] = value
    return pooled


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


def _join_info(a: TableInfo, b: TableInfo) -> TableInfo:
    return a._replace(
        n=a.n + b.n, notes=tuple(dict.fromkeys((*a.notes, *b.notes))), long=a.long or b.long
    )


def _join(a: FoldedStates, b: FoldedStates) -> FoldedStates:
    schema = a.info.schema
    info = _join_info(a.info, b.info)
    whole = _join_values(a.whole, b.whole, schema)
    if a.grouped is None or b.grouped is None:
        return FoldedStates(info, whole)
    groups = dict(zip(a.keys, a.grouped, strict=True))
    for key, values in zip(b.keys, b.grouped, strict=True):
        groups[key] = _join_values(groups[key], values, schema) if key in groups else values
    return FoldedStates(info, whole, tuple(groups), list(groups.values()))


def _join_values(a: Mapping[Job, Any], b: Mapping[Job, Any], schema: Schema) -> dict[Job, Any]:
    """The values of two jobs together: by buckets of rows where both keep them so."""
    first = _pool_values(a, _list_bucketed(b))
    second = _pool_values(b, _list_bucketed(a))
    if first.keys() != second.keys():
        raise UnsupportedError(
            "the jobs kept different states of their rows; evaluate each with the same intervals"
        )
    joined = {}
    for job, value in first.items():
        pair = [value, second[job]]
        if isinstance(job.state, Ranked):
            pair = job.state.unify(pair, schema)
        joined[job] = job.state.join(pair)
    return joined


def _list_bucketed(values: Mapping[Job, Any]) -> dict[tuple[Any, ...], bool]:
    return {(job.state, job.models): job.bucketed for job in values}
