"""Forms of the kernels of ``linear_logp``."""

from pyfastlm.kernels import _logits, linear_logp
from pyfastlm.kernels.forms.entry import Entry

_SHARED = {
    _logits.HALF: 96 << 10,
    _logits.HALF_ODD: 24 << 10,
    _logits.SINGLE: 16 << 10,
    _logits.MIXED: 16 << 10,
}

# Which integers are multiples of 16: all (D 576, V 49,152); all but the counts of rows and of entries (any
# text with GPT-2's V 50,257); none of those that the caller chooses. Triton makes a constant of a 1.
_ROWS = frozenset({"depth", "stride_hidden", "stride_weight", "first", "stride_out"})
_EVEN = _ROWS | {"n_rows", "n_vocab", "n_cols", "n_splits"}
_ALIGNMENTS = {
    "aligned": _EVEN,
    "one row": _EVEN,
    "ragged": _ROWS,
    "odd": frozenset({"first", "stride_out"}),
}
# (hidden, weight), alignment, all options. float16 compiles like bfloat16 and is covered at both ends.
_FORMS = (
    (("bf16", "bf16"), "one row", True),
    *(
        ((dtype, dtype), alignment, options)
        for dtype in ("bf16", "fp32")
        for alignment, options in (("aligned", False), ("aligned", True), ("ragged", True), ("odd", True))
    ),
    *(
        (dtypes, alignment, options)
        for dtypes in (("fp16", "fp16"), ("fp32", "bf16"), ("bf16", "fp32"))
        for alignment, options in (("aligned", False), ("odd", True))
    ),
)


def _configuration(hidden: str, weight: str, alignment: str) -> _logits.Blocks:
    if hidden != weight:
        return _logits.MIXED
    if hidden == "fp32":
        return _logits.SINGLE
    return _logits.HALF_ODD if alignment == "odd" else _logits.HALF


def _form(kernel: str, hidden: str, weight: str, alignment: str, options: bool) -> Entry:
    """A form of the two kernels with a product in them; ``options``: bias, soft cap, entropy, argmax."""
    forward = kernel == "linear_logp_fwd_kernel"
    module = "linear_logp" if forward else "linear_logp_backward"
    blocks = _configuration(hidden, weight, alignment)
    pointers = {"hidden_ptr": f"*{hidden}", "weight_ptr": f"*{weight}", "targets_ptr": "*i64"}
    integers = {"n_rows", "n_vocab", "depth", "stride_hidden", "stride_weight"}
    scalars = {"logit_scale": "fp32"}
    if forward:
        pointers |= dict.fromkeys(("top_ptr", "total_ptr", "target_logit_ptr"), "*fp32")
    else:
        pointers |= dict.fromkeys(("lse_ptr", "grad_logp_ptr", "boost_ptr"), "*fp32")
        pointers["out_ptr"] = f"*{hidden}" if hidden == weight else "*fp32"
        integers |= {"n_cols", "first", "stride_out"}
    if options:
        scalars["softcap"] = "fp32"
        pointers["bias_ptr"] = f"*{weight}"
        if forward:
            pointers |= {"moment_ptr": "*fp32", "best_ptr": "*fp32", "index_ptr": "*i32"}
        else:
            pointers |= {"entropy_ptr": "*fp32", "grad_entropy_ptr": "*fp32"}
    constants = {
        "WIDEN": blocks.widen,
        "GROUP_ROWS": _logits.GROUP_ROWS,
        "BLOCK_ROWS": blocks.rows,
        "BLOCK_VOCAB": blocks.vocab,
        "BLOCK_DEPTH": blocks.depth,
    }
    if forward:
        constants["SPLIT"] = linear_logp.VOCAB_PER_SPLIT
    if alignment == "one row":
        integers.remove("n_rows")
        constants["n_rows"] = 1
    return Entry(
        kernel=f"pyfastlm.kernels.{module}:{kernel}",
        form=f"{hidden} x {weight}, {alignment}{', all options' if options else ''}",
        signature=pointers | dict.fromkeys(sorted(integers), "i32") | scalars,
        constants=constants,
        divisible=frozenset(pointers) | (_ALIGNMENTS[alignment] & integers),
        warps=blocks.warps,
        stages=blocks.stages,
        shared=_SHARED[blocks],
        fp_fusion=_logits.FP_FUSION,
    )


def _combine(alignment: str, options: bool, **ones: int) -> Entry:
    """A form of the kernel that merges partial results; ``ones``: integers that are 1."""
    pointers = dict.fromkeys(("top_ptr", "total_ptr", "target_logit_ptr", "logp_ptr", "lse_ptr"), "*fp32")
    pointers["targets_ptr"] = "*i64"
    if options:
        pointers |= dict.fromkeys(("moment_ptr", "best_ptr", "entropy_ptr"), "*fp32")
        pointers |= {"index_ptr": "*i32", "argmax_ptr": "*i64"}
    integers = {"n_rows", "n_vocab", "n_splits"} - set(ones)
    blocks = {"BLOCK_SPLITS": linear_logp.COMBINE_SPLITS, "BLOCK_ROWS": linear_logp.COMBINE_ROWS}
    return Entry(
        kernel="pyfastlm.kernels.linear_logp:linear_logp_combine_kernel",
        form=", ".join([alignment, *(f"{name} 1" for name in ones), *(["all options"] if options else [])]),
        signature=pointers | dict.fromkeys(sorted(integers), "i32"),
        constants=blocks | ones,
        divisible=frozenset(pointers) | (_ALIGNMENTS[alignment] & integers),
        warps=linear_logp.COMBINE_WARPS,
        stages=linear_logp.COMBINE_STAGES,
        shared=4 << 10,
        fp_fusion=_logits.FP_FUSION,
    )


ENTRIES: tuple[Entry, ...] = (
    *(
        _form(kernel, hidden, weight, alignment, options)
        for kernel in ("linear_logp_fwd_kernel", "linear_logp_dlogits_kernel")
        for (hidden, weight), alignment, options in _FORMS
    ),
    _combine("aligned", False),
    _combine("aligned", True),
    _combine("aligned", True, n_rows=1),
    _combine("odd", True),
    _combine("odd", True, n_splits=1),
)
