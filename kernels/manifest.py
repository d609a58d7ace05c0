"""What the ahead-of-time gate compiles: every kernel as its launcher calls it, in the forms that occur."""

from pyfastlm.kernels.forms import (
    compact,
    gate_compact,
    gru_scan,
    int8_linear,
    linear_logp,
    varlen_attention,
)
from pyfastlm.kernels.forms.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    *linear_logp.ENTRIES,
    *varlen_attention.ENTRIES,
    *compact.ENTRIES,
    *gate_compact.ENTRIES,
    *gru_scan.ENTRIES,
    *int8_linear.ENTRIES,
)

__all__ = ["ENTRIES", "Entry"]
