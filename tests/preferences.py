"""Pairs, small models, and what a plain forward pass with all logits says of both."""

from typing import Any

import torch
from tiny import EXTRA_ROWS, tiny_config, tiny_tokenizer
from torch import Tensor

from pyfastlm.lm import LM
from pyfastlm.preference import PreferencePair

PAIRS = [
    PreferencePair("The old clock ", "struck four before anyone noticed.", "stroke four before any."),
    PreferencePair("The old clock ", "had stopped for a week.", "has stop for weeks, and more."),
    PreferencePair("def area(r):\n", "    return 3.14159 * r ** 2", "    return 3.14159 * r ** 3"),
    PreferencePair("Il mercato ", "apre presto.", "apre presto: alle sei i banchi sono pieni."),
    PreferencePair("a", "b", "c"),
]
TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


def small_lm(kind: str = "Llama", *, dtype: torch.dtype = torch.float32, seed: int = 0, **changes: Any) -> LM:
    """A model of random weights with the tokenizer of the tests, which gets a chat template."""
    import transformers

    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = TEMPLATE
    vocabulary = {"vocab_size": len(tokenizer) + EXTRA_ROWS}
    if kind == "Llama":
        config = tiny_config(**(vocabulary | changes))
    else:
        config = getattr(transformers, f"{kind}Config")(**(vocabulary | changes))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter, std=0.3)
    return LM(model.to(dtype).eval(), tokenizer, kind)


def plain_logps(model: Any, pairs: Any) -> Tensor:
    """[2N], chosen first: one sequence after the other, all logits, no padding."""
    sums = []
    for side in (1, 2):
        for pair in pairs:
            ids = torch.tensor([[*pair.prompt.tolist(), *pair[side].tolist()]])
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
            every = torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), -1)
            logp = every.gather(1, ids[0, 1:, None])[:, 0]
            sums.append(logp[max(0, len(pair.prompt) - 1) :].sum())
    return torch.stack(sums)


def gradients(model: Any, loss: Tensor) -> dict[str, Tensor]:
    """By the names of the parameters that have one."""
    learnt = {name: p for name, p in model.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, [*learnt.values()], allow_unused=True)
    return {name: g for name, g in zip(learnt, found, strict=True) if g is not None}
