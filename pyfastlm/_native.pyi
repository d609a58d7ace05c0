"""
Native kernels of pyfastlm. Private: call pyfastlm.ops and the rooms above it.
"""
from __future__ import annotations
import collections.abc
import typing
__all__: list[str] = ['LinearLogpInputs', 'VarlenAttentionInputs', 'compact_count', 'compact_gather', 'compact_index', 'compact_scatter', 'gate_compact', 'isa', 'linear_forward', 'linear_logp_backward', 'linear_logp_forward', 'varlen_attention_backward', 'varlen_attention_forward']
class LinearLogpInputs:
    """
    Shapes and addresses that the passes of linear_logp share.
    """
    def __init__(self, rows: typing.SupportsInt | typing.SupportsIndex, dim: typing.SupportsInt | typing.SupportsIndex, vocab: typing.SupportsInt | typing.SupportsIndex, hidden: typing.SupportsInt | typing.SupportsIndex, weight: typing.SupportsInt | typing.SupportsIndex, weight_dtype: str, bias: typing.SupportsInt | typing.SupportsIndex, targets: typing.SupportsInt | typing.SupportsIndex, softcap: typing.SupportsFloat | typing.SupportsIndex, logit_scale: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class VarlenAttentionInputs:
    """
    Shapes and addresses that both passes of varlen_attention share.
    """
    def __init__(self, sequences: typing.SupportsInt | typing.SupportsIndex, heads: typing.SupportsInt | typing.SupportsIndex, dim: typing.SupportsInt | typing.SupportsIndex, q: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(3)"], k: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(3)"], v: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(3)"], starts_q: typing.SupportsInt | typing.SupportsIndex, starts_k: typing.SupportsInt | typing.SupportsIndex, positions_q: typing.SupportsInt | typing.SupportsIndex, positions_k: typing.SupportsInt | typing.SupportsIndex, rel_bias: typing.SupportsInt | typing.SupportsIndex, radius: typing.SupportsInt | typing.SupportsIndex, key_bias: typing.SupportsInt | typing.SupportsIndex, causal: bool, softmax1: bool, scale: typing.SupportsFloat | typing.SupportsIndex, is_double: bool) -> None:
        ...
def compact_count(keep: typing.SupportsInt | typing.SupportsIndex, sequences: typing.SupportsInt | typing.SupportsIndex, length: typing.SupportsInt | typing.SupportsIndex, starts: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def compact_gather(sequences: typing.SupportsInt | typing.SupportsIndex, length: typing.SupportsInt | typing.SupportsIndex, starts: typing.SupportsInt | typing.SupportsIndex, positions: typing.SupportsInt | typing.SupportsIndex, bytes: typing.SupportsInt | typing.SupportsIndex, batch: typing.SupportsInt | typing.SupportsIndex, packed: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def compact_index(keep: typing.SupportsInt | typing.SupportsIndex, sequences: typing.SupportsInt | typing.SupportsIndex, length: typing.SupportsInt | typing.SupportsIndex, starts: typing.SupportsInt | typing.SupportsIndex, positions: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def compact_scatter(sequences: typing.SupportsInt | typing.SupportsIndex, length: typing.SupportsInt | typing.SupportsIndex, starts: typing.SupportsInt | typing.SupportsIndex, positions: typing.SupportsInt | typing.SupportsIndex, bytes: typing.SupportsInt | typing.SupportsIndex, packed: typing.SupportsInt | typing.SupportsIndex, fill: typing.SupportsInt | typing.SupportsIndex, batch: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def gate_compact(is_double: bool, rows: typing.SupportsInt | typing.SupportsIndex, dim: typing.SupportsInt | typing.SupportsIndex, x: typing.SupportsInt | typing.SupportsIndex, weight: typing.SupportsInt | typing.SupportsIndex, bias: typing.SupportsFloat | typing.SupportsIndex, normed: bool, logarithmic: bool, scale: typing.SupportsFloat | typing.SupportsIndex, threshold: typing.SupportsFloat | typing.SupportsIndex, closed: typing.SupportsInt | typing.SupportsIndex, next: typing.SupportsInt | typing.SupportsIndex, eps: typing.SupportsFloat | typing.SupportsIndex, values: typing.SupportsInt | typing.SupportsIndex, logits: typing.SupportsInt | typing.SupportsIndex, index: typing.SupportsInt | typing.SupportsIndex, kept: typing.SupportsInt | typing.SupportsIndex, following: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> int:
    ...
def isa() -> str:
    """
    The instruction set in use, or ValueError where PYFASTLM_ISA names one that is not there.
    """
def linear_forward(rows: typing.SupportsInt | typing.SupportsIndex, dim: typing.SupportsInt | typing.SupportsIndex, columns: typing.SupportsInt | typing.SupportsIndex, x: typing.SupportsInt | typing.SupportsIndex, weight: typing.SupportsInt | typing.SupportsIndex, weight_dtype: str, bias: typing.SupportsInt | typing.SupportsIndex, out: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def linear_logp_backward(inputs: LinearLogpInputs, lse: typing.SupportsInt | typing.SupportsIndex, entropy: typing.SupportsInt | typing.SupportsIndex, grad_logp: typing.SupportsInt | typing.SupportsIndex, grad_entropy: typing.SupportsInt | typing.SupportsIndex, grad_hidden: typing.SupportsInt | typing.SupportsIndex, grad_weight: typing.SupportsInt | typing.SupportsIndex, grad_bias: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def linear_logp_forward(inputs: LinearLogpInputs, logp: typing.SupportsInt | typing.SupportsIndex, lse: typing.SupportsInt | typing.SupportsIndex, argmax: typing.SupportsInt | typing.SupportsIndex, entropy: typing.SupportsInt | typing.SupportsIndex, slope: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def varlen_attention_backward(inputs: VarlenAttentionInputs, out: typing.SupportsInt | typing.SupportsIndex, lse: typing.SupportsInt | typing.SupportsIndex, grad_out: typing.SupportsInt | typing.SupportsIndex, grad_q: typing.SupportsInt | typing.SupportsIndex, grad_k: typing.SupportsInt | typing.SupportsIndex, grad_v: typing.SupportsInt | typing.SupportsIndex, grad_rel_bias: typing.SupportsInt | typing.SupportsIndex, grad_key_bias: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def varlen_attention_forward(inputs: VarlenAttentionInputs, out: typing.SupportsInt | typing.SupportsIndex, lse: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
