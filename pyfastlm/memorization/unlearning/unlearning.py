"""Unlearning behind one interface."""

import copy
import math
import time
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.next_token import NextToken
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import context_length, positive
from pyfastlm.memorization.metric.measuring import verbatim_lengths
from pyfastlm.memorization.token_ids import Ids, TokenIds, token_lists
from pyfastlm.memorization.unlearning.batches import Batches
from pyfastlm.memorization.unlearning.gradients import Gradients
from pyfastlm.memorization.unlearning.pruning import Pruning
from pyfastlm.memorization.unlearning.result import METHODS, End, Method, Unlearned, UnlearningStep

SHARES = {"sparse": 0.001, "pruning": 0.001}
RATES = {"gradient_ascent": 5e-5, "gradient_difference": 5e-5, "sparse": 1e-3}


class Stepper(Protocol):
    """A way to unlearn."""

    def losses(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Mean nats of what is to be forgotten and retained, as :meth:`apply` takes them."""
        ...

    def apply(self, forget: Tensor, retain: Tensor | None) -> None:
        """Change the model."""
        ...


def unlearn(
    lm: LMLike,
    forget: TokenIds | Sequence[TokenIds],
    *,
    method: Method = "gradient_ascent",
    retain: TokenIds | Sequence[TokenIds] | None = None,
    steps: int = 100,
    lr: float | None = None,
    share: float | None = None,
    retain_weight: float = 1.0,
    until: int | None = None,
    prefix_length: int = 32,
    horizon: int = 64,
    batch_size: int = 8,
    seed: int = 0,
    progress: bool = False,
) -> Unlearned:
    """Make a copy of a model forget sequences. The model itself is left as it is.

    ``"gradient_ascent"`` raises the nats of the sequences; ``"gradient_difference"`` also lowers those of
    ``retain``; ``"sparse"`` does the same (without ``retain``: ascent) in few weights, those with the largest
    gradients; ``"pruning"`` sets hidden units of the feed-forward layers to zero, by what each contributes to
    ``forget`` and to ``retain``. What is forgotten after the original prompt may still come back after
    another: see :func:`~pyfastlm.memorization.stress_test`.

    Args:
        lm: an :class:`~pyfastlm.lm.LM`, or anything :func:`pyfastlm.lm.load` takes.
        forget: a sequence of token ids, or several, each of 2 or more.
        method: one of the four.
        retain: sequences that stand for all that is to stay; needed by ``"gradient_difference"``.
        steps: at most.
        lr: of AdamW (betas 0.9, 0.95; no weight decay; gradients clipped to norm 1), constant. By default
            5e-5, for ``"sparse"`` 1e-3. Not of ``"pruning"``.
        share: of the weights that ``"sparse"`` may change, of the units that ``"pruning"`` removes in each
            step (at least one); 0.001 by default. Not of the others.
        retain_weight: of the nats of ``retain`` beside those of ``forget``.
        until: stop as soon as, after the first ``prefix_length`` tokens, greedy decoding reproduces fewer
            than this of each sequence. By default all steps are done.
        prefix_length: tokens of the original prompt.
        horizon: tokens that are counted at most.
        batch_size: sequences of a step, of each kind.
        seed: of the order in which they come.
        progress: show a bar on standard error.

    Raises:
        InputError, InputTypeError: an argument is wrong or does not go with the method; a sequence is too
            short, or longer than the model's context; the feed-forward layers are of no known kind.
    """
    given = as_lm(lm)
    for name, number in (("steps", steps), ("batch_size", batch_size), ("prefix_length", prefix_length),
                         ("horizon", horizon)):  # fmt: skip
        positive(name, number)
    if until is not None:
        positive("until", until)
    if seed < 0:
        raise InputError(f"seed: expected at least 0, got {seed}")
    lr, share = _options(method, lr, share, retain_weight, retain is not None)
    least = 2 if until is None else prefix_length + 1
    targets = token_lists("forget", forget, given, at_least=least)
    kept = None if retain is None else token_lists("retain", retain, given, at_least=2)
    window = max(len(ids) for ids in (*targets, *(kept or ())))
    if window > (context := context_length(given)):
        raise InputError(
            f"forget, retain: expected at most the model's context of {context} tokens, got {window}; cut it"
        )
    model = copy.deepcopy(given.model).eval().requires_grad_(True)
    made = LM(model, given.tokenizer, f"{given.name}, unlearned")
    started = time.perf_counter()
    objective = NextToken(model, window - 1)
    batches = Batches(targets, batch_size, seed, model.device)
    beside = None if kept is None else Batches(kept, batch_size, seed + 1, model.device)
    stepper: Stepper
    if method == "pruning":
        assert share is not None
        stepper = Pruning(model, objective, batches, beside, weight=retain_weight, share=share)
    else:
        assert lr is not None
        if method == "gradient_ascent":
            beside = None
        stepper = Gradients(model, objective, batches, beside, lr=lr, weight=retain_weight, share=share)
    stop = _Stop(targets, until, prefix_length, horizon)
    log, ended = _run(made, stepper, stop, steps, progress)
    return Unlearned(
        made,
        method,
        log[-1].step,
        ended,
        tuple(log),
        _changed(given.model, model),
        sum(weight.numel() for weight in model.parameters()),
        time.perf_counter() - started,
    )


class _Stop:
    """The rule of ``until``."""

    def __init__(self, targets: Sequence[Ids], until: int | None, prefix_length: int, horizon: int) -> None:
        self._targets, self._until = targets, until
        self._prefix_length, self._horizon = prefix_length, horizon

    def longest(self, lm: LM) -> int | None:
        """Tokens reproduced after the original prompts, the most of all sequences."""
        if self._until is None:
            return None
        found = verbatim_lengths(lm, self._targets, (self._prefix_length,), self._horizon, starts=[0])
        return max(one.longest for one in found)

    def reached(self, longest: int | None) -> bool:
        """Whether it is time to stop."""
        return self._until is not None and longest is not None and longest < self._until


def _run(
    lm: LM, stepper: Stepper, stop: _Stop, steps: int, progress: bool
) -> tuple[list[UnlearningStep], End]:
    log = [UnlearningStep(0, None, None, stop.longest(lm))]
    if stop.reached(log[0].longest):
        return log, "forgotten"
    for step in watched(range(steps), steps, "steps", progress):
        forget, retain = stepper.losses(step)
        nats = float(forget.detach())
        beside = None if retain is None else float(retain.detach())
        if not math.isfinite(nats) or not math.isfinite(beside or 0.0):
            return log, "diverged"
        stepper.apply(forget, retain)
        log.append(UnlearningStep(step + 1, nats, beside, stop.longest(lm)))
        if stop.reached(log[-1].longest):
            return log, "forgotten"
    return log, "steps"


def _options(
    method: str, lr: float | None, share: float | None, weight: float, retains: bool
) -> tuple[float | None, float | None]:
    """Rate and share, checked, or those of the method."""
    if method not in METHODS:
        raise InputError(f"method: expected one of {', '.join(METHODS)}; got {method!r}")
    if lr is not None and method not in RATES:
        raise InputError(f"lr: expected none, got {lr!r}; {method!r} has no learning rate")
    if share is not None and method not in SHARES:
        raise InputError(f"share: expected none, got {share!r}; {method!r} changes all weights")
    if method == "gradient_difference" and not retains:
        raise InputError("retain: expected sequences for 'gradient_difference', got none")
    if lr is not None and not 0 < lr < math.inf:
        raise InputError(f"lr: expected a finite number above 0, got {lr!r}")
    if share is not None and not 0 < share <= 1:
        raise InputError(f"share: expected a share of weights or units, 0 < share <= 1, got {share!r}")
    if not 0 <= weight < math.inf:
        raise InputError(f"retain_weight: expected a finite number from 0, got {weight!r}")
    return lr or RATES.get(method), share or SHARES.get(method)


def _changed(before: Any, after: Any) -> int:
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return sum(int((one != other).sum()) for one, other in pairs)
