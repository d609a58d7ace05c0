"""The file of a corpus index: a header, then its sections, each on a multiple of 64 bytes with a checksum.

``text`` holds the units of all documents in their order, uint8, uint16 or uint32, each document with the
separator after it where there is one. ``starts`` says where each begins, uint64 [documents + 1]. ``parts``
(:class:`Part`, uint64 [parts, 4]) divide the text; for each, ``suffixes`` has where its suffixes begin,
uint32 from the begin of the part on, in the order of the suffixes, and ``keys`` the first bytes of some of
them (csrc/core/suffix_search.hpp). Numbers are in the byte order of the machine that wrote them.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyfastlm import _native
from pyfastlm.errors import InputError

MAGIC = b"pflmcorp"
VERSION = 1
BYTE_ORDER = 0x01020304
ALIGNMENT = 64
NO_SEPARATOR = (1 << 64) - 1
SECTIONS = ("text", "starts", "parts", "suffixes", "keys")
KINDS = ("bytes", "text", "tokens")
WIDTHS: Mapping[int, Any] = {1: np.uint8, 2: np.uint16, 4: np.uint32}
STRIDE: int = _native.suffix_stride
FIELDS = struct.Struct("=8sII6Q3I15Q")
CHECKSUM = struct.Struct("=Q")


class Part(NamedTuple):
    """The ``suffixes`` (how many) that begin in ``begin`` ... ``end - 1`` of the text, up to ``limit``."""

    begin: int
    end: int
    limit: int
    suffixes: int

    @property
    def keys(self) -> int:
        """How many."""
        return -(-self.suffixes // STRIDE)


class Section(NamedTuple):
    """Where a section lies, in bytes."""

    offset: int
    size: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says about itself.

    Attributes:
        documents: how many.
        units: of the text, separators too.
        parts: how many.
        longest: of patterns that are counted right; 0 where there is no bound.
        separator: the unit between documents, or None.
        given: bytes of a unit as it came.
        width: bytes of a unit of the text; more than ``given`` where documents have all units of that width.
        kind: one of ``KINDS``.
        sections: as ``SECTIONS``.
    """

    documents: int
    units: int
    parts: int
    longest: int
    separator: int | None
    given: int
    width: int
    kind: str
    sections: tuple[Section, ...] = ()


def aligned(size: int) -> int:
    """The next multiple of 64."""
    return -(-size // ALIGNMENT) * ALIGNMENT


TEXT_OFFSET = aligned(FIELDS.size + CHECKSUM.size)


def checksum(data: np.ndarray[Any, Any]) -> int:
    """XXH64 of an array that lies in one piece."""
    return int(_native.xxh64(data.ctypes.data, data.nbytes))


def pack(header: Header) -> bytes:
    """The bytes before the first section."""
    last = header.sections[-1]
    fields = FIELDS.pack(
        MAGIC,
        VERSION,
        BYTE_ORDER,
        aligned(last.offset + last.size),
        header.documents,
        header.units,
        header.parts,
        header.longest,
        NO_SEPARATOR if header.separator is None else header.separator,
        header.given,
        header.width,
        KINDS.index(header.kind),
        *(number for section in header.sections for number in section),
    )
    sum_ = checksum(np.frombuffer(fields, np.uint8))
    return (fields + CHECKSUM.pack(sum_)).ljust(TEXT_OFFSET, b"\0")


def unpack(data: np.ndarray[Any, Any]) -> Header:
    """The header of a whole file, uint8 [bytes], with sections that lie inside of it.

    Raises:
        InputError: it is no corpus index, or its header is damaged.
    """
    if len(data) < TEXT_OFFSET:
        raise InputError("shorter than the header of a corpus index")
    head = data[:TEXT_OFFSET].tobytes()
    magic, version, order, size, documents, units, parts, longest, separator, *rest = FIELDS.unpack_from(head)
    given, width, kind, *places = rest
    if magic != MAGIC:
        raise InputError("not the file of a corpus index")
    if order != BYTE_ORDER:
        raise InputError("written on a machine of another byte order")
    if version != VERSION:
        raise InputError(f"of version {version}; this library reads version {VERSION}: build it again")
    if CHECKSUM.unpack_from(head, FIELDS.size)[0] != checksum(np.frombuffer(head[: FIELDS.size], np.uint8)):
        raise InputError("the header is damaged")
    if size != len(data):
        raise InputError(f"of {len(data)} bytes; {size} were written")
    if given not in WIDTHS or width not in WIDTHS or given > width or kind >= len(KINDS):
        raise InputError("the header makes no sense")
    header = Header(
        documents=documents,
        units=units,
        parts=parts,
        longest=longest,
        separator=None if separator == NO_SEPARATOR else separator,
        given=given,
        width=width,
        kind=KINDS[kind],
        sections=tuple(Section(*places[i : i + 3]) for i in range(0, len(places), 3)),
    )
    if header.separator is not None and header.separator >= 1 << 8 * width:
        raise InputError("the header makes no sense")
    _check_sections(header, size)
    return header


def _check_sections(header: Header, size: int) -> None:
    expected = {
        "text": header.units * header.width,
        "starts": (header.documents + 1) * 8,
        "parts": header.parts * 8 * len(Part._fields),
    }
    offset = TEXT_OFFSET
    for name, section in zip(SECTIONS, header.sections, strict=True):
        wrong = section.size != expected.get(name, section.size)
        if wrong or section.offset != offset or section.size > size - offset:
            raise InputError(f"section {name} lies where it cannot")
        offset = aligned(offset + section.size)
    if offset != size:
        raise InputError("there is more in the file than its sections")


def check_parts(header: Header, table: np.ndarray[Any, Any]) -> list[Part]:
    """The parts of the section ``parts``, uint64 [parts, 4], which cover the text.

    Raises:
        InputError: they do not.
    """
    parts = [Part(*row) for row in table.tolist()]
    at = suffixes = keys = 0
    for part in parts:
        if not (
            part.begin == at < part.end <= part.limit <= header.units
            and part.limit - part.begin < 1 << 32
            and part.suffixes <= part.end - part.begin
        ):
            raise InputError("the parts of the text make no sense")
        at = part.end
        suffixes += aligned(4 * part.suffixes)
        keys += aligned(8 * part.keys)
    sizes = {name: section.size for name, section in zip(SECTIONS, header.sections, strict=True)}
    if at != header.units or sizes["suffixes"] != suffixes or sizes["keys"] != keys:
        raise InputError("the parts of the text make no sense")
    return parts


def name_of(path: str | os.PathLike[str]) -> str:
    """For messages."""
    return repr(os.fspath(path))
