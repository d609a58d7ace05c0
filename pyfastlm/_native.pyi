"""
Native kernels of pyfastlm. Private: call pyfastlm.ops and the rooms above it.
"""
from __future__ import annotations
import typing
__all__: list[str] = ['LinearLogpInputs', 'isa', 'linear_logp_backward', 'linear_logp_forward']
class LinearLogpInputs:
    """
    Shapes and addresses that the passes of linear_logp share.
    """
    def __init__(self, rows: typing.SupportsInt | typing.SupportsIndex, dim: typing.SupportsInt | typing.SupportsIndex, vocab: typing.SupportsInt | typing.SupportsIndex, hidden: typing.SupportsInt | typing.SupportsIndex, weight: typing.SupportsInt | typing.SupportsIndex, weight_dtype: str, bias: typing.SupportsInt | typing.SupportsIndex, targets: typing.SupportsInt | typing.SupportsIndex, softcap: typing.SupportsFloat | typing.SupportsIndex, logit_scale: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
def isa() -> str:
    """
    The instruction set in use, or ValueError where PYFASTLM_ISA names one that is not there.
    """
def linear_logp_backward(inputs: LinearLogpInputs, lse: typing.SupportsInt | typing.SupportsIndex, entropy: typing.SupportsInt | typing.SupportsIndex, grad_logp: typing.SupportsInt | typing.SupportsIndex, grad_entropy: typing.SupportsInt | typing.SupportsIndex, grad_hidden: typing.SupportsInt | typing.SupportsIndex, grad_weight: typing.SupportsInt | typing.SupportsIndex, grad_bias: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def linear_logp_forward(inputs: LinearLogpInputs, logp: typing.SupportsInt | typing.SupportsIndex, lse: typing.SupportsInt | typing.SupportsIndex, argmax: typing.SupportsInt | typing.SupportsIndex, entropy: typing.SupportsInt | typing.SupportsIndex, slope: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
