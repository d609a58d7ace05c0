"""The copying task: unique sequences, validation apart, lengths as drawing into a set has them."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from copiers import small_task
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.onion import RepeatTask, Sequences
from pyfastlm.onion.drawing import any_sequence, unique
from pyfastlm.onion.sequences import keys


def as_tuples(data: Sequences) -> list[tuple[int, ...]]:
    return [tuple(row[:n].tolist()) for row, n in zip(data.tokens, data.lengths.tolist(), strict=True)]


def test_every_sequence_has_its_own_number() -> None:
    every = [s for n in range(4) for s in itertools.product(range(3), repeat=n)]
    tokens = np.array([[*s, *[2] * (4 - len(s))] for s in every])
    assert sorted(keys(tokens, np.array([len(s) for s in every]), 3)) == list(range(len(every)))


@settings(max_examples=30, deadline=None)
@given(
    symbols=st.integers(2, 5), shortest=st.integers(1, 2), more=st.integers(0, 2), seed=st.integers(0, 99),
    share=st.floats(0.05, 1.0), quota=st.integers(1, 30),
)  # fmt: skip
def test_drawing_many_at_a_time_is_drawing_into_a_set(
    symbols: int, shortest: int, more: int, seed: int, share: float, quota: int
) -> None:
    longest = shortest + more
    draw = any_sequence(symbols, shortest, longest)
    most = np.full(longest + 1, quota)
    exist = sum(min(symbols**n, quota) for n in range(shortest, longest + 1))
    n = max(1, int(exist * share))
    found, names = unique(
        draw, n, symbols, np.random.default_rng(seed), without=np.empty(0, np.int64), most=most, exist=True
    )

    rng = np.random.default_rng(seed)
    taken: dict[tuple[int, ...], None] = {}
    size = 4096  # of the first round, here enough
    tokens, lengths = draw(rng, size)
    for row, length in zip(tokens, lengths, strict=True):
        sequence = tuple(row[:length].tolist())
        if len(taken) < n and sequence not in taken and sum(len(s) == length for s in taken) < quota:
            taken[sequence] = None
    if len(taken) == n:
        assert as_tuples(found) == list(taken)
    assert len(set(as_tuples(found))) == n == len(set(names.tolist()))
    assert (np.sort(names) == names).all()


def test_train_and_validation_share_nothing_and_repeat_nothing() -> None:
    task = small_task()
    train, valid = as_tuples(task.train), as_tuples(task.valid)
    assert len(set(train)) == len(train) == 600
    assert len(set(valid)) == len(valid) == 64
    assert not set(train) & set(valid)
    assert task.train.tokens.dtype == task.train.lengths.dtype == torch.int64
    assert (task.train.tokens[~task.train.real] == 0).all()
    lengths = Counter(map(len, valid))
    assert all(lengths[n] <= 5**n // 5 for n in lengths)
    assert max(map(max, train)) == 4
    assert set(map(len, train)) == {1, 2, 3, 4}


def test_lengths_are_those_of_rejection_sampling_not_uniform() -> None:
    task = RepeatTask(10, 2, 5, n_train=20_000, n_valid=200, seed=3)
    count = torch.bincount(task.train.lengths)
    short = torch.bincount(task.valid.lengths)[2]
    assert count[2] == 100 - short  # all that are left
    assert 900 < count[3] + torch.bincount(task.valid.lengths)[3] <= 1000
    assert 0.4 < count[4] / count[5] < 0.8  # 10,000 of which a good part came twice


def test_the_paper_s_task_has_few_short_sequences() -> None:
    task = RepeatTask(n_train=100_000, n_valid=1000)
    count = torch.bincount(task.train.lengths)
    assert 0 < count[2] <= 900
    assert (task.train.lengths >= 4).float().mean() > 0.85
    assert abs(count[8] / count[9] - 1) < 0.1


def test_everything_there_is_can_be_asked_for_and_no_more() -> None:
    task = RepeatTask(3, 1, 3, n_train=33, n_valid=6)
    assert len(set(as_tuples(task.train)) | set(as_tuples(task.valid))) == 39
    with pytest.raises(InputError, match=r"n_train: expected at most 33"):
        RepeatTask(3, 1, 3, n_train=34, n_valid=6)
    with pytest.raises(InputError, match=r"n_valid: expected at most 6"):
        RepeatTask(3, 1, 3, n_train=10, n_valid=7)


@pytest.mark.parametrize(
    "wrong",
    [{"n_symbols": 1}, {"min_len": 0}, {"max_len": 0}, {"n_train": 0}, {"n_valid": 0}, {"seed": -1}],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))}: expected at least"):
        small_task(**wrong)


def test_sequences_too_many_to_number_are_refused() -> None:
    with pytest.raises(InputError, match="max_len: sequences of 20 of 30"):
        RepeatTask(max_len=20, n_train=10, n_valid=2)


def test_the_seed_decides() -> None:
    first, again, other = small_task(seed=1), small_task(seed=1), small_task(seed=2)
    assert torch.equal(first.train.tokens, again.train.tokens)
    assert not torch.equal(first.train.tokens, other.train.tokens)


def test_longer_sequences() -> None:
    found = small_task().longer(2, n=50)
    assert set(map(len, as_tuples(found))) == {6}
    assert len(set(as_tuples(found))) == 50


def test_sequences_without_repeats_are_new() -> None:
    task = RepeatTask(6, 1, 3, n_train=60, n_valid=4)
    found = as_tuples(task.no_repeats(20, 3))
    assert all(len(set(s)) == 3 for s in found)
    assert not set(found) & set(as_tuples(task.train))
    assert len(set(found)) == 20


@pytest.mark.parametrize("length", [3, 4, 5])
def test_one_symbol_three_times_and_its_control(length: int) -> None:
    task = small_task()
    thrice = as_tuples(task.three_times(2, length))
    assert all(sorted(Counter(s).values()) == [1] * (length - 3) + [3] for s in thrice)
    control = as_tuples(task.not_three_times(40, 4))
    assert all(max(Counter(s).values()) <= 2 for s in control)
    assert any(max(Counter(s).values()) == 2 for s in control)


def test_special_sets_that_do_not_exist_are_refused() -> None:
    task = small_task()
    for wrong in (
        lambda: task.no_repeats(121, 5),
        lambda: task.three_times(6, 3),
    ):
        with pytest.raises(InputError, match=r"n: expected at most \d+"):
            wrong()
    with pytest.raises(InputError, match="length: expected 1 to 5"):
        task.no_repeats(1, 6)
    with pytest.raises(InputError, match="length: expected 3 to 7"):
        task.three_times(1, 2)
    with pytest.raises(InputError, match="extra: expected at least 1"):
        task.longer(0)
    with pytest.raises(InputError, match="n: expected at least 1"):
        task.longer(1, n=0)


def test_batches_go_on_from_any_step() -> None:
    task = small_task()
    steps = list(itertools.islice(task.batches(32, seed=4), 40))
    for start in (0, 7, 18, 37):
        later = next(task.batches(32, seed=4, start_step=start))
        assert torch.equal(later.tokens, steps[start].tokens)
        assert torch.equal(later.lengths, steps[start].lengths)
    first, second = ([s for batch in steps[a:b] for s in as_tuples(batch)] for a, b in ((0, 18), (18, 36)))
    assert len(set(first)) == len(first) == 576  # none twice in a pass
    assert first != second
    assert not torch.equal(next(task.batches(32, seed=5)).tokens, steps[0].tokens)


def test_batches_refuse_wrong_numbers_at_once() -> None:
    task = small_task()
    for settings_, name in (((0, 0, 0), "batch_size"), ((601, 0, 0), "batch_size"), ((8, -1, 0), "seed")):
        with pytest.raises(InputError, match=name):
            task.batches(*settings_)
    with pytest.raises(InputError, match="start_step"):
        task.batches(8, 0, -1)
