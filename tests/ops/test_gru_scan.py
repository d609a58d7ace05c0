"""ops.gru_scan against torch.nn.GRU over packed sequences: states, gradients, ragged rows, refusals."""

from typing import NamedTuple

import pytest
import torch
from judge import assert_no_worse, weighed
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import gru_scan

# (N, V, B, T): fewer units than a vector has, whole vectors and tails of every block of the backward pass;
# rows that fill register tiles and groups, and that do not.
SHAPES = [(1, 1, 1, 1), (5, 7, 4, 3), (16, 3, 9, 2), (48, 32, 70, 5), (64, 32, 33, 4), (65, 4, 8, 3)]
SHAPES += [(130, 5, 3, 2)]
IMPLS = ["native", "reference"]


class Problem(NamedTuple):
    table: Tensor
    ids: Tensor
    weight: Tensor
    bias: Tensor
    h0: Tensor | None
    lengths: Tensor | None
    grad_states: Tensor
    grad_last: Tensor

    def to(self, dtype: torch.dtype) -> "Problem":
        return Problem(*(t.to(dtype) if t is not None and t.is_floating_point() else t for t in self))

    def inputs(self, wanted: str = "twbh") -> tuple[list[Tensor], list[Tensor]]:
        """Leaves for table, weight, bias and h0, and those of them whose letter is wanted."""
        leaves = [
            t.clone().requires_grad_(letter in wanted)
            for letter, t in zip("twbh", (self.table, self.weight, self.bias, self.h0), strict=True)
            if t is not None
        ]
        return leaves, [t for t in leaves if t.requires_grad]

    def run(self, impl: str, wanted: str = "twbh") -> list[Tensor]:
        """States, last, and the gradients that are wanted."""
        leaves, differentiated = self.inputs(wanted)
        table, weight, bias, *h0 = leaves
        out = gru_scan(table, self.ids, weight, bias, *h0, lengths=self.lengths, impl=impl)
        loss = (out.states * self.grad_states).sum() + (out.last * self.grad_last).sum()
        return [t.detach() for t in (*out, *_gradients(loss, differentiated))]

    def torch(self) -> list[Tensor]:
        """The same by nn.GRU, whose input is the table itself: weight_ih is the identity."""
        wide, size = self.weight.shape
        rows, steps = self.ids.shape
        gru = torch.nn.GRU(wide, size, batch_first=True, dtype=self.table.dtype)
        leaves, _ = self.inputs()
        table, weight, bias, *h0 = leaves
        parameters = {"weight_ih_l0": torch.eye(wide, dtype=table.dtype), "weight_hh_l0": weight}
        parameters |= {"bias_ih_l0": torch.zeros(wide, dtype=table.dtype), "bias_hh_l0": bias}
        lengths = torch.full((rows,), steps) if self.lengths is None else self.lengths
        some = lengths > 0  # nn.GRU packs no empty rows
        start = h0[0] if h0 else torch.zeros(rows, size, dtype=table.dtype)
        states = torch.zeros(rows, steps, size, dtype=table.dtype)
        last = start.clone()
        if some.any():
            packed = pack_padded_sequence(
                table[self.ids[some]], lengths[some], batch_first=True, enforce_sorted=False
            )
            out, h = torch.func.functional_call(gru, parameters, (packed, start[some].unsqueeze(0)))
            padded, _ = pad_packed_sequence(out, batch_first=True, total_length=steps)
            states = states.index_put((some.nonzero().squeeze(1),), padded)
            last = last.index_put((some.nonzero().squeeze(1),), h.squeeze(0))
        loss = (states * self.grad_states).sum() + (last * self.grad_last).sum()
        return [t.detach() for t in (states, last, *_gradients(loss, leaves))]


def _gradients(loss: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    """Zeros where no row has a step."""
    return torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)


def problem(
    size: int, vocab: int, rows: int, steps: int, *, h0: bool = True, ragged: bool = False
) -> Problem:
    random = torch.Generator().manual_seed(size + rows)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    lengths = torch.randint(steps + 1, (rows,), generator=random)
    lengths[-1:] = steps
    return Problem(
        table=normal(vocab, 3 * size),
        ids=torch.randint(vocab, (rows, steps), generator=random),
        weight=normal(3 * size, size) / size**0.5,
        bias=normal(3 * size),
        h0=normal(rows, size) if h0 else None,
        lengths=lengths if ragged else None,
        grad_states=normal(rows, steps, size),
        grad_last=normal(rows, size),
    )


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_nn_gru(shape, dtype, impl):
    for h0 in (True, False):
        for ragged in (True, False):
            given = problem(*shape, h0=h0, ragged=ragged)
            truth = given.to(torch.float64).torch()
            got = given.to(dtype).run(impl)
            if dtype == torch.float64:
                torch.testing.assert_close(got, truth, rtol=1e-12, atol=1e-12)
            else:
                results = (got, given.torch(), truth)  # the gradient of h0 sums 3N products in one chain
                assert_no_worse(*(weighed(tensors, 5, 3 * shape[0]) for tensors in results))


