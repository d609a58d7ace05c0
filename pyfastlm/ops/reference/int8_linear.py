"""``int8_rows``, ``int8_weight`` and ``int8_linear`` as plain torch.

Quantising takes the same steps in float32 as the kernels do, so its whole numbers are theirs; products run in
float64.
"""

import math

import torch
from torch import Tensor

DEEP = 4  # numbers of a column side by side
GROUP = 2 * DEEP  # the depth is filled up to whole groups
ZERO_16, ZERO_32 = 97, 128  # the byte that stands for 0 in rows, for sums of 16 bits and of 32
MOST_OF_FOUR = 167.0  # weights of one sign together, of four whose products are added up in 16 bits
PANEL = 16  # columns side by side
WIDEST = 64  # columns are filled up to whole tiles of the widest kernel
MOST_BLOCKS = 64  # that are mixed


def padded(size: int, step: int) -> int:
    """``size``, rounded up to whole steps."""
    return -(-size // step) * step


def signs(dim: int) -> Tensor:
    """[D] of 1 and -1: a bit of a multiplicative hash of the place."""
    places = torch.arange(1, dim + 1)
    return 1.0 - 2.0 * ((places * 2654435761 >> 15) & 1).float()


def rotate(x: Tensor) -> Tensor:
    """x [..., D] times an orthogonal matrix: signs, a Hadamard transform of each block of 2^p numbers, and a
    Hartley transform across the blocks.

    2^p is the greatest power of two that divides D; more than 64 blocks are not mixed.
    """
    turned, length = _turned(x)
    return turned / length


def _turned(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rotated, but too large by the second."""
    dim = x.shape[-1]
    block = dim & -dim
    blocks = dim // block
    v = x * signs(dim).to(x)
    distance = 1
    while distance < block:
        pairs = v.reshape(*x.shape[:-1], dim // (2 * distance), 2, distance)
        near, far = pairs[..., 0, :], pairs[..., 1, :]
        v = torch.stack([near + far, near - far], dim=-2).reshape(x.shape)
        distance *= 2
    if blocks > MOST_BLOCKS:
        return v, torch.tensor(float(block)).sqrt()
    v = v.reshape(*x.shape[:-1], blocks, block)
    angles = [2 * math.pi * k / blocks for k in range(blocks)]
    cas = torch.tensor([math.cos(angle) + math.sin(angle) for angle in angles], dtype=x.dtype)
    order = torch.arange(blocks)
    mixed = v[..., :1, :] * cas[:1, None].to(x)
    for other in range(1, blocks):  # one after the other, as the kernels add them
        mixed = mixed + v[..., other : other + 1, :] * cas[order * other % blocks][:, None].to(x)
    return (mixed if blocks > 1 else v).reshape(x.shape), torch.tensor(float(dim)).sqrt()


def _quantized(x: Tensor, most: float, most_of_four: float = math.inf) -> tuple[Tensor, Tensor]:
    """Whole numbers [..., D] float32, and what one of them stands for [...]: the largest becomes ``most``, or
    the largest four together ``most_of_four`` before they are rounded."""
    turned, length = _turned(x)
    top, most_of_top = turned.abs().amax(-1), x.new_tensor(most)
    if most_of_four < math.inf:
        four = _largest_four(turned)
        limits = most_of_four / four < most / top
        top = torch.where(limits, four, top)
        most_of_top = torch.where(limits, most_of_four, most)
    # Not most / top of numbers, which torch makes a product with a reciprocal.
    inverse = torch.where(top > 0, most_of_top.expand_as(top) / top, 0.0)
    good = turned.isfinite().all(-1) & inverse.isfinite()
    unit = top / most_of_top / length
    whole = (turned * inverse[..., None]).round()
    nothing = good & (inverse > 0)
    return torch.where(nothing[..., None], whole, 0.0), torch.where(good, unit, torch.nan)


def _largest_four(turned: Tensor) -> Tensor:
    """[...]: of numbers 0, 1, 4 and 5 of a group of eight, or 2, 3, 6 and 7, those of one sign together."""
    dim = turned.shape[-1]
    groups = torch.nn.functional.pad(turned, (0, padded(dim, GROUP) - dim)).unflatten(-1, (-1, 2, 2, 2))
    signed = torch.stack([groups, -groups]).clamp(min=0)  # [2, ..., group, step, pair, number]
    pairs = signed[..., 0] + signed[..., 1]
    fours = pairs[..., 0, :] + pairs[..., 1, :]
    return fours.flatten(-2).amax(-1).amax(0)


def most_kept(share: float) -> int:
    """So many numbers of a row can have more than that share of its length."""
    return int(1 / share**2) if share else 0


def kept_places(x: Tensor, share: float) -> Tensor:
    """[..., M] int32: where x [..., D] float32 has more than ``share`` of its row's length, then -1."""
    wide = x.double()
    least = share * wide.square().sum(-1, keepdim=True).sqrt()
    most = most_kept(share)
    places = torch.where(wide.abs() > least, torch.arange(x.shape[-1], device=x.device), x.shape[-1])
    first = places.sort(-1).values[..., :most]
    first = torch.nn.functional.pad(first, (0, most - first.shape[-1]), value=x.shape[-1])
    return torch.where(first < x.shape[-1], first, -1).to(torch.int32)


def rows(x: Tensor, zero: int, share: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, scales, kept places and numbers of :class:`pyfastlm.ops.Int8Rows`, of x [..., D] float32."""
    places = kept_places(x, share) if share else x.new_empty((*x.shape[:-1], 0), dtype=torch.int32)
    room = torch.nn.functional.pad(x, (0, 1))  # where places of nothing are
    numbers = room.gather(-1, places.long() % room.shape[-1])
    x = room.scatter(-1, places.long() % room.shape[-1], 0.0)[..., :-1]
    whole, unit = _quantized(x, zero - 1.0)
    dim = x.shape[-1]
    values = torch.nn.functional.pad(whole, (0, padded(dim, GROUP) - dim)).add_(zero).to(torch.uint8)
    return values, unit, places, numbers


def weight(w: Tensor, zero: int) -> tuple[Tensor, Tensor, Tensor]:
    """Panels, scales and sums of :class:`pyfastlm.ops.Int8Weight`, of w [V, D] float32."""
    count, dim = w.shape
    whole, unit = _quantized(w, 127.0, MOST_OF_FOUR if zero == ZERO_16 else math.inf)
    columns, deep = padded(count, WIDEST), padded(dim, GROUP)
    whole = torch.nn.functional.pad(whole, (0, deep - dim, 0, columns - count))
    panels = whole.reshape(columns // PANEL, PANEL, deep // DEEP, DEEP).transpose(1, 2)
    scale = torch.nn.functional.pad(unit, (0, columns - count))
    total = whole.sum(-1).to(torch.int32)
    return panels.to(torch.int8).contiguous(), scale, total


def numbers_of_rows(values: Tensor, scale: Tensor, zero: int) -> Tensor:
    """[..., padded D] float64: the rotated rows that the bytes stand for."""
    return (values.double() - zero) * scale.double()[..., None]


def numbers_of_weight(panels: Tensor, scale: Tensor, count: int) -> Tensor:
    """[V, padded D] float64: the rotated weights that the panels stand for."""
    columns = panels.transpose(1, 2).reshape(len(scale), panels.shape[1] * DEEP)[:count]
    return columns.double() * scale[:count].double()[:, None]


def int8_linear(
    values: Tensor,
    row_scale: Tensor,
    zero: int,
    panels: Tensor,
    scale: Tensor,
    count: int,
    bias: Tensor | None,
) -> Tensor:
    """Products [..., V] float32."""
    weights = numbers_of_weight(panels, scale, count)
    product = numbers_of_rows(values, row_scale, zero) @ weights.T
    return (product if bias is None else product + bias.double()).float()


def kept_products(places: Tensor, numbers: Tensor, source: Tensor) -> Tensor:
    """Products [..., V] float32 of what is kept of rows with weights [V, D]."""
    room = numbers.new_zeros((*places.shape[:-1], source.shape[1] + 1))  # places of nothing are the last
    kept = room.scatter(-1, places.long() % room.shape[-1], numbers)[..., :-1]
    return kept @ source.T.float()
