"""Weights of 8 bits for inference on a CPU."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from pyfastlm.errors import InputError, Unavailable
from pyfastlm.mrt5.layers import Linear
from pyfastlm.mrt5.variants import variant

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

LARGEST = 127
INSTRUCTIONS = ("avx512_vnni", "amx_int8")  # for sums of 8-bit products, as torch names them


def int8(model: "MrT5ForConditionalGeneration") -> "MrT5ForConditionalGeneration":
    """A twin of ``model`` whose blocks multiply in 8 bits: for inference on a CPU, about twice as fast.

    Weights of the projections of attention and of the feed-forward layers are rounded with a scale for each
    output, what they are multiplied with, when it comes, with one for each row. Embeddings, norms, gate or
    pooling, attention and ``lm_head`` stay as they are, in the memory of ``model``. Results are near those of
    ``model``, not equal, and a byte whose gate is near the threshold may be kept in one and not in the other.
    As there, no result depends on what else is in the batch.

    The twin can be neither trained nor saved nor changed: ``model`` can.

    Args:
        model: float32, on the CPU; stays as it is.

    Raises:
        InputError: the model is on another device, or of another dtype.
        Unavailable: the processor has no instructions for it (AVX-512 VNNI or AMX); it would be slow.
    """
    weight = model.shared.weight
    if (weight.device.type, weight.dtype) != ("cpu", torch.float32):
        raise InputError(
            f"model: expected float32 on the CPU, got {weight.dtype} on {weight.device}; "
            "move it with .float().cpu()"
        )
    if not supported():
        raise Unavailable("int8: the processor has no AVX-512 VNNI and no AMX; without, float32 is faster")
    twin = variant(model)
    twin.requires_grad_(False)
    for stack in (twin.encoder, twin.decoder):
        for block in stack.block:
            _replace(cast("nn.ModuleList", block.layer))  # not the gate, nor what pools
    return twin


def supported() -> bool:
    """Whether the processor, and torch on it, has what makes products of 8 bits fast."""
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(found.get(name)) for name in INSTRUCTIONS)


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Linear):
            setattr(module, name, Int8Linear(child))
        else:
            _replace(child)


class Int8Linear(nn.Module):
    """What a :class:`~pyfastlm.mrt5.layers.Linear` without a bias computes, within 8 bits."""

    dtype = torch.float32

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.weight, scales = _rounded(linear.weight.detach())
        self.scales = scales.squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        rows, scales = _rounded(x.reshape(-1, x.shape[-1]))
        product = (torch._int_mm(rows, self.weight.t()) * scales).mul_(self.scales)
        return product.view(*x.shape[:-1], len(self.weight))

    def _save_to_state_dict(self, *arguments: object) -> None:
        raise InputError("model: one of 8 bits cannot be saved or changed; use that which it was made of")


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [N, D] as int8, and what makes of it them again, [N, 1]."""
    largest = torch.linalg.vector_norm(rows, float("inf"), dim=1, keepdim=True)
    scales = largest.clamp(min=torch.finfo(torch.float32).tiny) / LARGEST
    return (rows / scales).round_().to(torch.int8), scales
