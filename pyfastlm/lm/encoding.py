"""Text to tokens, the way lm-evaluation-harness does it for a causal LM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError

Tokens = NDArray[np.int32]


class Encoder:
    """A tokenizer with the harness's rules for special tokens.

    ``prefix`` is what the first token of a text is predicted from: the tokenizer's bos, else its eos. Texts
    get the special tokens that the tokenizer adds by itself, unless they start with the prefix spelled out.

    Source: lm-evaluation-harness, ``tok_encode`` and ``prefix_token_id`` in
    ``lm_eval/models/huggingface.py``, ``_encode_pair`` in ``lm_eval/api/model.py``.
    """

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        prefix = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if prefix is None:
            raise InputError(
                "lm: its tokenizer has neither a bos nor an eos token to start a text with; set one of them"
            )
        self.prefix: int = prefix
        self._tokenizer = tokenizer
        self._spelled_prefix: str = tokenizer.decode(prefix)
        self._vocabulary = vocabulary

    def texts(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of each text, int32."""
        plain = [not text.startswith(self._spelled_prefix) for text in texts]
        if all(plain):
            return self._encode(texts)
        encoded: list[Tokens] = [np.empty(0, np.int32)] * len(texts)
        for special in (True, False):
            chosen = [i for i, adds in enumerate(plain) if adds is special]
            rows = self._encode([texts[i] for i in chosen], {} if special else {"add_special_tokens": False})
            for i, row in zip(chosen, rows, strict=True):
                encoded[i] = row
        return encoded

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[Tokens, Tokens]]:
        """Tokens of (context, continuation); spaces that end a context go to the continuation."""
        moved = [_move_spaces(context, continuation) for context, continuation in pairs]
        contexts = self.texts([context for context, _ in moved])
        wholes = self.texts([context + continuation for context, continuation in moved])
        bare = self._encode([after for before, after in moved if not before], {"add_special_tokens": False})
        rest = iter(bare)
        return [
            (context, whole[len(context) :]) if before else self._after_prefix(next(rest))
            for (before, _), context, whole in zip(moved, contexts, wholes, strict=True)
        ]

    def spans(self, text: str, count: int) -> NDArray[np.int64]:
        """[count, 2] first and past-the-last character of each token of ``text``."""
        if not self._tokenizer.is_fast:
            raise InputError("lm: its tokenizer cannot locate tokens in the text; use a fast tokenizer")
        adds = {"add_special_tokens": False} if text.startswith(self._spelled_prefix) else {}
        encoded = self._tokenizer(text, return_offsets_mapping=True, verbose=False, **adds)
        return np.array(encoded["offset_mapping"], np.int64).reshape(count, 2)

    def _after_prefix(self, continuation: Tokens) -> tuple[Tokens, Tokens]:
        if len(continuation) and continuation[0] == self.prefix:
            return continuation[:1], continuation[1:]
        return np.array([self.prefix], np.int32), continuation

    def _encode(self, texts: Sequence[str], options: dict[str, bool] | None = None) -> list[Tokens]:
        if not texts:
            return []
        rows = self._tokenizer(list(texts), verbose=False, **(options or {}))["input_ids"]
        encoded = [np.array(row, np.int32) for row in rows]
        largest = max((int(row.max()) for row in encoded if len(row)), default=0)
        if largest >= self._vocabulary:
            raise InputError(
                f"lm: its tokenizer gives token {largest}, but the model has {self._vocabulary} entries; "
                "resize the model's embeddings or take the tokenizer that belongs to it"
            )
        return encoded


def utf8_length(text: object, name: str) -> int:
    """Length of ``text`` in UTF-8 bytes.

    Raises:
        InputTypeError: it is not a string.
        InputError: it holds half a surrogate pair, so it is no Unicode text.
    """
    if not isinstance(text, str):
        raise InputTypeError(f"{name}: expected a string, got {type(text).__name__}")
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name}: expected Unicode text, got the lone surrogate {text[error.start]!r} at character "
            f"{error.start}; decode the source with errors='replace'"
        ) from None


def _move_spaces(context: str, continuation: str) -> tuple[str, str]:
    kept = context.rstrip()
    return kept, context[len(kept) :] + continuation


def common_prefix(a: Tokens, b: Tokens) -> int:
    """How many tokens ``a`` and ``b`` start with in common."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n
