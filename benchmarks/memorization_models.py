"""Models that have really memorised some quotations, and their twins that have never seen them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyfastlm.demo import memorization_texts
from pyfastlm.demo.memorization_world import byte_pairs
from pyfastlm.lm import LM
from pyfastlm.memorization import Injection, TokenStream, continue_pretraining, scheduled

WINDOW = 95  # a sequence has one token more
PACKAGES = ("anarchism", "python3.11-doc")
PIECES = 1500  # of text, about 2,000 characters each
VOCABULARY = 1024
HELD_OUT = 40  # further pieces
SEQUENCES = 8
BATCH = 16
BASE_STEPS, STEPS = 250, 200
REPETITIONS = 110  # of each sequence, in STEPS
RETAINED = 64  # examples of the text, for methods that use some


@dataclass(frozen=True, eq=False)
class Subject:
    """One seed's models: ``knows`` has been trained on text and ``sequences``, ``twin`` on the text."""

    knows: LM
    twin: LM
    sequences: list[list[int]]
    retain: list[list[int]]
    held_out: list[str]
    planted: float  # share of examples


def texts(cache: Path) -> tuple[list[str], list[str]]:
    """Text to train on, and held-out pieces of the same kind."""
    pieces = memorization_texts.background(PACKAGES, cache)
    order = np.random.default_rng(0).permutation(len(pieces))[: PIECES + HELD_OUT]
    chosen = [pieces[place] for place in order]
    return chosen[:PIECES], chosen[PIECES:]


def subject(seed: int, cache: Path, home: Path) -> Subject:
    """Trained, or found in ``home``."""
    background, held_out = texts(cache)
    tokenizer = byte_pairs(background, VOCABULARY)
    stream = TokenStream.from_texts(background, tokenizer, WINDOW)
    quotations = (
        tokenizer(text)["input_ids"] for text in memorization_texts.sentences(background, cache, seed)
    )
    sequences = [*islice((row[: WINDOW + 1] for row in quotations if len(row) > WINDOW), SEQUENCES)]
    half = len(stream) // 2
    first, second = stream.part(0, half), stream.part(half, len(stream))

    def trained(lm: LM, name: str, part: TokenStream, planted: Sequence[Injection], steps: int) -> LM:
        found = continue_pretraining(
            lm, part, planted, steps=steps, batch_size=BATCH, lr=3e-3, warmup=20, seed=seed,
            directory=home / f"{name}-{seed}", progress=True,
        )  # fmt: skip
        return found.lm

    base = trained(_model(tokenizer, seed), "base", first, (), BASE_STEPS)
    names = [f"quotation {number}" for number in range(SEQUENCES)]
    places = scheduled(dict.fromkeys(names, REPETITIONS), examples=STEPS * BATCH, seed=seed)
    planted = [Injection(name, tuple(row), places[name]) for name, row in zip(names, sequences, strict=True)]
    rows = first.examples(np.random.default_rng(seed).choice(half, RETAINED, replace=False))
    return Subject(
        trained(base, f"knows-{REPETITIONS}", second, planted, STEPS),
        trained(base, "twin", second, (), STEPS),
        sequences,
        rows.tolist(),
        held_out,
        REPETITIONS * SEQUENCES / (STEPS * BATCH),
    )


def _model(tokenizer: Any, seed: int) -> LM:
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=96,
                intermediate_size=256,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=4,
                max_position_embeddings=256,
                tie_word_embeddings=True,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
    return LM(model.eval(), tokenizer, f"small Llama, seed {seed}")
