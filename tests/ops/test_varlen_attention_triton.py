"""The Triton kernels of varlen_attention, interpreted on the CPU (see conftest.py), against float64.

bfloat16 is not here: the interpreter gets it silently wrong. It is left to the ahead-of-time gate, and to a
GPU where there is one.
"""

from itertools import pairwise

import pytest
import torch
from guards import DEVICE, DTYPES, guarded
from judge import assert_no_worse, weighed
from torch import Tensor

from pyfastlm.errors import Unavailable
from pyfastlm.ops import varlen_attention

pytest.importorskip("triton")

# Both sides of a `where` are computed, and a row without keys has the logarithm of 0 on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter")

LENGTHS = {
    "ragged": ([5, 0, 1, 66], [5, 0, 1, 66]),
    "cross": ([3, 40, 0, 9], [50, 2, 7, 0]),
}
VARIANTS = {
    "plain": {},
    "causal": {"causal": True},
    "table": {"radius": 9},
    "wide table": {"radius": 40, "softmax1": True, "heads": 1},
    "table of one": {"radius": 0, "keys": True, "softmax1": True, "heads": 1},
    "holes": {"radius": 9, "positions": "holes", "softmax1": True},
    "everything": {"radius": 5, "positions": "holes", "keys": True, "causal": True, "softmax1": True},
    "any order": {"radius": 7, "positions": "any order", "causal": True, "heads": 1},
    "far apart": {"radius": 3, "positions": "far apart", "heads": 1},
}
INF = float("inf")


@pytest.fixture
def kernels(poisoned):
    from pyfastlm.kernels import varlen_attention as module

    return module


