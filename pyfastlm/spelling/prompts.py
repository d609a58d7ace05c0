"""What a language model reads and writes for a correction: the paper's prompt, with its context cut to fit.

Source: Guo et al. (2024), "Retrieval Augmented Spelling Correction for E-Commerce Applications", as reported
by a review: the paper's own listing was not at hand.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

from pyfastlm.errors import InputError

CONTEXT_TOKENS = 256
END = "\n"  # what ends a correction

_INSTRUCTION = """### Instruction:
Provide spelling correction for given query
if necessary, referring to the provided context
if it's relevant.
"""
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})  # categories of characters that end lines or do worse
_SEAMS = 4  # tokens by which parts of a prompt together may differ from their sum


class Prompts:
    """Writes prompts for one tokenizer.

    Names and queries stand on one line each, whatever they hold: see :meth:`shown`. A name may have commas;
    they are left, and look like those between names.

    Args:
        tokenizer: of the model that is to read them.
        context_tokens: what the names may take; names are left out from the end of the list, never cut.

    Raises:
        InputError: ``context_tokens`` is negative.
    """

    def __init__(self, tokenizer: Any, *, context_tokens: int = CONTEXT_TOKENS) -> None:
        if isinstance(context_tokens, bool) or not isinstance(context_tokens, int) or context_tokens < 0:
            raise InputError(f"context_tokens: expected a whole number >= 0, got {context_tokens!r}")
        self.context_tokens = context_tokens
        self._tokenizer = tokenizer
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        special = {*map(str, tokenizer.all_special_tokens), *(each.content for each in added if each.special)}
        self._special = sorted(special, key=lambda mark: (-len(mark), mark))

    def prompt(self, query: str, names: Sequence[str] | None = None, most: int | None = None) -> str:
        """The text before a correction. Without ``names`` (None) it has no context block.

        With an empty list, or where not even the first name fits, the block is there and empty. ``most``: as
        in :meth:`context`.
        """
        block = "" if names is None else f"### Context:\n{self.context(names, most)}\n"
        return f"{_INSTRUCTION}{block}### Query:\n{self.shown(query)}\n### Correction:\n"

    def fitting(self, query: str, names: Sequence[str] | None, room: int) -> str | None:
        """The prompt in ``room`` tokens, with fewer names if need be; None where it is longer without any."""
        bare = self.prompt(query, None if names is None else [])
        left = room - self.lengths([bare])[0] - _SEAMS
        if left < 0:
            return None
        return self.prompt(query, names, left) if names else bare

    def completion(self, text: str) -> str:
        """A correction as it follows :meth:`prompt`."""
        return self.shown(text) + END

    def context(self, names: Sequence[str], most: int | None = None) -> str:
        """The first ``names``, with commas between them: as many as fit into ``context_tokens``, or ``most``
        tokens where that is less."""
        some = [shown for name in names if (shown := self.shown(name))]
        room = self.context_tokens if most is None else min(most, self.context_tokens)
        taken, left = 0, room
        for length in self.lengths([", " + name for name in some]):
            left -= length
            if left < 0:
                break
            taken += 1
        # Names together may take other tokens than one by one.
        while taken and self.lengths([", ".join(some[:taken])])[0] > room:
            taken -= 1
        return ", ".join(some[:taken])

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each of ``texts`` takes."""
        if not texts:
            return []
        return [*map(len, self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"])]

    def shown(self, text: str) -> str:
        """``text`` so that it cannot be taken for a part of the prompt, nor for a token of control.

        Control characters and the ends of lines become spaces, runs of white space one space. "###" and the
        spelling of special tokens get a space after their first character; one of a single character goes.
        """
        line = "".join(" " if unicodedata.category(char) in _BREAKING else char for char in text)
        for mark in ("###", *self._special):
            apart = f"{mark[0]} {mark[1:]}" if len(mark) > 1 else " "
            while mark in line:
                line = line.replace(mark, apart)
        return " ".join(line.split())
