"""Stress tests: is a sequence that one prompt no longer brings back gone, or only its usual entrance shut?"""

from collections.abc import Mapping, Sequence

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.runner import TOKENS_PER_BATCH, positive
from pyfastlm.memorization.stress.measuring import measured
from pyfastlm.memorization.stress.report import StressReport
from pyfastlm.memorization.stress.similar_words import check_similar_words
from pyfastlm.memorization.stress.substitutes import FromEmbeddings, FromTable, Substitutes
from pyfastlm.memorization.stress.variants import moved, substituted
from pyfastlm.memorization.token_ids import TokenIds, token_ids, whole_numbers

PREFIX_LENGTHS = (8, 16, 32, 64)


def stress_test(
    lm: LMLike,
    tokens: TokenIds,
    prefix_length: int = 32,
    horizon: int = 64,
    *,
    shifts: int = 16,
    prefix_lengths: Sequence[int] = PREFIX_LENGTHS,
    similar_words: Mapping[str, Sequence[str]] | None = None,
    substitutes: int = 4,
    draws: int = 8,
    seed: int = 0,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> StressReport:
    """Measure how much of a sequence comes back from prompts near the usual one.

    The prompts: the first ``prefix_length`` tokens (the original); as many, and the other numbers, of the
    tokens from starts 0 to ``shifts`` on; the original with one word changed; the original with a third of
    its words changed. After each, the tokens of the true continuation are counted that greedy decoding
    reproduces, as :func:`verbatim_lengths` counts them.

    To compare models, or one before and after unlearning, the prompts must be the same: see
    :func:`stress_again`.

    Args:
        lm: an :class:`~pyfastlm.lm.LM`, or anything :func:`pyfastlm.lm.load` takes.
        tokens: [T] token ids, more than ``prefix_length``.
        prefix_length: of the original prompt, in tokens.
        horizon: tokens that are counted at most.
        shifts: tokens that are left out at the start, at most; 0 for none.
        prefix_lengths: other lengths of the prompt; those that leave no token are left out.
        similar_words: ``{word: [substitutes]}``; see :func:`read_similar_words`. By default the nearest words
            in the model's own input embeddings (cosine).
        substitutes: how many others are tried for each word, the first ones; 0 for none.
        draws: prompts with several words changed; 0 for none.
        seed: of these draws.
        tokens_per_batch: how many tokens go through the model together.
        progress: show a bar on standard error.

    Raises:
        InputError, InputTypeError: an argument is wrong, the sequence leaves nothing after the prompt, or the
            prompt is longer than the model's context.
    """
    positive("prefix_length", prefix_length)
    positive("horizon", horizon)
    for name, number in (("shifts", shifts), ("substitutes", substitutes), ("draws", draws)):
        if number != 0 or isinstance(number, bool):
            positive(name, number)
    lengths = whole_numbers("prefix_lengths", prefix_lengths).tolist()
    for length in lengths:
        positive("prefix_lengths", length)
    if len({*lengths}) < len(lengths):
        raise InputError(f"prefix_lengths: expected different lengths, got {lengths}")
    model = as_lm(lm)
    ids = token_ids("tokens", tokens, model, at_least=prefix_length + 1)
    source: Substitutes
    if similar_words is None:
        source = FromEmbeddings(model)
    else:
        source = FromTable(check_similar_words(similar_words, "similar_words"))
    changed = substituted(
        ids, prefix_length, source, model.tokenizer, substitutes=substitutes, draws=draws, seed=seed
    )
    variants = [*moved(ids, prefix_length, shifts, lengths), *changed]
    return measured(model, ids, variants, horizon, tokens_per_batch, progress)


def stress_again(
    lm: LMLike,
    report: StressReport,
    *,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> StressReport:
    """Put the prompts of an earlier report to another model with the same tokenizer: before and after.

    Also where the substitutes came from embeddings: they stay those of the model that was asked first.

    Args:
        lm: the other model.
        report: of :func:`stress_test`.
        tokens_per_batch, progress: as there.

    Raises:
        InputError: the model has another vocabulary, or a context that is too short.
    """
    model = as_lm(lm)
    for ids in (report.tokens, *(variant.prompt for variant in report.variants)):
        token_ids("report", ids, model)
    found = measured(model, report.tokens, report.variants, report.horizon, tokens_per_batch, progress)
    if (found.limits.tolist()) != report.limits.tolist():
        raise InputError(
            "report: expected a model with as long a context as that of the first; take that one"
        )
    return found
