"""A byte is its value plus 3, and what cannot be a byte says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.mrt5.vocabulary import EOS, FIRST_SENTINEL, OFFSET, PAD, UNK, decode, encode, utf8


def test_ids_by_hand() -> None:
    # As ByT5's tokenizer: "hi" is 107, 108, then EOS.
    assert encode("hi").tolist() == [107, 108, 1]
    assert encode("é").tolist() == [0xC3 + 3, 0xA9 + 3, 1]
    assert encode("").tolist() == [EOS]
    assert encode(b"\x00\xff").tolist() == [3, FIRST_SENTINEL, 1]
    assert encode("a").dtype == np.int64


@given(st.text())
def test_round_trip(text: str) -> None:
    assert decode(encode(text)) == text
    assert len(encode(text)) == len(text.encode()) + 1


@given(st.binary(), st.integers(1, 20))
def test_max_length_cuts_the_text_and_keeps_eos(data: bytes, most: int) -> None:
    ids = encode(data, max_length=most)
    assert len(ids) == min(len(data) + 1, most)
    assert ids[-1] == EOS
    assert (ids[:-1] - OFFSET).astype(np.uint8).tobytes() == data[: most - 1]


def test_decode_leaves_out_what_is_no_byte() -> None:
    assert decode([PAD, EOS, UNK, 259, 383, -100, 107]) == "h"
    assert decode([FIRST_SENTINEL, FIRST_SENTINEL - 1, 107]) == "h"  # 0xFF and 0xFE never occur in UTF-8
    assert decode([0xC3 + 3, 107], errors="replace") == "\ufffdh"
    assert decode([]) == ""


def test_mistakes() -> None:
    with pytest.raises(InputError, match="max_length: expected at least 1, got 0"):
        encode("a", max_length=0)
    with pytest.raises(InputError, match="text: lone surrogate at character 1"):
        utf8("a\ud800")
