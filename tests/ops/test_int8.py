"""Numbers in 8 bits: an orthogonal rotation, right rounding, the same bits by C++ and torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError, Unavailable
from pyfastlm.ops import int8_linear, int8_rows, int8_weight
from pyfastlm.ops._int8 import native_sum_bits
from pyfastlm.ops.reference import int8_linear as reference

# One block, blocks narrower and wider than a vector, some and too many blocks to be mixed.
ZERO = {16: 97, 32: 128}
DIMS = [1, 2, 3, 4, 7, 20, 24, 48, 64, 65, 67, 96, 130, 260, 576, 768, 1000, 1536]


def normal(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dim", DIMS)
def test_the_rotation_is_orthogonal(dim):
    turned = reference.rotate(torch.eye(dim, dtype=torch.float64))
    torch.testing.assert_close(turned @ turned.T, torch.eye(dim, dtype=torch.float64))
    # The number that an outlier leaves where it is: that of a block and of a Hartley transform.
    blocks = dim // (dim & -dim)
    most = (2 / dim) ** 0.5 if blocks <= reference.MOST_BLOCKS else (dim & -dim) ** -0.5
    assert turned.abs().max() <= most + 1e-6


@pytest.mark.parametrize("sum_bits", [16, 32])
@pytest.mark.parametrize("dim", DIMS)
def test_both_find_the_same_bits(dim, sum_bits):
    x = normal(37, dim) * normal(37, 1, seed=1).exp()
    x[:, 0] *= 50
    ours, theirs = (int8_rows(x, sum_bits=sum_bits, impl=impl) for impl in ("native", "reference"))
    assert torch.equal(ours.values, theirs.values)
    assert torch.equal(ours.scale, theirs.scale)
    assert ours[2:] == theirs[2:] == (ZERO[sum_bits], dim, torch.float32, None)
    for count in (1, 16, 70):
        weight = normal(count, dim, seed=count)
        ours, theirs = (int8_weight(weight, sum_bits=sum_bits, impl=i) for i in ("native", "reference"))
        assert all(torch.equal(a, b) for a, b in zip(ours[:3], theirs[:3], strict=True))
        assert ours.zero == theirs.zero == ZERO[sum_bits]
        assert ours.shape == theirs.shape == (count, dim)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 9), dim=st.integers(1, 150), sums=st.sampled_from([16, 32]), seed=st.integers(0, 99)
)
def test_rounding(rows, dim, sums, seed):
    x = normal(rows, dim, seed=seed)
    found = int8_rows(x, sum_bits=sums, impl="native")
    most = ZERO[sums] - 1
    values = found.values.long() - found.zero
    assert found.values.shape == (rows, -(-dim // 8) * 8)
    assert (values[:, dim:] == 0).all()
    assert (values.abs().amax(-1) == most).all()
    turned = reference.rotate(x.double())
    meant = reference.numbers_of_rows(found.values, found.scale, found.zero)[:, :dim]
    assert ((turned - meant).abs() <= found.scale.double()[:, None] * 0.5001).all()
    torch.testing.assert_close(found.scale.double(), turned.abs().amax(-1) / most, rtol=1e-5, atol=0)


@pytest.mark.parametrize("sum_bits", [16, 32])
def test_weights_lie_in_panels(sum_bits):
    weight = normal(70, 30)
    found = int8_weight(weight, sum_bits=sum_bits)
    assert found.panels.shape == (8, 8, 16, 4)
    assert found.scale.shape == found.sum.shape == (128,)
    values = found.panels.transpose(1, 2).reshape(128, 32).long()
    assert (values[70:] == 0).all()
    assert (values[:, 30:] == 0).all()
    full = fours(values[:70]).amax(-1) >= reference.MOST_OF_FOUR - 2
    assert ((values[:70].abs().amax(-1) == 127) | (full & (sum_bits == 16))).all()
    assert (values[:70].abs() <= 127).all()
    assert torch.equal(values.sum(-1), found.sum.long())
    meant = reference.numbers_of_weight(found.panels, found.scale, 70)[:, :30]
    assert (meant - reference.rotate(weight.double())).abs().max() <= found.scale.max() * 0.5001


def fours(values: Tensor) -> Tensor:
    """What numbers of one sign come to, of each four that are added up in 16 bits: [V, padded D]."""
    groups = values.unflatten(1, (-1, 2, 2, 2))
    return torch.stack([groups, -groups], 1).clamp(min=0).sum((3, 5)).flatten(1)


@pytest.mark.parametrize("dim", [8, 30, 64, 576])
def test_products_fit_into_16_bits(dim):
    """Weights that are large together, which random ones hardly ever are, are made smaller together."""
    matrix = reference.rotate(torch.eye(dim, dtype=torch.float64))
    turned = normal(48, dim).sign()
    turned[:16], turned[16:32] = 1.0, -1.0
    weight = (turned.double() @ matrix.T).float()
    ours, theirs = (int8_weight(weight, sum_bits=16, impl=impl) for impl in ("native", "reference"))
    assert all(torch.equal(a, b) for a, b in zip(ours[:3], theirs[:3], strict=True))
    values = ours.panels.transpose(1, 2).reshape(64, -1).long()
    assert fours(values).max() <= reference.MOST_OF_FOUR + 2
    assert (values[:32, :dim].abs() == 42).all()
    rows = int8_rows(weight, sum_bits=16)
    ours, theirs = (int8_linear(rows, ours, impl=impl) for impl in ("native", "reference"))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("keep", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("dim", [1, 7, 24, 65, 576])
def test_what_is_kept(dim, keep):
    x = normal(40, dim)
    x[::2, dim // 2] *= 20
    x[5] = 0.0
    ours, theirs = (int8_rows(x, keep=keep, impl=impl, sum_bits=32) for impl in ("native", "reference"))
    assert all(torch.equal(a, b) for a, b in zip(ours.kept, theirs.kept, strict=True))
    assert torch.equal(ours.values, theirs.values)
    assert torch.equal(ours.scale, theirs.scale)
    left, wide = x.clone(), x.double()
    for row, places in enumerate(ours.kept[0].tolist()):
        found = [place for place in places if place >= 0]
        assert places == found + [-1] * (int(1 / keep**2) - len(found))
        large = (wide[row].abs() > keep * wide[row].norm()).nonzero()[:, 0].tolist()
        assert found == large
        numbers = ours.kept[1][row].tolist()
        assert numbers == x[row, found].tolist() + [0.0] * (len(numbers) - len(found))
        left[row, found] = 0.0
    without = int8_rows(left, sum_bits=32)
    assert torch.equal(ours.values, without.values)
    assert torch.equal(ours.scale, without.scale)


def test_an_outlier_is_everybodys():
    """What rotating is for: one number a thousand times the others leaves them their digits."""
    x = normal(1, 576)
    x[0, 5] = 1000.0
    found = int8_rows(x, sum_bits=32)
    meant = reference.numbers_of_rows(found.values, found.scale, found.zero)
    error = (reference.rotate(x.double()) - meant).norm() / 576**0.5
    alone = 1000.0 / 127 / 12**0.5  # of rounding without rotating
    assert error < alone / 10


def test_nothing_and_what_is_not_finite():
    x = normal(5, 12)
    x[1], x[2, 3], x[3, 0], x[4] = 0.0, float("nan"), float("inf"), 1e-41
    for impl in ("native", "reference"):
        found = int8_rows(x, sum_bits=32, impl=impl)
        assert found.scale[0] > 0
        assert found.scale[1] == 0
        assert found.scale[2:].isnan().all()  # the last: 127 / 1e-41 is no number
        assert (found.values[1:] == 128).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_halves_and_views(dtype):
    x = normal(4, 6, 20).to(dtype)
    found, flat = int8_rows(x), int8_rows(x.float().view(24, 20))
    assert found.values.shape == (4, 6, 24)
    assert found.scale.shape == (4, 6)
    assert found.dtype == dtype
    assert torch.equal(found.values.view(24, 24), flat.values)
    turned = int8_rows(x.transpose(0, 1))
    assert torch.equal(turned.values, found.values.transpose(0, 1))
    weight = int8_weight(x[0])
    assert torch.equal(weight.panels, int8_weight(x[0].float()).panels)


def test_the_processor_decides_how_many_bits():
    for impl in ("auto", "native", "reference"):
        x = normal(2, 4)
        assert int8_rows(x, impl=impl).zero == int8_weight(x, impl=impl).zero == ZERO[native_sum_bits()]


def test_a_row_depends_on_nothing_else(monkeypatch):
    x = normal(100, 40)
    whole = int8_rows(x)
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("PYFASTLM_NUM_THREADS", threads)
        for rows in (slice(0, 1), slice(3, 35), slice(31, 97)):
            part = int8_rows(x[rows])
            assert torch.equal(part.values, whole.values[rows])
            assert torch.equal(part.scale, whole.scale[rows])


def test_opcheck():
    for impl in ("native", "reference"):
        torch.library.opcheck(torch.ops.pyfastlm.int8_rows.default, (normal(3, 2, 6), 128, 0.3, impl))
        torch.library.opcheck(torch.ops.pyfastlm.int8_weight.default, (normal(3, 6), 97, impl))


def test_wrong_arguments_are_named():
    x = normal(6, 4)
    bad = [
        (int8_rows, ([1.0],), {}, InputTypeError, "x: expected a torch tensor"),
        (int8_rows, (x.int(),), {}, InputTypeError, "x: expected float32"),
        (int8_rows, (x.double(),), {}, InputTypeError, "x: expected float32, bfloat16 or float16"),
        (int8_rows, (x[0, 0],), {}, InputError, r"x: expected \[..., D\]"),
        (int8_rows, (x[:, :0],), {}, InputError, "x: expected 1 to 131072 numbers in a row"),
        (int8_rows, (x.new_empty(1, 131073),), {}, InputError, "x: expected 1 to 131072 numbers in a row"),
        (int8_rows, (x,), {"sum_bits": 8}, InputError, "sum_bits: expected 16 or 32, got 8"),
        (int8_rows, (x,), {"keep": 0.01}, InputError, r"keep: expected a number in \[0.05, 1\] or None"),
        (int8_rows, (x,), {"impl": "triton"}, Unavailable, "does not quantise"),
        (int8_rows, (x,), {"impl": "best"}, InputError, "impl: expected one of"),
        (int8_weight, (x[0],), {}, InputError, r"weight: expected \[V, D\]"),
        (int8_weight, (x.long(),), {}, InputTypeError, "weight: expected float32"),
    ]
    for call, arguments, options, error, message in bad:
        with pytest.raises(error, match=message):
            call(*arguments, **options)
