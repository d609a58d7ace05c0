"""From hidden states to log-probabilities, without logits wherever the last projection is a plain one."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pyfastlm.ops.linear_logp import linear_logp


class Head(Protocol):
    """The last step of a model."""

    def logp(self, outputs: Tensor, targets: Tensor, *, greedy: bool) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities [n] float32 of ``targets`` [n] int64, given what the body put out [n, D].

        With ``greedy`` also whether each target is the most probable token [n] bool.
        """
        ...


@dataclass(frozen=True)
class LinearHead:
    """``softcap(scale * (hidden @ weight.T + bias))``; weight [V, D], bias [V]."""

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None

    def logp(self, outputs: Tensor, targets: Tensor, *, greedy: bool) -> tuple[Tensor, Tensor | None]:
        """See :class:`Head`."""
        result = linear_logp(
            outputs,
            self.weight,
            targets,
            # The op adds the bias after scaling.
            bias=None if self.bias is None else self.bias * self.scale,
            softcap=self.softcap,
            logit_scale=self.scale,
            argmax=greedy,
        )
        return result.logp.float(), None if result.argmax is None else result.argmax == targets

    def logits(self, hidden: Tensor) -> Tensor:
        """[n, V]; to compare with the model's own."""
        z = torch.nn.functional.linear(hidden, self.weight, self.bias) * self.scale
        return z if self.softcap is None else self.softcap * torch.tanh(z / self.softcap)


class LogitsHead:
    """For models whose last step is not known: the body puts out their own logits, all V of them."""

    def logp(self, outputs: Tensor, targets: Tensor, *, greedy: bool) -> tuple[Tensor, Tensor | None]:
        """See :class:`Head`."""
        every = torch.log_softmax(outputs.float(), dim=-1)
        logp = every.gather(1, targets[:, None])[:, 0]
        return logp, every.argmax(dim=-1) == targets if greedy else None


def linear_head(model: Any) -> LinearHead | None:
    """The head that the configuration describes; None where the last module is not a plain linear layer.

    A guess: whether ``model`` computes just this is for the caller to check.
    """
    last = model.get_output_embeddings()
    if type(last) is not torch.nn.Linear:
        return None
    config = model.config.get_text_config()
    scale = 1.0
    if (factor := getattr(config, "logit_scale", None)) is not None:  # Cohere
        scale = float(factor)
    if (divisor := getattr(config, "logits_scaling", None)) is not None:  # Granite
        scale /= float(divisor)
    bias = None if last.bias is None else last.bias.detach()
    return LinearHead(last.weight.detach(), bias, scale, getattr(config, "final_logit_softcapping", None))
