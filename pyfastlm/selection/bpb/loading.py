"""A model of the list to its scorer, here or on a worker of a cluster."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyfastlm._require import require
from pyfastlm.errors import MissingExtra
from pyfastlm.selection.bpb.models import Model, TextScorer, made
from pyfastlm.selection.bpb.scorer import Failure, Guarded, ModelFailed, told


def place(model: Model) -> str:
    """What :func:`pyfastlm.lm.load` gets."""
    return model.path or model.name


@dataclass(frozen=True, slots=True)
class Loading:
    """Loads ``model``; to be sent to workers, which need not be in the same directory."""

    model: Model
    place: str
    max_length: int | None
    tokens_per_batch: int

    @classmethod
    def of(cls, model: Model, max_length: int | None, tokens_per_batch: int) -> "Loading":
        """The same for every directory."""
        name = place(model)
        path = Path(name).expanduser()
        return cls(model, os.path.abspath(path) if path.exists() else name, max_length, tokens_per_batch)

    def __call__(self, note: Callable[[list[Failure]], None], device: str = "cpu") -> Guarded:
        """The scorer on ``device`` (a scorer of your own stays where it is); ``note`` as of a Guarded.

        Raises:
            ModelFailed: it cannot be loaded.
            MissingExtra: a package that it needs is not installed.
        """
        try:
            scorer = self._named(device) if self.model.scorer is None else made(self.model.scorer)
        except MissingExtra:
            raise
        except Exception as error:
            raise ModelFailed(f"it cannot be loaded: {told(error)}") from error
        return Guarded(scorer, note)

    def _named(self, device: str) -> TextScorer:
        import torch

        from pyfastlm.lm import Scorer, load

        name = _snapshot(self.place, self.model.revision) if self.model.revision else self.place
        lm = load(name, dtype=getattr(torch, self.model.dtype or "float32"))
        lm.model.to(device)
        return Scorer(lm, max_length=self.max_length, tokens_per_batch=self.tokens_per_batch)


def _snapshot(name: str, revision: str) -> str:
    hub = require("huggingface_hub", "lm")
    # Weights in formats that are not read here.
    others = ["*.h5", "*.msgpack", "*.onnx*", "*.ot", "*.gguf", "*.pth", "original/*"]
    return str(hub.snapshot_download(name, revision=revision, ignore_patterns=others))
