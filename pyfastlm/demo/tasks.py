"""Held-out tasks: the right word among wrong ones, by bits per byte."""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.demo.texts import TextsMissing
from pyfastlm.lm.ngram import NgramModel

if TYPE_CHECKING:
    from pyfastlm.lm import Scorer

CONTEXT, LONGEST = 60, 20  # characters at least and words at most before the word in question
AFTER = 2  # words after it
WRONG = 3  # wrong choices
WINDOW = 32  # bytes; a text that has so many in a row in common with a known one is no item

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Item:
    """``choices``: continuations of ``context``; the first is right."""

    context: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """Items from held-out texts of the domains ``sources``; ``met`` is the share of passages that were left
    out, because models may have learned their text."""

    name: str
    items: tuple[Item, ...]
    met: float
    sources: tuple[str, ...]


class Passage(NamedTuple):
    """A word and what is around it."""

    context: str
    word: str
    after: str


def cloze(domain: str, documents: Iterable[str], known: Hashes, count: int, seed: int) -> Task:
    """A word with the two after it, against three other words of the domain that are as long.

    Wrong words are drawn as often as they occur. ``known`` are :func:`hashes` of what models may learn.

    Raises:
        TextsMissing: no passage is left.
    """
    rng = random.Random(f"{seed} cloze {domain}")
    found = [passage for text in documents for passage in passages(text)]
    words: defaultdict[int, list[str]] = defaultdict(list)
    for passage in found:
        words[len(passage.word)].append(passage.word)
    rng.shuffle(found)
    new = [p for p in found if not met(" ".join(p), known) and len({*words[len(p.word)]}) > WRONG]
    if not new:
        raise TextsMissing(f"{domain} has no passage that models cannot have learned")
    items = []
    for context, right, after in new[:count]:
        choices = {right: None}
        while len(choices) <= WRONG:
            choices[rng.choice(words[len(right)])] = None
        items.append(Item(context, tuple(f" {word} {after}" for word in choices)))
    return Task(f"cloze {domain}", tuple(items), 1 - len(new) / len(found), (domain,))


def error(model: "NgramModel | Scorer", task: Task, most: int | None = None) -> float:
    """Share of the first ``most`` items where the right choice does not need the fewest bits per byte."""
    items = task.items[:most]
    pairs = [(item.context, choice) for item in items for choice in item.choices]
    sizes = np.array([len(choice.encode()) for _, choice in pairs])
    bits = (-_conditional(model, pairs) / sizes).reshape(len(items), -1)
    return float((bits[:, 0] >= bits[:, 1:].min(axis=1)).mean())


def passages(text: str) -> list[Passage]:
    """One after another, with single blanks."""
    found, words, start = [], text.split(), 0
    for place in range(len(words) - AFTER):
        start = max(start, place - LONGEST)
        context = " ".join(words[start:place])
        if len(context) >= CONTEXT and re.fullmatch(r"[A-Za-z]{4,12}", words[place]):
            start = place + 1 + AFTER
            found.append(Passage(context, words[place], " ".join(words[place + 1 : start])))
    return found


def hashes(texts: Iterable[str]) -> Hashes:
    """Of all windows of ``WINDOW`` bytes of the texts, with single blanks; distinct, in rising order."""
    return np.unique(_windows("\n".join(" ".join(text.split()) for text in texts)))


def met(text: str, known: Hashes) -> bool:
    """Whether a window of ``text`` is among those of known texts."""
    found = _windows(" ".join(text.split()))
    places = np.minimum(np.searchsorted(known, found), len(known) - 1)
    return bool(len(known) and (known[places] == found).any())


def _windows(text: str) -> Hashes:
    data = np.frombuffer(text.encode(), np.uint8).astype(np.uint64)
    value = np.zeros(max(0, len(data) - WINDOW + 1), np.uint64)
    for place in range(WINDOW):
        value = value * np.uint64(0x9E3779B97F4A7C15) + data[place : place + len(value)] + np.uint64(1)
    return value


def _conditional(model: "NgramModel | Scorer", pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    if isinstance(model, NgramModel):
        whole = model.byte_logp(context + choice for context, choice in pairs)
        starts = [len(context.encode()) for context, _ in pairs]
        return np.array(
            [logp[start:].sum(dtype=np.float64) for start, logp in zip(starts, whole, strict=True)]
        )
    return np.array([score.logp for score in model.conditional(pairs)])
