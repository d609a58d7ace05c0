"""Span corruption of bytes beside the collator that MrT5 was trained with, and numpy at its barest.

    OMP_NUM_THREADS=1 python -m pytest -s benchmarks/bench_corruption.py --benchmark-timer=time.process_time \
        --benchmark-json=out.json

Batches of 8 and 32 windows of 1,193 bytes: 1,024 input ids and 189 label ids each. ``transformers`` is the
collator of its T5 example in the form of the original (``data_collator_for_t5_mlm.py``), written anew from
its text: a mask for each row, sentinels and filtering for the batch. ``one draw a batch`` makes the spans of
all rows from one generator, without a loop over rows: a row then depends on its batch, and a run that goes on
after a kill on what was drawn before. Asserted equal: the ids that the same spans give, the fraction
replaced, and mean and spread of the spans' lengths. MB/s count the bytes of the windows.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rates import least

from pyfastlm.mrt5 import SpanCorruption
from pyfastlm.mrt5.examples import collate
from pyfastlm.mrt5.loading import new_model
from pyfastlm.mrt5.vocabulary import EOS, FIRST_SENTINEL, OFFSET

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
Ids = NDArray[np.int64]
Pair = tuple[Ids, Ids]
BATCHES = (8, 32)
CORRUPTION = SpanCorruption()
LENGTH, N_NOISE, N_SPANS = CORRUPTION.expanded_length, CORRUPTION.n_noise, CORRUPTION.n_spans
BUDGET = 0.02  # of a training step


def windows(rows: int) -> NDArray[np.uint16]:
    """ASCII, which no sentinel is: spans can be read off the result."""
    random = np.random.default_rng(0)
    return random.integers(OFFSET, OFFSET + 128, (rows, LENGTH), dtype=np.uint16)


def pyfastlm(batch: NDArray[np.uint16], epoch: int) -> Pair:
    return CORRUPTION.corrupt(batch, epoch, range(len(batch)))


class Transformers:
    """Mask, sentinels and filtering as the original does them."""

    def __init__(self) -> None:
        self.random = np.random.RandomState(0)

    def __call__(self, batch: NDArray[np.uint16], epoch: int) -> Pair:
        mask = np.asarray([self.mask() for _ in range(len(batch))])
        return self.collated(batch, mask)

    def collated(self, batch: NDArray[np.uint16], mask: NDArray[np.bool_]) -> Pair:
        inputs, labels = self.sentinels(mask.astype(np.int8)), self.sentinels((~mask).astype(np.int8))
        return self.filtered(batch, inputs), self.filtered(batch, labels)

    def mask(self) -> NDArray[np.bool_]:
        noise, kept = self.segmentation(N_NOISE), self.segmentation(LENGTH - N_NOISE)
        ends = np.cumsum(np.reshape(np.stack([kept, noise], axis=1), [2 * N_SPANS]))
        starts = np.zeros((LENGTH,), dtype=np.int8)
        starts[ends[:-1]] = True
        return np.equal(np.cumsum(starts) % 2, 1)

    def segmentation(self, items: int) -> Ids:
        begins = np.arange(items - 1) < (N_SPANS - 1)
        self.random.shuffle(begins)
        segment = np.cumsum(np.pad(begins, [[1, 0]]))
        return np.unique(segment, return_counts=True)[1]

    @staticmethod
    def sentinels(mask: NDArray[np.int8]) -> Ids:
        starts = mask - np.roll(mask, 1, axis=-1) * mask
        starts[:, 0] = mask[:, 0]
        numbers = np.where(starts != 0, np.cumsum(starts, axis=-1), starts)
        found = np.where(numbers != 0, FIRST_SENTINEL + 1 - numbers, 0)
        return found - (mask - starts)

    @staticmethod
    def filtered(batch: NDArray[np.uint16], sentinels: Ids) -> Ids:
        rows = len(batch)
        whole = np.where(sentinels != 0, sentinels, batch)
        kept = whole[whole >= 0].reshape((rows, -1))
        return np.concatenate([kept, np.full((rows, 1), EOS)], axis=-1)


class OneDraw(SpanCorruption):
    """Places for the spans of all rows at once: those of the smallest of random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)

    def __call__(self, batch: NDArray[np.uint16], epoch: int) -> Pair:
        return self.corrupt(batch, epoch, range(len(batch)))

    def _starts(self, epoch: int, indices: Sequence[int] | Ids) -> NDArray[np.uint8]:
        rows = len(indices)
        lengths = np.empty((rows, 2 * N_SPANS), np.int64)
        lengths[:, 0::2], lengths[:, 1::2] = self.parts(rows, LENGTH - N_NOISE), self.parts(rows, N_NOISE)
        starts = np.zeros((rows, LENGTH), np.uint8)
        np.put_along_axis(starts, np.cumsum(lengths, axis=1)[:, :-1], 1, axis=1)
        return starts

    def parts(self, rows: int, items: int) -> Ids:
        random = self.random.random((rows, items - 1), np.float32)
        cuts = random.argpartition(N_SPANS - 2, axis=1)[:, : N_SPANS - 1] + 1
        return np.diff(np.sort(cuts, axis=1), axis=1, prepend=0, append=items)


