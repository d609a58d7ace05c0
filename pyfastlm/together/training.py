"""Teach a model to answer as it did where that was right: the loss is on the answers' tokens only."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pyfastlm.errors import InputError
from pyfastlm.lm.adamw import adamw
from pyfastlm.lm.order import Order
from pyfastlm.lm.windows import Window
from pyfastlm.together.engine import HFEngine
from pyfastlm.together.learners import learning
from pyfastlm.together.prompts import Message
from pyfastlm.together.tuning_options import TuningOptions


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it.

    Attributes:
        model_id: of the new weights.
        examples: that were learned from.
        steps: of the optimiser.
        tokens: of answers, that the loss was over, of all steps.
        loss: mean nats per token of each step.
        seconds: of the training.
    """

    model_id: str
    examples: int
    steps: int
    tokens: int
    loss: tuple[float, ...]
    seconds: float


def tune(
    engine: HFEngine,
    model_id: str,
    conversations: Sequence[Sequence[Message | tuple[str, str]]],
    options: TuningOptions,
    watch: Callable[[int, int], None] = lambda done, steps: None,
) -> Tuned:
    """Train on conversations that end with what the assistant should say; the base stays as it is.

    An adapter goes on from that of ``model_id``, if it has one.

    Args:
        engine: whose model learns; calls of other threads wait.
        model_id: the weights to begin with.
        conversations: (role, text) messages; the last is the assistant's.
        options: of the training.
        watch: is told how many steps of how many are done.

    Raises:
        InputError: there is no conversation; one is too long, or does not end with an answer; the loss is
            not finite; or the weights to begin with have another kind of adapter.
    """
    if not conversations:
        raise InputError(
            "train_data: expected at least one example, got none; no run of the program passed the metric"
        )
    windows = [_window(engine, number, messages) for number, messages in enumerate(conversations)]
    total = options.epochs * len(windows)
    steps = math.ceil(total / options.batch_size)
    order = Order(len(windows), options.seed)
    losses: list[float] = []
    tokens = 0
    started = time.perf_counter()
    with engine.exclusive(), learning(engine.weights, model_id, options) as learner:
        optimizer = adamw(learner.module, options.lr, options.weight_decay)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = options.lr * (1 - step / steps)
            place = step * options.batch_size
            chosen = [windows[i] for i in order.take(place, min(options.batch_size, total - place)).tolist()]
            count = sum(len(window.targets) for window in chosen)
            loss = sum(learner.backward(part, count) for part in _portions(chosen, options.tokens_at_once))
            norm = torch.nn.utils.clip_grad_norm_(learner.module.parameters(), options.grad_clip)
            if not (math.isfinite(loss) and bool(torch.isfinite(norm))):
                raise InputError(
                    f"lr: the loss is {loss} at step {step + 1}; try a lower one than {options.lr}"
                )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss)
            tokens += count
            watch(step + 1, steps)
        found = learner.keep()
    return Tuned(found, len(windows), steps, tokens, tuple(losses), time.perf_counter() - started)


def _window(engine: HFEngine, number: int, messages: Sequence[Message | tuple[str, str]]) -> Window:
    """What is read, and what of it is learned: the answer up to the token that ends it."""
    try:
        prompt, answer = engine.prompts.training([Message(*message) for message in messages])
    except InputError as error:
        raise InputError(f"train_data[{number}]: {error}") from error
    before, after = engine.tokenizer.encode(prompt), engine.tokenizer.encode(answer)
    end = next((place for place, token in enumerate(after) if token in engine.tokenizer.ends), len(after))
    after = after[: end + 1]
    if len(before) + len(after) > engine.weights.context:
        raise InputError(
            f"train_data[{number}]: expected at most {engine.weights.context:,} tokens, "
            f"got {len(before) + len(after):,}"
        )
    return Window(np.array(before + after[:-1], np.int32), np.array(after, np.int32))


def _portions(windows: Sequence[Window], budget: int) -> Iterator[list[Window]]:
    portion: list[Window] = []
    for window in windows:
        if portion and sum(len(each.inputs) for each in [*portion, window]) > budget:
            yield portion
            portion = []
        portion.append(window)
    yield portion
