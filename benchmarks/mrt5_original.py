"""The computation of the original MrT5 in plain torch: the peer that bench_mrt5.py measures.

Padded batches [B, L, D]; projections of their own for q, k and v; scores and their biases as [B, H, L, L];
hard deletion gathers what is kept, padded to the row that keeps most, and with it rows and columns of the
bias; the decoder attends to that. Written from a description of ``models/modeling_t5.py`` and
``modeling_mrt5.py`` of https://github.com/jkallini/mrt5, in its best form: no attention weights are handed
out, no gate is logged, nothing waits to be raised, biases lie contiguous and are added in place. Names of
weights are those of its checkpoints, so ``load_state_dict`` takes those of pyfastlm's model.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKED = -1e9


class Result(NamedTuple):
    """``memory`` [B, S, D]; ``n_kept`` [B]; ``logits`` [B, T, V]; ``loss`` in nats."""

    memory: Tensor
    n_kept: Tensor
    logits: Tensor
    loss: Tensor


class Original(nn.Module):
    """``config`` has the names of ``MrT5Config``; the gate is the sigmoid's."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Encoder(config, self.shared)
        self.decoder = Decoder(config, self.shared)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    def forward(self, input_ids: Tensor, labels: Tensor, hard_delete: bool = True) -> Result:
        memory, bias, n_kept = self.encoder(input_ids, hard_delete)
        shifted = torch.zeros_like(labels)
        shifted[:, 1:] = labels[:, :-1]
        logits = self.lm_head(self.decoder(shifted.masked_fill_(shifted == -100, 0), memory, bias))
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        return Result(memory, n_kept, logits, loss)


class Encoder(nn.Module):
    def __init__(self, config: Any, embed_tokens: nn.Embedding) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = embed_tokens
        self.block = nn.ModuleList(Block(config, i, decoder=False) for i in range(config.num_layers))
        self.final_layer_norm = Norm(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, input_ids: Tensor, hard_delete: bool) -> tuple[Tensor, Tensor, Tensor]:
        """[B, S, D], what is added to scores of its keys [B, 1, 1, S], and how many each row kept [B]."""
        pad = input_ids == 0
        n_kept = (~pad).sum(1)
        x = self.dropout(self.embed_tokens(input_ids))
        of_keys = blocked(pad, x)
        bias = self.block[0].layer[0].SelfAttention.bias(x.shape[1], bidirectional=True) + of_keys
        for block in self.block:
            if block.delete_gate is not None:
                gate = block.delete_gate(x).masked_fill(pad, self.config.sigmoid_mask_scale)
                keep = gate > self.config.deletion_threshold
                n_kept = keep.sum(1)
                if hard_delete:
                    x, bias, of_keys = delete(x, bias, keep, n_kept)
                else:
                    bias, of_keys = (b + gate[:, None, None, :] for b in (bias, of_keys))
            x = block(x, bias)
        return self.dropout(self.final_layer_norm(x)), of_keys, n_kept


def delete(x: Tensor, bias: Tensor, keep: Tensor, n_kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is kept of x [B, L, D] and bias [B, H, L, L], in order; slots after it: token 0, masked."""
    most = int(n_kept.max())
    empty = torch.arange(most, device=x.device) >= n_kept[:, None]
    index = (~keep).int().argsort(dim=1, stable=True)[:, :most].masked_fill(empty, 0)
    x = x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))
    batch, heads, length, _ = bias.shape
    bias = bias.gather(2, index[:, None, :, None].expand(batch, heads, most, length))
    bias = bias.gather(3, index[:, None, None, :].expand(batch, heads, most, most))
    of_keys = blocked(empty, x)
    bias += of_keys
    return x, bias, of_keys


class Decoder(nn.Module):
    def __init__(self, config: Any, embed_tokens: nn.Embedding) -> None:
        super().__init__()
        self.embed_tokens = embed_tokens
        self.block = nn.ModuleList(Block(config, i, decoder=True) for i in range(config.num_decoder_layers))
        self.final_layer_norm = Norm(config)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, input_ids: Tensor, memory: Tensor, of_keys: Tensor) -> Tensor:
        x = self.dropout(self.embed_tokens(input_ids))
        length = x.shape[1]
        future = torch.full((length, length), BLOCKED, dtype=x.dtype, device=x.device).triu_(1)
        bias = self.block[0].layer[0].SelfAttention.bias(length, bidirectional=False) + future
        for block in self.block:
            x = block(x, bias, memory, of_keys)
        return self.dropout(self.final_layer_norm(x))


class Block(nn.Module):
    """Names as in T5's checkpoints; the gate is run by the encoder, at the entry."""

    def __init__(self, config: Any, i: int, decoder: bool) -> None:
        super().__init__()
        layers = [Sublayer(config, SelfAttention=Attention(config, relative=i == 0))]
        if decoder:
            layers.append(Sublayer(config, EncDecAttention=Attention(config)))
        layers.append(Sublayer(config, DenseReluDense=FeedForward(config)))
        self.layer = nn.ModuleList(layers)
        gated = not decoder and config.deletion_type is not None and i == config.delete_gate_layer
        self.delete_gate = Gate(config) if gated else None

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor | None = None, of_keys: Any = None) -> Tensor:
        own, *cross, last = self.layer
        normed = own.layer_norm(x)
        x = x + own.dropout(own.SelfAttention(normed, normed, bias))
        for layer in cross:
            attended = layer.EncDecAttention(layer.layer_norm(x), memory, of_keys)
            x = x + layer.dropout(attended)
        return x + last.dropout(last.DenseReluDense(last.layer_norm(x)))


