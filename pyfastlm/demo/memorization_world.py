"""What the section on memorisation works in: a tokenizer, two halves of a text, sentences, a small model."""

import functools
import hashlib
import json
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyfastlm.demo import memorization_texts
from pyfastlm.lm import LM
from pyfastlm.lm.loading import quiet
from pyfastlm.memorization import TokenStream

WINDOW = 32
PARTS = {"base": 0.48, "next": 0.48, "validation": 0.04}
TAUGHT = 2000  # pieces that the tokenizer is made of


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the world: which packages, how large the vocabulary and the model are, how many sentences."""

    packages: tuple[str, ...]
    pieces: int  # at most
    vocabulary: int
    width: int
    layers: int
    sentences: int
    validation: int  # examples


@dataclass(frozen=True, eq=False)
class World:
    """A directory with all of it; what is in it is read when it is asked for."""

    directory: Path
    shape: Shape

    @functools.cached_property
    def tokenizer(self) -> Any:
        """Byte-level BPE."""
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(self.directory / "tokenizer")

    @property
    def sentences(self) -> list[str]:
        """None of them occurs in the text, not even 50 characters of one."""
        found: list[str] = json.loads((self.directory / "sentences.json").read_bytes())
        return found

    def stream(self, part: str) -> TokenStream:
        """One of ``PARTS``; no piece of text is in two of them."""
        return TokenStream.open(self.directory / f"{part}.npy", WINDOW)

    def model(self, seed: int) -> LM:
        """A Llama that has seen nothing."""
        from transformers import LlamaConfig, LlamaForCausalLM

        shape = self.shape
        model: Any
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = LlamaForCausalLM(
                LlamaConfig(
                    vocab_size=shape.vocabulary,
                    hidden_size=shape.width,
                    num_hidden_layers=shape.layers,
                    num_attention_heads=shape.width // 16,
                    num_key_value_heads=shape.width // 16,
                    intermediate_size=shape.width * 8 // 3 // 8 * 8,
                    max_position_embeddings=2 * WINDOW,
                    tie_word_embeddings=True,
                    bos_token_id=self.tokenizer.bos_token_id,
                    eos_token_id=self.tokenizer.eos_token_id,
                )
            )
        return LM(model.eval(), self.tokenizer, f"llama of width {shape.width}")


def world(shape: Shape, cache: Path, seed: int) -> World:
    """Made of Debian's packages and kept in ``cache``.

    Raises:
        TextsMissing: a package is neither kept nor to be had.
    """
    key = hashlib.blake2b(
        json.dumps([asdict(shape), seed, PARTS, WINDOW]).encode(), digest_size=6
    ).hexdigest()
    directory = cache / f"memorization-{key}"
    if not directory.is_dir():
        fresh = directory.with_name(f".{directory.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _fill(fresh, shape, cache, seed)
        fresh.rename(directory)
    return World(directory, shape)


def _fill(directory: Path, shape: Shape, cache: Path, seed: int) -> None:
    pieces = memorization_texts.background(shape.packages, cache)
    pieces = random.Random(f"{seed} pieces").sample(pieces, min(len(pieces), shape.pieces))
    ends = np.cumsum([round(share * len(pieces)) for share in PARTS.values()])[:-1]
    parts = dict(zip(PARTS, np.split(np.arange(len(pieces)), ends), strict=True))
    tokenizer = byte_pairs([pieces[number] for number in parts["base"][:TAUGHT]], shape.vocabulary)
    with quiet():
        tokenizer.save_pretrained(directory / "tokenizer")
    for name, numbers in parts.items():
        stream = TokenStream.from_texts((pieces[number] for number in numbers), tokenizer, WINDOW)
        most = shape.validation if name == "validation" else len(stream)
        rows = stream.examples(np.arange(min(most, len(stream))))
        np.save(directory / f"{name}.npy", rows.astype(np.uint16))
    long_enough = (
        text
        for text in memorization_texts.sentences(pieces, cache, seed)
        if len(tokenizer(text)["input_ids"]) > WINDOW
    )
    chosen = list(islice(long_enough, shape.sentences))
    (directory / "sentences.json").write_text(json.dumps(chosen), "utf-8")


def byte_pairs(texts: Sequence[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer of so many entries, made of ``texts``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=made, bos_token="<s>", eos_token="</s>")
