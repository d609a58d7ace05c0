"""CLAIR: pairs of an answer and its minimal revision by a stronger writer."""

import os
from collections.abc import Iterable
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.preference.asking.batches import ask
from pyfastlm.preference.asking.completion import Completion, Reviser
from pyfastlm.preference.builders.outcome import Built, Outcome, Reason
from pyfastlm.preference.builders.rows import Row, rows_of
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.revising.parsing import LONGEST, Refusal, holds_marker, parse
from pyfastlm.preference.revising.prompt import RevisionPrompt


def clair(
    reviser: Reviser,
    rows: Iterable[Any],
    cache: "str | os.PathLike[str] | None" = None,
    *,
    name: str | None = None,
    max_ratio: float = LONGEST,
    batch_size: int | None = None,
    progress: bool = False,
) -> Built:
    """Let ``reviser`` improve each answer with few changes: the answer is rejected, its revision chosen.

    A row gives a pair, or a :class:`Reason` why not: nothing is dropped silently. With a ``cache`` a run that
    was killed goes on where it was and returns the same as an undisturbed one, and no answer is asked for
    twice; only what failed is asked again.

    Args:
        reviser: a callable from a list of prompts to a list of texts (:class:`Writer`), such as
            :class:`HFReviser` and :class:`EndpointReviser`. The prompts are :class:`RevisionPrompt`.
        rows: pairs (prompt, response), or mappings with these keys; the response should be the model's own
            that is to be trained (:func:`sample_answers`).
        cache: file to keep what the reviser wrote in; it is kept as it came, so that it is read anew each
            time.
        name: what the reviser's answers are kept under, for a callable that cannot tell itself from others.
        max_ratio: how many times as long as the answer, in characters, a revision may be.
        batch_size: prompts at once; by default what the reviser wishes, else 8.
        progress: a bar on standard error.

    Raises:
        InputError, InputTypeError: a row is none, the cache is not one or held by another process, or the
            reviser does not keep to its protocol, or cannot work at all.
        OSError: the cache cannot be written.

    Source: D'Oosterlinck et al., 2024 (arXiv 2408.06266).
    """
    if not max_ratio > 0:
        raise InputError(f"max_ratio: expected a number > 0, got {max_ratio}")
    given = rows_of(rows)
    unfit = [_unfit(row) for row in given]
    prompts = [RevisionPrompt(*row) for row, why in zip(given, unfit, strict=True) if why is None]
    answers = iter(
        ask(reviser, prompts, cache, what="reviser", name=name, batch_size=batch_size, progress=progress)
    )
    return Built(
        tuple(
            Outcome(None, why) if why else _outcome(row, next(answers), max_ratio)
            for row, why in zip(given, unfit, strict=True)
        )
    )


def _unfit(row: Row) -> Reason | None:
    if not row.response.strip():
        return Reason.BLANK
    return Reason.AMBIGUOUS if holds_marker(row.response) else None


def _outcome(row: Row, answer: Completion, max_ratio: float) -> Outcome:
    found = parse(answer, row.prompt, row.response, max_ratio=max_ratio)
    if isinstance(found, Refusal):
        return Outcome(None, found.reason, found.detail)
    return Outcome(PreferencePair(row.prompt, found.text, row.response, found.rational))
