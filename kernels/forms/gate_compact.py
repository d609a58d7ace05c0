"""Forms of the kernels of ``gate_compact``."""

from pyfastlm.kernels import gate_compact
from pyfastlm.kernels.forms.entry import Entry

_BLOCKS = {"ROWS": gate_compact.ROWS, "COLS": gate_compact.COLS}
_SIZES = ("dim", "stride_row")


def _entry(
    kernel: str, form: str, signature: dict[str, str], constants: dict[str, int | bool], divisible: bool
) -> Entry:
    """A form whose rows start at multiples of 16 numbers, or anywhere; counts of rows are never known to."""
    names = [name for name in signature if name.endswith("_ptr") or (divisible and name in _SIZES)]
    return Entry(
        kernel=f"pyfastlm.kernels.gate_compact:{kernel}",
        form=form,
        signature=signature,
        constants=_BLOCKS | constants,
        divisible=frozenset(names),
        warps=gate_compact.WARPS,
        stages=gate_compact.STAGES,
        shared=4 << 10,
    )


def _gate(kind: str, normed: bool, logarithmic: bool, closed: bool, divisible: bool) -> Entry:
    pointers = dict.fromkeys(("x_ptr", "weight_ptr", "bias_ptr", *["norm_ptr"] * normed), f"*{kind}")
    pointers |= dict.fromkeys(("values_ptr", "logits_ptr", "roots_ptr"), "*fp32") | {"keep_ptr": "*u8"}
    pointers |= {"closed_ptr": "*u8"} if closed else {}
    numbers = dict.fromkeys(("n_rows", *_SIZES), "i32") | dict.fromkeys(("scale", "threshold", "eps"), "fp32")
    words = [kind, "normed" * normed, "logarithmic" * logarithmic, "closed" * closed, "odd" * (not divisible)]
    form = ", ".join(filter(None, words))
    return _entry("gate_kernel", form, pointers | numbers, {"LOGARITHMIC": logarithmic}, divisible)


def _gather(kind: str, divisible: bool) -> Entry:
    pointers = dict.fromkeys(("x_ptr", "norm_ptr", "kept_ptr", "normed_ptr"), f"*{kind}")
    pointers |= {"index_ptr": "*i32", "roots_ptr": "*fp32"}
    numbers = dict.fromkeys(("n_kept", *_SIZES), "i32")
    form = f"{kind}, {'aligned' if divisible else 'odd'}"
    return _entry("gate_gather_kernel", form, pointers | numbers, {}, divisible)


ENTRIES: tuple[Entry, ...] = (
    *(_gate(kind, True, False, True, True) for kind in ("fp32", "bf16", "fp16")),
    _gate("bf16", False, True, False, True),
    _gate("fp32", True, True, False, False),
    *(_gather(kind, divisible) for kind in ("fp32", "bf16", "fp16") for divisible in (True, False)),
)
