"""The door: columns in, a checked schema and typed arrays out. Nothing is repaired in silence.

Every check happens here and in `outputs`, once, over whole columns: sizes, finite numbers, probabilities in [0, 1] that
sum to 1, labels inside the classes, weights, ids. A refusal names the first offending row and the remedy.

>>> schema, truth, outputs, weight = validate_table([0, 1, 1], group_by_model({"a.proba": [0.2, 0.9, 0.4]}))
>>> schema.task, schema.classes, truth.tolist(), outputs["a"]["proba"][0].tolist()
('binary', (0, 1), [0, 1, 1], [0.8, 0.2])
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.columns import RowNamer, Unnamed, name_by_position, find_first_null, convert_to_numbers, require_one, arrow_to_numpy, normalise, count_columns
from assay.table.labels import Label, encode_declared, check_classes, encode, recode, list_spellings
from assay.table.outputs import RawOutputs, group_by_model, require_finite, is_fractional, convert_to_indicators, check_outputs, refuse_scores
from assay.table.schema import TASKS, Kind, Schema, Task

__all__ = ["ValidatedTable", "validate_table", "group_by_model", "make_row_namer", "check_model", "require_unique"]


class ValidatedTable(NamedTuple):
    """What passed the door."""

    schema: Schema
    truth: Array
    outputs: dict[str, dict[Kind, Array]]
    weight: Array | None


def validate_table(
    y: Any,
    given: Mapping[str, RawOutputs],
    *,
    classes: Sequence[Label] | None = None,
    task: Task | None = None,
    positive: Label | None = None,
    weight: Any = None,
    columns: Mapping[str, pa.Array] | None = None,
    like: Schema | None = None,
) -> ValidatedTable:
    """Type and check the truth and every model's columns; see `Predictions.from_arrays` for what they may be.

    like: the schema of the table that these rows are a part of, if they are one; it settles task and classes.
    """
    if task is not None and task not in TASKS:
        raise SchemaError(f"task must be one of {', '.join(TASKS)}; got {task!r}")
    if not given:
        raise SchemaError("no model is given; expected a mapping of model name to its predictions")
    y = normalise(y, "truth")
    n = len(next(iter(y.values()))) if isinstance(y, Mapping) else len(y)
    for name, column in (columns or {}).items():
        if len(column) != n:
            raise SchemaError(
                f"column {name!r} has {len(column)} rows, the truth has {n}; give one value a row"
            )
    ids = (columns or {}).get("id")
    if ids is not None:
        require_unique(ids)
    name_row = make_row_namer(ids)
    if like is not None:
        schema, truth = like, _truth(y, like, name_row)
    else:
        schema, truth = _settle_schema(y, given, classes, task, positive, name_row)
    outputs = {model: check_outputs(model, kinds, schema, n, name_row) for model, kinds in given.items()}
    models = {model: tuple(kinds) for model, kinds in outputs.items()}
    schema = Schema(schema.task, schema.classes, models, schema.positive, schema.positive_declared)
    return ValidatedTable(schema, truth, outputs, _weight(weight, n, name_row))


def _settle_schema(
    y: Any,
    given: Mapping[str, RawOutputs],
    classes: Sequence[Label] | None,
    task: Task | None,
    positive: Label | None,
    name_row: RowNamer,
) -> tuple[Schema, Array]:
    """The schema, but for the kinds of the models, and the truth."""
    settled, encoded = task or _task(y, given, name_row), None
    if settled == "multilabel":
        schema = Schema(
            settled, check_classes(classes) if classes is not None else _label_names(y, given), {}
        )
    elif settled == "regression":
        schema = Schema(settled, (), {})
    elif classes is not None:
        schema = _classification(task, check_classes(classes), positive, given)
    else:
        encoded = encode(_target(y, settled), "truth", name_row)
        schema = _classification(task, _classes(encoded[1], given, name_row), positive, given)
    truth = (
        _truth(y, schema, name_row) if encoded is None else recode(*encoded, schema.classes, "truth", name_row)
    )
    if positive is not None and schema.task != "binary":
        raise SchemaError(
            f"positive class {positive!r} is for a binary task; this one is {schema.task}. Leave it out."
        )
    return schema, truth


def _truth(y: Any, schema: Schema, name_row: RowNamer) -> Array:
    """The truth of a table whose task and classes are known."""
    if schema.task == "multilabel":
        return convert_to_indicators(y, schema, "truth", name_row)
    target = _target(y, schema.task)
    if schema.task == "regression":
        return require_finite(convert_to_numbers(target, "truth", name_row), "truth", name_row)
    return encode_declared(target, schema.classes, "truth", name_row)


def check_model(
    model: str, kinds: Mapping[Any, Any], schema: Schema, n: int, ids: pa.Array | None = None
) -> dict[Kind, Array]:
    """Columns of one further model, typed and checked against the schema of a table of `n` rows."""
    return check_outputs(model, dict(kinds), schema, n, make_row_namer(ids))


def make_row_namer(ids: pa.Array | None) -> RowNamer:
    """How messages name a row: by position, and by id where there is one."""
    if ids is None:
        return name_by_position
    return lambda row: f"row {row} (id {ids[row].as_py()!r})" if row < len(ids) else name_by_position(row)


def require_unique(ids: pa.Array) -> None:
    """Refuse ids that are missing or occur more than once."""
    require_one(ids, "column 'id'")
    if ids.null_count:
        raise SchemaError(
            f"column 'id' is empty at row {find_first_null(ids)} ({ids.null_count} such rows); give each row an id"
        )
    if pa.types.is_integer(ids.type) and _tells_apart(arrow_to_numpy(ids)):
        return
    coded = ids if pa.types.is_dictionary(ids.type) else ids.dictionary_encode()
    codes = arrow_to_numpy(coded.indices)
    if len(codes) and np.bincount(codes.astype(np.intp, copy=False)).max() > 1:
        _, first = np.unique(codes, return_index=True)
        row = int(np.setdiff1d(np.arange(len(codes)), first)[0])
        times = int(np.count_nonzero(codes == codes[row]))
        raise SchemaError(
            f"id {ids[row].as_py()!r} occurs {times} times, the second at row {row}; ids must be unique. "
            f"Drop the duplicates, or leave the id column out if rows are not to be joined."
        )


def _tells_apart(ids: Array) -> bool:
    """Whether whole numbers of a range not much longer than the table, the commonest ids, are unique; no hashing."""
    low, high = (int(ids.min()), int(ids.max())) if len(ids) else (0, 0)
    if high - low > 4 * len(ids) or high >= 2**63:
        return False
    seen = np.zeros(high - low + 1, bool)
    seen[ids.astype(np.int64) - low] = True
    return int(seen.sum()) == len(ids)


def _task(y: Any, given: Mapping[str, RawOutputs], name_row: RowNamer) -> Task:
    """The task that the truth and the declared kinds show; binary against multiclass is settled by the classes."""
    if (count_columns(y) or 1) > 1:
        _one_reading(y, given)
        return "multilabel"
    kinds = {kind for of_model in given.values() for kind in of_model}
    if "value" in kinds or "interval" in kinds:
        return "regression"
    column = require_one(y, "truth")
    if is_fractional(column):
        return "regression"
    bare = [
        of_model[None]
        for of_model in given.values()
        if None in of_model and count_columns(of_model[None]) is None
    ]
    if (
        kinds == {None}
        and any(is_fractional(c) for c in bare)
        and len(encode(column, "truth", name_row)[1]) > 2
    ):
        return "regression"
    return "multiclass"


def _one_reading(y: Any, given: Mapping[str, RawOutputs]) -> None:
    """Refuse a truth of many columns that may as well be one-hot classes; the task must then be declared."""
    table = (
        np.stack([convert_to_numbers(c, "truth") for c in y.values()], axis=1) if isinstance(y, Mapping) else y
    )
    outputs = [values for kinds in given.values() for values in kinds.values()]
    if _is_list(y) or not _is_one_hot(table):
        return
    single = any(count_columns(v) is None for v in outputs)
    if single or all(_sums_to_one(v) for v in outputs):
        raise SchemaError(
            f"truth has shape {table.shape} with a single 1 in every row, which reads in two ways. If each row has one "
            f"class (one-hot), give labels: y.argmax(axis=1) with classes=[...]. If the columns are labels that stand "
            f"alone, use task='multilabel' and give every model {table.shape[1]} columns."
        )


def _is_one_hot(table: Array) -> bool:
    return bool(
        len(table)
        and table.shape[1] > 1
        and (table.sum(axis=1) == 1).all()
        and ((table == 0) | (table == 1)).all()
    )


def _sums_to_one(values: Any) -> bool:
    if isinstance(values, Mapping):
        columns = [convert_to_numbers(c, "predictions") for c in values.values()]
        return len({len(c) for c in columns}) == 1 and _sums_to_one(np.stack(columns, axis=1))
    return isinstance(values, np.ndarray) and bool(
        (np.abs(values.sum(axis=1, dtype=np.float64) - 1) < 1e-3).all()
    )


def _is_list(values: Any) -> bool:
    return isinstance(values, pa.Array) and bool(pa.types.is_nested(values.type))


def _target(y: Any, task: str) -> Any:
    """The truth of a task that has one value a row."""
    if (count_columns(y) or 1) > 1:
        shape = (len(next(iter(y.values()))) if isinstance(y, Mapping) else len(y), count_columns(y))
        one_hot = "if it is one-hot, give y.argmax(axis=1) with classes=[...]"
        labels = "if each column is a label, use task='multilabel'."
        remedy = (
            "evaluate one target at a time." if task == "regression" else f"{one_hot}; {labels}"
        )
        raise SchemaError(
            f"truth has shape {shape}, but task {task!r} takes one value a row; {remedy}"
        )
    return y


def _classification(
    task: str | None, classes: tuple[Label, ...], positive: Any, given: Mapping[str, RawOutputs]
) -> Schema:
    scored = any("score" in kinds for kinds in given.values())
    binary = task == "binary" or scored or (len(classes) == 2 and task != "multiclass")
    if binary and len(classes) != 2:
        kind = (
            "a rank score is for two classes"
            if scored and task != "binary"
            else "task 'binary' needs two classes"
        )
        raise SchemaError(
            f"{kind}; found {len(classes)}: {list(classes)[:10]}. Declare classes=[negative, positive]."
        )
    if binary and positive is not None:
        # A class is named by its text in column names and on the command line; so may the positive one be.
        named = [label for label in classes if label == positive] or [
            c for c in classes if str(c) == positive
        ]
        if not named:
            shown = " or ".join(map(repr, classes))
            raise SchemaError(
                f"positive class {positive!r} is not among the classes; name one of them: positive={shown}"
            )
        positive = named[0]
    return Schema(
        "binary" if binary else "multiclass",
        classes,
        {},
        positive if binary else None,
        positive is not None,
    )


def _classes(distinct: Sequence[Label], given: Mapping[str, RawOutputs], name_row: RowNamer) -> tuple[Label, ...]:
    """Sorted union of the labels seen in the truth, in label columns, and in the names of class columns."""
    like: type[Label] = type(distinct[0]) if distinct else str
    # A bool is a label of two classes, also where one of them is not seen.
    labels: dict[Label, None] = dict.fromkeys([False, True] if like is bool else distinct)
    named: dict[str, None] = {}
    widths = {}
    for model, kinds in given.items():
        for kind, values in kinds.items():
            if isinstance(values, Mapping) and not (
                isinstance(values, Unnamed) and like is not int
            ):
                named.update(dict.fromkeys(values))
            elif (columns := count_columns(values)) is not None:
                widths[model] = columns
            elif kind in (None, "label"):
                if kind is None:
                    refuse_scores(values, model)
                found = encode(values, f"labels of model {model!r}", name_row)[1]
                labels.update(dict.fromkeys(_same_type(found, distinct, model)))
    texts = {text for label in labels for text in list_spellings(label)}
    labels.update(dict.fromkeys(_cast(text, like) for text in named if text not in texts))
    if not labels:
        raise SchemaError("the table has no rows and no declared classes; give classes=[...]")
    try:
        ordered = tuple(sorted(labels))
    except TypeError as error:
        raise SchemaError(
            f"labels mix types: {list(labels)[:10]}; cast them to one type, or give classes=[...]"
        ) from error
    for model, columns in widths.items():
        if columns != len(ordered) and not (columns == 1 and len(ordered) == 2):
            raise SchemaError(
                f"model {model!r} gives {columns} columns but {len(ordered)} classes were seen: {list(ordered)[:10]}. "
                f"Declare the classes in column order: classes=[...]."
            )
    return ordered


def _same_type(found: Sequence[Label], distinct: Sequence[Label], model: str) -> Sequence[Label]:
    """Labels of a model in the type of the truth; text against numbers is refused, never cast."""
    if not distinct or not found or type(found[0]) is type(distinct[0]):
        return found
    like, label = distinct[0], found[0]
    if isinstance(like, str) == isinstance(label, str) and {*found, *distinct} <= {0, 1}:
        return [type(like)(v) for v in found]  # False and True are the classes 0 and 1
    raise SchemaError(
        f"labels of model {model!r} are {type(label).__name__} ({label!r}) but the truth is {type(like).__name__} "
        f"({like!r}): '1', 1 and True are different labels; cast one column to the other's type."
    )


def _cast(text: str, like: type[Label]) -> Label:
    """The class that a column's name spells, in the type of the truth."""
    if like is str:
        return text
    if like is int and text.lstrip("+-").isdecimal():
        return int(text)
    kind = "true or false" if like is bool else "a whole number"
    raise SchemaError(
        f"class column {text!r} is not {kind} like the labels of the truth; rename it, or give classes=[...]"
    )


def _label_names(y: Any, given: Mapping[str, RawOutputs]) -> tuple[Label, ...]:
    """Names of the labels of a multi-label truth: its columns' names, or class columns of a model, or 0, 1, ..."""
    if isinstance(y, Mapping) and not isinstance(y, Unnamed):
        return tuple(y)
    for kinds in given.values():
        for values in kinds.values():
            if isinstance(values, Mapping) and not isinstance(values, Unnamed):
                return tuple(values)
    return tuple(range(count_columns(y) or 1))


def _weight(weight: Any, n: int, name_row: RowNamer) -> Array | None:
    if weight is None:
        return None
    values = convert_to_numbers(weight, "weight", name_row).astype(np.float64, copy=False)
    if len(values) != n:
        raise SchemaError(
            f"weight has {len(values)} rows, the truth has {n}; give one weight a row"
        )
    require_finite(values, "weight", name_row)
    if (values < 0).any():
        row = int(np.argmax(values < 0))
        raise SchemaError(f"weight is {values[row]:.6g} at {name_row(row)}; weights must be 0 or more")
    return values
