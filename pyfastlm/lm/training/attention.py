"""An attention implementation for transformers: sequences of a batch lie end to end, and no mask is built."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.attention import end_to_end, unknown

NAME = "pyfastlm_varlen"


def register_attention() -> str:
    """Make ``attn_implementation="pyfastlm_varlen"`` known to transformers; returns that name.

    A causal LM that has it attends by :func:`pyfastlm.ops.varlen_attention`, within the sequences that
    ``position_ids`` tell of: those of ``transformers.DataCollatorWithFlattening``, [1, N], start again at 0
    for each. Batches [B, T] without padding are B sequences. It is for training: there is no cache.

    The model's forward pass raises :class:`InputError` for a batch with padding, for ``use_cache=True``, for
    dropout in attention, and for what else the kernel does not know: a sliding window shorter than a
    sequence, a mask that is not causal, soft caps, sinks.

    Raises:
        MissingExtra: transformers is not installed.
    """
    transformers: Any = require("transformers", "lm")
    transformers.AttentionMaskInterface.register(NAME, _starts)
    transformers.AttentionInterface.register(NAME, _attend)
    return NAME


def _starts(
    *,
    batch_size: int,
    q_length: int,
    kv_length: int,
    mask_function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    attention_mask: Tensor | None = None,
    use_vmap: bool = False,
    device: torch.device | str = "cpu",
    **_: Any,
) -> Tensor:
    """[S + 1] int32, where each sequence of a batch starts: all that attention has to know of the mask.

    It stands in for the mask [B, 1, T, T] of transformers, whose ``mask_function`` says by row, head, query
    and key what is seen; a few pairs of tokens tell.
    """
    if kv_length != q_length:
        raise _unsupported(f"use_cache: expected False, got a cache of {kv_length - q_length} tokens")
    if attention_mask is not None and not bool(attention_mask.all()):
        raise InputError(
            "attention_mask: expected no padding; "
            "collate by transformers.DataCollatorWithFlattening, which lays sequences end to end"
        )
    rows, head = torch.arange(batch_size, device=device)[:, None], torch.zeros((), dtype=torch.long)
    tokens = torch.arange(q_length, device=device).expand(batch_size, -1)

    def sees(queries: Tensor, keys: Tensor) -> Tensor:
        return mask_function(rows, head, queries, keys)

    starts = torch.ones_like(tokens, dtype=torch.bool)
    starts[:, 1:] = ~sees(tokens[:, 1:], tokens[:, :-1])
    first = torch.where(starts, tokens, 0).cummax(dim=1).values
    if use_vmap or bool(sees(tokens[:, :-1], tokens[:, 1:]).any()):
        raise _unsupported("attention_mask: expected a causal one, got another")
    if not bool(sees(tokens, first).all()):
        raise _unsupported("sliding_window: expected one that holds every sequence, got a shorter one")
    return torch.cat(
        [starts.flatten().nonzero()[:, 0], starts.new_tensor([starts.numel()], dtype=torch.long)]
    ).int()


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    use_cache: bool | None = False,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention in the form that transformers calls: query [B, H, T, Dh] -> [B, T, H, Dh]."""
    if use_cache:  # with one, transformers does not tell where sequences start
        raise _unsupported("use_cache: expected False, got True")
    if dropout:
        raise _unsupported(f"dropout: expected 0 in attention, got {dropout}")
    if (name := unknown(options)) is not None:
        raise _unsupported(f"{name}: expected none in attention, got one")
    if attention_mask is None or attention_mask.ndim != 1:
        raise _unsupported("attention_mask: expected what transformers makes of position_ids, got another")
    # Autocast makes the values narrower, and leaves what was rotated as it is.
    q, k, v = (x.to(value.dtype).transpose(1, 2).flatten(0, 1) for x in (query, key, value))
    out = end_to_end(q, k, v, attention_mask, scaling)
    return out.unflatten(0, (query.shape[0], query.shape[2])), None


def _unsupported(what: str) -> InputError:
    return InputError(f'{what}, with {NAME}; use attn_implementation="sdpa"')
