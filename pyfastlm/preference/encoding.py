"""Pairs of texts to pairs of token sequences, by the rules of TRL's preference trainers."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import Tokens, common_prefix
from pyfastlm.preference.pairs import PreferencePair

MAX_LENGTH = 1024  # tokens of prompt and answer together, as in TRL


class TokenPair(NamedTuple):
    """Tokens, int32; each answer is preceded by the prompt. Without a prompt, the first token of an answer
    has nothing to be predicted from, and does not count."""

    prompt: Tokens
    chosen: Tokens
    rejected: Tokens


def encode(
    tokenizer: Any,
    pairs: Iterable[PreferencePair],
    *,
    conversational: bool | None = None,
    max_length: int | None = MAX_LENGTH,
) -> list[TokenPair]:
    """Tokens of pairs.

    An answer begins where the tokens of prompt and answer differ from those of the prompt alone: a few
    tokens earlier than the prompt ends, where the tokenizer merges across the border.

    Args:
        tokenizer: of the model.
        pairs: any iterable of :class:`PreferencePair`.
        conversational: prompt and answer as messages in the tokenizer's chat template; else as plain text,
            answers end with the eos token then. By default, whether it has a template.
        max_length: answers are cut to what the prompt leaves of this many tokens; None for no limit.

    Raises:
        InputError: no token of an answer is left; there is no pair; the tokenizer has no template, or no eos.

    Source: TRL 1.16, ``DPOTrainer._prepare_dataset`` and ``DataCollatorForPreference`` (``keep_start``). TRL
    drops a pair whose prompt leaves no room; here it is an error.
    """
    if conversational is None:
        conversational = bool(getattr(tokenizer, "chat_template", None))
    elif conversational and not getattr(tokenizer, "chat_template", None):
        raise InputError("conversational: the tokenizer has no chat template; pass conversational=False")
    if not conversational and tokenizer.eos_token is None:
        raise InputError("tokenizer: expected one with an eos token, which ends an answer")
    if max_length is not None and max_length < 2:
        raise InputError(f"max_length: expected at least 2 tokens or None, got {max_length}")
    found = []
    for number, pair in enumerate(pairs):
        ids = _conversation(tokenizer, pair) if conversational else _text(tokenizer, pair)
        found.append(_split(ids, max_length, f"pairs[{number}]"))
    if not found:
        raise InputError("pairs: expected at least one, got none")
    return found


def _conversation(tokenizer: Any, pair: PreferencePair) -> list[Tokens]:
    asked = [{"role": "user", "content": pair.prompt}]
    answered = [[*asked, {"role": "assistant", "content": text}] for text in (pair.chosen, pair.rejected)]
    rows = [tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)]
    rows += [tokenizer.apply_chat_template(messages, return_dict=True) for messages in answered]
    return [np.array(row["input_ids"], np.int32) for row in rows]


def _text(tokenizer: Any, pair: PreferencePair) -> list[Tokens]:
    eos = tokenizer.eos_token
    ended = [text if text.endswith(eos) else text + eos for text in (pair.chosen, pair.rejected)]
    texts = [pair.prompt, *(pair.prompt + text for text in ended)]
    return [np.array(tokenizer(text, verbose=False)["input_ids"], np.int32) for text in texts]


def _split(ids: list[Tokens], max_length: int | None, name: str) -> TokenPair:
    """``ids`` are those of the prompt, and of the prompt with each answer."""
    prompt, chosen, rejected = ids
    start = min(common_prefix(prompt, chosen), common_prefix(prompt, rejected))
    found = TokenPair(prompt[:start], chosen[start:max_length], rejected[start:max_length])
    for side in ("chosen", "rejected"):
        if len(getattr(found, side)) <= (not start):  # without a prompt the first one does not count
            reason = f"the prompt has {start} tokens of max_length {max_length}"
            raise InputError(f"{name}: {side}: expected at least one token to predict, got none; {reason}")
    return found
