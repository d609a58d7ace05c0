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
from pyfastlm.index import checks, normalize
from pyfastlm.index.checks import Keyboard as Keyboard
from pyfastlm.index.checks import Mode as Mode
from pyfastlm.index.completions import Completions
from pyfastlm.index.edit_costs import EditCosts
from pyfastlm.index.normalize import Normalizer
from pyfastlm.index.weights import Weights

MEMORY = 1 << 30  # bytes that a build may sort at once
BUDGET = 1 << 23  # bytes of postings that a conjunctive search may read: some ten milliseconds


class Match(NamedTuple):
    """A term near what was looked up: its distance in edits, and its score."""

    term: str
    distance: int
    score: float


class Similar(NamedTuple):
    """A term that a text may be a misspelling of.

    Attributes:
        term: it.
        score: its score. That of two words is how often they come together by chance, where scores are
            counts: the product of both over the sum of all.
        edits: from the text, by optimal string alignment.
        cost: of those edits that cost least, by :class:`EditCosts`.
        share: of the trigrams of both, those that both have (Dice's coefficient).
        fit: what it is ordered by: a log-probability, up to a constant, where the weights were fitted.
    """

    term: str
    score: float
    edits: int
    cost: float
    share: float
    fit: float


COSTS = EditCosts()
WEIGHTS = Weights(cost=6.5, popularity=0.6, share=1.0)


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
        self._normalizer = normalize.NAMES[number]
        self._of_term = normalize.of_term(number)
        self._of_prefix = of_prefix = normalize.of_prefix(number)
        exact: Callable[[str, int], list[tuple[str, float]]] = native.exact()
        # What is called for every key that someone types.
        self._exact = (
            exact
            if of_prefix is None
            else lambda prefix, k: exact(of_prefix(checks.text("prefix", prefix)), k)
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
        similar: bool = False,
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
            similar: for :meth:`similar`. The file then has some 70 bytes more for each term, and the build
                holds all terms in memory.

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
                items=pairs,
                path=file.name,
                normalizer=number,
                duplicates=duplicates,
                memory=memory,
                similar=similar,
            )
        return cls.open(path)

    @classmethod
    def concatenate(
        cls,
        paths: Iterable[str | os.PathLike[str]],
        path: str | os.PathLike[str],
        *,
        duplicates: str = "error",
    ) -> "TermIndex":
        """Write all terms of the files at ``paths`` to one file at ``path`` and open it.

        The files are merged as they lie, in one pass; it needs some 24 bytes for each term, as a build. The
        result is the same, byte for byte, as that of a build from all terms at once; it can be asked for
        :meth:`similar` terms where one of the files can.

        Args:
            paths: one file or more, made with the same normalizer, in any order.
            path: the new file; may be one of ``paths``.
            duplicates: what the score of a term of several files is, as in :meth:`build`; the ``"last"`` is
                that of the last file.

        Raises:
            InputError: a file is not a whole term index, two do not go together, or a term comes twice.
            OSError: a file could not be read or written.
        """
        if isinstance(paths, str | os.PathLike):
            raise InputTypeError("paths: expected several paths, got one")
        files = [(os.fspath(each), cls.open(each)._native.file()) for each in paths]
        if not files:
            raise InputError("paths: expected one file or more, got none")
        (first, one), *others = files
        for name, file in others:
            if file.normalizer != one.normalizer:
                names = normalize.NAMES[one.normalizer], normalize.NAMES[file.normalizer]
                raise InputError(
                    f"paths: expected files of one normalizer, got {first!r} with {names[0]!r} and {name!r} "
                    f"with {names[1]!r}"
                )
        target = Path(path)
        with replacing(target, _beside(target)) as written:
            _native.term_index_concatenate([file for _, file in files], written.name, duplicates)
        return cls.open(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = True, mmap: bool = True) -> "TermIndex":
        """Open the file at ``path``.

        Args:
            path: what :meth:`build` or :meth:`merge` wrote.
            verify: compare the checksums of the whole file first, on as many threads as there may be. Without
                it, a damaged file gives wrong answers or :class:`InputError`, and never reads what is not its
                own.
            mmap: map the file, which no other process may then make shorter (the system ends a process that
                reads beyond the end); else read it into memory.

        Raises:
            InputError: it is no term index, or a damaged one.
            OSError: it could not be read.
        """
        name = os.fspath(path)
        try:
            native = _native.TermIndex(name, verify=verify, in_memory=not mmap, threads=num_threads(None))
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
        return self._native.score(checks.text("term", term) if self._of_term is None else self._of_term(term))

    def complete(
        self,
        prefix: str,
        k: int = 10,
        *,
        max_edits: int = 0,
        fix_first: bool = True,
        mode: Mode = "prefix",
        keyboard: Keyboard | None = None,
    ) -> list[tuple[str, float]]:
        """The best ``k`` terms that begin with ``prefix``, with their scores; or that have its words.

        With ``mode="conjunctive"`` the prefix is split at spaces into words; all of them are whole but the
        last one, where no space follows it. A term answers that has, among its own words, every whole one as
        often as the prefix, and one more word that begins with the last one; in any order. Empty words do
        not count, and a prefix without words is answered by all terms. Such a search ends when it has read
        ``BUDGET`` bytes of the lists of words, and the answer may then lack terms: only
        :meth:`complete_batch` tells (``exact``). It takes a prefix of several common words that hardly ever
        come together.

        Args:
            prefix: may be empty; a space at its end counts.
            k: how many terms at most.
            max_edits: 0, 1 or 2. Terms also answer where some beginning of theirs is so many edits or fewer
                from ``prefix``; those with fewer edits come first. In conjunctive mode it is the edits of all
                words together, each from a word of the term of its own, the last one from a beginning.
            fix_first: terms that have another first code point than ``prefix`` do not answer to edits; in
                conjunctive mode words that have another one than theirs.
            mode: ``"prefix"`` or ``"conjunctive"``.
            keyboard: ``"qwerty"``, ``"qwertz"`` or ``"azerty"``: of answers with as many edits those come
                first that have fewer substitutions of keys that do not touch each other; only then does the
                score count. Not in conjunctive mode.

        Raises:
            InputError: an argument is not what it should be, or the file turns out to be damaged.
        """
        if max_edits == 0 and mode == "prefix":
            return self._exact(prefix, k)
        if self._of_prefix is not None:
            prefix = self._of_prefix(checks.text("prefix", prefix))
        words = checks.asks_for_words(mode)
        return self._native.complete(
            checks.text("prefix", prefix),
            checks.count(k),
            checks.most_edits(max_edits),
            fix_first,
            words,
            BUDGET,
            checks.keyboard_for(keyboard, words),
        )

    def complete_batch(
        self,
        prefixes: Sequence[str],
        k: int = 10,
        *,
        max_edits: int = 0,
        fix_first: bool = True,
        mode: Mode = "prefix",
        keyboard: Keyboard | None = None,
        threads: int | None = None,
    ) -> Completions:
        """The same for ``n`` prefixes at once, on ``threads`` threads, while other Python threads run.

        Raises:
            InputError: an argument is not what it should be, or the file turns out to be damaged.
        """
        if isinstance(prefixes, str):
            raise InputTypeError("prefixes: expected a sequence of strings, got one string")
        if self._of_prefix is not None:
            prefixes = [self._of_prefix(checks.text("prefixes", prefix)) for prefix in prefixes]
        words = checks.asks_for_words(mode)
        ids, scores, exact, others, file = self._native.answers(
            prefixes,
            checks.count(k),
            checks.most_edits(max_edits),
            fix_first,
            words,
            BUDGET,
            checks.keyboard_for(keyboard, words),
            num_threads(threads),
        )
        return Completions(ids, scores, exact, others, file)

    def lookup(
        self,
        term: str,
        *,
        max_edits: int = 2,
        k: int = 10,
        fix_first: bool = True,
        keyboard: Keyboard | None = None,
    ) -> list[Match]:
        """The best ``k`` terms that are, as a whole, ``max_edits`` edits or fewer from ``term``.

        ``fix_first`` and ``keyboard`` as in :meth:`complete`.

        Raises:
            InputError: an argument is not what it should be, or the file turns out to be damaged.
        """
        term = checks.text("term", term)
        if self._of_term is not None:
            term = self._of_term(term)
        found = self._native.lookup(
            term,
            checks.count(k),
            checks.most_edits(max_edits),
            fix_first,
            checks.keyboard_for(keyboard, False),
        )
        return [Match(*match) for match in found]

    def similar(
        self,
        text: str,
        k: int = 10,
        *,
        costs: EditCosts = COSTS,
        weights: Weights = WEIGHTS,
        words: bool = False,
    ) -> list[Similar]:
        """The ``k`` terms that ``text`` is most likely a misspelling of, the likeliest first.

        Unlike :meth:`lookup` it has no bound of two edits, knows that some slips are easier than others, and
        weighs them against how popular a term is. Candidates are all terms of up to 8 code points within two
        edits that share a code point with the text; terms that share many trigrams with it; and pairs of
        terms that it is without the space between them. Of many, those of the fewest edits are weighed: 64
        terms, as many words, and all that were added. Only in an index that was built with ``similar=True``.

        Args:
            text: of 255 code points at most; a longer or an empty one has no answers.
            k: how many at most.
            costs: of edits.
            weights: of costs, popularity and shared trigrams.
            words: single words of the terms that have a space answer as well, with the score of the best of
                those.

        Raises:
            InputError: an argument is not what it should be, the index was not built for it, or the file
                turns out to be damaged.
        """
        return self.similar_batch(
            [checks.text("text", text)], k, costs=costs, weights=weights, words=words, threads=1
        )[0]

    def similar_batch(
        self,
        texts: Sequence[str],
        k: int = 10,
        *,
        costs: EditCosts = COSTS,
        weights: Weights = WEIGHTS,
        words: bool = False,
        threads: int | None = None,
    ) -> list[list[Similar]]:
        """The same for many texts, on ``threads`` threads, while other Python threads run.

        Raises:
            InputError: see :meth:`similar`.
        """
        if isinstance(texts, str):
            raise InputTypeError("texts: expected a sequence of strings, got one string")
        if not self.has_similar:
            raise InputError("index: expected one built with similar=True")
        if self._of_term is not None:
            texts = [self._of_term(checks.text("texts", text)) for text in texts]
        found = _native.term_index_similar(
            self._native,
            texts,
            checks.count(k),
            checks.edit_costs(costs).native,
            checks.weights_of_fit(weights),
            bool(words),
            num_threads(threads),
        )
        return [[Similar(*one) for one in of_text] for of_text in found]

    def add(self, term: str, score: float) -> None:
        """Add ``term``, or change its score. In memory only, until :meth:`merge`.

        Raises:
            InputError: the term or the score is not what it should be.
        """
        term = checks.text("term", term)
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
        text = checks.text("term", term)
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

    def normal(self, term: str) -> str:
        """``term`` in the form in which terms are compared and returned."""
        return (
            checks.text("term", term) if self._of_term is None else self._of_term(checks.text("term", term))
        )

    @property
    def normalizer(self) -> Normalizer:
        """The form in which terms are compared and returned."""
        return self._normalizer

    @property
    def has_similar(self) -> bool:
        """Whether it was built to answer :meth:`similar`."""
        return self._native.file().similar

    @property
    def native(self) -> "_native.TermIndex":
        """The same for native code of other rooms."""
        return self._native

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of each section of the file."""
        return self._native.file().parts


def _beside(path: Path) -> Path:
    """A name for what is to replace ``path``."""
    if path.is_dir():
        raise InputError(f"path: {os.fspath(path)!r} is a directory")
    return path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
