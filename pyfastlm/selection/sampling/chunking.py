"""Texts in pieces that a model can read at once, and that make the text again when they are joined."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError

SEGMENT = 1 << 19  # characters that are tokenized together; longer texts are cut at a space first


class Chunk(NamedTuple):
    """A piece of a text, and how many tokens of the whole text it has; None without a tokenizer."""

    text: str
    tokens: int | None


class Chunker:
    """Cuts texts after every ``size`` tokens, or characters.

    Args:
        size: tokens of ``tokenizer`` in a chunk, or characters without one.
        tokenizer: a fast tokenizer of transformers, or a name or directory of one, or ``"smollm2"``.

    Raises:
        InputError, InputTypeError: an argument is wrong.
    """

    def __init__(self, size: int, tokenizer: Any = None) -> None:
        if isinstance(size, bool) or not isinstance(size, int):
            raise InputTypeError(f"size: expected a whole number, got {size!r}")
        if size < 1:
            raise InputError(f"size: expected a whole number >= 1, got {size}")
        self.size = size
        self._tokenizer = None if tokenizer is None else _tokenizer(tokenizer)

    def __call__(self, text: str) -> Iterator[Chunk]:
        """The chunks of ``text``, none of them empty."""
        if self._tokenizer is None:
            for start in range(0, len(text), self.size):
                yield Chunk(text[start : start + self.size], None)
            return
        for segment in _segments(text):
            yield from self._by_tokens(segment)

    def _by_tokens(self, text: str) -> Iterator[Chunk]:
        assert self._tokenizer is not None
        encoded = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        starts = [start for start, _ in encoded["offset_mapping"]]
        done, held = 0, 0  # characters, and tokens that got no text of their own so far
        for first in range(0, max(len(starts), 1), self.size):
            following = first + self.size
            # Where a character has several tokens, all of them go with the first.
            stop = starts[following] if following < len(starts) else len(text)
            held += min(following, len(starts)) - first
            if stop > done:
                yield Chunk(text[done:stop], held)
                done, held = stop, 0


def chunk(text: str, size: int, *, tokenizer: Any = None) -> list[Chunk]:
    """Cut ``text`` into pieces of ``size`` tokens of ``tokenizer``, or characters without one.

    Joined, the pieces are the text again. A cut is where the next piece's first token starts, so a piece
    has up to ``size`` tokens of the whole text, and fewer where a character is made of several tokens; taken
    alone it may have a few more. Texts of more than half a million characters are first cut at spaces.

    Args:
        text: any text.
        size: of a piece, 1 or more.
        tokenizer: a fast tokenizer of transformers, or a name or directory of one, or ``"smollm2"``.

    Raises:
        InputError: ``size`` is not positive, or the tokenizer cannot be read or locate its tokens.
        InputTypeError: ``size`` or ``text`` has another type.
    """
    if not isinstance(text, str):
        raise InputTypeError(f"text: expected a string, got {type(text).__name__}")
    return list(Chunker(size, tokenizer)(text))


def _segments(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > SEGMENT:
        stop = max(text.rfind(mark, start + 1, start + SEGMENT) for mark in ("\n", " "))
        stop = stop if stop > start else start + SEGMENT
        yield text[start:stop]
        start = stop
    yield text[start:]


def _tokenizer(given: Any) -> Any:
    if isinstance(given, str | os.PathLike):
        from pyfastlm.lm.loading import quiet

        name = os.fspath(given)
        if name == "smollm2":
            from pyfastlm.lm.smollm2 import directory

            name = str(directory())
        elif not name or (name.startswith(("/", ".", "~")) and not Path(name).expanduser().exists()):
            raise InputError(f"tokenizer: no such file or directory: {name!r}")
        transformers = require("transformers", "lm")
        try:
            with quiet():
                given = transformers.AutoTokenizer.from_pretrained(str(Path(name).expanduser()))
        except (OSError, ValueError, LookupError, RuntimeError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"tokenizer: cannot load {name!r}: {first}") from error
    if not callable(given):
        raise InputTypeError(f"tokenizer: expected a tokenizer or its name, got {type(given).__name__}")
    if not getattr(given, "is_fast", False):
        raise InputError("tokenizer: it cannot locate its tokens in the text; use a fast tokenizer")
    return given
