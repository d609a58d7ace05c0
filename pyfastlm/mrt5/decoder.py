"""The decoder: T5's, on packed rows."""

import torch
from torch import Tensor, nn

from pyfastlm.errors import InputError
from pyfastlm.mrt5.attention import Rows
from pyfastlm.mrt5.blocks import DecoderBlock
from pyfastlm.mrt5.cache import DecoderCache
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.encoder import Memory
from pyfastlm.mrt5.stack import Stack
from pyfastlm.ops import Packed, compact


class Decoder(Stack):
    """Causal self-attention with a relative bias of its own, cross-attention to a :class:`Memory` without."""

    def __init__(self, config: MrT5Config, embed_tokens: nn.Embedding) -> None:
        blocks = [DecoderBlock(config, i == 0) for i in range(config.num_decoder_layers)]
        super().__init__(config, embed_tokens, [*blocks])

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None, memory: Memory, cache: DecoderCache | None
    ) -> Packed:
        """Decode a batch.

        Args:
            input_ids: [B, T] integers; with a cache, those after the ones it has.
            attention_mask: [B, T], 0 where there is no token; None for all of them. With a cache all ones.
            memory: of B sequences.
            cache: extended in place.

        Returns:
            Hidden states [N, D] of the tokens there are, and their places.

        Raises:
            InputError, InputTypeError: a shape, dtype or id is wrong.
        """
        self.check_ids("decoder_input_ids", input_ids, "decoder_attention_mask", attention_mask)
        batch = len(memory.rows.cu_seqlens) - 1
        if len(input_ids) != batch:
            raise InputError(
                f"decoder_input_ids: expected {batch} sequences as encoded, got {len(input_ids)}"
            )
        there = (
            torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask != 0
        )
        if cache is not None and attention_mask is not None and not bool(there.all()):
            raise InputError(
                "decoder_attention_mask: expected only ones with a cache; group by length instead"
            )
        ids = compact(input_ids, there)
        past = 0 if cache is None else cache.get_seq_length()
        rows = Rows(ids.cu_seqlens, ids.positions + past)
        x = self.dropout(self.embed_tokens(ids.values))
        table = self.table(bidirectional=False)
        for i, block in enumerate(self.block):
            if cache is None:
                x = self.run(block, x, rows, table, *memory)
            else:
                x = block(x, rows, table, *memory, cache.layers[i])
        x = self.dropout(self.final_layer_norm(x))
        return Packed(x, ids.positions, ids.cu_seqlens, input_ids.shape[1])
