"""``varlen_attention`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.varlen_attention`."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address


class Inputs(NamedTuple):
    """What both passes share, as the operator takes it."""

    q: Tensor
    k: Tensor
    v: Tensor
    cu_seqlens_q: Tensor
    cu_seqlens_k: Tensor
    positions_q: Tensor | None
    positions_k: Tensor | None
    rel_bias: Tensor | None
    key_bias: Tensor | None
    causal: bool
    softmax1: bool
    scale: float


class _Inputs:
    """The inputs in the layout that C++ reads; must live as long as the call."""

    def __init__(self, inputs: Inputs) -> None:
        self.dtype = torch.float64 if inputs.q.dtype == torch.float64 else torch.float32
        self.q, self.k, self.v = (_rows(t.to(self.dtype)) for t in inputs[:3])
        self.integers = [None if t is None else t.contiguous() for t in inputs[3:7]]
        self.rel_bias, self.key_bias = (
            None if t is None else t.to(self.dtype).contiguous() for t in (inputs.rel_bias, inputs.key_bias)
        )
        starts_q, starts_k, positions_q, positions_k = map(address, self.integers)
        self.native = _native.VarlenAttentionInputs(
            sequences=len(inputs.cu_seqlens_q) - 1,
            heads=inputs.q.shape[1],
            dim=inputs.q.shape[2],
            q=[address(self.q), *self.q.stride()[:2]],
            k=[address(self.k), *self.k.stride()[:2]],
            v=[address(self.v), *self.v.stride()[:2]],
            starts_q=starts_q,
            starts_k=starts_k,
            positions_q=positions_q,
            positions_k=positions_k,
            rel_bias=address(self.rel_bias),
            radius=0 if self.rel_bias is None else len(self.rel_bias) // 2,
            key_bias=address(self.key_bias),
            causal=inputs.causal,
            softmax1=inputs.softmax1,
            scale=inputs.scale,
            is_double=self.dtype == torch.float64,
        )


def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
    """Return the result [Nq, H, D] and the logarithm of the sums [H, Nq] in float32 (or float64)."""
    given = Inputs(*inputs)
    held = _Inputs(given)
    rows, heads, dim = given.q.shape
    out = torch.empty((rows, heads, dim), dtype=held.dtype)
    lse = torch.empty((heads, rows), dtype=held.dtype)
    _native.varlen_attention_forward(held.native, out=address(out), lse=address(lse), threads=num_threads())
    return out.to(given.q.dtype), lse


def backward(grad_out: Tensor, out: Tensor, lse: Tensor, *arguments: Any) -> list[Tensor | None]:
    """Gradients of q, k, v and, where the last two arguments ask for them, of the biases, in their dtypes."""
    *inputs, rel_bias, key_bias = arguments
    given = Inputs(*inputs)
    held = _Inputs(given)
    tensors = (*given[:3], given.rel_bias if rel_bias else None, given.key_bias if key_bias else None)
    grads = [None if t is None else torch.empty(t.shape, dtype=held.dtype) for t in tensors]
    upstream, result = grad_out.to(held.dtype).contiguous(), out.to(held.dtype).contiguous()
    grad_q, grad_k, grad_v, grad_rel_bias, grad_key_bias = map(address, grads)
    _native.varlen_attention_backward(
        held.native,
        out=address(result),
        lse=address(lse),
        grad_out=address(upstream),
        grad_q=grad_q,
        grad_k=grad_k,
        grad_v=grad_v,
        grad_rel_bias=grad_rel_bias,
        grad_key_bias=grad_key_bias,
        threads=num_threads(),
    )
    return [None if g is None or t is None else g.to(t.dtype) for g, t in zip(grads, tensors, strict=True)]


def _rows(tensor: Tensor) -> Tensor:
    """The same tensor if the numbers of a head lie one after the other, else a copy."""
    return tensor if tensor.stride(-1) == 1 or tensor.numel() == 0 else tensor.contiguous()
