"""Is what was reproduced taken from the prompt, or nothing much?"""

from collections.abc import Sequence
from typing import Any

MORE_THAN = 5  # tokens, before anything is called copied
OUTPUT_CHARACTERS = 32


def is_copied(length: int, prompt: str, reproduced: str, output: str) -> bool:
    """Whether ``length`` tokens count as copied: ``reproduced`` or the output's start is in the prompt.

    Source: ``get_memorized_sequences`` in ``src/memorization_utils.py`` of explanare/verbatim-memorization,
    which leaves such prompts out.
    """
    return length > MORE_THAN and (reproduced in prompt or output[:OUTPUT_CHARACTERS] in prompt)


def is_trivial(units: Sequence[Any], text: str) -> bool:
    """Whether the ``text`` of some ``units`` (tokens, words) is blank, or they are one again and again."""
    return len(units) > 0 and (not text.strip() or (len(units) > 1 and len(set(units)) == 1))
