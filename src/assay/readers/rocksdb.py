"""RocksDB: the entries of a database on disk, by key, without the library.

Sorted tables and logs of writes are read as the format describes them
(github.com/facebook/rocksdb/wiki), in the encodings that trackers write: plain blocks and those
that Snappy compressed. Deletions of whole ranges are not followed.

>>> decompress_snappy(bytes([6, 0x08]) + b"abc" + bytes([0x0A, 3, 0]))
b'abcabc'
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from assay.errors import ReadError
from assay.readers.base import list_folder
from assay.readers.protobuf import MessageError, read_varint

__all__ = ["decompress_snappy", "load_entries", "split_records"]

BLOCK = 32768  # of a log, in which no record crosses a block
HEAD = 7  # bytes before each fragment: checksum, length, kind
FULL = 1
FIRST = 2
LAST = 4

MAGIC = 0x88E241B785F4CFF7  # at the end of a sorted table
FOOTER = 53
TRAILER = 5  # bytes after each block: compression, checksum
PLAIN = 0
SNAPPY = 1

DELETED = 0
WRITTEN = 1
COMMENT = 3
DELETED_ONCE = 7
DELETED_RANGE = 15

Entry = tuple[int, bytes | None]  # the number of the write; the value, None where it was deleted


def load_entries(folder: Path) -> dict[bytes, bytes]:
    """The newest value of each key in the database in `folder`.

    Raises ReadError where a table is damaged; what is cut off at the end of a log is left out.
    """
    newest: dict[bytes, Entry] = {}
    for file in list_folder(folder).files:
        try:
            if file.suffix == ".sst":
                entries = _read_table(file.read_bytes())
            elif file.suffix == ".log":
                entries = _read_log(file.read_bytes())
            else:
                continue
            for key, entry in entries:
                if key not in newest or newest[key][0] <= entry[0]:
                    newest[key] = entry
        except (IndexError, MessageError, OSError, struct.error, ValueError) as error:
            raise ReadError(f"{file} cannot be read as a table of RocksDB ({error})") from None
    return {key: value for key, (_, value) in newest.items() if value is not None}


def split_records(content: bytes, position: int = 0) -> Iterator[bytes]:
    """The records of a log of LevelDB or RocksDB from `position` on; none that is cut off."""
    record = b""
    while position + HEAD <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEAD:
            position += left
            continue
        length = int.from_bytes(content[position + 4 : position + 6], "little")
        kind = content[position + 6]
        fragment = content[position + HEAD : position + HEAD + length]
        if len(fragment) < length:
            return
        record = fragment if kind in (FULL, FIRST) else record + fragment
        if kind in (FULL, LAST):
            yield record
        position += HEAD + length


def decompress_snappy(block: bytes) -> bytes:
    """The bytes that Snappy made the `block` of; ValueError where they are not those it names.

    Source: github.com/google/snappy, format_description.txt.
    """
    length, position = read_varint(block, 0)
    made = bytearray()
    while position < len(block):
        tag = block[position]
        position += 1
        if tag & 3 == 0:
            count = (tag >> 2) + 1
            if count > 60:
                width = count - 60
                count = int.from_bytes(block[position : position + width], "little") + 1
                position += width
            made += block[position : position + count]
            position += count
            continue
        if tag & 3 == 1:
            count = (tag >> 2 & 7) + 4
            offset = (tag >> 5 << 8) + block[position]
            position += 1
        else:
            width = 2 if tag & 3 == 2 else 4
            count = (tag >> 2) + 1
            offset = int.from_bytes(block[position : position + width], "little")
            position += width
        if not 0 < offset <= len(made):
            raise ValueError("a copy from before the block")
        start = len(made) - offset
        while count > 0:  # a copy may reach into what it writes
            piece = made[start : start + count]
            made += piece
            start += len(piece)
            count -= len(piece)
    if len(made) != length:
        raise ValueError(f"a block of {len(made)} bytes instead of {length}")
    return bytes(made)


def _read_log(content: bytes) -> Iterator[tuple[bytes, Entry]]:
    """Keys and entries of the batches of writes in a log."""
    for record in split_records(content):
        number = int.from_bytes(record[:8], "little")
        position = 12
        while position < len(record):
            kind = record[position]
            key, position = _take_bytes(record, position + 1)
            if kind == COMMENT:
                continue
            value = None
            if kind in (WRITTEN, DELETED_RANGE):
                value, position = _take_bytes(record, position)
            if kind not in (WRITTEN, DELETED, DELETED_ONCE, DELETED_RANGE):
                break
            if kind != DELETED_RANGE:
                yield key, (number, value)
            number += 1


def _take_bytes(content: bytes, position: int) -> tuple[bytes, int]:
    length, start = read_varint(content, position)
    if start + length > len(content):
        raise ValueError("a value that is cut off")
    return content[start : start + length], start + length


def _read_table(content: bytes) -> Iterator[tuple[bytes, Entry]]:
    """Keys and entries of the blocks of a sorted table."""
    if len(content) < FOOTER or int.from_bytes(content[-8:], "little") != MAGIC:
        raise ValueError("a table that is cut off")
    position = len(content) - FOOTER + 1
    for _ in range(2):  # where the description of the table is; it is not needed
        _, position = read_varint(content, position)
    offset, position = read_varint(content, position)
    size, _ = read_varint(content, position)
    for start, length in _read_index(_load_block(content, offset, size)):
        for key, value in _read_block(_load_block(content, start, length)):
            kind = key[-8]
            number = int.from_bytes(key[-7:], "little")
            if kind in (DELETED, DELETED_ONCE, WRITTEN):
                yield key[:-8], (number, value if kind == WRITTEN else None)


def _load_block(content: bytes, offset: int, size: int) -> bytes:
    block = content[offset : offset + size]
    if len(content) < offset + size + TRAILER:
        raise ValueError("a block that is cut off")
    compression = content[offset + size]
    if compression not in (PLAIN, SNAPPY):
        raise ValueError(f"compression {compression}, of which only none and Snappy are read")
    return decompress_snappy(block) if compression == SNAPPY else block


def _find_end(block: bytes) -> int:
    """Where the entries of a block end, and the places begin at which keys are whole."""
    return len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")


def _read_block(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values; of a key only what differs from the key before is written."""
    position, end, key = 0, _find_end(block), b""
    while position < end:
        shared, position = read_varint(block, position)
        added, position = read_varint(block, position)
        length, position = read_varint(block, position)
        key = key[:shared] + block[position : position + added]
        position += added
        yield key, block[position : position + length]
        position += length


def _read_index(block: bytes) -> Iterator[tuple[int, int]]:
    """Offset and size of each block, where an index keeps keys of the user and differences."""
    position, end, offset, size = 0, _find_end(block), 0, 0
    while position < end:
        shared, position = read_varint(block, position)
        added, position = read_varint(block, position)
        position += added
        if shared == 0:
            offset, position = read_varint(block, position)
            size, position = read_varint(block, position)
        else:
            offset += size + TRAILER
            change, position = read_varint(block, position)
            size += change >> 1 ^ -(change & 1)
        yield offset, size
