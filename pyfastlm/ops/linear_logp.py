"""Log-probabilities of target tokens straight from hidden states, without ever holding the logits."""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pyfastlm._threads import num_threads
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.ops._dispatch import Impl, choose
from pyfastlm.ops.reference import linear_logp as reference

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class LinearLogp(NamedTuple):
    """What :func:`linear_logp` returns; ``argmax`` and ``entropy`` are ``None`` unless asked for.

    ``logp`` [N] float32, nats. ``argmax`` [N] int64, lowest index among equals. ``entropy`` [N] float32, nats.
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
        Gradients reach ``hidden``, ``weight`` and ``bias``. On a GPU a target outside [0, V) gives NaN instead
        of an error, because checking it would wait for the device.

    Raises:
        InputError, InputTypeError: a shape, dtype, device or target is wrong.
        Unavailable: ``impl`` cannot run here.

    Source: the online log-sum-exp of Milakov and Gimelshein (2018); fusing it with the projection follows
    Cut Cross-Entropy (Wijmans et al., 2024).
    """
    softcap_value = _check(hidden, weight, targets, bias, softcap, logit_scale)
    chosen = choose(impl, hidden.device)
    if chosen == "reference":
        logp, best, spread = reference.linear_logp(
            hidden, weight, targets, bias=bias, softcap=softcap, logit_scale=logit_scale
        )
    else:
        # With the weights frozen, the native forward pass also gives d logp / d hidden for one more product.
        trained = [t for t in (weight, bias) if t is not None and t.requires_grad]
        slope = (
            chosen == "native"
            and torch.is_grad_enabled()
            and hidden.requires_grad
            and not (trained or argmax or entropy)
        )
        logp, best, spread, _, _ = torch.ops.pyfastlm.linear_logp(
            hidden, weight, targets, bias, softcap_value, float(logit_scale), argmax, entropy, slope, chosen
        )
    return LinearLogp(logp, best if argmax else None, spread if entropy else None)


def _check(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
) -> float:
    """Refuse what the kernels could not survive; return the soft cap as they take it, 0 for none."""
    tensors = {"hidden": hidden, "weight": weight, "targets": targets, "bias": bias}
    for name, tensor in tensors.items():
        if tensor is None and name == "bias":
            continue
        if not isinstance(tensor, Tensor):
            raise InputTypeError(f"{name}: expected a torch tensor, got {type(tensor).__name__}")
        if tensor.device != hidden.device:
            raise InputError(f"{name}: expected the device of hidden, {hidden.device}, got {tensor.device}")
        if tensor.layout != torch.strided:
            raise InputTypeError(f"{name}: expected a dense tensor, got layout {tensor.layout}")
        if name != "targets" and tensor.dtype not in FLOATS:
            raise InputTypeError(
                f"{name}: expected float32, bfloat16, float16 or float64, got {tensor.dtype}"
            )
        if name != "targets" and (tensor.dtype == torch.float64) != (hidden.dtype == torch.float64):
            raise InputTypeError(
                f"{name}: expected float64 exactly when hidden is, got {tensor.dtype} beside {hidden.dtype}"
            )
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
    if softcap is not None and not 0 < softcap < float("inf"):
        raise InputError(f"softcap: expected a positive finite number or None, got {softcap}")
    if not abs(logit_scale) < float("inf"):
        raise InputError(f"logit_scale: expected a finite number, got {logit_scale}")
    return 0.0 if softcap is None else float(softcap)


def _check_targets(targets: Tensor, vocab: int) -> None:
    wrong = ((targets < 0) | (targets >= vocab)) & (targets != reference.IGNORE)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise InputError(
            f"targets: expected values in [0, {vocab}) or {reference.IGNORE}, got {int(targets[row])} in row {row}"
        )


# --- the torch operators: opaque to torch.compile, so that everything above traces -------------------------------

_library = torch.library.Library("pyfastlm", "FRAGMENT")
_library.define(
    "linear_logp(Tensor hidden, Tensor weight, Tensor targets, Tensor? bias, float softcap, float logit_scale, "
    "bool argmax, bool entropy, bool slope, str impl) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_library.define(
    "linear_logp_backward(Tensor grad_logp, Tensor? grad_entropy, Tensor hidden, Tensor weight, Tensor targets, "
    "Tensor? bias, float softcap, float logit_scale, Tensor lse, Tensor entropy, bool grad_hidden, "
    "bool grad_weight, bool grad_bias, str impl) -> (Tensor, Tensor, Tensor)"
)


