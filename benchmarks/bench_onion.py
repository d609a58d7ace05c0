"""A whole training step of the copier beside the same by torch.nn.GRU, equal losses asserted.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_onion.py --benchmark-json=out.json

Batches of 256 sequences of 2 to 9 out of 30 symbols, as they come; AdamW (fused) for all. A step is the
batch, the loss, its gradients and the update. "plain" is the loop that one writes with nn.GRU: packed
sequences for the encoder, a second call for the decoder. "one_call" makes one of both calls, as ours does.
"same_length" sorts the batch by length and calls nn.GRU for each length, without packing. All start from one
model and see the same batches; the losses of the first steps must agree to 1e-5. bench_gru_scan.py has the
scan alone.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pyfastlm.onion import CopierConfig, GRUCopier, RepeatTask, Sequences, sequence_loss

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
SIZES = (48, 64, 128, 256)
SOS = 30


def ours(model: GRUCopier, batch: Sequences) -> Tensor:
    return sequence_loss(model(batch.tokens, batch.lengths), batch.tokens, batch.lengths)


def heard(tokens: Tensor) -> Tensor:
    return F.pad(tokens[:, :-1], (1, 0), value=SOS)


def plain(model: GRUCopier, batch: Sequences) -> Tensor:
    tokens, lengths = batch.tokens, batch.lengths
    read = pack_padded_sequence(model.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
    _, state = model.rnn(read)
    states, _ = model.rnn(model.embedding(heard(tokens)), state)
    return sequence_loss(model.fc(states), tokens, lengths)


def one_call(model: GRUCopier, batch: Sequences) -> Tensor:
    tokens, lengths = batch.tokens, batch.lengths
    places = lengths[:, None] + torch.arange(tokens.shape[1])
    both = torch.cat([tokens, tokens], dim=1).scatter(1, places, heard(tokens))
    packed = pack_padded_sequence(model.embedding(both), 2 * lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(model.rnn(packed)[0], batch_first=True, total_length=both.shape[1])
    said = states.gather(1, places[..., None].expand(-1, -1, states.shape[2]))
    return sequence_loss(model.fc(said), tokens, lengths)


def same_length(model: GRUCopier, batch: Sequences) -> Tensor:
    """Sums over the lengths; the mean is over all tokens, as for the others."""
    total = torch.zeros(())
    for length in batch.lengths.unique().tolist():
        tokens = batch.of_length(length).tokens[:, :length]
        states, _ = model.rnn(model.embedding(torch.cat([tokens, heard(tokens)], dim=1)))
        logits = model.fc(states[:, length:])
        total = total + F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="sum")
    return total / batch.lengths.sum()


PEERS: dict[str, Callable[[GRUCopier, Sequences], Tensor]] = {
    "pyfastlm": ours,
    "plain": plain,
    "one_call": one_call,
    "same_length": same_length,
}


class Training:
    """``model`` on its way by one of the peers."""

    def __init__(self, model: GRUCopier, peer: str, task: RepeatTask) -> None:
        self.model = model
        self._loss = PEERS[peer]
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.1, fused=True)
        self._batches: Iterator[Sequences] = task.batches(256)
        self.losses: list[float] = []

    def step(self) -> None:
        loss = self._loss(self.model, next(self._batches))
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self.losses.append(float(loss.detach()))


@cache
def task() -> RepeatTask:
    return RepeatTask(n_train=200_000)


@cache
def losses(size: int, peer: str) -> list[float]:
    """Of the first steps."""
    run = Training(GRUCopier(CopierConfig(size)), peer, task())
    for _ in range(5):
        run.step()
    return run.losses


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("size", SIZES)
def test_training_step(benchmark, size: int, peer: str) -> None:
    benchmark.group = f"training step, N {size}"
    torch.testing.assert_close(losses(size, peer), losses(size, "plain"), rtol=0, atol=1e-5)
    run = Training(GRUCopier(CopierConfig(size)), peer, task())
    benchmark.pedantic(run.step, rounds=41 if size < 256 else 15, warmup_rounds=2)