PEERS: dict[str, Callable[[NDArray[np.uint16], int], Pair]] = {
    "pyfastlm": pyfastlm,
    "transformers": Transformers(),
    "one draw a batch": OneDraw(),
}


def noise_of(pair: Pair) -> Ids:
    """[B, N_SPANS]: lengths of the replaced spans, from the labels."""
    labels = pair[1][:, :-1]
    places = np.nonzero(labels >= FIRST_SENTINEL - N_SPANS + 1)[1].reshape(len(labels), N_SPANS)
    return np.diff(places, axis=1, append=labels.shape[1]) - 1


@pytest.mark.parametrize("rows", BATCHES)
@pytest.mark.parametrize("peer", PEERS)
def test_corruption(benchmark, peer: str, rows: int) -> None:
    benchmark.group = f"span corruption, {rows} x 1,024"
    batch, run = windows(rows), PEERS[peer]
    for ids, width in zip(run(batch, 0), (1024, 189), strict=True):
        assert ids.shape == (rows, width)
    benchmark.pedantic(partial(run, batch, 1), rounds=201, warmup_rounds=20)
    benchmark.extra_info["MB/s"] = round(batch.size / least(benchmark) / 1e6, 1)


def test_the_same_spans_give_the_same_ids() -> None:
    batch = windows(32)
    ours = pyfastlm(batch, 3)
    span = np.cumsum(CORRUPTION._starts(3, range(32)), axis=1)
    for mine, theirs in zip(ours, Transformers().collated(batch, span % 2 == 1), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("peer", [name for name in PEERS if name != "pyfastlm"])
def test_statistics_are_equal(peer: str) -> None:
    """Density and mean are fixed sums and equal; mean and spread at each place within 4 standard errors."""
    batch, draws = windows(32), 100
    ours, theirs = (
        np.concatenate([noise_of(run(batch, epoch)) for epoch in range(draws)])
        for run in (pyfastlm, PEERS[peer])
    )
    for lengths in (ours, theirs):
        assert (lengths.sum(axis=1) / LENGTH == N_NOISE / LENGTH).all()
        assert (lengths >= 1).all()
    error = theirs.std(axis=0) * np.sqrt(2 / len(theirs))
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error).all()
    assert (np.abs(ours.std(axis=0) / theirs.std(axis=0) - 1) < 0.1).all()


def test_share_of_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the smallest model that comes with a name: every other has longer steps."""
    data = CORRUPTION.data({"en": ["The cat sat on the mat. " * 500]})
    batch = collate(data.examples(0, range(8)))
    model = new_model("tiny")
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = {
        "corruption": fastest(lambda: CORRUPTION.corrupt(data.windows[:8], 1, range(8)), 51),
        "examples and collation": fastest(lambda: collate(data.examples(1, range(8))), 51),
        "step": fastest(step, 3),
    }
    share = seconds["examples and collation"] / seconds["step"]
    with capsys.disabled():
        parts = ", ".join(f"{name} {1e3 * value:,.2f} ms" for name, value in seconds.items())
        print(f"\ntiny, 8 x 1,024: {parts}: {share:.3%} of it")
    assert share < BUDGET


def fastest(run: Callable[[], object], times: int) -> float:
    """Processor time of the fastest of so many calls, after one."""
    run()
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)
