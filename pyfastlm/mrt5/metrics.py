"""How answers are judged: exact sequences, and the exact match and F1 of SQuAD."""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """SQuAD's normal form: lower case, without ASCII punctuation, English articles and extra white space."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def same_sequence(answer: str, truths: Sequence[str]) -> float:
    """1 where ``answer`` is one of ``truths`` to the last character, else 0."""
    return float(answer in truths)


def exact_match(answer: str, truths: Sequence[str]) -> float:
    """1 where the normal form of ``answer`` is that of one of ``truths``, else 0."""
    return float(normalized(answer) in {normalized(truth) for truth in truths})


def f1(answer: str, truths: Sequence[str]) -> float:
    """Harmonic mean of precision and recall over words of the normal forms, with the best of ``truths``.

    Words are parted by white space, as SQuAD has it: a sentence of Chinese is one word. An empty answer is
    right for an empty truth alone.

    Source: ``evaluate-v1.1.py`` of SQuAD (Rajpurkar et al., 2016).
    """
    return max(_f1(normalized(answer).split(), normalized(truth).split()) for truth in truths)


def _f1(answer: list[str], truth: list[str]) -> float:
    if not answer or not truth:
        return float(answer == truth)
    common = sum((Counter(answer) & Counter(truth)).values())
    return 2 * common / (len(answer) + len(truth))
