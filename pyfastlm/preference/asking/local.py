"""A causal LM in this process as a writer: greedy, or drawn by a seed, the same in any batch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.lm import gumbel
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.runner import context_length, positive
from pyfastlm.lm.sampling import Sampling
from pyfastlm.preference.asking.completion import Completion


class HFReviser:
    """Writes with a model of transformers; prompts go through its chat template, if it has one.

    What is drawn for a prompt depends on the prompt and the seed, not on what else is in its batch, beyond
    rounding: the Gumbel trick with a generator for each prompt.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        sampling: how to draw; None for the likeliest token each time.
        seed: of drawing.
        stream: another one gives another text from the same seed.
        max_new_tokens: of a text at most; a longer one is not finished.
        batch_size: prompts run at once.

    Raises:
        InputError, InputTypeError: a number is out of range, or there is no such model.
    """

    def __init__(
        self,
        lm: LMLike,
        *,
        sampling: Sampling | None = None,
        seed: int = 0,
        stream: int = 0,
        max_new_tokens: int = 512,
        batch_size: int = 8,
    ) -> None:
        self.lm = as_lm(lm)
        self.batch_size = positive("batch_size", batch_size)
        self._most = positive("max_new_tokens", max_new_tokens)
        self._sampling = sampling
        self._seed = f"{seed} {stream}"
        self._context = context_length(self.lm)
        self._chats = bool(getattr(self.lm.tokenizer, "chat_template", None))
        own = self.lm.model.generation_config.eos_token_id
        ends = [self.lm.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
        self._ends = sorted({end for end in ends if end is not None})

    @property
    def identity(self) -> str:
        """All that the texts depend on."""
        drawn = None if self._sampling is None else [*astuple(self._sampling), self._seed]
        chat = self.lm.tokenizer.chat_template if self._chats else None
        return json.dumps(["in process", self.lm.fingerprint, chat, self._most, drawn])

    def __call__(self, prompts: list[str]) -> list[Completion]:
        """Write one text for each prompt; one that does not fit into the model's context gives an error."""
        tokenizer = self.lm.tokenizer
        shown = [self._shown(prompt) for prompt in prompts]
        ids = tokenizer(shown, add_special_tokens=not self._chats)["input_ids"] if shown else []
        asked = [
            _Asked(place, prompt, row, min(self._most, self._context - len(row)))
            for place, (prompt, row) in enumerate(zip(prompts, ids, strict=True))
        ]
        found = {each.place: self._too_long(each) for each in asked if each.room < 1 or not each.ids}
        for batch in _together(
            [each for each in asked if each.place not in found], self._most, self.batch_size
        ):
            texts = self._written(batch)
            found |= {each.place: text for each, text in zip(batch, texts, strict=True)}
        return [found[place] for place in range(len(prompts))]

    def _shown(self, prompt: str) -> str:
        if not self._chats:
            return str(prompt)
        messages = [{"role": "user", "content": str(prompt)}]
        shown: str = self.lm.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return shown

    def _too_long(self, asked: "_Asked") -> Completion:
        if not asked.ids:
            return Completion("", error="the prompt is empty")
        return Completion(
            "", error=f"the prompt has {len(asked.ids):,} tokens, and the model reads {self._context:,}"
        )

    @torch.inference_mode()
    def _written(self, batch: Sequence["_Asked"]) -> list[Completion]:
        tokenizer, model = self.lm.tokenizer, self.lm.model
        width = max(len(each.ids) for each in batch)
        pad = self._ends[0] if self._ends else 0  # masked before a prompt, and never read after a text
        ids = torch.tensor([[pad] * (width - len(each.ids)) + each.ids for each in batch])
        mask = torch.tensor([[0] * (width - len(each.ids)) + [1] * len(each.ids) for each in batch])
        made = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # some models bring another one, under which they could not copy
            max_new_tokens=batch[0].room,
            eos_token_id=self._ends or None,
            pad_token_id=pad,
            logits_processor=self._processors([each.prompt for each in batch]),
        )
        rows = made[:, width:].tolist()
        places = [next((n for n, token in enumerate(row) if token in self._ends), None) for row in rows]
        texts = tokenizer.batch_decode(
            [row[:place] for row, place in zip(rows, places, strict=True)],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [Completion(text, place is not None) for text, place in zip(texts, places, strict=True)]

    def _processors(self, prompts: Sequence[str]) -> list[Any]:
        if self._sampling is None:
            return []
        transformers = require("transformers", "preference")
        drawn = self._sampling
        found: list[Any] = [transformers.TemperatureLogitsWarper(drawn.temperature)]
        if drawn.top_k is not None:
            found.append(transformers.TopKLogitsWarper(drawn.top_k))
        if drawn.top_p is not None:
            found.append(transformers.TopPLogitsWarper(drawn.top_p))
        return [*found, _Gumbel([f"{self._seed} {prompt}" for prompt in prompts])]


class _Asked(NamedTuple):
    """A prompt, its tokens, and how many may follow them."""

    place: int
    prompt: str
    ids: list[int]
    room: int


def _together(asked: Sequence[_Asked], most: int, size: int) -> Iterator[list[_Asked]]:
    """Those with room for all together; the others alone, so that none is run beyond the context."""
    free = [each for each in asked if each.room == most]
    yield from (free[start : start + size] for start in range(0, len(free), size))
    yield from ([each] for each in asked if each.room < most)


class _Gumbel:
    """Adds noise under which the largest of logits is a draw from their softmax; a generator for each row."""

    def __init__(self, seeds: Sequence[str]) -> None:
        self._generators = [gumbel.generator(seed) for seed in seeds]

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        """``scores`` [rows, vocabulary] with noise."""
        drawn = [gumbel.noise(scores.shape[1], generator) for generator in self._generators]
        return scores.float() + torch.stack(drawn).to(scores.device)
