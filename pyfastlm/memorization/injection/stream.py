"""The tokens that training goes on with: rows of a file that may be larger than memory, or texts."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files.inputs import StrPath, resolve
from pyfastlm.lm.files.readers import Reader

ARRAY = ".npy"
SAMPLED = 64  # rows that tell other streams from this one
TOGETHER = 256  # texts that are encoded in one call
BLANK = {"empty text", "blank line"}


class TokenStream:
    """Examples of ``window`` + 1 token ids: example i is the beginning of row i.

    Args:
        rows: [rows, width] of integers, ``width`` at least ``window + 1``; a memory map stays one.
        window: tokens that the model reads of an example; each is followed by a target.

    Raises:
        InputError, InputTypeError: there is no row, or rows are too narrow, or no integers.
    """

    def __init__(self, rows: NDArray[Any], window: int) -> None:
        if window < 1:
            raise InputError(f"window: expected at least 1, got {window}")
        if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu":
            what = rows.dtype if isinstance(rows, np.ndarray) else type(rows).__name__
            raise InputTypeError(f"rows: expected an array of integers, got {what}")
        if rows.ndim != 2 or not len(rows) or rows.shape[1] <= window:
            raise InputError(
                f"rows: expected [rows, {window + 1} or more] for a window of {window}, got "
                f"{list(rows.shape)}; take a smaller window"
            )
        self.window = window
        self._rows = rows

    @classmethod
    def open(cls, path: "str | os.PathLike[str]", window: int) -> "TokenStream":
        """A ``.npy`` file with a 2-D array of integers, memory-mapped.

        Raises:
            InputError: it is missing, damaged, or holds something else.
        """
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"path: cannot read {os.fspath(path)!r} as an array: {reason}") from error
        if not isinstance(rows, np.ndarray):  # an archive of several
            raise InputError(f"path: expected one array in {os.fspath(path)!r}, got an archive")
        return cls(rows, window)

    @classmethod
    def from_texts(cls, texts: Iterable[str], tokenizer: Any, window: int) -> "TokenStream":
        """Texts, each with the tokenizer's eos (else bos) token after it, end to end, cut into rows.

        What is left after the last whole row is left out. All tokens are held in memory, 4 bytes each.

        Raises:
            InputError: the texts do not fill one row, or the tokenizer has no token to part them with.
        """
        border = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.bos_token_id
        if border is None:
            raise InputError("tokenizer: it has neither an eos nor a bos token to part texts with")
        if window < 1:
            raise InputError(f"window: expected at least 1, got {window}")
        parts = [np.array([*ids, border], np.int32) for ids in _encoded(texts, tokenizer)]
        flat = np.concatenate(parts) if parts else np.empty(0, np.int32)
        count = len(flat) // (window + 1)
        if not count:
            raise InputError(f"texts: expected more than {window} tokens, got {len(flat)}; give more text")
        return cls(flat[: count * (window + 1)].reshape(count, window + 1), window)

    @classmethod
    def read(
        cls, files: StrPath | Sequence[StrPath], tokenizer: Any, window: int, *, text_key: str = "text"
    ) -> "TokenStream":
        """One ``.npy`` file, or texts from files as ``pyfastlm score`` takes them.

        Raises:
            InputError: a file is missing, of an unknown kind or damaged, or a row is no text.
        """
        given = [files] if isinstance(files, str | os.PathLike) else list(files)
        if len(given) == 1 and Path(given[0]).suffix == ARRAY:
            return cls.open(given[0], window)
        return cls.from_texts(_texts(given, text_key), tokenizer, window)

    def __len__(self) -> int:
        return len(self._rows)

    def examples(self, numbers: NDArray[np.int64], vocabulary: int | None = None) -> NDArray[np.int64]:
        """The examples [n, window + 1] with these numbers [n].

        Raises:
            InputError: a token is below 0, or not below ``vocabulary``.
        """
        found = self._rows[numbers, : self.window + 1].astype(np.int64)
        if vocabulary is not None and found.size and not 0 <= found.min() <= found.max() < vocabulary:
            row = numbers[((found < 0) | (found >= vocabulary)).any(axis=1)][0]
            raise InputError(
                f"stream: row {row:,} has tokens outside the model's {vocabulary:,}; "
                "encode the text with the tokenizer of this model"
            )
        return found

    def part(self, start: int, stop: int) -> "TokenStream":
        """The examples from ``start`` to before ``stop``.

        Raises:
            InputError: there are none.
        """
        if not 0 <= start < stop <= len(self):
            raise InputError(f"part: expected 0 <= start < stop <= {len(self)}, got {start} and {stop}")
        return TokenStream(self._rows[start:stop], self.window)

    def digest(self) -> str:
        """Number of rows, window, and a hash of a few rows from beginning to end."""
        count = len(self)
        some = np.unique(np.arange(SAMPLED) * (count - 1) // (SAMPLED - 1))
        whole = hashlib.blake2b(self.examples(some).astype("<i8").tobytes(), digest_size=8)
        return f"{count} rows of {self.window + 1} {whole.hexdigest()}"


def _encoded(texts: Iterable[str], tokenizer: Any) -> Iterator[list[int]]:
    waiting: list[str] = []
    for text in texts:
        waiting.append(text)
        if len(waiting) == TOGETHER:
            yield from tokenizer(waiting, add_special_tokens=False, verbose=False)["input_ids"]
            waiting = []
    if waiting:
        yield from tokenizer(waiting, add_special_tokens=False, verbose=False)["input_ids"]


def _texts(files: Sequence[StrPath], text_key: str) -> Iterator[str]:
    for source in resolve(files):
        for row in Reader((source,), text_key):
            if row.text is not None:
                yield row.text
            elif row.reason not in BLANK:
                raise InputError(f"files: {source.name!r}, row {row.row:,}: {row.reason}")
