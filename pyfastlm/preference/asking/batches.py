"""Ask a writer all prompts, batch by batch, through the cache."""

import os
from collections.abc import Sequence

from pyfastlm.errors import InputError, InputTypeError, MissingExtra, Unavailable
from pyfastlm.lm.progress import watched
from pyfastlm.preference.asking.cache import opened
from pyfastlm.preference.asking.completion import Completion, Writer
from pyfastlm.preference.asking.identity import identity, key

BATCH = 8  # prompts at once, where the writer has no wish
ENDS = (InputError, MissingExtra, Unavailable, MemoryError)  # not the fault of one prompt


def ask(
    writer: Writer,
    prompts: Sequence[str],
    cache: "str | os.PathLike[str] | None" = None,
    *,
    what: str = "writer",
    name: str | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> list[Completion]:
    """What ``writer`` writes for each prompt, in their order; equal prompts are asked once.

    Batches are the same whether or not a run was killed in between. Where a batch raises, its prompts are
    asked one by one, and those that raise again have an ``error``; these are not kept.

    Args:
        writer: see :class:`Writer`.
        prompts: any number.
        cache: file of answers (:mod:`pyfastlm.preference.asking.cache`), made if it is not there.
        what: how messages call the writer.
        name: under which the writer's answers are kept, instead of its identity.
        batch_size: prompts at once; by default what the writer wishes, else 8.
        progress: a bar on standard error.

    Raises:
        InputError: the writer gave another number of answers than prompts; the cache is not one, or is held
            by another process.
        InputTypeError: an answer is neither a text, nor a :class:`Completion`, nor None.
        OSError: an answer could not be kept.
    """
    if not callable(writer):
        raise InputTypeError(f"{what}: expected a callable, got {type(writer).__name__}")
    who = identity(writer) if name is None else name
    keys = [key(who, prompt) for prompt in prompts]
    unique = dict(zip(keys, prompts, strict=True))
    size = getattr(writer, "batch_size", BATCH) if batch_size is None else batch_size
    if size < 1:
        raise InputError(f"batch_size: expected at least 1, got {size}")
    order = list(unique)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    failed: dict[str, Completion] = {}
    with opened(cache, unique.keys()) as kept:
        for batch in watched(batches, len(batches), "batches", progress):
            missing = [each for each in batch if each not in kept.known]
            if not missing:
                continue
            answers = dict(
                zip(missing, _asked(writer, [unique[each] for each in missing], what), strict=True)
            )
            failed |= {each: answer for each, answer in answers.items() if answer.error}
            if good := {each: answer for each, answer in answers.items() if not answer.error}:
                kept.keep(good)
        found = kept.known | failed
    return [found[each] for each in keys]


def _asked(writer: Writer, prompts: list[str], what: str) -> list[Completion]:
    try:
        answers = writer(list(prompts))
    except ENDS:
        raise
    except Exception as error:  # whatever a writer may raise: it is told with the prompt
        if len(prompts) == 1:
            return [Completion("", error=" ".join(f"{type(error).__name__}: {error}".split())[:300])]
        return [answer for prompt in prompts for answer in _asked(writer, [prompt], what)]
    if isinstance(answers, str) or not isinstance(answers, Sequence):
        raise InputTypeError(f"{what}: expected a list of texts, got {type(answers).__name__}")
    if len(answers) != len(prompts):
        raise InputError(f"{what}: expected {len(prompts)} answers, one for each prompt, got {len(answers)}")
    return [_completion(answer, what) for answer in answers]


def _completion(answer: str | Completion | None, what: str) -> Completion:
    if answer is None:
        return Completion("")
    found = answer if isinstance(answer, Completion) else Completion(answer)
    if not isinstance(found.text, str):
        raise InputTypeError(f"{what}: expected texts, got {type(found.text).__name__}")
    try:
        found.text.encode()
    except UnicodeEncodeError as error:
        return Completion("", error=f"what it wrote is no Unicode: lone surrogate at {error.start}")
    return found
