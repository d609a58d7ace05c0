"""Other ways to count sequences in a corpus, for bench_corpus_index.py: functions from bytes to a count."""

import bisect
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Count = Callable[[bytes], int]


def by_find(text: bytes) -> Count:
    """A scan that counts what overlaps, too."""

    def count(pattern: bytes) -> int:
        found = 0
        at = text.find(pattern)
        while at >= 0:
            found += 1
            at = text.find(pattern, at + 1)
        return found

    return count


def by_sa_search(text: bytes, suffixes: np.ndarray) -> Count:
    """libdivsufsort's own search."""
    import pydivsufsort

    return lambda pattern: int(pydivsufsort.sa_search(text, suffixes, pattern)[0])


def by_bisect(text: bytes, suffixes: np.ndarray) -> Count:
    def count(pattern: bytes) -> int:
        size = len(pattern)

        def key(suffix: int) -> bytes:
            return text[suffix : suffix + size]

        lo = bisect.bisect_left(suffixes, pattern, key=key)
        return bisect.bisect_right(suffixes, pattern, lo=lo, key=key) - lo

    return count


def by_infini_gram(documents: list[bytes], folder: Path) -> Count:
    """Bytes as they are; its index is built by a program that comes with it."""
    engine = pytest.importorskip("infini_gram.engine")
    data = folder / "data"
    data.mkdir()
    rows = (json.dumps({"text": document.decode()}) + "\n" for document in documents)
    (data / "rows.jsonl").write_text("".join(rows))
    options = {"data_dir": data, "save_dir": folder / "index", "token_dtype": "u8", "mem": 4, "cpus": 2}
    command = [sys.executable, "-m", "infini_gram.indexing", "--ulimit", "4096"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(data)
    made = engine.InfiniGramEngine(str(folder / "index"), eos_token_id=0, vocab_size=255, token_dtype="u8")
    return lambda pattern: int(made.count(list(pattern))["count"])


def by_tokengrams(text: bytes, folder: Path) -> Count:
    """It knows tokens of 16 bits only: each byte is one."""
    tokengrams = pytest.importorskip("tokengrams")
    np.frombuffer(text, np.uint8).astype("<u2").tofile(folder / "tokens")
    made = tokengrams.MemmapIndex.build(str(folder / "tokens"), str(folder / "index"), vocab=256)
    return lambda pattern: int(made.count(list(pattern)))
