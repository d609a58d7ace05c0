"""Log-probabilities of target tokens straight from hidden states, without ever holding the logits."""

import importlib
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops import _check
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import linear_logp as reference


class LinearLogp(NamedTuple):
    """What :func:`linear_logp` returns; ``argmax`` and ``entropy`` are ``None`` unless asked for.

    ``logp`` [N] and ``entropy`` [N]: float32, nats. ``argmax`` [N]: int64, the lowest index among equals.
    """

    logp: Tensor
    argmax: Tensor | None
    entropy: Tensor | None


def linear_logp(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    softcap: float | None = None,
    logit_scale: float = 1.0,
    argmax: bool = False,
    entropy: bool = False,
    impl: Impl = "auto",
) -> LinearLogp:
    """Log-probability of each target under ``softmax(softcap(logit_scale * hidden @ weight.T + bias))``.

    Args:
        hidden: [N, D] float32, bfloat16, float16 or float64.
        weight: [V, D]; any of these dtypes (float64 exactly when ``hidden`` is). May be tied to an embedding.
        targets: [N] int64 in [0, V), or -100 for rows that give 0 and no gradient.
        bias: [V], optional.
        softcap: ``c`` in ``c * tanh(z / c)``, applied last; None for none.
        logit_scale: factor on the product, before the bias.
        argmax: also return the most probable token of each row.
        entropy: also return the entropy of each row (differentiable).
        impl: ``auto`` goes by the device; an implementation asked for by name runs or raises.

    Returns:
        :class:`LinearLogp`. Sums run in float32 (all in float64 for float64 inputs); NaN in gives NaN out.
        Gradients reach ``hidden``, ``weight`` and ``bias``. On a GPU a target outside [0, V) gives NaN
        instead of an error, because checking it would wait for the device.

    Raises:
        InputError, InputTypeError: a shape, dtype, device or target is wrong.
        Unavailable: ``impl`` cannot run here.

    Source: the online log-sum-exp of Milakov and Gimelshein (2018); fusing it with the projection follows
    Cut Cross-Entropy (Wijmans et al., 2024).
    """
    softcap_value = _check_inputs(hidden, weight, targets, bias, softcap, logit_scale)
    chosen = choose(impl, hidden.device, hidden.dtype)
    if chosen == "reference":
        logp, best, spread = reference.linear_logp(
            hidden, weight, targets, bias=bias, softcap=softcap, logit_scale=logit_scale
        )
    else:
        # For one more product the native forward pass also gives d logp / d hidden, which saves two later.
        slope = (
            chosen == "native"
            and torch.is_grad_enabled()
            and hidden.requires_grad
            and not (argmax or entropy)
        )
        logp, best, spread, _, _ = torch.ops.pyfastlm.linear_logp(
            hidden, weight, targets, bias, softcap_value, float(logit_scale), argmax, entropy, slope, chosen
        )
    return LinearLogp(logp, best if argmax else None, spread if entropy else None)


def _check_inputs(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
) -> float:
    """Refuse what the kernels could not survive; return the soft cap as they take it, 0 for none."""
    _check.floating("hidden", hidden, hidden, "hidden")
    _check.floating("weight", weight, hidden, "hidden")
    _check.dense("targets", targets, hidden, "hidden")
    if bias is not None:
        _check.floating("bias", bias, hidden, "hidden")
    if targets.dtype != torch.int64:
        raise InputTypeError(f"targets: expected int64, got {targets.dtype}")
    if hidden.ndim != 2:
        raise InputError(
            f"hidden: expected [N, D], got shape {list(hidden.shape)}; flatten leading dimensions"
        )
    rows, dim = hidden.shape
    if weight.ndim != 2 or weight.shape[1] != dim or weight.shape[0] == 0:
        raise InputError(f"weight: expected [V, {dim}] with V >= 1, got shape {list(weight.shape)}")
    if tuple(targets.shape) != (rows,):
        raise InputError(f"targets: expected [{rows}], got shape {list(targets.shape)}")
    vocab = weight.shape[0]
    if bias is not None and tuple(bias.shape) != (vocab,):
        raise InputError(f"bias: expected [{vocab}], got shape {list(bias.shape)}")
    return checked_softcap(softcap, logit_scale)


def checked_softcap(softcap: float | None, logit_scale: float) -> float:
    """The soft cap as the kernels take it, 0 for none.

    Raises:
        InputError: it, or the scale of the logits, is out of range.
    """
    if softcap is not None and not 0 < softcap < float("inf"):
        raise InputError(f"softcap: expected a positive finite number or None, got {softcap}")
    if not abs(logit_scale) < float("inf"):
        raise InputError(f"logit_scale: expected a finite number, got {logit_scale}")
    return 0.0 if softcap is None else float(softcap)


def check_targets(targets: Tensor, vocab: int) -> None:
    """Look at every target.

    Raises:
        InputError: one is neither in [0, V) nor ignored; names it and its row.
    """
    wrong = ((targets < 0) | (targets >= vocab)) & (targets != reference.IGNORE)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        expected = f"[0, {vocab}) or {reference.IGNORE}"
        raise InputError(f"targets: expected values in {expected}, got {int(targets[row])} in row {row}")


# The torch operators: opaque to torch.compile, so that everything above traces.

