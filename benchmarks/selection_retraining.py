"""One small model trained on each selection, and what it can do then."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import selection_transformers as transformers
from selection_domains import Domain

from pyfastlm.demo.tasks import Task, error
from pyfastlm.lm import NgramModel, Scorer, load

ORDER = 5  # of the n-gram model that is retrained
SHAPE = "gpt2-0.1M"
HELD_OUT = {"n-gram": 60_000, "transformer": 20_000}  # bytes to score


class Result(NamedTuple):
    """``error`` on the task's items; ``bits_per_byte`` of the held-out text that the task is made of."""

    error: float
    bits_per_byte: float


@dataclass(frozen=True)
class Retraining:
    """``kind``: "n-gram", or "transformer" for so many ``steps``; what was trained or measured before is
    taken from ``cache``."""

    kind: str
    domains: Sequence[Domain]
    cache: Path
    steps: int

    def measure(self, texts: Sequence[str], seed: int, task: Task) -> Result:
        """Train on ``texts`` and measure on ``task``."""
        settings = [self.kind, ORDER, SHAPE, self.steps, HELD_OUT[self.kind], seed]
        key = _key(settings, texts)
        kept = self.cache / f"{key}-{_key([asdict(task)], [])}.json"
        if kept.exists():
            return Result(**json.loads(kept.read_text("utf-8")))
        model = self._train(texts, seed, self.cache / key)
        held_out = self._held_out(task)
        scores = model.rolling(held_out)
        bits = sum(score.logp for score in scores) / sum(score.n_bytes for score in scores)
        found = Result(error(model, task), -bits / 0.6931471805599453)
        kept.write_text(json.dumps(found._asdict()), "utf-8")
        return found

    def _train(self, texts: Sequence[str], seed: int, home: Path) -> NgramModel | Scorer:
        if self.kind == "n-gram":
            return NgramModel.train(texts, order=ORDER)
        target = home / str(self.steps)
        if not target.is_dir():
            shutil.rmtree(home, ignore_errors=True)
            transformers.train(transformers.SHAPES[SHAPE], texts, self.steps, seed, (self.steps,), home)
        return Scorer(load(target))

    def _held_out(self, task: Task) -> list[str]:
        if not task.sources:
            return [item.choices[0] for item in task.items]
        share = HELD_OUT[self.kind] // len(task.sources)
        found = []
        for domain in self.domains:
            if domain.name in task.sources:
                left = share
                for text in domain.parts["tasks"]:
                    if left > 0:
                        found.append(text[:left])
                        left -= len(text)
        return found


def _key(settings: Sequence[object], texts: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([settings, list(texts)]).encode())
    return digest.hexdigest()[:16]
