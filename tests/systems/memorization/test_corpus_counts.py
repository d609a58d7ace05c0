"""CorpusIndex against a scan: random and adversarial corpora, in one part and in many."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scanning
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.memorization import CorpusIndex
from pyfastlm.memorization.corpus import building

FEW = (0, 1, 97, 98, 254, 255)
DOCUMENTS = st.lists(st.lists(st.sampled_from(FEW), max_size=12), min_size=1, max_size=6).filter(any)
PATTERNS = st.lists(st.lists(st.sampled_from(FEW), min_size=1, max_size=14), max_size=6)


def all_answers(
    index: CorpusIndex, documents: Any, patterns: Any, *, across: bool, as_given: Any = list
) -> int:
    """Assert that all answers are those of a scan; returns how many patterns could be asked."""
    asked = 0
    longest = index.longest_pattern or 1 << 40
    fit = [pattern for pattern in patterns if len(pattern) <= longest]
    expected = [scanning.places(documents, pattern, across=across) for pattern in fit]
    assert index.count_batch([as_given(each) for each in fit], threads=1).tolist() == [*map(len, expected)]
    for pattern, places in zip(fit, expected, strict=True):
        assert index.count(as_given(pattern)) == len(places)
        found = index.positions(as_given(pattern), None)
        assert list(zip(found.documents.tolist(), found.offsets.tolist(), strict=True)) == places
        assert found.count == len(places)
        first = index.positions(as_given(pattern), 2)
        assert list(zip(first.documents.tolist(), first.offsets.tolist(), strict=True)) == places[:2]
        if len(pattern) < longest:
            after, ends = scanning.following(documents, pattern, across=across)
            found_after = index.continuations(as_given(pattern))
            assert dict(zip(found_after.units.tolist(), found_after.counts.tolist(), strict=True)) == after
            assert (found_after.ends, found_after.total) == (ends, len(places))
        measured = index.longest(as_given(pattern), threads=1)
        pairs = list(zip(measured.lengths.tolist(), measured.counts.tolist(), strict=True))
        assert pairs == scanning.longest(documents, pattern, measured.limit, across=across)
        asked += 1
    return asked


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("most", [None, 5, 23])
@given(documents=DOCUMENTS, patterns=PATTERNS, data=st.data())
@settings(max_examples=12, deadline=None)
def test_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    documents: Any,
    patterns: Any,
    data: Any,
    across: bool,
    most: Any,
) -> None:
    """``most`` units are sorted at a time: a document is then often longer than a part."""
    whole = [unit for document in documents for unit in document]
    for _ in range(4):
        begin = data.draw(st.integers(0, len(whole) - 1))
        patterns = [*patterns, whole[begin : begin + data.draw(st.integers(1, 10))]]
    path = tmp_path_factory.mktemp("corpus") / "index"
    with pytest.MonkeyPatch.context() as patch:
        if most:
            patch.setattr(building, "units_of_part", lambda *_: most)
        index = CorpusIndex.build(map(bytes, documents), path, across=across)
    assert (most is not None) or (index.parts, index.longest_pattern) == (1, None)
    assert (index.documents, len(index)) == (len(documents), len(whole))
    assert [index.text(i) for i in range(len(documents))] == [*map(bytes, documents)]
    all_answers(index, documents, patterns, across=across, as_given=bytes)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
@pytest.mark.parametrize("most", [None, 23])
def test_tokens(tmp_path: Path, dtype: str, across: bool, most: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids whose bytes are each other's, shifted: no match may begin in the middle of a token."""
    if most:
        monkeypatch.setattr(building, "units_of_part", lambda *_: most)
    ids = {
        "uint8": [0, 1, 2, 255],
        "uint16": [0, 1, 256, 257, 65535],
        "uint32": [0, 1, 256, 65537, 1 << 24, (1 << 32) - 2],
    }[dtype]
    asked = 0
    for seed in range(6):
        rng = random.Random(seed)
        documents = [rng.choices(ids[: 2 + seed % 5], k=rng.randrange(1, 14)) for _ in range(8)]
        patterns = [rng.choices([*ids, 7], k=rng.randrange(1, 6)) for _ in range(8)]
        patterns += [document[i : i + 4] for document in documents for i in (0, 3)]
        patterns = [pattern for pattern in patterns if pattern] + [[1 << 40], [1, 1 << 33]]
        index = CorpusIndex.build(documents, tmp_path / "index", dtype=dtype, across=across)
        assert [index.units(i).tolist() for i in range(8)] == documents
        assert index.units(0).dtype == dtype
        asked += all_answers(index, documents, patterns, across=across)
    assert asked > 50


