"""ops.varlen_attention beside its strongest peers, one group per task, equal results asserted before timing.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_varlen_attention.py --benchmark-json=out.json

Six heads of 64 numbers, float32, T5's bias by distance. "holes" are batches of four times the length of which
three quarters of the tokens were deleted at random: positions have gaps. Peers get their dense biases and
masks for free unless the group says that a gate is added in every call. flex_attention has no backward pass
on a CPU; SDPA with a bias that wants a gradient takes its slow path, and there is nothing faster in torch.
"""

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from memory import growth, in_fresh_process, linux_only
from rates import least
from torch import Tensor

from pyfastlm.ops import t5_bias_table, varlen_attention

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
HEADS, DIM, RADIUS = 6, 64, 128
LENGTHS = {
    "4 x 1024": [1024] * 4,
    "1024 700 450 250": [1024, 700, 450, 250],
    "4 x 256": [256] * 4,
}
SHAPES = [*LENGTHS, *(f"{name}, holes" for name in LENGTHS)]


class Inputs:
    def __init__(self, lengths: list[int], spread: int = 1) -> None:
        """``spread``: how many times as long the sequences were before tokens were deleted."""
        random = torch.Generator().manual_seed(0)
        self.lengths = lengths
        rows = sum(self.lengths)
        self.q, self.k, self.v = (torch.randn(rows, HEADS, DIM, generator=random) for _ in range(3))
        self.q *= DIM**-0.5  # scores of a trained model; T5 itself does not scale
        self.table = t5_bias_table(torch.randn(32, HEADS, generator=random))
        self.gate = -3 * torch.rand(rows, generator=random)
        self.cu_seqlens = torch.tensor([0, *self.lengths]).cumsum(0).int()
        self.positions = torch.cat(
            [torch.randperm(spread * n, generator=random)[:n].sort().values for n in self.lengths]
        ).int()
        self.parts = [slice(a, b) for a, b in zip(self.cu_seqlens, self.cu_seqlens[1:], strict=False)]
        self.flop = sum(4.0 * n * n * DIM * HEADS for n in self.lengths)

    def entries(self, part: slice) -> Tensor:
        p = self.positions[part].long()
        return (p - p.unsqueeze(1)).clamp(-RADIUS, RADIUS) + RADIUS

    @cache  # noqa: B019  few inputs, all of them alive to the end
    def bias(self, i: int) -> Tensor:
        """[H, L, L] of one sequence."""
        return self.table[self.entries(self.parts[i])].permute(2, 0, 1).contiguous()

    @cache  # noqa: B019
    def padded(self) -> tuple[Tensor, ...]:
        """q, k, v [B, H, L, Dh], the gate [B, 1, 1, L] and the bias with its mask [B, H, L, L]."""
        most = max(self.lengths)
        q, k, v = (
            torch.nn.utils.rnn.pad_sequence([t[p] for p in self.parts], batch_first=True).transpose(1, 2)
            for t in (self.q, self.k, self.v)
        )
        bias = torch.full((len(self.lengths), HEADS, most, most), float("-inf"))
        gate = torch.zeros(len(self.lengths), 1, 1, most)
        for i, n in enumerate(self.lengths):
            bias[i, :, :, :n] = 0.0
            bias[i, :, :n, :n] = self.bias(i)
            gate[i, 0, 0, :n] = self.gate[self.parts[i]]
        return tuple(t.contiguous() for t in (q, k, v, gate, bias))


def made(name: str) -> Inputs:
    return Inputs(LENGTHS[name.removesuffix(", holes")], 4 if name.endswith("holes") else 1)


inputs = cache(made)


def ours(x: Inputs, *, gate: bool = False, bias: bool = True) -> Tensor:
    return varlen_attention(
        x.q,
        x.k,
        x.v,
        x.cu_seqlens,
        x.cu_seqlens,
        positions_q=x.positions,
        positions_k=x.positions,
        rel_bias=x.table if bias else None,
        key_bias=x.gate if gate else None,
        scale=1.0,
    )


