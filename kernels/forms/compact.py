"""Forms of the kernels of ``compact``."""

from pyfastlm.kernels import compact
from pyfastlm.kernels.forms.entry import Entry

# Width of a row and type: ByT5's hidden states in 16 and 32 bits, token ids, masks, and anything odd.
_ROWS = ((1472, "i16", True), (1472, "i32", True), (1, "i64", True), (1, "u8", False), (33, "i16", False))


def _entry(
    kernel: str,
    form: str,
    pointers: dict[str, str],
    integers: tuple[str, ...],
    constants: dict[str, int],
    divisible: bool,
) -> Entry:
    """A form whose integers are all multiples of 16, or none; a count of sequences is never known to be."""
    names = [name for name in integers if name not in constants]
    return Entry(
        kernel=f"pyfastlm.kernels.compact:{kernel}",
        form=form,
        signature=pointers | dict.fromkeys(names, "i32"),
        constants=constants,
        divisible=frozenset(pointers) | (frozenset(names) - {"n_sequences"} if divisible else frozenset()),
        warps=compact.WARPS,
        stages=compact.STAGES,
        shared=8 << 10,  # 1,024 addresses change their layout
    )


def _copying(kernel: str, width: int, kind: str, divisible: bool) -> Entry:
    """A form of a kernel that copies rows."""
    blocks = compact.blocks_for(width)
    constants = {"ROWS": blocks.rows, "COLS": blocks.cols}
    if kernel == "compact_gather_kernel":
        pointers = {
            "x_ptr": f"*{kind}",
            "values_ptr": f"*{kind}",
            "positions_ptr": "*i32",
            "starts_ptr": "*i32",
        }
        integers: tuple[str, ...] = ("n_sequences", "length", "width", "stride_sequence", "stride_row")
    else:
        pointers = dict.fromkeys(("values_ptr", "fill_ptr", "x_ptr"), f"*{kind}") | {"inverse_ptr": "*i32"}
        integers = ("n_rows", "width", "stride_row")
    if width == 1:  # Triton makes constants of ones
        constants |= {"width": 1, "stride_row": 1}
    form = f"{width} x {kind}, {'aligned' if divisible else 'odd'}"
    return _entry(kernel, form, pointers, integers, constants, divisible)


_BLOCK = {"BLOCK": compact.INDEX_BLOCK}
_INDEX = {"keep_ptr": "*u8", "ends_ptr": "*i32", "positions_ptr": "*i32"}
_PLACE = dict.fromkeys(("positions_ptr", "starts_ptr", "inverse_ptr"), "*i32")

ENTRIES: tuple[Entry, ...] = (
    *(
        _entry(kernel, "aligned" if divisible else "odd", pointers, integers, _BLOCK, divisible)
        for kernel, pointers, integers in (
            ("compact_index_kernel", _INDEX, ("n_rows", "length")),
            ("compact_place_kernel", _PLACE, ("n_sequences", "length")),
        )
        for divisible in (True, False)
    ),
    *(
        _copying(kernel, *row)
        for kernel in ("compact_gather_kernel", "compact_scatter_kernel")
        for row in _ROWS
    ),
)
