"""What the tests of matrices share: samples with domains, scorers that need no model, and an oracle."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jobs import compressed, documents

from pyfastlm.lm import TextScore

Rows = list[tuple[str, str]]  # domain and text


def sample(n: int, domains: int = 5, *, seed: int = 0) -> Rows:
    """``n`` documents, each text once, of ``domains`` domains in turn."""
    return [(f"domain {i % domains}", f"{i} {text}") for i, text in enumerate(documents(n, seed=seed))]


def write(path: Path, rows: Rows, **extra: Any) -> Path:
    """Write ``rows`` in the format that the suffix of ``path`` names, with an ``id``."""
    if path.suffix == ".parquet":
        ids = [str(i) for i in range(len(rows))]
        columns = {"text": [t for _, t in rows], "domain": [d for d, _ in rows], "id": ids}
        pq.write_table(pa.table(columns), path, row_group_size=7)
        return path
    lines = (
        json.dumps({"id": i, "domain": d, "text": t} | extra).encode() + b"\n"
        for i, (d, t) in enumerate(rows)
    )
    path.write_bytes(compressed(b"".join(lines), path.suffix))
    return path


class Stub:
    """A scorer whose log-probabilities are hashes of ``name`` and text; some texts go wrong on purpose."""

    max_length = 128
    tokens_per_batch = 128  # parts of 4 KiB

    def __init__(
        self,
        name: str,
        *,
        fails: Iterable[str] = (),
        nan: Iterable[str] = (),
        empty: Iterable[str] = (),
        fingerprint: str | None = None,
    ) -> None:
        self.name, self.fingerprint = name, fingerprint or f"stub {name}"
        self.fails, self.nan, self.empty = set(fails), set(nan), set(empty)
        self.asked: list[str] = []

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        if bad := [text for text in texts if text in self.fails]:
            raise ValueError(f"cannot encode\n{bad[0][:5]!r}")
        self.asked += texts
        return [self.one(text) for text in texts]

    def one(self, text: str) -> TextScore:
        size = len(text.encode())
        if text in self.empty:
            return TextScore(0.0, 0, size, 0)
        part = int.from_bytes(hashlib.blake2b((self.name + text).encode(), digest_size=6).digest(), "big")
        logp = math.nan if text in self.nan else -size * (0.5 + part / 2**48)
        return TextScore(logp, max(size // 3, 1), size, 1)


def expected(scorers: Sequence[Any], rows: Rows) -> tuple[list[str], np.ndarray]:
    """Names of domains and bits per byte [N, D] the obvious way, by one text at a time."""
    names = sorted({domain for domain, _ in rows})
    values = [
        [
            -math.fsum(scorer.rolling([text])[0].logp for d, text in rows if d == name)
            / (math.log(2) * sum(len(text.encode()) for d, text in rows if d == name))
            for name in names
        ]
        for scorer in scorers
    ]
    return names, np.array(values)
