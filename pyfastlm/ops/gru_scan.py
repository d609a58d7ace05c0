"""The states of a GRU over token ids, with the input side of its gates read from a table."""

import importlib
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import gru_scan as reference


class GRUStates(NamedTuple):
    """What :func:`gru_scan` returns.

    ``states``: [B, T, N], after each step; 0 past the length of a row. ``last``: [B, N], after the last step
    of each row, its ``h0`` for a row without steps.
    """

    states: Tensor
    last: Tensor


def gru_scan(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None = None,
    *,
    lengths: Tensor | None = None,
    impl: Impl = "auto",
) -> GRUStates:
    """Run ``torch.nn.GRU`` over embedded tokens of a small vocabulary.

    With (r', z', n') = table[id] and (r", z", n") = weight_hh @ h + bias_hh:
    r = sigmoid(r' + r"), z = sigmoid(z' + z"), n = tanh(n' + r * n"), h <- (1 - z) * n + z * h.

    The table is ``embedding @ weight_ih.T + bias_ih``: one small product a call, instead of one for every
    token. Its gradient needs [V, 3N] numbers for every 32 rows, so V should be some hundreds at most.

    Args:
        table: [V, 3N] float32 or float64, gates in torch's order r, z, n.
        ids: [B, T] int64 in [0, V); those past the length of a row are not looked at.
        weight_hh, bias_hh: [3N, N] and [3N], as in ``torch.nn.GRU``, dtype of ``table``.
        h0: [B, N], the states before the first step, dtype of ``table``; None for zeros.
        lengths: [B] int64 in [0, T], the steps of each row; None for T each.
        impl: ``auto`` goes by the device; an implementation asked for by name runs or raises.

    Returns:
        :class:`GRUStates`. Gradients reach ``table``, ``weight_hh``, ``bias_hh`` and ``h0``; those of what
        wants none are not computed. On a GPU an id or a length out of range is not refused, because
        checking it would wait for the device: the id is read as the nearest one, the length cut to T.

    Raises:
        InputError, InputTypeError: a shape, dtype, device, id or length is wrong.
        Unavailable: ``impl`` cannot run here.

    Source: Cho et al. (2014) with torch's placing of r; the copying task of Csordás et al. (2024) has 32 ids.
    """
    _check_inputs(table, ids, weight_hh, bias_hh, h0, lengths)
    chosen = choose(impl, table.device, table.dtype)
    if chosen == "reference":
        if table.device.type == "cpu":
            _check_values(ids, lengths, len(table))
        return GRUStates(*reference.gru_scan(table, ids, weight_hh, bias_hh, h0, lengths))
    wanted = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in (table, weight_hh, bias_hh, h0)
    )
    states, last, _ = torch.ops.pyfastlm.gru_scan(table, ids, weight_hh, bias_hh, h0, lengths, wanted, chosen)
    return GRUStates(states, last)


def _check_inputs(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
) -> None:
    if _check.dense("table", table, table, "table").dtype not in (torch.float32, torch.float64):
        raise InputTypeError(f"table: expected float32 or float64, got {table.dtype}")
    if _check.dense("weight_hh", weight_hh, table, "table").ndim != 2 or weight_hh.shape[1] == 0:
        raise InputError(f"weight_hh: expected [3N, N], got shape {list(weight_hh.shape)}")
    size = weight_hh.shape[1]
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] != 3 * size:
        raise InputError(f"table: expected [V, {3 * size}] with V >= 1, got shape {list(table.shape)}")
    if _check.dense("ids", ids, table, "table").dtype != torch.int64:
        raise InputTypeError(f"ids: expected int64, got {ids.dtype}")
    if ids.ndim != 2:
        raise InputError(f"ids: expected [B, T], got shape {list(ids.shape)}")
    rows = len(ids)
    shapes = {"weight_hh": (3 * size, size), "bias_hh": (3 * size,), "h0": (rows, size)}
    for name, tensor in {"weight_hh": weight_hh, "bias_hh": bias_hh, "h0": h0}.items():
        if tensor is None:
            continue
        if _check.dense(name, tensor, table, "table").dtype != table.dtype:
            raise InputTypeError(f"{name}: expected the dtype of table, {table.dtype}, got {tensor.dtype}")
        if tuple(tensor.shape) != shapes[name]:
            raise InputError(f"{name}: expected {list(shapes[name])}, got shape {list(tensor.shape)}")
    if lengths is not None:
        if _check.dense("lengths", lengths, table, "table").dtype != torch.int64:
            raise InputTypeError(f"lengths: expected int64, got {lengths.dtype}")
        if tuple(lengths.shape) != (rows,):
            raise InputError(f"lengths: expected [{rows}], got shape {list(lengths.shape)}")