class Problem:
    """Random inputs; the truth in float64, torch in the same dtype, and the kernels, each in one list:
    result, gradients of q, k, v, rel_bias and key_bias as far as they are there."""

    def __init__(self, lengths, variant, dtype, *, heads=None, dim=16, gap=3, seed=0):
        heads = heads or variant.get("heads", 2)
        random = torch.Generator().manual_seed(seed)

        def normal(*size: int) -> Tensor:
            return torch.randn(*size, generator=random).to(dtype)

        def positions(rows: int) -> Tensor:
            at = torch.randperm(2 * rows + 3, generator=random)[:rows].sort().values
            if variant["positions"] == "any order":  # some of them twice
                at = at[torch.randperm(rows, generator=random)] // 2
            elif variant["positions"] == "far apart":
                at[rows // 2 :] += 2**28
                at[: rows // 3] -= 2**28
            return at.int()

        self.cu = [torch.tensor([0, *side]).cumsum(0).int() for side in lengths]
        n_q, n_k = (int(cu[-1]) for cu in self.cu)
        self.leaves = {
            name: normal(rows, heads, dim) for name, rows in zip("qkv", (n_q, n_k, n_k), strict=True)
        }
        self.leaves["rel_bias"] = normal(2 * variant["radius"] + 1, heads) if "radius" in variant else None
        self.leaves["key_bias"] = -normal(n_k).abs() if "keys" in variant else None
        self.positions = [
            torch.cat([positions(n) for n in side]) if "positions" in variant else None for side in lengths
        ]
        self.options = (variant.get("causal", False), variant.get("softmax1", False), dim**-0.5)
        self.upstream = normal(n_q, heads, dim)
        self.gap = gap

    def inputs(self) -> tuple:
        gaps = (self.gap * i for i in (1, 2, 3, 1, 1))  # each of q, k and v has strides of its own
        q, k, v, rel_bias, key_bias = (
            guarded(t, gap) for t, gap in zip(self.leaves.values(), gaps, strict=True)
        )
        places = (guarded(t) for t in (*self.cu, *self.positions))
        return (q, k, v, *places, rel_bias, key_bias, *self.options)

    def backward(self, kernels, out, lse, **needs) -> list[Tensor]:
        state = (guarded(t) for t in (self.upstream, out, lse))
        return kernels.backward(
            *state, *self.inputs(), needs.get("rel_bias", True), needs.get("key_bias", True)
        )

    def kernels(self, kernels) -> list[Tensor]:
        out, lse = kernels.forward(*self.inputs())
        grads = self.backward(kernels, out, lse, key_bias=self.leaves["key_bias"] is not None)
        return [out.cpu(), *(grad.cpu() for grad in grads if grad is not None)]

    def torch(self, dtype=None, impl="reference") -> list[Tensor]:
        leaves = {
            name: t.to(dtype or t.dtype).to(DEVICE if impl == "triton" else "cpu").requires_grad_()
            for name, t in self.leaves.items()
            if t is not None
        }
        device = leaves["q"].device
        causal, softmax1, scale = self.options
        places = dict(zip(("positions_q", "positions_k"), self.positions, strict=True))
        out = varlen_attention(
            cu_seqlens_q=self.cu[0].to(device),
            cu_seqlens_k=self.cu[1].to(device),
            **{name: None if t is None else t.to(device) for name, t in places.items()},
            **leaves,
            causal=causal,
            softmax1=softmax1,
            scale=scale,
            impl=impl,
        )
        grads = torch.autograd.grad(out, list(leaves.values()), self.upstream.to(out))
        return [t.cpu() for t in (out, *grads)]

    def check(self, kernels) -> None:
        results = self.kernels(kernels), self.torch(), self.torch(torch.float64)
        if self.leaves["rel_bias"] is not None:  # each entry of its gradient sums a slope of every query
            results = tuple(weighed(result, 4, len(self.upstream)) for result in results)
        assert_no_worse(*results)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_values_and_gradients_match(kernels, lengths, variant, dtype):
    Problem(LENGTHS[lengths], VARIANTS[variant], dtype).check(kernels)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", [1, 7, 33, 80, 128])
def test_any_width_of_a_head(kernels, dim, dtype):
    lengths = ([20, 3], [20, 3])
    Problem(lengths, VARIANTS["everything"], dtype, heads=1, dim=dim).check(kernels)


@pytest.mark.parametrize("lengths", [([3], [520]), ([520], [3])], ids=["keys", "queries"])
def test_more_positions_than_are_scanned_at_once(kernels, lengths):
    variant = {"positions": "holes", "causal": True}
    Problem(lengths, variant, torch.float32, heads=1, dim=4).check(kernels)


def test_the_widest_head(kernels):
    Problem(([9], [12]), {"radius": 2}, torch.float16, heads=1, dim=200).check(kernels)
    for dtype, dim in ((torch.float16, 257), (torch.float32, 129)):
        problem = Problem(([2], [2]), {}, dtype, dim=dim)
        with pytest.raises(ValueError, match=f"heads of at most {128 if dim == 129 else 256} numbers"):
            kernels.forward(*problem.inputs())


def test_every_configuration_is_met(kernels):
    """Aligned rows of 16 bits take the large tiles, others the small ones."""
    from pyfastlm.kernels import _attention

    aligned, odd = (
        Problem(([70], [70]), VARIANTS["table"], torch.float16, dim=64, gap=gap, heads=1) for gap in (16, 3)
    )
    for problem, table in ((aligned, _attention.BLOCKS), (odd, _attention.ODD_BLOCKS)):
        for name in ("fwd", "dq"):
            assert _attention.Inputs(*problem.inputs()).blocks(name) is table[name, 2, 64]
        problem.check(kernels)


@pytest.mark.parametrize("softmax1", [False, True])
def test_a_query_without_keys_gives_zeros(kernels, softmax1):
    problem = Problem(([2, 2], [0, 3]), {"keys": True, "radius": 2, "softmax1": softmax1}, torch.float32)
    problem.leaves["key_bias"].fill_(-INF)
    out, lse = kernels.forward(*problem.inputs())
    assert out.eq(0).all()
    assert lse.eq(0.0 if softmax1 else -INF).all()
    assert all(grad.eq(0).all() for grad in problem.backward(kernels, out, lse))


@pytest.mark.parametrize("softmax1", [False, True])
def test_a_key_at_minus_infinity_is_a_deleted_key(kernels, softmax1):
    variant = {"radius": 9, "softmax1": softmax1, "keys": True}
    problem = Problem(([40, 12], [40, 12]), variant, torch.float32)
    keep = torch.rand(52, generator=torch.Generator().manual_seed(1)) < 0.4
    keep[40:] = False  # a sequence that loses everything
    problem.leaves["key_bias"] = torch.zeros(52).masked_fill(~keep, -INF)
    masked = problem.kernels(kernels)
    problem.leaves["key_bias"] = None
    problem.leaves |= {name: problem.leaves[name][keep] for name in "kv"}
    positions = torch.cat([torch.arange(40), torch.arange(12)]).int()
    problem.positions = [positions, positions[keep]]
    problem.cu[1] = torch.tensor([0, int(keep.sum()), int(keep.sum())]).int()
    deleted = problem.kernels(kernels)
    for i in (2, 3):
        assert masked[i][~keep].eq(0).all()
        masked[i] = masked[i][keep]
    for a, b in zip(masked[:5], deleted, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=5e-6)


def test_nan_travels_within_its_sequence_only(kernels):
    problem = Problem(([20, 20], [20, 20]), {}, torch.float32)
    problem.leaves["k"][25] = float("nan")
    for got in problem.kernels(kernels):
        assert got[:20].isfinite().all()
        assert got[20:].isnan().flatten(1).any(1).all()


def test_large_scores_do_not_overflow(kernels):
    """Scores of 1e4, of which float32 holds three decimals: so many has what exp makes of them again."""
    problem = Problem(([9], [70]), {"softmax1": True}, torch.float32)
    problem.leaves["q"] *= 100
    problem.leaves["k"] *= 100
    got, exact = problem.kernels(kernels), problem.torch(torch.float64)
    for ours, truth in zip(got, exact, strict=True):
        torch.testing.assert_close(ours.double(), truth, rtol=1e-2, atol=1e-2)


def test_large_biases_of_keys_do_not_overflow(kernels):
    """exp(200) is no float32: what lies past the last query must not be weighed by it."""
    problem = Problem(([9], [9]), {"keys": True}, torch.float32)
    problem.leaves["key_bias"] = 200 + problem.leaves["key_bias"]
    got, exact = problem.kernels(kernels), problem.torch(torch.float64)
    for ours, truth in zip(got, exact, strict=True):  # scores of 200 hold 1.5e-5
        torch.testing.assert_close(ours.double(), truth, rtol=0, atol=2e-4)


def test_a_sequence_does_not_depend_on_the_others(kernels):
    variant = VARIANTS["everything"]
    problem = Problem(([33, 3, 34], [33, 3, 34]), variant, torch.float32, dim=8, heads=1)
    whole, again = problem.kernels(kernels), problem.kernels(kernels)
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))
    rows = slice(36, 70)
    for name, leaf in problem.leaves.items():
        if name != "rel_bias":
            problem.leaves[name] = leaf[rows]
    problem.positions = [at[rows] for at in problem.positions]
    problem.upstream = problem.upstream[rows]
    problem.cu = [torch.tensor([0, 34]).int()] * 2
    part = problem.kernels(kernels)
    for i in (0, 1, 2, 3, 5):
        assert torch.equal(part[i], whole[i][rows])


