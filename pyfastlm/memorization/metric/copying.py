"""Is what was reproduced taken from the prompt, or nothing much?"""

import numpy as np

from pyfastlm.lm.encoding import Tokens

MORE_THAN = 5  # tokens, before anything is called copied
OUTPUT_CHARACTERS = 32


def is_copied(length: int, prompt: str, reproduced: str, output: str) -> bool:
    """Whether ``length`` tokens count as copied: what was ``reproduced``, or how ``output`` starts, is there.

    Source: ``get_memorized_sequences`` in ``src/memorization_utils.py`` of explanare/verbatim-memorization,
    which leaves such prompts out.
    """
    return length > MORE_THAN and (reproduced in prompt or output[:OUTPUT_CHARACTERS] in prompt)


def is_trivial(reproduced: Tokens, text: str) -> bool:
    """Whether it is blank, or at least two tokens that are all the same."""
    if len(reproduced) == 0:
        return False
    return not text.strip() or (len(reproduced) > 1 and bool(np.all(reproduced == reproduced[0])))
