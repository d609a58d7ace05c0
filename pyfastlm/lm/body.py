"""Hidden states of a batch of pieces, by transformers' own modules."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pyfastlm._require import require
from pyfastlm.lm.attention import Layout, unknown
from pyfastlm.lm.int8 import Int8Layers
from pyfastlm.lm.packing import Batch, Piece
from pyfastlm.ops import linear


class Body(Protocol):
    """Everything of a model below its last projection."""

    shares: bool
    """Whether pieces may have parents."""

    def hidden(self, batch: Batch, later: Sequence[Piece]) -> Tensor:
        """[N, D], with N the tokens of the batch; ``later`` as in :class:`Layout`."""
        ...


class Attention(Protocol):
    """Tokens in one row, and what each of them sees; :class:`Layout` is one."""

    tokens: Tensor
    """[N] int64"""
    positions: Tensor
    """[N] int64, of each token in its sequence"""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
        """See :meth:`Layout.attend`."""
        ...


class PackedBody:
    """One call per batch: pieces end to end in one row, attention replaced by :meth:`Layout.attend`."""

    shares = True

    def __init__(self, module: Any, layers: Int8Layers | None = None) -> None:
        self.module = module
        self._layers = layers

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        found: torch.device = self.module.device
        return found

    def hidden(self, batch: Batch, later: Sequence[Piece]) -> Tensor:
        """See :class:`Body`."""
        return self.laid(Layout(batch, later, self.module.device, self.module.dtype))

    def laid(self, layout: Attention) -> Tensor:
        """[N, D] of the tokens of a layout, which says what each of them sees."""
        with _attending(self.module.config, layout), _Products(self._layers):
            return _output(
                self.module,
                input_ids=layout.tokens[None],
                position_ids=layout.positions[None],
                use_cache=False,
            )

    @contextlib.contextmanager
    def recomputing(self, batch: Batch) -> Iterator[None]:
        """In it, a backward pass may run layers of :meth:`hidden` of ``batch`` again, by `checkpoint`."""
        layout = Layout(batch, (), self.module.device, self.module.dtype)
        with _attending(self.module.config, layout):
            yield


class SingleBody:
    """One call per piece, the model exactly as it is: for models that may not be packed."""

    shares = False

    def __init__(self, module: Any, layers: Int8Layers | None = None) -> None:
        self.module = module
        self._layers = layers

    def hidden(self, batch: Batch, later: Sequence[Piece]) -> Tensor:
        """See :class:`Body`."""
        rows = [torch.from_numpy(piece.tokens).long().to(self.module.device)[None] for piece in batch]
        with _Products(self._layers):
            return torch.cat([_output(self.module, input_ids=row, use_cache=False) for row in rows])


def _output(module: Any, **inputs: Any) -> Tensor:
    """What comes last: hidden states of a decoder, logits of a whole model; without the batch dimension."""
    out = module(**inputs)
    result: Tensor = out.logits if hasattr(out, "logits") else out.last_hidden_state
    return result[0]


class _Products(TorchFunctionMode):
    """Linear layers by :func:`pyfastlm.ops.linear` while it is entered, or those of ``layers`` in 8 bits."""

    def __init__(self, layers: Int8Layers | None = None) -> None:
        super().__init__()
        self._layers = layers

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        if self._layers is not None:
            self._layers.forget()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self._layers is not None:
            if func is F.linear and args[1] in self._layers:
                bias = args[2] if len(args) > 2 else (kwargs or {}).get("bias")
                return self._layers.product(args[0], args[1], bias)
            if func is torch.addmm and args[2] in self._layers:  # GPT-2's layers
                return self._layers.product(args[1], args[2], args[0])
        # Tensors of other kinds know their own product, and autocast chooses its dtype.
        if func is F.linear and not types and not torch.is_autocast_enabled(args[0].device.type):
            return linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def checkpoint(function: Any, *inputs: Any) -> Any:
    """``function(*inputs)``, run again in the backward pass: with the same products as it is run now."""
    products = (contextlib.nullcontext(), _Products())
    return torch.utils.checkpoint.checkpoint(
        function, *inputs, use_reentrant=False, context_fn=lambda: products
    )


_ATTENTION = "pyfastlm_packed"
# By the identity of a configuration: a backward pass may run layers again, in a thread of its own.
_layouts: dict[int, Attention] = {}


class Unpackable(Exception):
    """The model's attention does something that packing does not know; the message says what."""


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention function in the form that transformers calls."""
    if (name := unknown(options)) is not None:
        raise Unpackable(f"its attention has {name}")
    return _layouts[id(module.config)].attend(module.layer_idx, query, key, value, scaling), None


@contextlib.contextmanager
def _attending(config: Any, layout: Attention) -> Iterator[None]:
    functions = require("transformers", "lm").AttentionInterface
    functions.register(_ATTENTION, _attention)
    usual, outer = config._attn_implementation, _layouts.get(id(config))
    config._attn_implementation = _ATTENTION
    _layouts[id(config)] = layout
    try:
        yield
    finally:
        config._attn_implementation = usual
        if outer is None:
            del _layouts[id(config)]
        else:
            _layouts[id(config)] = outer
