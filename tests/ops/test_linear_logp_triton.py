"""The Triton kernels of linear_logp, interpreted on the CPU (see conftest.py), against float64.

bfloat16 is not here: the interpreter gets it silently wrong. It is left to the ahead-of-time gate, and to a
GPU where there is one.
"""

from itertools import pairwise

import pytest
import torch
from guards import DEVICE, DTYPES, GPU, guarded

from pyfastlm.ops import linear_logp
from pyfastlm.ops.reference import linear_logp as reference

pytest.importorskip("triton")

# Both sides of a `where` are computed, so the interpreter's numpy warns about values that nobody uses.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter")

SHAPES = [(1, 1, 1), (37, 123, 507), (130, 64, 257), (5, 48, 1100)]
VARIANTS = [
    {},
    {"softcap": 2.0},
    {"softcap": 30.0, "bias": True, "logit_scale": -1.3},
]
IGNORE = reference.IGNORE


@pytest.fixture
def kernels(poisoned):
    from pyfastlm.kernels import linear_logp as module

    return module


class Problem:
    """Random inputs; the truth in float64, torch in the same dtypes, and the kernels, each in one list:
    logp, entropy, gradients of hidden, weight and bias."""

    def __init__(self, shape, variant, dtypes, *, gap=3, seed=0):
        rows, dim, vocab = shape
        random = torch.Generator().manual_seed(seed)
        self.hidden = torch.randn(rows, dim, generator=random).to(dtypes[0])
        self.weight = (torch.randn(vocab, dim, generator=random) / 2).to(dtypes[1])
        self.bias = torch.randn(vocab, generator=random).to(dtypes[1]) if variant.get("bias") else None
        self.targets = torch.randint(0, vocab, (rows,), generator=random)
        self.targets[3::5] = IGNORE
        self.softcap, self.logit_scale = variant.get("softcap"), variant.get("logit_scale", 1.0)
        self.grad_logp, self.grad_entropy = torch.randn(2, rows, generator=random)
        self.gap = gap

    def inputs(self):
        tensors = (self.hidden, self.weight, self.targets, self.bias)
        hidden, weight, targets, bias = (guarded(t, self.gap) for t in tensors)
        return hidden, weight, targets, bias, self.softcap, self.logit_scale

    def forward(self, kernels, argmax=True, entropy=True):
        return kernels.forward(*self.inputs(), argmax, entropy)

    def kernels(self, kernels):
        logp, _, entropy, lse = self.forward(kernels, argmax=False)
        upstream = (guarded(self.grad_logp), guarded(self.grad_entropy))
        state = (guarded(lse), guarded(entropy))
        return [logp, entropy, *kernels.backward(*upstream, *self.inputs(), *state, True, True, True)]

    def torch(self, dtype=None, naive=False):
        leaves = [
            None if t is None else t.to(dtype or t.dtype).requires_grad_()
            for t in (self.hidden, self.weight, self.bias)
        ]
        function = _naive if naive else reference.linear_logp
        logp, _, entropy = function(
            *leaves[:2], self.targets, bias=leaves[2], softcap=self.softcap, logit_scale=self.logit_scale
        )
        loss = (logp * self.grad_logp.to(logp.dtype)).sum() + (
            entropy * self.grad_entropy.to(logp.dtype)
        ).sum()
        grads = torch.autograd.grad(loss, [t for t in leaves if t is not None])
        return [logp, entropy, *grads, *([None] if leaves[2] is None else [])]


def _naive(hidden, weight, targets, **options):
    """Every tensor in the dtype of the inputs, as training code without care has it."""
    z = reference.logits(hidden, weight, options["bias"], options["softcap"], options["logit_scale"])
    log_p = z.log_softmax(-1)
    scored = targets != IGNORE
    logp = log_p.gather(1, targets.where(scored, 0).unsqueeze(1)).squeeze(1).where(scored, 0.0)
    return logp, z.argmax(-1), -(log_p.exp() * log_p).sum(-1)


