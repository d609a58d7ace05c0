"""ops.varlen_attention against all scores at once in double precision: values, gradients, edges, refusals."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import assert_no_worse, weighed
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import t5_bias_table, varlen_attention

LENGTHS = {
    "one token": ([1], [1]),
    "one sequence": ([37], [37]),
    "ragged": ([5, 0, 23, 1, 130], [5, 0, 23, 1, 130]),
    "past a block": ([300], [300]),
    "cross": ([3, 40, 0, 9], [50, 1, 7, 0]),
}
VARIANTS = {
    "plain": {},
    "softmax1": {"softmax1": True},
    "causal": {"causal": True},
    "table": {"table": 16},
    "table, holes": {"table": 16, "holes": True},
    "everything": {"table": 5, "holes": True, "keys": True, "causal": True, "softmax1": True},
    "keys": {"keys": True, "softmax1": True},
    "odd positions": {"table": 7, "shuffled": True, "causal": True},
}


class Problem:
    """Random inputs in one dtype, and the same numbers in float64 for the truth."""

    def __init__(
        self,
        lengths: tuple[list[int], list[int]],
        variant: dict,
        dtype: torch.dtype,
        heads: int = 3,
        dim: int = 16,
        seed: int = 0,
    ) -> None:
        random = torch.Generator().manual_seed(seed)

        def normal(*size: int) -> Tensor:
            return torch.randn(*size, generator=random).to(dtype)

        self.cu = [torch.tensor([0, *side]).cumsum(0).int() for side in lengths]
        n_q, n_k = (int(cu[-1]) for cu in self.cu)
        self.leaves = {
            "q": normal(n_q, heads, dim),
            "k": normal(n_k, heads, dim),
            "v": normal(n_k, heads, dim),
        }
        if "table" in variant:
            self.leaves["rel_bias"] = normal(2 * variant["table"] + 1, heads)
        if "keys" in variant:
            self.leaves["key_bias"] = -normal(n_k).abs()
        self.options = {name: True for name in ("causal", "softmax1") if name in variant}
        if variant.get("holes") or variant.get("shuffled"):
            for name, side in zip(("positions_q", "positions_k"), lengths, strict=True):
                self.options[name] = torch.cat(
                    [torch.randperm(2 * n + 3, generator=random)[:n].sort().values for n in side]
                ).int()
                if variant.get("shuffled"):
                    order = torch.randperm(len(self.options[name]), generator=random)
                    self.options[name] = self.options[name][order]
        self.upstream = normal(n_q, heads, dim)

    def run(self, impl: str, dtype: torch.dtype | None = None, **more) -> list[Tensor]:
        """The result and the gradients of all leaves."""
        leaves = {n: t.to(dtype or t.dtype).clone().requires_grad_() for n, t in self.leaves.items()}
        out = varlen_attention(
            cu_seqlens_q=self.cu[0], cu_seqlens_k=self.cu[1], impl=impl, **leaves, **self.options, **more
        )
        return [out, *torch.autograd.grad(out, list(leaves.values()), self.upstream.to(out.dtype))]

    def judge(self, *results: list[Tensor]) -> None:
        if "rel_bias" in self.leaves:  # each entry of its gradient sums a slope of every query
            results = tuple(weighed(result, 4, len(self.upstream)) for result in results)
        assert_no_worse(*results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_values_and_gradients_match(lengths, variant, dtype):
    problem = Problem(LENGTHS[lengths], VARIANTS[variant], dtype)
    truth = problem.run("reference", torch.float64)
    ours = problem.run("native")
    if dtype == torch.float64:
        for got, exact in zip(ours, truth, strict=True):
            torch.testing.assert_close(got, exact, rtol=1e-11, atol=1e-11)
        return
    problem.judge(ours, problem.run("reference"), truth)


@pytest.mark.parametrize("dim", [1, 7, 33, 64, 80])
def test_any_width_of_a_head(dim):
    problem = Problem(([20, 300], [20, 300]), VARIANTS["everything"], torch.float32, heads=2, dim=dim)
    problem.judge(problem.run("native"), problem.run("reference"), problem.run("reference", torch.float64))


def test_a_scale_of_ones_own():
    problem = Problem(([20], [30]), {}, torch.float32)
    ours, naive = (problem.run(impl, scale=1.5) for impl in ("native", "reference"))
    assert_no_worse(ours, naive, problem.run("reference", torch.float64, scale=1.5))


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradcheck(variant):
    problem = Problem(([4, 0, 9], [4, 2, 9]), VARIANTS[variant], torch.float64, heads=2, dim=3)
    names = list(problem.leaves)

    def function(*leaves: Tensor) -> Tensor:
        return varlen_attention(
            cu_seqlens_q=problem.cu[0],
            cu_seqlens_k=problem.cu[1],
            **dict(zip(names, leaves, strict=True)),
            **problem.options,
        )

    assert torch.autograd.gradcheck(function, [t.requires_grad_() for t in problem.leaves.values()])


@pytest.mark.parametrize("variant", ["plain", "everything"])
def test_opcheck(variant):
    problem = Problem(([4, 9], [4, 9]), VARIANTS[variant], torch.float32)
    leaves = {name: leaf.requires_grad_() for name, leaf in problem.leaves.items()}
    o = problem.options
    torch.library.opcheck(
        torch.ops.pyfastlm.varlen_attention.default,
        (
            *(leaves[name] for name in "qkv"),
            *problem.cu,
            o.get("positions_q"),
            o.get("positions_k"),
            leaves.get("rel_bias"),
            leaves.get("key_bias"),
            o.get("causal", False),
            o.get("softmax1", False),
            0.5,
            "native",
        ),
    )


def test_torch_compile_traces_through():
    problem = Problem(([4, 9], [4, 9]), {}, torch.float32)
    leaves = [leaf.requires_grad_() for leaf in problem.leaves.values()]

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return varlen_attention(q * 2, k, v, *problem.cu).square().sum()

    expected = loss(*leaves)
    got = torch.compile(loss, fullgraph=True, backend="aot_eager")(*leaves)
    torch.testing.assert_close(got, expected)
    for a, b in zip(torch.autograd.grad(got, leaves), torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("impl", ["native", "reference"])
def test_a_query_without_keys_gives_zeros(impl):
    q, k, v = torch.randn(4, 2, 8), torch.randn(3, 2, 8), torch.randn(3, 2, 8)
    cu_q, cu_k = torch.tensor([0, 2, 4]).int(), torch.tensor([0, 0, 3]).int()
    hidden = torch.full((3,), float("-inf"))
    leaves = [t.requires_grad_() for t in (q, k, v)]
    for bias in (None, hidden):
        out = varlen_attention(*leaves, cu_q, cu_k, key_bias=bias, impl=impl)
        assert out[:2].eq(0).all()
        assert out[2:].eq(0).all() == (bias is not None)
        grads = torch.autograd.grad(out.sum(), leaves)
        assert all(g.isfinite().all() for g in grads)
        assert grads[0][:2].eq(0).all()


@pytest.mark.parametrize("softmax1", [False, True])
def test_a_key_at_minus_infinity_is_a_deleted_key(softmax1):
    problem = Problem(([70, 12], [70, 12]), {"table": 9}, torch.float32)
    keep = torch.rand(82, generator=torch.Generator().manual_seed(1)) < 0.4
    keep[70:] = False  # a row that loses everything
    bias = torch.zeros(82).masked_fill(~keep, float("-inf"))
    q, k, v, table = problem.leaves.values()
    options = {"rel_bias": table, "softmax1": softmax1}
    masked = varlen_attention(q, k, v, *problem.cu, key_bias=bias, **options)
    positions = torch.cat([torch.arange(70), torch.arange(12)]).int()
    short = torch.tensor([0, int(keep.sum()), int(keep.sum())]).int()
    deleted = varlen_attention(
        q,
        k[keep],
        v[keep],
        problem.cu[0],
        short,
        positions_q=positions,
        positions_k=positions[keep],
        **options,
    )
    torch.testing.assert_close(masked, deleted, rtol=0, atol=1e-6)


def test_nan_travels_within_its_sequence_only():
    problem = Problem(([20, 20], [20, 20]), {}, torch.float32)
    q, k, v = problem.leaves.values()
    k[25] = float("nan")
    out = varlen_attention(q, k, v, *problem.cu)
    assert out[:20].isfinite().all()
    assert out[20:].isnan().all()


def test_large_scores_do_not_overflow():
    problem = Problem(([40], [600]), {}, torch.float32)
    problem.leaves["q"] *= 100
    problem.leaves["k"] *= 100
    assert_no_worse(problem.run("native"), problem.run("reference"), problem.run("reference", torch.float64))


def test_a_row_depends_neither_on_the_others_nor_on_threads(monkeypatch):
    problem = Problem(
        ([700, 3, 200, 1400], [700, 3, 200, 1400]), VARIANTS["everything"], torch.float32, dim=8
    )
    runs = []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        runs.append(problem.run("native"))
    for a, b in pairwise(runs):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    rows = slice(703, 903)
    part = {name: t if name == "rel_bias" else t[rows] for name, t in problem.leaves.items()}
    options = {
        name: value[rows] if isinstance(value, Tensor) else value for name, value in problem.options.items()
    }
    alone = varlen_attention(
        cu_seqlens_q=torch.tensor([0, 200]).int(),
        cu_seqlens_k=torch.tensor([0, 200]).int(),
        **part,
        **options,
    )
    assert torch.equal(alone, runs[0][0][rows])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_no_scores_are_kept():
    """All of them would be 256 MiB: too much for malloc to take from what an earlier test gave back."""

    def resident(what: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1])

    problem = Problem(([8192], [8192]), {"table": 16, "keys": True}, torch.float32, heads=1, dim=8)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    problem.run("native")
    assert resident("VmHWM") - before < 32 * 1024


def test_views_are_read_in_place():
    fused = torch.randn(30, 3, 4, 8)
    cu = torch.tensor([0, 11, 30]).int()
    expected = varlen_attention(*(t.contiguous() for t in fused.unbind(1)), cu, cu)
    assert torch.equal(varlen_attention(*fused.unbind(1), cu, cu), expected)
    other = fused.transpose(2, 3).contiguous().transpose(2, 3)  # numbers of a head are not neighbours
    assert torch.equal(varlen_attention(*other.unbind(1), cu, cu), expected)


def test_no_sequences_and_no_rows():
    none = torch.empty(0, 2, 4)
    for starts in ([0], [0, 0, 0]):
        cu = torch.tensor(starts).int()
        assert varlen_attention(none, none, none, cu, cu).shape == (0, 2, 4)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4),
    heads=st.integers(1, 3),
    dim=st.integers(1, 20),
    variant=st.sampled_from(list(VARIANTS)),
    seed=st.integers(0, 99),
)
def test_random_problems(lengths, heads, dim, variant, seed):
    sides = tuple(list(side) for side in zip(*lengths, strict=True))
    problem = Problem(sides, VARIANTS[variant], torch.float64, heads, dim, seed)
    for ours, exact in zip(problem.run("native"), problem.run("reference"), strict=True):
        torch.testing.assert_close(ours, exact, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (16, 64), (8, 100)])
def test_t5_table_is_that_of_transformers(bidirectional, buckets, max_distance):
    t5 = pytest.importorskip("transformers.models.t5.modeling_t5", reason="needs transformers")
    weight = torch.randn(buckets, 4)
    table = t5_bias_table(weight, bidirectional, max_distance)
    distance = torch.arange(-3 * max_distance, 3 * max_distance + 1)
    theirs = t5.T5Attention._relative_position_bucket(distance, bidirectional, buckets, max_distance)
    entry = distance.clamp(-max_distance, max_distance) + max_distance
    assert torch.equal(table[entry], weight[theirs])


def test_t5_table_passes_gradients_to_its_buckets():
    weight = torch.randn(32, 3, requires_grad=True, dtype=torch.float64)
    assert torch.autograd.gradcheck(t5_bias_table, [weight])


def test_wrong_arguments_are_named():
    problem = Problem(([5, 4], [5, 4]), VARIANTS["everything"], torch.float32)
    good = {**problem.leaves, **problem.options, "cu_seqlens_q": problem.cu[0], "cu_seqlens_k": problem.cu[1]}
    q, cu = good["q"], problem.cu[0]
    bad = [
        ("q", q[0], InputError, r"q: expected \[N, H, Dh\]"),
        ("q", q.int(), InputTypeError, "q: expected float32"),
        ("k", good["k"].double(), InputTypeError, "k: expected float64 exactly when q is"),
        ("k", good["k"].half(), InputTypeError, "k: expected the dtype of q"),
        ("k", good["k"][:, :2], InputError, r"k: expected \[Nk, 3, 16\]"),
        ("v", good["v"][1:], InputError, "v: expected the shape of k"),
        ("v", None, InputTypeError, "v: expected a torch tensor"),
        ("cu_seqlens_q", cu.long(), InputTypeError, "cu_seqlens_q: expected int32"),
        ("cu_seqlens_q", cu[:2], InputError, "cu_seqlens_q: expected to rise from 0 to the 9 rows of q"),
        ("cu_seqlens_k", torch.tensor([0, 6, 5, 9]).int(), InputError, "cu_seqlens_k: expected to rise"),
        ("cu_seqlens_k", torch.tensor([0, 9]).int(), InputError, "cu_seqlens_k: expected 2 sequences"),
        ("positions_q", cu, InputError, r"positions_q: expected \[9\]"),
        ("positions_k", torch.zeros(9), InputTypeError, "positions_k: expected int32"),
        ("rel_bias", torch.zeros(10, 3), InputError, r"rel_bias: expected \[2R\+1, 3\]"),
        ("key_bias", torch.zeros(8), InputError, r"key_bias: expected \[9\]"),
        ("scale", float("nan"), InputError, "scale: expected a finite number"),
        ("impl", "cuda", InputError, "impl: expected one of"),
        ("impl", "triton", Unavailable, "needs CUDA tensors"),
    ]
    for name, value, error, message in bad:
        with pytest.raises(error, match=message):
            varlen_attention(**{**good, name: value})
    for arguments in ({"weight": torch.zeros(31, 2)}, {"weight": torch.zeros(32, 2), "max_distance": 8}):
        with pytest.raises(InputError):
            t5_bias_table(**arguments)
