"""A tiny causal LM that knows a text by heart, and what transformers' own decoding makes of prompts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tiny import EXTRA_ROWS, SENTENCES, tiny_config, tiny_tokenizer

from pyfastlm.lm import LM

TEXT = "\n".join(SENTENCES[:5])
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.05,
}


def memorising_lm(text: str = TEXT, *, steps: int = 60, window: int = 48, seed: int = 0) -> LM:
    """A Llama of two layers trained on windows of ``text`` until most of it comes back."""
    from transformers import LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    ids = torch.tensor(tokenizer(text).input_ids)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(tiny_config(vocab_size=len(tokenizer) + EXTRA_ROWS, **SHAPE))
        optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
        for _ in range(steps):
            batch = torch.stack([ids[at : at + window] for at in torch.randint(len(ids) - window + 1, (8,))])
            model(batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return LM(model.eval(), tokenizer, "memorising")


def greedy(model: Any, prompts: Sequence[Sequence[int]], n: int) -> np.ndarray:
    """[B, n] tokens that transformers' ``generate`` gives after prompts of one length."""
    model.generation_config.eos_token_id = None
    ids = torch.tensor(np.array(prompts))
    # A mask of its own: else every 0 among the tokens would count as padding.
    mask = torch.ones_like(ids)
    out = model.generate(ids, attention_mask=mask, max_new_tokens=n, do_sample=False, pad_token_id=0)
    return out[:, len(prompts[0]) :].numpy()


def decoded_lengths(
    model: Any, tokens: Sequence[int], prefix_lengths: Sequence[int], horizon: int
) -> np.ndarray:
    """What ``verbatim_lengths`` is to find, by decoding every prompt."""
    ids = np.array(tokens)
    lengths = np.full((len(ids) - min(prefix_lengths), len(prefix_lengths)), -1)
    for j, p in enumerate(prefix_lengths):
        out = greedy(model, [ids[i : i + p] for i in range(len(ids) - p)], horizon)
        for i, row in enumerate(out):
            true = ids[i + p : i + p + horizon]
            lengths[i, j] = np.logical_and.accumulate(row[: len(true)] == true).sum()
    return lengths
