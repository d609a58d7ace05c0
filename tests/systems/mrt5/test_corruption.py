"""Span corruption: nothing of a window is lost, and its spans are distributed as T5's."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.mrt5.corruption import SpanCorruption
from pyfastlm.mrt5.vocabulary import EOS, FIRST_SENTINEL, OFFSET, encode

ASCII_END = 128 + OFFSET  # windows of ASCII hold no id of a sentinel


def window(corruption: SpanCorruption, seed: int, rows: int = 1) -> Any:
    return np.random.default_rng(seed).integers(OFFSET, ASCII_END, (rows, corruption.expanded_length))


def spans(ids: list[int], n_spans: int) -> list[list[int]]:
    """What follows each sentinel; the first list is what precedes all of them."""
    found: list[list[int]] = [[]]
    for value in ids:
        if value == FIRST_SENTINEL - len(found) + 1 and len(found) <= n_spans:
            found.append([])
        else:
            found[-1].append(value)
    return found


def rebuilt(input_ids: list[int], labels: list[int], n_spans: int) -> list[int]:
    """The window again: each sentinel of the input replaced by what the labels say of it."""
    assert input_ids[-1] == labels[-1] == EOS
    kept, noise = spans(input_ids[:-1], n_spans), spans(labels[:-1], n_spans)
    assert noise[0] == []
    assert len(kept) == len(noise) == n_spans + 1
    return [*kept[0], *(value for i in range(1, n_spans + 1) for value in (*noise[i], *kept[i]))]


def test_lengths_of_mrt5() -> None:
    corruption = SpanCorruption()
    assert (corruption.expanded_length, corruption.input_length, corruption.target_length) == (
        1193,
        1024,
        189,
    )
    assert (corruption.n_noise, corruption.n_spans) == (179, 9)
    input_ids, labels = corruption.corrupt(window(corruption, 0, rows=3), 0, [0, 1, 2])
    assert (input_ids.shape, labels.shape) == ((3, 1024), (3, 189))
    assert input_ids.dtype == labels.dtype == np.int64


@settings(max_examples=150)
@given(
    length=st.integers(3, 200),
    density=st.floats(0.01, 0.6),
    mean=st.floats(1, 30),
    seed=st.integers(0, 2**31),
    index=st.integers(0, 10**9),
)
def test_nothing_is_lost(length: int, density: float, mean: float, seed: int, index: int) -> None:
    try:
        corruption = SpanCorruption(
            input_length=length, noise_density=density, mean_span_length=mean, seed=seed
        )
    except InputError:
        return  # no number of bytes gives that length, or too many spans: has tests of its own
    given_ids = window(corruption, seed)
    input_ids, labels = corruption.corrupt(given_ids, 1, [index])
    assert input_ids.shape == (1, corruption.input_length)
    assert labels.shape == (1, corruption.target_length)
    again = rebuilt(input_ids[0].tolist(), labels[0].tolist(), corruption.n_spans)
    assert again == given_ids[0].tolist()


def test_epoch_index_and_seed_decide_and_nothing_else() -> None:
    shape: dict[str, Any] = {"input_length": 128, "mean_span_length": 5}
    corruption = SpanCorruption(**shape)
    rows = window(corruption, 1, rows=4)
    input_ids, labels = corruption.corrupt(rows, 2, [5, 6, 7, 8])
    for row in (2, 0, 3):  # another order, another batch
        alone = SpanCorruption(**shape).corrupt(rows[row : row + 1], 2, [5 + row])
        assert (alone[0][0] == input_ids[row]).all()
        assert (alone[1][0] == labels[row]).all()
    for other in (
        corruption.corrupt(rows, 3, [5, 6, 7, 8]),
        corruption.corrupt(rows, 2, [9, 10, 11, 12]),
        SpanCorruption(**shape, seed=1).corrupt(rows, 2, [5, 6, 7, 8]),
    ):
        assert (other[0] != input_ids).any(axis=1).all()


def t5_mask(rng: np.random.Generator, length: int, n_noise: int, n_spans: int) -> Iterator[int]:
    """Lengths of the noise spans as T5's ``random_spans_noise_mask`` draws them, written from its text:
    of n - 1 places between n items, parts - 1 chosen by a shuffle begin a new segment."""

    def segmentation(items: int, parts: int) -> list[int]:
        begins = np.arange(items - 1) < parts - 1
        rng.shuffle(begins)
        segment = np.cumsum(np.concatenate([[0], begins]))
        return np.bincount(segment, minlength=parts).tolist()  # type: ignore[no-any-return]

    noise, kept = segmentation(n_noise, n_spans), segmentation(length - n_noise, n_spans)
    assert sum(noise) + sum(kept) == length
    yield from noise
    yield from kept


def test_span_lengths_are_distributed_as_in_t5() -> None:
    corruption, draws = SpanCorruption(input_length=512), 1000
    n_noise, n_spans = corruption.n_noise, corruption.n_spans
    rng = np.random.default_rng(11)
    theirs = np.array(
        [list(t5_mask(rng, corruption.expanded_length, n_noise, n_spans)) for _ in range(draws)]
    )
    rows = window(corruption, 0, rows=draws)
    input_ids, labels = corruption.corrupt(rows, 0, range(draws))
    ours = np.array(
        [
            [len(span) for span in spans(row_labels[:-1], n_spans)[1:]]
            + [len(span) for span in spans(row_ids[:-1], n_spans)[:-1]]
            for row_ids, row_labels in zip(input_ids.tolist(), labels.tolist(), strict=True)
        ]
    )
    assert ours.shape == theirs.shape
    assert (ours >= 1).all()
    assert (ours[:, :n_spans].sum(axis=1) == n_noise).all()
    # Each place of each kind has the same mean and spread, within 4 standard errors.
    error = theirs.std(axis=0) * np.sqrt(2 / draws)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error).all()
    assert (np.abs(ours.std(axis=0) / theirs.std(axis=0) - 1) < 0.15).all()
    # The whole distribution of one place: Kolmogorov-Smirnov at about 1 in 10,000.
    grid = np.arange(1, n_noise + 1)
    gap = np.abs((ours[:, :1] <= grid).mean(axis=0) - (theirs[:, :1] <= grid).mean(axis=0)).max()
    assert gap < 2.2 * np.sqrt(2 / draws)


def test_as_many_spans_as_there_are_sentinels() -> None:
    corruption = SpanCorruption(input_length=854, mean_span_length=1)
    assert corruption.n_spans == 128
    rows = window(corruption, 3, rows=2)
    for row, input_ids, labels in zip(rows, *corruption.corrupt(rows, 0, [0, 1]), strict=True):
        assert rebuilt(input_ids.tolist(), labels.tolist(), 128) == row.tolist()


def test_an_empty_batch() -> None:
    corruption = SpanCorruption(input_length=16)
    input_ids, labels = corruption.corrupt(window(corruption, 0, rows=0), 0, [])
    assert input_ids.shape == (0, 16)
    assert labels.shape == (0, corruption.target_length)


def test_the_end_of_a_window_is_always_noise() -> None:
    """So T5 has it: a kept span comes first, a replaced one last. With one span nothing is left to draw."""
    corruption = SpanCorruption(input_length=128)
    assert corruption.n_spans == 1
    rows = window(corruption, 0)
    input_ids, _ = corruption.corrupt(rows, 0, [0])
    kept = corruption.expanded_length - corruption.n_noise
    assert input_ids[0].tolist() == [*rows[0, :kept].tolist(), FIRST_SENTINEL, EOS]


def test_pack_joins_texts_and_drops_the_rest() -> None:
    corruption = SpanCorruption(input_length=16)
    size = corruption.expanded_length
    texts = ["añb", b"\x00\xff", "", "x" * (2 * size)]
    joined = np.concatenate([encode(text) for text in texts])
    windows = corruption.pack(iter(texts))
    assert windows.dtype == np.uint16
    assert windows.tolist() == joined[: len(joined) // size * size].reshape(-1, size).tolist()
    assert corruption.pack([]).shape == (0, size)
    assert corruption.pack(["x" * (size - 2)]).shape == (0, size)
    assert corruption.pack(["x" * (size - 1)]).shape == (1, size)


def test_data_never_mixes_languages() -> None:
    corruption = SpanCorruption(input_length=32, mean_span_length=2)
    size = corruption.expanded_length
    data = corruption.data({"en": ["a" * size * 2], "de": ["b" * size]})
    assert list(data.languages) == ["en", "en", "de"]
    assert len(data) == 3
    (german,) = data.examples(0, [2])
    assert german.language == "de"
    letters = {value for value in german.input_ids.tolist() if value < 200 and value != EOS}
    assert letters == {ord("b") + OFFSET}
    one, two = data.examples(4, [1, 0])
    assert (one.input_ids == data.examples(4, [1])[0].input_ids).all()
    assert (one.input_ids != two.input_ids).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_density": 0}, "noise_density: expected more than 0"),
        ({"noise_density": 1}, "noise_density: .* less than 1, got 1"),
        ({"noise_density": float("nan")}, "noise_density"),
        ({"mean_span_length": 0.5}, "mean_span_length: expected at least 1, got 0.5"),
        ({"mean_span_length": float("inf")}, "mean_span_length"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
        ({"input_length": 2}, "input_length: expected 3 or more"),
        ({"input_length": 8192}, "mean_span_length: .* sentinels that are ASCII|input_length: no number"),
        ({"input_length": 4096, "mean_span_length": 1}, "mean_span_length: .* at most 128"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    settings_: dict[str, Any] = {"mean_span_length": 5.0} | changes
    with pytest.raises(InputError, match=message):
        SpanCorruption(**settings_)


def test_mistakes_in_data() -> None:
    corruption = SpanCorruption(input_length=16)
    size = corruption.expanded_length
    with pytest.raises(InputError, match=rf"windows: expected \[B, {size}\], got shape \[1, 5\]"):
        corruption.corrupt(np.zeros((1, 5), np.int64), 0, [0])
    with pytest.raises(InputError, match="indices: expected 1, got 2"):
        corruption.corrupt(window(corruption, 0), 0, [0, 1])
    with pytest.raises(InputError, match="texts: 'de' has less than one window"):
        corruption.data({"en": ["a" * 99], "de": ["b"]})
    with pytest.raises(InputError, match="texts: expected at least one language"):
        corruption.data({})
