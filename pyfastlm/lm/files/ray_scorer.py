"""How a worker gets the scorer that the driver has: loaded anew by name, or sent as it is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyfastlm.lm.files.ray_worker import MakeScorer

if TYPE_CHECKING:
    import torch

    from pyfastlm.lm.scorer import Precision, Scorer


@dataclass(frozen=True, slots=True)
class Loaded:
    """Loads the model by the name it was loaded by; whether it is the same its fingerprint tells."""

    name: str
    revision: str | None
    dtype: "torch.dtype"
    max_length: int
    tokens_per_batch: int
    precision: "Precision"

    def __call__(self, note: Callable[[Any], None], device: str) -> "Scorer":
        """A scorer on ``device``; it has no notes to make."""
        from pyfastlm.lm import Scorer, load

        lm = load(self.name, dtype=self.dtype, revision=self.revision)
        lm.model.to(device)
        return Scorer(
            lm,
            max_length=self.max_length,
            tokens_per_batch=self.tokens_per_batch,
            precision=self.precision,
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """The scorer itself, for what is no :class:`pyfastlm.lm.Scorer`; it stays on the device where it is."""

    scorer: "Scorer"

    def __call__(self, note: Callable[[Any], None], device: str) -> "Scorer":
        """The scorer."""
        return self.scorer


def maker(scorer: "Scorer") -> MakeScorer:
    """What makes ``scorer`` on a worker."""
    from pyfastlm.lm.scorer import Scorer

    if not isinstance(scorer, Scorer):
        return Sent(scorer)
    name, revision = scorer.lm.name, None
    path = Path(name).expanduser()
    if path.exists():
        name = os.path.abspath(path)
    elif "@" in name:
        name, _, revision = name.rpartition("@")
    return Loaded(
        name,
        revision,
        scorer.lm.model.dtype,
        scorer.max_length,
        scorer.tokens_per_batch,
        scorer.precision,
    )
