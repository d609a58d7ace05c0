"""Fine-tuning for ``dspy.LM`` in this process; needs DSPy."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.together.engine import HFEngine
from pyfastlm.together.prompts import Message
from pyfastlm.together.training import Tuned, tune
from pyfastlm.together.tuning_options import TuningOptions

_provider = require("dspy.clients.provider", "together")
_SETTINGS = tuple(field.name for field in fields(TuningOptions))


class InProcessJob(_provider.TrainingJob):  # type: ignore[misc, name-defined]
    """A training in a thread of this process; its result is the new ``dspy.LM``, or what went wrong.

    Attributes:
        steps: (done, all) of the optimiser.
        tuned: what came of it, when it is done.
    """

    steps: tuple[int, int] = (0, 0)
    tuned: Tuned | None = None

    def status(self) -> Any:
        """``dspy.clients.utils_finetune.TrainingStatus`` of now."""
        status = require("dspy.clients.utils_finetune", "together").TrainingStatus
        if self.cancelled():
            return status.cancelled
        if self.done():
            return status.failed if isinstance(self.result(), Exception) else status.succeeded
        return status.running if self.steps[1] else status.pending


class InProcessProvider(_provider.Provider):  # type: ignore[misc, name-defined]
    """Trains the model of an engine on what DSPy bootstrapped, and names the new weights.

    To be used as ``dspy.LM(engine.model_id, engine=engine, provider=provider, cache=False)``. Copies are the
    same provider.

    Args:
        engine: whose model learns.
        settings: of :class:`pyfastlm.together.tuning_options.TuningOptions`; ``train_kwargs`` of a job win.

    Attributes:
        options: of a job that says nothing else.
        tuned: of all jobs, in order.

    Raises:
        InputError: a setting is unknown or out of range.
    """

    def __init__(self, engine: HFEngine, **settings: Any) -> None:
        super().__init__()
        self.finetunable = True
        self.TrainingJob = InProcessJob
        self._engine = engine
        self._settings = settings
        self.tuned: list[Tuned] = []
        self._lock = threading.Lock()
        self.options = self._options({})

    def finetune(
        self,
        job: Any,
        model: str,
        train_data: Sequence[Mapping[str, Any]],
        train_data_format: Any,
        train_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """Train, and return the id of the new weights; a model that has an adapter goes on from that.

        Args:
            job: is told how far the training is.
            model: id of the weights to begin with.
            train_data: ``{"messages": [{"role": ..., "content": ...}, ...]}`` each, the assistant's last.
            train_data_format: chat.
            train_kwargs: settings of :class:`pyfastlm.together.tuning_options.TuningOptions`.

        Raises:
            InputError: there is no example, one is damaged or too long, a setting is unknown, or the loss is
                not finite.
        """
        kind = getattr(train_data_format, "value", train_data_format)
        if kind not in (None, "chat"):
            raise InputError(f"train_data_format: expected chat, got {kind!r}")
        options = self._options(train_kwargs or {})
        rows = [_messages(number, row) for number, row in enumerate(train_data)]

        def watch(done: int, steps: int) -> None:
            if isinstance(job, InProcessJob):
                job.steps = done, steps

        tuned = tune(self._engine, model, rows, options, watch)
        if isinstance(job, InProcessJob):
            job.tuned = tuned
        with self._lock:
            self.tuned.append(tuned)
        return tuned.model_id

    def _options(self, given: Mapping[str, Any]) -> TuningOptions:
        unknown = sorted({*self._settings, *given} - {*_SETTINGS})
        if unknown:
            raise InputError(f"{unknown[0]}: no such setting; there are {', '.join(_SETTINGS)}")
        return TuningOptions(**{**self._settings, **given})

    def __deepcopy__(self, memo: dict[int, Any]) -> "InProcessProvider":
        return self


def _messages(number: int, row: Mapping[str, Any]) -> list[Message]:
    try:
        found = [Message(message["role"], message["content"]) for message in row["messages"]]
    except (TypeError, LookupError) as error:
        raise InputError(f"train_data[{number}]: expected messages with role and content") from error
    if any(not isinstance(text, str) for message in found for text in message):
        raise InputError(f"train_data[{number}]: expected messages of text")
    return found