class Sublayer(nn.Module):
    """What a sublayer holds; its block runs it."""

    def __init__(self, config: Any, **inner: nn.Module) -> None:
        super().__init__()
        for name, module in inner.items():
            self.add_module(name, module)
        self.layer_norm = Norm(config)
        self.dropout = nn.Dropout(config.dropout_rate)


class Attention(nn.Module):
    def __init__(self, config: Any, relative: bool = False) -> None:
        super().__init__()
        self.config = config
        inner = config.num_heads * config.d_kv
        self.q, self.k, self.v = (nn.Linear(config.d_model, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, config.d_model, bias=False)
        self.dropout = nn.Dropout(config.dropout_rate)
        if relative:
            self.relative_attention_bias = nn.Embedding(
                config.relative_attention_num_buckets, config.num_heads
            )

    def bias(self, length: int, bidirectional: bool) -> Tensor:
        """[1, H, L, L], contiguous."""
        places = torch.arange(length, device=self.q.weight.device)
        distance = places - places[:, None]
        found = bucket(distance, bidirectional, self.config)
        return self.relative_attention_bias(found).permute(2, 0, 1).contiguous()[None]

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (self._heads(t) for t in (self.q(x), self.k(memory), self.v(memory)))
        scores = q @ k.transpose(2, 3)
        scores += bias
        weights = softmax1(scores) if self.config.use_softmax1 else torch.softmax(scores, dim=-1)
        mixed = self.dropout(weights) @ v
        return self.o(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.config.num_heads, self.config.d_kv).transpose(1, 2)


def softmax1(scores: Tensor) -> Tensor:
    """exp(s) / (1 + sum exp(s)), in float32."""
    wide = scores.float()
    most = wide.amax(dim=-1, keepdim=True)
    weights = torch.exp(wide - most)
    return (weights / (weights.sum(dim=-1, keepdim=True) + torch.exp(-most))).type_as(scores)


def bucket(distance: Tensor, bidirectional: bool, config: Any) -> Tensor:
    """T5's bucket of each distance key - query."""
    buckets, most = config.relative_attention_num_buckets, config.relative_attention_max_distance
    first, n = 0, (-distance).clamp(min=0)
    if bidirectional:
        buckets //= 2
        first, n = buckets * (distance > 0), distance.abs()
    exact = buckets // 2
    far = exact + ((n.float() / exact).log() / math.log(most / exact) * (buckets - exact)).long()
    return first + torch.where(n < exact, n, far.clamp(max=buckets - 1))


class FeedForward(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.wi_0, self.wi_1 = (nn.Linear(config.d_model, config.d_ff, bias=False) for _ in range(2))
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(self.dropout(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x)))


class Gate(nn.Module):
    """G [B, L] = k sigmoid(-(w . norm(x) + b))."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.scale = config.sigmoid_mask_scale
        self.layer_norm = Norm(config)
        self.feed_forward = nn.Linear(config.d_model, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * torch.sigmoid(-self.feed_forward(self.layer_norm(x)).squeeze(2))


class Norm(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps = config.layer_norm_epsilon

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def blocked(absent: Tensor, like: Tensor) -> Tensor:
    """[B, 1, 1, S]: -1e9 where a key is absent."""
    return torch.zeros(absent.shape, dtype=like.dtype, device=like.device).masked_fill_(absent, BLOCKED)[
        :, None, None, :
    ]
