"""Which block of which packed sequence a program works on, without a wait for the device."""

import triton
import triton.language as tl

SEARCH = tl.constexpr(128)  # sequences that are looked at together


def slots(rows: int, sequences: int, block: int) -> int:
    """Programs that ``sequences`` need, each with ``block`` of all ``rows``, whatever their lengths."""
    return rows // block + sequences


@triton.jit
def _locate(slot, starts_ptr, n_sequences, BLOCK: tl.constexpr):
    """Sequence of a slot, first row of its block, first and past-the-end row of the sequence.

    Sequence b that starts with row s has the slots from s // BLOCK + b on: always as many as it has blocks,
    sometimes one more, whose first row lies past the end. (The rule of vLLM's unified attention kernel;
    counting replaces its binary search, whose loads wait for each other.)
    """
    sequence = -1
    for first in range(0, n_sequences, SEARCH):
        ids = first + tl.arange(0, SEARCH)
        inside = ids < n_sequences
        starts = tl.load(starts_ptr + ids, mask=inside, other=0)
        sequence += tl.sum((inside & (starts // BLOCK + ids <= slot)).to(tl.int32))
    start = tl.load(starts_ptr + sequence)
    end = tl.load(starts_ptr + sequence + 1)
    return sequence, start + (slot - start // BLOCK - sequence) * BLOCK, start, end