def _check_values(ids: Tensor, lengths: Tensor | None, vocab: int) -> None:
    rows, steps = ids.shape
    looked_at = ids
    if lengths is not None:
        if rows and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps:
            row = int(((lengths < 0) | (lengths > steps)).nonzero()[0])
            raise InputError(
                f"lengths: expected values in [0, {steps}], got {int(lengths[row])} in row {row}"
            )
        looked_at = ids.where(torch.arange(steps) < lengths.unsqueeze(1), 0)
    if looked_at.numel() and not 0 <= int(looked_at.min()) <= int(looked_at.max()) < vocab:
        row, step = ((looked_at < 0) | (looked_at >= vocab)).nonzero()[0].tolist()
        raise InputError(
            f"ids: expected values in [0, {vocab}), got {int(ids[row, step])} in row {row}, step {step}"
        )


# The torch operators: opaque to torch.compile, so that everything above traces.

_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define(
    "gru_scan(Tensor table, Tensor ids, Tensor weight_hh, Tensor bias_hh, Tensor? h0, Tensor? lengths, "
    "bool gates, str impl) -> (Tensor, Tensor, Tensor)"
)
_library.define(
    "gru_scan_backward(Tensor? grad_states, Tensor? grad_last, Tensor ids, Tensor weight_hh, Tensor? h0, "
    "Tensor? lengths, Tensor states, Tensor gates, int vocab, bool grad_table, bool grad_weight, "
    "bool grad_bias, bool grad_h0, str impl) -> (Tensor, Tensor, Tensor, Tensor)"
)


def _fake_forward(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    gates: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs of the right shape, unwritten: states, last, and r, z, n, n" if ``gates``."""
    rows, steps = ids.shape
    size = weight_hh.shape[1]
    return (
        table.new_empty(rows, steps, size),
        table.new_empty(rows, size),
        table.new_empty(rows if gates else 0, steps, 4, size),
    )


def _fake_backward(
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    ids: Tensor,
    weight_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    states: Tensor,
    gates: Tensor,
    vocab: int,
    grad_table: bool,
    grad_weight: bool,
    grad_bias: bool,
    grad_h0: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of the right shape, unwritten: table, weight, bias, h0; empty where not asked for."""
    wide, size = weight_hh.shape
    return (
        states.new_empty((vocab, wide) if grad_table else 0),
        states.new_empty((wide, size) if grad_weight else 0),
        states.new_empty(wide if grad_bias else 0),
        states.new_empty((len(ids), size) if grad_h0 else 0),
    )


def _forward(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    gates: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    inputs = (table, ids, weight_hh, bias_hh, h0, lengths)
    if impl == "native":
        _check_values(ids, lengths, len(table))
    outputs = _fake_forward(*inputs, gates, impl)
    _kernel(impl).forward(*_contiguous(inputs), *outputs)
    return outputs


def _backward(
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    ids: Tensor,
    weight_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    states: Tensor,
    gates: Tensor,
    vocab: int,
    grad_table: bool,
    grad_weight: bool,
    grad_bias: bool,
    grad_h0: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    arguments = _contiguous((grad_states, grad_last, ids, weight_hh, h0, lengths, states, gates))
    grads = _kernel(impl).backward(*arguments, vocab, grad_table, grad_weight, grad_bias, grad_h0)
    to_table, to_weight, to_bias, to_h0 = (states.new_empty(0) if g is None else g for g in grads)
    return to_table, to_weight, to_bias, to_h0


def _kernel(impl: str) -> ModuleType:
    """The module behind an implementation, loaded when it is first used."""
    room = {"native": "pyfastlm.ops.native", "triton": "pyfastlm.kernels"}[impl]
    return importlib.import_module(f"{room}.gru_scan")


def _contiguous(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same arguments, tensors with rows one after the other."""
    return tuple(a.contiguous() if isinstance(a, Tensor) else a for a in arguments)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    table, ids, weight_hh, _, h0, lengths, _, impl = inputs
    states, _, gates = output
    ctx.mark_non_differentiable(gates)
    ctx.save_for_backward(ids, weight_hh, h0, lengths, states, gates)
    ctx.vocab, ctx.impl = len(table), impl
    ctx.set_materialize_grads(False)


@once_differentiable
def _differentiate(
    ctx: Any, grad_states: Tensor | None, grad_last: Tensor | None, _gates: None
) -> tuple[Tensor | None, ...]:
    ids, weight_hh, h0, lengths, states, gates = ctx.saved_tensors
    none = (None,) * 3
    if grad_states is None and grad_last is None:
        return (None, None, None, None, None, *none)
    needs = tuple(ctx.needs_input_grad[i] for i in (0, 2, 3, 4))
    grads = torch.ops.pyfastlm.gru_scan_backward(
        grad_states, grad_last, ids, weight_hh, h0, lengths, states, gates, ctx.vocab, *needs, ctx.impl
    )
    to_table, to_weight, to_bias, to_h0 = (
        g if needed else None for g, needed in zip(grads, needs, strict=True)
    )
    return (to_table, None, to_weight, to_bias, to_h0, *none)


_library.impl("gru_scan", _forward, "CompositeExplicitAutograd")
_library.impl("gru_scan_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::gru_scan", _fake_forward, lib=_library)
torch.library.register_fake("pyfastlm::gru_scan_backward", _fake_backward, lib=_library)
torch.library.register_autograd("pyfastlm::gru_scan", _differentiate, setup_context=_save, lib=_library)
