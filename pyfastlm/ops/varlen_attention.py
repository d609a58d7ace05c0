"""Attention over packed sequences of different lengths, with T5's relative bias and a bias for each key."""

import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import varlen_attention as reference


def varlen_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    *,
    positions_q: Tensor | None = None,
    positions_k: Tensor | None = None,
    rel_bias: Tensor | None = None,
    key_bias: Tensor | None = None,
    causal: bool = False,
    softmax1: bool = False,
    scale: float | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """Attention of each packed sequence to its own keys; no [H, L, L] tensor exists at any time.

    The score of query i and key j is ``scale * q[i] @ k[j] + rel_bias[clamp(pos_j - pos_i, -R, R) + R] +
    key_bias[j]``.

    Args:
        q: [Nq, H, Dh] float32, bfloat16, float16 or float64: the rows of all sequences, one after the other.
            Any view with heads whose numbers are neighbours is read in place.
        k, v: [Nk, H, Dh], dtype of ``q``.
        cu_seqlens_q, cu_seqlens_k: [B+1] int32, where each sequence starts; the last is Nq, Nk.
        positions_q, positions_k: [Nq], [Nk] int32, any order; None for 0, 1, ... in each sequence.
        rel_bias: [2R+1, H], optional; for T5 the result of :func:`t5_bias_table`.
        key_bias: [Nk], optional: added for all heads and queries. -inf hides a key.
        causal: a query sees the keys whose position is at most its own.
        softmax1: one more key of score 0 and value 0, so that a query may attend to nothing.
        scale: factor on the products; None for 1 / sqrt(Dh). T5 uses 1.
        impl: ``auto`` goes by the device; an implementation asked for by name runs or raises.

    Returns:
        [Nq, H, Dh] in the dtype of ``q``. Sums run in float32 (float64 for float64). A query that sees no key
        gives zeros. Gradients reach ``q``, ``k``, ``v``, ``rel_bias`` and ``key_bias``; those of the biases
        are summed in a fixed order. On a GPU ``cu_seqlens`` are trusted: to check them would wait for it.

    Raises:
        InputError, InputTypeError: a shape, dtype, device or offset is wrong.
        Unavailable: ``impl`` cannot run here.

    Source: FlashAttention (Dao et al., 2022) for the order of work; softmax1 after Miller (2023), as in
    MrT5 (Kallini et al., 2024), section 3.
    """
    _check_inputs(q, k, v, cu_seqlens_q, cu_seqlens_k, positions_q, positions_k, rel_bias, key_bias)
    factor = q.shape[2] ** -0.5 if scale is None else float(scale)
    if not abs(factor) < float("inf"):
        raise InputError(f"scale: expected a finite number, got {scale}")
    chosen = choose(impl, q.device, q.dtype)
    if chosen == "reference":
        return reference.varlen_attention(
            q,
            k,
            v,
            cu_seqlens_q,
            cu_seqlens_k,
            positions_q=positions_q,
            positions_k=positions_k,
            rel_bias=rel_bias,
            key_bias=key_bias,
            causal=causal,
            softmax1=softmax1,
            scale=factor,
        )
    out, _ = torch.ops.pyfastlm.varlen_attention(
        q,
        k,
        v,
        cu_seqlens_q,
        cu_seqlens_k,
        positions_q,
        positions_k,
        rel_bias,
        key_bias,
        causal,
        softmax1,
        factor,
        chosen,
    )
    return out  # type: ignore[no-any-return]


def t5_bias_table(weight: Tensor, bidirectional: bool = True, max_distance: int = 128) -> Tensor:
    """The bias of T5's relative attention by distance, from its weights by bucket.

    Args:
        weight: [buckets, H], ``relative_attention_bias.weight`` of a T5 checkpoint.
        bidirectional: True for an encoder; False for a decoder, where all later keys share bucket 0.
        max_distance: R; beyond it all distances share the last bucket.

    Returns:
        [2R+1, H], the bias of distance d = key - query in row d + R. Differentiable in ``weight``.

    Source: Raffel et al. (2020), section 2.1.
    """
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise InputError("weight: expected a tensor [buckets, H]")
    buckets = weight.shape[0]
    least = 4 if bidirectional else 2
    if buckets < least or buckets % 2:
        raise InputError(f"weight: expected an even number of at least {least} buckets, got {buckets}")
    if max_distance <= buckets // (least):
        raise InputError(f"max_distance: expected more than {buckets // least}, got {max_distance}")
    distance = torch.arange(-max_distance, max_distance + 1, device=weight.device)
    return weight[reference.bucket(distance, buckets, bidirectional, max_distance)]


