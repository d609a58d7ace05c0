"""Answers by the model that is to be trained, so that what is rejected is its own."""

import os
from collections.abc import Sequence

from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.runner import positive
from pyfastlm.lm.sampling import Sampling
from pyfastlm.preference.asking.batches import ask
from pyfastlm.preference.asking.completion import Completion
from pyfastlm.preference.asking.local import HFReviser


def sample_answers(
    lm: LMLike,
    prompts: Sequence[str],
    cache: "str | os.PathLike[str] | None" = None,
    *,
    samples: int = 1,
    sampling: Sampling | None = None,
    seed: int = 0,
    max_new_tokens: int = 256,
    batch_size: int = 8,
    progress: bool = False,
) -> list[tuple[Completion, ...]]:
    """Draw ``samples`` answers of ``lm`` to each prompt.

    Each depends on the seed, its number and its prompt alone, so that a killed run with a ``cache`` returns
    the same as an undisturbed one.

    Args:
        lm: the target model.
        prompts: as a user writes them; the model's chat template is put around them.
        cache: file to keep the answers in; may be that of :func:`clair`.
        samples: to each prompt.
        sampling: how to draw; by default from the model's whole distribution.
        seed: of drawing.
        max_new_tokens: of an answer at most; a longer one is not ``finished``.
        batch_size: prompts run at once.
        progress: a bar on standard error.

    Raises:
        InputError, InputTypeError: a number is out of range, there is no such model, or the cache is not one
            or held by another process.
        OSError: an answer could not be kept.
    """
    positive("samples", samples)
    loaded = as_lm(lm)
    found = []
    for number in range(samples):
        writer = HFReviser(
            loaded,
            sampling=Sampling() if sampling is None else sampling,
            seed=seed,
            stream=number,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
        )
        found.append(ask(writer, prompts, cache, progress=progress))
    return list(zip(*found, strict=True))
