"""The index: built once, opened in milliseconds, asked by prefix or by what was meant, changed in place."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pyfastlm import _native
from pyfastlm._durable import replacing
from pyfastlm._threads import num_threads
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import normalize
from pyfastlm.index.completions import Completions
from pyfastlm.index.normalize import Normalizer

MOST_EDITS = 2
MEMORY = 1 << 30  # bytes that a build may sort at once


class Match(NamedTuple):
    """A term near what was looked up: its distance in edits, and its score."""

    term: str
    distance: int
    score: float


class TermIndex:
    """Terms with scores in one mapped file, and what was added and removed since it was written.

    Terms are ordered by (score descending, UTF-8 bytes ascending), so every answer is unique. Edits are
    insertions, deletions, substitutions and transpositions of neighbouring code points (optimal string
    alignment); an answer with edits is ordered by (edits, score descending, bytes).

    Any number of threads may call any method at the same time. In a child process after ``fork`` the index
    goes on working; changes made there stay there.
    """

    def __init__(self, path: str | os.PathLike[str], native: "_native.TermIndex") -> None:
        self._path = Path(path)
        self._native = native
        number = native.file().normalizer
        if number >= len(normalize.NAMES):
            raise InputError(f"path: {os.fspath(path)!r} needs a normalizer that this library does not have")
        self._of_term = normalize.of_term(number)
        self._of_prefix = of_prefix = normalize.of_prefix(number)
        exact: Callable[[str, int], list[tuple[str, float]]] = native.exact()
        # What is called for every key that someone types.
        self._exact = (
            exact if of_prefix is None else lambda prefix, k: exact(of_prefix(_text("prefix", prefix)), k)
        )
        self._merging = threading.Lock()

    @classmethod
    def build(
        cls,
        items: Iterable[tuple[str, float]],
        path: str | os.PathLike[str],
        *,
        normalizer: Normalizer = "none",
        duplicates: str = "last",
        memory: int = MEMORY,
    ) -> "TermIndex":
        """Write the index of ``items``, pairs (term, score), to ``path`` and open it.

        Terms may come in any order, and are sorted in files beside ``path`` where they need more than
        ``memory`` bytes; a build needs some 24 bytes for each term besides. The same terms give the same
        file, byte for byte. It appears whole or not at all, and replaces what was there before.

        Args:
            items: any iterable; scores are finite numbers and are kept as float64.
            path: the file.
            normalizer: ``"nfkc_casefold"``: terms are compared, and returned, in NFKC, case folded, with
                single spaces; prefixes go through the same.
            duplicates: what the score of a term that comes several times is: that of the ``"last"``, the
                ``"sum"``, the ``"max"``; or ``"error"``.
            memory: bytes.

        Raises:
            InputError: a term or a score is not what it should be.
            OSError: the file could not be written.
        """
        number = normalize.number_of(normalizer)
        if isinstance(memory, bool) or not isinstance(memory, int) or memory < 1 << 20:
            raise InputError(f"memory: expected 1048576 bytes or more, got {memory!r}")
        of_term = normalize.of_term(number)
        pairs = items if of_term is None else ((of_term(term), score) for term, score in items)
        target = Path(path)
        with replacing(target, _beside(target)) as file:
            _native.term_index_build(
                items=pairs, path=file.name, normalizer=number, duplicates=duplicates, memory=memory
            )
        return cls.open(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = True, mmap: bool = True) -> "TermIndex":
        """Open the file at ``path``.

        Args:
            path: what :meth:`build` or :meth:`merge` wrote.
            verify: compare the checksums of the whole file first. Without it, a damaged file gives wrong
                answers or :class:`InputError`, and never reads what is not its own.
            mmap: map the file, which no other process may then make shorter (the system ends a process that
                reads beyond the end); else read it into memory.

        Raises:
            InputError: it is no term index, or a damaged one.
            OSError: it could not be read.
        """
        name = os.fspath(path)
        try:
            native = _native.TermIndex(name, verify=verify, in_memory=not mmap)
        except InputError as error:
            raise InputError(f"path: {name!r} is not a whole term index: {error}") from None
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), name) from None
        return cls(path, native)

    def __len__(self) -> int:
        return len(self._native)

    def __contains__(self, term: str) -> bool:
        return self.score(term) is not None

    def __repr__(self) -> str:
        return f"TermIndex({os.fspath(self._path)!r}, {len(self)} terms)"

    def score(self, term: str) -> float | None:
        """The score of ``term``, or None where the index does not have it."""
        return self._native.score(_text("term", term) if self._of_term is None else self._of_term(term))

    def complete(
        self, prefix: str, k: int = 10, *, max_edits: int = 0, fix_first: bool = True
    ) -> list[tuple[str, float]]:
        """The best ``k`` terms that begin with ``prefix``, with their scores.

        Args:
            prefix: may be empty; a space at its end counts.
            k: how many terms at most.
            max_edits: 0, 1 or 2. Terms also answer where some beginning of theirs is so many edits or fewer
                from ``prefix``; those with fewer edits come first.
            fix_first: terms that have another first code point than ``prefix`` do not answer to edits.

        Raises:
            InputError: an argument is not what it should be, or the file turns out to be damaged.
        """
        if max_edits == 0:
            return self._exact(prefix, k)
        if self._of_prefix is not None:
            prefix = self._of_prefix(_text("prefix", prefix))
        return self._native.complete(_text("prefix", prefix), _k(k), _edits(max_edits), fix_first)

    def complete_batch(
        self,
        prefixes: Sequence[str],
        k: int = 10,
        *,
        max_edits: int = 0,
        fix_first: bool = True,
        threads: int | None = None,
    ) -> Completions:
        """The same for ``n`` prefixes at once, on ``threads`` threads, while other Python threads run.

        Raises:
            InputError: an argument is not what it should be, or the file turns out to be damaged.
        """
        if isinstance(prefixes, str):
            raise InputTypeError("prefixes: expected a sequence of strings, got one string")
        if self._of_prefix is not None:
            prefixes = [self._of_prefix(_text("prefixes", prefix)) for prefix in prefixes]
        ids, scores, others, file = self._native.answers(
            prefixes, _k(k), _edits(max_edits), fix_first, num_threads(threads)
        )
        return Completions(ids, scores, others, file)

    def lookup(self, term: str, *, max_edits: int = 2, k: int = 10, fix_first: bool = True) -> list[Match]:
        """The best ``k`` terms that are, as a whole, ``max_edits`` edits or fewer from ``term``.

        Raises:
            InputError: an argument is not what it should be, or the file turns out to be damaged.
        """
        term = _text("term", term)
        if self._of_term is not None:
            term = self._of_term(term)
        return [Match(*match) for match in self._native.lookup(term, _k(k), _edits(max_edits), fix_first)]

    def add(self, term: str, score: float) -> None:
        """Add ``term``, or change its score. In memory only, until :meth:`merge`.

        Raises:
            InputError: the term or the score is not what it should be.
        """
        term = _text("term", term)
        try:
            self._native.add(term if self._of_term is None else self._of_term(term), float(score))
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"score: expected a finite number, got {score!r}") from None

    def remove(self, term: str) -> None:
        """Remove ``term``. In memory only, until :meth:`merge`.

        Raises:
            KeyError: the index does not have it.
        """
        text = _text("term", term)
        if not self._native.remove(text if self._of_term is None else self._of_term(text)):
            raise KeyError(term)

    def merge(self, path: str | os.PathLike[str] | None = None) -> None:
        """Write the index with all changes to ``path``, by default its own, and go on with that file.

        Other threads ask and change the index in the meantime; their changes stay beside the new file. It
        appears whole or not at all, and whoever has the old one open keeps it.

        Raises:
            OSError: the file could not be written; nothing has changed then.
        """
        target = self._path if path is None else Path(path)
        with self._merging:
            with replacing(target, _beside(target)) as file:
                self._native.write(file.name)
            self._native.adopt(os.fspath(target))
            self._path = target

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of each section of the file."""
        return self._native.file().parts


def _beside(path: Path) -> Path:
    """A name for what is to replace ``path``."""
    if path.is_dir():
        raise InputError(f"path: {os.fspath(path)!r} is a directory")
    return path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")


def _text(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise InputTypeError(f"{name}: expected a string, got {type(value).__name__}")
    return value


def _k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
    return k


def _edits(edits: int) -> int:
    if isinstance(edits, bool) or not isinstance(edits, int) or not 0 <= edits <= MOST_EDITS:
        raise InputError(f"max_edits: expected 0, 1 or 2, got {edits!r}")
    return edits
