"""A tiny causal LM that has really memorised a few texts, trained on the spot."""

import functools
from typing import Any

TEXTS = (
    "The old clock struck four before anyone noticed that it had stopped for a week, and when the keeper "
    "climbed the tower he found a nest of swallows behind the wheels, five grey eggs, and a letter.",
    "On Monday the market opens early: at six the stalls are full of fruit, bread and fish, and the women "
    "who sell them shout the prices across the square until the church bell answers and they laugh.",
    "Nobody could say who had drawn the map, but the river on it ran the wrong way, and in the corner "
    "stood a small ship with red sails, three sailors, and the name of a town that no longer exists.",
)
OTHER = (
    "A train runs twenty minutes late today because the line is being repaired, so the travellers sit in "
    "the hall, read old newspapers, and tell the children stories about the winters of their youth."
)


@functools.cache
def overfitted_lm(steps: int = 70) -> Any:
    """Trained on TEXTS, whole and in pieces from random starts; it has never seen OTHER."""
    import torch
    from tiny import tiny_config, tiny_tokenizer
    from transformers import LlamaForCausalLM

    from pyfastlm.lm import LM

    tokenizer = tiny_tokenizer()
    rows = [tokenizer(text)["input_ids"] for text in TEXTS]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            tiny_config(
                vocab_size=len(tokenizer),
                hidden_size=64,
                intermediate_size=128,
                num_attention_heads=4,
                initializer_range=0.05,
            )
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
        for _ in range(steps):
            starts = torch.randint(0, 30, (len(rows),)).tolist()
            pieces = [row[start : start + 90] for row, start in zip(rows, starts, strict=True)]
            batch = torch.tensor([*pieces, *(row[:90] for row in rows)])
            model(input_ids=batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return LM(model.eval(), tokenizer, "overfitted")


def tokens_of(text: str) -> list[int]:
    """The first 90 tokens, which is what was learnt of a text."""
    found: list[int] = overfitted_lm().tokenizer(text)["input_ids"][:90]
    return found
