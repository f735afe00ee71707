"""Validation: columns in, a checked schema and typed arrays out. Nothing is repaired in silence.

Every check happens here and in `outputs`, once, over whole columns: sizes, finite numbers,
probabilities in [0, 1] that sum to 1, labels inside the classes, weights, ids. A refusal names the
first offending row and the remedy.

>>> models = group_by_model({"a.proba": [0.2, 0.9, 0.4]})
>>> table = validate_table([0, 1, 1], models)
>>> table.schema.classes, table.truth.tolist(), table.outputs["a"]["proba"][0].tolist()
((0, 1), [0, 1, 1], [0.8, 0.2])
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError
from assay.kernels import Array
from assay.table.boxes import collect_categories, convert_to_boxes
from assay.table.class_columns import (
    align_classes,
    align_numbers,
    convert_to_grades,
    convert_to_indicators,
    convert_to_matrix,
    require_finite,
)
from assay.table.columns import (
    RowNamer,
    Unnamed,
    arrow_to_numpy,
    convert_to_numbers,
    count_columns,
    find_first_null,
    name_by_position,
    normalise,
    numpy_to_arrow,
    require_one,
)
from assay.table.conversions import (
    AS_GIVEN,
    Conversions,
    convert_labels,
    rename_classes,
)
from assay.table.label_sets import (
    advise_map,
    look_like_amounts,
    refuse_ignore_label,
    require_common_labels,
)
from assay.table.labels import (
    Label,
    check_classes,
    encode,
    encode_declared,
    list_spellings,
    recode,
)
from assay.table.outputs import (
    RawOutputs,
    check_outputs,
    group_by_model,
    holds_numbers,
    is_fractional,
    refuse_scores,
)
from assay.table.schema import TASKS, WRITTEN, Kind, Schema, Task
from assay.table.text_lists import refuse_lists_as_labels
from assay.table.texts import convert_to_texts

__all__ = [
    "ValidatedTable",
    "check_model",
    "group_by_model",
    "make_row_namer",
    "refuse_amounts",
    "require_unique",
    "validate_table",
]


# What to do about a truth of several labels that is neither 0 nor 1.
GRADES = (
    "If these are grades of relevance, name what each model gives <model>.score: ndcg and dcg "
    "then take them. If they are numbers to predict, use task='multioutput' (--task multioutput)."
)


class ValidatedTable(NamedTuple):
    """What passed validation."""

    schema: Schema
    truth: Array
    outputs: dict[str, dict[Kind, Array]]
    weight: Array | None
    notes: tuple[str, ...]


def validate_table(  # noqa: PLR0913 - the columns that a table may have
    y: Any,
    models: Mapping[str, RawOutputs],
    *,
    classes: Sequence[Label] | None = None,
    task: Task | None = None,
    positive: Label | None = None,
    weight: Any = None,
    columns: Mapping[str, pa.Array] | None = None,
    like: Schema | None = None,
    conversions: Conversions = AS_GIVEN,
) -> ValidatedTable:
    """Type and check the truth and every model's columns.

    Parameters:
        y: The truth; see `Predictions.from_arrays` for what it may be.
        models: The columns of each model by kind; None stands for a kind that is not declared.
        classes: Class labels in their order; default: those of the data, sorted.
        task: binary, multiclass, multilabel, regression, multioutput, text or detection; default:
            what truth and models show, which is neither of the last two.
        positive: Positive class of a binary task; default: the last of the two.
        weight: Weights (n,) of the rows, 0 or more; default: each row counts once.
        columns: Further columns (n,), whose sizes and ids are checked.
        like: The schema of the table that these rows are a part of; it settles task and classes.
        conversions: What is done to the columns before they are checked; default: nothing.

    Raises:
        SchemaError: Columns cannot be used; it names the first offending row and the remedy.
    """
    if task is not None and task not in TASKS:
        raise SchemaError(f"task must be one of {', '.join(TASKS)}; got {task!r}")
    if not models:
        raise SchemaError("no model is given; expected a mapping of model name to its predictions")
    y = normalise(y, "truth")
    n = len(next(iter(y.values()))) if isinstance(y, Mapping) else len(y)
    ids = _check_columns(columns or {}, n)
    name_row = make_row_namer(ids)
    if conversions.renames:
        classes = classes or conversions.class_names
        y, models = _rename_labels(y, models, conversions, name_row)
    settled = task if like is None else like.task
    notes: list[str] = []
    if settled in ("binary", "multiclass") and (count_columns(y) or 1) > 1:
        y, classes, notes = _read_one_hot(y, classes)
    if like is not None:
        schema = like
        truth = _read_truth(y, like, name_row)
    else:
        schema, truth = _settle_schema(y, models, classes, task, positive, name_row)
    outputs = {}
    for model, columns_of_model in models.items():
        outputs[model], remarks = check_outputs(
            model, columns_of_model, schema, n, name_row, conversions
        )
        notes += remarks
    kinds = {model: tuple(of_model) for model, of_model in outputs.items()}
    schema = replace(schema, models=kinds)
    weight = _check_weight(weight, n, name_row)
    return ValidatedTable(schema, truth, outputs, weight, tuple(notes))


def _check_columns(columns: Mapping[str, pa.Array], n: int) -> pa.Array | None:
    """Refuse columns of other sizes, and ids that are not unique; the ids, if there are any."""
    for name, column in columns.items():
        if len(column) != n:
            raise SchemaError(
                f"column {name!r} has {len(column)} rows, the truth has {n}; give one value a row"
            )
    ids = columns.get("id")
    if ids is not None:
        require_unique(ids)
    return ids


def _rename_labels(
    y: Any, models: Mapping[str, RawOutputs], conversions: Conversions, name_row: RowNamer
) -> tuple[Any, dict[str, RawOutputs]]:
    """The truth and the columns of the models with the labels that are meant."""

    def rename(values: Any, kind: str | None, where: str) -> Any:
        if isinstance(values, Mapping) and len(values) > 1 and kind not in ("value", "interval"):
            return rename_classes(values, conversions, where)
        holds_labels = kind in (None, "label") and count_columns(values) is None
        if not holds_labels or is_fractional(values):
            return values
        return convert_labels(values, conversions, where, name_row)

    renamed = {
        model: {kind: rename(v, kind, f"model {model!r}") for kind, v in kinds.items()}
        for model, kinds in models.items()
    }
    return rename(y, None, "truth"), renamed


def _settle_schema(
    y: Any,
    models: Mapping[str, RawOutputs],
    classes: Sequence[Label] | None,
    task: Task | None,
    positive: Label | None,
    name_row: RowNamer,
) -> tuple[Schema, Array]:
    """The schema, without the kinds of the models, and the truth."""
    settled = task or _infer_task(y, models, name_row, classes is not None)
    encoded = None
    if settled == "multilabel":
        labels = _name_labels(y, models) if classes is None else check_classes(classes)
        schema = Schema(settled, labels, {})
        graded = _gives_scores_alone(models) and _holds_grades(y, schema, name_row)
        schema = replace(schema, graded=graded)
    elif settled == "multioutput":
        names = _name_labels(y, models) if classes is None else check_classes(classes)
        schema = Schema(settled, names, {})
    elif settled == "detection":
        columns = [y, *(c for outputs in models.values() for c in outputs.values())]
        labels = (
            collect_categories(columns, name_row) if classes is None else check_classes(classes)
        )
        schema = Schema(settled, labels, {})
    elif settled in ("regression", "text"):
        schema = Schema(settled, (), {})
    elif classes is not None:
        schema = _classify(task, check_classes(classes), positive, models)
    else:
        encoded = encode(_require_target(y, settled), "truth", name_row)
        labels = _collect_classes(*encoded, models, name_row)
        schema = _classify(task, labels, positive, models)
    if encoded is None:
        truth = _read_truth(y, schema, name_row)
    else:
        truth = recode(*encoded, schema.classes, "truth", name_row)
    if positive is not None and schema.task != "binary":
        raise SchemaError(
            f"positive class {positive!r} is for a binary task; this one is {schema.task}. "
            "Leave it out."
        )
    return schema, truth


def _read_truth(y: Any, schema: Schema, name_row: RowNamer) -> Array:
    """The truth of a table whose task and classes are known."""
    if schema.graded:
        return convert_to_grades(y, schema, "truth", name_row)
    if schema.task == "multilabel":
        return convert_to_indicators(y, schema, "truth", name_row, GRADES)
    if schema.task == "multioutput":
        return align_numbers(y, schema, "truth", name_row)
    target = _require_target(y, schema.task)
    if schema.task == "text":
        return convert_to_texts(target, "truth", name_row)
    if schema.task == "detection":
        return convert_to_boxes(target, "truth", name_row, scored=False, classes=schema.classes)
    if schema.task == "regression":
        return require_finite(convert_to_numbers(target, "truth", name_row), "truth", name_row)
    return encode_declared(target, schema.classes, "truth", name_row)


def _gives_scores_alone(models: Mapping[str, RawOutputs]) -> bool:
    """Whether all that models give is scores, which rank labels and say no more."""
    return all(kind == "score" for outputs in models.values() for kind in outputs)


def _holds_grades(y: Any, schema: Schema, name_row: RowNamer) -> bool:
    """Whether the truth of several labels is something else than 0 and 1 throughout."""
    table = align_classes(y, schema, "truth", name_row)
    return table.dtype != bool and bool(((table != 0) & (table != 1)).any())


def check_model(
    model: str, kinds: Mapping[Any, Any], schema: Schema, n: int, ids: pa.Array | None = None
) -> tuple[dict[Kind, Array], list[str]]:
    """The `kinds` of one further `model`, checked against the `schema` of `n` rows, and notes.

    Messages name a row by its entry in `ids`, if there are any.
    """
    return check_outputs(model, dict(kinds), schema, n, make_row_namer(ids))


def make_row_namer(ids: pa.Array | None) -> RowNamer:
    """How messages name a row: by position, and by its entry in `ids` (n,) if there are any."""
    if ids is None:
        return name_by_position

    def name_by_id(row: int) -> str:
        return f"row {row} (id {ids[row].as_py()!r})" if row < len(ids) else name_by_position(row)

    return name_by_id


def require_unique(ids: pa.Array) -> None:
    """Refuse `ids` (n,) that are missing or occur more than once."""
    require_one(ids, "column 'id'")
    if ids.null_count:
        raise SchemaError(
            f"column 'id' is empty at row {find_first_null(ids)} ({ids.null_count} such rows); "
            "give each row an id"
        )
    if pa.types.is_integer(ids.type) and _are_unique(arrow_to_numpy(ids)):
        return
    encoded = ids if pa.types.is_dictionary(ids.type) else ids.dictionary_encode()
    codes = arrow_to_numpy(encoded.indices)
    if len(codes) and np.bincount(codes.astype(np.intp, copy=False)).max() > 1:
        _, first = np.unique(codes, return_index=True)
        row = int(np.setdiff1d(np.arange(len(codes)), first)[0])
        times = int(np.count_nonzero(codes == codes[row]))
        raise SchemaError(
            f"id {ids[row].as_py()!r} occurs {times} times, the second at row {row}; ids must be "
            "unique. If rows of one id belong together, give it as the cluster (--cluster); leave "
            "it out (id=None, --no-id) if no files are to be joined by it"
        )


def _are_unique(ids: Array) -> bool:
    """Whether whole numbers are unique, without hashing; False where their range is long."""
    if not len(ids):
        return True
    low = int(ids.min())
    high = int(ids.max())
    if high - low > 4 * len(ids) or high >= 2**63:
        return False
    occurs = np.zeros(high - low + 1, bool)
    occurs[ids.astype(np.int64) - low] = True
    return int(occurs.sum()) == len(ids)


def _infer_task(
    y: Any, models: Mapping[str, RawOutputs], name_row: RowNamer, declares_classes: bool
) -> Task:
    """The task that truth and declared kinds show; "multiclass" also stands for binary tasks."""
    kinds = {kind for outputs in models.values() for kind in outputs}
    if (count_columns(y) or 1) > 1:
        if "value" in kinds or (kinds == {None} and holds_numbers(y)):
            return "multioutput"
        _require_multilabel(y, models)
        return "multilabel"
    column = require_one(y, "truth")
    if "value" in kinds or "interval" in kinds or is_fractional(column):
        return "regression"
    if kinds == {None}:
        undeclared = [outputs[None] for outputs in models.values()]
        numeric = any(count_columns(c) is None and is_fractional(c) for c in undeclared)
        if numeric and len(encode(column, "truth", name_row)[1]) > 2:
            return "regression"
        for model, outputs in models.items() if not declares_classes else ():
            refuse_amounts(column, outputs[None], f"model {model!r}")
    return "multiclass"


def refuse_amounts(truth: Any, predicted: Any, where: str) -> None:
    """Refuse whole numbers that may as well be amounts as classes.

    `truth` and `predicted` are normalised columns; the message names the latter by `where`.
    """
    whole = _is_whole(truth) and _is_whole(predicted)
    if whole and look_like_amounts(_convert_to_numbers(truth), _convert_to_numbers(predicted)):
        raise SchemaError(
            f"the truth and {where} hold very many different whole numbers, which read in two "
            "ways. If they are amounts, use task='regression' (--task regression); if each is a "
            "class of its own, use task='multiclass' (--task multiclass)."
        )


def _is_whole(column: Any) -> bool:
    """Whether a normalised column holds numbers, all whole, without gaps."""
    if isinstance(column, np.ndarray):
        return column.ndim == 1 and column.dtype.kind in "iuf"
    return (
        isinstance(column, pa.Array) and pa.types.is_integer(column.type) and not column.null_count
    )


def _convert_to_numbers(column: Any) -> Array:
    return arrow_to_numpy(column) if isinstance(column, pa.Array) else column


def _require_multilabel(y: Any, models: Mapping[str, RawOutputs]) -> None:
    """Refuse a truth of several columns that may as well be one-hot classes."""
    if isinstance(y, Mapping):
        table = _stack_truth(y)
    elif isinstance(y, np.ndarray):
        table = y
    else:
        return
    if not _is_one_hot(table):
        return
    outputs = [values for kinds in models.values() for values in kinds.values()]
    single = any(count_columns(v) is None for v in outputs)
    if single or all(_sums_to_one(v) for v in outputs):
        raise SchemaError(
            f"truth has shape {table.shape} with a single 1 in every row, which reads in two ways. "
            "If each row has one class (one-hot), use task='multiclass' (--task multiclass). If "
            "the columns are labels that stand alone, use task='multilabel' (--task multilabel) "
            f"and give every model {table.shape[1]} columns."
        )


def _stack_truth(y: Mapping[str, Any]) -> Array:
    """The columns of a truth side by side (n, labels)."""
    columns = [convert_to_numbers(c, f"truth, column {name!r}") for name, c in y.items()]
    sizes = {name: len(column) for name, column in zip(y, columns, strict=True)}
    if len(set(sizes.values())) > 1:
        raise SchemaError(
            f"truth has columns of different lengths ({sizes}); give one value a row in each"
        )
    return np.stack(columns, axis=1)


def _is_one_hot(table: Array) -> bool:
    if not len(table) or table.shape[1] < 2:
        return False
    return bool((table.sum(axis=1) == 1).all() and ((table == 0) | (table == 1)).all())


def _sums_to_one(values: Any) -> bool:
    if isinstance(values, Mapping):
        columns = [convert_to_numbers(c, "predictions") for c in values.values()]
        return len({len(c) for c in columns}) == 1 and _sums_to_one(np.stack(columns, axis=1))
    if not isinstance(values, np.ndarray):
        return False
    return bool((np.abs(values.sum(axis=1, dtype=np.float64) - 1) < 1e-3).all())


def _read_one_hot(
    y: Any, classes: Sequence[Label] | None
) -> tuple[Any, Sequence[Label] | None, list[str]]:
    """A one-hot truth as labels, with the classes in the order of its columns, and a note on it."""
    table = _stack_truth(y) if isinstance(y, Mapping) else convert_to_matrix(y, "truth")
    if table.ndim != 2 or not _is_one_hot(table):
        return y, classes, []
    names: Sequence[Label] = range(table.shape[1])
    if isinstance(y, Mapping) and not isinstance(y, Unnamed):
        known: dict[str, Label] = {
            text: label for label in classes or () for text in list_spellings(label)
        }
        names = [known.get(str(name), str(name)) for name in y]
    elif classes is not None and len(classes) == table.shape[1]:
        names = classes
    places = table.argmax(axis=1)
    note = "The truth is one-hot: the class of a row is the column that holds its 1."
    if isinstance(names[0], str):
        codes = numpy_to_arrow(places.astype(np.int32))
        labels = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
    else:
        labels = np.array(names)[places]
    return labels, names if classes is None else classes, [note]


def _require_target(y: Any, task: str) -> Any:
    """The truth of a task that has one value a row."""
    width = count_columns(y) or 1
    if width == 1:
        return y
    rows = len(next(iter(y.values()))) if isinstance(y, Mapping) else len(y)
    if task in WRITTEN:
        remedy = "evaluate one target at a time."
    elif task == "regression":
        remedy = "say that they are several: task='multioutput' (--task multioutput)."
    else:
        remedy = (
            "its rows do not hold a single 1 each, so it is not one-hot; if each column is a "
            "label, use task='multilabel'."
        )
    raise SchemaError(
        f"truth has shape {(rows, width)}, but task {task!r} takes one value a row; {remedy}"
    )


def _classify(
    task: str | None, classes: tuple[Label, ...], positive: Any, models: Mapping[str, RawOutputs]
) -> Schema:
    """The schema of a task of classes: binary or multiclass."""
    scored = any("score" in kinds for kinds in models.values())
    binary = task == "binary" or scored or (len(classes) == 2 and task != "multiclass")
    if not binary:
        return Schema("multiclass", classes, {}, None, positive is not None)
    if len(classes) != 2:
        by_score = scored and task != "binary"
        reason = "a rank score is for" if by_score else "task 'binary' needs"
        raise SchemaError(
            f"{reason} two classes; found {len(classes)}: {list(classes)[:10]}. "
            "Declare classes=[negative, positive]."
        )
    if positive is None:
        return Schema("binary", classes, {}, None, False)
    return Schema("binary", classes, {}, _find_positive(classes, positive), True)


def _find_positive(classes: tuple[Label, ...], positive: Any) -> Label:
    """The positive class; like any class in column names it may be named by its text."""
    matches = [label for label in classes if label == positive]
    matches += [label for label in classes if str(label) == positive]
    if not matches:
        shown = " or ".join(map(repr, classes))
        raise SchemaError(
            f"positive class {positive!r} is not among the classes; "
            f"name one of them: positive={shown}"
        )
    return matches[0]


def _iter_columns(models: Mapping[str, RawOutputs]) -> Iterator[tuple[str, Kind | None, Any]]:
    """Model, kind and columns of each output."""
    for model, kinds in models.items():
        for kind, values in kinds.items():
            yield model, kind, values


def _collect_classes(
    codes: Array,
    distinct: Sequence[Label],
    models: Mapping[str, RawOutputs],
    name_row: RowNamer,
) -> tuple[Label, ...]:
    """Sorted union of the labels in the truth, in label columns, and in names of class columns.

    `codes` (n,) over the `distinct` labels are the truth.
    """
    refuse_lists_as_labels(distinct, "truth")
    like: type[Label] = type(distinct[0]) if distinct else str
    # A bool is a label of two classes, also where one of them does not occur.
    labels: dict[Label, None] = dict.fromkeys([False, True] if like is bool else distinct)
    predicted: dict[Label, None] = {}
    names: dict[str, None] = {}
    widths = {}
    for model, kind, values in _iter_columns(models):
        width = count_columns(values)
        if isinstance(values, Mapping) and not (isinstance(values, Unnamed) and like is not int):
            names.update(dict.fromkeys(values))
        elif width is not None:
            widths[model] = width
        elif kind in (None, "label"):
            if kind is None:
                refuse_scores(values, model)
            answers = encode(values, f"labels of model {model!r}", name_row)[1]
            refuse_lists_as_labels(answers, f"label of model {model!r}")
            of_type = _require_same_type(answers, distinct, model)
            require_common_labels(of_type, distinct, model)
            predicted.update(dict.fromkeys(of_type))
    refuse_ignore_label(distinct, lambda code: int(np.count_nonzero(codes == code)), predicted)
    labels.update(predicted)
    texts = {text for label in labels for text in list_spellings(label)}
    labels.update(dict.fromkeys(_cast(text, like) for text in names if text not in texts))
    classes = _sort_labels(labels)
    _check_widths(widths, classes)
    return classes


def _sort_labels(labels: Mapping[Label, None]) -> tuple[Label, ...]:
    if not labels:
        raise SchemaError("the table has no rows and no declared classes; give classes=[...]")
    try:
        return tuple(sorted(labels))
    except TypeError as error:
        raise SchemaError(
            f"labels mix types: {list(labels)[:10]}; cast them to one type, or give classes=[...]"
        ) from error


def _check_widths(widths: Mapping[str, int], classes: tuple[Label, ...]) -> None:
    """Refuse models whose class columns are not as many as the classes."""
    for model, columns in widths.items():
        if columns != len(classes) and not (columns == 1 and len(classes) == 2):
            raise SchemaError(
                f"model {model!r} gives {columns} columns but {len(classes)} classes were seen: "
                f"{list(classes)[:10]}. Declare the classes in column order: classes=[...]."
            )


def _require_same_type(
    labels: Sequence[Label], distinct: Sequence[Label], model: str
) -> Sequence[Label]:
    """Labels of a model in the type of the truth; text against numbers is refused, never cast."""
    if not distinct or not labels or type(labels[0]) is type(distinct[0]):
        return labels
    like = distinct[0]
    label = labels[0]
    if isinstance(like, str) == isinstance(label, str) and {*labels, *distinct} <= {0, 1}:
        return [type(like)(v) for v in labels]  # False and True are the classes 0 and 1
    raise SchemaError(
        f"labels of model {model!r} are {type(label).__name__} ({label!r}) but the truth is "
        f"{type(like).__name__} ({like!r}): '1', 1 and True are different labels; "
        f"cast one column to the other's type. {advise_map(labels, distinct)}"
    )


def _cast(text: str, like: type[Label]) -> Label:
    """The class that a column's name spells, in the type of the truth."""
    if like is str:
        return text
    if like is int and text.lstrip("+-").isdecimal():
        return int(text)
    kind = "true or false" if like is bool else "a whole number"
    raise SchemaError(
        f"class column {text!r} is not {kind} like the labels of the truth; "
        "rename it, or give classes=[...]"
    )


def _name_labels(y: Any, models: Mapping[str, RawOutputs]) -> tuple[Label, ...]:
    """Names of the labels of a multi-label truth.

    They are the names of its columns, or of a model's class columns, or else 0, 1, ...
    """
    for values in (y, *(values for _, _, values in _iter_columns(models))):
        if isinstance(values, Mapping) and not isinstance(values, Unnamed):
            return tuple(values)
    return tuple(range(count_columns(y) or 1))


def _check_weight(weight: Any, n: int, name_row: RowNamer) -> Array | None:
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
        raise SchemaError(
            f"weight is {values[row]:.6g} at {name_row(row)}; weights must be 0 or more"
        )
    largest = float(values.max(initial=0.0))
    with np.errstate(over="ignore"):
        too_large = not np.isfinite(np.square(largest) * n)
    if too_large:
        raise SchemaError(
            f"weight is {largest:.6g} at {name_row(int(values.argmax()))}, too large to be squared "
            f"and added up; divide all weights by the largest: figures go by their ratios alone"
        )
    return values
