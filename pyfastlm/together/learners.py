"""Weights that learn: an adapter on the base, or a whole copy of it."""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.head import Head, LinearHead
from pyfastlm.lm.loading import LM
from pyfastlm.lm.prefix import share, whole
from pyfastlm.lm.runner import Runner
from pyfastlm.lm.windows import Window
from pyfastlm.together.adapter import Adapter, fresh
from pyfastlm.together.tuning_options import TuningOptions
from pyfastlm.together.weights import Weights


class Learner(Protocol):
    """What a training changes, ``module``, and how it is used."""

    module: torch.nn.Module

    def backward(self, windows: Sequence[Window], count: int) -> float:
        """Add gradients of the mean nats over ``count`` tokens; the share of these windows in it."""
        ...

    def keep(self) -> str:
        """The id under which the weights of now are kept."""
        ...


@contextlib.contextmanager
def learning(weights: Weights, model_id: str, options: TuningOptions) -> Iterator[Learner]:
    """A learner that starts as the weights ``model_id``; they stay as they are.

    Raises:
        InputError: they do not go with the options.
    """
    if options.full:
        yield _Whole(weights, _merged(weights, model_id))
        return
    adapter = _start(weights, model_id, options)
    learned = {
        name: (torch.nn.Parameter(down.clone()), torch.nn.Parameter(up.clone()))
        for name, (down, up) in adapter.pairs.items()
    }
    learner = _OnBase(weights, replace(adapter, pairs=learned))
    with _frozen(weights.lm.model), learner.adapter.applied(weights.lm.model):
        yield learner


class _OnBase:
    def __init__(self, weights: Weights, adapter: Adapter) -> None:
        self._weights, self.adapter = weights, adapter
        self.module: torch.nn.Module = torch.nn.ParameterList(
            [tensor for pair in adapter.pairs.values() for tensor in pair]
        )

    def backward(self, windows: Sequence[Window], count: int) -> float:
        runner = self._weights.runner(self._weights.base)
        return _backward(runner, runner.head, windows, count)

    def keep(self) -> str:
        pairs = {
            name: (d.detach().clone(), u.detach().clone()) for name, (d, u) in self.adapter.pairs.items()
        }
        return self._weights.add(replace(self.adapter, pairs=pairs))


class _Whole:
    def __init__(self, weights: Weights, model: Any) -> None:
        self._weights = weights
        self.module: Any = model.requires_grad_(True)
        self._runner = Runner(LM(model, weights.lm.tokenizer, weights.lm.name), weights.context)

    def backward(self, windows: Sequence[Window], count: int) -> float:
        head: Head = self._runner.head
        if isinstance(head, LinearHead):  # gradients flow to its weights too
            last = self.module.get_output_embeddings()
            head = replace(head, weight=last.weight, bias=last.bias)
        return _backward(self._runner, head, windows, count)

    def keep(self) -> str:
        return self._weights.add_model(self.module.requires_grad_(False))


def _backward(runner: Runner, head: Head, windows: Sequence[Window], count: int) -> float:
    slots = np.cumsum([0, *(len(window.targets) for window in windows)])[:-1].tolist()
    if runner.shares:
        pieces = share(windows, slots)  # what they begin with in common is read once
    else:
        pieces = [whole(window, slot) for window, slot in zip(windows, slots, strict=True)]
    starts = np.cumsum([0, *(len(piece.tokens) for piece in pieces[:-1])])
    rows = np.concatenate([piece.rows + start for piece, start in zip(pieces, starts, strict=True)])
    targets = np.concatenate([piece.targets for piece in pieces])
    outputs = runner.body.hidden(pieces, ())
    wanted, predicted = (torch.from_numpy(x).to(outputs.device) for x in (rows, targets))
    logp, _ = head.logp(outputs[wanted], predicted, greedy=False)
    loss = -logp.sum() / count
    loss.backward()
    for piece in pieces:
        piece.kept.clear()
    return float(loss.detach())


def _start(weights: Weights, model_id: str, options: TuningOptions) -> Adapter:
    """The adapter of ``model_id``, or one that changes nothing yet."""
    model = weights.model(model_id)
    if model is not weights.lm.model:
        raise InputError(f"model: {model_id!r} was trained whole; go on with full=True")
    new = fresh(
        model, options.target_modules, rank=options.rank, alpha=float(options.alpha), seed=options.seed
    )
    known = weights.adapter(model_id)
    if known is None:
        return new
    if (known.rank, known.alpha, known.pairs.keys()) != (new.rank, new.alpha, new.pairs.keys()):
        raise InputError(
            f"model: {model_id!r} has an adapter of rank {known.rank} and alpha {known.alpha:g} on other "
            "layers or of another size than asked for; go on with its rank, alpha and target_modules"
        )
    return known


@torch.no_grad()
def _merged(weights: Weights, model_id: str) -> Any:
    """A copy of the model that answers as ``model_id``, with its adapter in its weights."""
    model = copy.deepcopy(weights.model(model_id))
    adapter = weights.adapter(model_id)
    for name in () if adapter is None else adapter.pairs:
        assert adapter is not None
        model.get_submodule(name).weight += adapter.change(name)
    return model


@contextlib.contextmanager
def _frozen(model: Any) -> Iterator[None]:
    """In it, no weight of ``model`` gets a gradient."""
    learned: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learned:
            parameter.requires_grad_(True)
