"""Step W: tune the weights on the runs whose answer is right, under prompts without demonstrations."""

import random
from collections.abc import Sequence
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.together.strategies.calls import EXTRA, Answer, Call, adapter
from pyfastlm.together.tasks.task import Row, Task

Chat = dict[str, list[dict[str, Any]]]


def data(original: Any, found: Sequence[Answer], *, passed: bool = True) -> list[Chat]:
    """Chats to tune on: one for every call of every run that passed (or, ``passed=False``, that did not).

    Inputs and outputs are those of the run, whatever prompt they came under; the prompt is the original
    one, without demonstrations. It is what DSPy's ``BootstrapFinetune(exclude_demos=True)`` makes. Gold
    answers are not looked at.
    """
    return [_chat(original, call) for answer in found if answer.passed == passed for call in answer.calls]


def gold_data(original: Any, task: Task, rows: Sequence[Row]) -> list[Chat]:
    """Chats with the gold answers, for the control: what labels would give, which W does without.

    Raises:
        InputError: the program has several modules, or other outputs: there are no labels for them.
    """
    modules = original.named_predictors()
    if len(modules) != 1 or [*modules[0][1].signature.output_fields] != [task.output]:
        raise InputError(f"strategies: 'gold' needs a program of one module and output; {task.name} has more")
    name = modules[0][0]
    return [_chat(original, Call(name, dict(row.inputs), {task.output: row.answer})) for row in rows]


def tune(lm: Any, chats: Sequence[Chat], seed: int, train_kwargs: dict[str, Any]) -> tuple[Any, int]:
    """An LM that was tuned on chats, in an order drawn by ``seed``, and how many tokens that was trained on
    (0 where the provider does not tell). The LM given is left as it is.

    Raises:
        RuntimeError: the provider returned the model that it was given.
        Exception: whatever the training raised.
    """
    shuffled = list(chats)
    random.Random(seed).shuffle(shuffled)
    formats = require("dspy.clients.utils_finetune", EXTRA).TrainDataFormat
    job = lm.finetune(train_data=shuffled, train_data_format=formats.CHAT, train_kwargs=train_kwargs)
    tuned = job.result()
    job.thread.join()
    if isinstance(tuned, Exception):  # DSPy sets errors as results
        raise tuned
    if tuned.model == lm.model:
        raise RuntimeError(f"the provider tuned {lm.model!r} and returned the same name")
    return tuned, int(getattr(getattr(job, "tuned", None), "tokens", 0))


def _chat(original: Any, call: Call) -> Chat:
    module = dict(original.named_predictors())[call.module]
    chat: Chat = adapter().format_finetune_data(
        signature=module.signature, demos=[], inputs=call.inputs, outputs=call.outputs
    )
    return chat