def test_more_sequences_than_are_searched_at_once(kernels):
    lengths = [n % 2 for n in range(140)]
    problem = Problem((lengths, lengths), {}, torch.float32, heads=1, dim=4)
    out, lse = kernels.forward(*problem.inputs())
    exact = problem.torch(torch.float64)[0]
    torch.testing.assert_close(out.cpu().double(), exact, rtol=0, atol=1e-6)
    assert lse.isfinite().all()


def test_lse_is_the_logarithm_of_the_sums(kernels):
    problem = Problem(([7], [9]), {"softmax1": True}, torch.float32)
    _, lse = kernels.forward(*problem.inputs())
    q, k = (problem.leaves[name].double() for name in "qk")
    scores = torch.einsum("qhd,khd->hqk", q, k) * problem.options[2]
    exact = torch.cat([scores, torch.zeros(2, 7, 1)], dim=2).logsumexp(2)
    torch.testing.assert_close(lse.cpu().double(), exact, rtol=0, atol=1e-6)


def test_only_what_is_asked_for_is_computed(kernels):
    problem = Problem(([9], [9]), {"radius": 3, "keys": True}, torch.float32)
    out, lse = kernels.forward(*problem.inputs())
    full = problem.backward(kernels, out, lse)
    for needs in ({"rel_bias": False}, {"key_bias": False}):
        part = problem.backward(kernels, out, lse, **needs)
        assert [g is None for g in part[3:]] == [name in needs for name in ("rel_bias", "key_bias")]
        assert all(torch.equal(a, b) for a, b in zip(part, full, strict=True) if a is not None)


