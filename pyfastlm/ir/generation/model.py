"""The model that writes, loaded when it is first needed."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from pyfastlm.ir.generation.cache import Cache
from pyfastlm.ir.generation.prompts import Prompt, rendered, shortened
from pyfastlm.lm import smollm2
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.runner import Runner, context_length


class Model:
    """A model, what it needs to be run, and its name in a cache."""

    def __init__(self, lm: LMLike, cache: Cache | None) -> None:
        self._given, self._cache = lm, cache

    @cached_property
    def lm(self) -> LM:
        """The model."""
        return as_lm(self._given)

    @cached_property
    def fingerprint(self) -> str:
        """Of its weights, tokenizer and dtype; not loaded where the cache knows its directory."""
        directory = _directory(self._given)
        known = self._cache.fingerprint(directory) if self._cache and directory else None
        if known is None:
            known = f"{self.lm.fingerprint} {self.lm.model.dtype}"
            if self._cache and directory:
                self._cache.remember(directory, known)
        return known

    @cached_property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return context_length(self.lm)

    @cached_property
    def runner(self) -> Runner:
        """What runs it in batches."""
        return Runner(self.lm, self.context)

    @cached_property
    def ends(self) -> list[int]:
        """Tokens that end an answer."""
        own = getattr(self.lm.model.generation_config, "eos_token_id", None)
        found = [self.lm.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
        return [end for end in dict.fromkeys(found) if end is not None]

    def prompts(self, prompt: Prompt, documents: Sequence[str], tokens: int) -> list[Tokens]:
        """What it reads for each document, of which no more than ``tokens`` tokens."""
        tokenizer = self.lm.tokenizer
        special = not getattr(tokenizer, "chat_template", None)  # a template spells them out
        texts = [rendered(prompt, text, tokenizer) for text in shortened(documents, tokenizer, tokens)]
        rows = tokenizer(texts, add_special_tokens=special, verbose=False)["input_ids"]
        return [np.array(row, np.int32) for row in rows]

    def text(self, tokens: Sequence[int]) -> str:
        """Of what it wrote, without special tokens."""
        text: str = self.lm.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


def _directory(lm: LMLike) -> Path | None:
    """Where the files of a model are, if that is known before it is loaded."""
    if isinstance(lm, LM):
        return None
    path = smollm2.directory() if str(lm) == smollm2.NAME else Path(lm).expanduser()
    return path if path.is_dir() else None
