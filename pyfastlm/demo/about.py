"""Under which conditions the numbers came about."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyfastlm
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
        machine=f"{processor()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, "
        f"{pyfastlm.backends().native.detail}",
        threads=num_threads(),
    )


def processor() -> str:
    """Its name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or "unknown processor"
