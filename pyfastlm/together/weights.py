"""Weights by id: one base model, adapters on it, and models that were trained whole."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pyfastlm.errors import InputError
from pyfastlm.lm.fingerprint import fingerprint
from pyfastlm.lm.loading import LM, load
from pyfastlm.lm.runner import Runner, context_length
from pyfastlm.lm.saving import save_model
from pyfastlm.together import adapter_files
from pyfastlm.together.adapter import Adapter

PREFIX = "hf/"


class Distance(NamedTuple):
    """How far weights are from those of the base.

    ``norm`` is the Frobenius norm of the change over all parameters, ``relative`` its ratio to that of the
    base's parameters which changed; both 0 for the base.
    """

    norm: float
    relative: float


@dataclass(frozen=True, eq=False)
class _Entry:
    runner: Runner
    hash: str
    adapter: Adapter | None = None
    model: Any = None  # where it is another than the base's


class Weights:
    """Names for weights: ``hf/<name>`` is the base, ``hf/<name>@<hash>`` what was made of it.

    The hash is over the weights, so that the same id never answers with other ones. Adapters are switched
    without a copy of the base.

    Args:
        lm: the base; it is left as it is.
        name: in the ids.

    Attributes:
        lm: as given.
        base: id of the base.
        context: how many tokens it reads.
        saved: where weights are on disk, by id.
    """

    def __init__(self, lm: LM, name: str) -> None:
        self.lm, self.base = lm, f"{PREFIX}{name}"
        self.context = context_length(lm)
        self.saved: dict[str, Path] = {}
        self._entries = {self.base: _Entry(Runner(lm, self.context), lm.fingerprint)}

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them, the base first."""
        return tuple(self._entries)

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._entries

    def add(self, adapter: Adapter) -> str:
        """The id of the base with ``adapter``."""
        model_id = f"{self.base}@{adapter.digest}"
        base = self._entries[self.base]
        self._entries.setdefault(model_id, _Entry(base.runner, f"{base.hash}+{adapter.digest}", adapter))
        return model_id

    def add_model(self, model: Any) -> str:
        """The id of a changed copy of the base."""
        lm = LM(model.eval(), self.lm.tokenizer, self.lm.name)
        digest = fingerprint(model, lm.tokenizer)
        model_id = f"{self.base}@{digest[:16]}"
        if model_id not in self._entries:
            self._entries[model_id] = _Entry(Runner(lm, self.context), digest, model=model)
        return model_id

    def hash(self, model_id: str) -> str:
        """Of all weights that answer under ``model_id``: the base's fingerprint, and the adapter's hash."""
        return self._entry(model_id).hash

    def adapter(self, model_id: str) -> Adapter | None:
        """None for the base, and for models that were trained whole."""
        return self._entry(model_id).adapter

    def model(self, model_id: str) -> Any:
        """The model that answers, of transformers; without the adapter."""
        entry = self._entry(model_id)
        return self.lm.model if entry.model is None else entry.model

    def runner(self, model_id: str) -> Runner:
        """Of the model that answers; the adapter is not applied."""
        return self._entry(model_id).runner

    @contextlib.contextmanager
    def using(self, model_id: str) -> Iterator[Runner]:
        """In it, the runner answers with these weights. Not thread-safe."""
        entry = self._entry(model_id)
        with contextlib.nullcontext() if entry.adapter is None else entry.adapter.applied(self.lm.model):
            yield entry.runner

    @torch.no_grad()
    def distance(self, model_id: str) -> Distance:
        """From the base's weights."""
        entry = self._entry(model_id)
        base = dict(self.lm.model.named_parameters())
        if entry.adapter is not None:
            changes = {f"{name}.weight": entry.adapter.change(name) for name in entry.adapter.pairs}
        else:
            changes = {n: p - base[n] for n, p in self.model(model_id).named_parameters() if p is not base[n]}
        changed = {name: change for name, change in changes.items() if bool(change.any())}
        norm = math.sqrt(sum(float(change.double().square().sum()) for change in changed.values()))
        before = math.sqrt(sum(float(base[name].double().square().sum()) for name in changed))
        return Distance(norm, norm / before if before else 0.0)

    def save(self, model_id: str, directory: "str | os.PathLike[str]", *, remember: bool = True) -> None:
        """Write an adapter as PEFT does, or a whole model; nothing for the base.

        Args:
            model_id: which weights.
            directory: a new one; it appears whole or not at all.
            remember: whether the directory stays, so that states of the engine can name it.

        Raises:
            InputError: there are no such weights, or the directory exists.
        """
        entry = self._entry(model_id)
        if entry.adapter is not None:
            adapter_files.save(entry.adapter, directory, self.lm.name)
        elif entry.model is not None:
            save_model(LM(entry.model, self.lm.tokenizer, self.lm.name), directory)
        else:
            raise InputError(f"model_id: {model_id!r} is the base, of which nothing has to be saved")
        if remember:
            self.saved[model_id] = Path(directory).absolute()

    def load(self, directory: "str | os.PathLike[str]") -> str:
        """The id of weights that were saved; an adapter of PEFT's own is read as well.

        Raises:
            InputError: they are damaged, or not for this base.
        """
        path = Path(directory)
        if (path / adapter_files.CONFIG).exists():
            model_id = self.add(adapter_files.load(path, self.lm.model))
            self.saved[model_id] = path.absolute()
            return model_id
        model = load(path, dtype=self.lm.model.dtype).model
        shapes = {name: p.shape for name, p in self.lm.model.named_parameters()}
        if shapes != {name: p.shape for name, p in model.named_parameters()}:
            raise InputError(f"directory: {str(path)!r} holds another kind of model than {self.lm.name!r}")
        model_id = self.add_model(model.to(self.lm.model.device))
        self.saved[model_id] = path.absolute()
        return model_id

    def load_all(self, directories: "Mapping[str, str | os.PathLike[str]]") -> None:
        """Load weights by id, as far as they are not known yet.

        Raises:
            InputError: as :meth:`load`, or a directory holds other weights.
        """
        for model_id, directory in directories.items():
            if model_id not in self and (found := self.load(directory)) != model_id:
                raise InputError(
                    f"weights: expected {model_id!r} in {os.fspath(directory)!r}, got {found!r}; they were "
                    "changed, or are of another base"
                )

    def _entry(self, model_id: str) -> _Entry:
        if model_id not in self._entries:
            known = ", ".join(self._entries)
            raise InputError(
                f"model: no weights are known as {model_id!r}, only {known}; load them with weights.load()"
            )
        return self._entries[model_id]