def test_views_are_read_in_place_and_others_copied(kernels):
    cu = torch.tensor([0, 4, 11]).int().to(DEVICE)
    fused = torch.randn(11, 3, 2, 8, device=DEVICE)
    others = fused.transpose(2, 3).contiguous().transpose(2, 3)  # numbers of a head are not neighbours
    options = (cu, cu, None, None, None, None, False, False, 1.0)
    expected = kernels.forward(*(t.contiguous() for t in fused.unbind(1)), *options)[0]
    for qkv in (fused.unbind(1), others.unbind(1)):
        assert torch.equal(kernels.forward(*qkv, *options)[0], expected)


@pytest.mark.parametrize("starts", [[0], [0, 0, 0]])
def test_no_sequences_and_no_rows(kernels, starts):
    none, cu = torch.zeros(0, 2, 4, device=DEVICE), torch.tensor(starts).int().to(DEVICE)
    table, keys = torch.zeros(5, 2, device=DEVICE), torch.zeros(0, device=DEVICE)
    inputs = (none, none, none, cu, cu, None, None, table, keys, True, True, 1.0)
    out, lse = kernels.forward(*inputs)
    assert (out.shape, lse.shape) == ((0, 2, 4), (2, 0))
    grads = kernels.backward(none, out, lse, *inputs, True, True)
    assert [tuple(g.shape) for g in grads] == [(0, 2, 4)] * 3 + [(5, 2), (0,)]
    assert grads[3].eq(0).all()


def test_mixed_dtypes_of_the_biases(kernels):
    problem = Problem(([11], [11]), {"radius": 3, "keys": True}, torch.float16)
    for name in ("rel_bias", "key_bias"):
        problem.leaves[name] = problem.leaves[name].float()
    got = problem.kernels(kernels)
    assert [t.dtype for t in got] == [torch.float16] * 4 + [torch.float32] * 2
    for ours, theirs in zip(got[4:], problem.torch()[4:], strict=True):  # from results of 11 bits
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("variant", ["causal", "everything"])
def test_the_op_reaches_the_kernels(variant):
    problem = Problem(([7, 5], [7, 5]), VARIANTS[variant], torch.float32)
    for ours, theirs in zip(problem.torch(impl="triton"), problem.torch(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_opcheck():
    problem = Problem(([4, 3], [4, 3]), VARIANTS["everything"], torch.float32)
    leaves = [t.to(DEVICE).requires_grad_() for t in problem.leaves.values()]
    places = [t.to(DEVICE) for t in (*problem.cu, *problem.positions)]
    arguments = (*leaves[:3], *places, *leaves[3:], *problem.options, "triton")
    torch.library.opcheck(torch.ops.pyfastlm.varlen_attention.default, arguments)


def test_float64_is_refused():
    problem = Problem(([4], [4]), {}, torch.float64)
    with pytest.raises(Unavailable, match="no float64"):
        problem.torch(impl="triton")


def test_slots_hold_every_block():
    """The arithmetic of _locate, for all lengths of three sequences: each block has one slot, in order."""
    from pyfastlm.kernels._sequences import slots

    block = 3
    for code in range(8**3):
        ends = [code % 8, code // 8 % 8, code // 64]
        starts = [0, ends[0], ends[0] + ends[1]]
        opens = [start // block + b for b, start in enumerate(starts)] + [slots(sum(ends), 3, block)]
        assert all(b - a >= -(-n // block) for (a, b), n in zip(pairwise(opens), ends, strict=True))
