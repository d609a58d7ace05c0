"""Completion written by a language model: beams that agree with what was typed, or with a dictionary too."""

import inspect
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.index.normalize import Normalizer
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.vocabulary import token_bytes
from pyfastlm.qac.prompts import END, prompt
from pyfastlm.qac.query import Query

TOKENS = 16  # of a term at most
TERMS = 100  # of the dictionary that a beam may go on to at each step, the best ones,
LIKELIEST = 64  # and tokens, the likeliest ones, with which it may go on to another
PROMPTS = 8  # read at once


class Generator:
    """An engine that lets a causal LM write the terms, best first by their log-probability.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        index: where given, every beam stays at the beginning of one of its terms, and ends as one.
        typed: show the model what was typed and let it write any term, so that slips can be mended; for
            models trained so (:func:`pyfastlm.qac.finetune`). Else every beam begins with it.
        context: show the model the earlier searches of the session.
    """

    def __init__(
        self, lm: LMLike, *, index: TermIndex | None = None, typed: bool = False, context: bool = True
    ) -> None:
        self.lm = as_lm(lm)
        self.index = index
        self.typed = typed
        self.context = context
        self.normalizer: Normalizer = "none" if index is None else index.normalizer
        # Newer transformers call it by its new name.
        names = inspect.signature(self.lm.model.base_model.forward).parameters
        self._cache = "cache" if "cache" in names else "past_key_values"
        self._vocabulary = _Vocabulary(
            self.lm.tokenizer, self.lm.model.get_input_embeddings().weight.shape[0]
        )

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        found: list[list[str]] = []
        for start in range(0, len(queries), PROMPTS):
            found += self._batch(queries[start : start + PROMPTS], k)
        return found

    def _read(self, inputs: Any, width: int) -> Any:
        """Keys and values of all but the last token, read once for each prompt and not for each beam."""
        mask = inputs["attention_mask"]
        cache = require("transformers", "qac").DynamicCache(config=self.lm.model.config)
        self.lm.model.base_model(
            input_ids=inputs["input_ids"][:, :-1],
            attention_mask=mask[:, :-1],
            position_ids=(mask.cumsum(1) - 1).clamp(min=0)[:, :-1],
            use_cache=True,
            **{self._cache: cache},
        )
        cache.batch_repeat_interleave(width)
        return cache

    @torch.inference_mode()
    def _batch(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        beginnings = [("", " ") if self.typed else _cut(query.prefix) for query in queries]
        prompts = [
            prompt(query.past if self.context else (), query.prefix if self.typed else None) + head
            for query, (head, _) in zip(queries, beginnings, strict=True)
        ]
        beams = max(k, 2)  # a single one has no scores
        held = _Held(self._vocabulary, self.index, beginnings, beams)
        tokenizer = self.lm.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        inputs = tokenizer(prompts, return_tensors="pt", padding=True).to(self.lm.model.device)
        held.start = inputs["input_ids"].shape[1]
        made = self.lm.model.generate(
            **inputs,
            **{self._cache: self._read(inputs, beams)},
            num_beams=beams,
            num_return_sequences=beams,
            do_sample=False,
            length_penalty=0.0,
            max_new_tokens=TOKENS,
            logits_processor=[held],
            eos_token_id=self._vocabulary.ends,
            pad_token_id=tokenizer.pad_token_id,
            return_dict_in_generate=True,
            output_scores=True,
        )
        terms = [
            held.term(place // beams, ids) if np.isfinite(score) else None
            for place, (ids, score) in enumerate(
                zip(made.sequences.tolist(), made.sequences_scores.tolist(), strict=True)
            )
        ]
        rows = [terms[start : start + beams] for start in range(0, len(terms), beams)]
        return [list(dict.fromkeys(term for term in row if term is not None))[:k] for row in rows]


def _cut(prefix: str) -> tuple[str, str]:
    """What can be read as it is, and the word that is not finished, with the space before it.

    The last word goes to the beams, because its tokens depend on what follows it.
    """
    text = f" {prefix}"
    place = text.rindex(" ")
    return text[:place], text[place:]


class _Vocabulary:
    """The tokens of a model by their bytes."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        self.bytes = [*token_bytes(tokenizer)][:size]
        self.size = size
        end = END.encode()
        self.end = next((number for number, token in enumerate(self.bytes) if token == end), None)
        if self.end is None:
            raise InputError("lm: its tokenizer has no token for the end of a line")
        self.ends = [self.end] + [n for n in (tokenizer.eos_token_id,) if n is not None]
        usable = [(token, n) for n, token in enumerate(self.bytes) if token and end not in token]
        usable.sort()
        self._sorted = [token for token, _ in usable]
        self._numbers = np.array([n for _, n in usable])
        self._number = dict(usable)
        self._longest = max(map(len, self._sorted), default=0)

    def all(self) -> NDArray[np.int64]:
        """Every token that a term may hold."""
        return self._numbers

    def spelling(self, text: bytes) -> list[int]:
        """Those that ``text`` begins with."""
        most = min(self._longest, len(text))
        return [self._number[part] for n in range(1, most + 1) if (part := text[:n]) in self._number]

    def agreeing(self, rest: bytes) -> NDArray[np.int64]:
        """Those that ``rest`` begins with, and those that begin with it."""
        shorter = [self._number[part] for n in range(1, len(rest)) if (part := rest[:n]) in self._number]
        low = bisect_left(self._sorted, rest)
        high = low
        while high < len(self._sorted) and self._sorted[high].startswith(rest):
            high += 1
        return np.concatenate([np.array(shorter, np.int64), self._numbers[low:high]])


class _Held:
    """Takes away, at each step, the tokens that may not follow; in the form that transformers calls."""

    def __init__(
        self,
        vocabulary: _Vocabulary,
        index: TermIndex | None,
        beginnings: Sequence[tuple[str, str]],
        width: int,
    ) -> None:
        self._vocabulary = vocabulary
        self._index = index
        self._heads = [head.encode() for head, _ in beginnings]
        self._rests = [rest.encode() for _, rest in beginnings]
        self._width = width
        self.start = 0

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        """``scores`` [beams, vocabulary] with minus infinity for what may not follow ``ids`` [beams, n]."""
        kept = torch.full_like(scores, -torch.inf)
        for beam, so_far in enumerate(ids[:, self.start :].tolist()):
            allowed = self._allowed(beam // self._width, so_far, scores[beam])
            kept[beam, allowed] = scores[beam, allowed]
        return kept

    def term(self, row: int, ids: Sequence[int]) -> str | None:
        """The term that a beam wrote; None where it did not come to an end."""
        made = self._text(ids[self.start :])
        if made is None or not set(ids[self.start :]) & set(self._vocabulary.ends):
            return None
        try:
            return (self._heads[row] + made).decode().strip(" ") or None
        except UnicodeDecodeError:
            return None

    def _allowed(self, row: int, so_far: Sequence[int], scores: Tensor) -> Tensor:
        made = self._text(so_far)
        rest = self._rests[row]
        if made is None or set(so_far) & set(self._vocabulary.ends):
            return torch.empty(0, dtype=torch.long)
        missing = rest[len(made) :]
        tokens = torch.from_numpy(self._vocabulary.agreeing(missing) if missing else self._vocabulary.all())
        written = self._heads[row] + made
        term = written.removeprefix(b" ")
        whole = not missing and bool(term.strip(b" "))
        if self._index is not None:
            tokens = self._known(written, tokens, scores)
            whole = whole and _valid(term) == len(term) and term.decode() in self._index
        end = torch.tensor([self._vocabulary.end] * whole, dtype=torch.long)
        return torch.cat([tokens, end])

    def _known(self, written: bytes, tokens: Tensor, scores: Tensor) -> Tensor:
        """Those of ``tokens`` after which a term of the dictionary may still come.

        All that spell its best terms; of the likeliest the others, too, where it has very many.
        """
        assert self._index is not None
        term = written.removeprefix(b" ")
        space = b"" if written else b" "
        best = self._index.complete(term[: _valid(term)].decode(), TERMS)
        kept = {
            token
            for text in (found.encode() for found, _ in best)
            if text.startswith(term)
            for token in self._vocabulary.spelling(space + text[len(term) :])
        }
        if len(best) == TERMS or self._index.normalizer != "none":
            for token in tokens[scores[tokens].topk(min(LIKELIEST, len(tokens))).indices].tolist():
                text = (written + (self._vocabulary.bytes[token] or b"")).removeprefix(b" ")
                if self._index.complete(text[: _valid(text)].decode(), 1):
                    kept.add(token)
        return torch.tensor(sorted(kept & set(tokens.tolist())), dtype=torch.long)

    def _text(self, ids: Sequence[int]) -> bytes | None:
        """What tokens stand for, up to the end; None where one stands for nothing."""
        parts = []
        for token in ids:
            if token in self._vocabulary.ends:
                break
            part = self._vocabulary.bytes[token]
            if part is None:
                return None
            parts.append(part)
        return b"".join(parts)


def _valid(text: bytes) -> int:
    """How many bytes of ``text`` are whole characters."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(text)
