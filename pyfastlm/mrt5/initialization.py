"""Weights to begin with."""

from torch import nn

from pyfastlm.mrt5.layers import Embedding, Linear, RMSNorm


def initialize(module: nn.Module, factor: float) -> None:
    """Draw the weights that ``module`` itself holds: T5's deviations times ``factor``; the original's gate.

    transformers draws an untied ``lm_head`` with deviation 1, so that first logits have sqrt(d_model); here
    it is 1/sqrt(d_model). Leaves alone are looked at: in models that are not its own, transformers 5 passes
    over a module without weights of its own.

    Source: Raffel et al. (2020) as in transformers' ``T5PreTrainedModel``; the gate as in
    ``models/modeling_mrt5.py``.
    """
    if isinstance(module, RMSNorm):
        nn.init.constant_(module.weight, factor)
    elif isinstance(module, Linear) and module.bias is not None:  # the gate's: keeps, to begin with
        nn.init.xavier_uniform_(module.weight)
        nn.init.constant_(module.bias, 1.0)
    elif isinstance(module, Linear | Embedding):
        nn.init.normal_(module.weight, std=factor * module.std)