def _check_inputs(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    positions_q: Tensor | None,
    positions_k: Tensor | None,
    rel_bias: Tensor | None,
    key_bias: Tensor | None,
) -> None:
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        _check.floating(name, tensor, q, "q")
        if tensor.ndim != 3:
            raise InputError(f"{name}: expected [N, H, Dh], got shape {list(tensor.shape)}")
        if tensor.dtype != q.dtype:
            raise InputTypeError(f"{name}: expected the dtype of q, {q.dtype}, got {tensor.dtype}")
    heads, dim = q.shape[1:]
    if heads == 0 or dim == 0:
        raise InputError(f"q: expected at least one head and one number in it, got shape {list(q.shape)}")
    if tuple(k.shape[1:]) != (heads, dim):
        raise InputError(f"k: expected [Nk, {heads}, {dim}], got shape {list(k.shape)}")
    if v.shape != k.shape:
        raise InputError(f"v: expected the shape of k, {list(k.shape)}, got {list(v.shape)}")
    _check.cu_seqlens("cu_seqlens_q", cu_seqlens_q, len(q), "q", q)
    _check.cu_seqlens("cu_seqlens_k", cu_seqlens_k, len(k), "k", q)
    if len(cu_seqlens_q) != len(cu_seqlens_k):
        raise InputError(
            f"cu_seqlens_k: expected {len(cu_seqlens_q) - 1} sequences as in cu_seqlens_q, "
            f"got {len(cu_seqlens_k) - 1}"
        )
    for name, positions, rows in (("positions_q", positions_q, len(q)), ("positions_k", positions_k, len(k))):
        if positions is None:
            continue
        if _check.dense(name, positions, q, "q").dtype != torch.int32:
            raise InputTypeError(f"{name}: expected int32, got {positions.dtype}")
        if tuple(positions.shape) != (rows,):
            raise InputError(f"{name}: expected [{rows}], got shape {list(positions.shape)}")
    if rel_bias is not None:
        _check.floating("rel_bias", rel_bias, q, "q")
        if rel_bias.ndim != 2 or rel_bias.shape[0] % 2 == 0 or rel_bias.shape[1] != heads:
            raise InputError(f"rel_bias: expected [2R+1, {heads}], got shape {list(rel_bias.shape)}")
    if key_bias is not None:
        _check.floating("key_bias", key_bias, q, "q")
        if tuple(key_bias.shape) != (len(k),):
            raise InputError(f"key_bias: expected [{len(k)}], got shape {list(key_bias.shape)}")


# The torch operators: opaque to torch.compile, so that everything above traces.

_INPUTS = (
    "Tensor q, Tensor k, Tensor v, Tensor cu_seqlens_q, Tensor cu_seqlens_k, Tensor? positions_q, "
    "Tensor? positions_k, Tensor? rel_bias, Tensor? key_bias, bool causal, bool softmax1, float scale"
)
_N_INPUTS = 12
_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define(f"varlen_attention({_INPUTS}, str impl) -> (Tensor, Tensor)")
_library.define(
    f"varlen_attention_backward(Tensor grad_out, Tensor out, Tensor lse, {_INPUTS}, bool grad_rel_bias, "
    "bool grad_key_bias, str impl) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def _forward(*arguments: Any) -> tuple[Tensor, Tensor]:
    *inputs, impl = arguments
    return _kernel(impl).forward(*inputs)  # type: ignore[no-any-return]


def _fake_forward(q: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    wide = torch.float64 if q.dtype == torch.float64 else torch.float32
    return q.new_empty(q.shape), q.new_empty((q.shape[1], q.shape[0]), dtype=wide)


def _backward(grad_out: Tensor, out: Tensor, lse: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    *inputs, grad_rel_bias, grad_key_bias, impl = arguments
    grads = _kernel(impl).backward(grad_out, out, lse, *inputs, grad_rel_bias, grad_key_bias)
    return tuple(grad_out.new_empty(0) if g is None else g for g in grads)


def _fake_backward(grad_out: Tensor, out: Tensor, lse: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    q, k, v, _, _, _, _, rel_bias, key_bias, *_, grad_rel_bias, grad_key_bias, _ = arguments
    absent = grad_out.new_empty(0)
    return (
        q.new_empty(q.shape),
        k.new_empty(k.shape),
        v.new_empty(v.shape),
        rel_bias.new_empty(rel_bias.shape) if grad_rel_bias else absent,
        key_bias.new_empty(key_bias.shape) if grad_key_bias else absent,
    )


def _kernel(impl: str) -> ModuleType:
    """The module behind an implementation, loaded when it is first used."""
    room = {"native": "pyfastlm.ops.native", "triton": "pyfastlm.kernels"}[impl]
    return importlib.import_module(f"{room}.varlen_attention")


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, causal, softmax1, scale, impl = inputs
    out, lse = output
    ctx.mark_non_differentiable(lse)
    ctx.save_for_backward(out, lse, *tensors)
    ctx.options = (causal, softmax1, scale, impl)


@once_differentiable
def _differentiate(ctx: Any, grad_out: Tensor, _lse: None) -> tuple[Tensor | None, ...]:
    out, lse, *tensors = ctx.saved_tensors
    *options, impl = ctx.options
    needs = ctx.needs_input_grad
    q, k, v, rel_bias, key_bias = torch.ops.pyfastlm.varlen_attention_backward(
        grad_out, out, lse, *tensors, *options, needs[7], needs[8], impl
    )
    grads = {0: q, 1: k, 2: v, 7: rel_bias, 8: key_bias}
    return tuple(grads.get(i) if needs[i] else None for i in range(_N_INPUTS + 1))


_library.impl("varlen_attention", _forward, "CompositeExplicitAutograd")
_library.impl("varlen_attention_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::varlen_attention", _fake_forward, lib=_library)
torch.library.register_fake("pyfastlm::varlen_attention_backward", _fake_backward, lib=_library)
torch.library.register_autograd(
    "pyfastlm::varlen_attention", _differentiate, setup_context=_save, lib=_library
)
