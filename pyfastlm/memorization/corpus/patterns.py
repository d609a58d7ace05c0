"""What is looked for, as the bytes of units that the text of an index has."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.memorization.corpus.format import WIDTHS, Header
from pyfastlm.memorization.corpus.units import Array


class Patterns:
    """Turns strings, bytes and token ids into units of the index with this header."""

    def __init__(self, header: Header, tokenizer: Any) -> None:
        self._header = header
        self._tokenizer = tokenizer
        self._dtype = np.dtype(WIDTHS[header.width])
        self._as_it_is = header.kind != "tokens" and header.width == 1

    def one(self, given: Any, name: str = "pattern") -> bytes | None:
        """Of one unit or more; None where it has a token id that no document can have.

        Raises:
            InputError: it is no pattern, has no units, or more than this index can count.
        """
        found = self._bytes(given, name)
        if found is None:
            return None
        if not found:
            raise InputError(f"{name}: expected one unit or more, got none")
        self.check_length(len(found) // self._header.width, name)
        return found

    def prefix(self, given: Any) -> bytes | None:
        """The same for what may be empty, and is followed by one more unit."""
        found = self._bytes(given, "prefix")
        if found:
            self.check_length(len(found) // self._header.width + 1, "prefix and what follows")
        return found

    def many(self, given: Any) -> list[bytes | None]:
        """Each as :meth:`one`, named by its number."""
        if isinstance(given, str | bytes) or not isinstance(given, Sequence | np.ndarray):
            raise InputTypeError(f"patterns: expected several, got {type(given).__name__}")
        return [self.one(each, f"patterns[{i}]") for i, each in enumerate(given)]

    def check_length(self, units: int, name: str) -> None:
        """Refuse what goes beyond the stretch of text that every part of the index sees."""
        longest = self._header.longest
        if longest and units > longest:
            raise InputError(
                f"{name}: expected at most {longest} units, got {units}: a document is longer than the parts "
                "of this index; build it with more memory"
            )

    def array(self, given: Any, name: str) -> Array:
        """Units [n], of int64 where they are token ids, before any check that the index has them."""
        if self._header.kind == "tokens":
            return self._ids(given, name)
        return np.frombuffer(self._text(given, name), np.uint8)

    def _bytes(self, given: Any, name: str) -> bytes | None:
        if self._as_it_is:
            return self._text(given, name)
        units = self.array(given, name)
        if units.size and int(units.max()) > np.iinfo(self._dtype).max:
            return None
        return units.astype(self._dtype).tobytes()

    def _text(self, given: Any, name: str) -> bytes:
        if isinstance(given, bytes):
            return given
        if not isinstance(given, str):
            raise InputTypeError(f"{name}: expected a string or bytes, got {type(given).__name__}")
        try:
            return given.encode()
        except UnicodeEncodeError:
            raise InputError(f"{name}: expected Unicode, got a lone surrogate in it") from None

    def _ids(self, given: Any, name: str) -> Array:
        if isinstance(given, str):
            if self._tokenizer is None:
                raise InputTypeError(
                    f"{name}: expected token ids, got a string; open the index with tokenizer="
                )
            given = self._tokenizer(given, add_special_tokens=False)["input_ids"]
        try:
            found = np.asarray(given)
        except (ValueError, TypeError, RuntimeError, OverflowError) as error:
            raise InputError(f"{name}: expected token ids: {error}") from None
        if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
            what = type(given).__name__ if found.ndim == 0 else f"{found.dtype} {list(found.shape)}"
            raise InputTypeError(f"{name}: expected token ids [units], got {what}")
        if found.size and int(found.min()) < 0:
            raise InputError(f"{name}: expected token ids from 0 on, got {int(found.min())}")
        if found.dtype == np.uint64:
            found = np.minimum(found, np.uint64(1 << 62))
        return found.astype(np.int64)
