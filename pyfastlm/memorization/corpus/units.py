"""Documents as units: the bytes of texts, or token ids, whatever form they come in."""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError

Array = np.ndarray[Any, Any]
DTYPES = ("uint8", "uint16", "uint32")
BATCH = 256  # texts that a tokenizer gets at a time
LARGEST_ID = (1 << 32) - 2  # the next one parts documents


class Documents(NamedTuple):
    """What is indexed: ``kind`` as in ``format.KINDS``; each array [units] fits into ``dtype``."""

    kind: str
    dtype: Any
    arrays: Iterator[Array]


def tokenizer_of(given: Any) -> Any:
    """The tokenizer of an LM, or of a name or a directory, or ``given`` itself.

    Raises:
        InputError: there is no such tokenizer, or it is none.
    """
    if given is None:
        return None
    found = _named(os.fspath(given)) if isinstance(given, str | os.PathLike) else given
    found = getattr(found, "tokenizer", found)
    if not callable(found):
        raise InputTypeError(f"tokenizer: expected a tokenizer or an LM, got {type(given).__name__}")
    return found


def _named(name: str) -> Any:
    from pyfastlm.lm import smollm2
    from pyfastlm.lm.loading import quiet

    path = str(smollm2.directory()) if name == smollm2.NAME else str(Path(name).expanduser())
    if not name or (name.startswith(("/", ".", "~")) and not Path(path).exists()):
        raise InputError(f"tokenizer: no such file or directory: {name!r}")
    transformers = require("transformers", "lm")
    try:
        with quiet():
            return transformers.AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"tokenizer: cannot load {name!r}: {first}") from error


def read(documents: Any, tokenizer: Any, dtype: Any) -> Documents:
    """Find out what ``documents`` are (see ``CorpusIndex.build``); the arrays are checked as they come."""
    wanted = _dtype(dtype)
    if isinstance(documents, str | os.PathLike):
        documents = _load(documents)
    if isinstance(documents, np.ndarray):
        if tokenizer is not None:
            raise InputError("tokenizer: expected None with an array of token ids")
        return _rows(documents, wanted)
    if isinstance(documents, bytes) or not isinstance(documents, Iterable):
        raise InputTypeError(f"documents: expected several documents, got {type(documents).__name__}")
    stream = iter(documents)
    first = list(itertools.islice(stream, 1))
    items = itertools.chain(first, stream)
    texts = bool(first) and isinstance(first[0], str | bytes)
    if tokenizer is not None:
        size = len(tokenizer) if hasattr(tokenizer, "__len__") else LARGEST_ID
        wanted = wanted or np.dtype(np.uint16 if size < 1 << 16 else np.uint32)
        return Documents("tokens", wanted, _tokenized(items, tokenizer, wanted))
    if texts:
        if wanted not in (None, np.uint8):
            raise InputError(
                f"dtype: expected None or 'uint8' with texts, got {dtype!r}; or give a tokenizer"
            )
        kind = "text" if isinstance(first[0], str) else "bytes"
        return Documents(kind, np.dtype(np.uint8), _encoded(items, kind))
    wanted = wanted or np.dtype(np.uint32)
    return Documents("tokens", wanted, (ids(item, wanted, i) for i, item in enumerate(items)))


def ids(given: Any, dtype: Any, number: int) -> Array:
    """The token ids of a document as an array [units], of any whole numbers that ``dtype`` has."""
    try:
        found = np.asarray(given)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InputError(f"documents: expected token ids as document {number}: {error}") from None
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        what = type(given).__name__ if found.ndim == 0 else f"{found.dtype} {list(found.shape)}"
        raise InputTypeError(f"documents: expected token ids [units] as document {number}, got {what}")
    if found.dtype == dtype and dtype != np.uint32:
        return found
    most = min(int(np.iinfo(dtype).max), LARGEST_ID)
    if found.size and not (int(found.min()) >= 0 and int(found.max()) <= most):
        raise InputError(
            f"documents: expected token ids from 0 to {most} in {np.dtype(dtype).name}, got "
            f"{int(found.min())} to {int(found.max())} in document {number}; "
            f"a wider dtype is one of {', '.join(DTYPES)}"
        )
    return found


def _dtype(given: Any) -> Any:
    if given is None:
        return None
    try:
        found = np.dtype(given)
    except TypeError:
        found = None
    if found is None or found.name not in DTYPES:
        raise InputError(f"dtype: expected one of {', '.join(DTYPES)}, got {given!r}")
    return found


def _load(path: str | os.PathLike[str]) -> Array:
    name = os.fspath(path)
    if Path(name).suffix != ".npy":
        raise InputError(f"documents: expected several documents, or a path that ends in .npy, got {name!r}")
    try:
        found: Array = np.load(name, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OverflowError) as error:
        raise InputError(f"documents: {name!r} is not a whole .npy file: {error}") from None
    return found


def _rows(array: Array, dtype: Any) -> Documents:
    if array.ndim not in (1, 2) or array.dtype.kind not in "iu":
        raise InputError(
            "documents: expected an array of token ids, [units] or [documents, units], got "
            f"{array.dtype} {list(array.shape)}"
        )
    native = array.dtype.newbyteorder("=")
    wanted = dtype or (native if native.name in DTYPES else np.dtype(np.uint32))
    rows = array[None] if array.ndim == 1 else array
    return Documents("tokens", wanted, _pieces(rows, wanted))


def _pieces(rows: Array, dtype: Any) -> Iterator[Array]:
    for number, row in enumerate(rows):
        yield ids(row, dtype, number)


def _encoded(items: Iterable[Any], kind: str) -> Iterator[Array]:
    wanted: Any = str if kind == "text" else bytes
    for number, item in enumerate(items):
        if not isinstance(item, wanted):
            name = "a string" if wanted is str else "bytes"
            raise InputTypeError(
                f"documents: expected {name} as the first one, got {type(item).__name__} as document {number}"
            )
        yield np.frombuffer(item if kind == "bytes" else _utf8(item, number), np.uint8)


def _utf8(text: str, number: int) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InputError(f"documents: expected Unicode, got a lone surrogate in document {number}") from None


def _tokenized(items: Iterable[Any], tokenizer: Any, dtype: Any) -> Iterator[Array]:
    stream = enumerate(items)
    while batch := list(itertools.islice(stream, BATCH)):
        for number, item in batch:
            if not isinstance(item, str):
                raise InputTypeError(
                    f"documents: expected strings to tokenize, got {type(item).__name__} as document {number}"
                )
        found = tokenizer([text for _, text in batch], add_special_tokens=False)["input_ids"]
        for (number, _), tokens in zip(batch, found, strict=True):
            yield ids(tokens, dtype, number)
