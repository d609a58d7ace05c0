"""Interventions on disk: plain dictionaries of tensors."""

import os

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion.checkpoints import write_dictionary
from pyfastlm.onion.interventions.base import Intervention
from pyfastlm.onion.interventions.linear import LinearBigram, LinearUnigram
from pyfastlm.onion.interventions.onion import Onion
from pyfastlm.onion.interventions.rotation import orthogonal
from pyfastlm.onion.model import CopierConfig
from pyfastlm.onion.tensors import read_dictionary, tensors_of

KINDS: dict[str, type[Intervention]] = {"unigram": LinearUnigram, "bigram": LinearBigram, "onion": Onion}
SCALES = ("gamma", "g", "lin", "b")


def save_intervention(intervention: Intervention, path: "str | os.PathLike[str]") -> None:
    """Write ``proj`` [N, N] (Q itself) and ``mask`` [N, V+1] (the logits) of a linear intervention, or
    ``embedding`` [V, N], ``gamma``, ``g``, ``lin`` and ``b`` [N] of an onion. Appears whole or not at all.

    Raises:
        InputError: it is of another kind.
        OSError: it cannot be written.
    """
    if isinstance(intervention, LinearUnigram | LinearBigram):
        content = {"proj": intervention.rotation(), "mask": intervention.mask.logits}
    elif isinstance(intervention, Onion):
        content = {"embedding": intervention.embedding.weight}
        content |= {name: getattr(intervention, name) for name in SCALES}
    else:
        raise InputError(
            f"intervention: expected one of {', '.join(KINDS)}, got {type(intervention).__name__}"
        )
    write_dictionary({name: tensor.detach().clone() for name, tensor in content.items()}, path)


def load_intervention(path: "str | os.PathLike[str]", kind: str, config: CopierConfig) -> Intervention:
    """What :func:`save_intervention` wrote, in evaluation mode; nothing in the file is run.

    Args:
        path: the file.
        kind: "unigram", "bigram" or "onion".
        config: of the model that it was learned on.

    Raises:
        InputError: there is no such file or kind, or something else in the file.
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    content = read_dictionary(path)
    size = config.size
    if kind == "onion":
        shapes = {"embedding": (config.n_symbols, size), **dict.fromkeys(SCALES, (size,))}
        return _onion(tensors_of(content, shapes, path), config).eval()
    linear = LinearBigram(config) if kind == "bigram" else LinearUnigram(config)
    shapes = {"proj": (size, size), "mask": (size, linear.n_variables + 1)}
    found = tensors_of(content, shapes, path)
    if not orthogonal(found["proj"]):
        raise InputError(f"path: proj in {os.fspath(path)!r} is not orthogonal")
    linear = linear.to(found["mask"].dtype)
    linear.rotation.begin_at(found["proj"])
    with torch.no_grad():
        linear.mask.logits.copy_(found["mask"])
    return linear.eval()


def _onion(found: dict[str, Tensor], config: CopierConfig) -> Onion:
    """What never moved is held: gamma = 1 with lin = 0, or lin = 0."""
    straight = bool((found["lin"] == 0).all())
    scale = not (straight and bool((found["gamma"] == 1).all()))
    onion = Onion(config, scale=scale, lin=not straight).to(found["g"].dtype)
    with torch.no_grad():
        onion.embedding.weight.copy_(found["embedding"])
        for name in SCALES:
            getattr(onion, name).copy_(found[name])
    return onion
