"""Judges that are causal LMs in this process.

Neither is the judge of the paper, which asks a strong hosted model; how good they are depends on the model.
"""

import math

from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.scorer import Scorer
from pyfastlm.preference.builders.rows import TwoAnswers

QUESTION = """\
Task:
{prompt}

Answer A:
{first}

Answer B:
{second}

Which answer is better, A or B? The better answer is"""


class ChoiceJudge:
    """Asks a model which of two answers is better, A or B: the odds of these two letters, given both answers.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes. Texts longer than its
            context lose their beginning.
    """

    def __init__(self, lm: LMLike) -> None:
        self._scorer = Scorer(lm)

    def __call__(self, rows: list[TwoAnswers]) -> list[float]:
        """See :class:`Judge`."""
        questions = [QUESTION.format(prompt=row.prompt, first=row.first, second=row.second) for row in rows]
        scores = self._scorer.conditional([(asked, letter) for asked in questions for letter in (" A", " B")])
        logp = [score.logp for score in scores]
        return [_logistic(a - b) for a, b in zip(logp[::2], logp[1::2], strict=True)]


class LikelihoodJudge:
    """Prefers the answer that a model finds likelier after the prompt, by the nats of a byte.

    This measures fluency and closeness to the model's own style, not truth. The order of showing cannot
    matter to it.

    Args:
        lm: an :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes; better be stronger
            than the target.
    """

    def __init__(self, lm: LMLike) -> None:
        self._scorer = Scorer(lm)

    def __call__(self, rows: list[TwoAnswers]) -> list[float]:
        """See :class:`Judge`."""
        answers = [answer for row in rows for answer in (row.first, row.second)]
        asked = [(f"{row.prompt}\n\n", answer) for row in rows for answer in (row.first, row.second)]
        scores = self._scorer.conditional(asked)
        rates = [
            score.logp / max(1, len(answer.encode())) for score, answer in zip(scores, answers, strict=True)
        ]
        return [_logistic(a - b) for a, b in zip(rates[::2], rates[1::2], strict=True)]


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
