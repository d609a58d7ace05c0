"""Sharing rearranges the work; every window must still be covered exactly."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.lm.packing import Piece, batches, release
from pyfastlm.lm.prefix import MIN_SHARED, share, whole
from pyfastlm.lm.windows import Window


@st.composite
def windows(draw: st.DrawFn) -> list[Window]:
    """Windows cut from a few stems, so that prefixes of every length, also whole windows, coincide."""
    stems = draw(st.lists(st.lists(st.integers(0, 3), min_size=40, max_size=60), min_size=1, max_size=3))
    made = []
    for _ in range(draw(st.integers(1, 12))):
        stem = draw(st.sampled_from(stems))[: draw(st.integers(1, 60))]
        inputs = [*stem, *draw(st.lists(st.integers(0, 3), max_size=5))]
        count = draw(st.integers(1, len(inputs)))
        targets = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
        made.append(Window(np.array(inputs, np.int32), np.array(targets, np.int32)))
    return made


def starts_of(windows: list[Window]) -> list[int]:
    return np.cumsum([0, *(len(w.targets) for w in windows)])[:-1].tolist()


def sequence(piece: Piece) -> list[int]:
    return np.concatenate([p.tokens for p in (*piece.parents, piece)]).tolist()


@given(windows())
def test_every_target_is_predicted_once_from_its_own_past(windows):
    pieces = share(windows, starts_of(windows))
    total = sum(len(w.targets) for w in windows)
    seen = {}
    for piece in pieces:
        assert piece.start == sum(len(parent.tokens) for parent in piece.parents)
        whole_sequence = sequence(piece)
        for row, target, slot in zip(piece.rows, piece.targets, piece.slots, strict=True):
            assert 0 <= row < len(piece.tokens)
            assert slot not in seen
            seen[slot] = (whole_sequence[: piece.start + row + 1], target)
    assert set(seen) == set(range(total))
    for window, start in zip(windows, starts_of(windows), strict=True):
        first = len(window.inputs) - len(window.targets)
        for j, target in enumerate(window.targets):
            assert seen[start + j] == (window.inputs[: first + j + 1].tolist(), target)


@given(windows())
def test_no_long_prefix_is_read_twice(windows):
    starts: dict[tuple[tuple[int, ...], bytes], Piece] = {}
    for piece in share(windows, starts_of(windows)):
        head = piece.tokens[:MIN_SHARED]
        if len(head) == MIN_SHARED:
            assert starts.setdefault((tuple(map(id, piece.parents)), head.tobytes()), piece) is piece


@given(windows(), st.integers(1, 80))
def test_parents_come_first_and_are_kept_exactly_as_long_as_needed(windows, budget):
    """Plays the loop of the scorer with tokens in the place of keys."""
    held = ()
    stream = [*batches(share(windows, starts_of(windows)), budget), None]
    for batch, following in pairwise(stream):
        assert len(batch) == 1 or sum(len(p.tokens) for p in batch) <= budget
        later = following[0].parents if following else ()
        for piece in batch:
            assert all(parent in batch or parent in held for parent in piece.parents)
        release(batch, held, later)
        held = later


def test_release_keeps_copies_for_later_only():
    import torch

    keys = torch.arange(12.0).reshape(1, 1, 6, 2)
    first, second, old = (Piece(np.arange(3)) for _ in range(3))
    first.kept[0] = keys[:, :, :3], keys[:, :, :3]
    second.kept[0] = keys[:, :, 3:], keys[:, :, 3:]
    old.kept[0] = keys, keys
    release([first, second], [old], [second])
    assert not first.kept
    assert not old.kept
    kept, _ = second.kept[0]
    assert torch.equal(kept, keys[:, :, 3:])
    assert kept.untyped_storage().nbytes() == kept.nbytes


def test_a_context_with_many_continuations_is_one_piece():
    context = np.arange(100, dtype=np.int32)
    asked = [Window(np.append(context, n).astype(np.int32), np.array([n, 5])) for n in range(20)]
    pieces = share(asked, list(range(0, 40, 2)))
    assert [len(p.tokens) for p in pieces] == [100] + 20 * [1]
    assert sorted(pieces[0].targets.tolist()) == list(range(20))


@pytest.mark.parametrize(("common", "pieces"), [(MIN_SHARED - 1, 2), (MIN_SHARED, 3)])
def test_short_prefixes_are_not_split_off(common, pieces):
    rows = [np.arange(common + 5, dtype=np.int32) for _ in range(2)]
    rows[1][common] = 77
    asked = [Window(row, row[-1:]) for row in rows]
    assert len(share(asked, [0, 1])) == pieces


def test_nothing_to_share():
    assert share([], []) == []


def test_whole_predicts_at_the_end():
    piece = whole(Window(np.array([1, 2, 3], np.int32), np.array([8, 9], np.int32)), 7)
    assert piece.rows.tolist() == [1, 2]
    assert piece.targets.tolist() == [8, 9]
    assert piece.slots.tolist() == [7, 8]
