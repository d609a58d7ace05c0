"""Other prompts of the same length, to take states from."""

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM
from pyfastlm.memorization.token_ids import Ids, token_lists

KINDS = ("shuffled", "resampled")
TRIES = 100  # of a shuffle without fixed points; two equal tokens out of three allow none


def corrupted_prompts(prompt: Ids, kind: object, draws: int, seed: int, lm: LM) -> Ids:
    """[draws, P] prompts: shuffled or resampled ones by ``seed``, or those that ``kind`` itself holds.

    A first token that is special (a bos) stays in its place.

    Raises:
        InputError, InputTypeError: an unknown kind, or no prompts of P token ids.
    """
    if isinstance(kind, str):
        return _drawn(prompt, kind, draws, seed, lm)
    rows = token_lists("corrupted", kind, lm)
    if any(len(row) != len(prompt) for row in rows):
        raise InputError(
            f"corrupted: expected one of {', '.join(KINDS)}, or prompts of {len(prompt)} token ids; got "
            f"{[len(row) for row in rows]} ids"
        )
    return np.stack(rows)


def _drawn(prompt: Ids, kind: str, draws: int, seed: int, lm: LM) -> Ids:
    if kind not in KINDS:
        raise InputError(f"corrupted: expected one of {', '.join(KINDS)}, or token ids; got {kind!r}")
    rng = np.random.default_rng(seed)
    special = {*lm.tokenizer.all_special_ids}
    keep = 1 if int(prompt[0]) in special else 0
    if len(prompt) == keep:
        raise InputError("prefix_length: expected a prompt with a token that is not special")
    rest = prompt[keep:]
    if kind == "shuffled":
        made = [_shuffled(rest, rng) for _ in range(draws)]
    else:
        known = min(len(lm.tokenizer), lm.model.get_input_embeddings().weight.shape[0])
        usual = np.array([token for token in range(known) if token not in special])
        made = [rng.choice(usual, len(rest)) for _ in range(draws)]
    return np.stack([np.concatenate([prompt[:keep], row]) for row in made]).astype(np.int64)


def _shuffled(tokens: Ids, rng: np.random.Generator) -> Ids:
    """A permutation with as few tokens left in place as ``TRIES`` tries find."""
    best = tokens
    for _ in range(TRIES):
        found = rng.permutation(tokens)
        if (found == tokens).sum() < (best == tokens).sum():
            best = found
        if not (best == tokens).any():
            break
    return best
