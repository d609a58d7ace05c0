"""The residual stream of a causal LM: read between its blocks, and run on from any of them."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm import engine
from pyfastlm.lm.head import LinearHead
from pyfastlm.memorization.blocks import blocks_of


class Recorded(NamedTuple):
    """A run of B rows: what was between the blocks, and how each next token fared.

    Attributes:
        states: [levels, B, T, D].
        logp: [B, T - 1] float32, nats.
        greedy: [B, T - 1] whether the token is the most probable one.
    """

    states: Tensor
    logp: Tensor
    greedy: Tensor


class Stream:
    """A model as blocks that read and write one stream of states [B, T, D].

    Level 0 is what enters the first block (the embeddings), level l what leaves block l. The blocks are found
    by their number, not by the name of the architecture.

    Raises:
        InputError: the model is not a causal LM, or its blocks cannot be found.
    """

    def __init__(self, model: Any, length: int) -> None:
        self.head = engine.build(model, length).head
        self.module = model.get_decoder() if isinstance(self.head, LinearHead) else model
        self.blocks = blocks_of(model)
        self.levels = len(self.blocks) + 1
        self.device = model.device
        self._sizes: list[int | None] = []  # of the tuple that each block returns; None: a bare tensor

    @torch.inference_mode()
    def record(self, tokens: Tensor) -> Recorded:
        """Run ``tokens`` [B, T] and keep every level."""
        states: list[Tensor] = []
        sizes: list[int | None] = []

        def enters(module: Any, args: Any, kwargs: Any) -> None:
            states.append((args[0] if args else kwargs["hidden_states"]).clone())

        def leaves(module: Any, args: Any, out: Any) -> None:
            sizes.append(len(out) if isinstance(out, tuple) else None)
            states.append((out[0] if isinstance(out, tuple) else out).clone())

        with contextlib.ExitStack() as hooks:
            hooks.enter_context(_hook(self.blocks[0].register_forward_pre_hook(enters, with_kwargs=True)))
            for block in self.blocks:
                hooks.enter_context(_hook(block.register_forward_hook(leaves)))
            logp, greedy = self._next(tokens, 1)
        if len(states) != self.levels or any(state.ndim != 3 for state in states):
            raise InputError("lm: expected a model whose blocks hand on one stream of states, each run once")
        self._sizes = sizes
        return Recorded(torch.stack(states), logp, greedy)

    @torch.inference_mode()
    def resume(self, tokens: Tensor, level: int, states: Tensor, first: int) -> Tensor:
        """[B, T - first] float32, nats: how probable the tokens from ``first`` on are after other states.

        The stream at ``level`` is ``states`` [B, T, D]; the blocks below are not run. Call :meth:`record`
        before.
        """
        with contextlib.ExitStack() as changes:
            if level == 0:
                changes.enter_context(_hook(_entering(self.blocks[0], states)))
            for block, size in zip(self.blocks[:level], self._sizes, strict=False):
                changes.enter_context(_returning(block, states, size))
            return self._next(tokens, first)[0]

    def _next(self, tokens: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """[B, T - first] log-probabilities of the tokens from ``first`` on, and which are greedy."""
        outputs, targets = self._outputs(tokens)[:, first - 1 : -1], tokens[:, first:]
        flat = outputs.reshape(-1, outputs.shape[-1])
        logp, greedy = self.head.logp(flat, targets.reshape(-1), greedy=True)
        assert greedy is not None
        return logp.view(targets.shape), greedy.view(targets.shape)

    def _outputs(self, tokens: Tensor) -> Tensor:
        out = self.module(input_ids=tokens, use_cache=False)
        found: Tensor = out.logits if hasattr(out, "logits") else out.last_hidden_state
        return found

    @torch.inference_mode()
    def continued(self, prompt: Tensor, count: int) -> Tensor:
        """``prompt`` [T] with the ``count`` tokens that greedy decoding writes after it."""
        tokens = prompt[None]
        for _ in range(count):
            logits = self.head.logits(self._outputs(tokens)[:, -1])
            tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], 1)
        return tokens[0]


def _entering(block: torch.nn.Module, states: Tensor) -> Any:
    def enter(module: Any, args: Any, kwargs: Any) -> Any:
        if args:
            return (states, *args[1:]), kwargs
        return args, kwargs | {"hidden_states": states}

    return block.register_forward_pre_hook(enter, with_kwargs=True)


@contextlib.contextmanager
def _returning(block: Any, states: Tensor, size: int | None) -> Iterator[None]:
    """``block`` does nothing but put out ``states``."""
    out = states if size is None else (states, *[None] * (size - 1))
    block.forward = lambda *args, **kwargs: out
    try:
        yield
    finally:
        del block.forward  # of the instance: that of its class is back


@contextlib.contextmanager
def _hook(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
