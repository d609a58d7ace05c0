"""Weights to begin with."""

from torch import nn

from pyfastlm.mrt5.layers import Embedding, Linear, RMSNorm


def initialize(module: nn.Module, factor: float) -> None:
    """Draw the weights that ``module`` itself holds: T5's deviations times ``factor``; the original's gate.

    A linear layer with a bias is of a gate or of a boundary predictor, which T5 does not have: Xavier's.

    transformers draws an untied ``lm_head`` with deviation 1, so that first logits have sqrt(d_model); here
    it is 1/sqrt(d_model). Leaves alone are looked at: in models that are not its own, transformers 5 passes
    over a module without weights of its own.

    Source: Raffel et al. (2020) as in transformers' ``T5PreTrainedModel``; the gate as in
    ``models/modeling_mrt5.py``.
    """
    if isinstance(module, RMSNorm):
        nn.init.constant_(module.weight, factor)
    elif isinstance(module, Linear) and module.first_bias is not None:
        nn.init.xavier_uniform_(module.weight)
        nn.init.constant_(module.bias, module.first_bias)
    elif isinstance(module, nn.Conv1d):
        module.reset_parameters()  # torch's own, as the original leaves them
    elif isinstance(module, Linear | Embedding):
        nn.init.normal_(module.weight, std=factor * module.std)
