"""Pooling as its description has it: one sequence after the other, one group after the other, nothing shared.

Attention, norms and the decoder are those of ``oracle``.
"""

import math
from typing import NamedTuple

import oracle
import torch
from oracle import Config, Weights
from torch import Tensor


class Row(NamedTuple):
    """``memory`` [S, D]; ``starts``, the place in the row of the first token of each group."""

    memory: Tensor
    starts: list[int]
    boundary_loss: Tensor


def logits(weights: Weights, config: Config, row: Row, labels: Tensor) -> Tensor:
    """[T, V] for the labels [T] of one sequence."""
    no_bias = torch.zeros(1, 1, 1, 1, dtype=row.memory.dtype)
    return oracle.decode(weights, config, oracle.shift_right(labels[None]), row.memory[None], no_bias)[0]


def encode(
    weights: Weights, config: Config, ids: Tensor, positions: Tensor, uniform: Tensor | None = None
) -> Row:
    """One sequence of ids [n] at ``positions`` [n]; with ``uniform`` [n] boundaries are drawn by them."""
    x, starts = weights["shared.weight"][ids], list(range(len(ids)))
    loss = torch.zeros((), dtype=x.dtype)
    name = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    for i in range(config["num_layers"]):
        block = f"encoder.block.{i}"
        if i == config["delete_gate_layer"]:
            normed = oracle.norm(x, weights[f"{block}.down_ln.weight"], config)
            if config["deletion_type"] == "convolution":
                x, starts = convolution(weights, f"{block}.downsampling_module.conv", normed)
            else:
                prefix = f"{block}.boundary_predictor.boundary_predictor"
                ends = boundaries(weights, prefix, config, normed, uniform)
                x, starts = means(normed, ends)
                loss = prior_loss(ends, config["boundary_prior"])
        at = positions[starts][None]
        bias = oracle.position_bias(weights[name], at, at, True)
        normed = oracle.norm(x, weights[f"{block}.layer.0.layer_norm.weight"], config)[None]
        x = x + oracle.attention(weights, f"{block}.layer.0.SelfAttention", normed, normed, bias, config)[0]
        x = x + oracle.feed_forward(weights, f"{block}.layer.1", x, config)
    return Row(oracle.norm(x, weights["encoder.final_layer_norm.weight"], config), starts, loss)


def boundaries(
    weights: Weights, prefix: str, config: Config, x: Tensor, uniform: Tensor | None
) -> list[Tensor]:
    """1 where a segment ends, else 0; the gradient is that of the relaxed draw."""
    hidden = gelu(x @ weights[f"{prefix}.0.weight"].T + weights[f"{prefix}.0.bias"])
    z = (hidden @ weights[f"{prefix}.2.weight"].T + weights[f"{prefix}.2.bias"]).squeeze(1)
    ends = []
    for t in range(len(x)):
        if t == len(x) - 1:
            ends.append(torch.ones((), dtype=x.dtype))
        elif uniform is None:
            ends.append((torch.sigmoid(z[t]) > 0.5).to(x.dtype))
        else:
            noise = math.log(uniform[t]) - math.log(1 - uniform[t])
            soft = 1 / (1 + torch.exp(-(z[t] + noise) / config["boundary_temperature"]))
            ends.append((soft > 0.5) + (soft - soft.detach()))
    return ends


def means(x: Tensor, ends: list[Tensor]) -> tuple[Tensor, list[int]]:
    """Token t belongs to segment s if s boundaries come before it; its weight is 1 - |s - boundaries|."""
    groups: list[list[int]] = [[]]
    for t, end in enumerate(ends):
        groups[-1].append(t)
        if end > 0.5 and t < len(ends) - 1:
            groups.append([])
    pooled = []
    for s, members in enumerate(groups):
        shares = [1 - (s - sum(ends[:t], torch.zeros(()))) for t in members]
        mixed = sum(share * x[t] for share, t in zip(shares, members, strict=True))
        pooled.append(mixed / sum(shares))
    return torch.stack(pooled), [members[0] for members in groups]


def prior_loss(ends: list[Tensor], prior: float) -> Tensor:
    count = torch.stack(ends).sum()
    probability = torch.tensor(prior, dtype=count.dtype)
    return -torch.distributions.Binomial(len(ends), probability).log_prob(count) / len(ends)


def convolution(weights: Weights, prefix: str, x: Tensor) -> tuple[Tensor, list[int]]:
    weight = weights[f"{prefix}.weight"]
    starts = list(range(0, len(x), weight.shape[2]))
    pooled = []
    for start in starts:
        total = weights[f"{prefix}.bias"]
        for k, row in enumerate(x[start : start + weight.shape[2]]):
            total = total + weight[:, :, k] @ row
        pooled.append(gelu(total))
    return torch.stack(pooled), starts


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
