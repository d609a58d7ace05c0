"""Forms of the kernels of ``gru_scan``."""

from pyfastlm.kernels import gru_scan
from pyfastlm.kernels.forms.entry import Entry

_BLOCKS = {"ROWS": gru_scan.ROWS, "UNITS": gru_scan.UNITS}


def _entry(backward: bool, aligned: bool, options: bool) -> Entry:
    """``aligned``: N is a multiple of 16; ``options``: h0, lengths, gates or gradients of all states."""
    floats, integers = ["weight_ptr", "states_ptr"], ["lengths_ptr"] * options
    counts, sizes = ["n_rows", "n_steps"], ["size"]
    if backward:
        kernel = "gru_scan_bwd_kernel"
        floats += ["gates_ptr", "grad_ptr", "before_gates_ptr", *["h0_ptr", "grad_states_ptr"] * options]
        sizes += ["stride_row", "stride_step"]
    else:
        kernel = "gru_scan_fwd_kernel"
        integers.append("ids_ptr")
        counts.append("n_vocab")
        floats += ["table_ptr", "bias_ptr", "last_ptr", *["h0_ptr", "gates_ptr"] * options]
    words = ["aligned" if aligned else "odd", "all options" * options]
    return Entry(
        kernel=f"pyfastlm.kernels.gru_scan:{kernel}",
        form=", ".join(filter(None, words)),
        signature=dict.fromkeys(floats, "*fp32")
        | dict.fromkeys(integers, "*i64")
        | dict.fromkeys((*counts, *sizes), "i32"),
        constants=_BLOCKS | {"DEPTH": gru_scan.DEPTH_BACK if backward else gru_scan.DEPTH},
        divisible=frozenset([*floats, *integers, *(sizes if aligned else ())]),
        warps=gru_scan.WARPS,
        stages=gru_scan.STAGES,
        shared=32 << 10,
    )


ENTRIES: tuple[Entry, ...] = tuple(
    _entry(backward, aligned, options)
    for backward in (False, True)
    for aligned in (True, False)
    for options in (False, True)
)
