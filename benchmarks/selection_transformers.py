"""Byte-level transformers of a few hundred thousand parameters, trained in a minute on one core."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm.lm.loading import quiet

CONTEXT = 128  # bytes
BATCH = 16
WARM_UP = 0.1  # share of the steps
END = 257  # its id; 256 is that of the beginning


@dataclass(frozen=True)
class Shape:
    kind: str  # gpt2 or llama
    width: int
    layers: int
    rate: float = 3e-3


SHAPES = {
    "gpt2-0.1M": Shape("gpt2", 48, 3),
    "llama-0.2M": Shape("llama", 64, 4),
    "gpt2-0.4M": Shape("gpt2", 96, 3),
    "llama-0.7M": Shape("llama", 128, 4, 2e-3),
}


def tokenizer() -> Any:
    """A token a byte, ``<s>`` and ``</s>``: byte-level BPE without merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = _letters()
    vocabulary = {letter: byte for byte, letter in enumerate(letters)} | {"<s>": 256, "</s>": END}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")


def train(
    shape: Shape, texts: Sequence[str], steps: int, seed: int, at: Sequence[int], directory: Path
) -> None:
    """Train ``steps`` of ``BATCH`` x ``CONTEXT`` bytes; save the model at each step of ``at``, whole or not
    at all, into ``directory/STEP``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _model(shape)
    data = _stream(texts)
    optimizer = torch.optim.AdamW(model.parameters(), lr=shape.rate, weight_decay=0.01, betas=(0.9, 0.95))
    model.train()
    for step, batch in enumerate(_batches(data, steps, seed), 1):
        done = step / steps
        for group in optimizer.param_groups:
            group["lr"] = shape.rate * min(done / WARM_UP, 1.1 - done)
        loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step in at:
            _save(model, directory / str(step))


def _model(shape: Shape) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    common = {"vocab_size": END + 1, "bos_token_id": 256, "eos_token_id": END, "tie_word_embeddings": True}
    heads = shape.width // 16
    if shape.kind == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                n_embd=shape.width, n_layer=shape.layers, n_head=heads, n_positions=CONTEXT,
                resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **common,
            )
        )  # fmt: skip
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=shape.width, num_hidden_layers=shape.layers, num_attention_heads=heads,
            num_key_value_heads=heads, intermediate_size=shape.width * 8 // 3 // 8 * 8,
            max_position_embeddings=CONTEXT, **common,
        )
    )  # fmt: skip


def _stream(texts: Sequence[str]) -> NDArray[np.int64]:
    begin = np.array([256])
    return np.concatenate(
        [piece for text in texts for piece in (begin, np.frombuffer(text.encode(), np.uint8))]
    )


def _batches(data: NDArray[np.int64], steps: int, seed: int) -> Iterator[torch.Tensor]:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        starts = rng.integers(0, max(1, len(data) - CONTEXT), BATCH)
        yield torch.from_numpy(data[starts[:, None] + np.arange(CONTEXT)])


def _save(model: Any, target: Path) -> None:
    fresh = target.with_name(f".{target.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with quiet():
        model.save_pretrained(fresh)
        tokenizer().save_pretrained(fresh)
    fresh.rename(target)


def _letters() -> list[str]:
    """The letter by which byte-level BPE writes each byte."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    rest = iter(range(256, 512))
    return [chr(byte if byte in plain else next(rest)) for byte in range(256)]