def test_within_1e_5_of_nn_gru_at_the_sizes_that_are_trained():
    """Mean losses, as in training: sums over 256 rows would be as large as their roundings."""
    for size in (48, 64, 256):
        given = problem(size, 32, 256, 18, h0=False, ragged=True)
        given = given._replace(grad_states=given.grad_states / 256, grad_last=given.grad_last / 256)
        for ours, theirs in zip(given.run("native"), given.torch(), strict=True):
            assert (ours - theirs).abs().max() < 1e-5


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("ragged", [False, True])
def test_gradcheck(impl, ragged):
    given = problem(3, 4, 5, 3, ragged=ragged).to(torch.float64)
    leaves, _ = given.inputs()

    def run(table, weight, bias, h0):
        return tuple(gru_scan(table, given.ids, weight, bias, h0, lengths=given.lengths, impl=impl))

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("wanted", ["h", "t", "w", "b", "tw", "bh", "twb"])
def test_only_what_wants_a_gradient_gets_one_and_it_is_the_same(wanted):
    given = problem(20, 6, 40, 5, ragged=True)
    everything = dict(zip("twbh", given.run("native")[2:], strict=True))
    some = given.run("native", wanted)[2:]
    assert len(some) == len(wanted)
    for letter, gradient in zip(wanted, some, strict=True):
        assert torch.equal(gradient, everything[letter])


def test_a_frozen_model_keeps_nothing_for_weights(monkeypatch):
    from pyfastlm import _native

    rooms = ("table", "before_gates", "before_states")
    asked = []
    original = _native.gru_scan_backward

    def spy(*args, **keywords):
        asked.append({name for name in rooms if keywords[name]})
        return original(*args, **keywords)

    monkeypatch.setattr(_native, "gru_scan_backward", spy)
    given = problem(8, 3, 4, 5)
    given.run("native", "h")
    given.run("native")
    assert asked == [set(), set(rooms)]


def test_only_one_of_the_outputs_is_used():
    given = problem(12, 5, 9, 4, ragged=True)
    for states, last in ((True, False), (False, True)):
        zeros = given._replace(grad_states=given.grad_states * states, grad_last=given.grad_last * last)
        leaves, _ = given.inputs()
        table, weight, bias, h0 = leaves
        out = gru_scan(table, given.ids, weight, bias, h0, lengths=given.lengths, impl="native")
        loss = (out.states * given.grad_states).sum() if states else (out.last * given.grad_last).sum()
        got = torch.autograd.grad(loss, leaves)
        torch.testing.assert_close(list(got), zeros.run("native")[2:], rtol=0, atol=0)


def test_threads_do_not_matter(monkeypatch):
    given = problem(33, 9, 200, 6, ragged=True)
    runs = []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        runs.append(given.run("native")[:3])  # weight and bias come from torch's own products
    for other in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], other, strict=True))


@pytest.mark.parametrize("impl", IMPLS)
def test_a_row_does_not_depend_on_the_others(impl):
    given = problem(24, 5, 50, 4)
    whole = gru_scan(given.table, given.ids, given.weight, given.bias, given.h0, impl=impl)
    for rows in (slice(0, 1), slice(7, 30), slice(49, 50)):
        part = gru_scan(given.table, given.ids[rows], given.weight, given.bias, given.h0[rows], impl=impl)
        torch.testing.assert_close(part.states, whole.states[rows], rtol=1e-6, atol=1e-6)
        if impl == "native":
            assert torch.equal(part.states, whole.states[rows])
            assert torch.equal(part.last, whole.last[rows])


@pytest.mark.parametrize("impl", IMPLS)
def test_ids_past_the_length_are_not_looked_at(impl):
    given = problem(6, 4, 10, 5, ragged=True)
    past = torch.arange(5) >= given.lengths.unsqueeze(1)
    assert past.any()
    wild = given._replace(ids=given.ids.masked_fill(past, 2**40))
    for ours, theirs in zip(wild.run("native"), given.run("native"), strict=True):
        assert torch.equal(ours, theirs)
    assert given.run(impl)[0][past].eq(0).all()


@pytest.mark.parametrize("impl", IMPLS)
def test_gates_saturate_and_nan_stays_in_its_row(impl):
    given = problem(10, 3, 6, 4)
    table = given.table.clone()
    table[0], table[1] = 1e4, -1e4
    given = given._replace(table=table)
    truth = given.to(torch.float64).torch()
    for ours, exact in zip(given.run(impl), truth, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)
    h0 = given.h0.clone()
    h0[2, 3] = float("nan")
    out = gru_scan(given.table, given.ids, given.weight, given.bias, h0, impl=impl)
    assert out.last.isnan().any(1).nonzero().squeeze(1).tolist() == [2]


