"""Forms of the kernel of ``int8_linear``."""

from pyfastlm.kernels import int8_linear
from pyfastlm.kernels.forms.entry import Entry

_SHARED = {int8_linear.MANY: 96 << 10, int8_linear.FEW: 64 << 10}
# Rows, D and V, one of each form that occurs: SmolLM2-135M's 576 x 576, whose 1536 x 576 compiles alike;
# Llama 3 8B's 4096 x 14336, and SmolLM2's 576 x 1536 with it; few rows, and one; a width that is no multiple
# of 64, and columns that are none of 16.
_SHAPES = (
    (2048, 576, 576),
    (2048, 4096, 14336),
    (37, 4096, 14336),
    (1, 576, 1536),
    (2051, 1000, 50257),
    (37, 123, 507),
)


def _entry(rows: int, dim: int, cols: int, bias: bool) -> Entry:
    blocks = int8_linear.blocks_for(rows, cols)
    pointers = {"values_ptr": "*i8", "panels_ptr": "*i8"}
    pointers |= dict.fromkeys(("row_scale_ptr", "scale_ptr", *["bias_ptr"] * bias, "out_ptr"), "*fp32")
    sizes = {"n_rows": rows, "n_cols": cols, "steps": -(-dim // int8_linear.DEEP.value)}
    ones = {name: 1 for name, size in sizes.items() if size == 1}  # Triton makes constants of them
    integers = sizes.keys() - ones.keys()
    return Entry(
        kernel="pyfastlm.kernels.int8_linear:int8_linear_kernel",
        form=f"{rows} x {dim} x {cols}{', bias' * bias}",
        signature=pointers | dict.fromkeys(sorted(integers), "i32"),
        constants={
            "GROUP_ROWS": int8_linear.GROUP_ROWS,
            "BLOCK_ROWS": blocks.rows,
            "BLOCK_COLS": blocks.cols,
            "BLOCK_DEPTH": blocks.depth,
        }
        | ones,
        divisible=frozenset(pointers) | {name for name in integers if sizes[name] % 16 == 0},
        warps=blocks.warps,
        stages=blocks.stages,
        shared=_SHARED[blocks],
        fp_fusion=int8_linear.FP_FUSION,
    )


ENTRIES: tuple[Entry, ...] = tuple(_entry(*shape, bias) for shape in _SHAPES for bias in (False, True))
