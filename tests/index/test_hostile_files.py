"""Files of term indexes that were damaged: one clear error or the right answer, and nothing worse."""

import random
from pathlib import Path

import pytest
import terms as slow

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex

HEADER = 1024  # 1008 bytes, and zeros up to the first section
WORDS = ("a", "ab ", "a b", "b a d", "日 a", "b b ")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "whole"
    terms = slow.some_terms(2000, seed=1) | slow.some_phrases(1000, seed=1)
    TermIndex.build(terms.items(), path)
    return path


@pytest.fixture(scope="module")
def resembling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "resembling"
    terms = slow.some_terms(250, seed=2) | slow.some_phrases(120, seed=2)
    TermIndex.build(terms.items(), path, similar=True)
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


def ask_similar(index: TermIndex, rng: random.Random) -> list[object]:
    texts = ["a", "abc", "日a b", "abcdabcda", "ab b é", "a" * 70, *("".join(rng.choices("abcd ", k=6)),) * 2]
    found: list[object] = [index.similar(text, words=words) for text in texts for words in (False, True)]
    return [*found, index.similar_batch(texts, 3, words=True, threads=2)]


@pytest.mark.parametrize("similar", [False, True])
def test_every_byte_of_the_header(whole: Path, resembling: Path, tmp_path: Path, similar: bool) -> None:
    good = resembling if similar else whole

    def answers(path: Path) -> list[object]:
        index = TermIndex.open(path)
        return ask_similar(index, random.Random(0)) if similar else ask(index)

    right = answers(good)
    refused = 0
    for at in range(HEADER):
        data = bytearray(good.read_bytes())
        data[at] ^= 1 << at % 8
        put(tmp_path / "x", data)
        try:
            assert answers(tmp_path / "x") == right
        except InputError:
            refused += 1
    assert refused >= 1008  # the rest is zeros that nobody reads


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


def test_damage_where_similar_terms_are_looked_for(resembling: Path, tmp_path: Path) -> None:
    """Each section as often as any other; of the checksums only that of the header is compared."""
    rng = random.Random(3)
    data = resembling.read_bytes()
    sections, at = [], HEADER
    for size in TermIndex.open(resembling).parts.values():
        if size > 0:
            sections.append((at, size))
        at += -(-size // 64) * 64
    assert at == len(data)
    refused = answered = 0
    for _ in range(2400):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 4, 40])):
            begin, size = rng.choice(sections)
            damaged[begin + rng.randrange(size)] = rng.choice([0, 1, 255, rng.randrange(256)])
        put(tmp_path / "x", damaged)
        try:
            index = TermIndex.open(tmp_path / "x", verify=False, mmap=rng.random() < 0.5)
            if rng.random() < 0.2:
                index.remove("ab")
                index.add("ab ba", rng.random())
            ask_similar(index, rng)
            answered += 1
        except (InputError, KeyError):
            refused += 1
    assert min(refused, answered) > 300
    for _ in range(50):
        put(tmp_path / "x", data[: rng.randrange(len(data))])
        with pytest.raises(InputError, match=r"path: .* is not a whole term index: "):
            TermIndex.open(tmp_path / "x", verify=False)


def test_every_kind_of_truncation(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(0)
    for size in (0, 1, 1007, 1008, 1023, 1024, len(data) - 1, *(rng.randrange(len(data)) for _ in range(50))):
        put(tmp_path / "x", data[:size])
        with pytest.raises(InputError, match=r"path: .* is not a whole term index: "):
            TermIndex.open(tmp_path / "x")
    put(tmp_path / "x", data + b"\0" * 64)
    with pytest.raises(InputError, match=r"of [0-9]+ bytes; [0-9]+ were written"):
        TermIndex.open(tmp_path / "x")


def test_other_files_are_named_for_what_they_are(whole: Path, tmp_path: Path) -> None:
    put(tmp_path / "x", b"PAR1" * 300)
    with pytest.raises(InputError, match="not the file of a term index"):
        TermIndex.open(tmp_path / "x")
    data = bytearray(whole.read_bytes())
    data[8] = 5
    put(tmp_path / "x", data)
    with pytest.raises(InputError, match="of format version 5; this library reads version 4"):
        TermIndex.open(tmp_path / "x")
