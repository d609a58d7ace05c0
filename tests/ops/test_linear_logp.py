"""ops.linear_logp against full logits in double precision: values, gradients, edges, refusals."""

import os
import pickle
import subprocess
import sys
import threading
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import assert_no_worse
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import linear_logp

SHAPES = [(1, 1, 1), (7, 5, 11), (37, 123, 507), (6, 16, 16), (13, 33, 4099), (257, 24, 300)]
VARIANTS = [
    {},
    {"softcap": 3.0},
    {"bias": True},
    {"logit_scale": -0.7},
    {"softcap": 5.0, "bias": True, "logit_scale": 1.3},
]


class Problem:
    """Random inputs in one dtype, and the same numbers in float64 for the truth."""

    def __init__(self, shape: tuple[int, int, int], variant: dict, dtype: torch.dtype, seed: int = 0) -> None:
        rows, dim, vocab = shape
        random = torch.Generator().manual_seed(seed)

        def normal(*size: int, scale: float = 1.0) -> Tensor:
            return (scale * torch.randn(*size, generator=random)).to(dtype)

        self.hidden, self.weight = normal(rows, dim), normal(vocab, dim, scale=0.5)
        self.bias = normal(vocab) if variant.get("bias") else None
        self.targets = torch.randint(0, vocab, (rows,), generator=random)
        self.targets[3::5] = -100
        self.options = {k: v for k, v in variant.items() if k != "bias"}
        self.upstream = torch.randn(rows, generator=random), torch.randn(rows, generator=random)

    def run(self, impl: str, dtype: torch.dtype | None = None, *, frozen: bool = False) -> list[Tensor]:
        """Results and gradients, in the order logp, entropy, gradients of hidden, weight, bias."""
        hidden, weight, bias = (
            None
            if t is None
            else t.to(dtype or t.dtype).clone().requires_grad_(not (frozen and t is not self.hidden))
            for t in (self.hidden, self.weight, self.bias)
        )
        out = linear_logp(
            hidden, weight, self.targets, bias=bias, entropy=not frozen, impl=impl, **self.options
        )
        loss = (out.logp * self.upstream[0].to(out.logp.dtype)).sum()
        if not frozen:
            loss = loss + (out.entropy * self.upstream[1].to(out.logp.dtype)).sum()
        leaves = [t for t in (hidden, weight, bias) if t is not None and t.requires_grad]
        return [out.logp, *([] if frozen else [out.entropy]), *torch.autograd.grad(loss, leaves)]


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_match(shape, variant, dtype, frozen):
    problem = Problem(shape, variant, dtype)
    truth = problem.run("reference", torch.float64, frozen=frozen)
    if dtype == torch.float64:
        for ours, exact in zip(problem.run("native", frozen=frozen), truth, strict=True):
            torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12)
        return
    assert_no_worse(problem.run("native", frozen=frozen), problem.run("reference", frozen=frozen), truth)


