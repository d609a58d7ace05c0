"""Mode ``normalized``: the words of what is decoded are compared with the words of the sequence.

Words may go on to agree after the tokens have not: with another comma, or the same text in other tokens. So
decoding goes on from the first wrong token, until the words differ too.
"""

from collections.abc import Sequence

import numpy as np

from pyfastlm.lm.branching import Branch, grow
from pyfastlm.lm.following import Followed
from pyfastlm.lm.runner import Runner
from pyfastlm.memorization.metric.copying import MORE_THAN, OUTPUT_CHARACTERS, is_copied, is_trivial
from pyfastlm.memorization.metric.judged import Judged
from pyfastlm.memorization.metric.texts import Rest, Texts, common_start, words


def judge(runner: Runner, texts: Texts, batch: Sequence[Followed]) -> list[Judged]:
    """Decode what is to be decoded of a whole batch together, and compare."""
    prompts = [[_Prompt(texts, found, j) for j in range(len(found.lengths))] for found in batch]
    # Runs of one course that end at the same place go on in the same way.
    branches: dict[tuple[int, int], Branch] = {}
    waiting: dict[Branch, list[_Prompt]] = {}
    for i, (found, several) in enumerate(zip(batch, prompts, strict=True)):
        for prompt, token in zip(several, found.instead.tolist(), strict=True):
            if token < 0:
                prompt.see([], [])
                continue
            branch = branches.setdefault((i, prompt.right), Branch(found, prompt.right, [token]))
            waiting.setdefault(branch, []).append(prompt)

    def wanted(branch: Branch) -> bool:
        waiting[branch] = [one for one in waiting[branch] if not one.see(branch.tokens, branch.close)]
        return bool(waiting[branch])

    grow(runner, [*waiting], wanted)
    return [_judged(several) for several in prompts]


class _Prompt:
    """One prefix of a course, while its output grows."""

    def __init__(self, texts: Texts, found: Followed, j: int) -> None:
        course = found.course
        self._texts = texts
        self._p = int(course.prefixes[j])
        self._limit = int(course.limits[j])
        self.right = self._p + int(found.lengths[j])
        """How many tokens of the course are right."""
        self._output = course.tokens[self._p : self.right].tolist()
        self._prompt = texts.decode(course.tokens[: self._p])
        self._rest = Rest(texts, course.tokens[self._p :], self._limit)
        self.limit = texts.count(words(texts.decode(course.tokens[self._p : self._p + self._limit])))
        self.common, self.length, self.copied = "", 0, False
        self.tie = bool(found.close[j])

    def see(self, tokens: Sequence[int], close: Sequence[bool]) -> bool:
        """Compare, with these tokens after the right ones; whether more of them could change nothing.

        Output only grows at its end, and so do its words: what differs stays different.
        """
        output = [*self._output, *tokens][: self._limit]
        text = self._texts.decode(output)
        said = words(text)
        label = self._rest.words(len(said) + 1)
        self.common = common_start(said, label)
        full = len(output) == self._limit
        if len(self.common) == len(said) < len(label) and not full:
            return False
        self.length = self._texts.count(self.common)
        self.copied = is_copied(self.length, self._prompt, self.common, text)
        # The start of the output may yet turn out not to be in the prompt; its last character may be half.
        unsure = len(text) < OUTPUT_CHARACTERS and text.rstrip("\ufffd") in self._prompt
        if not full and unsure and self.length > MORE_THAN and self.common not in self._prompt:
            return False
        self.tie |= any(close[: len(output) - len(self._output)])
        return True


def _judged(prompts: Sequence[_Prompt]) -> Judged:
    return Judged(
        np.array([one.length for one in prompts], np.int64),
        np.array([one.limit for one in prompts], np.int64),
        np.array([one.copied for one in prompts], np.bool_),
        np.array([one.tie for one in prompts], np.bool_),
        np.array([is_trivial(one.common.split(), one.common) for one in prompts], np.bool_),
    )
