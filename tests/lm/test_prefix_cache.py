"""The radix tree against a list of everything that was put in."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.lm.growing import Keys
from pyfastlm.lm.prefix_cache import PrefixCache

LAYERS = 2
sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)


def made(tokens: list[int]) -> Keys:
    """Keys whose values tell which tokens came before: each is a number for the whole start."""
    keys = Keys()
    marks = [float(hash(tuple(tokens[: n + 1])) % 10_007) for n in range(len(tokens))]
    values = torch.tensor(marks)[None, None, :, None]
    keys.extend(tokens, {layer: (values + layer, values - layer) for layer in range(LAYERS)})
    return keys


def array(tokens: list[int]) -> np.ndarray:
    return np.array(tokens, np.int32)


def same(some: Keys, other: Keys) -> bool:
    n = len(some.tokens)
    pairs = zip(some.part(0, n).values(), other.part(0, n).values(), strict=True)
    return some.tokens == other.tokens[:n] and all(
        torch.equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True)
    )


def longest(known: list[list[int]], tokens: list[int]) -> int:
    starts = {tuple(each[:n]) for each in known for n in range(len(each) + 1)}
    return max(n for n in range(len(tokens) + 1) if tuple(tokens[:n]) in starts)


@given(sequences, sequences)
def test_the_longest_known_start_with_its_own_keys(put: list[list[int]], asked: list[list[int]]) -> None:
    cache = PrefixCache(10_000)
    for tokens in put:
        cache.insert("a", made(tokens), len(tokens))
    distinct = {tuple(each[: n + 1]) for each in put for n in range(len(each))}
    assert cache.size == len(distinct)
    for tokens in asked:
        keys = Keys()
        count = cache.restore("a", array(tokens), keys)
        assert count == cache.known("a", array(tokens)) == longest(put, tokens) == len(keys.tokens)
        if count:
            assert same(keys, made(tokens))
        assert cache.restore("b", array(tokens), Keys()) == 0


@settings(max_examples=60)
@given(sequences, st.integers(0, 20))
def test_never_more_than_the_capacity_and_never_wrong(put: list[list[int]], capacity: int) -> None:
    cache = PrefixCache(capacity)
    for tokens in put:
        keys = Keys()
        if count := cache.restore("a", array(tokens), keys):
            assert same(keys, made(tokens))
        assert count <= len(tokens)
        cache.insert("a", made(tokens), len(tokens))
        assert cache.size <= capacity
        if len(tokens) <= capacity:
            assert cache.known("a", array(tokens)) == len(tokens)


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = PrefixCache(10)
    for tokens in ([1, 1, 1, 1], [2, 2, 2, 2]):
        cache.insert("a", made(tokens), 4)
    cache.known("a", array([1, 1, 1, 1]))
    cache.insert("a", made([3, 3, 3, 3]), 4)
    assert [cache.known("a", array([n] * 4)) for n in (1, 2, 3)] == [4, 0, 4]


def test_clear() -> None:
    cache = PrefixCache(10)
    cache.insert("a", made([1, 2]), 2)
    cache.clear()
    assert cache.size == cache.known("a", array([1, 2])) == 0
