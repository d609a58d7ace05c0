"""Which of the two anchored losses fits a model and its pairs: evidence, not a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, LMLike, as_lm, quiet
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import positive
from pyfastlm.preference.encoding import TokenPair, encode
from pyfastlm.preference.logps import longest, scored
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.policy import Policy

DRAWS = 2000  # of the bootstrap
Judge = Callable[[str, str, str], bool]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What :func:`suggest_objective` found.

    Attributes:
        objective: ``apo_zero`` or ``apo_down``.
        reason: the sentence that says why.
        prompts: how many were compared.
        chosen, rejected, own: mean nats for a token of the answers in the pairs, and of the model's own.
        difference: mean of chosen minus own, with its 95 % interval ``low`` to ``high`` (bootstrap over
            prompts).
        likelier: share of prompts whose chosen answer is likelier for a token than the model's own.
        better: share of prompts whose chosen answer a judge found better than the model's own; nan without.
    """

    objective: Literal["apo_zero", "apo_down"]
    reason: str
    prompts: int
    chosen: float
    rejected: float
    own: float
    difference: float
    low: float
    high: float
    likelier: float
    better: float


def suggest_objective(
    lm: LMLike,
    pairs: Sequence[PreferencePair],
    *,
    own: Sequence[str] | None = None,
    judge: Judge | None = None,
    max_tokens: int = 64,
    seed: int = 0,
    progress: bool = False,
) -> Suggestion:
    """Compare chosen answers with the model's own to the same prompts.

    The paper's advice is APO-zero where the chosen answers are better than the model's own, else APO-down.
    With a ``judge`` it is followed to the letter. Without, all that is known is what the model itself finds
    likely: APO-down is suggested where it finds its own answers likelier than the chosen ones beyond chance.
    That is no measure of quality: a small model finds a strong model's answers unlikely, and they are better
    all the same. Then give a judge.

    Args:
        lm: the model before it learns.
        pairs: at least two.
        own: an answer of the model to each prompt; None samples one each, at temperature 1.
        judge: whether, to a prompt, a first answer (the chosen) is better than a second (the model's own).
        max_tokens: tokens of an answer that are compared, and sampled.
        seed: of samples and bootstrap.
        progress: a bar on standard error.

    Raises:
        InputError: fewer than two prompts have answers to compare, or ``own`` has another length.
    """
    given, asked = as_lm(lm), [*pairs]
    positive("max_tokens", max_tokens)
    answers = _sampled(given, asked, max_tokens, seed, progress) if own is None else [*own]
    if len(answers) != len(asked):
        raise InputError(f"own: expected {len(asked)} answers, one for each pair, got {len(answers)}")
    kept = [
        (pair, answer)
        for pair, answer in zip(asked, answers, strict=True)
        if answer and answer != pair.chosen
    ]
    if len(kept) < 2:
        raise InputError(f"pairs: expected at least 2 with an own answer to compare, got {len(kept)}")
    # Three answers to each prompt: chosen and own, chosen and rejected.
    beside = [PreferencePair(pair.prompt, pair.chosen, answer) for pair, answer in kept]
    chosen, mine = _per_token(given, beside, max_tokens)
    _, rejected = _per_token(given, [pair for pair, _ in kept], max_tokens)
    difference = chosen - mine
    low, high = _interval(difference, seed)
    better = float("nan")
    if judge is not None:
        better = float(np.mean([judge(pair.prompt, pair.chosen, answer) for pair, answer in kept]))
    objective, reason = _decision(float(difference.mean()), low, high, better)
    return Suggestion(
        objective,
        reason,
        len(kept),
        float(chosen.mean()),
        float(rejected.mean()),
        float(mine.mean()),
        float(difference.mean()),
        low,
        high,
        float((difference > 0).mean()),
        better,
    )


def _decision(
    difference: float, low: float, high: float, better: float
) -> tuple[Literal["apo_zero", "apo_down"], str]:
    if better == better:
        if better >= 0.5:
            return (
                "apo_zero",
                f"the judge finds {better:.0%} of the chosen answers better than the model's own",
            )
        return (
            "apo_down",
            f"the judge finds only {better:.0%} of the chosen answers better than the model's own",
        )
    interval = f"by {abs(difference):.2f} nats a token (95 %: {low:+.2f} to {high:+.2f})"
    if high < 0:
        return "apo_down", f"the model finds its own answers likelier than the chosen ones {interval}"
    if low > 0:
        return "apo_zero", f"the model finds the chosen answers likelier than its own {interval}"
    return "apo_zero", f"the model finds the chosen answers as likely as its own, {interval}"


def _per_token(
    lm: LM, pairs: Sequence[PreferencePair], max_tokens: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean nats of the first tokens of each answer."""
    whole = encode(lm.tokenizer, pairs, max_length=None)
    cut = [TokenPair(pair.prompt, pair.chosen[:max_tokens], pair.rejected[:max_tokens]) for pair in whole]
    found = scored(Policy(lm.model, longest(cut)), cut)
    counts = np.array([[len(pair.chosen), len(pair.rejected)] for pair in cut], np.float64).T
    chosen, rejected = (side.double().numpy() / count for side, count in zip(found, counts, strict=True))
    return chosen, rejected


def _sampled(lm: LM, pairs: Sequence[PreferencePair], count: int, seed: int, progress: bool) -> list[str]:
    tokens = encode(lm.tokenizer, pairs, max_length=None)
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        return [_sample(lm, pair, count) for pair in watched(tokens, len(tokens), "answers", progress)]


@torch.inference_mode()
def _sample(lm: LM, pair: TokenPair, count: int) -> str:
    if not len(pair.prompt):
        raise InputError("pairs: expected a prompt to answer, got an empty one")
    ids = torch.from_numpy(pair.prompt).long().to(lm.model.device)[None]
    options: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    made = lm.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=count,
        pad_token_id=lm.tokenizer.eos_token_id,
        **options,
    )
    text: str = lm.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    return text


def _interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Bootstrap, 95 %."""
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
