"""Training by transformers' own Trainer with less memory: no padding, and logits of no token."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.lm.training.attention import register_attention
    from pyfastlm.lm.training.trainer import Trainer

__all__ = ["Trainer", "register_attention"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "attention": ("register_attention",),
        "trainer": ("Trainer",),
    },
)
