"""What the tests of bulk scoring share: made-up documents, files of every format, the command line."""

import contextlib
import functools
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tiny import SENTENCES

SUFFIXES = (
    ".jsonl",
    ".ndjson",
    ".json",
    ".jsonl.gz",
    ".jsonl.zst",
    ".txt",
    ".txt.gz",
    ".txt.zst",
    ".parquet",
)
MAIN = "from pyfastlm.cli import main; main()"


def documents(n: int, *, seed: int = 0, longest: int = 8) -> list[str]:
    """``n`` one-line texts in several scripts, from one word up to about ``longest`` sentences."""
    rng = random.Random(seed)
    texts = []
    for _ in range(n):
        words = " ".join(rng.choices(SENTENCES, k=rng.randint(1, longest))).replace("\n", " ").split(" ")
        texts.append(" ".join(words[: rng.randint(1, len(words))]) or "x")
    return texts


def jsonl(texts: list[str], key: str = "text") -> bytes:
    """JSON lines with ``id`` and ``key``."""
    return b"".join(json.dumps({"id": i, key: text}).encode() + b"\n" for i, text in enumerate(texts))


def write(path: Path, texts: list[str]) -> Path:
    """Write ``texts`` in the format that the suffix of ``path`` names."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": list(range(len(texts))), "text": texts}), path, row_group_size=7)
        return path
    data = "\n".join(texts).encode() if ".txt" in path.suffixes else jsonl(texts)
    path.write_bytes(compressed(data, path.suffix))
    return path


def compressed(data: bytes, suffix: str) -> bytes:
    """``data`` as a file whose name ends in ``suffix`` holds it."""
    if suffix.endswith(".gz"):
        return gzip.compress(data)
    return bytes(pa.compress(data, codec="zstd", asbytes=True)) if suffix.endswith(".zst") else data


def rows(output: Path) -> list[dict[str, Any]]:
    """The finished table as plain rows."""
    found: list[dict[str, Any]] = pq.read_table(output).to_pylist()
    return found


def rejects(output: Path) -> list[dict[str, Any]]:
    """The list of rejected rows beside ``output``; none where there is no such file."""
    path = output.with_name(output.stem + ".rejected.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def left_behind(folder: Path, *expected: Path) -> list[str]:
    """Names in ``folder`` besides ``expected``: a job must leave nothing else."""
    return sorted(set(os.listdir(folder)) - {path.name for path in expected})


@contextlib.contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    """Feed ``data`` to file descriptor 0, as a shell does with a file."""
    kept = os.dup(0)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        os.dup2(file.fileno(), 0)
        try:
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Tiny products gain nothing from threads, and lose much where the processors are shared."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def tiny_scorer(directory: Path, tokens_per_batch: int = 64) -> Any:
    """A scorer of the tiny model; a small budget, so that small jobs have many parts."""
    from pyfastlm.lm import Scorer, load

    return Scorer(load(directory), tokens_per_batch=tokens_per_batch)


def command(*arguments: str | Path) -> list[str]:
    """The command line ``pyfastlm score`` as a process of its own."""
    return [sys.executable, "-c", MAIN, "score", *map(str, arguments)]


def start(*arguments: str | Path) -> "subprocess.Popen[str]":
    """Start ``pyfastlm score`` with both outputs piped."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command(*arguments), "--threads", "1"],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
