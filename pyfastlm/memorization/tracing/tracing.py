"""Trace what a continuation depends on, by interchange interventions."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import context_length, positive
from pyfastlm.memorization.token_ids import Ids, token_ids, whole_numbers
from pyfastlm.memorization.tracing.corruption import corrupted_prompts
from pyfastlm.memorization.tracing.interventions import levels
from pyfastlm.memorization.tracing.result import Trace
from pyfastlm.memorization.tracing.stream import Stream


def trace(
    lm: LMLike,
    tokens: ArrayLike,
    prefix_length: int = 32,
    horizon: int = 32,
    *,
    corrupted: "str | ArrayLike" = "shuffled",
    draws: int = 3,
    layers: Sequence[int] | None = None,
    positions: Sequence[int] | None = None,
    threshold: float = 0.1,
    control: ArrayLike | None = None,
    batch_size: int = 64,
    seed: int = 0,
    progress: bool = False,
) -> Trace:
    """Find the prompt tokens and layers that each token of a continuation depends on.

    States of the residual stream in the run over ``tokens`` are replaced by those of a run in which the
    prompt is another one, a single (level, position) at a time, and the other way round; what this does to
    the probability of each true token after the prompt is the dependency. All tokens before a watched one
    are the true ones (teacher forcing). Exact: each intervention is a forward pass, several as rows of a
    batch.

    Source: memorization framework of Huang et al. (arXiv 2407.17817); the definition here is this
    project's own.

    Args:
        lm: an :class:`~pyfastlm.lm.LM`, or anything :func:`pyfastlm.lm.load` takes; its blocks must hand on
            one residual stream, as those of GPT-NeoX, GPT-2, GPT-Neo, OPT and Llama.
        tokens: [>= prefix_length + horizon] token ids; the first ones are the prompt.
        prefix_length: P, tokens of the prompt.
        horizon: H, tokens after it that are watched.
        corrupted: the other prompt: ``"shuffled"`` (its own tokens in another order), ``"resampled"`` (drawn
            evenly from the vocabulary), or token ids [P] or [draws, P].
        draws: how many prompts are drawn; the result is their mean. Ignored where ``corrupted`` has ids.
        layers: levels of the stream, 0 (the embeddings) to the number of blocks; all by default.
        positions: places in the prompt, 0 to P - 1; all by default.
        threshold: drop of the probability above which a token counts as dependent.
        control: [>= P] ids of a text that is not memorised, to see what is usual: its first P tokens and what
            the model itself (greedily) writes after them are traced in the same way.
        batch_size: interventions of one forward pass; bounds memory.
        seed: of the drawn prompts.
        progress: show a bar on standard error.

    Raises:
        InputError: an argument is out of range, the sequence is too short for prompt and horizon, or longer
            than the model's context; the model has no such blocks.
    """
    positive("prefix_length", prefix_length)
    positive("horizon", horizon)
    positive("draws", draws)
    positive("batch_size", batch_size)
    if not 0 <= threshold < 1:
        raise InputError(f"threshold: expected a probability, 0 <= threshold < 1, got {threshold!r}")
    given = as_lm(lm)
    length = prefix_length + horizon
    sequence = token_ids("tokens", tokens, given, at_least=length)
    if length > (context := context_length(given)):
        raise InputError(
            f"horizon: expected prefix_length + horizon within the model's context of {context}, got {length}"
        )
    stream = Stream(given.model, length)
    places = _chosen("positions", positions, prefix_length)
    deep = _chosen("layers", layers, stream.levels)

    def one(ids: Ids, beside: Trace | None) -> Trace:
        others = corrupted_prompts(ids[:prefix_length], corrupted, draws, seed, given)
        return _traced(stream, ids, others, deep, places, threshold, batch_size, beside, progress)

    beside = None
    if control is not None:
        prompt = token_ids("control", control, given, at_least=prefix_length)[:prefix_length]
        start = torch.from_numpy(prompt).to(stream.device)
        beside = one(stream.continued(start, horizon).cpu().numpy(), None)
    return one(sequence[:length], beside)


def _traced(
    stream: Stream,
    ids: Ids,
    others: Ids,
    deep: Sequence[int],
    places: Sequence[int],
    threshold: float,
    batch_size: int,
    control: Trace | None,
    progress: bool,
) -> Trace:
    size = others.shape[1]
    runs = np.concatenate(
        [ids[None], np.concatenate([others, np.repeat(ids[None, size:], len(others), 0)], 1)]
    )
    tokens = torch.from_numpy(runs).to(stream.device)
    recorded = stream.record(tokens)
    logp = recorded.logp[:, size - 1 :].double().cpu().numpy()
    steps = levels(stream, tokens, recorded, deep, places, size, batch_size)
    share, nats = zip(*watched(steps, len(deep), "levels", progress), strict=True)
    return Trace(
        tokens=ids,
        corrupted=others,
        layers=tuple(deep),
        positions=tuple(places),
        logp=logp[0],
        corrupted_logp=logp[1:],
        greedy=recorded.greedy[0, size - 1 :].cpu().numpy(),
        dependency=np.stack([drops.clean for drops in share]),
        dependency_nats=np.stack([drops.clean for drops in nats]),
        restored=np.stack([drops.corrupted for drops in share]),
        restored_nats=np.stack([drops.corrupted for drops in nats]),
        whole=np.stack([drops.whole for drops in share]),
        threshold=threshold,
        control=control,
    )


def _chosen(name: str, given: Sequence[int] | None, size: int) -> list[int]:
    if given is None:
        return [*range(size)]
    chosen = whole_numbers(name, given)
    if not len(chosen) or not 0 <= chosen.min() <= chosen.max() < size or len({*chosen}) < len(chosen):
        raise InputError(f"{name}: expected different numbers in [0, {size}), got {chosen.tolist()}")
    return [int(one) for one in chosen]