def test_mixed_dtypes_widen_the_weights_only():
    problem = Problem((19, 40, 77), {"bias": True}, torch.float32)
    problem.weight = problem.weight.bfloat16()
    hidden = problem.hidden.requires_grad_()
    weight = problem.weight.requires_grad_()
    out = linear_logp(hidden, weight, problem.targets, bias=problem.bias)
    exact = linear_logp(
        hidden.double(), weight.double(), problem.targets, bias=problem.bias.double(), impl="reference"
    )
    torch.testing.assert_close(out.logp.double(), exact.logp, rtol=0, atol=1e-5)
    grads = torch.autograd.grad(out.logp.sum(), [hidden, weight])
    assert [g.dtype for g in grads] == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("trained", ["hidden", "weight", "both", "all"])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_gradcheck(variant, trained):
    problem = Problem((5, 7, 23), variant, torch.float64)
    leaves = [t for t in (problem.hidden, problem.weight, problem.bias) if t is not None]
    for i, leaf in enumerate(leaves):
        leaf.requires_grad_(trained in ("both", "all") or i == ("hidden", "weight").index(trained))

    def function(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
        entropy = trained == "all"
        out = linear_logp(hidden, weight, problem.targets, bias=bias, entropy=entropy, **problem.options)
        return (out.logp, out.entropy) if entropy else (out.logp,)

    assert torch.autograd.gradcheck(function, leaves)


def test_opcheck():
    problem = Problem((5, 7, 23), {"bias": True}, torch.float32)
    for trained in (False, True):
        args = (
            problem.hidden.clone().requires_grad_(),
            problem.weight.clone().requires_grad_(trained),
            problem.targets,
            problem.bias,
            0.0,
            1.0,
            trained,
            trained,
            not trained,
            "native",
        )
        torch.library.opcheck(torch.ops.pyfastlm.linear_logp.default, args)


def test_torch_compile_traces_through():
    problem = Problem((9, 12, 31), {}, torch.float32)

    def loss(hidden: Tensor, weight: Tensor) -> Tensor:
        return -linear_logp(hidden * 2, weight, problem.targets).logp.mean()

    inputs = [problem.hidden.requires_grad_(), problem.weight.requires_grad_()]
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    expected, got = loss(*inputs), compiled(*inputs)
    torch.testing.assert_close(got, expected)
    for a, b in zip(torch.autograd.grad(got, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(a, b)


def test_tied_weight_collects_both_gradients():
    table = torch.randn(50, 8, requires_grad=True)
    tokens = torch.randint(0, 50, (20,))
    for impl in ("native", "reference"):
        out = linear_logp(torch.nn.functional.embedding(tokens[:-1], table), table, tokens[1:], impl=impl)
        (grad,) = torch.autograd.grad(out.logp.sum(), table)
        if impl == "native":
            native = grad
    torch.testing.assert_close(native, grad)


def test_no_rows():
    out = linear_logp(
        torch.empty(0, 4), torch.randn(9, 4), torch.empty(0, dtype=torch.int64), argmax=True, entropy=True
    )
    assert [tuple(t.shape) for t in out] == [(0,)] * 3
    weight = torch.randn(9, 4, requires_grad=True)
    out = linear_logp(torch.empty(0, 4), weight, torch.empty(0, dtype=torch.int64))
    assert torch.autograd.grad(out.logp.sum(), weight)[0].eq(0).all()


def test_all_ignored_gives_zero_and_no_gradient():
    hidden = torch.full((8, 5), float("nan")).requires_grad_()
    weight = torch.randn(7, 5)
    for trained in (False, True):
        out = linear_logp(hidden, weight.clone().requires_grad_(trained), torch.full((8,), -100))
        assert out.logp.eq(0).all()
        assert torch.autograd.grad(out.logp.sum(), hidden)[0].eq(0).all()


@pytest.mark.parametrize("impl", ["native", "reference"])
def test_argmax_takes_the_lowest_among_equals(impl):
    weight = torch.zeros(9000, 3)
    weight[[17, 5000, 8999], 0] = 1.0
    hidden = torch.tensor([[1.0, 0, 0], [0, 0, 0], [-1.0, 0, 0]])
    out = linear_logp(hidden, weight, torch.zeros(3, dtype=torch.int64), argmax=True, impl=impl)
    assert out.argmax.tolist() == [17, 0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_bad_numbers_travel(bad):
    weight = torch.randn(40, 6)
    weight[31, 2] = bad
    hidden = torch.rand(3, 6) + 0.1
    native, reference = (
        linear_logp(hidden, weight, torch.tensor([0, 31, 5]), impl=impl).logp
        for impl in ("native", "reference")
    )
    torch.testing.assert_close(native, reference, equal_nan=True)


def test_large_logits_do_not_overflow():
    hidden, weight = torch.full((2, 4), 100.0), torch.tensor([[1.0] * 4, [-1.0] * 4, [0.99] * 4])
    out = linear_logp(hidden, weight, torch.tensor([0, 1]), entropy=True)
    exact = linear_logp(
        hidden.double(), weight.double(), torch.tensor([0, 1]), entropy=True, impl="reference"
    )
    torch.testing.assert_close(out.logp.double(), exact.logp)
    torch.testing.assert_close(out.entropy.double(), exact.entropy, atol=1e-6, rtol=1e-4)


def test_a_row_does_not_depend_on_the_others_nor_on_threads(monkeypatch):
    problem = Problem((2500, 20, 4500), {}, torch.float32)
    runs = []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        runs.append(linear_logp(problem.hidden, problem.weight, problem.targets).logp)
    assert all(torch.equal(a, b) for a, b in pairwise(runs))
    for rows in (slice(0, 1), slice(7, 700), slice(2400, 2500)):
        part = linear_logp(problem.hidden[rows], problem.weight, problem.targets[rows]).logp
        assert torch.equal(part, runs[0][rows])


def test_views_are_read_as_they_are():
    problem = Problem((12, 10, 30), {}, torch.float32)
    expected = linear_logp(problem.hidden, problem.weight, problem.targets).logp
    wide = torch.full((12, 25), float("nan"))
    wide[:, 3:13] = problem.hidden
    view = linear_logp(
        wide[:, 3:13], problem.weight.T.contiguous().T, problem.targets.repeat_interleave(2)[::2]
    )
    assert torch.equal(view.logp, expected)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 20),
    dim=st.integers(1, 70),
    vocab=st.integers(1, 200),
    size=st.sampled_from([1e-3, 1.0, 30.0]),
    seed=st.integers(0, 2**16),
)
def test_any_shape(rows, dim, vocab, size, seed):
    random = torch.Generator().manual_seed(seed)
    hidden = size * torch.randn(rows, dim, generator=random)
    weight = torch.randn(vocab, dim, generator=random)
    targets = torch.randint(0, vocab, (rows,), generator=random)
    got = linear_logp(hidden, weight, targets).logp
    naive = linear_logp(hidden, weight, targets, impl="reference").logp
    exact = linear_logp(hidden.double(), weight.double(), targets, impl="reference").logp
    scale = max(1.0, exact.abs().max().item() if rows else 1.0, size * dim)
    if rows:
        assert (got - exact).abs().max() <= (naive - exact).abs().max() + 3e-7 * scale
        assert (got <= 1e-6 * scale).all()


H, W, T = torch.zeros(2, 3), torch.zeros(4, 3), torch.zeros(2, dtype=torch.int64)
REFUSED = {
    "hidden: expected [N, D]": {"hidden": torch.zeros(1, 2, 3)},
    "hidden: expected a torch tensor": {"hidden": [[1.0]]},
    "hidden: expected float32, bfloat16, float16 or float64, got torch.int64": {"hidden": H.long()},
    "weight: expected [V, 3]": {"weight": torch.zeros(4, 5)},
    "weight: expected [V, 3] with V >= 1": {"weight": torch.zeros(0, 3)},
    "weight: expected float64 exactly when hidden is": {"weight": W.double()},
    "weight: expected the device of hidden": {"weight": W.to("meta")},
    "weight: expected a dense tensor": {"weight": W.to_sparse()},
    "targets: expected int64": {"targets": T.int()},
    "targets: expected [2]": {"targets": T[:1]},
    "targets: expected values in [0, 4) or -100, got 9 in row 1": {"targets": torch.tensor([0, 9])},
    "targets: expected values in [0, 4) or -100, got -1 in row 0": {"targets": torch.tensor([-1, 0])},
    "bias: expected [4]": {"bias": torch.zeros(3)},
    "softcap: expected a positive finite number": {"softcap": 0.0},
    "logit_scale: expected a finite number": {"logit_scale": float("nan")},
    "impl: expected one of": {"impl": "cuda"},
}


@pytest.mark.parametrize("message", REFUSED, ids=lambda m: m[:40])
def test_refusals_name_the_argument(message):
    arguments = {"hidden": H, "weight": W, "targets": T} | REFUSED[message]
    with pytest.raises(InputError) as error:
        linear_logp(arguments.pop("hidden"), arguments.pop("weight"), arguments.pop("targets"), **arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_type_refusals_are_type_errors_too():
    with pytest.raises(InputTypeError):
        linear_logp(H, W, T.int())
    with pytest.raises(TypeError):
        linear_logp(H, W, T.int())


def test_an_implementation_asked_for_by_name_runs_or_says_why():
    with pytest.raises(Unavailable, match="native"):
        linear_logp(H.to("meta"), W.to("meta"), T.to("meta"), impl="native")


def test_triton_has_no_double_precision():
    with pytest.raises(Unavailable, match="float64"):
        linear_logp(H.double(), W.double(), T, impl="triton")


def test_second_derivatives_are_refused():
    hidden = H.clone().requires_grad_()
    (grad,) = torch.autograd.grad(linear_logp(hidden, W, T).logp.sum(), hidden, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(grad.sum(), hidden)


def test_results_pickle():
    out = linear_logp(H, W, T, argmax=True)
    again = pickle.loads(pickle.dumps(out))
    assert torch.equal(again.logp, out.logp)
    assert again.entropy is None


def test_threads_of_python_share_the_pool():
    problem = Problem((64, 32, 5000), {}, torch.float32)
    expected = linear_logp(problem.hidden, problem.weight, problem.targets).logp
    right = []

    def work() -> None:
        right.extend(
            torch.equal(linear_logp(problem.hidden, problem.weight, problem.targets).logp, expected)
            for _ in range(10)
        )

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(right) == 40
    assert all(right)


FORK = """
import os, torch
from pyfastlm.ops import linear_logp
torch.set_num_threads(2)
h, w, t = torch.randn(64, 16), torch.randn(9000, 16), torch.zeros(64, dtype=torch.int64)
expected = linear_logp(h, w, t).logp
child = os.fork()
if child == 0:
    import signal
    signal.alarm(30)
    os._exit(0 if torch.equal(linear_logp(h, w, t).logp, expected) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_goes_on_alone():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=120
    )
    assert run.stdout.strip() == "0", run.stderr


def test_the_environment_chooses_the_instruction_set():
    code = "from pyfastlm import backends; print(backends().native)"
    for isa, expected in (("portable", "instruction set portable"), ("mmx", "PYFASTLM_ISA")):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYFASTLM_ISA": isa},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert expected in run.stdout + run.stderr
