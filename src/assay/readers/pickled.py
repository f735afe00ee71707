"""Pickles, read without executing anything: plain containers, text, numbers and NumPy arrays alone.

A pickle is a program that may call any function. Here its operations are followed one by one, and
only those that build plain values are carried out; any other one refuses the file.

>>> import pickle
>>> parse_pickle(pickle.dumps({"loss": [0.5, 0.25]}), "history.pkl")
{'loss': [0.5, 0.25]}
>>> parse_pickle(pickle.dumps(print), "history.pkl")
Traceback (most recent call last):
assay.errors.ReadError: history.pkl is a pickle that calls for builtins.print, ...
"""

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import ReadError

__all__ = ["begins_as_pickle", "parse_pickle"]

STARTS = (b"\x80", b"(d", b"(l", b"}", b"]")  # protocol 2 and later; 0; 1
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
NUMBERS = "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT"
TEXT = "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8"
BYTES = "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
LITERALS = frozenset(f"{NUMBERS} {TEXT} {BYTES}".split())
EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
DEEPEST = 50  # containers within each other
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PUTS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
GETS = ("GET", "BINGET", "LONG_BINGET")


class RefusalError(Exception):
    """What a pickle asks for that is not carried out."""


@dataclass(frozen=True)
class Name:
    """A function or class that the pickle names; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Type:
    """The type of numbers in an array, such as "f8"."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "<"

    def __str__(self) -> str:
        return f"the type {self.code}"

    def make_dtype(self) -> "np.dtype[Any]":
        if self.code[:1] not in ("f", "i", "u", "b"):
            raise RefusalError(f"an array of {self.code}")
        return np.dtype(self.order + self.code)


class Array(list[Any]):
    """An array, as the list of its values; empty until its content is set."""


def begins_as_pickle(head: bytes) -> bool:
    """Whether a file that begins with the bytes `head` may be a pickle.

    >>> import pickle
    >>> begins_as_pickle(pickle.dumps({})), begins_as_pickle(b"epoch,loss")
    (True, False)
    """
    return head.startswith(STARTS)


def parse_pickle(content: bytes, where: str) -> Any:
    """The value that the pickle `content` of the file `where` holds.

    Arrays come as lists. Raises ReadError where the pickle is cut off, or asks for anything but
    plain values; nothing of it is executed.
    """
    try:
        return _follow(content)
    except RefusalError as refusal:
        raise ReadError(
            f"{where} is a pickle that calls for {refusal}, which may run any code and is not "
            f"read. Save plain lists, as in json.dump(history.history, file)."
        ) from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error) as error:
        said = str(error).splitlines()
        raise ReadError(
            f"{where} cannot be read as a pickle of plain values ({said[0] if said else error!r}); "
            f"it was cut off, or is no log. Save it again, as in json.dump(history.history, file)."
        ) from None


def _follow(content: bytes) -> Any:
    """The value on the stack when the pickle stops."""
    machine = Machine()
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name == "STOP":
            value = machine.stack.pop()
            _require_tree(value, most=2 * len(content) + 1000)
            return value
        machine.carry_out(opcode.name, argument)
    raise ValueError("no end")


def _require_tree(value: Any, most: int) -> None:
    """Refuses what holds itself, or so few bytes that stand for so many values."""
    level = [value]
    for _ in range(DEEPEST):
        inner = [v for v in level if isinstance(v, dict | list | tuple)]
        most -= sum(map(len, inner))
        if most < 0:
            raise RefusalError("a value that holds another one many times")
        foreign = next((v for v in level if isinstance(v, Name | Type)), None)
        if foreign is not None:
            raise RefusalError(str(foreign))
        level = [i for v in inner for i in (v.values() if isinstance(v, dict) else v)]
    if level:
        raise RefusalError("values nested too deeply")


class Machine:
    """The stack and the memo of a pickle, and the operations that build plain values."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def carry_out(self, name: str, argument: Any) -> None:
        """One operation by its `name` in pickletools, with its `argument`."""
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in LITERALS:
            self.stack.append(argument)
        elif name in EMPTY:
            self.stack.append(EMPTY[name]())
        elif name in TUPLES:
            self.stack[-TUPLES[name] :] = [tuple(self.stack[-TUPLES[name] :])]
        elif name in PUTS:
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self.stack[-1]
        elif name in GETS:
            self.stack.append(self.memo[argument])
        elif name not in ("PROTO", "FRAME"):
            operation = getattr(self, f"do_{name.lower()}", None)
            if operation is None:
                raise RefusalError(f"the operation {name}")
            operation(*([argument] if name == "GLOBAL" else []))

    def _pop_marked(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        marked = self.stack
        self.stack = self.marks.pop()
        return marked

    def do_mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def do_pop(self) -> None:
        self.stack.pop()

    def do_list(self) -> None:
        items = self._pop_marked()
        self.stack.append(items)

    def do_tuple(self) -> None:
        items = self._pop_marked()
        self.stack.append(tuple(items))

    def do_dict(self) -> None:
        items = self._pop_marked()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def do_append(self) -> None:
        item = self.stack.pop()
        self.stack[-1].append(item)

    def do_appends(self) -> None:
        items = self._pop_marked()
        self.stack[-1].extend(items)

    def do_setitem(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self.stack[-1][key] = value

    def do_setitems(self) -> None:
        items = self._pop_marked()
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def do_global(self, argument: str) -> None:
        self.stack.append(Name(*argument.split(" ", 1)))

    def do_stack_global(self) -> None:
        name = self.stack.pop()
        self.stack.append(Name(self.stack.pop(), name))

    def do_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack.append(_construct(self.stack.pop(), arguments))

    def do_build(self) -> None:
        state = self.stack.pop()
        built = self.stack[-1]
        if isinstance(built, Type):
            built.order = "<" if state[1] in ("|", "=") else state[1]
        elif isinstance(built, Array):
            _, shape, kind, _, content = state
            self.stack[-1] = _list_values(content, kind, shape)
            self.memo |= {key: self.stack[-1] for key, v in self.memo.items() if v is built}
        else:
            raise RefusalError("the state of an object")


def _construct(function: Name, arguments: tuple[Any, ...]) -> Any:
    """What a call would give, for the few functions that make plain values."""
    if not isinstance(function, Name):
        raise RefusalError("a call")
    name = str(function).replace("numpy._core", "numpy.core")
    if name == "collections.OrderedDict":
        return dict(arguments[0]) if arguments else {}
    if name == "collections.defaultdict":
        return {}
    if name == "_codecs.encode":
        return arguments[0].encode("latin1")
    if name == "numpy.dtype":
        return Type(arguments[0])
    if name == "numpy.core.multiarray.scalar":
        return _list_values(arguments[1], arguments[0], ())
    if name == "numpy.core.multiarray._reconstruct":
        return Array()
    if name == "numpy.core.numeric._frombuffer":
        return _list_values(arguments[0], arguments[1], arguments[2])
    raise RefusalError(str(function))


def _list_values(content: Any, kind: Type, shape: tuple[int, ...]) -> Any:
    """The values of an array: a number, or nested lists; one of objects holds them as a list."""
    if isinstance(content, list):
        return content if shape else content[0]
    return np.frombuffer(content, dtype=kind.make_dtype()).reshape(shape).tolist()
