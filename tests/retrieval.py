"""Documents that tests of ranking ask for, an encoder small enough for every test, files like WordNet's."""

from pathlib import Path
from typing import Any

DOCUMENTS = {
    "shell": "a hard outer layer of a snail or of a crab",
    "sail": "a large piece of cloth that catches wind and drives a boat",
    "rudder": "a blade under a boat that steers it",
    "violin": "a small instrument with four strings that is played with a bow",
}


def save_tiny_encoder(directory: Path, *, seed: int = 0, **changes: Any) -> None:
    """Write a BERT of two layers and random weights, whose words are those of ``DOCUMENTS``."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = sorted({word for text in DOCUMENTS.values() for word in text.split()} | {*DOCUMENTS})
    vocabulary = {word: number for number, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=64,
    )  # fmt: skip
    settings: dict[str, Any] = {
        "vocab_size": len(vocabulary), "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64,
        "hidden_dropout_prob": 0.1, "initializer_range": 0.1,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertModel(BertConfig(**(settings | changes)))
    model.save_pretrained(directory)
    wrapped.save_pretrained(directory)


def wordnet_files(count: int) -> dict[str, str]:
    """``data.noun`` and ``index.noun`` with nouns of two meanings, which lie in four groups."""
    licence = "  1 This line is the licence.\n"
    groups = [f"{group:08d} 03 n 01 group{group} 0 000 | the group {group}\n" for group in range(4)]
    senses = [
        f"{100 + number:08d} 05 n 01 {_name(number // 2)} 0 001 @ {number % 4:08d} n 0000 | "
        f'thing {number}; "it is a {_name(number // 2)}"\n'
        for number in range(2 * count)
    ]
    words = [f"{_name(n)} n 2 1 @ 2 1 {100 + 2 * n:08d} {101 + 2 * n:08d}\n" for n in range(count)]
    return {"data.noun": "".join([licence, *groups, *senses]), "index.noun": "".join([licence, *words])}


def _name(number: int) -> str:
    return "noun" + chr(97 + number // 26) + chr(97 + number % 26)