def assert_no_worse(got, allowed, exact):
    """Error against float64 at most that of torch, plus two roundings of the largest result."""
    assert got.shape == exact.shape
    got = got.cpu()
    ours, theirs = ((t.double() - exact).abs().max().item() for t in (got, allowed))
    rounding = torch.finfo(got.dtype).eps * max(1.0, exact.abs().max().item())
    assert ours <= theirs + 2 * rounding, (ours, theirs, rounding)


def check(problem, kernels):
    got, exact = problem.kernels(kernels), problem.torch(torch.float64)
    careful, naive = problem.torch(), problem.torch(naive=problem.hidden.dtype == problem.weight.dtype)
    for ours, theirs, truth in zip(got[:2], careful[:2], exact[:2], strict=True):
        assert ours.dtype == torch.float32
        assert_no_worse(ours, theirs, truth)
    for ours, theirs, truth in zip(got[2:], naive[2:], exact[2:], strict=True):
        assert (ours is None) == (truth is None)
        if ours is not None:
            assert ours.dtype == theirs.dtype
            assert_no_worse(ours, theirs, truth)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_match(kernels, shape, variant, dtype):
    check(Problem(shape, variant, (dtype, dtype)), kernels)


@pytest.mark.parametrize("dtypes", [("float32", "float16"), ("float16", "float32")], ids="x".join)
def test_mixed_dtypes(kernels, dtypes):
    from pyfastlm.kernels import _logits

    problem = Problem((19, 40, 77), {"bias": True}, [getattr(torch, name) for name in dtypes])
    check(problem, kernels)
    assert _logits.blocks_for(problem.hidden, problem.weight) is _logits.MIXED