_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define(
    "linear_logp(Tensor hidden, Tensor weight, Tensor targets, Tensor? bias, float softcap, "
    "float logit_scale, bool argmax, bool entropy, bool slope, str impl) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_library.define(
    "linear_logp_backward(Tensor grad_logp, Tensor? grad_entropy, Tensor hidden, Tensor weight, "
    "Tensor targets, Tensor? bias, float softcap, float logit_scale, Tensor lse, Tensor entropy, "
    "bool grad_hidden, bool grad_weight, bool grad_bias, str impl) -> (Tensor, Tensor, Tensor)"
)


def _fake_forward(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    argmax: bool,
    entropy: bool,
    slope: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Outputs of the right shape, unwritten: logp, argmax, entropy, lse, slope; empty where not asked for."""
    rows, dim = hidden.shape
    dtype = reference.compute_dtype(hidden)
    return (
        hidden.new_empty(rows, dtype=dtype),
        hidden.new_empty(rows if argmax else 0, dtype=torch.int64),
        hidden.new_empty(rows if entropy else 0, dtype=dtype),
        hidden.new_empty(rows, dtype=dtype),
        hidden.new_empty((rows if slope else 0, dim), dtype=dtype),
    )


def _fake_backward(
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    lse: Tensor,
    entropy: Tensor,
    grad_hidden: bool,
    grad_weight: bool,
    grad_bias: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the right shape, unwritten: hidden, weight, bias; empty where not asked for."""
    return (
        hidden.new_empty(hidden.shape if grad_hidden else (0,)),
        weight.new_empty(weight.shape if grad_weight else (0,)),
        hidden.new_empty(0) if bias is None else bias.new_empty(bias.shape if grad_bias else (0,)),
    )


def _forward(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    argmax: bool,
    entropy: bool,
    slope: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    inputs = (hidden, weight, targets, bias, softcap, logit_scale)
    if impl == "triton":
        logp, best, spread, lse = _kernel(impl).forward(*_contiguous(inputs), argmax, entropy)
        return logp, best, spread, lse, lse.new_empty(0, hidden.shape[1])
    check_targets(targets, weight.shape[0])
    outputs = _fake_forward(*inputs, argmax, entropy, slope, impl)
    _kernel(impl).forward(*inputs, *outputs)
    return outputs


def _backward(
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float,
    logit_scale: float,
    lse: Tensor,
    entropy: Tensor,
    grad_hidden: bool,
    grad_weight: bool,
    grad_bias: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    arguments = (grad_logp, grad_entropy, hidden, weight, targets, bias, softcap, logit_scale, lse, entropy)
    grads = _kernel(impl).backward(*_contiguous(arguments), grad_hidden, grad_weight, grad_bias)
    absent = hidden.new_empty(0)
    to_hidden, to_weight, to_bias = (absent if g is None else g for g in grads)
    return to_hidden, to_weight, to_bias


def _kernel(impl: str) -> ModuleType:
    """The module behind an implementation, loaded when it is first used."""
    room = {"native": "pyfastlm.ops.native", "triton": "pyfastlm.kernels"}[impl]
    return importlib.import_module(f"{room}.linear_logp")


def _contiguous(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same arguments, tensors with rows one after the other."""
    return tuple(a.contiguous() if isinstance(a, Tensor) else a for a in arguments)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, weight, targets, bias, softcap, logit_scale, _, _, slope, impl = inputs
    _, best, spread, lse, slopes = output
    ctx.mark_non_differentiable(best, lse, slopes)
    ctx.save_for_backward(hidden, weight, targets, bias, lse, spread, slopes)
    ctx.options = (softcap, logit_scale, impl)
    ctx.slope = slope
    ctx.set_materialize_grads(False)


@once_differentiable
def _differentiate(
    ctx: Any, grad_logp: Tensor | None, _argmax: None, grad_entropy: Tensor | None, _lse: None, _slope: None
) -> tuple[Tensor | None, ...]:
    hidden, weight, targets, bias, lse, entropy, slopes = ctx.saved_tensors
    softcap, logit_scale, impl = ctx.options
    none = (None,) * 6
    if grad_logp is None and grad_entropy is None:
        return (None, None, None, None, *none)
    needs = ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.needs_input_grad[3]
    to_hidden = None
    if ctx.slope and needs[0]:
        assert grad_logp is not None  # the only output with a gradient on this path
        to_hidden = (grad_logp.unsqueeze(1) * slopes).to(hidden.dtype)
        needs = False, needs[1], needs[2]
        if not any(needs):
            return (to_hidden, None, None, None, *none)
    grads = torch.ops.pyfastlm.linear_logp_backward(
        torch.zeros_like(lse) if grad_logp is None else grad_logp,
        grad_entropy,
        hidden,
        weight,
        targets,
        bias,
        softcap,
        logit_scale,
        lse,
        entropy,
        *needs,
        impl,
    )
    recomputed, to_weight, to_bias = (g if needed else None for g, needed in zip(grads, needs, strict=True))
    return (recomputed if to_hidden is None else to_hidden, to_weight, None, to_bias, *none)


_library.impl("linear_logp", _forward, "CompositeExplicitAutograd")
_library.impl("linear_logp_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::linear_logp", _fake_forward, lib=_library)
torch.library.register_fake("pyfastlm::linear_logp_backward", _fake_backward, lib=_library)
torch.library.register_autograd("pyfastlm::linear_logp", _differentiate, setup_context=_save, lib=_library)
