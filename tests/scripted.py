"""An engine of DSPy that answers from a function, and a provider that only writes down what it is given."""

import threading
from collections.abc import Callable
from typing import Any

import dspy
from dspy import lm15
from dspy.clients.provider import Provider, TrainingJob

Say = Callable[[str, list[str]], str]


class Scripted:
    """``say(model id, texts of the messages)`` is the whole answer."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.calls: list[tuple[str, list[str]]] = []
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: Any) -> "Scripted":
        return self

    def complete(self, request: Any) -> Any:
        system = (
            request.system
            if isinstance(request.system, str)
            else "".join(p.text for p in request.system or ())
        )
        texts = [system, *("".join(part.text for part in message.parts) for message in request.messages)]
        with self._lock:
            self.calls.append((request.model, texts))
        return lm15.Response(
            id=None,
            model=request.model,
            message=lm15.Message.assistant([lm15.TextPart(self.say(request.model, texts))]),
            finish_reason="stop",
            usage=lm15.Usage(input_tokens=10, output_tokens=2),
        )

    def stream(self, request: Any) -> Any:
        yield from lm15.response_to_events(self.complete(request))

    def close(self) -> None:
        pass


class Noting(Provider):
    """Gives every training a new name, and keeps its data."""

    def __init__(self) -> None:
        super().__init__()
        self.finetunable = True
        self.TrainingJob = TrainingJob
        self.trained: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = []
        self.error: Exception | None = None

    def __deepcopy__(self, memo: Any) -> "Noting":
        return self

    def launch(self, lm: Any, launch_kwargs: Any = None) -> None:
        pass

    def kill(self, lm: Any, launch_kwargs: Any = None) -> None:
        pass

    def finetune(
        self, job: Any, model: str, train_data: Any, train_data_format: Any, train_kwargs: Any = None
    ) -> str:
        if self.error is not None:
            raise self.error
        self.trained.append((model, train_data, dict(train_kwargs)))
        return f"{model}+"


def chat(**fields: str) -> str:
    """What DSPy's chat adapter reads as these fields."""
    return (
        "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items())
        + "\n\n[[ ## completed ## ]]"
    )


def scripted(say: Say) -> tuple[dspy.LM, Scripted, Noting]:
    """An LM, its engine, and its provider."""
    engine, provider = Scripted(say), Noting()
    lm = dspy.LM("hf/scripted", engine=engine, provider=provider, cache=False, temperature=0, max_tokens=50)
    return lm, engine, provider


def toy(count: int = 60, sizes: tuple[int, int, int] = (12, 8, 20), *, gold: str = "") -> Any:
    """Words w0, w1, ... to be called a or b; ``gold`` is a mark before gold answers."""
    from typing import Literal

    from pyfastlm.together.tasks import Row, Sizes, Task

    def program() -> Any:
        fields = {"word": (str, dspy.InputField()), "kind": (Literal["a", "b"], dspy.OutputField())}
        return dspy.Predict(dspy.Signature(fields, "Name it."))

    rows = tuple(Row(f"r{n}", {"word": f"w{n}."}, gold + "ab"[n % 2]) for n in range(count))
    return Task(
        "toy", rows, Sizes(*sizes), program, "kind", lambda said, right: gold + said == right, "made up"
    )


def luck(model: str, texts: list[str]) -> str:
    """A or b by a hash of all that was read, so that every prompt and model has scores of its own."""
    import hashlib

    digest = hashlib.sha256("\n".join([model, *texts]).encode()).digest()
    return chat(kind="ab"[digest[0] % 2])


def words(texts: list[str]) -> list[str]:
    """Words of the toy that were asked for, in their order; the last is the question."""
    import re

    return re.findall(r"w\d+\.", "\n".join(texts[1:]))
