"""TRL's trainer for pairs, on our way to read them."""

import contextlib
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError, Unavailable
from pyfastlm.lm.loading import LM
from pyfastlm.lm.runner import context_length
from pyfastlm.preference.fused import FusedHead
from pyfastlm.preference.policy import Policy

trl: Any = require("trl", "preference")
FITS = (1, 16)  # what this was written and tested against; it relies on what TRL does not promise
COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")


class APOTrainer(trl.DPOTrainer):  # type: ignore[misc]
    """``trl.DPOTrainer`` with the same arguments, losses and metrics; prompts are read once for both answers,
    nothing is padded, and logits are held of no token.

    Choose the loss by ``DPOConfig(loss_type="apo_zero")`` (or ``apo_down``, or any other that TRL has). A
    data set that has the columns ``ref_chosen_logps`` and ``ref_rejected_logps`` already (see
    :func:`pyfastlm.preference.references.trl_rows`) keeps them under ``precompute_ref_log_probs=True``.

    Attributes:
        notes: what the model does not allow, and why; empty for most. Where its last projection is not a
            plain one, TRL's own way stays in place.

    Raises:
        Unavailable: TRL has another version; :func:`pyfastlm.preference.train` needs none.
        InputError: the data has images, or the model is no causal LM.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        found = tuple(int(part) for part in trl.__version__.split(".")[:2])
        if found != FITS:
            wanted = ".".join(map(str, FITS))
            raise Unavailable(
                f"APOTrainer fits TRL {wanted}, found {trl.__version__}; pyfastlm.preference.train needs none"
            )
        self.notes: tuple[str, ...] = ()
        self._heads: dict[int, FusedHead] = {}
        super().__init__(*args, **kwargs)
        if self._is_vision_dataset:
            raise InputError("train_dataset: expected texts alone, got images; use trl.DPOTrainer")
        self._fuse()

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """One portion of a step, forward and backward."""
        with contextlib.ExitStack() as stack:
            for head in self._heads.values():
                head.keeping = stack
            try:
                return super().training_step(*args, **kwargs)
            finally:
                for head in self._heads.values():
                    head.keeping = None

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        if all(column in (dataset.column_names or ()) for column in COLUMNS):
            return dataset
        self._fuse()  # the trainer is not made yet
        return super()._precompute_ref_logps(dataset, name, batch_size)

    def _fuse(self) -> None:
        """Put our head over TRL's, in each model once."""
        for given in (self.model, self.ref_model):
            if given is None:
                continue
            model = self.accelerator.unwrap_model(given)
            model = model.get_base_model() if hasattr(model, "get_base_model") else model
            if id(model) in self._heads:
                continue
            training = model.training
            longest = self.args.max_length or context_length(LM(model, self._tokenizer, "model"))
            policy = Policy(model.eval(), longest)
            model.train(training)
            self.notes = policy.notes
            if policy.head() is not None:
                head = FusedHead(policy, trl.trainer.utils.FusedCausalLMOutput)
                head.install()
                self._heads[id(model)] = head
