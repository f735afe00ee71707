"""Conventions: tables whose columns are named as other tools name them.

>>> import pyarrow as pa
>>> columns = {"pred": ["no", "no"], "obs": ["no", "yes"], "no": [0.75, 0.5], "yes": [0.25, 0.5]}
>>> adopt_conventions(File("caret.csv", pa.table(columns)), "obs", ()).table.column_names
['label', 'obs', 'proba.no', 'proba.yes']
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from assay.errors import SchemaError
from assay.io.formats import File, Metadata, is_text
from assay.io.layout import detect_layout
from assay.table.columns import list_distinct
from assay.table.schema import SPECIAL, parse_column

__all__ = ["adopt_conventions", "is_prediction_name", "list_values", "split_words"]

# Scores of one item that evaluation harnesses write, the one that is reported first.
ITEM_SCORES = ("acc", "exact_match", "em", "pass@1", "correct", "is_correct", "f1", "acc_norm")
PREDICTED = re.compile(
    "preds?|predicted|predictions?|scored|yhat|hat|outputs?|responses?|estimate|scores?|probs?|"
    "proba|probability|probabilities|oof|logits?|confidence|forecast|fitted|generated|hypothesis"
)


def adopt_conventions(file: File, truth: str, models: Collection[str]) -> File:
    """The `file` with columns named as here, where they are named as another tool names them.

    Columns named in `models` keep their names; `truth` is the name of the truth. What was taken for
    what is told in the notes of the file.
    """
    names = file.table.column_names
    if file.metadata.models is not None:
        return file
    if "doc_id" in names and {"resps", "filtered_resps"} & set(names) and truth not in names:
        return _adopt_harness(file, truth)
    if any(name.startswith(".pred") for name in names):
        return _adopt_tidymodels(file, models)
    file = _adopt_caret(file, truth, models)
    file = _adopt_class_columns(file, truth, models)
    file = _adopt_dotted(file, truth)
    return _leave_out_confidence(file, truth)


def split_words(name: str) -> list[str]:
    """The words of a column's `name`, in small letters.

    >>> split_words("Scored Labels"), split_words("yTrue_2")
    (['scored', 'labels'], ['y', 'true'])
    """
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return [part.lower() for part in parts]


def is_prediction_name(name: str) -> bool:
    """Whether the `name` of a column says that it holds what a model gave.

    >>> is_prediction_name("Scored Labels"), is_prediction_name("income")
    (True, False)
    """
    return any(PREDICTED.fullmatch(word) for word in split_words(name))


def list_values(column: pa.ChunkedArray, most: int = 1000) -> list[Any]:
    """The distinct values of up to `most` rows spread evenly over a `column`."""
    if len(column) > most:
        step = len(column) / most
        column = column.take(pa.array([int(i * step) for i in range(most)]))
    if pa.types.is_nested(column.type):
        return []
    return [value for value in list_distinct(column) if value is not None]


def _adopt_harness(file: File, truth: str) -> File:
    """A log of samples of the lm-evaluation-harness: one score is read, that of the item."""
    table = file.table
    numbers = [
        field.name
        for field in table.schema
        if field.name not in ("doc_id", truth) and "." not in field.name and _is_number(field.type)
    ]
    ordered = [name for name in ITEM_SCORES if name in numbers] + numbers
    if not ordered:
        return file
    chosen = ordered[0]
    scores = table[chosen]
    binary = set(map(float, list_values(scores, len(scores)))) <= {0.0, 1.0}
    columns = {"id": table["doc_id"]}
    if binary:
        columns[truth] = pa.array([1] * len(scores))
        columns["label"] = scores.cast(pa.int8())
        what = (
            f"{chosen} is read as label 1 (right) or 0 (wrong) of a truth of 1, so that its mean "
            "is the accuracy"
        )
    else:
        columns["value"] = scores.cast(pa.float64())
        what = f"{chosen} is read as a score of the item: metric mean"
    if "filter" in table.column_names:
        columns["filter"] = table["filter"]
    others = sorted(set(ordered) - {chosen})
    more = f" Other scores: {', '.join(others)}." if others else ""
    metadata = Metadata("binary", (0, 1), 1) if binary else Metadata()
    return file._replace(
        table=pa.table(columns),
        metadata=metadata,
        scored=binary,
        notes=(*file.notes, f"{file.path} is a log of the lm-evaluation-harness: {what}.{more}"),
    )


def _adopt_tidymodels(file: File, models: Collection[str]) -> File:
    """What `collect_predictions` of R's tidymodels writes."""
    names = file.table.column_names
    renamed = {}
    for name in names:
        if name in (".pred_class", ".pred", ".pred_lower", ".pred_upper"):
            renamed[name] = {
                ".pred_class": "label",
                ".pred": "value",
                ".pred_lower": "interval.low",
                ".pred_upper": "interval.high",
            }[name]
        elif name.startswith(".pred_"):
            renamed[name] = f"proba.{name.removeprefix('.pred_')}"
    renamed = {name: new for name, new in renamed.items() if name not in models}
    if ".config" in names and len(list_values(file.table[".config"])) > 1 and "model" not in names:
        renamed[".config"] = "model"
    if "id" in names and "fold" not in names and not _is_unique(file, "id"):
        renamed["id"] = "fold" if "id2" not in names else "repeat"
        if "id2" in names:
            renamed["id2"] = "fold"
    if ".row" in names and (renamed.get("id") or "id" not in names):
        # A row of a repeated cross-validation is predicted several times.
        once = ".config" in renamed or _is_unique(file, ".row")
        renamed[".row"] = "id" if once else "cluster"
    return _rename(file, renamed, "tidymodels")


