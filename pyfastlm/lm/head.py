"""From hidden states to log-probabilities, without logits wherever the last projection is a plain one."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from pyfastlm.ops.linear_logp import LinearLogp, linear_logp

ROWS_OF_LOGITS = 64  # how many are held where the runner-up has to be found


class Choices(NamedTuple):
    """What a model would choose in place of the targets of :meth:`Head.choose`.

    ``token`` [n] int64: the most probable one, the lowest among equals. ``close`` [n] bool: whether another
    rounding might have decided otherwise about the target: it is chosen, and the logit of the second best is
    nearer than ``within``; or it is not, and its logit is nearer than that to the best, or (if ``runner_up``
    is asked for) that of the second best is.
    """

    token: Tensor
    close: Tensor


class Head(Protocol):
    """The last step of a model."""

    def logp(self, outputs: Tensor, targets: Tensor, *, greedy: bool) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities [n] float32 of ``targets`` [n] int64, given what the body put out [n, D].

        With ``greedy`` also whether each target is the most probable token [n] bool.
        """
        ...

    def choose(self, outputs: Tensor, targets: Tensor, *, within: float, runner_up: bool = False) -> Choices:
        """What greedy decoding chooses, given what the body put out [n, D], beside ``targets`` [n] int64."""
        ...

    def logits(self, outputs: Tensor) -> Tensor:
        """[n, V], in the dtype of ``outputs``."""
        ...


@dataclass(frozen=True)
class LinearHead:
    """``softcap(scale * (hidden @ weight.T + bias))``; weight [V, D], bias [V]."""

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None

    def live(self, model: Any) -> "LinearHead":
        """The same with the weights that ``model`` has now, to which gradients flow."""
        last = model.get_output_embeddings()
        return replace(self, weight=last.weight, bias=last.bias)

    def logp(self, outputs: Tensor, targets: Tensor, *, greedy: bool) -> tuple[Tensor, Tensor | None]:
        """See :class:`Head`."""
        result = self.predictions(outputs, targets, argmax=greedy)
        return result.logp.float(), None if result.argmax is None else result.argmax == targets

    def choose(self, outputs: Tensor, targets: Tensor, *, within: float, runner_up: bool = False) -> Choices:
        """See :class:`Head`."""
        logp, token, _ = self.predictions(outputs, targets, argmax=True)
        assert token is not None
        close = self._logit(outputs, token) - self._logit(outputs, targets) < within
        hit = token == targets
        close &= ~hit
        # A second best so near leaves the best hardly half of all probability; few hits have so little.
        doubtful = hit & (logp <= -math.log1p(math.exp(-within)) + 1e-3)
        if runner_up:
            doubtful |= ~hit
        for rows in doubtful.nonzero()[:, 0].split(ROWS_OF_LOGITS):
            best, second = self.logits(outputs[rows]).float().topk(2, dim=-1).values.T
            close[rows] = best - second < within
        return Choices(token, close)

    def logits(self, outputs: Tensor) -> Tensor:
        """See :class:`Head`."""
        return self._capped(torch.nn.functional.linear(outputs, self.weight, self.bias) * self.scale)

    def _logit(self, outputs: Tensor, tokens: Tensor) -> Tensor:
        """[n], of one token in each row."""
        z = (outputs.float() * self.weight[tokens].float()).sum(-1)
        if self.bias is not None:
            z += self.bias[tokens].float()
        return self._capped(z * self.scale)

    def _capped(self, z: Tensor) -> Tensor:
        return z if self.softcap is None else self.softcap * torch.tanh(z / self.softcap)

    def predictions(
        self, outputs: Tensor, targets: Tensor, *, argmax: bool = False, entropy: bool = False
    ) -> LinearLogp:
        """What :func:`pyfastlm.ops.linear_logp` says of ``targets`` [n], given outputs [n, D] of the body."""
        return self._fused(
            outputs,
            targets,
            # The op adds the bias after scaling.
            bias=None if self.bias is None else self.bias * self.scale,
            softcap=self.softcap,
            logit_scale=self.scale,
            argmax=argmax,
            entropy=entropy,
        )

    def _fused(self, outputs: Tensor, targets: Tensor, **options: Any) -> LinearLogp:
        return linear_logp(outputs, self.weight, targets, **options)


class LogitsHead:
    """For models whose last step is not known: the body puts out their own logits, all V of them."""

    def logp(self, outputs: Tensor, targets: Tensor, *, greedy: bool) -> tuple[Tensor, Tensor | None]:
        """See :class:`Head`."""
        every = torch.log_softmax(outputs.float(), dim=-1)
        logp = every.gather(1, targets[:, None])[:, 0]
        return logp, every.argmax(dim=-1) == targets if greedy else None

    def choose(self, outputs: Tensor, targets: Tensor, *, within: float, runner_up: bool = False) -> Choices:
        """See :class:`Head`."""
        logits = outputs.float()
        token = logits.argmax(dim=-1)
        best, second = logits.topk(2, dim=-1).values.T
        if not runner_up:
            second = torch.where(token == targets, second, logits.gather(1, targets[:, None])[:, 0])
        return Choices(token, best - second < within)

    def logits(self, outputs: Tensor) -> Tensor:
        """See :class:`Head`."""
        return outputs


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
