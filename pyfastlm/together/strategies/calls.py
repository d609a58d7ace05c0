"""Run a program over rows: answers, the calls of its modules, and what that cost."""

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from pyfastlm._require import require
from pyfastlm.together.tasks.task import Row, Task

EXTRA = "together"


@dataclass(slots=True)
class Cost:
    """What was spent.

    Attributes:
        calls: of the language model.
        prompt_tokens, completion_tokens: as the model reports them; 0 where it does not.
        reused_tokens: of the prompts, those that came from a cache of prefixes.
        training_tokens: trained on, over all epochs; 0 where the provider does not tell.
        failures: answers that the adapter could not parse.
        seconds: of wall time.
    """

    calls: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    training_tokens: int = 0
    failures: int = 0
    seconds: float = 0.0

    def add(self, other: "Cost") -> None:
        """Grow by another cost."""
        for each in fields(Cost):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


class Call(NamedTuple):
    """A module's call in a run.

    Attributes:
        module: by its name in the program.
        inputs, outputs: what it was given and what it said.
        lm: id of the model that was called.
        prompt: SHA-256 of the messages it was sent, demonstrations included.
    """

    module: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    lm: str = ""
    prompt: str = ""


class Answer(NamedTuple):
    """A row, run: the calls up to the end or to a failure, and whether the answer is right."""

    row: Row
    calls: tuple[Call, ...]
    passed: bool


def adapter() -> Any:
    """DSPy's chat adapter, without its second attempt in JSON: what cannot be parsed counts as a failure."""
    return require("dspy", EXTRA).ChatAdapter(use_json_adapter_fallback=False)


@dataclass(frozen=True, slots=True)
class Examiner:
    """Runs programs over rows of a task.

    Attributes:
        task: whose metric tells right from wrong.
        threads: rows that are run at a time. An engine or server that answers several calls together is
            faster with more; how calls meet then moves log-probabilities by rounding.
    """

    task: Task
    threads: int = 1

    def answers(
        self, program: Any, rows: Sequence[Row], cost: Cost, *, drawn: str | None = None
    ) -> list[Answer]:
        """Run a program, whose LM is set, over rows; ``cost`` grows by what that took.

        An answer that cannot be parsed is a wrong one, and counted. Every other error, of the model, of the
        program or of the metric, is raised: no run goes on without it.

        Args:
            program: it is left as it is.
            rows: to run, in this order.
            cost: to grow.
            drawn: run at temperature 1, with seeds that this text and the row decide.
        """
        engine = _engine(program)
        before, started = reused(engine), time.perf_counter()
        errors: list[BaseException] = []

        def run(row: Row) -> tuple[Answer, Cost]:
            if errors:  # of rows that are not begun yet, none is
                raise errors[0]
            try:
                return self._answer(program if drawn is None else drawing(program, drawn, row), row)
            except BaseException as error:
                errors.append(error)
                raise

        with ThreadPoolExecutor(self.threads) as pool:
            results = [job.result() for job in [pool.submit(run, row) for row in rows]]
        for _, spent in results:
            cost.add(spent)
        cost.reused_tokens += reused(engine) - before
        cost.seconds += time.perf_counter() - started
        return [answer for answer, _ in results]

    def bootstrapped(
        self, program: Any, rows: Sequence[Row], cost: Cost, rounds: int, name: str
    ) -> list[Answer]:
        """Run rows until they pass, ``rounds`` times at most: first as the LM is, then at temperature 1, with
        seeds that ``name``, the round and the row decide. Of a row that never passes the first run."""
        found = {answer.row.id: answer for answer in self.answers(program, rows, cost)}
        for number in range(1, rounds):
            failed = [row for row in rows if not found[row.id].passed]
            again = self.answers(program, failed, cost, drawn=f"{name} {number}")
            found.update({answer.row.id: answer for answer in again if answer.passed})
        return [found[row.id] for row in rows]

    def _answer(self, program: Any, row: Row) -> tuple[Answer, Cost]:
        dspy = require("dspy", EXTRA)
        cost, counter = Cost(), _counter()
        names = {id(module): name for name, module in program.named_predictors()}
        prediction = None
        with dspy.context(adapter=adapter(), trace=[], callbacks=[counter]), dspy.track_usage() as tracker:
            try:
                prediction = program(**row.inputs)
            except dspy.utils.exceptions.AdapterParseError:
                cost.failures = 1
            trace = list(dspy.settings.trace)
        for used in tracker.get_total_tokens().values():
            cost.prompt_tokens += used.get("prompt_tokens") or 0
            cost.completion_tokens += used.get("completion_tokens") or 0
        cost.calls = counter.calls
        calls = tuple(
            Call(
                names[id(module)], dict(inputs), dict(outputs.items()), module.lm.model, _hash(module, inputs)
            )
            for module, inputs, outputs in trace
        )
        passed = prediction is not None and self.task.correct(
            str(getattr(prediction, self.task.output)), row.answer
        )
        return Answer(row, calls, passed), cost


def drawing(program: Any, name: str, row: Row) -> Any:
    """A copy of a program that draws at temperature 1, by a seed of its own."""
    seed = int.from_bytes(hashlib.sha256(f"{name} {row.id}".encode()).digest()[:4], "big") >> 1
    lms = {id(module.lm): module.lm.copy(temperature=1.0, seed=seed) for module in program.predictors()}
    copied = program.deepcopy()
    for ours, theirs in zip(copied.predictors(), program.predictors(), strict=True):
        ours.lm = lms[id(theirs.lm)]
    return copied


def _hash(module: Any, inputs: dict[str, Any]) -> str:
    messages = adapter().format(signature=module.signature, demos=module.demos, inputs=inputs)
    return hashlib.sha256(json.dumps(messages, sort_keys=True, default=str).encode()).hexdigest()


def _counter() -> Any:
    """A callback of DSPy that counts calls of language models."""

    class Counter(require("dspy", EXTRA).utils.callback.BaseCallback):  # type: ignore[misc]
        """Counts."""

        calls = 0

        def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            """One more."""
            self.calls += 1

    return Counter()


def reused(engine: Any) -> int:
    """Prompt tokens that an engine has taken from its cache so far; 0 where it does not count them."""
    return int(getattr(getattr(engine, "usage", None), "reused_tokens", 0))


def _engine(program: Any) -> Any:
    lms = [module.lm for module in program.predictors() if module.lm is not None]
    return getattr(lms[0], "engine", None) if lms else None
