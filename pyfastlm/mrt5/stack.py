"""What encoder and decoder share."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.layers import RMSNorm


class Stack(nn.Module):
    """Embedding, blocks, and the norm at the end.

    ``embed_tokens`` is the module that the model calls ``shared``, not a copy.
    """

    gradient_checkpointing = False
    _gradient_checkpointing_func: Callable[..., Any]  # set by transformers

    def __init__(self, config: MrT5Config, embed_tokens: nn.Embedding, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = embed_tokens
        self.block = nn.ModuleList(blocks)
        self.final_layer_norm = RMSNorm(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def run(self, block: nn.Module, *inputs: Any) -> Tensor:
        """One block; with gradient checkpointing its inner values are computed anew in the backward pass."""
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(block.__call__, *inputs)  # type: ignore[no-any-return]
        return block(*inputs)  # type: ignore[no-any-return]

    def table(self, bidirectional: bool) -> Tensor:
        """[2R+1, H], the bias by distance that all blocks share."""
        first: Any = self.block[0]
        return first.layer[0].SelfAttention.table(bidirectional)  # type: ignore[no-any-return]

    def check_ids(self, name: str, ids: object, mask_name: str, mask: object) -> None:
        """Refuse what is not [B, L] ids, or a mask of another shape; values are looked at on a CPU only."""
        if not isinstance(ids, Tensor) or ids.is_floating_point():
            raise InputTypeError(f"{name}: expected a tensor of integers, got {_kind(ids)}")
        if ids.ndim != 2 or ids.numel() == 0:
            raise InputError(f"{name}: expected [B, L] with at least one id, got shape {list(ids.shape)}")
        if ids.device.type == "cpu":
            least, most = (int(bound) for bound in ids.aminmax())
            if least < 0 or most >= self.config.vocab_size:
                wrong = least if least < 0 else most
                raise InputError(f"{name}: expected ids from 0 to {self.config.vocab_size - 1}, got {wrong}")
        if mask is not None and not isinstance(mask, Tensor):
            raise InputTypeError(f"{mask_name}: expected a tensor, got {_kind(mask)}")
        if mask is not None and mask.shape != ids.shape:
            raise InputError(f"{mask_name}: expected {list(ids.shape)}, got shape {list(mask.shape)}")


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
