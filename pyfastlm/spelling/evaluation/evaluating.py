"""Judge a corrector on queries that need a change and on queries that need none."""

from collections.abc import Iterable

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.spelling.corrector import Corrector
from pyfastlm.spelling.evaluation import outcomes
from pyfastlm.spelling.evaluation.outcomes import Form, Outcomes
from pyfastlm.spelling.evaluation.report import Report
from pyfastlm.spelling.evaluation.summary import report_of
from pyfastlm.spelling.evaluation.timing import Clock
from pyfastlm.spelling.pair import Pair


def evaluate(
    speller: Corrector,
    pairs: Iterable[tuple[str, ...]],
    clean: Iterable[str],
    *,
    novel: Iterable[str] = (),
    k: int = 10,
    form: Form = str,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Ask ``speller`` for every query, and see what it repairs and what it damages.

    A threshold must be chosen on other queries than these (:func:`threshold_for`), and :class:`DoNothing` be
    judged beside every corrector.

    Args:
        speller: anything with ``correct``; with ``correct_all``, queries are corrected in batches, and some
            of them once more one by one to be timed.
        pairs: :class:`Pair`, or (noisy, gold) with a class or without. Where the two are equal, the query
            counts as a clean one.
        clean: queries that are right, such as names of the catalogue and words.
        novel: right as well, but names that neither catalogue nor dictionary has; see :func:`brand_like`.
        k: how many candidates count.
        form: in which texts are compared; by default as they are. ``str.casefold`` where case is no part of
            the task: say so beside the numbers.
        seed: of the intervals, and of what is timed.
        progress: show a bar on standard error.

    Raises:
        InputError: no pair needs a change, or an argument is not what it should be.
        InputTypeError: ``speller`` is none, or a query is no text.
    """
    if not callable(getattr(speller, "correct", None)):
        raise InputTypeError(f"speller: expected something with correct(query), got {type(speller).__name__}")
    for name, value, least in (("k", k, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name}: expected a whole number >= {least}, got {value!r}")
    given = pairs_of(pairs)
    wrong = [pair for pair in given if form(pair.noisy) != form(pair.gold)]
    if not wrong:
        raise InputError("pairs: expected at least one that needs a change, got none")
    right = [pair.noisy for pair in given if form(pair.noisy) == form(pair.gold)]
    right += _texts("clean", clean)
    new = _texts("novel", novel)
    typed = [pair.noisy for pair in wrong]
    clock = Clock(speller)
    clock.alone(typed + right + new, seed)
    found = Outcomes(
        **outcomes.needed(clock.answers(typed, "misspelt", progress), wrong, k, form),
        k=k,
        clean=outcomes.unneeded(clock.answers(right, "clean", progress), right, form),
        novel=outcomes.unneeded(clock.answers(new, "new names", progress), new, form),
        digest=outcomes.digest_of(wrong, right, new, form),
    )
    return report_of(found, clock.latency, seed)


def pairs_of(pairs: Iterable[tuple[str, ...]]) -> list[Pair]:
    """Tuples of two or three texts as pairs.

    Raises:
        InputTypeError: an item is none.
    """
    found = []
    for item in pairs:
        if not (isinstance(item, tuple) and len(item) in (2, 3) and all(isinstance(t, str) for t in item)):
            raise InputTypeError(f"pairs: expected (noisy, gold) or (noisy, gold, kind), got {item!r}")
        found.append(Pair(*item))
    return found


def _texts(name: str, texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise InputTypeError(f"{name}: expected several texts, got one string")
    found = list(texts)
    for text in found:
        if not isinstance(text, str):
            raise InputTypeError(f"{name}: expected texts, got {text!r}")
    return found
