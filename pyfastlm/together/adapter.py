"""A low-rank adapter: what it adds to some linear layers of a model, without touching their weights."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.errors import InputError

ALL_LINEAR = ("all-linear",)


@dataclass(frozen=True, eq=False)
class Adapter:
    """Layers give ``W x + (alpha / rank) B A x``; ``pairs`` are A [rank, in] and B [out, rank] by name."""

    rank: int
    alpha: float
    pairs: Mapping[str, tuple[Tensor, Tensor]] = field(repr=False)

    @property
    def scale(self) -> float:
        """alpha / rank."""
        return self.alpha / self.rank

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over everything that changes what a model says with it."""
        whole = hashlib.blake2b(json.dumps([self.rank, float(self.alpha)]).encode(), digest_size=8)
        for name in sorted(self.pairs):
            for tensor in self.pairs[name]:
                whole.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
                whole.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return whole.hexdigest()

    def change(self, name: str) -> Tensor:
        """What it adds to the weight of one layer, [out, in]."""
        down, up = self.pairs[name]
        return (up @ down) * self.scale

    @contextlib.contextmanager
    def applied(self, model: Any) -> Iterator[None]:
        """In it, ``model`` answers with the adapter; after it exactly as before."""
        handles = [
            model.get_submodule(name).register_forward_hook(_adding(down, up, self.scale))
            for name, (down, up) in self.pairs.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def fresh(model: Any, target_modules: Sequence[str], *, rank: int, alpha: float, seed: int) -> Adapter:
    """An adapter that changes nothing yet: A uniform as Kaiming's, B zero.

    Args:
        model: a causal LM of transformers.
        target_modules: last parts of the names of linear layers, or ``("all-linear",)`` for all of them but
            the one that gives the logits.
        rank: of the product.
        alpha: of the scale.
        seed: of A.

    Raises:
        InputError: a name fits no linear layer.
    """
    layers = _linear(model)
    chosen = set(layers)
    if tuple(target_modules) != ALL_LINEAR:
        fitting = {t: {n for n in layers if n == t or n.endswith(f".{t}")} for t in target_modules}
        if missing := [target for target in target_modules if not fitting[target]]:
            known = sorted({name.rpartition(".")[2] for name in layers})
            raise InputError(
                f"target_modules: {missing[0]!r} is no linear layer; there are {', '.join(known)}"
            )
        chosen = set().union(*fitting.values())
    drawn_by = torch.Generator().manual_seed(seed)
    pairs = {}
    for name in (name for name in layers if name in chosen):
        weight = layers[name].weight
        bound = weight.shape[1] ** -0.5
        down = (torch.rand(rank, weight.shape[1], generator=drawn_by) * 2 - 1) * bound
        pairs[name] = down.to(weight), weight.new_zeros(weight.shape[0], rank).detach()
    if not pairs:
        raise InputError("target_modules: expected at least one name, got none")
    return Adapter(rank, alpha, pairs)


def _linear(model: Any) -> dict[str, torch.nn.Linear]:
    """By name, without the layer that gives the logits."""
    last = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not last
    }


def _adding(down: Tensor, up: Tensor, scale: float) -> Any:
    def hook(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + F.linear(F.linear(inputs[0], down), up) * scale

    return hook
