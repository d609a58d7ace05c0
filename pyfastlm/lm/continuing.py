"""Continuations of many prompts, decoded together; what all prompts begin with is read once."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm import gumbel
from pyfastlm.lm.encoding import Tokens, common_prefix
from pyfastlm.lm.growing import Extension, Keys, read
from pyfastlm.lm.prefix import MIN_SHARED
from pyfastlm.lm.runner import Runner
from pyfastlm.lm.sampling import Sampling, cut


class Continuation(NamedTuple):
    """What the model wrote after a prompt.

    Attributes:
        prompt: number of the prompt.
        tokens: without the one that ended it.
        ended: whether it came to an end by itself or by ``stop``; else a limit cut it.
    """

    prompt: int
    tokens: tuple[int, ...]
    ended: bool


class _Sequence:
    """One prompt on its way."""

    def __init__(self, number: int, pending: list[int], keys: Keys, noise: torch.Generator | None) -> None:
        self.number, self.pending, self.keys, self.noise = number, pending, keys, noise
        self.written: list[int] = []


def continued(
    runner: Runner,
    prompts: Sequence[Tokens],
    *,
    ends: Sequence[int],
    limit: int,
    context: int,
    batch_size: int = 16,
    sampling: Sampling | None = None,
    seeds: Sequence[str] = (),
    stop: Callable[[Sequence[int]], bool] | None = None,
) -> Iterator[Continuation]:
    """Continue each prompt; they come as they are complete, not in order.

    There is no padding: a continuation does not depend on what is decoded beside it, beyond rounding. A new
    prompt takes the place of one that is complete.

    Args:
        runner: of the model.
        prompts: tokens of each, at least one.
        ends: tokens that end a continuation.
        limit: tokens that a continuation has at most.
        context: tokens that the model reads at most.
        batch_size: prompts that are decoded together at most.
        sampling: how tokens are drawn; None takes the likeliest each time.
        seeds: of the draws of each prompt, where tokens are drawn.
        stop: tells from the tokens so far whether the continuation is complete; the last one stays.

    Raises:
        InputError: a prompt is empty, or leaves no room in the context.
    """
    for number, prompt in enumerate(prompts):
        if not 0 < len(prompt) < context:
            raise InputError(
                f"prompts[{number}]: expected 1 to {context - 1} tokens, which leave room for an answer, "
                f"got {len(prompt)}"
            )
    shared, trunk = _trunk(runner, prompts)
    waiting = iter(range(len(prompts)))
    active: list[_Sequence] = []
    while True:
        for number in islice(waiting, batch_size - len(active)):
            keys = Keys(min(context, len(prompts[number]) + limit))
            if shared:
                keys.extend(prompts[number][:shared].tolist(), trunk)
            noise = gumbel.generator(seeds[number]) if sampling else None
            active.append(_Sequence(number, prompts[number][shared:].tolist(), keys, noise))
        if not active:
            return
        tokens = _next_tokens(runner, active, sampling)
        going: list[_Sequence] = []
        for each, token in zip(active, tokens, strict=True):
            if token in ends:
                yield Continuation(each.number, tuple(each.written), True)
                continue
            each.written.append(token)
            each.pending = [token]
            if stop is not None and stop(each.written):
                yield Continuation(each.number, tuple(each.written), True)
            elif len(each.written) == limit or len(each.keys.tokens) + 1 == context:
                yield Continuation(each.number, tuple(each.written), False)
            else:
                going.append(each)
        active = going


def _trunk(runner: Runner, prompts: Sequence[Tokens]) -> tuple[int, dict[int, tuple[Tensor, Tensor]]]:
    """How many tokens all prompts begin with, of each at least one left over; and their keys and values."""
    if not runner.shares or len(prompts) < 2:
        return 0, {}
    first = min(prompts, key=len)[:-1]
    common = min(common_prefix(first, prompt) for prompt in prompts)
    if common < MIN_SHARED:
        return 0, {}
    keys = Keys(common)
    tokens = first[:common].tolist()
    for start in range(0, common, runner.budget):
        read(runner, [Extension(keys, tokens[start : start + runner.budget])])
    return common, keys.part(0, common)


@torch.inference_mode()
def _next_tokens(runner: Runner, active: Sequence[_Sequence], sampling: Sampling | None) -> list[int]:
    """Read all that is pending, and the token that follows each."""
    last: dict[int, Tensor] = {}
    left = list(active)
    while left:
        taken: list[Extension] = []
        room = runner.budget
        for each in left:
            part = each.pending[:room]
            if not part:
                break
            taken.append(Extension(each.keys, part))
            room -= len(part)
        rows = read(runner, taken).split([len(each.tokens) for each in taken])
        for each, of_each, extension in zip(left, rows, taken, strict=False):
            last[each.number] = of_each[-1]
            each.pending = each.pending[len(extension.tokens) :]
        left = [each for each in left if each.pending]
    logits = runner.head.logits(torch.stack([last[each.number] for each in active])).float()
    if sampling is None:
        greedy: list[int] = logits.argmax(dim=-1).tolist()
        return greedy
    kept = cut(logits / sampling.temperature, sampling.top_k, sampling.top_p).cpu()
    noise = [gumbel.noise(kept.shape[1], each.noise) for each in active if each.noise is not None]
    drawn: list[int] = (kept + torch.stack(noise)).argmax(dim=-1).tolist()
    return drawn
