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
PROMPTS = 8  # read at once


class Generation:
    """Lets a causal LM write corrections, greedily, and follows it where it stays near the query.

    What it writes has to be the query, one of its candidates, or another text that is at most ``EDITS`` edits
    from the query and has something in common with it; else the query is left alone, and counted among
    ``counts.fallbacks``.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        tokens: that are written at most. Queries that take more are left alone, and the model is not asked.
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
        self._ends = ends + [n for n in (self._lm.tokenizer.eos_token_id,) if n is not None]

    def decide(
        self,
        queries: Sequence[str],
        candidates: Sequence[Sequence[Candidate]],
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[Correction]:
        """See :class:`pyfastlm.spelling.deciding.Decider`; candidates keep their scores and their order."""
        rows = asked(queries, candidates, contexts)
        prompts = [self._prompt(row) for row in rows]
        # Those of one length together, so that little is padded.
        order = sorted((n for n, prompt in enumerate(prompts) if prompt), key=lambda n: len(prompts[n] or ""))
        texts: dict[int, str | None] = {}
        for start in range(0, len(order), PROMPTS):
            chunk = order[start : start + PROMPTS]
            written = self._written([prompts[n] or "" for n in chunk])
            texts.update((n, self._allowed(rows[n], text)) for n, text in zip(chunk, written, strict=True))
        margins = self._margins(rows, prompts, texts)
        found = []
        for number, row in enumerate(rows):
            if number not in texts:
                self.counts += Counts(asked=1)
                found.append(kept(row))
                continue
            text, margin = texts[number], margins.get(number, -math.inf)
            changed = margin > (-math.inf if self.threshold is None else self.threshold)
            overruled = text is not None and bool(row.candidates) and text != row.best
            self.counts += Counts(1, int(changed), 1, int(overruled), int(text is None))
            chosen = text if changed and text is not None else row.query
            found.append(Correction(chosen, changed, margin, tuple(best_first(row.candidates))))
        return found

    def _prompt(self, row: Asked) -> str | None:
        """What the model reads for a row; None where it cannot copy the query, or is not to be asked."""
        own = self._prompts.completion(row.query)
        if not row.query.strip() or not own.strip() or self._prompts.lengths([own])[0] > self._tokens:
            return None
        return self._prompts.fitting(row.query, row.names, self._scorer.max_length - self._tokens)

    @torch.inference_mode()
    def _written(self, prompts: Sequence[str]) -> list[str]:
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
            max_new_tokens=self._tokens,
            eos_token_id=self._ends,
            pad_token_id=tokenizer.pad_token_id,
        )
        texts = tokenizer.batch_decode(
            made[:, inputs["input_ids"].shape[1] :],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [text.partition(END)[0] for text in texts]

    def _allowed(self, row: Asked, written: str) -> str | None:
        """What ``written`` stands for; None where no correction may be like that."""
        text, own = self._prompts.shown(written), self._prompts.shown(row.query)
        if text == own:
            return row.query
        for candidate in row.candidates:
            if text == self._prompts.shown(candidate.text):
                return candidate.text
        most = min(EDITS, len(own) - 1)
        return text if text and edits_within(text, own, most) is not None else None

    def _margins(
        self, rows: Sequence[Asked], prompts: Sequence[str | None], texts: dict[int, str | None]
    ) -> dict[int, float]:
        """By how much the model prefers what it wrote to the query, where that is something else."""
        other = [(n, text) for n, text in texts.items() if text is not None and text != rows[n].query]
        if self.threshold is None:
            return {n: math.inf for n, _ in other}
        pairs = []
        for n, text in other:
            pairs += [(prompts[n] or "", self._prompts.completion(each)) for each in (text, rows[n].query)]
        scores = self._scorer.conditional(pairs)
        return {n: scores[2 * k].logp - scores[2 * k + 1].logp for k, (n, _) in enumerate(other)}
