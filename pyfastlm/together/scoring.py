"""Log-probabilities of closed sets of options, all in one pass, without logits."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pyfastlm.lm.growing import Extension, Keys, read
from pyfastlm.lm.runner import Runner


class Question(NamedTuple):
    """Which of ``options``, tokens of each, comes after what ``keys`` have read.

    ``hidden`` [D] is what the model said after the last token of that; ``per_token`` takes the mean of an
    option's log-probabilities instead of their sum.
    """

    keys: Keys
    hidden: Tensor
    options: Sequence[Sequence[int]]
    per_token: bool = False


@torch.inference_mode()
def score(runner: Runner, questions: Sequence[Question]) -> list[Tensor]:
    """Log-probabilities [options] float32 of each question; the keys are left as they are."""
    options = [(question, option) for question in questions for option in question.options]
    tried = [Extension(q.keys, option[:-1], kept=False) for q, option in options if len(option) > 1]
    lengths = [len(each.tokens) for each in tried]
    read_rows = iter(read(runner, tried).split(lengths) if tried else ())
    rows: list[Tensor] = []
    targets: list[int] = []
    owners: list[int] = []
    for number, (question, option) in enumerate(options):
        rows.append(question.hidden[None])
        if len(option) > 1:
            rows.append(next(read_rows))
        targets += option
        owners += [number] * len(option)
    outputs = torch.cat(rows)
    wanted = torch.tensor(targets, device=outputs.device)
    logp, _ = runner.head.logp(outputs, wanted, greedy=False)
    index = torch.tensor(owners, device=logp.device)
    sums = logp.new_zeros(len(options)).index_add(0, index, logp)
    counts = torch.tensor([len(option) if q.per_token else 1 for q, option in options], device=logp.device)
    return list((sums / counts).split([len(question.options) for question in questions]))
