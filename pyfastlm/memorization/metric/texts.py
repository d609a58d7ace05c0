"""What tokens say, and the words of it."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfastlm.lm.encoding import Tokens

WORD = re.compile(r"[A-Za-z0-9]+")


def words(text: str) -> str:
    """The runs of ASCII letters and digits in ``text``, with a space between each two.

    Source: ``ascii_letter_normalize`` in ``src/memorization_utils.py`` of explanare/verbatim-memorization.
    """
    return " ".join(WORD.findall(text))


def common_start(a: str, b: str) -> str:
    """The characters that both start with."""
    n = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:n]


class Texts:
    """A tokenizer, used for nothing but what its tokens say and how many a text has."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def decode(self, tokens: "Tokens | Sequence[int]") -> str:
        """The text of ``tokens``, nothing left out and nothing cleaned up."""
        text: str = self._tokenizer.decode(np.asarray(tokens).tolist(), clean_up_tokenization_spaces=False)
        return text

    def count(self, text: str) -> int:
        """Tokens of ``text``, without those that the tokenizer adds."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


class Rest:
    """The words of all ``tokens``, decoded only as far as somebody asks."""

    def __init__(self, texts: Texts, tokens: Tokens, first: int) -> None:
        self._texts, self._tokens, self._read = texts, tokens, first
        self._words = words(texts.decode(tokens[:first]))

    def words(self, characters: int) -> str:
        """At least the first ``characters`` of them, or all."""
        while len(self._words) < characters and self._read < len(self._tokens):
            self._read *= 2
            self._words = words(self._texts.decode(self._tokens[: self._read]))
        return self._words
