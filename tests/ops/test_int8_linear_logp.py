"""ops.int8_linear_logp: softmax of the exact sums of rounded numbers, near that of the unrounded."""

import pytest
import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import int8_linear, int8_linear_logp, int8_rows, int8_weight, linear_logp


def inputs(rows: int, dim: int, columns: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(size, generator=random) for size in ((rows, dim), (columns, dim), (columns,))]


@pytest.mark.parametrize("sum_bits", [16, 32])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 17, 65), (200, 40, 300), (13, 64, 9000)], ids=str)
@pytest.mark.parametrize("shaped", [False, True])
def test_log_probabilities(shape, shaped, sum_bits):
    x, weight, bias = inputs(*shape)
    rows, packed = int8_rows(x, sum_bits=sum_bits), int8_weight(weight, sum_bits=sum_bits)
    targets = torch.randint(0, shape[2], (shape[0],), generator=torch.Generator().manual_seed(1))
    targets[0] = -100
    options = {"bias": bias, "softcap": 5.0, "logit_scale": 0.3} if shaped else {}
    ours, theirs = (
        int8_linear_logp(rows, packed, targets, argmax=True, entropy=True, impl=impl, **options)
        for impl in ("native", "reference")
    )
    torch.testing.assert_close(ours.logp, theirs.logp, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(ours.entropy, theirs.entropy, rtol=1e-5, atol=2e-5)
    assert ours.logp[0] == 0
    logits = int8_linear(rows, packed, impl="reference").double()
    if shaped:
        logits = 5.0 * torch.tanh((0.3 * logits + bias.double()) / 5.0)
    best = logits.gather(1, ours.argmax[:, None])[:, 0]
    torch.testing.assert_close(best, logits.amax(-1))
    plain = int8_linear_logp(rows, packed, targets, **options)
    assert torch.equal(plain.logp, ours.logp)
    assert plain.argmax is plain.entropy is None


def test_log_probabilities_are_near():
    x, weight, _ = inputs(300, 576, 2000)
    x /= 8
    targets = torch.arange(300)
    found = int8_linear_logp(x, int8_weight(weight), targets).logp
    truth = linear_logp(x.double(), weight.double(), targets).logp
    assert (found - truth).abs().mean() < 0.06
    assert abs((found - truth).mean()) < 0.02


def test_what_is_not_finite_stays_where_it_is():
    x, weight, _ = inputs(30, 8, 20)
    x[4, 3], x[9, 0] = float("nan"), float("inf")
    found = int8_linear_logp(x, int8_weight(weight), torch.zeros(30, dtype=torch.int64), entropy=True)
    assert found.logp[[4, 9]].isnan().all()
    assert found.logp.isnan().sum() == 2


def test_a_row_depends_on_nothing_else(monkeypatch):
    x, weight, _ = inputs(2500, 24, 9000)
    packed, targets = int8_weight(weight), torch.arange(2500)
    whole = int8_linear_logp(x, packed, targets).logp
    for threads in ("1", "3"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        for rows in (slice(0, 1), slice(700, 2499)):
            assert torch.equal(int8_linear_logp(x[rows], packed, targets[rows]).logp, whole[rows])


def test_no_rows():
    x, weight, _ = inputs(0, 24, 90)
    found = int8_linear_logp(x, int8_weight(weight), torch.zeros(0, dtype=torch.int64), argmax=True)
    assert found.logp.shape == found.argmax.shape == (0,)


def test_wrong_arguments_are_named():
    x, weight, bias = inputs(6, 4, 5)
    packed, targets = int8_weight(weight), torch.zeros(6, dtype=torch.int64)
    learnt = x.clone().requires_grad_()
    bad = [
        ((learnt, packed, targets), {}, InputError, "hidden: expected no gradient"),
        ((int8_rows(x, keep=0.3), packed, targets), {}, InputError, "hidden: expected rows of which nothing"),
        ((x[None], packed, targets), {}, InputError, "hidden: expected"),
        ((x, packed, targets[:2]), {}, InputError, r"targets: expected \[6\]"),
        ((x, packed, targets + 5), {}, InputError, r"got 5 in row 0"),
        ((x, packed, targets), {"softcap": 0.0}, InputError, "softcap: expected"),
        ((x, packed, targets), {"bias": bias[:2]}, InputError, "bias: expected"),
        ((x, int8_weight(weight[:0]), targets), {}, InputError, "expected V >= 1"),
        (
            (x, packed, targets.int()),
            {},
            InputTypeError,
            "targets: expected int64",
        ),
        (
            (x, packed, targets),
            {"impl": "triton"},
            Unavailable,
            "has no int8_linear",
        ),
    ]
    for arguments, options, error, message in bad:
        with pytest.raises(error, match=message):
            int8_linear_logp(*arguments, **options)
