"""Mode ``token``: the tokens themselves are compared."""

import numpy as np

from pyfastlm.lm.following import Followed
from pyfastlm.memorization.metric.copying import MORE_THAN, is_copied, is_trivial
from pyfastlm.memorization.metric.judged import Judged
from pyfastlm.memorization.metric.texts import Texts


def judge(texts: Texts, found: Followed) -> Judged:
    """Lengths are those found; the texts of what is reproduced only say what is copied or trivial."""
    copied = np.zeros(len(found.lengths), np.bool_)
    trivial = np.zeros(len(found.lengths), np.bool_)
    tokens = found.course.tokens
    for j, (p, length) in enumerate(zip(found.course.prefixes.tolist(), found.lengths.tolist(), strict=True)):
        reproduced = tokens[p : p + length]
        text = texts.decode(reproduced) if length else ""
        # The output goes on after this text, but what starts with it is in the prompt only if this is.
        copied[j] = length > MORE_THAN and is_copied(length, texts.decode(tokens[:p]), text, text)
        trivial[j] = is_trivial(reproduced.tolist(), text)
    return Judged(found.lengths, found.course.limits, copied, found.close, trivial)
