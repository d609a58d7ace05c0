"""What the decoder keeps from one generated token to the next."""

import torch
from torch import Tensor

from pyfastlm.mrt5.attention import Keys, Rows


class LayerCache:
    """One block's: its own keys and values [B, t, H, Dh], and those of the memory, which never change."""

    def __init__(self) -> None:
        self.own: tuple[Tensor, Tensor] | None = None
        self.memory: Keys | None = None

    def extend(self, keys: Keys) -> Keys:
        """Take in the keys of the newest tokens, equally many in each sequence; return those of all."""
        batch = len(keys.rows.cu_seqlens) - 1
        k, v = (t.view(batch, len(t) // batch, *t.shape[1:]) for t in (keys.k, keys.v))
        if self.own is not None:
            k, v = torch.cat([self.own[0], k], dim=1), torch.cat([self.own[1], v], dim=1)
        self.own = k, v
        starts = torch.arange(batch + 1, dtype=torch.int32, device=k.device) * k.shape[1]
        return Keys(k.flatten(0, 1), v.flatten(0, 1), Rows(starts))


class DecoderCache:
    """All blocks' caches; ``generate`` makes one and hands it from step to step."""

    is_croppable = False  # transformers asks on Apple's GPUs

    def __init__(self, layers: int) -> None:
        self.layers = [LayerCache() for _ in range(layers)]

    def get_seq_length(self) -> int:
        """t, the tokens taken in so far."""
        own = self.layers[0].own
        return 0 if own is None else own[0].shape[1]

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Let sequence i go on from what was sequence ``beam_idx[i]``.

        Beams change places among those of one input only, as beam search has it: their memory is the same,
        and stays.
        """
        for layer in self.layers:
            if layer.own is not None:
                k, v = layer.own
                layer.own = k.index_select(0, beam_idx), v.index_select(0, beam_idx)
