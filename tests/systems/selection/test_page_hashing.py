"""Hashed words against one word at a time in plain Python."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.selection.filtering import hashing
from pyfastlm.selection.filtering.hashing import features, words_of
from pyfastlm.selection.filtering.one_line import one_line

WORDS = re.compile(
    rb"[\xe3-\xed][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"  # a character that is a word of its own
    rb"|[0-9A-Za-z\x80-\xe2\xee\xef]+|[^\x00-\x20\x7f0-9A-Za-z\x80-\xff]+"
)
SHAKESPEARE = Path(__file__).parents[4] / "shared/data/text/tiny_shakespeare.txt"
BASE, ROOM = 0x9E3779B97F4A7C15, 1 << 64
TEXTS = [
    "Hello, hello World...  42nd",
    "日本語のテキスト abc。 été",
    "😀x😀😀 y",
    "",
    " \n\t ",
    "a",
    "\x00a\x7fb",
    "中",
    "é中é한국어 кириллица",
]


def hashes(text: str) -> list[int]:
    return [
        sum((byte + 1) * pow(BASE, place, ROOM) for place, byte in enumerate(word.lower())) % ROOM
        for word in WORDS.findall(text.encode())
    ]


def mixed(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor % ROOM
    return value ^ value >> 33


def ids(text: str, buckets: int, seed: int) -> list[int]:
    words = [mixed((value + seed) % ROOM) for value in hashes(text)]
    pairs = [mixed((a * 0xC2B2AE3D27D4EB4F + b) % ROOM) for a, b in itertools.pairwise(words)]
    return [(value >> 32) * buckets >> 32 for value in words + pairs]


def of(found: hashing.Features, number: int) -> list[int]:
    return found.ids[found.starts[number] : found.starts[number + 1]].tolist()


@pytest.mark.parametrize("seed", [0, 7, 2**64 + 3])
def test_words_and_pairs_are_those_of_plain_python(seed: int) -> None:
    words, starts = words_of(TEXTS)
    found = features(TEXTS, buckets=1000, seed=seed)
    for number, text in enumerate(TEXTS):
        assert words[starts[number] : starts[number + 1]].tolist() == hashes(text)
        assert of(found, number) == ids(text, 1000, seed)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=40), max_size=6))
def test_any_texts(texts: list[str]) -> None:
    found = features(texts, buckets=1 << 20, seed=1)
    assert len(found.starts) == len(texts) + 1
    assert [of(found, number) for number in range(len(texts))] == [ids(text, 1 << 20, 1) for text in texts]


def test_long_texts_are_cut_at_spaces_only(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(f"w{i * i}" for i in range(2000)) + " " + "x" * 5000 + " end. of it"
    whole = features([text, "short one"], buckets=1 << 20, seed=0)
    monkeypatch.setattr(hashing, "PIECE_BYTES", 1000)
    pieces = features([text, "short one"], buckets=1 << 20, seed=0)
    assert pieces.ids.tolist() == whole.ids.tolist()
    assert pieces.starts.tolist() == whole.starts.tolist()
    assert of(whole, 0) == ids(text, 1 << 20, 0)


def test_a_text_without_a_space_may_be_longer_than_the_tables() -> None:
    text = "é" * (hashing.PIECE_BYTES + 5)
    assert of(features([text], buckets=97, seed=0), 0) == ids(text, 97, 0)


def test_real_text_and_its_buckets_are_even() -> None:
    if not SHAKESPEARE.exists():
        pytest.skip("../shared/data/text is not here")
    text = SHAKESPEARE.read_text("utf-8")
    texts = [text[place : place + 3000] for place in range(0, len(text), 3000)]
    found = features(texts, buckets=1 << 20, seed=0)
    for number in range(0, len(texts), 40):
        assert of(found, number) == ids(texts[number], 1 << 20, 0)
    counts = np.bincount(np.unique(found.ids) >> 16, minlength=16)
    assert counts.sum() > 100_000
    assert counts.min() > 0.95 * counts.max()


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.sampled_from(" \n\r\t\x0b\x0c\x00\x1c\x85\u2028ab_<>/s"), max_size=30))
def test_one_line_has_one_line(text: str) -> None:
    line = one_line(text)
    assert line.split() == line.split(" ") or not line
    assert not re.search(r"[\n\r\t\v\f\0]", line)
    assert one_line(line) == line


def test_one_line_cuts_what_is_no_word() -> None:
    line = one_line("a " + "x" * 2500 + " " + "y" * 1000)
    assert [len(word) for word in line.split(" ")] == [1, 1000, 1000, 500, 1000]
    assert one_line(line) == line


def test_one_line_takes_apart_what_fasttext_would_obey() -> None:
    line = one_line("x __label__include y\n__label____label__a </s> </s></s>")
    assert "__label__" not in line
    assert "</s>" not in line
    assert line.startswith("x __ label__include y ")
