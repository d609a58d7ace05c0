"""The encoder: full length up to the gate or the pooling, and behind it what they leave."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pyfastlm.errors import InputError
from pyfastlm.mrt5.attention import Rows, thinned, unbroken
from pyfastlm.mrt5.blocks import EncoderBlock
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.gate import DeleteGate, Gates, gate
from pyfastlm.mrt5.kinds import POOLING
from pyfastlm.mrt5.output import MrT5EncoderOutput
from pyfastlm.mrt5.pooling import BLOCKS, Pooled, PoolingBlock
from pyfastlm.mrt5.stack import Stack
from pyfastlm.ops import Packed, compact, uncompact


class Memory(NamedTuple):
    """What the decoder attends to: ``values`` [M, D] without pads, their rows, ``bias`` [M] on the scores."""

    values: Tensor
    rows: Rows
    bias: Tensor | None


class Left(NamedTuple):
    """What a gate leaves: ``values`` [M, D], their rows, ``bias`` [M] on the scores; ``normed`` [M, D] are
    the values after the first norm of the block, where they are there already."""

    values: Tensor
    rows: Rows
    bias: Tensor | None
    normed: Tensor | None = None


class Encoder(Stack):
    """T5's encoder with a delete gate, or a pooling, at the entry of block g; usable alone.

    Attributes:
        deletion_generator: of the ``random`` gate, of gate noise and of boundaries; None for torch's global
            one.
    """

    main_input_name = "input_ids"  # asked for by ``generate``

    def __init__(self, config: MrT5Config, embed_tokens: nn.Embedding) -> None:
        super().__init__(config, embed_tokens, [_block(config, i) for i in range(config.num_layers)])
        self.deletion_generator: torch.Generator | None = None

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        hard_delete: bool | None = None,
        deletion_threshold: float | None = None,
        return_dict: bool = True,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> MrT5EncoderOutput | tuple[Any, ...]:
        """Encode a batch.

        Args:
            input_ids: [B, L] integers.
            attention_mask: [B, L], 0 where there is no token; None for where ``input_ids`` is a pad.
            hard_delete: remove what the gate deletes; else its gates weigh on attention. None: in evaluation
                mode only. Pooling always merges.
            deletion_threshold: a token is kept if its G is above; None for the configuration's.
            return_dict: False for a tuple.
            output_attentions, output_hidden_states: only false: attention weights never exist.

        Returns:
            :class:`MrT5EncoderOutput`.

        Raises:
            InputError, InputTypeError: a shape, dtype, id or number is wrong.

        Source: Kallini et al. (2024), section 3; ``models/modeling_mrt5.py``.
        """
        if output_attentions or output_hidden_states:
            raise InputError(
                "output_attentions, output_hidden_states: expected false; they are never all there"
            )
        encoded, _ = self.encode(input_ids, attention_mask, hard_delete, deletion_threshold)
        return encoded if return_dict else encoded.to_tuple()

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        hard_delete: bool | None,
        deletion_threshold: float | None,
    ) -> tuple[MrT5EncoderOutput, Memory]:
        """What :meth:`forward` returns, and the same for a decoder, without pads."""
        self.check_ids("input_ids", input_ids, "attention_mask", attention_mask)
        threshold = self.config.deletion_threshold if deletion_threshold is None else deletion_threshold
        if not math.isfinite(threshold):
            raise InputError(f"deletion_threshold: expected a finite number, got {threshold}")
        hard = not self.training if hard_delete is None else hard_delete
        there = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask != 0
        ids = compact(input_ids, there)
        rows = Rows(ids.cu_seqlens, ids.positions)
        x = self.dropout(self.embed_tokens(ids.values))
        table = self.table(bidirectional=True)
        key_bias = gates = pooled = None
        for block in self.block:
            normed = None
            if isinstance(block, PoolingBlock):
                pooled = block.pool(x, rows, self.deletion_generator)
                x, rows = pooled.values, pooled.rows
            elif isinstance(block.delete_gate, nn.Module):
                gates, left = self._through_gate(block, x, ids, threshold if hard else None)
                x, rows, key_bias, normed = left
            x = self.run(block, x, rows, table, key_bias, normed)
        x = self.dropout(self.final_layer_norm(x))
        shorter = pooled is not None or (hard and gates is not None)
        output = _padded(x, _moved_together(rows) if shorter else ids, key_bias)
        output.keep = there
        if gates is not None:
            self._tell(output, gates, input_ids, ids, there, threshold)
        elif pooled is not None:
            _tell_pooled(output, pooled, ids.length)
        output.n_kept = output.keep.sum(dim=1)
        return output, Memory(x, Rows(rows.cu_seqlens), key_bias)

    def _through_gate(
        self, block: Any, x: Tensor, ids: Packed, threshold: float | None
    ) -> tuple[Gates, Left]:
        """The gates of rows [N, D], and the rows above the threshold; without one all rows, biased."""
        rows = Rows(ids.cu_seqlens, ids.positions)
        closed = ids.values == self.config.pad_token_id  # a pad inside the mask
        gate, norm = block.delete_gate, block.layer[0].layer_norm
        if threshold is not None and isinstance(gate, DeleteGate) and gate.fits_one_pass(x, norm):
            gated = gate.delete(x, closed, threshold, norm)
            gates, kept, index = Gates(gated.values, gated.logits), gated.kept, gated.rows
            normed: Tensor | None = gated.normed
        else:
            found: Gates = gate(x, ids.values, rows, self.deletion_generator)
            gates = Gates(found.values.masked_fill(closed, self.config.sigmoid_mask_scale), found.logits)
            if threshold is None:
                return gates, Left(x, rows, gates.values)
            packed = compact(x[None], ((gates.values > threshold) & ~closed)[None])
            kept, index, normed = packed.values, packed.positions, None
        key_bias = gates.values[index] if self.config.keep_gate_bias else None
        left = thinned(rows, (gates.values > threshold) & ~closed, index)
        return gates, Left(kept, left, key_bias, normed)

    def _tell(
        self,
        output: MrT5EncoderOutput,
        gates: Gates,
        input_ids: Tensor,
        ids: Packed,
        there: Tensor,
        threshold: float,
    ) -> None:
        """Say in ``output`` what the gate did, place by place."""
        closed = self.config.sigmoid_mask_scale
        output.gate_values = _unpacked(gates.values, ids, closed)
        output.gate_logits = None if gates.logits is None else _unpacked(gates.logits, ids, 0.0)
        output.keep = (output.gate_values > threshold) & there & (input_ids != self.config.pad_token_id)


def _block(config: MrT5Config, index: int) -> nn.Module:
    """Block ``index``, with what changes the rows at its entry."""
    relative = index == 0
    if index != config.delete_gate_layer:
        return EncoderBlock(config, relative)
    if config.deletion_type in POOLING:
        return BLOCKS[config.deletion_type](config, relative)
    return EncoderBlock(config, relative, gate(config))


def memory_of(output: MrT5EncoderOutput) -> Memory:
    """What an encoder returned, without pads."""
    assert output.last_hidden_state is not None
    assert output.attention_mask is not None
    packed = compact(output.last_hidden_state, output.attention_mask)
    bias = None if output.key_bias is None else output.key_bias[output.attention_mask]
    return Memory(packed.values, Rows(packed.cu_seqlens), bias)


def _moved_together(rows: Rows) -> Packed:
    """Where rows lie in a batch that is as long as its longest sequence."""
    count = len(rows.positions) if rows.positions is not None else 0
    moved = Packed(torch.empty(0), unbroken(rows.cu_seqlens, count), rows.cu_seqlens, 0)
    moved.length = moved.max_len
    return moved


def _padded(x: Tensor, places: Packed, key_bias: Tensor | None) -> MrT5EncoderOutput:
    """Rows [N, D] as a batch [B, S, D], zeros where there is none."""
    ones = torch.ones(len(x), dtype=torch.uint8, device=x.device)
    return MrT5EncoderOutput(
        last_hidden_state=_unpacked(x, places, 0.0),
        attention_mask=_unpacked(ones, places, 0.0).bool(),
        key_bias=None if key_bias is None else _unpacked(key_bias, places, 0.0),
    )


def _tell_pooled(output: MrT5EncoderOutput, pooled: Pooled, length: int) -> None:
    """Say in ``output`` where the groups start in a batch of ``length``, and how likely their number is."""
    rows, ones = pooled.rows, torch.ones(len(pooled.values), dtype=torch.uint8, device=pooled.values.device)
    assert rows.positions is not None
    output.keep = _unpacked(ones, Packed(ones, rows.positions, rows.cu_seqlens, length), 0.0).bool()
    output.boundary_loss = pooled.loss


def _unpacked(values: Tensor, places: Packed, fill: float) -> Tensor:
    return uncompact(Packed(values, places.positions, places.cu_seqlens, places.length), fill=fill)
