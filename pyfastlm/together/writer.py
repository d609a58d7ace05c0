"""One answer on its way: what has to be read next, and what the model's word on it changes."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from pyfastlm.lm import gumbel
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.growing import Keys
from pyfastlm.lm.sampling import cut
from pyfastlm.together.answers import Answer, Call, Chosen, Written
from pyfastlm.together.segments import Asking, Choice, Forced, Free, Shaped
from pyfastlm.together.shapes import Shape, Shapes


class Tokenizer:
    """Text to tokens and back, without special tokens of its own; ``ends`` are tokens that end a text."""

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self.ends = tuple(ends)

    def encode(self, text: str) -> list[int]:
        """Tokens of a text; special ones that are spelled out become themselves."""
        if not text:
            return []
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return tokens

    def spelled(self, token: int) -> str:
        """The text of one token, special or not."""
        text: str = self._tokenizer.decode([token], clean_up_tokenization_spaces=False)
        return text

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


class Writer:
    """Follows the plan of a call.

    Args:
        call: what is asked.
        tokenizer: of the model.
        context: how many tokens the model reads.
        shapes: for what has to be written under a schema.

    Attributes:
        call: as given.
        prompt: its tokens.
        keys: what was read; may be filled with a start of ``prompt`` before :meth:`begin`.
        pending: what has to be read before the model is asked.
        segment: what the model is asked; None when the answer is complete.
        cached: whether the keys of the prompt were offered to the cache.
    """

    def __init__(self, call: Call, tokenizer: Tokenizer, context: int, shapes: Shapes) -> None:
        self.call, self._tokenizer, self._context, self._shapes = call, tokenizer, context, shapes
        self.prompt: Tokens = np.array(tokenizer.encode(call.prompt), np.int32)
        self.keys = Keys(min(context, len(self.prompt) + call.max_tokens))
        self.pending: list[int] = []
        self.segment: Asking | None = None
        self.cached = False
        self._next = 0  # segment of the plan
        self._generator = gumbel.generator(f"{call.seed} {call.prompt}")
        self._reused = 0
        self._texts: list[str] = []
        self._shape: Shape | None = None  # of the value that is being written
        self._field: list[int] = []  # tokens of the text that is being written
        self._base = 0  # where they begin in the sequence
        self._given = 0  # tokens that were forced or chosen
        self._kept = 0  # tokens of free texts
        self._drawn = 0  # tokens that the model wrote, with those that ended a text
        self._choices: list[Chosen] = []
        self._cut: list[str] = []
        self._reports: list[Written] = []

    def begin(self) -> None:
        """Ask for what is not read yet of the prompt, and go to the first segment."""
        self._reused = len(self.keys.tokens)
        self.pending = self.prompt[self._reused :].tolist()
        self._go_on()

    def options(self) -> list[list[int]]:
        """Tokens of each option of the choice; with the one that closes it, if something has to follow."""
        assert isinstance(self.segment, Choice)
        behind = self.call.plan[self._next : self._next + 1]
        closing = list(self._tokenizer.ends[:1])
        if behind:
            closing = self._tokenizer.encode(behind[0].text)[:1] if isinstance(behind[0], Forced) else []
        return [self._tokenizer.encode(option) + closing for option in self.segment.options]

    def choose(self, logprobs: Tensor) -> None:
        """Take an option by the log-probability of each [options]."""
        assert isinstance(self.segment, Choice)
        given = logprobs.double().cpu()
        known = given.log_softmax(0)
        scores = known
        if self.call.temperature > 0:
            scores = known / self.call.temperature + gumbel.noise(len(known), self._generator)
        option = self.segment.options[int(scores.argmax())]
        found = Chosen(
            self.segment.name, option, self.segment.options, tuple(given.tolist()), tuple(known.tolist())
        )
        self._choices.append(found)
        self._give(option)
        self._go_on()

    def take(self, logits: Tensor) -> None:
        """Draw the next token by ``logits`` [V]."""
        assert isinstance(self.segment, Free | Shaped)
        token = self._draw(logits.float().cpu())
        self._drawn += 1
        if self._shape is None and token in self._tokenizer.ends:
            self._close(self._tokenizer.decode(self._field))
            return
        self._field.append(token)
        self.pending = [token]
        text = self._tokenizer.decode(self._field)
        if isinstance(self.segment, Shaped):
            self._take_shaped(self.segment, text, token)
        else:
            self._take_free(self.segment, text)

    def _take_shaped(self, segment: Shaped, text: str, token: int) -> None:
        assert self._shape is not None
        if self._shape.takes(token):
            self._close(text)
        elif self._drawn >= self.call.max_tokens or not self._room():
            self._next = len(self.call.plan)  # half a value: nothing that follows could be read
            self._cut.append(segment.name)
            self._close(text)

    def _take_free(self, segment: Free, text: str) -> None:
        found = re.search(segment.end, text) if segment.end else None
        stops = [at for stop in self.call.stop if (at := text.find(stop)) >= 0]
        if stops and (found is None or min(stops) < found.start()):
            self._next = len(self.call.plan)
            self._close(text[: min(stops)])
        elif found is not None:
            self._close(text[: found.start()].rstrip())
        elif (
            self._drawn >= self.call.max_tokens
            or len(self._field) == self.call.field_tokens
            or not self._room()
        ):
            self._cut.append(segment.name)
            self._close(text)

    def answer(self) -> Answer:
        """All of it, when it is complete."""
        return Answer(
            text="".join(self._texts),
            finished=not self._cut,
            model_id=self.call.model_id,
            prompt_tokens=len(self.prompt),
            reused_tokens=self._reused,
            completion_tokens=self._given + self._kept,
            given_tokens=self._given,
            choices=tuple(self._choices),
            cut=tuple(self._cut),
            written=tuple(self._reports),
        )

    def _go_on(self) -> None:
        """Go to the next segment that asks the model; what is given before it becomes pending."""
        self.segment = None
        while self._next < len(self.call.plan):
            segment = self.call.plan[self._next]
            self._next += 1
            if isinstance(segment, Forced):
                self._give(segment.text)
                continue
            if not self.pending:  # what the model says after the last token is not kept
                self.pending = self.keys.tokens[-1:]
                self.keys.cut(len(self.keys.tokens) - 1)
            self.segment = segment
            if isinstance(segment, Choice):
                if self._room() >= max(map(len, self.options())):
                    return
            elif self._drawn < self.call.max_tokens and self._room():
                self._field, self._base = [], len(self.keys.tokens) + len(self.pending)
                self._shape = self._shapes.begin(segment) if isinstance(segment, Shaped) else None
                return
            self._cut.append(segment.name)
            if not isinstance(segment, Free) or not self._room():  # without it, what follows is worthless
                self._next = len(self.call.plan)
        self.segment = None

    def _room(self) -> int:
        return max(0, self._context - len(self.keys.tokens) - len(self.pending))

    def _give(self, text: str) -> None:
        tokens = self._tokenizer.encode(text)
        self.pending += tokens
        self._given += len(tokens)
        self._texts.append(text)

    def _close(self, text: str) -> None:
        """End a free text; what was read of it beyond ``text`` is forgotten."""
        count = len(self._field)
        while not text.startswith(self._tokenizer.decode(self._field[:count])):
            count -= 1
        rest = self._tokenizer.encode(text[len(self._tokenizer.decode(self._field[:count])) :])
        read = len(self.keys.tokens) - self._base
        self.keys.cut(self._base + count)
        self.pending = self._field[read:count] + rest
        self._kept += count + len(rest)
        self._texts.append(text)
        self._go_on()

    def _draw(self, logits: Tensor) -> int:
        scores = logits
        if self._shape is not None:
            scores = logits.masked_fill(~self._shape.allowed(len(logits)), float("-inf"))
        if self.call.temperature > 0:
            scores = cut(scores[None] / self.call.temperature, self.call.top_k, self.call.top_p)[0]
            token = int((scores + gumbel.noise(len(scores), self._generator)).argmax())
        else:
            token = int(scores.argmax())
        if self.call.logprobs is not None:
            known = logits.log_softmax(0)
            best = known.topk(self.call.logprobs)
            top = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
            self._reports.append(Written(token, float(known[token]), top))
        return token