def heads_first(t: Tensor) -> Tensor:
    return t.transpose(0, 1).unsqueeze(0)


def sdpa_by_sequence(x: Inputs, *, gate: bool = False, bias: bool = True) -> Tensor:
    out = torch.empty_like(x.q)
    for i, part in enumerate(x.parts):
        mask = x.bias(i) if bias else None
        if gate:
            mask = mask + x.gate[part]
        q, k, v = (heads_first(t[part]) for t in (x.q, x.k, x.v))
        mask = None if mask is None else mask.unsqueeze(0)
        out[part] = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)[0].transpose(0, 1)
    return out


def sdpa_padded(x: Inputs, *, gate: bool = False, bias: bool = True) -> Tensor:
    q, k, v, by_key, mask = x.padded()
    if not bias:
        mask = None
    elif gate:
        mask = mask + by_key
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)


@cache
def compiled_flex() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)  # with dynamic shapes it does not compile


def flex(x: Inputs, *, gate: bool = False, bias: bool = True) -> Tensor:
    """Padded; the bias from the table by position inside the kernel, as flex_attention is meant to be."""
    q, k, v, by_key, _ = x.padded()
    table, lengths = x.table, torch.tensor(x.lengths)
    positions = torch.zeros(len(q), q.shape[2], dtype=torch.int64)
    for i, part in enumerate(x.parts):
        positions[i, : x.lengths[i]] = x.positions[part]

    def score(s: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        s = s + table[(positions[b, j] - positions[b, i]).clamp(-RADIUS, RADIUS) + RADIUS, h]
        if gate:
            s = s + by_key[b, 0, 0, j]
        return torch.where(j < lengths[b], s, -float("inf"))

    return compiled_flex()(q, k, v, score_mod=score, scale=1.0)


PEERS: dict[str, Callable[..., Tensor]] = {
    "pyfastlm": ours,
    "sdpa_by_sequence": sdpa_by_sequence,
    "sdpa_padded": sdpa_padded,
    "flex_attention_compiled": flex,
}


def rows_of(x: Inputs, out: Tensor) -> Tensor:
    """The packed rows [N, H, Dh] of a result, padded or not."""
    if out.ndim == 3:
        return out
    return torch.cat([out[i, :, :n].transpose(0, 1) for i, n in enumerate(x.lengths)])


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("gate", [False, True], ids=["bias", "gate"])
@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_forward(benchmark, shape: str, gate: bool, peer: str) -> None:
    benchmark.group = f"forward, {'bias and a gate added in every call' if gate else 'bias'}, {shape}"
    x = inputs(shape)
    run = partial(PEERS[peer], x, gate=gate)
    torch.testing.assert_close(rows_of(x, run()), ours(x, gate=gate), rtol=1e-4, atol=1e-5)
    benchmark.pedantic(run, rounds=9, warmup_rounds=2)
    benchmark.extra_info["gflops"] = x.flop / least(benchmark) / 1e9


@pytest.mark.parametrize("peer", ["pyfastlm with bias", "sdpa_padded", "sdpa_by_sequence"])
@pytest.mark.parametrize("shape", ["4 x 1024", "4 x 256"])
@torch.inference_mode()
def test_against_no_mask_at_all(benchmark, shape: str, peer: str) -> None:
    benchmark.group = f"forward, ours with bias and peers without, {shape}"
    x = inputs(shape)
    run = partial(ours, x) if peer.startswith("pyfastlm") else partial(PEERS[peer], x, bias=False)
    benchmark.pedantic(run, rounds=9, warmup_rounds=2)
    benchmark.extra_info["gflops"] = x.flop / least(benchmark) / 1e9


def trained_sdpa_by_sequence(x: Inputs) -> Tensor:
    """The bias is indexed from its table in every step, as training has to."""
    out = []
    for part in x.parts:
        mask = x.table[x.entries(part)].permute(2, 0, 1) + x.gate[part]
        q, k, v = (heads_first(t[part]) for t in (x.q, x.k, x.v))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.unsqueeze(0), scale=1.0)
        out.append(attended[0].transpose(0, 1))
    return torch.cat(out)


