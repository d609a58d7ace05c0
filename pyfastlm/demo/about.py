"""Under which conditions the numbers came about."""

import importlib.metadata
import platform
from dataclasses import dataclass
from datetime import UTC, datetime

import pyfastlm
from pyfastlm._machine import machine
from pyfastlm._threads import num_threads
from pyfastlm.lm import Scorer

PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class About:
    """The experiment: model, windows, seed, machine, time; ``seconds`` is that of scoring alone."""

    model: str
    architecture: str
    parameters: int
    vocabulary: int
    dtype: str
    fingerprint: str
    max_length: int
    notes: tuple[str, ...]
    seed: int
    quick: bool
    date: str
    seconds: float
    tokens_per_second: float
    versions: dict[str, str]
    machine: str
    threads: int


def about(scorer: Scorer, *, seed: int, quick: bool, seconds: float, tokens: int) -> About:
    """Gather it after ``tokens`` were scored in ``seconds``."""
    model = scorer.lm.model
    versions = {"pyfastlm": pyfastlm.__version__, "Python": platform.python_version()}
    return About(
        model=scorer.lm.name,
        architecture=type(model).__name__,
        parameters=sum(p.numel() for p in model.parameters()),
        vocabulary=model.get_input_embeddings().weight.shape[0],
        dtype=str(model.dtype).removeprefix("torch."),
        fingerprint=scorer.fingerprint,
        max_length=scorer.max_length,
        notes=scorer.notes,
        seed=seed,
        quick=quick,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        tokens_per_second=tokens / max(seconds, 1e-9),
        versions=versions | {name: importlib.metadata.version(name) for name in PACKAGES},
        machine=machine(),
        threads=num_threads(),
    )
