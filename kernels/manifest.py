"""What the ahead-of-time gate compiles: every kernel as its launcher calls it, in the forms that occur."""

from pyfastlm.kernels.forms import compact, gate_compact, gru_scan, linear_logp, varlen_attention
from pyfastlm.kernels.forms.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    *linear_logp.ENTRIES,
    *varlen_attention.ENTRIES,
    *compact.ENTRIES,
    *gate_compact.ENTRIES,
    *gru_scan.ENTRIES,
)

__all__ = ["ENTRIES", "Entry"]
