"""Documents that tests of ranking ask for, and an encoder small enough for every test."""

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
