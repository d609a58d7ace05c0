"""How much of a sequence comes back from each of its prompts."""

from collections.abc import Sequence

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.following import Course, follow
from pyfastlm.lm.loading import LM
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import Runner, context_length
from pyfastlm.memorization.metric import exact
from pyfastlm.memorization.metric.texts import Texts
from pyfastlm.memorization.stress.report import StressReport
from pyfastlm.memorization.stress.variants import Variant
from pyfastlm.memorization.token_ids import Ids


def measured(
    lm: LM, tokens: Ids, variants: Sequence[Variant], horizon: int, tokens_per_batch: int, progress: bool
) -> StressReport:
    """One pass for each prompt, or for all that begin alike: they and the true continuation are read.

    Exact: up to the first miss, greedy decoding after the prompt sees just what this pass sees. Prompts that
    fill the model's context are left out.

    Raises:
        InputError: there is no other one.
    """
    context = context_length(lm)
    kept, limits = [], []
    for variant in variants:
        limit = min(horizon, len(tokens) - variant.start, context + 1 - len(variant.prompt))
        if limit > 0:
            kept.append(variant)
            limits.append(limit)
    if not kept or kept[0].kind != "original":
        raise InputError(f"prefix_length: expected at most the model's context of {context} tokens")
    together: dict[tuple[int, int], list[int]] = {}
    for place, variant in enumerate(kept):
        key = (variant.shift, place if variant.changes else -1)
        together.setdefault(key, []).append(place)
    limit_of = np.array(limits)
    courses = []
    for places in together.values():
        first = kept[places[0]]
        sizes = np.array([len(kept[place].prompt) for place in places])
        text = np.concatenate([first.prompt, tokens[first.start :]]).astype(np.int32)
        courses.append(Course(text, sizes, limit_of[places]))
    runner = Runner(lm, max(course.size for course in courses), tokens_per_batch)
    texts = Texts(lm.tokenizer)
    judged = (exact.judge(texts, found) for batch in follow(runner, courses) for found in batch)
    lengths = np.zeros(len(kept), np.int64)
    copied, trivial, ties = (np.zeros(len(kept), np.bool_) for _ in range(3))
    every = watched(judged, len(courses), "prompts", progress)
    for places, one in zip(together.values(), every, strict=True):
        lengths[places], copied[places] = one.lengths, one.copied
        trivial[places], ties[places] = one.trivial, one.ties
    return StressReport(tokens, tuple(kept), lengths, limit_of, copied, trivial, ties, horizon)
