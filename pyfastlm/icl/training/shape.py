"""A small Llama over the words of GINC, and a tokenizer to save beside it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.world import GINC, Tokens
from pyfastlm.lm.loading import LM


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a Llama: blocks, numbers of a position, heads, and the longest text, with the token before it."""

    layers: int = 4
    width: int = 64
    heads: int = 4
    context: int = 1025

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "context"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.width % (2 * self.heads):
            raise InputError(
                f"width: expected a multiple of 2 * {self.heads}, twice the heads, got {self.width}"
            )


def small_lm(ginc: GINC, shape: Shape = Shape(), *, seed: int = 0) -> LM:
    """An untrained Llama, float32, with rotary positions; token ids are words, then padding, then the start.

    Its tokenizer, which encodes ``"3 0 17"``, is there for programs that want one.
    """
    transformers = require("transformers", "lm")
    pad, bos = padding(ginc), beginning(ginc)
    config = transformers.LlamaConfig(
        vocab_size=bos + 1,
        hidden_size=shape.width,
        intermediate_size=4 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=False,
        pad_token_id=pad,
        bos_token_id=bos,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.LlamaForCausalLM(config)
    return LM(model.float().eval(), _tokenizer(ginc), f"small Llama, seed {seed}")


def padding(ginc: GINC) -> int:
    """The token that is no word."""
    return ginc.symbols


def beginning(ginc: GINC) -> int:
    """The token before each text."""
    return ginc.symbols + 1


def begun(ginc: GINC, tokens: Tokens) -> Tokens:
    """Texts [N, T] with the token that begins them: [N, T + 1]."""
    return np.pad(tokens, ((0, 0), (1, 0)), constant_values=beginning(ginc))


def fits(lm: LM, ginc: GINC, length: int) -> None:
    """See that a model reads the words of a world, and texts of ``length`` of them.

    Raises:
        InputError: its vocabulary or its context is smaller.
    """
    rows = lm.model.get_input_embeddings().weight.shape[0]
    if rows != beginning(ginc) + 1:
        raise InputError(
            f"lm: expected {beginning(ginc) + 1} tokens, {ginc.symbols} words, padding and start, got {rows}"
        )
    context = int(lm.model.config.max_position_embeddings)
    if length + 1 > context:
        raise InputError(f"lm: reads {context} tokens, got texts of {length} and the token before them")


def _tokenizer(ginc: GINC) -> Any:
    tokenizers = require("tokenizers", "lm")
    words = {str(word): word for word in range(ginc.symbols)}
    words |= {"<pad>": padding(ginc), "<bos>": beginning(ginc)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return require("transformers", "lm").PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>"
    )
