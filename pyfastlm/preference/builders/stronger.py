"""Stronger preferred: a stronger model's own answer over the target's."""

import os
from collections.abc import Iterable
from typing import Any

from pyfastlm.preference.asking.batches import ask
from pyfastlm.preference.asking.completion import Completion, Writer
from pyfastlm.preference.builders.outcome import Built, Outcome, Reason
from pyfastlm.preference.builders.rows import Row, rows_of
from pyfastlm.preference.pairs import PreferencePair


def stronger_preferred(
    stronger: Writer,
    rows: Iterable[Any],
    cache: "str | os.PathLike[str] | None" = None,
    *,
    name: str | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> Built:
    """Let ``stronger`` answer each prompt by itself: its answer is chosen, that of the row rejected.

    Args:
        stronger: a callable from a list of prompts to a list of texts (:class:`Writer`); it reads the prompt
            of the row as it is, and not the answer.
        rows: pairs (prompt, response), or mappings with these keys; the response is the target's.
        cache, name, batch_size, progress: as of :func:`clair`; the file may be the same.

    Raises:
        InputError, InputTypeError, OSError: as :func:`clair`.
    """
    given = rows_of(rows)
    asked = [row.prompt for row in given if row.response.strip()]
    answers = iter(
        ask(stronger, asked, cache, what="stronger", name=name, batch_size=batch_size, progress=progress)
    )
    return Built(tuple(_outcome(row, next(answers)) if row.response.strip() else BLANK for row in given))


BLANK = Outcome(None, Reason.BLANK)


def _outcome(row: Row, answer: Completion) -> Outcome:
    if answer.error:
        return Outcome(None, Reason.FAILED, answer.error)
    if not answer.text.strip():
        return Outcome(None, Reason.EMPTY)
    if not answer.finished:
        return Outcome(None, Reason.CUT_OFF, f"after {len(answer.text):,} characters")
    if answer.text.split() == row.response.split():
        return Outcome(None, Reason.UNCHANGED)
    return Outcome(PreferencePair(row.prompt, answer.text, row.response))
