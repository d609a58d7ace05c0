"""Files of corpus indexes that were damaged: one clear error or the right answer, and nothing worse."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.memorization import CorpusIndex
from pyfastlm.memorization.corpus import building
from pyfastlm.memorization.corpus.format import CHECKSUM, FIELDS, TEXT_OFFSET, checksum

PATTERNS = ("a", "ab", "abc", "bb", "x", "abcabcabcabc", "c" * 40)
DAMAGED = r"path: .* is not a whole corpus index: "


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three parts, of which one ends in a document."""
    rng = random.Random(0)
    documents = ["".join(rng.choices("abc", k=rng.randrange(1, 60))) for _ in range(20)] + ["ab" * 200]
    path = tmp_path_factory.mktemp("hostile") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "units_of_part", lambda *_: 400)
        assert CorpusIndex.build(documents, path).parts >= 3
    return path


def ask(index: CorpusIndex) -> list[object]:
    found: list[object] = [index.count(pattern) for pattern in PATTERNS]
    found.append(index.count_batch(PATTERNS, threads=2).tolist())
    for limit in (1, 5, None):
        places = index.positions("ab", limit)
        found += [places.documents.tolist(), places.offsets.tolist(), places.count]
    measured = index.longest("abcabxcba" * 3, threads=1)
    found += [measured.lengths.tolist(), measured.counts.tolist()]
    for prefix in ("", "a", "ca"):
        after = index.continuations(prefix)
        found += [after.units.tolist(), after.counts.tolist(), after.ends]
    found += [index.text(number) for number in range(index.documents)]
    often = index.repeated(3, sample=5, draws=300)
    return [*found, often.windows.tolist(), often.counts.tolist(), len(index), index.longest_pattern]


def test_every_byte_of_the_header(whole: Path, tmp_path: Path) -> None:
    right = ask(CorpusIndex.open(whole))
    good = whole.read_bytes()
    refused = 0
    for at in range(TEXT_OFFSET):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        (tmp_path / str(at)).write_bytes(data)
        try:
            assert ask(CorpusIndex.open(tmp_path / str(at))) == right
        except InputError:
            refused += 1
    assert refused >= FIELDS.size + CHECKSUM.size  # the rest is zeros that nobody reads


