"""Tokens of pages, and pages cut to a number of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError

BYTES = "bytes"
NEARBY = 16  # characters around the end of a token where a cut is looked for


class Counter(Protocol):
    """Counts the tokens of texts; ``name`` is a word for how."""

    name: str

    def count(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text, [n]."""
        ...

    def cut(self, text: str, tokens: int) -> str | None:
        """A beginning of ``text`` that has exactly so many tokens by itself; None where none is found."""
        ...


class Bytes:
    """A token is a byte of UTF-8."""

    name = BYTES

    def count(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text, [n]."""
        return np.array([len(text.encode()) for text in texts], np.int64)

    def cut(self, text: str, tokens: int) -> str | None:
        """A beginning of exactly so many bytes; None where that would split a character."""
        try:
            return text.encode()[:tokens].decode()
        except UnicodeDecodeError:
            return None


class Tokens:
    """Tokens of a fast tokenizer of transformers, without the special tokens it would add."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise InputError(f"count: {name!r} has no fast tokenizer, which knows where its tokens end")
        self._tokenizer, self.name = tokenizer, name

    def count(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text, [n]."""
        if not texts:
            return np.empty(0, np.int64)
        rows = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return np.array([len(row) for row in rows], np.int64)

    def cut(self, text: str, tokens: int) -> str | None:
        """A beginning that has exactly so many tokens when it is tokenized by itself.

        The text up to the end of the last of them nearly always does; a tokenizer may however join what was
        apart, so the result is counted, and ends nearby are tried.
        """
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ends = [end for _, end in encoded["offset_mapping"]]
        if tokens > len(ends):
            return None
        if tokens == len(ends):
            return text
        end = ends[tokens - 1]
        for step in range(NEARBY + 1):
            for place in (end - step, end + step):
                if 0 < place <= len(text) and int(self.count([text[:place]])[0]) == tokens:
                    return text[:place]
        return None


def counter(count: Any) -> Counter:
    """``"bytes"``; or the tokenizer of a model: a hub id, a directory, ``"smollm2"``, or the object itself.

    Raises:
        InputError: there is no such tokenizer, or it is a slow one.
        MissingExtra: transformers is not installed.
    """
    if count == BYTES:
        return Bytes()
    if not isinstance(count, str):
        if not callable(count):
            raise InputError(f"count: expected bytes or a tokenizer, got {type(count).__name__}")
        return Tokens(count, str(getattr(count, "name_or_path", "") or type(count).__name__))
    transformers = require("transformers", "lm")
    path = count
    if count == "smollm2":
        from pyfastlm.lm import smollm2

        path = str(smollm2.directory())
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, LookupError) as error:
        detail = str(error).partition("\n")[0]
        raise InputError(f"count: cannot load the tokenizer {count!r}: {detail}") from None
    return Tokens(tokenizer, count)
