"""The toy: sums of directions that shrink from place to place can be read back."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.onion.vecsum import directions, read, store


@settings(max_examples=40, deadline=None)
@given(
    gamma=st.floats(0.05, 0.499), symbols=st.integers(1, 6), more=st.integers(0, 3), seed=st.integers(0, 9)
)
def test_everything_is_read_with_gamma_below_a_half(gamma: float, symbols: int, more: int, seed: int) -> None:
    length = 4
    embedding = directions(symbols, symbols + more, seed=seed)
    tokens = torch.tensor(list(itertools.product(range(symbols), repeat=length)))[:500]
    assert torch.equal(read(embedding, store(embedding, tokens, gamma), length, gamma), tokens)


def test_nine_places_of_thirty_symbols_with_the_paper_s_gamma() -> None:
    embedding = directions(30, 48)
    tokens = torch.randint(0, 30, (2000, 9), generator=torch.Generator().manual_seed(0))
    assert torch.equal(read(embedding, store(embedding, tokens), 9), tokens)


def test_above_a_half_later_tokens_can_outweigh() -> None:
    embedding = directions(2, 2)
    tokens = torch.tensor([[0, 1, 1, 1]])
    assert not torch.equal(read(embedding, store(embedding, tokens, 0.7), 4, 0.7), tokens)


def test_directions_are_orthogonal_where_they_can_be() -> None:
    torch.testing.assert_close(directions(5, 8) @ directions(5, 8).T, torch.eye(5).double())
    crowded = directions(9, 4)
    assert crowded.shape == (9, 4)
    torch.testing.assert_close(crowded.norm(dim=1), torch.ones(9).double())


def test_wrong_numbers_are_refused() -> None:
    embedding = directions(3, 3)
    for gamma in (0.0, 1.0, -1.0):
        with pytest.raises(InputError, match="gamma: expected a number between 0 and 1"):
            store(embedding, torch.zeros(1, 2).long(), gamma)
    with pytest.raises(InputError, match="n_symbols, size: expected at least 1"):
        directions(0, 3)
