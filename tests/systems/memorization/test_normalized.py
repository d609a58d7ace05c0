"""Lengths by words equal those of decoding every prompt to the end, as the reference does."""

import functools
import os.path
import re

import memorised
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_tokenizer

from pyfastlm.memorization import verbatim_lengths
from pyfastlm.memorization.metric.copying import is_copied, is_trivial
from pyfastlm.memorization.metric.texts import Rest, Texts, common_start, words

PREFIXES = (4, 16)
HORIZON = 20
in_common = os.path.commonprefix  # of characters, as the reference uses it
TAMPERED = memorised.TEXT[:260].replace(",", ";").replace("that", "that,").replace(" it ", "  it ")
"""Other signs and spaces than the model knows, and the same words."""


def normalized(text: str) -> str:
    return " ".join(re.findall(r"[A-Za-z0-9]+", text))


@pytest.mark.parametrize(
    "text", [memorised.TEXT[100:220], TAMPERED, "one two, " * 8], ids=["same", "signs", "copy"]
)
def test_equals_decoding_everything(knowing, text):
    tokenizer = knowing.tokenizer
    tokens = tokenizer(text).input_ids
    found = verbatim_lengths(knowing, tokens, PREFIXES, HORIZON, mode="normalized")
    exact = verbatim_lengths(knowing, tokens, PREFIXES, HORIZON)
    more = copied = 0
    for j, p in enumerate(PREFIXES):
        prompts = [tokens[i : i + p] for i in range(len(tokens) - p)]
        for i, out in enumerate(memorised.greedy(knowing.model, prompts, HORIZON)):
            output = tokenizer.decode(out[: len(tokens) - i - p])
            label = normalized(tokenizer.decode(tokens[i + p :]))
            common = in_common([normalized(output), label])
            length = len(tokenizer(common).input_ids)
            prompt = tokenizer.decode(prompts[i])
            copies = length > 5 and (common in prompt or output[:32] in prompt)
            if found.ties[i, j]:
                continue
            assert found.lengths[i, j] == length
            assert found.copied[i, j] == copies
            same = normalized(tokenizer.decode(tokens[i + p : i + p + exact.lengths[i, j]]))
            more += len(common) > len(same)
            copied += copies
    assert found.ties.mean() < 0.05
    if text is TAMPERED:
        assert more >= 20  # prompts where the words go on after the tokens


def test_limits_are_what_exact_reproduction_would_count(knowing, known):
    found = verbatim_lengths(knowing, known, (8,), 16, mode="normalized", starts=range(0, 180, 5))
    exact = verbatim_lengths(knowing, known, (8,), 16, starts=range(0, 180, 5))
    whole = exact.lengths == exact.limits
    assert whole.any()
    assert (found.lengths >= found.limits)[whole].all()
    assert ((found.limits < 0) == (exact.limits < 0)).all()
    assert found.rows("a")[0].mode == "normalized"


def test_what_is_copied_is_flagged_and_not_dropped(knowing):
    """A model that has seen a line twice may take it from the prompt."""
    lm = memorised.memorising_lm(memorised.TEXT[:80] * 3, steps=50)
    tokens = lm.tokenizer(memorised.TEXT[:80] * 2).input_ids
    found = verbatim_lengths(lm, tokens, (8, 40), 20)
    assert found.copied.any()
    copied = np.argwhere(found.copied).tolist()
    for i, j in copied:
        assert found.lengths[i, j] > 5
        p = found.prefix_lengths[j]
        text = lm.tokenizer.decode(tokens[i + p : i + p + found.lengths[i, j]])
        assert text[:32] in lm.tokenizer.decode(tokens[i : i + p])
    assert found.longest == found.lengths[~found.copied].max()
    assert len(found.rows("a")) == (found.limits > 0).sum()


def test_blank_runs_are_trivial():
    text = "    " * 12 + "\n"
    lm = memorised.memorising_lm(text * 4, steps=30)
    tokens = lm.tokenizer("x" + text).input_ids
    found = verbatim_lengths(lm, tokens, (1, 4), 16)
    assert (found.lengths > 3).any()
    assert found.trivial[found.lengths > 0].all()
    assert found.longest_varied == 0


@given(st.integers(0, 9), st.text("ab c", max_size=60), st.text("ab c", max_size=60))
def test_without_the_rest_of_an_output_copies_are_told_alike(length, prompt, output):
    """In mode ``token`` only what is reproduced is known of an output; that is enough for the rule."""
    for n in range(len(output) + 1):
        known = output[:n]
        assert is_copied(length, prompt, known, known) == is_copied(length, prompt, known, output)


def test_trivial():
    assert not is_trivial([], "")
    assert is_trivial([5, 6], " \n")
    assert is_trivial([5], " ")
    assert not is_trivial([5], "a")
    assert is_trivial([5, 5], "aa")
    assert not is_trivial([5, 6], "ab")


@given(st.text(max_size=40), st.text(max_size=40))
def test_words(a, b):
    assert words(a) == normalized(a)
    assert common_start(a, b) == in_common([a, b])


some_tokenizer = functools.cache(tiny_tokenizer)


@given(st.text(max_size=80), st.integers(1, 5), st.integers(0, 90))
def test_words_are_decoded_as_far_as_needed(text, first, characters):
    tokenizer = some_tokenizer()
    tokens = np.array(tokenizer(text).input_ids, np.int32)
    rest = Rest(Texts(tokenizer), tokens, first)
    whole = normalized(tokenizer.decode(tokens, clean_up_tokenization_spaces=False))
    got = rest.words(characters)
    assert whole.startswith(got)
    assert len(got) >= min(characters, len(whole))
