"""What sequences have in common at their start becomes one piece, read once."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from pyfastlm.lm.encoding import common_prefix
from pyfastlm.lm.packing import Piece
from pyfastlm.lm.windows import Window

# Attending to a separate prefix costs about as much as reading this many tokens again.
MIN_SHARED = 16


def share(windows: Sequence[Window], slots: Sequence[int]) -> list[Piece]:
    """Pieces of all windows; ``slots[i]`` is where the first target of window i goes, the others follow it.

    The pieces form a forest in depth-first order: the parents of a piece come before it, and the children
    of a piece come together. Prefixes shorter than ``MIN_SHARED`` tokens are not split off.
    """
    order = sorted(range(len(windows)), key=lambda i: windows[i].inputs.astype(">u4").tobytes())
    pieces: list[Piece] = []
    # (windows that agree up to `depth`, that depth, the pieces that cover it)
    open_groups: list[tuple[list[int], int, tuple[Piece, ...]]] = [(order, 0, ())] if order else []
    while open_groups:
        group, depth, parents = open_groups.pop()
        first, last = windows[group[0]].inputs, windows[group[-1]].inputs
        common = common_prefix(first, last)  # of the whole group, because it is sorted
        if common == len(last) or common - depth >= MIN_SHARED:
            piece = _piece(windows, slots, group, depth, common, parents)
            pieces.append(piece)
            parents, depth = (*parents, piece), common
        longer = [i for i in group if len(windows[i].inputs) > depth]
        heads = groupby(longer, key=lambda i: windows[i].inputs[depth : common + 1].tobytes())
        open_groups += reversed([(list(members), depth, parents) for _, members in heads])
    return pieces


def whole(window: Window, slot: int) -> Piece:
    """The piece of a window that shares nothing."""
    n = len(window.targets)
    rows = np.arange(len(window.inputs) - n, len(window.inputs))
    return Piece(window.inputs, rows, window.targets.astype(np.int64), np.arange(slot, slot + n))


def _piece(
    windows: Sequence[Window],
    slots: Sequence[int],
    group: Sequence[int],
    start: int,
    stop: int,
    parents: tuple[Piece, ...],
) -> Piece:
    """Tokens ``start:stop`` of the windows in ``group``, and all their targets that are predicted there."""
    rows, targets, places = [], [], []
    for i in group:
        window = windows[i]
        first = len(window.inputs) - len(window.targets)
        at = np.arange(max(start, first), stop)
        rows.append(at - start)
        targets.append(window.targets[at - first].astype(np.int64))
        places.append(slots[i] + at - first)
    return Piece(
        windows[group[0]].inputs[start:stop],
        np.concatenate(rows),
        np.concatenate(targets),
        np.concatenate(places),
        parents,
        start,
    )
