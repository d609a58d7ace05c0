"""Misspell texts: the eight classes of errors that correctors are measured by."""

import itertools
import random
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.spelling.noise import edits
from pyfastlm.spelling.noise.edits import Edit, Letters, Sort
from pyfastlm.spelling.noise.keyboards import Neighbours, keyboard_of
from pyfastlm.spelling.noise.phonetic import PHONETIC, Rewrite, compiled
from pyfastlm.spelling.pair import Pair

# What an error of each class is made of; the one that fewer texts allow is drawn first.
STEPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "kb": ("kb",),
        "transposition": ("transposition",),
        "ph": ("ph",),
        "sp": ("sp",),
        "kb+kb": ("kb", "kb"),
        "ph+kb": ("ph", "kb"),
        "sp+kb": ("sp", "kb"),
        "kb3": ("kb", "kb", "kb"),
    }
)
KINDS = tuple(STEPS)
SHORTEST = (3, 5, 7)  # letters of a text that gets one, two, three errors
TRIES = 20


def misspell(
    texts: Iterable[str],
    *,
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    per_text: int = 1,
    keyboard: str | Neighbours = "qwerty",
    rewrites: Sequence[Rewrite] = PHONETIC,
    avoid: Container[str] = (),
) -> Iterator[Pair]:
    """Texts as people mistype them, with what was meant, as they are asked for.

    The classes: ``kb``, a key beside the right one in its place or after it, a key left out or struck twice;
    ``transposition`` of two letters; ``ph``, a spelling that sounds alike in English; ``sp``, a space left
    out or put into a word; two of these (``kb+kb``, ``ph+kb``, ``sp+kb``), three (``kb3``). Several errors of
    a text have a right letter between them. Only letters and spaces change: digits, signs and emojis stay,
    and what stands for a capital is one. The first letter of a word is missed a fifth as often as another.

    Each class is as likely to come first; a text too short for one (3, 5 and 7 letters for one, two and three
    errors), or that it has no place in, gets another, and none where no class fits. What comes out is never
    the text itself.

    Args:
        texts: what was meant. What becomes of one does not depend on the others.
        kinds: the classes to draw from.
        seed: equal seeds give equal misspellings; equal texts have the same ones.
        per_text: how many misspellings of each text, all different, each class once before one comes again;
            fewer where there are no more.
        keyboard: its name (qwerty, qwertz or azerty), or small letters with those beside them.
        rewrites: of ``ph``.
        avoid: what must not come out, as other names of a catalogue would be no errors.

    Raises:
        InputError: an argument is not what it should be; InputTypeError: a text is none.
    """
    kinds = tuple(kinds)
    for kind in kinds:
        if kind not in STEPS:
            raise InputError(f"kinds: expected some of {', '.join(KINDS)}, got {kind!r}")
    if not kinds or len(set(kinds)) < len(kinds):
        raise InputError(f"kinds: expected one or more, each once, got {', '.join(kinds) or 'none'}")
    for name, value, least in (("seed", seed, 0), ("per_text", per_text, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name}: expected a whole number >= {least}, got {value!r}")
    if isinstance(texts, str):
        raise InputTypeError("texts: expected several, got one string")
    table = compiled(tuple(rewrites))
    neighbours = keyboard_of(keyboard)

    def noisy() -> Iterator[Pair]:
        for text in texts:
            if not isinstance(text, str):
                raise InputTypeError(f"texts: expected strings, got {type(text).__name__}")
            rng = random.Random(f"{seed} ".encode() + text.encode("utf-8", "surrogatepass"))
            sorts: dict[str, Sort] = {
                "kb": edits.keyboard(neighbours, rng),
                "transposition": edits.transposition,
                "ph": edits.phonetic(table),
                "sp": edits.spacing,
            }
            yield from itertools.islice(_of_text(text, kinds, sorts, avoid, rng), per_text)

    return noisy()


def _of_text(
    text: str, kinds: Sequence[str], sorts: Mapping[str, Sort], avoid: Container[str], rng: random.Random
) -> Iterator[Pair]:
    letters = edits.letters_of(text)
    left = [kind for kind in kinds if len(letters.spans) >= SHORTEST[len(STEPS[kind]) - 1]]
    rng.shuffle(left)
    made = {text}
    while left:
        for kind in list(left):
            steps = [sorts[step] for step in STEPS[kind]]
            drawn = (_misspelt(letters, steps, rng) for _ in range(TRIES))
            found = next((text for text in drawn if text and text not in made and text not in avoid), None)
            if found is None:
                left.remove(kind)
                continue
            made.add(found)
            yield Pair(found, text, kind)


def _misspelt(letters: Letters, steps: Sequence[Sort], rng: random.Random) -> str | None:
    chosen: list[Edit] = []
    for step in steps:
        possible = [edit for edit in step(letters) if all(_apart(edit, other) for other in chosen)]
        if not possible:
            return None
        weights = [edits.likelihood(letters.text, edit) for edit in possible]
        chosen += rng.choices(possible, weights)
    text = letters.text
    for begin, end, instead in sorted(chosen, reverse=True):
        text = text[:begin] + instead + text[end:]
    return text


def _apart(one: Edit, other: Edit) -> bool:
    """A letter at least lies between them."""
    return one[1] < other[0] or other[1] < one[0]
