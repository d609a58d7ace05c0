"""``gru_scan`` in C++; the arguments have been checked by :mod:`pyfastlm.ops.gru_scan`."""

import torch
from torch import Tensor

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.ops.native._address import address


def _inputs(
    ids: Tensor, weight_hh: Tensor, h0: Tensor | None, lengths: Tensor | None, vocab: int
) -> _native.GruScanInputs:
    rows, steps = ids.shape
    return _native.GruScanInputs(
        is_double=weight_hh.dtype == torch.float64,
        rows=rows,
        steps=steps,
        size=weight_hh.shape[1],
        vocab=vocab,
        ids=address(ids),
        lengths=address(lengths),
        weight=address(weight_hh),
        h0=address(h0),
    )


def forward(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    states: Tensor,
    last: Tensor,
    gates: Tensor,
) -> None:
    """Write into the last three; gates of size 0 are not kept."""
    _native.gru_scan_forward(
        _inputs(ids, weight_hh, h0, lengths, len(table)),
        table=address(table),
        bias=address(bias_hh),
        states=address(states),
        last=address(last),
        gates=address(gates),
        threads=num_threads(),
    )


def backward(
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
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of table, weight, bias and h0; None where not asked for."""
    wide, size = weight_hh.shape
    steps = ids.numel() if lengths is None else int(lengths.sum())

    def room(wanted: bool, *shape: int) -> Tensor | None:
        return states.new_empty(shape) if wanted else None

    to_h0 = room(grad_h0, len(ids), size)
    before_gates = room(grad_weight or grad_bias, steps, wide)
    before_states = room(grad_weight, steps, size)
    tables = room(grad_table, _native.gru_scan_groups(len(ids)), vocab, wide)
    _native.gru_scan_backward(
        _inputs(ids, weight_hh, h0, lengths, vocab),
        states=address(states),
        gates=address(gates),
        grad_states=address(grad_states),
        grad_last=address(grad_last),
        h0=address(to_h0),
        before_gates=address(before_gates),
        before_states=address(before_states),
        table=address(tables),
        threads=num_threads(),
    )
    return (
        None if tables is None else tables.sum(0),
        None if before_states is None or before_gates is None else before_gates.T @ before_states,
        before_gates.sum(0) if grad_bias and before_gates is not None else None,
        to_h0,
    )