@pytest.mark.parametrize("impl", IMPLS)
def test_no_rows_and_no_steps(impl):
    for rows, steps in ((0, 3), (4, 0), (0, 0)):
        given = problem(7, 3, rows, steps)
        states, last, *gradients = given.run(impl)
        assert states.shape == (rows, steps, 7)
        assert torch.equal(last, given.h0)
        assert all(g.eq(0).all() for g in gradients[:3])
        assert torch.equal(gradients[3], given.grad_last)


def test_no_gradient_no_gates():
    given = problem(7, 3, 5, 4)
    with torch.no_grad():
        states = gru_scan(given.table, given.ids, given.weight, given.bias).states
    assert not states.requires_grad
    call = torch.ops.pyfastlm.gru_scan(*given[:4], None, None, False, "native")
    assert call[2].numel() == 0
    assert torch.equal(call[0], states)


def test_strides_are_followed():
    given = problem(9, 4, 6, 5)
    expected = gru_scan(given.table, given.ids, given.weight, given.bias, given.h0)
    turned = [t.T.contiguous().T for t in (given.table, given.ids, given.weight)]
    got = gru_scan(*turned, given.bias, given.h0.T.contiguous().T)
    assert torch.equal(got.states, expected.states)


def test_opcheck():
    given = problem(5, 4, 3, 4)  # not ragged: gates past a length stay unwritten, and differ
    leaves, _ = given.inputs()
    args = (leaves[0], given.ids, *leaves[1:], None, True, "native")
    torch.library.opcheck(torch.ops.pyfastlm.gru_scan.default, args)


def test_torch_compile_traces_through():
    given = problem(6, 4, 5, 3)

    def loss(h0: Tensor) -> Tensor:
        out = gru_scan(given.table, given.ids, given.weight, given.bias, h0 * 2)
        return out.states.square().sum() + out.last.sum()

    eager, traced = (given.h0.clone().requires_grad_() for _ in range(2))
    loss(eager).backward()
    torch.compile(loss, backend="aot_eager", fullgraph=True)(traced).backward()
    assert torch.equal(eager.grad, traced.grad)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"table": torch.zeros(4, 14)}, InputError, r"table: expected \[V, 15\]"),
        ({"table": torch.zeros(0, 15)}, InputError, "table: expected"),
        ({"table": torch.zeros(4, 15).half()}, InputTypeError, "table: expected float32 or float64"),
        ({"ids": torch.zeros(3, 2, dtype=torch.int32)}, InputTypeError, "ids: expected int64"),
        ({"ids": torch.zeros(3, dtype=torch.int64)}, InputError, r"ids: expected \[B, T\]"),
        ({"ids": torch.full((3, 2), 4)}, InputError, r"ids: expected values in \[0, 4\), got 4 in row 0"),
        ({"ids": torch.tensor([[0, 0], [0, -1], [0, 0]])}, InputError, "got -1 in row 1, step 1"),
        ({"weight_hh": torch.zeros(15)}, InputError, "weight_hh: expected"),
        ({"weight_hh": torch.zeros(16, 5)}, InputError, r"weight_hh: expected \[15, 5\]"),
        (
            {"weight_hh": torch.zeros(15, 5).double()},
            InputTypeError,
            "weight_hh: expected the dtype of table",
        ),
        ({"bias_hh": torch.zeros(14)}, InputError, "bias_hh: expected"),
        ({"h0": torch.zeros(2, 5)}, InputError, r"h0: expected \[3, 5\]"),
        ({"lengths": torch.zeros(2, dtype=torch.int64)}, InputError, r"lengths: expected \[3\]"),
        ({"lengths": torch.zeros(3)}, InputTypeError, "lengths: expected int64"),
        (
            {"lengths": torch.tensor([1, 3, 0])},
            InputError,
            r"lengths: expected values in \[0, 2\], got 3 in row 1",
        ),
        ({"lengths": torch.tensor([1, 0, -1])}, InputError, "got -1 in row 2"),
        ({"table": [1.0]}, InputTypeError, "table: expected a torch tensor"),
        ({"impl": "fast"}, InputError, "impl: expected one of"),
        ({"impl": "triton"}, Unavailable, "triton"),
    ],
)
def test_refusals(changed, error, message):
    arguments = {
        "table": torch.zeros(4, 15),
        "ids": torch.zeros(3, 2, dtype=torch.int64),
        "weight_hh": torch.zeros(15, 5),
        "bias_hh": torch.zeros(15),
    }
    gru_scan(**arguments)
    for impl in IMPLS:
        with pytest.raises(error, match=message):
            gru_scan(**({"impl": impl} | arguments | changed))
