"""What can stand in the place of a word."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from pyfastlm.lm.loading import LM
from pyfastlm.memorization.stress.words import Word
from pyfastlm.memorization.token_ids import Ids

STARTS = ("Ġ", "▁")  # how tokens of byte-level BPE and of sentencepiece begin a word


class Substitutes(Protocol):
    """A source of other words."""

    def of(self, word: Word, tokens: Ids, count: int) -> list[str]:
        """At most ``count`` others for a word of ``tokens``, the best first."""
        ...


class FromTable:
    """From a table; a word with a capital letter is also looked up without it."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self._table = table

    def of(self, word: Word, tokens: Ids, count: int) -> list[str]:
        """See :class:`Substitutes`."""
        found = self._table.get(word.text)
        if found is None and word.text[0].isupper():
            found = [one[:1].upper() + one[1:] for one in self._table.get(word.text.lower(), ())]
        return _others(word, found or (), count)


class FromEmbeddings:
    """The nearest words by the cosine of the model's own input embeddings.

    Candidates are the tokens that are a whole word of two letters or more; a word of several tokens stands at
    their mean.
    """

    def __init__(self, lm: LM) -> None:
        tokenizer: Any = lm.tokenizer
        weight = lm.model.get_input_embeddings().weight.detach().float()
        pieces = tokenizer.convert_ids_to_tokens([*range(min(len(weight), len(tokenizer)))])
        marked = any((piece or "").startswith(STARTS) for piece in pieces)
        some = [i for i, piece in enumerate(pieces) if piece and (piece.startswith(STARTS) or not marked)]
        texts = [text.strip() for text in tokenizer.batch_decode([[one] for one in some])]
        kept = [place for place, text in enumerate(texts) if text.isalpha() and len(text) > 1]
        self._words = [texts[place] for place in kept]
        self._weight = weight
        self._normal = torch.nn.functional.normalize(weight[[some[place] for place in kept]], dim=-1)

    def of(self, word: Word, tokens: Ids, count: int) -> list[str]:
        """See :class:`Substitutes`."""
        ids = torch.from_numpy(tokens[word.first : word.stop]).to(self._weight.device)
        near = self._normal @ self._weight[ids].mean(0)
        order = near.topk(min(len(near), count + 8)).indices.tolist()  # some are the word itself
        capital = word.text[0].isupper()
        found = [self._words[place] for place in order]
        return _others(word, [one[:1].upper() + one[1:] if capital else one for one in found], count)


def _others(word: Word, found: Sequence[str], count: int) -> list[str]:
    """The first ``count`` that differ from the word, and from each other, in more than case."""
    seen = {word.text.casefold()}
    kept: list[str] = []
    for one in found:
        if one.casefold() not in seen:
            seen.add(one.casefold())
            kept.append(one)
    return kept[:count]
