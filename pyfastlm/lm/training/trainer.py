"""transformers' Trainer for causal language models, with a loss that needs no logits."""

import inspect
from typing import Any

import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm import engine
from pyfastlm.lm.head import LinearHead
from pyfastlm.lm.next_token import causal_loss

require("accelerate", "training")
transformers: Any = require("transformers", "training")
REMEDY = "use transformers.Trainer"


class Trainer(transformers.Trainer):  # type: ignore[misc]
    """``transformers.Trainer`` with the same arguments, for causal LMs whose last projection is linear.

    The loss is the model's own, and comes from hidden states by :func:`pyfastlm.ops.linear_logp`: there are
    logits of no token. Labels of -100, accumulated gradients, tied embeddings, adapters of PEFT, checkpoints
    and the loss in evaluation are as in transformers.

    Raises:
        InputError: the model is not causal, or its last projection is no plain linear layer; or an argument
            needs logits or another way to run the model (label smoothing, a loss of its own, metrics of
            predictions, torch.compile, FSDP, DeepSpeed, several GPUs in one process).
        MissingExtra: transformers or accelerate is not installed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refuse()
        model = self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)  # of an earlier training
        self._bare = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._head = _head(self._bare)
        self._read: list[Any] = []  # what the model's body puts out
        self.compute_loss_func = self._loss

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch, as in ``transformers.Trainer``; the outputs beside it have no logits."""
        none = torch.empty(0, dtype=torch.long, device=self.args.device)
        hook = self._bare.get_decoder().register_forward_hook(lambda *call: self._read.append(call[-1]))
        try:
            return super().compute_loss(model, {**inputs, "logits_to_keep": none}, *args, **kwargs)
        finally:
            hook.remove()
            self._read.clear()

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> Any:
        """The loss of a batch that is not learnt from."""
        if not prediction_loss_only:
            raise InputError("prediction_loss_only: expected True, predictions are logits; " + REMEDY)
        return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)

    def _loss(self, _: Any, labels: Tensor | None, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        if labels is None:
            raise InputError("labels: expected some in every batch, got none")
        hidden = self._read[-1][0]
        if hidden.shape[:2] != labels.shape:
            shape, got = list(hidden.shape[:2]), list(labels.shape)
            raise InputError(f"labels: expected one for each token that the model reads, {shape}, got {got}")
        return causal_loss(self._head.live(self._bare), hidden, labels, num_items_in_batch)

    def _refuse(self) -> None:
        given: dict[str, Any] = {"fsdp": self.is_fsdp_enabled, "deepspeed": self.is_deepspeed_enabled}
        for owner, names in (
            (self.args, ("label_smoothing_factor", "use_liger_kernel", "torch_compile")),
            (self, ("compute_loss_func", "compute_metrics", "model_init")),
        ):
            given |= {name: getattr(owner, name) for name in names}
        for name, value in given.items():
            if value:
                raise InputError(f"{name}: expected none, got {value!r}; {REMEDY}")
        if self.args.n_gpu > 1:
            raise InputError(f"n_gpu: expected one GPU for each process, got {self.args.n_gpu}; use torchrun")


def _head(model: Any) -> LinearHead:
    training = model.training
    model.eval()  # how it computes is found out by comparing, where dropout would be in the way
    head = engine.build(model, 1).head
    model.train(training)
    if not isinstance(head, LinearHead):
        raise InputError("model: expected a plain linear layer as its last projection; " + REMEDY)
    if "logits_to_keep" not in inspect.signature(model.forward).parameters:
        raise InputError("model: expected its forward pass to take logits_to_keep; " + REMEDY)
    return head
