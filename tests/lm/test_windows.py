import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.lm.windows import conditional, rolling

TOKENS = st.lists(st.integers(0, 50_000), max_size=60)
PREFIX = 1


def array(tokens: list[int]) -> np.ndarray:
    return np.array(tokens, np.int32)


@given(TOKENS, st.integers(1, 25))
def test_rolling_is_the_harness_s(tokens, max_length):
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    expected = [
        ([*context, *targets][-(max_length + 1) : -1], list(targets))
        for context, targets in map(
            make_disjoint_window,
            get_rolling_token_windows(
                token_list=tokens, prefix_token=PREFIX, max_seq_len=max_length, context_len=1
            ),
        )
    ]
    got = [(w.inputs.tolist(), w.targets.tolist()) for w in rolling(array(tokens), PREFIX, max_length)]
    assert got == expected


@given(TOKENS, st.integers(1, 25))
def test_rolling_predicts_each_token_once(tokens, max_length):
    windows = list(rolling(array(tokens), PREFIX, max_length))
    assert [t for w in windows for t in w.targets.tolist()] == tokens
    assert len(windows) == -(-len(tokens) // max_length)
    for window in windows:
        assert len(window.targets) <= len(window.inputs) <= max_length


def test_the_last_window_reaches_back():
    *_, last = rolling(array(list(range(10, 21))), PREFIX, 4)
    assert last.inputs.tolist() == [16, 17, 18, 19]
    assert last.targets.tolist() == [18, 19, 20]


def test_conditional_loses_the_left_end_of_the_context():
    window = conditional(array([5, 6, 7, 8]), array([9, 10]), 3)
    assert window.inputs.tolist() == [7, 8, 9]
    assert window.targets.tolist() == [9, 10]


def test_conditional_refuses_a_continuation_that_does_not_fit():
    with pytest.raises(InputError, match="at most 3 tokens, got 4"):
        conditional(array([1]), array([2, 3, 4, 5]), 3)