def answers(path: Path, data: bytes, *, verify: bool, mmap: bool) -> list[object] | None:
    """None where the file is refused, at once or when it is asked."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    try:
        return ask(CorpusIndex.open(path, verify=verify, mmap=mmap))
    except InputError:
        return None


PATCHES = st.sampled_from([b"\0", b"\xff", b"\1", b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"a"])


@given(places=st.lists(st.tuples(st.floats(0, 1), PATCHES), min_size=1, max_size=8), mmap=st.booleans())
@settings(max_examples=100, deadline=None)
def test_damage_of_the_body(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, places: Any, mmap: bool
) -> None:
    """With checksums every answer is right or refused; without them it may be wrong, and no more."""
    good = whole.read_bytes()
    damaged = bytearray(good)
    for share, patch in places:
        at = TEXT_OFFSET + int(share * (len(good) - TEXT_OFFSET - 8))
        damaged[at : at + len(patch)] = patch
    path = tmp_path_factory.getbasetemp() / "damaged"
    answers(path, damaged, verify=False, mmap=mmap)
    found = answers(path, damaged, verify=True, mmap=mmap)
    assert found is None or found == ask(CorpusIndex.open(whole))


def test_much_damage_of_the_body(whole: Path, tmp_path: Path) -> None:
    """Each section as often as any other; no checksum but that of the header is compared."""
    good = whole.read_bytes()
    sections = CorpusIndex.open(whole)._mapped.header.sections
    rng = random.Random(4)
    refused = 0
    for _ in range(400):
        damaged = bytearray(good)
        for _ in range(rng.choice([1, 1, 4, 40])):
            section = rng.choice(sections)
            damaged[section.offset + rng.randrange(section.size)] = rng.choice(
                [0, 1, 255, rng.randrange(256)]
            )
        refused += answers(tmp_path / "x", damaged, verify=False, mmap=rng.random() < 0.5) is None
    assert 100 < refused < 390


def test_headers_that_lie(whole: Path, tmp_path: Path) -> None:
    """The checksum of the header is right: whoever wrote it meant it."""
    right = ask(CorpusIndex.open(whole))
    good = whole.read_bytes()
    rng = random.Random(3)
    refused = 0
    fields = list(FIELDS.unpack_from(good))
    for number in range(3, len(fields)):
        for value in (0, 1, fields[number] + 1, fields[number] - 1, rng.getrandbits(31), (1 << 64) - 1):
            lie = [*fields]
            lie[number] = value % (1 << (32 if 9 <= number < 12 else 64))
            head = FIELDS.pack(*lie)
            head += CHECKSUM.pack(checksum(np.frombuffer(head, np.uint8)))
            (tmp_path / "x").unlink(missing_ok=True)
            (tmp_path / "x").write_bytes(head + good[len(head) :])
            for verify in (True, False):
                try:
                    if ask(CorpusIndex.open(tmp_path / "x", verify=verify)) == right:
                        continue
                except InputError:
                    refused += 1
    assert refused > 100


def test_suffixes_and_documents_that_point_nowhere(whole: Path, tmp_path: Path) -> None:
    index = CorpusIndex.open(whole)
    sections = index._mapped.header.sections
    good = whole.read_bytes()
    for name, number, asks in (
        ("suffixes", 3, lambda index: index.count("ab")),
        ("suffixes", 3, lambda index: index.positions("ab")),
        ("suffixes", 3, lambda index: index.longest("abc")),
        ("suffixes", 3, lambda index: index.continuations("")),
        ("starts", 1, lambda index: index.text(3)),
        ("starts", 1, lambda index: index.positions("ab")),
    ):
        place = sections[number]
        damaged = good[: place.offset] + b"\xff" * place.size + good[place.offset + place.size :]
        (tmp_path / "x").unlink(missing_ok=True)
        (tmp_path / "x").write_bytes(damaged)
        with pytest.raises(InputError, match=f"section {name} is damaged"):
            CorpusIndex.open(tmp_path / "x")
        with pytest.raises(InputError, match="the index is damaged"):
            asks(CorpusIndex.open(tmp_path / "x", verify=False))


def test_every_kind_of_truncation(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(0)
    for size in (
        0,
        1,
        TEXT_OFFSET - 1,
        TEXT_OFFSET,
        len(data) - 1,
        *(rng.randrange(len(data)) for _ in range(40)),
    ):
        path = tmp_path / str(size)
        path.write_bytes(data[:size])
        for mmap in (True, False):
            with pytest.raises(InputError, match=DAMAGED):
                CorpusIndex.open(path, verify=False, mmap=mmap)
    (tmp_path / "x").write_bytes(data + b"\0" * 64)
    with pytest.raises(InputError, match=r"of [0-9]+ bytes; [0-9]+ were written"):
        CorpusIndex.open(tmp_path / "x")


def test_other_files_are_named_for_what_they_are(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PAR1" * 300)
    with pytest.raises(InputError, match=DAMAGED + "not the file of a corpus index"):
        CorpusIndex.open(tmp_path / "x")
    with pytest.raises(InputError, match=DAMAGED + "not a regular file"):
        CorpusIndex.open(tmp_path)
    with pytest.raises(FileNotFoundError):
        CorpusIndex.open(tmp_path / "none")
    for at, value, what in ((8, 9, "of version 9; this library reads version 1"), (12, 1, "byte order")):
        data = bytearray(whole.read_bytes())
        data[at : at + 4] = value.to_bytes(4, "little")
        (tmp_path / f"y{at}").write_bytes(data)
        with pytest.raises(InputError, match=what):
            CorpusIndex.open(tmp_path / f"y{at}")