def compute_dtype(hidden: Tensor) -> torch.dtype:
    """The dtype of every sum and result: float32, or float64 for float64 inputs."""
    return torch.float64 if hidden.dtype == torch.float64 else torch.float32


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
    dtype = compute_dtype(hidden)
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
    outputs = _fake_forward(hidden, weight, targets, bias, softcap, logit_scale, argmax, entropy, slope, impl)
    if impl == "triton":
        from pyfastlm.kernels import linear_logp as kernel

        logp, best, spread, lse = kernel.forward(
            hidden.contiguous(),
            weight.contiguous(),
            targets.contiguous(),
            None if bias is None else bias.contiguous(),
            softcap or None,
            logit_scale,
            argmax,
            entropy,
        )
        return logp, best, spread, lse, outputs[4]
    _check_targets(targets, weight.shape[0])
    native = _Native(hidden, weight, targets, bias, softcap, logit_scale)
    native.forward(*outputs)
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
    if impl == "triton":
        from pyfastlm.kernels import linear_logp as kernel

        grads = kernel.backward(
            grad_logp.contiguous(),
            None if grad_entropy is None else grad_entropy.contiguous(),
            hidden.contiguous(),
            weight.contiguous(),
            targets.contiguous(),
            None if bias is None else bias.contiguous(),
            softcap or None,
            logit_scale,
            lse,
            entropy,
            grad_hidden,
            grad_weight,
            grad_bias,
        )
        return cast(
            tuple[Tensor, Tensor, Tensor], tuple(hidden.new_empty(0) if g is None else g for g in grads)
        )
    native = _Native(hidden, weight, targets, bias, softcap, logit_scale)
    return native.backward(grad_logp, grad_entropy, lse, entropy, grad_hidden, grad_weight, grad_bias)


class _Native:
    """One call into C++: holds the tensors in the layout that the kernels read, and knows their addresses."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        bias: Tensor | None,
        softcap: float,
        logit_scale: float,
    ) -> None:
        from pyfastlm import _native

        self.module = _native
        self.dtype = compute_dtype(hidden)
        self.given = (hidden, weight, bias)
        self.hidden = hidden.detach().to(self.dtype).contiguous()
        self.weight = weight.detach().resolve_neg().contiguous()
        self.targets = targets.contiguous()
        self.bias = None if bias is None else bias.detach().to(self.dtype).contiguous()
        rows, dim = hidden.shape
        self.inputs = _native.LinearLogpInputs(
            rows,
            dim,
            weight.shape[0],
            self.hidden.data_ptr(),
            self.weight.data_ptr(),
            str(weight.dtype).removeprefix("torch."),
            _address(self.bias),
            self.targets.data_ptr(),
            softcap,
            logit_scale,
        )

    def forward(self, logp: Tensor, argmax: Tensor, entropy: Tensor, lse: Tensor, slope: Tensor) -> None:
        self.module.linear_logp_forward(
            self.inputs,
            *map(_address, (logp, lse, argmax, entropy, slope)),
            num_threads(),
        )

    def backward(
        self,
        grad_logp: Tensor,
        grad_entropy: Tensor | None,
        lse: Tensor,
        entropy: Tensor,
        grad_hidden: bool,
        grad_weight: bool,
        grad_bias: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        hidden, weight, bias = self.given
        into_hidden = torch.empty_like(self.hidden) if grad_hidden else self.hidden.new_empty(0)
        into_weight = torch.empty_like(self.weight) if grad_weight else self.weight.new_empty(0)
        into_bias = torch.empty_like(self.bias) if grad_bias and self.bias is not None else lse.new_empty(0)
        upstream = (grad_logp.to(self.dtype).contiguous(), _contiguous(grad_entropy, self.dtype))
        self.module.linear_logp_backward(
            self.inputs,
            lse.data_ptr(),
            _address(entropy),
            *map(_address, upstream),
            *map(_address, (into_hidden, into_weight, into_bias)),
            num_threads(),
        )
        return (
            into_hidden.to(hidden.dtype),
            into_weight,
            into_bias.to(hidden.dtype if bias is None else bias.dtype),
        )


def _contiguous(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype).contiguous()


def _address(tensor: Tensor | None) -> int:
    """Address of the first number, 0 for an absent or empty tensor."""
    return 0 if tensor is None or tensor.numel() == 0 else tensor.data_ptr()


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, weight, targets, bias, softcap, logit_scale, _, entropy, slope, impl = inputs
    _, best, spread, lse, slopes = output
    ctx.mark_non_differentiable(best, lse, slopes)
    ctx.save_for_backward(hidden, weight, targets, bias, lse, spread, slopes)
    ctx.options = (softcap, logit_scale, impl)
    ctx.entropy, ctx.slope = entropy, slope
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
    if ctx.slope:
        assert grad_logp is not None  # the only output with a gradient on this path
        return ((grad_logp.unsqueeze(1) * slopes).to(hidden.dtype), None, None, None, *none)
    needs = ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.needs_input_grad[3]
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
    to_hidden, to_weight, to_bias = (g if needed else None for g, needed in zip(grads, needs, strict=True))
    return (to_hidden, to_weight, None, to_bias, *none)


_library.impl("linear_logp", _forward, "CompositeExplicitAutograd")
_library.impl("linear_logp_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake("pyfastlm::linear_logp", _fake_forward, lib=_library)
torch.library.register_fake("pyfastlm::linear_logp_backward", _fake_backward, lib=_library)
torch.library.register_autograd("pyfastlm::linear_logp", _differentiate, setup_context=_save, lib=_library)
