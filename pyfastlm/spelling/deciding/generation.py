"""Decisions by what a language model writes, where that is near enough to what was typed."""

import math
from collections.abc import Sequence

import torch

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.scorer import Scorer
from pyfastlm.lm.vocabulary import token_bytes
from pyfastlm.spelling.correction import Candidate, Correction
from pyfastlm.spelling.deciding.decider import Asked, Counts, asked, best_first, kept
from pyfastlm.spelling.deciding.edits import edits_within
from pyfastlm.spelling.prompts import CONTEXT_TOKENS, END, Prompts

TOKENS = 48
EDITS = 3  # from the query, of a text that is no candidate
MORE = 8  # tokens that a text near the query may take beyond those of the query
PROMPTS = 8  # read at once


class Generation:
    """Lets a causal LM write corrections, greedily, and follows it where it stays near the query.

    What it writes has to come to an end, and be the query, one of its candidates, or another text that is at
    most ``EDITS`` edits from the query and has something in common with it; else the query is left alone, and
    counted among ``counts.fallbacks``.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        tokens: that are written at most, and not more than what may be followed takes. Queries that take more
            are left alone, and the model is not asked.
        threshold: correct only where the correction's log-probability is above that of the query by more, in
            nats; minus infinity to get the margins and follow the model always. By default it is followed,
            and margins are infinite.
        context_tokens: what names may take in a prompt.

    Attributes:
        threshold: as above.
        counts: see :class:`Counts`.

    Raises:
        InputError: ``tokens`` is less than 1, or the tokenizer is of an unknown kind.
    """

    def __init__(
        self,
        lm: LMLike,
        *,
        tokens: int = TOKENS,
        threshold: float | None = None,
        context_tokens: int = CONTEXT_TOKENS,
    ) -> None:
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
            raise InputError(f"tokens: expected a whole number >= 1, got {tokens!r}")
        self.threshold = threshold
        self.counts = Counts()
        self._scorer = Scorer(lm)
        self._lm = self._scorer.lm
        self._tokens = min(tokens, self._scorer.max_length - 1)
        self._prompts = Prompts(self._lm.tokenizer, context_tokens=context_tokens)
        end = END.encode()
        ends = [
            number for number, token in enumerate(token_bytes(self._lm.tokenizer)) if token and end in token
        ]
        self._ends = {*ends, *(n for n in (self._lm.tokenizer.eos_token_id,) if n is not None)}

    def decide(
        self,
        queries: Sequence[str],
        candidates: Sequence[Sequence[Candidate]],
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[Correction]:
        """See :class:`pyfastlm.spelling.deciding.Decider`.

        What the model wrote comes first among the candidates of a correction, the others by their scores. A
        text that was no candidate has a score of minus infinity, and its edits as cost.
        """
        rows = asked(queries, candidates, contexts)
        prompts = {n: prompt for n, row in enumerate(rows) if (prompt := self._prompt(row)) is not None}
        order = sorted(prompts, key=lambda n: len(prompts[n]))  # so that little is padded
        written: dict[int, Candidate | None] = {}
        for start in range(0, len(order), PROMPTS):
            chunk = order[start : start + PROMPTS]
            texts = self._written([prompts[n] for n in chunk], [self._most(rows[n]) for n in chunk])
            written |= {n: self._allowed(rows[n], text) for n, text in zip(chunk, texts, strict=True)}
        others = {
            n: (prompts[n], found.text, rows[n].query)
            for n, found in written.items()
            if found and found.text != rows[n].query
        }
        margins = dict(zip(others, self._margins(list(others.values())), strict=True))
        return [
            self._correction(row, written[n], margins.get(n, -math.inf)) if n in written else self._left(row)
            for n, row in enumerate(rows)
        ]

    def _left(self, row: Asked) -> Correction:
        self.counts += Counts(asked=1)
        return kept(row)

    def _correction(self, row: Asked, written: Candidate | None, margin: float) -> Correction:
        if written is None:
            self.counts += Counts(asked=1, read=1, fallbacks=1)
            return kept(row)
        changed = margin > (-math.inf if self.threshold is None else self.threshold)
        overruled = bool(row.candidates) and written.text != row.best
        self.counts += Counts(asked=1, changed=int(changed), read=1, overruled=int(overruled))
        others = [each for each in row.candidates if each.text != written.text]
        return Correction(
            written.text if changed else row.query, changed, margin, (written, *best_first(others))
        )

    def _prompt(self, row: Asked) -> str | None:
        """What the model reads for a row; None where it cannot copy the query, or is not to be asked."""
        own = self._prompts.completion(row.query)
        if not own.strip() or self._prompts.lengths([own])[0] > self._tokens:
            return None
        return self._prompts.fitting(row.query, row.names, self._scorer.max_length - self._tokens)

    @torch.inference_mode()
    def _written(self, prompts: Sequence[str], most: Sequence[int]) -> list[str | None]:
        """What the model writes in ``most`` tokens of each; None where it does not come to an end."""
        tokenizer = self._lm.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        inputs = tokenizer(list(prompts), return_tensors="pt", padding=True).to(self._lm.model.device)
        made = self._lm.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # some models bring another one, under which they could not copy
            max_new_tokens=max(most),
            eos_token_id=sorted(self._ends),
            pad_token_id=tokenizer.pad_token_id,
        )
        rows = made[:, inputs["input_ids"].shape[1] :].tolist()
        new = [row[:count] for row, count in zip(rows, most, strict=True)]
        texts = tokenizer.batch_decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return [
            None if self._ends.isdisjoint(row) else text.partition(END)[0]
            for row, text in zip(new, texts, strict=True)
        ]

    def _most(self, row: Asked) -> int:
        """Tokens in which whatever may be followed is written."""
        texts = [row.query, *(each.text for each in row.candidates)]
        longest = max(self._prompts.lengths([self._prompts.completion(text) for text in texts]))
        return min(self._tokens, longest + MORE)

    def _allowed(self, row: Asked, written: str | None) -> Candidate | None:
        """What ``written`` stands for; None where no correction may be like that."""
        if written is None:
            return None
        text, own = self._prompts.shown(written), self._prompts.shown(row.query)
        known = [each for each in row.candidates if self._prompts.shown(each.text) == text]
        if text == own:
            query = Candidate(row.query, -math.inf, 0.0)
            return next((each for each in known if each.text == row.query), query)
        if known:
            return known[0]
        edits = edits_within(text, own, min(EDITS, len(own) - 1)) if text else None
        return None if edits is None else Candidate(text, -math.inf, float(edits))

    def _margins(self, asked: Sequence[tuple[str, str, str]]) -> list[float]:
        """By how much the model prefers what it wrote; of each the prompt, the text, and the query."""
        if self.threshold is None:
            return [math.inf] * len(asked)
        pairs = [(prompt, self._prompts.completion(text)) for prompt, *texts in asked for text in texts]
        scores = [score.logp for score in self._scorer.conditional(pairs)]
        return [own - other for own, other in zip(scores[::2], scores[1::2], strict=True)]
