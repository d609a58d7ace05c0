"""Queries without a language model: what a prompt has to be better than."""

import re
from collections.abc import Mapping

from pyfastlm.ir.generation.cleaning import cleaned, copied, normal, overlap
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.generation.results import Generated, Rejected, SyntheticQuery

SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")
WORDS = 20
NO_MODEL = Prompt("(no model: the first sentence of the document)")


def first_sentences(documents: Mapping[str, str]) -> Generated:
    """The first sentence of each document as its query, 20 words of it at most.

    A copy by its nature, so copies are not left out here; duplicates and empty ones are.
    """
    queries: list[SyntheticQuery] = []
    rejected: list[Rejected] = []
    seen: set[str] = set()
    for name, document in documents.items():
        first = next((part for part in SENTENCE.split(document) if normal(part)), "")
        text = cleaned(" ".join(first.split()[:WORDS]))
        if not normal(text) or normal(text) in seen:
            rejected.append(Rejected(name, "duplicate" if normal(text) else "empty document", text))
            continue
        seen.add(normal(text))
        queries.append(SyntheticQuery(name, text, copied(text, document), overlap(text, document)))
    return Generated(NO_MODEL, tuple(queries), tuple(rejected), 0)
