"""Tensor operations with native (C++), Triton and reference implementations behind one contract."""

from pyfastlm.ops._int8 import Int8Rows, Int8Weight, int8_rows, int8_weight
from pyfastlm.ops.compact import Packed, compact, uncompact
from pyfastlm.ops.gate_compact import Gated, gate_compact
from pyfastlm.ops.gru_scan import GRUStates, gru_scan
from pyfastlm.ops.int8_linear import int8_linear
from pyfastlm.ops.int8_linear_logp import int8_linear_logp
from pyfastlm.ops.linear import linear
from pyfastlm.ops.linear_logp import LinearLogp, linear_logp
from pyfastlm.ops.varlen_attention import t5_bias_table, varlen_attention

__all__ = [
    "GRUStates",
    "Gated",
    "Int8Rows",
    "Int8Weight",
    "LinearLogp",
    "Packed",
    "compact",
    "gate_compact",
    "gru_scan",
    "int8_linear",
    "int8_linear_logp",
    "int8_rows",
    "int8_weight",
    "linear",
    "linear_logp",
    "t5_bias_table",
    "uncompact",
    "varlen_attention",
]
