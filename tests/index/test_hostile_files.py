"""Files of term indexes that were damaged: one clear error or the right answer, and nothing worse."""

import random
from pathlib import Path

import pytest
import terms as slow

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex

HEADER = 640  # 600 bytes, and zeros up to the first section
WORDS = ("a", "ab ", "a b", "b a d", "日 a", "b b ")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "whole"
    terms = slow.some_terms(2000, seed=1) | slow.some_phrases(1000, seed=1)
    TermIndex.build(terms.items(), path)
    return path


def put(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # some file systems wait for the disk where a file is overwritten
    path.write_bytes(data)


def ask(index: TermIndex) -> list[object]:
    found: list[object] = [index.complete(prefix, k) for prefix in ("", "a", "abc") for k in (3, 40)]
    found += [index.complete("abcd", max_edits=1), index.lookup("abcd"), index.score("ab"), len(index)]
    found.append(index.complete_batch(["a", "b", "日"]).strings())
    found += [index.complete(query, k, mode="conjunctive") for query in WORDS for k in (3, 40)]
    found += [index.complete(query, max_edits=1, mode="conjunctive") for query in WORDS]
    return found


def test_every_byte_of_the_header(whole: Path, tmp_path: Path) -> None:
    right = ask(TermIndex.open(whole))
    refused = 0
    for at in range(HEADER):
        data = bytearray(whole.read_bytes())
        data[at] ^= 1 << at % 8
        put(tmp_path / "x", data)
        try:
            assert ask(TermIndex.open(tmp_path / "x")) == right
        except InputError:
            refused += 1
    assert refused >= 600  # the rest is zeros that nobody reads


@pytest.mark.parametrize("verify", [True, False])
def test_damage_of_the_body(whole: Path, tmp_path: Path, verify: bool) -> None:
    """With checksums every answer is right or refused; without them it may be wrong, and no more."""
    right = ask(TermIndex.open(whole))
    rng = random.Random(verify)
    data = whole.read_bytes()
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 50])):
            at = rng.randrange(HEADER, len(damaged))
            damaged[at] = rng.randrange(256)
        put(tmp_path / "x", damaged)
        try:
            found = ask(TermIndex.open(tmp_path / "x", verify=verify, mmap=rng.random() < 0.5))
        except InputError:
            continue
        assert found == right or not verify


def test_every_kind_of_truncation(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(0)
    for size in (0, 1, 599, 600, 639, 640, len(data) - 1, *(rng.randrange(len(data)) for _ in range(50))):
        put(tmp_path / "x", data[:size])
        with pytest.raises(InputError, match=r"path: .* is not a whole term index: "):
            TermIndex.open(tmp_path / "x")
    put(tmp_path / "x", data + b"\0" * 64)
    with pytest.raises(InputError, match=r"of [0-9]+ bytes; [0-9]+ were written"):
        TermIndex.open(tmp_path / "x")


def test_other_files_are_named_for_what_they_are(whole: Path, tmp_path: Path) -> None:
    put(tmp_path / "x", b"PAR1" * 200)
    with pytest.raises(InputError, match="not the file of a term index"):
        TermIndex.open(tmp_path / "x")
    data = bytearray(whole.read_bytes())
    data[8] = 4
    put(tmp_path / "x", data)
    with pytest.raises(InputError, match="of format version 4; this library reads version 3"):
        TermIndex.open(tmp_path / "x")
