"""Condition: which rows of a table are wanted, as a short text over its columns.

>>> condition = Condition('split == "test" and `age of patient` >= 18')
>>> condition.columns
('split', 'age of patient')
>>> split = pa.array(["train", "test", "test"])
>>> condition.mark_rows({"split": split, "age of patient": pa.array([30, 17, 18])}).tolist()
[False, False, True]
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np
import pyarrow as pa

from assay.errors import SchemaError, UnsupportedError, suggest
from assay.kernels import Array
from assay.table.columns import arrow_to_numpy

__all__ = ["Condition", "quote_column"]

Columns = Mapping[str, Any]
Test = Callable[[Columns], Array]

# Texts, which are left alone, and names in backquotes.
QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`([^`]*)`"""
COMPARISONS: Mapping[type, str] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
MIRRORED = {
    "equal": "equal",
    "not_equal": "not_equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
}
EXPECTED = (
    "expected columns compared with values by ==, !=, <, <=, >, >= or in (...), joined by and, or, "
    'not; as in split == "test" and `age in years` >= 18'
)


@dataclass(frozen=True)
class Condition:
    """A test of each row: comparisons of columns with values, joined by and, or, not.

    A missing value equals nothing, so that only !=, `not in` and `== None` are true of it. Names
    that are no words stand in backquotes.

    Parameters:
        text: The condition, as in 'split == "test"' or 'site in ("a", "b") and age < 40'.

    Raises:
        UnsupportedError: The text is something else; the error says where and what is expected.

    >>> Condition("age >= 18").mark_rows({"age": pa.array([17, 18, None])}).tolist()
    [False, True, False]
    """

    text: str

    def __post_init__(self) -> None:
        _parse(self.text)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it reads, in their order."""
        return _parse(self.text).columns

    def mark_rows(self, columns: Columns) -> Array:
        """Which rows it is true of.

        Parameters:
            columns: Arrow arrays (n,) by name, the ones that it reads among them.

        Returns:
            A mask (n,).

        Raises:
            SchemaError: A column is not there, or its values cannot be compared so.
        """
        for name in self.columns:
            if name not in columns:
                close = suggest(name, columns)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                known = ", ".join(map(repr, columns)) or "none"
                raise SchemaError(
                    f"where {self.text}: no column is named {name!r}{hint}; text is written in "
                    f"quotes, and the columns to choose rows by are: {known}"
                )
        return _parse(self.text).test(columns)

    def __str__(self) -> str:
        return self.text


def quote_column(name: str) -> str:
    """The `name` of a column as a condition has it.

    >>> quote_column("split"), quote_column("data set")
    ('split', '`data set`')
    """
    plain = name.isidentifier() and not _is_keyword(name)
    # A bare name is read in its compatibility form, as in Python.
    return name if plain and normalize("NFKC", name) == name else f"`{name}`"


def _is_keyword(name: str) -> bool:
    import keyword

    return keyword.iskeyword(name)


class _Parsed(NamedTuple):
    """A condition as a test of columns, and the names of these."""

    test: Test
    columns: tuple[str, ...]


@lru_cache(maxsize=64)
def _parse(text: str) -> _Parsed:
    if not isinstance(text, str) or not text.strip():
        raise UnsupportedError(f"where is {text!r}; {EXPECTED}")
    names: dict[str, str] = {}

    def replace_quoted(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return match.group(0)
        # As long as what it replaces, so that positions stay.
        word = f"_{len(names)}".ljust(len(match.group(0)), "_")
        names[word] = match.group(1)
        return word

    plain = re.sub(QUOTED, replace_quoted, text)
    try:
        tree = ast.parse(plain.replace("\n", " "), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = (getattr(error, "offset", None) or 1) - 1
        raise _explain(text, at, _find_likely_fault(plain)) from error
    parser = _Parser(text, names)
    return _Parsed(parser.parse_test(tree.body), tuple(dict.fromkeys(parser.columns)))


def _find_likely_fault(plain: str) -> str:
    """What is likely to be wrong with a text that is no expression; "" where nothing stands out."""
    if re.search(r"(?<![=!<>])=(?!=)", plain):
        return "one = sign is written; equal is =="
    if "&&" in plain or "||" in plain:
        return "&& and || are written; the words are and, or"
    if re.search(r"\b(AND|OR|NOT|IN|is)\b", plain):
        return "the words are and, or, not, in"
    return ""


def _explain(text: str, at: int, fault: str = "") -> UnsupportedError:
    about = f" ({fault})" if fault else ""
    rest = text[at : at + 20] or "the end"
    return UnsupportedError(
        f"where {text}: cannot be read from character {at + 1} on, at {rest!r}{about}; {EXPECTED}"
    )


@dataclass
class _Parser:
    """Tests made of the tree of a condition; `columns` collects the names that are met."""

    text: str
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        self.columns: list[str] = []

    def parse_test(self, node: ast.expr) -> Test:
        """What says yes or no of each row."""
        if isinstance(node, ast.BoolOp):
            tests = [self.parse_test(value) for value in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return lambda columns: join.reduce([test(columns) for test in tests])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.parse_test(node.operand)
            return lambda columns: ~inner(columns)
        if isinstance(node, ast.Compare):
            return self._parse_comparison(node)
        name = self._find_name(node)
        if name is None:
            raise self._refuse(node)
        self.columns.append(name)
        return lambda columns: self._compare_value("equal", columns[name], name, True)

    def _parse_comparison(self, node: ast.Compare) -> Test:
        operands = [node.left, *node.comparators]
        tests = [
            self._parse_pair(node, left, op, right)
            for left, op, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return lambda columns: np.logical_and.reduce([test(columns) for test in tests])

    def _parse_pair(
        self, node: ast.Compare, left: ast.expr, op: ast.cmpop, right: ast.expr
    ) -> Test:
        if isinstance(op, ast.In | ast.NotIn):
            return self._parse_membership(left, right, negated=isinstance(op, ast.NotIn))
        if type(op) not in COMPARISONS:
            raise _explain(self.text, node.col_offset, "equal is ==")
        kind = COMPARISONS[type(op)]
        first = self._find_name(left)
        second = self._find_name(right)
        self.columns += [name for name in (first, second) if name is not None]
        if first is not None and second is not None:
            return lambda columns: _compare_columns(
                self.text, kind, (first, columns[first]), (second, columns[second])
            )
        if first is not None:
            value = self._parse_value(right)
            return lambda columns: self._compare_value(kind, columns[first], first, value)
        if second is None:
            raise _explain(self.text, left.col_offset, "no column is compared")
        value = self._parse_value(left)
        mirrored = MIRRORED[kind]
        return lambda columns: self._compare_value(mirrored, columns[second], second, value)

    def _parse_membership(self, left: ast.expr, right: ast.expr, *, negated: bool) -> Test:
        name = self._find_name(left)
        if name is None or not isinstance(right, ast.Tuple | ast.List | ast.Set | ast.Constant):
            raise _explain(self.text, right.col_offset, 'a list is written ("a", "b")')
        self.columns.append(name)
        items = [right] if isinstance(right, ast.Constant) else right.elts
        values = [self._parse_value(item) for item in items]

        def test(columns: Columns) -> Array:
            column = columns[name]
            found = np.zeros(len(column), bool)
            for value in values:
                found |= self._compare_value("equal", column, name, value)
            return ~found if negated else found

        return test

    def _find_name(self, node: ast.expr) -> str | None:
        """The column that the node names, dots and all; None where it names none."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self._find_name(node.value)
            return None if owner is None else f"{owner}.{node.attr}"
        return None

    def _parse_value(self, node: ast.expr) -> Any:
        minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and minus else node
        if not isinstance(inner, ast.Constant):
            raise self._refuse(node)
        value = inner.value
        if not (value is None or isinstance(value, str | int | float)):
            raise self._refuse(node)
        if minus and (isinstance(value, str | bool) or value is None):
            raise self._refuse(node)
        return -value if minus and isinstance(value, int | float) else value

    def _refuse(self, node: ast.expr) -> UnsupportedError:
        fault = ""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            fault = "& and | are written; the words are and, or"
        elif isinstance(node, ast.Call):
            fault = "functions are not called"
        elif isinstance(node, ast.Constant):
            fault = "a value alone is no comparison"
        return _explain(self.text, node.col_offset, fault)

    def _compare_value(self, kind: str, column: Any, name: str, value: Any) -> Array:
        """Which rows of a `column` compare so with a `value`."""
        if pa.types.is_dictionary(column.type):
            return self._compare_dictionary(kind, column, name, value)
        if value is None:
            missing = arrow_to_numpy(column.is_null(nan_is_null=True))
            if kind not in ("equal", "not_equal"):
                raise SchemaError(f"where {self.text}: None is compared by == or != alone")
            return missing if kind == "equal" else ~missing
        if pa.types.is_null(column.type):
            return np.full(len(column), kind == "not_equal")
        return _call(kind, column, _convert(self.text, column.type, name, value))

    def _compare_dictionary(self, kind: str, column: Any, name: str, value: Any) -> Array:
        """The same of a dictionary column: its values are compared, not its rows."""
        of_values = self._compare_value(kind, column.dictionary, name, value)
        of_missing = kind == "not_equal" if value is not None else kind == "equal"
        lookup = np.append(of_values, of_missing)
        codes = column.indices.cast(pa.int64())
        missing = arrow_to_numpy(codes.is_null())
        known = pa.Array.from_buffers(
            codes.type, len(codes), [None, codes.buffers()[1]], offset=codes.offset
        )
        return np.asarray(lookup[np.where(missing, len(of_values), arrow_to_numpy(known))])


