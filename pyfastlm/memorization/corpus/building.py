"""Write a corpus index: the text as it comes, then the suffixes of one part after the other."""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pyfastlm import _native
from pyfastlm._durable import replacing
from pyfastlm._require import expect
from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.memorization.corpus import format as layout
from pyfastlm.memorization.corpus.format import Header, Part, Section, aligned
from pyfastlm.memorization.corpus.sorting import plan, sorted_suffixes, units_of_part
from pyfastlm.memorization.corpus.spool import Spool
from pyfastlm.memorization.corpus.units import Documents

LEAST_MEMORY = 1 << 20
ABANDONED = 60  # seconds after which a file that no process holds is of a process that died
ENDING = ".building"


def write(documents: Documents, path: Path, *, across: bool, memory: int, progress: bool) -> None:
    """Write the index of ``documents`` to ``path``; see ``CorpusIndex.build``."""
    if isinstance(memory, bool) or not isinstance(memory, int) or memory < LEAST_MEMORY:
        raise InputError(f"memory: expected {LEAST_MEMORY} bytes or more, got {memory!r}")
    if path.is_dir():
        raise InputError(f"path: {layout.name_of(path)} is a directory")
    expect(["pydivsufsort"], "memorization")
    _sweep(path)
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}{ENDING}")
    with replacing(path, temporary) as file:
        with contextlib.suppress(OSError):  # a file system without locks, where _sweep removes nothing
            fcntl.flock(file, fcntl.LOCK_EX)  # held while this process lives
        spool = Spool(file, temporary, documents.dtype, separated=not across)
        for document in watched(documents.arrays, None, "reading", progress):
            spool.add(document)
        spool.finish()
        if spool.units == 0:
            raise InputError("documents: expected one or more, got none" + " with any units" * across)
        most = units_of_part(memory, spool.width, spool.largest)
        parts, longest = plan(spool.starts, spool.units, most, separated=not across)
        sections = _Sections(file, temporary)
        sections.add("text", layout.TEXT_OFFSET, spool.units * spool.width)
        sections.append("starts", np.frombuffer(spool.starts, np.uint64))
        at = sections.reserve("parts", 8 * len(Part._fields) * len(parts))
        parts, places = _write_suffixes(sections, temporary, spool, parts, progress)
        _write_keys(sections, temporary, spool, parts, places)
        file.seek(at)
        file.write(np.array(parts, np.uint64).tobytes())
        header = Header(
            documents=len(spool.starts) - 1,
            units=spool.units,
            parts=len(parts),
            longest=longest,
            separator=spool.separator,
            given=spool.given,
            width=spool.width,
            kind=documents.kind,
            sections=sections.checked(),
        )
        file.seek(0)
        file.write(layout.pack(header))


def _sweep(path: Path) -> None:
    """Remove what builds of ``path`` left whose process was killed: nobody holds these files any more."""
    for left in path.parent.glob(f".{_escaped(path.name)}-*{ENDING}"):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime > ABANDONED:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


class _Sections:
    """Where the sections of a file lie that is being written at its end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._places: dict[str, tuple[int, int]] = {}

    def add(self, name: str, offset: int, size: int) -> None:
        self._places[name] = offset, size
        self._file.seek(0, os.SEEK_END)
        self._pad()

    def append(self, name: str, data: np.ndarray[Any, Any]) -> None:
        self._file.write(data.data)
        self.add(name, self._file.tell() - data.nbytes, data.nbytes)

    def reserve(self, name: str, size: int) -> int:
        offset = self._file.tell()
        self._file.write(bytes(size))
        self.add(name, offset, size)
        return offset

    @contextlib.contextmanager
    def begin(self, name: str) -> Iterator[BinaryIO]:
        """A section that is written in pieces, each padded by :meth:`end_piece`."""
        offset = self._file.tell()
        yield self._file
        self.add(name, offset, self._file.tell() - offset)

    def end_piece(self) -> int:
        """Where the next piece begins."""
        self._pad()
        return self._file.tell()

    def checked(self) -> tuple[Section, ...]:
        self._file.flush()
        data = np.memmap(self._path, np.uint8, "r")
        return tuple(
            Section(offset, size, layout.checksum(data[offset : offset + size]))
            for offset, size in (self._places[name] for name in layout.SECTIONS)
        )

    def _pad(self) -> None:
        at = self._file.tell()
        self._file.write(bytes(aligned(at) - at))


def _write_suffixes(
    sections: _Sections, path: Path, spool: Spool, parts: list[Part], progress: bool
) -> tuple[list[Part], list[int]]:
    """The parts with their counts, and where in the file the suffixes of each begin."""
    written, places = [], []
    with sections.begin("suffixes") as file:
        for part in watched(parts, len(parts), "sorting parts", progress):
            places.append(sections.end_piece())
            text = _text(path, spool, part)
            for found in sorted_suffixes(text, part.end - part.begin, spool.separator, spool.largest):
                file.write(found.data)
            count = (file.tell() - places[-1]) // 4
            written.append(part._replace(suffixes=count))
        sections.end_piece()
    return written, places


def _write_keys(sections: _Sections, path: Path, spool: Spool, parts: list[Part], places: list[int]) -> None:
    with sections.begin("keys") as file:
        file.flush()
        for part, place in zip(parts, places, strict=True):
            text = _text(path, spool, part)
            keys = np.empty(part.keys, np.uint64)
            if part.suffixes:
                suffixes = np.memmap(path, np.uint32, "r", offset=place, shape=(part.suffixes,))
                _native.suffix_keys(
                    spool.width,
                    text.ctypes.data,
                    len(text),
                    suffixes.ctypes.data,
                    part.suffixes,
                    keys.ctypes.data,
                )
            file.write(keys.data)
            sections.end_piece()


def _text(path: Path, spool: Spool, part: Part) -> np.ndarray[Any, Any]:
    return np.fromfile(
        path,
        layout.WIDTHS[spool.width],
        part.limit - part.begin,
        offset=layout.TEXT_OFFSET + part.begin * spool.width,
    )
