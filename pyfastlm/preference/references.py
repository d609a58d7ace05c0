"""Log-probabilities under the reference: computed once, kept in the columns that TRL reads."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.runner import TOKENS_PER_BATCH
from pyfastlm.preference.encoding import MAX_LENGTH, TokenPair, encode
from pyfastlm.preference.logps import longest, scored
from pyfastlm.preference.pairs import PreferencePair, to_trl
from pyfastlm.preference.policy import PairLogps, Policy

DIGEST = b"pyfastlm.preference"  # where a file says which model and pairs it is of


class References(NamedTuple):
    """Columns [N] float32, in nats: sums over the tokens of an answer."""

    ref_chosen_logps: NDArray[np.float32]
    ref_rejected_logps: NDArray[np.float32]

    def logps(self) -> PairLogps:
        """The same as tensors."""
        return PairLogps(*map(torch.from_numpy, self))


def precompute(
    lm: LMLike,
    pairs: Iterable[PreferencePair],
    path: "str | os.PathLike[str] | None" = None,
    *,
    max_length: int | None = MAX_LENGTH,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> References:
    """Log-probabilities of the answers of all pairs under the reference.

    Args:
        lm: the reference: the model before it learns.
        pairs: any iterable; the results come in its order.
        path: a parquet file for them, which appears when it is whole; one that is there and of this model
            and these pairs is only read.
        max_length: tokens of prompt and answer.
        tokens_per_batch: how many go through the model together.
        progress: a bar on standard error.

    Raises:
        InputError: as :func:`pyfastlm.preference.encoding.encode`; or ``path`` is another thing's.
    """
    given = as_lm(lm)
    tokens = encode(given.tokenizer, pairs, max_length=max_length)
    return computed(given, tokens, path, tokens_per_batch=tokens_per_batch, progress=progress)


def computed(
    lm: LM,
    tokens: Sequence[TokenPair],
    path: "str | os.PathLike[str] | None",
    *,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> References:
    """The same for tokens."""
    digest = f"{lm.fingerprint} {digest_of(tokens)}" if path is not None else ""
    if path is not None and Path(path).exists():
        return _read(Path(path), digest, len(tokens))
    policy = Policy(lm.model, longest(tokens))
    found = scored(policy, tokens, tokens_per_batch=tokens_per_batch, progress=progress)
    references = References(found.chosen.numpy(), found.rejected.numpy())
    if path is not None:
        _write(Path(path), references, digest)
    return references


def trl_rows(
    pairs: Iterable[PreferencePair], references: References, *, conversational: bool = True
) -> Iterator[dict[str, Any]]:
    """Rows for TRL's trainers, with the columns that ``precompute_ref_log_probs`` would make."""
    rows = to_trl(pairs, conversational=conversational)
    for row, chosen, rejected in zip(rows, *references, strict=True):
        yield row | {"ref_chosen_logps": float(chosen), "ref_rejected_logps": float(rejected)}


def digest_of(tokens: Iterable[TokenPair]) -> str:
    """16 hexadecimal digits over all tokens."""
    found = hashlib.blake2b(digest_size=8)
    for pair in tokens:
        for part in pair:
            found.update(len(part).to_bytes(8, "little") + part.astype("<i4").tobytes())
    return found.hexdigest()


def _write(path: Path, references: References, digest: str) -> None:
    pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
    table = pa.table(references._asdict()).replace_schema_metadata({DIGEST: digest.encode()})
    try:
        with replacing(path, path.with_name(f"{path.name}.tmp")) as file:
            pq.write_table(table, file, write_page_checksum=True)
    except OSError as error:
        raise InputError(f"path: cannot write {str(path)!r}: {error.strerror}") from error


def _read(path: Path, digest: str, count: int) -> References:
    pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
    try:
        table = pq.read_table(pa.BufferReader(path.read_bytes()), page_checksum_verification=True)
        columns = [table[name].to_numpy().astype(np.float32) for name in References._fields]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"path: cannot read {str(path)!r}; remove it, and it is made again") from error
    if (table.schema.metadata or {}).get(DIGEST) != digest.encode() or len(table) != count:
        raise InputError(f"path: {str(path)!r} is of another model or of other pairs; choose another name")
    if not all(np.isfinite(column).all() for column in columns):
        raise InputError(f"path: {str(path)!r} holds numbers that are not finite; remove it")
    return References(*columns)
