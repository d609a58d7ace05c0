"""A causal LM small enough for every test: random weights, a real byte-level BPE, no download."""

from pathlib import Path
from typing import Any

SENTENCES = [
    "The old clock struck four before anyone noticed that it had stopped for a week.",
    "Der Zug fährt heute zwanzig Minuten später, weil auf der Strecke gebaut wird.",
    "Le vent tournait déjà, et les bateaux rentraient un à un dans le port.",
    "La niña dejó el cuaderno sobre la mesa y salió corriendo a la calle.",
    "Il mercato apre presto: alle sei i banchi sono già pieni di frutta.",
    "図書館は朝の九時に開き、夕方の六時に閉まります。",
    "这座桥修好以后，两岸的人就不用再等渡船了。",
    "def area(r):\n    return 3.14159 * r ** 2  # in square metres\n",
]
EXTRA_ROWS = 13  # rows of the vocabulary that the tokenizer never emits


def tiny_tokenizer() -> Any:
    """Byte-level BPE of some 400 entries with ``<s>`` and ``</s>``; adds no special token by itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


def tiny_config(**changes: Any) -> Any:
    """A Llama of two layers with grouped-query attention; ``changes`` go to the configuration."""
    from transformers import LlamaConfig

    settings: dict[str, Any] = {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.25,  # wide enough that the predictions are far from uniform
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return LlamaConfig(**(settings | changes))


def save_tiny_lm(directory: Path, *, seed: int = 0, **changes: Any) -> None:
    """Write model and tokenizer into ``directory``; the same ``seed`` gives the same weights."""
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(tiny_config(**({"vocab_size": len(tokenizer) + EXTRA_ROWS} | changes)))
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