@pytest.mark.parametrize("most", [None, 150])
def test_bytes_of_every_value(tmp_path: Path, most: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte is left to part documents: the text gets units of two bytes."""
    if most:
        monkeypatch.setattr(building, "units_of_part", lambda *_: most)
    documents = [bytes(range(256)), b"\xff\x00", b"\x00\xff\x00\xff\x00", b"", bytes([255])]
    index = CorpusIndex.build(documents, tmp_path / "index")
    patterns = [b"\xff\x00", b"\xff", b"\x00", b"\xfe\xff", b"\xff\xff", b"\x00\xff\x00", bytes(range(40))]
    assert all_answers(index, documents, patterns, across=False, as_given=bytes) >= 6
    assert [index.text(i) for i in range(5)] == documents


def test_tokens_of_every_value(tmp_path: Path) -> None:
    documents = [np.arange(1 << 16, dtype=np.uint16), np.array([65535, 0], np.uint16)]
    index = CorpusIndex.build(documents, tmp_path / "index", dtype="uint16")
    assert index.count([65535]) == 2
    assert index.count([65535, 0]) == 1
    assert index.count([65536]) == 0
    assert index.count([0]) == 2
    assert index.units(1).tolist() == [65535, 0]


def test_runs_of_one_letter(tmp_path: Path) -> None:
    index = CorpusIndex.build(["a" * 5000, "a" * 30 + "b"], tmp_path / "index")
    assert index.count("aaaa") == 4997 + 27
    assert index.count("a" * 5000) == 1
    assert index.count("a" * 5001) == 0
    assert index.count("a" * 30 + "b") == 1
    found = index.longest("a" * 5000)
    assert found.lengths.tolist() == [*range(5000, 0, -1)]
    assert found.counts[-1] == 5030
    limited = index.longest("a" * 100, limit=7)
    assert limited.lengths.tolist() == [7] * 94 + [6, 5, 4, 3, 2, 1]


def scan(documents: list[str], pattern: str) -> int:
    return sum(text.startswith(pattern, i) for text in documents for i in range(len(text)))


def test_a_corpus_in_parts_equals_one_in_one_part(tmp_path: Path) -> None:
    """Parts as the least memory makes them, and text that is not tiny."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdef", k=rng.randrange(1, 8))) for _ in range(300)]
    documents = [" ".join(rng.choices(words, k=rng.randrange(1, 600))) for _ in range(300)]
    one = CorpusIndex.build(documents, tmp_path / "one")
    many = CorpusIndex.build(documents, tmp_path / "many", memory=1 << 20)
    assert (one.parts, many.longest_pattern) == (1, None)
    assert many.parts >= 3
    patterns = [rng.choice(words)[: rng.randrange(1, 8)] or "a" for _ in range(300)]
    for text in rng.choices(documents, k=300):
        begin = rng.randrange(len(text))
        patterns.append(text[begin : begin + 30])
    assert one.count_batch(patterns, threads=2).tolist() == many.count_batch(patterns, threads=1).tolist()
    assert one.count_batch(patterns[:6]).tolist() == [scan(documents, pattern) for pattern in patterns[:6]]
    assert [one.count(each) for each in patterns] == [many.count(each) for each in patterns]
    query = "".join(patterns)
    a, b = one.longest(query, threads=1), many.longest(query, threads=2)
    assert (a.lengths.tolist(), a.counts.tolist()) == (b.lengths.tolist(), b.counts.tolist())
    for pattern in patterns[:40]:
        x, y = one.continuations(pattern), many.continuations(pattern)
        assert (x.units.tolist(), x.counts.tolist(), x.ends) == (y.units.tolist(), y.counts.tolist(), y.ends)
        u, v = one.positions(pattern, 50), many.positions(pattern, 50)
        assert (u.documents.tolist(), u.offsets.tolist()) == (v.documents.tolist(), v.offsets.tolist())


def test_a_document_longer_than_a_part(tmp_path: Path) -> None:
    rng = random.Random(1)
    text = "".join(rng.choices("ab", k=500_000))
    index = CorpusIndex.build([text], tmp_path / "index", memory=1 << 20)
    assert index.parts > 2
    longest = index.longest_pattern
    assert longest is not None
    assert 10_000 < longest < 200_000
    for begin in range(100_000, 400_000, 7001):
        assert index.count(text[begin : begin + longest]) == 1
    assert index.count("abab") == sum(text.startswith("abab", i) for i in range(len(text)))
    for call in (index.count, index.positions, lambda p: index.count_batch([p]), index.continuations):
        with pytest.raises(InputError, match="a document is longer than the parts"):
            call(text[: longest + 1])
    with pytest.raises(InputError, match="prefix and what follows: expected at most"):
        index.continuations(text[:longest])
    with pytest.raises(InputError, match="limit: expected at most"):
        index.longest("ab", limit=longest + 1)


def test_repeated_windows_come_evenly(tmp_path: Path) -> None:
    documents = ["abcd", "abcd", "abcdxy", "xyz", "q" * 50, "unique"]
    index = CorpusIndex.build(documents, tmp_path / "index")
    expected = Counter(text[i : i + 2] for text in documents for i in range(len(text) - 1))
    often = {window: count for window, count in expected.items() if count >= 2}
    found = index.repeated(2, sample=100, draws=20_000)
    names = [bytes(window).decode() for window in found.windows]
    assert dict(zip(names, found.counts.tolist(), strict=True)) == often
    assert found.share == pytest.approx(sum(often.values()) / sum(expected.values()), abs=0.02)
    for name, document, offset in zip(names, found.documents, found.offsets, strict=True):
        assert documents[document][offset : offset + 2] == name
    # The first of each sample: every window as likely as any other, also that which comes 49 times.
    first = Counter(
        bytes(index.repeated(2, sample=1, seed=seed, draws=500).windows[0]).decode() for seed in range(300)
    )
    assert set(first) == set(often)
    assert max(first.values()) < 2 * 300 / len(often)
    again = index.repeated(2, sample=3, seed=5, draws=20_000)
    assert again.windows.tolist() == index.repeated(2, sample=3, seed=5, draws=20_000).windows.tolist()
    none = index.repeated(2, at_least=100, draws=1000)
    assert (none.windows.shape, none.share, none.drawn) == ((0, 2), 0.0, 1000)
    assert index.repeated(1000).drawn == 0
