"""What the model and its encoder return."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pyfastlm.mrt5._transformers import ModelOutput


@dataclass
class MrT5EncoderOutput(ModelOutput):  # type: ignore[misc]
    """What the encoder makes of a batch of B inputs of length L; S is L, or n* where rows are fewer behind g.

    Attributes:
        last_hidden_state: [B, S, D]. Soft or without a gate: every token at its place. Hard: the tokens kept,
            moved together; n* is the most that any input has left. Pooling: one row for each group, likewise
            moved together. Zeros where there is no token.
        attention_mask: [B, S] bool, where there is a token.
        key_bias: [B, S], what the decoder adds to the scores of a key; None for nothing.
        gate_values: [B, L] float32 (float64 in float64), G; k at pads. None without a gate.
        gate_logits: [B, L], z; 0 where the mask has no token. None without a gate that learns.
        keep: [B, L] bool: G above the threshold, and not a pad. Without a gate: where there is a token.
            Pooling: the first token of each group.
        n_kept: [B] int64, how many of them: the length that hard deletion or pooling leaves.
        boundary_loss: [B] float32 (float64 in float64), of ``boundary`` alone:
            ``-log Binomial(L, boundary_prior)(number of segments) / L`` in nats, L the tokens of the input;
            0 without any. It is for training to add.
    """

    last_hidden_state: Tensor | None = None
    attention_mask: Tensor | None = None
    key_bias: Tensor | None = None
    gate_values: Tensor | None = None
    gate_logits: Tensor | None = None
    keep: Tensor | None = None
    n_kept: Tensor | None = None
    boundary_loss: Tensor | None = None


@dataclass
class MrT5Output(ModelOutput):  # type: ignore[misc]
    """What the model makes of a batch of B inputs of length L and targets of length T.

    Attributes:
        loss: mean cross-entropy in nats over the labels that are not -100; None without labels.
        logits: [B, T, V]; zeros where ``decoder_attention_mask`` is 0.
        gate_values, gate_logits, keep, n_kept, boundary_loss: see :class:`MrT5EncoderOutput`.
        encoder_last_hidden_state: [B, S, D], its ``last_hidden_state``.
        encoder_attention_mask: [B, S] bool, its ``attention_mask``.
        cache: keys and values of the decoder, where ``use_cache``; also called ``past_key_values``.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    gate_values: Tensor | None = None
    gate_logits: Tensor | None = None
    keep: Tensor | None = None
    n_kept: Tensor | None = None
    boundary_loss: Tensor | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_attention_mask: Tensor | None = None
    cache: Any = None

    @property
    def past_key_values(self) -> Any:
        """``cache`` by its older name."""
        return self.cache
