"""MrT5 as its description has it: dense, with masks, [B, H, L, L] scores; nothing shared with pyfastlm.

``run`` takes the weights by their names in a checkpoint and the keys of config.json. Hard deletion is there
twice: as the original does it (gather, pads point at token 0 behind a mask of -1e9), and exactly (full
length, deleted keys at minus infinity).
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

Weights = dict[str, Tensor]
Config = dict[str, Any]
BLOCKED = -1e9


class Result(NamedTuple):
    """``memory`` [B, S, D] with ``memory_mask`` [B, S]; ``positions`` [B, S] where its tokens came from."""

    memory: Tensor
    memory_mask: Tensor
    positions: Tensor
    gate: Tensor | None
    z: Tensor | None
    keep: Tensor
    logits: Tensor
    loss: Tensor


def run(
    weights: Weights,
    config: Config,
    input_ids: Tensor,
    labels: Tensor,
    *,
    mask: Tensor | None = None,
    hard: str = "",
    threshold: float | None = None,
) -> Result:
    """``hard``: "" for soft deletion, "gather" as the original, "mask" exactly."""
    mask = (input_ids != 0) if mask is None else mask.bool()
    batch, length = input_ids.shape
    positions = torch.arange(length).expand(batch, length)
    x = weights["shared.weight"][input_ids]
    bias = position_bias(
        weights["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"],
        positions,
        positions,
        True,
    )
    scores_bias = bias + blocked(mask, x)
    gate = z = None
    seen, keep, memory_gate = mask, mask, None
    threshold = config["deletion_threshold"] if threshold is None else threshold
    for i in range(config["num_layers"]):
        if config["deletion_type"] is not None and i == config["delete_gate_layer"]:
            z, gate = delete_gate(weights, f"encoder.block.{i}.delete_gate", x, config)
            gate = torch.where(input_ids == 0, torch.full_like(gate, config["sigmoid_mask_scale"]), gate)
            keep = (gate > threshold) & mask & (input_ids != 0)
            kept_bias = gate if config.get("keep_gate_bias") else torch.zeros_like(gate)
            if hard == "gather":
                count = keep.sum(1)
                longest = int(count.max())
                destination = keep.cumsum(1) - 1
                index = torch.zeros(batch, longest, dtype=torch.long)
                for b in range(batch):
                    for t in range(length):
                        if keep[b, t]:
                            index[b, destination[b, t]] = t
                seen = torch.arange(longest)[None] < count[:, None]
                x = x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
                positions = index
                rows = bias.expand(batch, -1, -1, -1).gather(
                    2, index[:, None, :, None].expand(-1, bias.shape[1], -1, length)
                )
                bias = rows.gather(3, index[:, None, None, :].expand(-1, bias.shape[1], longest, -1))
                memory_gate = kept_bias.gather(1, index)
                scores_bias = bias + blocked(seen, x) + memory_gate[:, None, None, :]
            elif hard == "mask":
                seen = keep
                hidden = torch.zeros_like(gate).masked_fill(~keep, -math.inf)
                scores_bias = bias + (hidden + kept_bias)[:, None, None, :]
                memory_gate = kept_bias
            else:
                memory_gate = gate
                scores_bias = scores_bias + gate[:, None, None, :]
        prefix = f"encoder.block.{i}.layer"
        normed = norm(x, weights[f"{prefix}.0.layer_norm.weight"], config)
        x = x + attention(weights, f"{prefix}.0.SelfAttention", normed, normed, scores_bias, config)
        x = x + feed_forward(weights, f"{prefix}.1", x, config)
    memory = norm(x, weights["encoder.final_layer_norm.weight"], config)
    if hard == "mask":
        cross_bias = torch.zeros_like(keep, dtype=x.dtype).masked_fill(~seen, -math.inf)[:, None, None, :]
    else:
        cross_bias = blocked(seen, x)
    if memory_gate is not None:
        cross_bias = cross_bias + memory_gate[:, None, None, :]
    logits = decode(weights, config, shift_right(labels), memory, cross_bias)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    return Result(memory, seen, positions, gate, z, keep, logits, loss)


def decode(weights: Weights, config: Config, ids: Tensor, memory: Tensor, cross_bias: Tensor) -> Tensor:
    """Logits [B, T, V]."""
    length = ids.shape[1]
    positions = torch.arange(length).expand(len(ids), length)
    name = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    future = torch.full((length, length), -math.inf, dtype=memory.dtype).triu(1)
    bias = position_bias(weights[name], positions, positions, False) + future
    x = weights["shared.weight"][ids]
    for i in range(config["num_decoder_layers"]):
        prefix = f"decoder.block.{i}.layer"
        normed = norm(x, weights[f"{prefix}.0.layer_norm.weight"], config)
        x = x + attention(weights, f"{prefix}.0.SelfAttention", normed, normed, bias, config)
        normed = norm(x, weights[f"{prefix}.1.layer_norm.weight"], config)
        x = x + attention(weights, f"{prefix}.1.EncDecAttention", normed, memory, cross_bias, config)
        x = x + feed_forward(weights, f"{prefix}.2", x, config)
    return norm(x, weights["decoder.final_layer_norm.weight"], config) @ weights["lm_head.weight"].T


def shift_right(labels: Tensor) -> Tensor:
    ids = torch.zeros_like(labels)
    ids[:, 1:] = labels[:, :-1]
    return ids.masked_fill(ids == -100, 0)


def delete_gate(weights: Weights, prefix: str, x: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    if config["gate_layer_norm"]:
        x = norm(x, weights[f"{prefix}.layer_norm.weight"], config)
    z = (x @ weights[f"{prefix}.feed_forward.weight"].T + weights[f"{prefix}.feed_forward.bias"]).squeeze(-1)
    if config["deletion_type"] == "log_sigmoid":
        return z, -torch.log1p(torch.exp(-z))
    return z, config["sigmoid_mask_scale"] / (1 + torch.exp(z))


def attention(
    weights: Weights, prefix: str, queries: Tensor, keys: Tensor, bias: Tensor, config: Config
) -> Tensor:
    def heads(x: Tensor, name: str) -> Tensor:
        projected = x @ weights[f"{prefix}.{name}.weight"].T
        return projected.view(len(x), x.shape[1], config["num_heads"], config["d_kv"]).transpose(1, 2)

    scores = heads(queries, "q") @ heads(keys, "k").transpose(2, 3) + bias
    mixed = softmax(scores, config["use_softmax1"]) @ heads(keys, "v")
    return mixed.transpose(1, 2).flatten(2) @ weights[f"{prefix}.o.weight"].T


def softmax(scores: Tensor, one_more: bool) -> Tensor:
    """With ``one_more`` a key of score 0 takes its share. Where nothing is seen, nothing is attended to."""
    most = scores.amax(-1, keepdim=True) if scores.shape[-1] else scores.new_zeros(*scores.shape[:-1], 1)
    most = most.clamp(min=0) if one_more else most.masked_fill(most <= BLOCKED / 2, 0)
    weights = torch.exp(scores - most)
    total = weights.sum(-1, keepdim=True) + (torch.exp(-most) if one_more else 0)
    return weights / total.masked_fill(total == 0, 1)


def feed_forward(weights: Weights, prefix: str, x: Tensor, config: Config) -> Tensor:
    x = norm(x, weights[f"{prefix}.layer_norm.weight"], config)
    inner = x @ weights[f"{prefix}.DenseReluDense.wi_0.weight"].T
    gelu = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
    gated = gelu * (x @ weights[f"{prefix}.DenseReluDense.wi_1.weight"].T)
    return gated @ weights[f"{prefix}.DenseReluDense.wo.weight"].T


def norm(x: Tensor, weight: Tensor, config: Config) -> Tensor:
    return weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + config["layer_norm_epsilon"])


def blocked(mask: Tensor, like: Tensor) -> Tensor:
    """[B, 1, 1, S]: -1e9 on keys that are not there."""
    return torch.zeros(mask.shape, dtype=like.dtype).masked_fill(~mask, BLOCKED)[:, None, None, :]


def position_bias(weight: Tensor, queries: Tensor, keys: Tensor, bidirectional: bool) -> Tensor:
    """[B, H, Lq, Lk] from buckets of distances; 32 of them, as far as 128."""
    distance = (keys[:, None, :] - queries[:, :, None]).tolist()
    bucket = encoder_bucket if bidirectional else decoder_bucket
    indices = torch.tensor([[[bucket(d) for d in row] for row in rows] for rows in distance])
    return weight[indices].permute(0, 3, 1, 2)


def encoder_bucket(d: int) -> int:
    near = abs(d)
    far = 8 + math.floor(8 * math.log(max(near, 1) / 8) / math.log(16)) if near >= 8 else 0
    return 16 * (d > 0) + (near if near < 8 else min(15, far))


def decoder_bucket(d: int) -> int:
    n = max(-d, 0)
    return n if n < 16 else min(31, 16 + math.floor(16 * math.log(n / 16) / math.log(8)))
