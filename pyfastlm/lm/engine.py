"""Which body and which head fit a model; found out by comparing with the model itself, not by its name."""

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.body import PackedBody, SingleBody, Unpackable
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.head import Head, LinearHead, LogitsHead, linear_head
from pyfastlm.lm.int8 import Int8Head, Int8Layers
from pyfastlm.lm.packing import Piece, release


class Engine(NamedTuple):
    """How a model is run; ``notes`` say what could not be had and why."""

    body: PackedBody | SingleBody
    head: Head
    notes: tuple[str, ...]


PRECISIONS = ("model", "int8")


def build(model: Any, max_length: int, precision: str = "model") -> Engine:
    """Find the fastest way to run ``model`` on windows of up to ``max_length`` tokens that is right.

    Args:
        model: a causal LM.
        max_length: in tokens.
        precision: ``"model"``: as it is; ``"int8"``: the products of its linear layers in 8 bits.

    Raises:
        InputError: the model is not causal, predicts NaN, or cannot be run in ``precision``.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "int8" and model.device.type != "cpu":
        raise InputError(f"precision: int8 is for models on a CPU, this one is on {model.device}")
    found = _in_own_precision(model, max_length)
    return found if precision == "model" else _in_int8(found)


def _in_own_precision(model: Any, max_length: int) -> Engine:
    tokens = _some_tokens(model)
    logits = _run(SingleBody(model), [Piece(tokens)])
    earlier = _run(SingleBody(model), [Piece(tokens[:5])])
    if bool(logits.isnan().any()):
        raise InputError("lm: its predictions are NaN; its weights are damaged, or too large for its dtype")
    if not _same(logits[:5], earlier):
        raise InputError(
            "lm: expected a causal language model; what this one predicts depends on later tokens"
        )

    notes = []
    module, head = _module_and_head(model, tokens, logits)
    if isinstance(head, LogitsHead):
        notes.append("full logits: the last projection is not a plain linear layer")
    single = SingleBody(module)
    if (why := _unpackable(model, module, max_length) or _wrong_packed(module, single, tokens)) is not None:
        return Engine(single, head, (*notes, f"one sequence per call: {why}"))
    return Engine(PackedBody(module), head, tuple(notes))


def _in_int8(engine: Engine) -> Engine:
    body, head, notes = engine
    layers = Int8Layers(body.module)
    if not len(layers):
        raise InputError("precision: int8 needs linear layers of torch, and this model has none")
    if isinstance(head, LinearHead):
        return Engine(type(body)(body.module, layers), Int8Head.of(head), notes)
    return Engine(type(body)(body.module, layers), head, (*notes, "the last projection is not in 8 bits"))


def _module_and_head(model: Any, tokens: Tokens, logits: Tensor) -> tuple[Any, Head]:
    decoder, head = model.get_decoder(), linear_head(model)
    if head is None or decoder is model:
        return model, LogitsHead()
    hidden = _run(SingleBody(decoder), [Piece(tokens)])
    if hidden.shape[-1] != head.weight.shape[1] or not _same(head.logits(hidden), logits):
        return model, LogitsHead()
    return decoder, head


def _unpackable(model: Any, module: Any, max_length: int) -> str | None:
    """What in the configuration speaks against packing, or None."""
    if not getattr(model, "_supports_attention_backend", False):
        return "its attention cannot be replaced"
    if "position_ids" not in inspect.signature(module.forward).parameters:
        return "it takes no position_ids"
    config = module.config.get_text_config()
    for name in ("sliding_window", "attention_chunk_size"):
        width = getattr(config, name, None)
        used = getattr(config, "use_sliding_window", True)
        if width is not None and used and width < max_length:
            return f"{name} {width} is shorter than max_length {max_length}"
    # Such an embedding looks at the longest sequence of a call to choose the frequencies of all.
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    for part in (rope, *(value for value in rope.values() if isinstance(value, dict))):
        if (kind := part.get("rope_type")) in ("dynamic", "longrope"):
            name = "original_max_position_embeddings"
            limit = part.get(name) or getattr(config, name, None) or config.max_position_embeddings
            if limit < max_length:
                return f"its {kind} position embedding changes beyond {limit} tokens"
    return None


def _wrong_packed(module: Any, single: SingleBody, tokens: Tokens) -> str | None:
    """Compare three sequences with a common start, packed, with each alone."""
    trunk = Piece(tokens)
    branch = Piece(tokens[3:7], parents=(trunk,), start=len(tokens))
    twig = Piece(tokens[1:4], parents=(trunk, branch), start=len(tokens) + 4)
    other = Piece(tokens[2:])
    try:
        packed = _run(PackedBody(module), [trunk, branch, twig, other])
    except Unpackable as reason:
        return str(reason)
    alone = _run(single, [Piece(np.concatenate([tokens, branch.tokens, twig.tokens])), other])
    return None if _same(packed, alone) else "packed, its results differ"


def _some_tokens(model: Any) -> Tokens:
    """Twelve different tokens from the middle of the vocabulary, away from the special ones."""
    size = model.get_input_embeddings().weight.shape[0]
    tokens: Tokens = ((np.arange(12) * 7 + size // 4) % size).astype(np.int32)
    return tokens


def _run(body: PackedBody | SingleBody, batch: Sequence[Piece]) -> Tensor:
    with torch.inference_mode():
        out = body.hidden([*batch], ())
    release([*batch], (), ())
    return out


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal up to rounding; what goes wrong here goes wrong by far more."""
    tolerance = 1e-3 if a.dtype in (torch.float32, torch.float64) else 5e-2
    return bool((a - b).float().norm() <= tolerance * b.float().norm())
