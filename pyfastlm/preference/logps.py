"""Log-probabilities of the answers of pairs."""

from collections.abc import Iterable, Iterator, Sequence

import torch

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import TOKENS_PER_BATCH, positive
from pyfastlm.preference.encoding import MAX_LENGTH, TokenPair, encode
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.policy import PairLogps, Policy


def sequence_logps(
    lm: LMLike, batch: Iterable[PreferencePair], *, max_length: int | None = MAX_LENGTH
) -> PairLogps:
    """Log-probabilities of the chosen and rejected answers of some pairs, read together; differentiable.

    Sums over the tokens of the answer, in nats; the prompt does not count, and is run once for both answers.
    Gradients reach whatever of the model's weights requires them.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything :func:`pyfastlm.lm.load` takes.
        batch: pairs; see :func:`pyfastlm.preference.encoding.encode` for how they become tokens.
        max_length: tokens of prompt and answer; longer answers are cut. None for no limit.

    Returns:
        ``chosen`` [N] and ``rejected`` [N].

    Raises:
        InputError: there is no pair, or no token of an answer is left; or the model is not causal.
    """
    given = as_lm(lm)
    pairs = encode(given.tokenizer, batch, max_length=max_length)
    return Policy(given.model, longest(pairs)).logps(pairs)


@torch.no_grad()
def scored(
    policy: Policy,
    pairs: Sequence[TokenPair],
    *,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> PairLogps:
    """The same without gradients, for any number of pairs: [N] each, in float32 on the CPU.

    Args:
        tokens_per_batch: how many tokens go through the model together; bounds memory.
    """
    if not pairs:
        raise InputError("pairs: expected at least one, got none")
    chosen, rejected = [], []
    groups = [*_groups(pairs, positive("tokens_per_batch", tokens_per_batch))]
    for group in watched(groups, len(groups), "batches of pairs", progress):
        found = policy.logps(group)
        chosen.append(found.chosen.float().cpu())
        rejected.append(found.rejected.float().cpu())
    return PairLogps(torch.cat(chosen), torch.cat(rejected))


def longest(pairs: Iterable[TokenPair]) -> int:
    """Tokens of the longest sequence."""
    return max(len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)) for pair in pairs)


def _groups(pairs: Sequence[TokenPair], budget: int) -> Iterator[list[TokenPair]]:
    """Neighbours with at most ``budget`` tokens; a longer pair is a group of its own."""
    group: list[TokenPair] = []
    size = 0
    for pair in pairs:
        tokens = sum(map(len, pair))
        if group and size + tokens > budget:
            yield group
            group, size = [], 0
        group.append(pair)
        size += tokens
    yield group
