"""The index of a corpus: built once, opened in milliseconds, asked how often it has a sequence."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm._threads import num_threads
from pyfastlm.errors import InputError
from pyfastlm.memorization.corpus import building, sampling, units
from pyfastlm.memorization.corpus.mapped import Mapped
from pyfastlm.memorization.corpus.patterns import Patterns
from pyfastlm.memorization.corpus.results import Array, Continuations, Longest, Positions, Repeated

MEMORY = 1 << 30
LIMIT = 1000  # positions that are named
DRAWS = 1_000_000

Pattern = str | bytes | Sequence[int] | np.ndarray[Any, Any]


class CorpusIndex:
    """A suffix array over the documents of a corpus, in one mapped file.

    A corpus consists of units: the bytes of its texts in UTF-8, or tokens. Patterns of an index of texts are
    strings or bytes; those of an index of tokens are sequences of token ids, or strings where it was opened
    with a tokenizer. Matches may overlap, begin at whole units, and never go from one document into the next
    where the index was not built to have them.

    Any number of threads may call any method at the same time.
    """

    def __init__(self, mapped: Mapped, tokenizer: Any = None) -> None:
        self._mapped = mapped
        self._tokenizer = units.tokenizer_of(tokenizer)
        self._patterns = Patterns(mapped.header, self._tokenizer)
        self._native = mapped.searcher()

    @classmethod
    def build(
        cls,
        documents: "Iterable[Any] | np.ndarray[Any, Any] | str | os.PathLike[str]",
        path: str | os.PathLike[str],
        *,
        tokenizer: Any = None,
        dtype: Any = None,
        across: bool = False,
        memory: int = MEMORY,
        progress: bool = False,
    ) -> "CorpusIndex":
        """Write the index of ``documents`` to ``path`` and open it.

        It takes 4.1 bytes for each unit besides the unit itself. Texts that need more than ``memory`` to sort
        are sorted in parts, each with a suffix array of its own; every part adds to the time of a call, and
        nothing to its answer. The same documents and memory give the same file, byte for byte. It appears
        whole or not at all, and replaces what was there before; what a killed build leaves beside it, a later
        build of the same path removes.

        Args:
            documents: strings; or bytes; or with ``tokenizer`` strings to tokenize; or sequences of token
                ids; or an array of token ids [documents, units] or [units], or the path of one that
                numpy.save wrote, which is mapped. An iterable is read once, and never held whole.
            path: the file.
            tokenizer: of transformers, or its name or directory, or an LM; no special tokens are added.
            dtype: of tokens: ``"uint8"``, ``"uint16"`` or ``"uint32"``. By default that of the array; else
                what the tokenizer's vocabulary needs; else uint32.
            across: documents are taken as one text, and matches may go from one into the next.
            memory: bytes that sorting may take, 1 MiB or more. Where a document alone needs more, patterns
                longer than ``longest_pattern`` are refused.
            progress: a bar on standard error.

        Raises:
            InputError: a document is not what it should be, or there is none.
            OSError: the file could not be written.
        """
        found = units.tokenizer_of(tokenizer)
        target = Path(path)
        building.write(
            units.read(documents, found, dtype), target, across=across, memory=memory, progress=progress
        )
        return cls(Mapped(target, verify=False, mmap=True), found)

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, tokenizer: Any = None, verify: bool = True, mmap: bool = True
    ) -> "CorpusIndex":
        """Open the file at ``path``.

        Args:
            path: what :meth:`build` wrote.
            tokenizer: as in :meth:`build`: of the tokens of the index, so that patterns may be strings.
            verify: compare the checksums of the whole file first. Without it, a damaged file gives wrong
                answers or :class:`InputError`, and never reads what is not its own.
            mmap: map the file, which no other process may then make shorter (the system ends a process that
                reads beyond the end); else read it into memory.

        Raises:
            InputError: it is no corpus index, or a damaged one.
            OSError: it could not be read.
        """
        return cls(Mapped(Path(path), verify=verify, mmap=mmap), tokenizer)

    def __len__(self) -> int:
        """Units of all documents."""
        return self._mapped.units

    def __repr__(self) -> str:
        return f"CorpusIndex({os.fspath(self._mapped.path)!r}, {self.documents} documents, {len(self)} units)"

    @property
    def documents(self) -> int:
        """How many."""
        return self._mapped.header.documents

    @property
    def kind(self) -> str:
        """What documents are: ``"text"``, ``"bytes"`` or ``"tokens"``."""
        return self._mapped.header.kind

    @property
    def parts(self) -> int:
        """How many suffix arrays the file has."""
        return self._mapped.header.parts

    @property
    def longest_pattern(self) -> int | None:
        """Units of the longest pattern that can be counted, or None where there is no bound."""
        return self._mapped.header.longest or None

    def text(self, document: int) -> str | bytes:
        """A document as it came; of an index of tokens, decoded by the tokenizer that it was opened with.

        Raises:
            InputError: there is no such document, or no tokenizer.
        """
        found = self.units(document)
        if self.kind == "tokens":
            if self._tokenizer is None:
                raise InputError("tokenizer: expected one to decode tokens with, got None; or ask for units")
            return str(self._tokenizer.decode(found.tolist()))
        data = found.astype(np.uint8).tobytes()
        if self.kind == "bytes":
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise InputError(f"the index is damaged: document {document} is not UTF-8") from None

    def units(self, document: int) -> Array:
        """Bytes or token ids of a document, [units], in the dtype that they came in.

        Raises:
            InputError: there is no such document.
        """
        return self._mapped.document(document)

    def count(self, pattern: Pattern) -> int:
        """How often the corpus has ``pattern``, overlapping occurrences too.

        Raises:
            InputError: it is no pattern, is empty, or longer than ``longest_pattern``.
        """
        found = self._patterns.one(pattern)
        return 0 if found is None else self._native.count(found)

    def count_batch(self, patterns: Sequence[Pattern], *, threads: int | None = None) -> Array:
        """How often the corpus has each of ``patterns``, int64 [patterns]; see :meth:`count`.

        Several are looked for at a time, which takes less time for each than :meth:`count`.
        """
        used = num_threads(threads)
        encoded = self._patterns.many(patterns)
        counts = np.zeros(len(encoded), np.int64)
        possible = [each for each in encoded if each is not None]
        counts[[each is not None for each in encoded]] = self._count(possible, used)
        return counts

    def positions(self, pattern: Pattern, limit: int | None = LIMIT) -> Positions:
        """The first ``limit`` places, all where it is None, that have ``pattern``.

        Raises:
            InputError: as :meth:`count`, or ``limit`` is not a whole number >= 1.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InputError(f"limit: expected None or a whole number >= 1, got {limit!r}")
        found = self._patterns.one(pattern)
        ranges = [] if found is None else self._native.find(found)
        places = self._mapped.places(ranges, limit)
        documents, offsets = self._mapped.within(places)
        return Positions(documents, offsets, sum(end - begin for begin, end in ranges))

    def longest(self, query: Pattern, *, limit: int | None = None, threads: int | None = None) -> Longest:
        """For each unit of ``query``, the longest match that begins there, and how often the corpus has it.

        Takes time in proportion to the sum of the lengths; ``limit`` bounds that.

        Args:
            query: like a pattern, of any length; may be empty. A string is measured in bytes of UTF-8, or in
                tokens.
            limit: matches are measured up to so many units; by default all that can be.
            threads: by default ``PYFASTLM_NUM_THREADS``, else all.

        Raises:
            InputError: as :meth:`count`, or ``limit`` is not a whole number >= 1.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InputError(f"limit: expected None or a whole number >= 1, got {limit!r}")
        used = num_threads(threads)
        asked = self._patterns.array(query, "query")
        most = limit or self.longest_pattern or max(len(asked), 1)
        if limit is not None:
            self._patterns.check_length(limit, "limit")
        dtype = self._mapped.text.dtype
        lengths, counts = np.zeros(len(asked), np.uint64), np.zeros(len(asked), np.uint64)
        # Runs of units that the text can have.
        outside = np.flatnonzero(asked > np.iinfo(dtype).max)
        begin = 0
        for end in [*outside.tolist(), len(asked)]:
            run = np.ascontiguousarray(asked[begin:end], dtype)
            self._native.longest(
                run.ctypes.data,
                len(run),
                most,
                lengths[begin:].ctypes.data,
                counts[begin:].ctypes.data,
                used,
            )
            begin = end + 1
        return Longest(lengths.astype(np.int64), counts.astype(np.int64), most)

    def continuations(self, prefix: Pattern) -> Continuations:
        """Which units follow ``prefix`` in the corpus and how often; those of an empty prefix are all units.

        Raises:
            InputError: as :meth:`count`, but for an empty one; or it is as long as ``longest_pattern``.
        """
        found = self._patterns.prefix(prefix)
        parts = [] if found is None else self._native.following(found)
        pairs = np.array([pair for each, _ in parts for pair in each], np.int64).reshape(-1, 2)
        different, where = np.unique(pairs[:, 0], return_inverse=True)
        counts = np.zeros(len(different), np.int64)
        np.add.at(counts, where, pairs[:, 1])
        order = np.lexsort((different, -counts))
        return Continuations(different[order], counts[order], sum(ends for _, ends in parts))

    def repeated(
        self,
        length: int,
        *,
        at_least: int = 2,
        sample: int = 100,
        seed: int = 0,
        draws: int = DRAWS,
        threads: int | None = None,
    ) -> Repeated:
        """Draw ``sample`` different windows of ``length`` units that the corpus has ``at_least`` times.

        Places of the corpus are drawn; a window that occurs c times, often enough, is kept with a chance of
        1 / c. So every different one is as likely as any other.

        Args:
            length: units; windows go over the end of a document where matches may.
            at_least: occurrences.
            sample: windows; fewer come where fewer were found.
            seed: of the draws; equal seeds draw equal windows.
            draws: places that are drawn at most.
            threads: by default ``PYFASTLM_NUM_THREADS``, else all.

        Raises:
            InputError: a number is less than 1, or ``length`` more than ``longest_pattern``.
        """
        for name, value in {"length": length, "at_least": at_least, "sample": sample, "draws": draws}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}: expected a whole number >= 1, got {value!r}")
        self._patterns.check_length(length, "length")
        used = num_threads(threads)
        return sampling.repeated(
            self._mapped, lambda windows: self._count(windows, used), length, at_least, sample, seed, draws
        )

    def _count(self, encoded: list[bytes], threads: int) -> Array:
        sizes = np.fromiter(map(len, encoded), np.uint64, len(encoded))
        starts = np.zeros(len(encoded) + 1, np.uint64)
        np.cumsum(sizes // self._mapped.header.width, out=starts[1:])
        joined = np.frombuffer(b"".join(encoded), np.uint8)
        counts = np.zeros(len(encoded), np.int64)
        self._native.count_batch(
            joined.ctypes.data, starts.ctypes.data, len(encoded), counts.ctypes.data, threads
        )
        return counts
