"""``generate``: how the model meets the loop of transformers."""

from typing import Any

from torch import Tensor

from pyfastlm.mrt5._transformers import CACHE, GenerationMixin
from pyfastlm.mrt5.cache import DecoderCache
from pyfastlm.mrt5.output import MrT5Output


class MrT5GenerationMixin(GenerationMixin):  # type: ignore[misc]
    """Greedy search, sampling and beam search on a cache of our own.

    The encoder runs once, with hard deletion in evaluation mode; its output is padded to the longest input
    after deletion, and its mask goes along.
    """

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # transformers makes none; forward does, at the first step

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        *,
        encoder_outputs: Any = None,
        decoder_attention_mask: Tensor | None = None,
        use_cache: bool | None = None,
        cache: DecoderCache | None = None,
        past_key_values: DecoderCache | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Arguments of ``forward`` for the next step; what concerned the encoder is left behind."""
        cache = past_key_values if cache is None else cache
        past = 0 if cache is None else cache.get_seq_length()
        mask = decoder_attention_mask
        return {
            "decoder_input_ids": input_ids[:, past:],
            "decoder_attention_mask": None if mask is None else mask[:, past:],
            "encoder_outputs": encoder_outputs,
            "past_key_values": cache,
            "use_cache": use_cache,
        }

    def _update_model_kwargs_for_generation(
        self, outputs: MrT5Output, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, *args, **kwargs
        )
        if outputs.cache is not None:
            updated[CACHE] = outputs.cache
        return updated
