"""Protobuf messages as their fields, without the schema: what event files are made of.

>>> list(walk_fields(bytes([0x10, 0x96, 0x01, 0x1A, 0x02, 0x68, 0x69])))
[(2, 150, 1), (3, b'hi', 5)]
"""

import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["MessageError", "find_all", "find_first", "read_float", "read_varint", "walk_fields"]

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5
LONGEST_VARINT = 10


class MessageError(ValueError):
    """Bytes that are no protobuf message."""


def walk_fields(message: bytes) -> Iterator[tuple[int, Any, int]]:
    """Number, value and position of the value of each field of a `message`, in its order.

    Values are whole numbers of varints, and bytes of all other kinds. Raises MessageError where
    the bytes are no message.
    """
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        number = key >> 3
        kind = key & 7
        start = position
        if kind == VARINT:
            value, position = read_varint(message, position)
            yield number, value, start
            continue
        if kind == BYTES:
            length, start = read_varint(message, position)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise MessageError(f"a field of kind {kind}")
        position = start + length
        if position > len(message):
            raise MessageError("a field that is cut off")
        yield number, message[start:position], start


def find_first(message: bytes, number: int, default: Any = None) -> Any:
    """The value of the first field of that `number` in a `message`; without any, the `default`."""
    return next((value for field, value, _ in walk_fields(message) if field == number), default)


def find_all(message: bytes, number: int) -> list[Any]:
    """The values of all fields of that `number` in a `message`."""
    return [value for field, value, _ in walk_fields(message) if field == number]


def read_float(value: bytes) -> float:
    """The number in the `value` of a field, of 4 or 8 bytes."""
    return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])


def read_varint(message: bytes, position: int) -> tuple[int, int]:
    """The whole number at a `position` of a `message`, and the position after it."""
    value = 0
    for i in range(LONGEST_VARINT):
        if position + i >= len(message):
            raise MessageError("a number that is cut off")
        byte = message[position + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, position + i + 1
    raise MessageError("a number that is too long")