TRAINING: dict[str, Callable[[Inputs], Tensor]] = {
    "pyfastlm": partial(ours, gate=True),
    "sdpa_by_sequence": trained_sdpa_by_sequence,
}


@pytest.mark.parametrize("peer", TRAINING)
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_and_backward(benchmark, shape: str, peer: str) -> None:
    benchmark.group = f"forward and backward, trained bias and gate, {shape}"
    x = made(shape)
    leaves = [t.requires_grad_() for t in (x.q, x.k, x.v, x.table, x.gate)]
    upstream = torch.randn(x.q.shape, generator=torch.Generator().manual_seed(1))

    def gradients(run: Callable[[Inputs], Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(run(x), leaves, upstream)

    for a, b in zip(gradients(TRAINING[peer]), gradients(TRAINING["pyfastlm"]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    benchmark.pedantic(gradients, (TRAINING[peer],), rounds=5, warmup_rounds=1)
    benchmark.extra_info["gflops"] = 3.5 * x.flop / least(benchmark) / 1e9


# Memory: peak resident memory that a call adds beyond its result and the gradients, in a fresh process for
# each contender and with one thread: each thread has scratch of its own. The incoming gradient is an input;
# SDPA makes its bias from the table in every call.

MIB = 2**20
MEMORY_LENGTHS = {
    "1 x 1024": [1024],
    "1 x 4096": [4096],
    "1 x 16384": [16384],
    "4 x 1024": [1024] * 4,
}
MEASURED = {"pyfastlm": tuple(MEMORY_LENGTHS), "sdpa_by_sequence": ("1 x 1024", "1 x 4096")}


def extra_memory(peer: str) -> dict[str, list[float]]:
    """In a process of its own: MiB by shape for forward, and forward and backward."""
    torch.set_num_threads(1)
    extra(TRAINING[peer], [64])  # the first call loads what is loaded late
    return {shape: extra(TRAINING[peer], MEMORY_LENGTHS[shape]) for shape in MEASURED[peer]}


def extra(run: Callable[[Inputs], Tensor], lengths: list[int]) -> list[float]:
    x = Inputs(lengths)
    upstream = torch.ones_like(x.q)
    forward = growth(torch.inference_mode()(partial(run, x)))
    leaves = [t.requires_grad_() for t in (x.q, x.k, x.v, x.table, x.gate)]
    both = growth(lambda: torch.autograd.grad(run(x), leaves, upstream))
    result, gradients = x.q.nbytes / MIB, sum(t.nbytes for t in leaves) / MIB
    return [forward - result, both - result - gradients]


@linux_only
def test_memory_is_linear(capsys: pytest.CaptureFixture[str]) -> None:
    found = {peer: in_fresh_process("bench_varlen_attention", "extra_memory", peer) for peer in MEASURED}
    dense = {shape: 4 * HEADS * max(lengths) ** 2 / MIB for shape, lengths in MEMORY_LENGTHS.items()}
    with capsys.disabled():
        print("\nMiB beyond inputs, result and gradients: forward; forward and backward")
        for shape in MEMORY_LENGTHS:
            print(f"{shape}: one [H, L, L] {dense[shape]:,.0f}", end="")
            for peer, extras in found.items():
                if shape in extras:
                    print(", {} {:,.2f}; {:,.2f}".format(peer, *extras[shape]), end="")
            print()
    ours = found["pyfastlm"]
    assert ours["4 x 1024"][0] <= 8
    for middle, long in zip(ours["1 x 4096"], ours["1 x 16384"], strict=True):
        assert long <= 6 * middle  # four times the tokens; an [H, L, L] would make it 16
        assert long <= dense["1 x 16384"] / 100
