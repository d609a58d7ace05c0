"""How a corpus index is built: what it takes and refuses, and what a killed build leaves."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_tokenizer

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.memorization import CorpusIndex, read_corpus

SLOW = """
import sys, time
from pyfastlm.memorization import CorpusIndex
def documents():
    for i in range(1000):
        yield "x" * 100_000
        if i == 20:
            print("running", flush=True)
            time.sleep(100)
CorpusIndex.build(documents(), sys.argv[1])
"""


class Letters:
    """A tokenizer of a token a letter."""

    def __call__(self, texts: list[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
        return {"input_ids": [[*map(ord, text)] for text in texts]}


def test_a_killed_build_leaves_the_old_index_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "corpus"
    CorpusIndex.build(["old"], path)
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, contextlib.closing(process.stdout):
        process.stdout.readline()
        (left,) = tmp_path.glob(".corpus-*.building")
        os.utime(left, (0, 0))
        CorpusIndex.build(["newer"], path)
        assert left.exists()  # its process lives
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert CorpusIndex.open(path).text(0) == "newer"
    os.utime(left, (0, 0))
    CorpusIndex.build(["newest"], path)
    assert [*tmp_path.iterdir()] == [path]
    assert CorpusIndex.open(path).count("newest") == 1


def test_nothing_needs_torch(tmp_path: Path) -> None:
    code = "import sys; from pyfastlm.memorization import CorpusIndex\n"
    code += "print(CorpusIndex.build(['abab'], sys.argv[1]).count('ab'), 'torch' in sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path / "index")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [
        "2",
        "False",
    ]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def documents() -> Any:
        yield "text"
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        CorpusIndex.build(documents(), tmp_path / "corpus")
    assert [*tmp_path.iterdir()] == []


def test_the_same_documents_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        CorpusIndex.build(iter(["one", "two", "three"]), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "uint32", "int64", "int16"])
def test_arrays_and_their_files(tmp_path: Path, dtype: str) -> None:
    rows = np.array([[1, 2, 3, 1], [1, 2, 1, 2]], dtype)
    np.save(tmp_path / "rows.npy", rows)
    for documents in (rows, tmp_path / "rows.npy", str(tmp_path / "rows.npy")):
        index = CorpusIndex.build(documents, tmp_path / "index")
        assert (index.documents, len(index), index.kind) == (2, 8, "tokens")
        assert (index.count([1, 2]), index.count([1, 1]), index.count([1 << 20])) == (3, 0, 0)
        assert index.units(1).tolist() == [1, 2, 1, 2]
    one = CorpusIndex.build(rows.reshape(-1), tmp_path / "index")
    assert (one.documents, one.count([1, 1])) == (1, 1)
    across = CorpusIndex.build(rows, tmp_path / "index", across=True)
    assert (across.documents, across.count(np.array([1, 1]))) == (2, 1)
    assert across.positions([1, 1]).documents.tolist() == [0]


def test_texts_as_tokens(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    texts = ["def area(r):\n    return r", "the sea and the sky", "the sea"]
    index = CorpusIndex.build(texts, tmp_path / "index", tokenizer=tokenizer)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert [index.units(i).tolist() for i in range(3)] == ids
    assert index.units(0).dtype == np.uint16
    assert index.count("the sea") == index.count(ids[2]) == 2
    opened = CorpusIndex.open(tmp_path / "index", tokenizer=tokenizer)
    assert opened.text(2) == tokenizer.decode(ids[2])
    assert opened.longest("the sea").lengths.tolist() == [*range(len(ids[2]), 0, -1)]
    plain = CorpusIndex.open(tmp_path / "index")
    with pytest.raises(
        InputError, match="pattern: expected token ids, got a string; open the index with tok"
    ):
        plain.count("the sea")
    with pytest.raises(InputError, match="tokenizer: expected one to decode"):
        plain.text(0)


def test_the_vocabulary_sets_the_dtype(tmp_path: Path) -> None:
    index = CorpusIndex.build(["ab", "b\U0001f600"], tmp_path / "index", tokenizer=Letters())
    assert index.units(1).tolist() == [98, 0x1F600]
    assert index.units(1).dtype == np.uint32
    with pytest.raises(InputError, match="from 0 to 65535 in uint16, got 98 to 128512 in document 1"):
        CorpusIndex.build(["ab", "b\U0001f600"], tmp_path / "other", tokenizer=Letters(), dtype="uint16")


def test_texts_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    (tmp_path / "b.jsonl").write_text('{"text": "three\\nlines"}\n')
    index = CorpusIndex.build(
        read_corpus([str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl")]), tmp_path / "index"
    )
    assert [index.text(i) for i in range(index.documents)] == ["one", "two", "three\nlines"]
    (tmp_path / "b.jsonl").write_text('{"text": 3}\n')
    with pytest.raises(InputError, match=r"files: '.*b.jsonl', row 1: "):
        CorpusIndex.build(read_corpus([str(tmp_path / "b.jsonl")]), tmp_path / "index")
    with pytest.raises(InputError, match=r"files: expected a .npy file alone, got 2"):
        read_corpus(["a.npy", "b.npy"])
    assert index.text(0) == "one"


@pytest.mark.parametrize(
    ("documents", "options", "message"),
    [
        ("text", {}, "documents: expected several documents, or a path that ends in .npy, got 'text'"),
        (b"text", {}, "documents: expected several documents, got bytes"),
        (5, {}, "documents: expected several documents, got int"),
        ([], {}, "documents: expected one or more, got none"),
        (["a", b"b"], {}, "documents: expected a string as the first one, got bytes as document 1"),
        ([b"a", "b"], {}, "documents: expected bytes as the first one, got str as document 1"),
        (["a", "\ud800"], {}, "documents: expected Unicode, got a lone surrogate in document 1"),
        ([["a"]], {}, "documents: expected token ids .units. as document 0, got <U1"),
        (
            [[1, -1]],
            {},
            "documents: expected token ids from 0 to 4294967294 in uint32, got -1 to 1 in document 0",
        ),
        ([[1], [300]], {"dtype": "uint8"}, "from 0 to 255 in uint8, got 300 to 300 in document 1"),
        ([[(1 << 32) - 1]], {}, "from 0 to 4294967294 in uint32"),
        ([[1 << 70]], {}, "documents: expected token ids .units. as document 0, got object"),
        ([[[1], [2, 3]]], {}, "documents: expected token ids as document 0"),
        ([[1.5]], {}, "documents: expected token ids .units. as document 0, got float64"),
        ([[True]], {}, "documents: expected token ids .units. as document 0, got bool"),
        (np.zeros((2, 2)), {}, "documents: expected an array of token ids, .* got float64"),
        (np.zeros((2, 2, 2), int), {}, "documents: expected an array of token ids"),
        (["a"], {"dtype": "int8"}, "dtype: expected one of uint8, uint16, uint32, got 'int8'"),
        (["a"], {"dtype": "nothing"}, "dtype: expected one of"),
        (["a"], {"dtype": "uint16"}, "dtype: expected None or 'uint8' with texts"),
        (["a"], {"memory": 1000}, "memory: expected 1048576 bytes or more, got 1000"),
        (["a"], {"memory": True}, "memory: expected"),
        (["a"], {"tokenizer": 5}, "tokenizer: expected a tokenizer or an LM, got int"),
        ([[1]], {"tokenizer": Letters()}, "documents: expected strings to tokenize, got list"),
        (np.zeros(3, int), {"tokenizer": Letters()}, "tokenizer: expected None with an array"),
        ([""], {"across": True}, "documents: expected one or more, got none with any units"),
    ],
)
def test_documents_that_are_refused(tmp_path: Path, documents: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CorpusIndex.build(documents, tmp_path / "index", **options)
    assert [*tmp_path.iterdir()] == []


def test_paths_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"path: .* is a directory"):
        CorpusIndex.build(["a"], tmp_path)
    with pytest.raises(FileNotFoundError):
        CorpusIndex.build(["a"], tmp_path / "none" / "index")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY nothing")
    with pytest.raises(InputError, match=r"is not a whole \.npy file"):
        CorpusIndex.build(tmp_path / "x.npy", tmp_path / "index")


def test_questions_that_are_refused(tmp_path: Path) -> None:
    texts = CorpusIndex.build(["text"], tmp_path / "texts")
    tokens = CorpusIndex.build([[1, 2, 3]], tmp_path / "tokens")
    for pattern in ("", b""):
        with pytest.raises(InputError, match="pattern: expected one unit or more, got none"):
            texts.count(pattern)
    with pytest.raises(InputError, match=r"patterns\[1\]: expected one unit or more"):
        texts.count_batch(["a", ""])
    with pytest.raises(InputError, match="pattern: expected one unit or more"):
        tokens.count([])
    with pytest.raises(InputTypeError, match="pattern: expected a string or bytes, got list"):
        texts.count([1])
    with pytest.raises(InputError, match="pattern: expected Unicode"):
        texts.count("\ud800")
    with pytest.raises(InputTypeError, match="patterns: expected several, got str"):
        texts.count_batch("text")
    with pytest.raises(InputError, match="pattern: expected token ids from 0 on, got -1"):
        tokens.count([-1])
    with pytest.raises(InputTypeError, match=r"pattern: expected token ids \[units\], got float64"):
        tokens.count([1.0])
    assert tokens.count(np.array([(1 << 64) - 1], np.uint64)) == 0
    for limit in (0, True, 1.5):
        with pytest.raises(InputError, match="limit: expected None or a whole number"):
            texts.positions("t", limit)
        with pytest.raises(InputError, match="limit: expected None or a whole number"):
            texts.longest("t", limit=limit)
    for document in (-1, 1, 1.0, True):
        with pytest.raises(InputError, match="document: expected"):
            texts.text(document)
    for name in ("length", "at_least", "sample", "draws"):
        with pytest.raises(InputError, match=f"{name}: expected a whole number >= 1, got 0"):
            texts.repeated(**{"length": 1} | {name: 0})
    with pytest.raises(InputError, match="threads: expected"):
        texts.count_batch(["a"], threads=0)
    assert texts.count_batch([]).tolist() == []
    assert texts.longest("").lengths.tolist() == []
    assert repr(texts).endswith("1 documents, 4 units)")


def test_threads_ask_at_once(tmp_path: Path) -> None:
    index = CorpusIndex.build(["abracadabra" * 50] * 20, tmp_path / "index")
    found: list[list[int]] = []

    def ask() -> None:
        found.extend(
            [index.count("abra"), *index.count_batch(["cad", "x", "aa"], threads=2).tolist()]
            for _ in range(20)
        )

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[2000, 1000, 0, 980]] * 80