def test_every_configuration_is_met(kernels):
    """Aligned rows of 16 bits take the large tile, others the small one; their results are the same."""
    from pyfastlm.kernels import _logits

    aligned, odd = (Problem((37, 64, 300), {"bias": True}, [torch.float16] * 2, gap=gap) for gap in (16, 3))
    chosen = [_logits.blocks_for(*problem.inputs()[:2]) for problem in (aligned, odd)]
    # The last row ends at the end of a page, so that the first begins on a multiple of 16 bytes.
    assert chosen == ([_logits.HALF] * 2 if GPU else [_logits.HALF, _logits.HALF_ODD])
    check(aligned, kernels)
    for a, b in zip(aligned.forward(kernels), odd.forward(kernels), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_the_number_of_splits_does_not_matter(kernels, monkeypatch):
    problem = Problem((37, 30, 600), {"bias": True}, (torch.float32, torch.float32))
    runs = []
    for length, splits in ((1024, 1), (384, 2), (128, 5)):
        assert -(-600 // length) == splits
        monkeypatch.setattr(kernels, "VOCAB_PER_SPLIT", length)
        runs.append(problem.forward(kernels))
    exact, _, entropy = reference.linear_logp(
        problem.hidden.double(), problem.weight.double(), problem.targets, bias=problem.bias.double()
    )
    for logp, _, spread, _ in runs:
        assert (logp.cpu() - exact).abs().max() < 2e-6
        assert (spread.cpu() - entropy).abs().max() < 2e-6
    for a, b in pairwise(runs):
        assert torch.equal(a[1], b[1])
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-6)


def test_many_splits_are_merged_in_groups(kernels, monkeypatch):
    monkeypatch.setattr(kernels, "VOCAB_PER_SPLIT", 128)
    monkeypatch.setattr(kernels, "COMBINE_SPLITS", 4)
    vocab = 128 * 10 - 5
    problem = Problem((40, 8, vocab), {}, (torch.float32, torch.float32))
    problem.weight[-1] = problem.hidden[1] * 9  # the best is in the last range
    logp, best, entropy, _ = problem.forward(kernels)
    exact = reference.linear_logp(problem.hidden.double(), problem.weight.double(), problem.targets)
    torch.testing.assert_close(logp.cpu().double(), exact[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(entropy.cpu().double(), exact[2], rtol=1e-6, atol=1e-6)
    assert torch.equal(best.cpu(), exact[1])
    assert best[1] == vocab - 1


def test_a_row_does_not_depend_on_the_others(kernels):
    from pyfastlm.kernels import _logits

    problem = Problem((200, 20, 300), {}, (torch.float32, torch.float32))
    whole = problem.forward(kernels)
    block = _logits.SINGLE.rows  # the interpreter's BLAS, unlike a GPU, minds where in a tile a row lies
    for rows in (slice(0, 1), slice(block, 190), slice(2 * block, 2 * block + 1)):
        hidden, targets = problem.hidden[rows], problem.targets[rows]
        part = kernels.forward(
            guarded(hidden), guarded(problem.weight), guarded(targets), None, None, 1.0, True, True
        )
        assert all(torch.equal(a, b[rows]) for a, b in zip(part, whole, strict=True))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_workspace_is_bounded_and_its_chunks_do_not_matter(kernels, monkeypatch, poisoned, dtype):
    from pyfastlm.kernels import linear_logp_backward

    problem = Problem((70, 24, 300), {"bias": True, "softcap": 5.0}, (dtype, dtype))
    whole = problem.kernels(kernels)
    monkeypatch.setattr(linear_logp_backward, "WORKSPACE_ROWS", 64)
    monkeypatch.setattr(linear_logp_backward, "WORKSPACE_BYTES", 64 * 128 * dtype.itemsize)
    poisoned.clear()
    chunks = problem.kernels(kernels)
    floats = [count for buffer, count in poisoned if buffer.dtype == dtype]
    assert max(floats) == 64 * 128  # 2 x 3 chunks
    for a, b in zip(whole, chunks, strict=True):
        largest = a.abs().max().item()
        torch.testing.assert_close(a, b, rtol=0, atol=8 * torch.finfo(a.dtype).eps * largest)


def test_only_what_is_asked_for_is_computed(kernels):
    problem = Problem((9, 10, 40), {"bias": True}, (torch.float32, torch.float32))
    logp, best, entropy, lse = problem.forward(kernels, argmax=False, entropy=False)
    assert (best.shape, entropy.shape) == ((0,), (0,))
    assert best.dtype == torch.int64
    everything = problem.forward(kernels)
    assert torch.equal(logp, everything[0])
    assert torch.equal(lse, everything[3])
    state = (lse, None)
    full = kernels.backward(guarded(problem.grad_logp), None, *problem.inputs(), *state, True, True, True)
    for i in range(3):
        needs = [j == i for j in range(3)]
        one = kernels.backward(guarded(problem.grad_logp), None, *problem.inputs(), *state, *needs)
        assert [g is None for g in one] == [not n for n in needs]
        assert torch.equal(one[i], full[i])


def test_no_rows(kernels):
    hidden, weight = torch.zeros(0, 4, device=DEVICE), torch.randn(9, 4, device=DEVICE)
    bias, targets = torch.zeros(9, device=DEVICE), torch.zeros(0, dtype=torch.int64, device=DEVICE)
    out = kernels.forward(hidden, weight, targets, bias, None, 1.0, True, True)
    assert [tuple(t.shape) for t in out] == [(0,)] * 4
    nothing = torch.zeros(0, device=DEVICE)
    grads = kernels.backward(
        nothing, nothing, hidden, weight, targets, bias, None, 1.0, nothing, nothing, True, True, True
    )
    assert [tuple(g.shape) for g in grads] == [(0, 4), (9, 4), (9,)]
    assert all(g.eq(0).all() for g in grads)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_all_ignored_gives_zero_and_no_gradient(kernels, dtype):
    problem = Problem((8, 5, 7), {"bias": True}, (dtype, dtype))
    problem.hidden.fill_(float("nan"))
    problem.targets.fill_(IGNORE)
    logp, _, _, lse = problem.forward(kernels)
    assert logp.eq(0).all()
    grads = kernels.backward(guarded(problem.grad_logp), None, *problem.inputs(), lse, None, True, True, True)
    assert all(g.eq(0).all() for g in grads)


@pytest.mark.parametrize("target", [7, -1, -99, 2**31, 2**32 + 3, -(2**40)])
def test_a_target_outside_the_vocabulary_gives_nan(kernels, target):
    problem = Problem((4, 5, 7), {}, (torch.float32, torch.float32))
    problem.targets = torch.tensor([0, target, IGNORE, 6])
    logp, _, _, lse = problem.forward(kernels)
    assert logp.isnan().tolist() == [False, True, False, False]
    grad, _, _ = kernels.backward(
        guarded(problem.grad_logp), None, *problem.inputs(), lse, None, True, False, False
    )
    assert grad.isnan().any(1).tolist() == [False, True, False, False]


def test_argmax_takes_the_lowest_among_equals(kernels, monkeypatch):
    monkeypatch.setattr(kernels, "VOCAB_PER_SPLIT", 256)
    monkeypatch.setattr(kernels, "COMBINE_SPLITS", 2)
    weight = torch.zeros(700, 3)
    weight[[17, 130, 300, 699], 0] = 1.0
    weight[[140, 141, 650], 1] = 1.0
    hidden = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 0], [-1.0, -1.0, 0]])
    targets = torch.zeros(4, dtype=torch.int64)
    best = kernels.forward(guarded(hidden), guarded(weight), guarded(targets), None, None, 1.0, True, False)[
        1
    ]
    assert best.tolist() == [17, 140, 0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("row", [0, 31, 299])
def test_bad_weights_travel(kernels, monkeypatch, bad, row):
    monkeypatch.setattr(kernels, "VOCAB_PER_SPLIT", 128)
    problem = Problem((3, 6, 300), {}, (torch.float32, torch.float32))
    problem.hidden.abs_().add_(0.1)
    problem.weight[row, 2] = bad
    problem.targets = torch.tensor([0, 31, 5])
    logp, best, entropy, _ = problem.forward(kernels)
    exact = reference.linear_logp(problem.hidden, problem.weight, problem.targets)
    torch.testing.assert_close(logp.cpu(), exact[0], equal_nan=True, rtol=1e-5, atol=1e-5)
    assert torch.equal(best.cpu(), exact[1])
    if bad == -float("inf"):  # a logit of -inf: probability 0, and no NaN from 0 times infinity
        assert torch.isfinite(entropy).all()
        got, truth = problem.kernels(kernels), problem.torch(torch.float64)
        assert torch.isfinite(got[3]).all() or not torch.isfinite(truth[3]).all()
    else:
        assert entropy.isnan().all()


def test_masked_vocabulary(kernels, monkeypatch):
    """A bias of -inf takes entries out, even whole tiles and ranges; a row without any entry is NaN."""
    monkeypatch.setattr(kernels, "VOCAB_PER_SPLIT", 128)
    problem = Problem((6, 9, 400), {"bias": True}, (torch.float32, torch.float32))
    problem.bias[:270] = -float("inf")
    problem.targets = torch.tensor([300, 399, 280, 5, IGNORE, 390])
    got = problem.kernels(kernels)
    exact = reference.linear_logp(
        problem.hidden.double(), problem.weight.double(), problem.targets, bias=problem.bias.double()
    )
    torch.testing.assert_close(got[0].cpu().double(), exact[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(got[1].cpu().double(), exact[2], rtol=1e-6, atol=1e-6)
    assert torch.equal(problem.forward(kernels)[1].cpu(), exact[1])
    assert all(torch.isfinite(g).all() for g in got[2:])
    assert got[3][:270].abs().sum(1).ne(0).nonzero().tolist() == [[5]]  # only the impossible target
    problem.bias.fill_(-float("inf"))
    logp, best, _, lse = problem.forward(kernels)
    assert logp.isnan().tolist() == [True] * 4 + [False, True]
    assert best.eq(0).all()
    assert lse.eq(-float("inf")).all()


def test_large_logits_do_not_overflow(kernels):
    hidden, weight = torch.full((2, 4), 100.0), torch.tensor([[1.0] * 4, [-1.0] * 4, [0.99] * 4])
    targets = torch.tensor([0, 1])
    logp, _, entropy, _ = kernels.forward(
        guarded(hidden), guarded(weight), guarded(targets), None, None, 1.0, False, True
    )
    exact = reference.linear_logp(hidden.double(), weight.double(), targets)
    torch.testing.assert_close(logp.cpu().double(), exact[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(entropy.cpu().double(), exact[2], rtol=1e-4, atol=1e-6)


def test_very_negative_logits_do_not_underflow(kernels):
    """What lies past the rows and the vocabulary must not be taken for the maximum."""
    problem = Problem((5, 8, 70), {"bias": True}, (torch.float32, torch.float32))
    problem.bias -= 400
    logp, best, entropy, lse = problem.forward(kernels)
    exact = reference.linear_logp(
        problem.hidden.double(), problem.weight.double(), problem.targets, bias=problem.bias.double()
    )
    for ours, truth in ((logp, exact[0]), (entropy, exact[2])):  # logits of 400 hold 1.5e-5
        torch.testing.assert_close(ours.cpu().double(), truth, rtol=0, atol=1e-4)
    assert torch.equal(best.cpu(), exact[1])
    assert (lse < -300).all()


def test_small_gradients_survive_float16(kernels):
    """1e-6 times a probability is nothing in float16; a gradient that sums many of them is something."""
    problem = Problem((64, 32, 500), {}, (torch.float16, torch.float16))
    problem.weight.mul_(0.2)
    problem.grad_logp.fill_(1e-6)
    problem.targets.fill_(3)
    problem.weight[3] = 0  # leaves the hidden states to the probabilities of the others
    _, _, _, lse = problem.forward(kernels)
    args = (guarded(problem.grad_logp), None, *problem.inputs(), lse, None)
    got = kernels.backward(*args, True, True, False)
    hidden, weight = (t.double().requires_grad_() for t in (problem.hidden, problem.weight))
    logp = reference.linear_logp(hidden, weight, problem.targets)[0]
    exact = torch.autograd.grad(1e-6 * logp.sum(), [hidden, weight])
    for ours, truth in zip(got, exact, strict=False):
        spacing = 2.0**-24  # of float16 near 0; rounding to nearest costs half of it
        assert (ours.cpu().double() - truth).abs().max() <= 0.55 * spacing + 1e-3 * truth.abs().max()
    assert got[1].ne(0).any()


def test_float64_is_refused(kernels):
    x = torch.zeros(2, 3, dtype=torch.float64)
    with pytest.raises(TypeError, match="float64"):
        kernels.forward(x, x, torch.zeros(2, dtype=torch.int64), None, None, 1.0, False, False)


@pytest.mark.parametrize("softcap", [None, 4.0])
def test_the_op_reaches_the_kernels(softcap):
    problem = Problem((11, 12, 50), {"bias": True}, (torch.float32, torch.float32))

    def run(impl):
        leaves = [t.to(DEVICE).requires_grad_() for t in (problem.hidden, problem.weight, problem.bias)]
        out = linear_logp(
            *leaves[:2],
            problem.targets.to(DEVICE),
            bias=leaves[2],
            softcap=softcap,
            argmax=True,
            entropy=True,
            impl=impl,
        )
        loss = (out.logp * problem.grad_logp.to(DEVICE)).sum() + out.entropy.sum()
        return [*out, *torch.autograd.grad(loss, leaves)]

    for ours, theirs in zip(run("triton"), run("reference"), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_opcheck():
    problem = Problem((5, 7, 23), {"bias": True}, (torch.float32, torch.float32))
    leaves = [t.to(DEVICE).requires_grad_() for t in (problem.hidden, problem.weight, problem.bias)]
    args = (*leaves[:2], problem.targets.to(DEVICE), leaves[2], 0.0, 1.0, True, True, False, "triton")
    torch.library.opcheck(torch.ops.pyfastlm.linear_logp.default, args)