def _convert(text: str, kind: pa.DataType, name: str, value: Any) -> pa.Scalar:
    """The `value` as one that a column of a `kind` can be compared with."""
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    is_number |= pa.types.is_decimal(kind)
    try:
        if pa.types.is_boolean(kind) and value in (0, 1):
            return pa.scalar(bool(value))
        if (
            is_text == isinstance(value, str)
            and (is_text or is_number)
            and not isinstance(value, bool)
        ):
            return pa.scalar(value)
        if isinstance(value, str) and pa.types.is_temporal(kind):
            return pa.scalar(value).cast(kind)
    except (pa.ArrowException, OverflowError):
        pass
    remedy = f'"{value}"' if is_text else "a number" if is_number else f"a value of type {kind}"
    holds = "text" if is_text else "numbers" if is_number else str(kind)
    raise SchemaError(
        f"where {text}: column {name!r} holds {holds} and is compared with {value!r}; "
        f"write {remedy}"
    )


def _compare_columns(text: str, kind: str, first: Any, second: Any) -> Array:
    """Which rows compare so in two columns, each given with its name."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for _, column in (first, second)
    ]
    try:
        return _call(kind, *columns)
    except pa.ArrowException as error:
        raise SchemaError(
            f"where {text}: columns {first[0]!r} ({columns[0].type}) and {second[0]!r} "
            f"({columns[1].type}) cannot be compared; compare columns of one type"
        ) from error


def _call(kind: str, left: Any, right: Any) -> Array:
    """The comparison `kind` of Arrow values; a missing value differs from all, and is never less.

    (`fill_null` would import pandas where that is installed.)
    """
    import pyarrow.compute as compute

    answer = getattr(compute, kind)(left, right)
    missing = arrow_to_numpy(answer.is_null())
    known = pa.Array.from_buffers(
        pa.bool_(), len(answer), [None, answer.buffers()[1]], offset=answer.offset
    )
    return np.asarray(np.where(missing, kind == "not_equal", arrow_to_numpy(known)))
