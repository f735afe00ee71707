"""Text lists: cells of text that hold a list, as data frames of lists become in a text file.

>>> parse_number_lists(pa.array(["[0.9, 0.1]", "[0.2 0.8]"]), "proba of model 'a'").to_pylist()
[[0.9, 0.1], [0.2, 0.8]]
"""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from assay.errors import SchemaError
from assay.table.columns import find_first_null

__all__ = ["is_text_column", "parse_number_lists", "refuse_lists_as_labels"]

# A cell that begins as a list of numbers: [0.9, (.1, array([-1, [np.float64(0.9), ...
NUMBERS = re.compile(r"\s*(?:[A-Za-z_.]+\()*[\[(]+\s*(?:[A-Za-z_.]+\d*\()?[-+]?\.?\d")
# A label that is a list or a set of labels: ['cat', 'dog'], {'cat'}, [0.9, 0.1], [].
LABELS = re.compile(r"""\s*(?:[A-Za-z_.]+\()*[\[({]\s*(?:['"].*|[-+]?\.?\d.*)?[\])}]+\s*""", re.S)


def is_text_column(column: Any) -> bool:
    """Whether a normalised `column` holds text, plain or as a dictionary."""
    if not isinstance(column, pa.Array):
        return False
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def parse_number_lists(column: Any, where: str) -> Any:
    """A `column` of text whose cells are lists of numbers as lists; others as they come.

    SchemaError, naming the column by `where`, where a cell is cut short or empty.
    """
    if not is_text_column(column) or not len(column) or not column[0].is_valid:
        return column
    if not NUMBERS.match(column[0].as_py()):
        return column
    if column.null_count:
        raise SchemaError(
            f"{where} is empty at row {find_first_null(column)}; fill the value or drop the row"
        )
    import pyarrow.compute as compute

    text = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    bare = compute.replace_substring_regex(text, r"[A-Za-z_][A-Za-z_.]*\d*\(|,\s*dtype=\w+", "")
    bare = compute.utf8_trim(bare, " []()\n\r\t,")
    bare = compute.replace_substring_regex(bare, r"[\s,;\[\]()]+", ",")
    lists = compute.split_pattern(bare, ",")
    try:
        return pa.ListArray.from_arrays(lists.offsets, lists.values.cast(pa.float64()))
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"{where} holds lists as text, as {text[0].as_py()[:60]!r}, that cannot be read as "
            f"numbers ({str(error)[:100]}). Write one column for each class: "
            "<model>.proba.<class>."
        ) from error


def refuse_lists_as_labels(labels: Sequence[Any], where: str) -> None:
    """Refuse `labels` each of which is a list written as text; `where` names their column."""
    texts = [label for label in labels if isinstance(label, str)]
    if not texts or len(texts) < len(labels) or not all(map(LABELS.fullmatch, texts)):
        return
    raise SchemaError(
        f"{where} holds lists as text, as {texts[0][:60]!r}, which are no classes. If a row may "
        "have several labels, give a column of 0 or 1 for each: y.<label> and "
        "<model>.label.<label>, with task='multilabel'; if these are probabilities, name the "
        "column <model>.proba. If they are names of classes after all, declare classes=[...]."
    )
