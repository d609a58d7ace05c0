"""Forms of the kernels of ``varlen_attention``."""

from dataclasses import dataclass

from pyfastlm.kernels import _attention
from pyfastlm.kernels.forms.entry import Entry
from pyfastlm.kernels.varlen_attention_backward import chunks

_BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
_RADIUS = 128  # T5's


@dataclass(frozen=True)
class _Form:
    """What a caller passes: ``dtype`` of q, ``bias`` of both biases (empty for none), and the options."""

    dtype: str
    dim: int
    aligned: bool = True
    bias: str = ""
    holes: bool = False
    causal: bool = False
    softmax1: bool = False

    @property
    def name(self) -> str:
        options = ("holes", "causal", "softmax1")
        return ", ".join(
            [
                f"{self.dtype}, {self.dim} wide",
                "aligned" if self.aligned else "odd",
                *([f"biases in {self.bias}"] if self.bias else []),
                *(option for option in options if getattr(self, option)),
            ]
        )


# ByT5's encoder (trained, and with rows deleted), its decoder, and its cross-attention; a causal LM; other
# widths of a head with everything on; rows that start anywhere.
_FORMS = (
    *(
        form
        for dtype in ("bf16", "fp32")
        for form in (
            _Form(dtype, 64, bias=dtype, softmax1=True),
            _Form(dtype, 64, bias="fp32", holes=True, softmax1=True),
            _Form(dtype, 64, bias=dtype, holes=True, causal=True, softmax1=True),
            _Form(dtype, 64),
            _Form(dtype, 128, causal=True),
            _Form(dtype, 128, bias=dtype, holes=True, causal=True),
            _Form(dtype, 33, aligned=False, bias=dtype, holes=True, causal=True, softmax1=True),
        )
    ),
    _Form("bf16", 256, bias="bf16", holes=True, causal=True),
    _Form("bf16", 200, aligned=False, bias="bf16", holes=True, causal=True),
    _Form("bf16", 80, bias="fp32"),
    _Form("fp16", 64, bias="fp16", softmax1=True),
    _Form("fp16", 80, aligned=False, bias="fp16", holes=True, causal=True),
)
# Kibibytes of shared memory, by pass and bytes of a number.
_SHARED = {
    ("fwd", 2): 108,
    ("fwd", 4): 48,
    ("dq", 2): 140,
    ("dq", 4): 36,
    ("dkdv", 2): 84,
    ("dkdv", 4): 44,
    ("dtable", 2): 76,
    ("dtable", 4): 28,
}


def _entry(name: str, form: _Form) -> Entry:
    """The kernel of one pass in one form."""
    dim = _attention.block_dim(form.dim)
    shared = "dkdv" if name == "dtable" else name
    blocks = _attention.blocks_for(shared, _BYTES[form.dtype], form.dim, form.aligned)
    pointers = dict.fromkeys(("q_ptr", "k_ptr", "v_ptr"), f"*{form.dtype}")
    pointers |= dict.fromkeys(("starts_q_ptr", "starts_k_ptr"), "*i32")
    if form.holes:
        pointers |= dict.fromkeys(("positions_q_ptr", "positions_k_ptr"), "*i32")
    if form.bias:
        pointers |= dict.fromkeys(("table_ptr", "key_bias_ptr"), f"*{form.bias}")
    pointers["lse_ptr"] = "*fp32"
    constants: dict[str, int | bool] = {
        "CAUSAL": form.causal,
        "DIM": form.dim,
        "BLOCK_DIM": dim,
        "BLOCK_Q": blocks.queries,
        "BLOCK_K": blocks.keys,
    }
    if name == "fwd":
        pointers["out_ptr"] = f"*{form.dtype}"
        constants["SOFTMAX1"] = form.softmax1
    else:
        pointers |= {"grad_out_ptr": f"*{form.dtype}", "delta_ptr": "*fp32"}
    if name == "dq":
        pointers |= dict.fromkeys(("out_ptr", "dq_ptr"), f"*{form.dtype}")
    if name == "dkdv":
        pointers |= dict.fromkeys(("dk_ptr", "dv_ptr"), f"*{form.dtype}")
        if form.bias:
            pointers["dkey_bias_ptr"] = "*fp32"
    if name == "dtable":
        pointers["dtable_ptr"] = "*fp32"
        constants["CHUNKS"] = chunks(2 * _RADIUS + 1, blocks)
    strides = [f"stride_{x}{of}" for x in "qkv" for of in ("", "_head")]
    integers = [*_attention.COUNTS, *strides]
    module = "varlen_attention" if name == "fwd" else "varlen_attention_backward"
    return Entry(
        kernel=f"pyfastlm.kernels.{module}:varlen_attention_{name}_kernel",
        form=form.name,
        signature=pointers | dict.fromkeys(integers, "i32") | {"scale": "fp32"},
        constants=constants,
        divisible=frozenset(pointers) | frozenset(strides if form.aligned else ()),
        warps=blocks.warps,
        stages=blocks.stages,
        shared=_SHARED[name, _BYTES[form.dtype]] << 10,
        fp_fusion=_attention.FP_FUSION,
    )


ENTRIES: tuple[Entry, ...] = tuple(
    _entry(name, form)
    for name in ("fwd", "dq", "dkdv", "dtable")
    for form in _FORMS
    if form.bias or name != "dtable"
)
