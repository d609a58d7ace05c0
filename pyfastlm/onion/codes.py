"""What interventions, probes and scores ask of a model: a GRU, or a code that is known."""

from typing import Protocol

from torch import Tensor

from pyfastlm.onion.model import CopierConfig


class Speaker(Protocol):
    """Says the tokens that a state [B, N] stands for, of sequences with ``lengths`` [B]."""

    def decode(self, state: Tensor, tokens: Tensor, lengths: Tensor, /) -> Tensor:
        """Logits [B, L, V] of ``tokens`` [B, L], given the true ones before each."""

    def generate(self, state: Tensor, lengths: Tensor, /) -> Tensor:
        """Tokens [B, max(lengths)], given those it said itself; 0 past a length."""


class Code(Speaker, Protocol):
    """Also makes the states."""

    def encode(self, tokens: Tensor, lengths: Tensor, /) -> Tensor:
        """States [B, N] of ``tokens`` [B, L]."""


class Coder(Protocol):
    """A model that can be frozen."""

    @property
    def config(self) -> CopierConfig:
        """Its shape."""

    def frozen(self) -> Code:
        """What it computes, without gradients to anything but a state."""