def _adopt_caret(file: File, truth: str, models: Collection[str]) -> File:
    """What `train` of R's caret keeps with savePredictions."""
    names = file.table.column_names
    if truth != "obs" or "pred" not in names or "pred" in models or "obs" not in names:
        return file
    regression = pa.types.is_floating(file.table.schema.field("obs").type)
    renamed = {"pred": "value" if regression else "label"}
    if "Resample" in names and "fold" not in names:
        renamed["Resample"] = "fold"
    if "rowIndex" in names and "id" not in names:
        renamed["rowIndex"] = "id" if _is_unique(file, "rowIndex") else "cluster"
    if not regression:
        renamed |= _find_class_columns(file, truth, models)
    return _rename(file, renamed, "caret")


def _adopt_class_columns(file: File, truth: str, models: Collection[str]) -> File:
    """Columns named like the classes, of numbers in [0, 1]: the probabilities of one model."""
    names = file.table.column_names
    if truth not in names or detect_layout(names, truth) != "bare":
        return file
    renamed = _find_class_columns(file, truth, models)
    if not renamed:
        return file
    others = [
        name
        for name in names
        if name not in (truth, *renamed, *SPECIAL, *models) and is_prediction_name(name)
    ]
    if len(others) == 1 and is_text(file.table.schema.field(others[0]).type):
        renamed[others[0]] = "label"
    return _rename(file, renamed, "")


def _find_class_columns(file: File, truth: str, models: Collection[str]) -> dict[str, str]:
    table = file.table
    schema = table.schema
    numbers = [f.name for f in schema if pa.types.is_floating(f.type) and f.name not in models]
    kind = schema.field(truth).type
    # Numbers have names of digits, so that a truth of numbers is looked at where there are such.
    numbered = pa.types.is_integer(kind) and sum(name.isdigit() for name in numbers) > 1
    if len(numbers) < 2 or not (is_text(kind) or numbered):
        return {}
    labels = {str(label) for label in list_values(table[truth], len(table))}
    found = [name for name in numbers if name in labels]
    if len(found) < 2 or set(found) != labels:
        return {}
    return {name: f"proba.{name}" for name in found}


def _adopt_dotted(file: File, truth: str) -> File:
    """Scores of labels that spaCy, BigQuery and others write under a name of their own."""
    names = file.table.column_names
    renamed = {}
    for name in names:
        head, dot, label = name.partition(".")
        if dot and head in ("cats", "pred_cats") and label:
            renamed[name] = f"proba.{label}"
        model, kind, part = parse_column(name)
        bare = model.removesuffix("_probs")
        if kind == "proba" and part and bare != model and bare in names:
            renamed[name] = f"{bare}.proba.{part}"
            renamed[bare] = f"{bare}.label"
    return _rename(file, renamed, "")


def _leave_out_confidence(file: File, truth: str) -> File:
    """A pipeline of Transformers gives a label and how sure it is of it, which is no rank score."""
    names = file.table.column_names
    if not {"label", "score"} <= set(names) or truth == "label":
        return file
    if not is_text(file.table.schema.field("label").type) or not pa.types.is_floating(
        file.table.schema.field("score").type
    ):
        return file
    import pyarrow.compute as compute

    ends = compute.min_max(file.table["score"]).as_py()
    sure = ends["min"] is not None and ends["min"] >= 0.5 and ends["max"] <= 1
    labels = [str(label) for label in list_values(file.table["label"])]
    if not sure or len(labels) < 2:
        return file
    note = (
        f"Column 'score' of {file.path} is left out: it is at least 0.5 for either label, so it is "
        "the confidence in the label and no rank score; if it is one, name it <model>.score."
    )
    return file._replace(table=file.table.drop_columns(["score"]), notes=(*file.notes, note))


def _rename(file: File, renamed: Mapping[str, str], tool: str) -> File:
    """The file with the columns renamed, where no name is taken, and a note of it."""
    kept = set(file.table.column_names) - set(renamed)
    renamed = {old: new for old, new in renamed.items() if new not in kept}
    if not renamed:
        return file
    if len(set(renamed.values())) < len(renamed):
        raise SchemaError(f"{file.path}: two columns would be {next(iter(renamed.values()))!r}")
    shown = ", ".join(f"{old!r} as {new}" for old, new in list(renamed.items())[:8])
    more = ", ..." if len(renamed) > 8 else ""
    by = f" by the conventions of {tool}" if tool else ""
    return file.rename(renamed, f"Columns of {file.path} are read{by}: {shown}{more}.")


def _is_unique(file: File, name: str) -> bool:
    column = file.table[name]
    if pa.types.is_nested(column.type):
        return False
    return len(column.unique()) == len(column)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
