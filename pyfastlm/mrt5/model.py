"""MrT5 with its language-modelling head."""

import os
import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.mrt5._transformers import AutoConfig, AutoModelForSeq2SeqLM, PreTrainedModel
from pyfastlm.mrt5.cache import DecoderCache
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.decoder import Decoder
from pyfastlm.mrt5.encoder import Encoder, memory_of
from pyfastlm.mrt5.generation import MrT5GenerationMixin
from pyfastlm.mrt5.initialization import initialize
from pyfastlm.mrt5.layers import Embedding, Linear
from pyfastlm.mrt5.output import MrT5EncoderOutput, MrT5Output
from pyfastlm.ops import Packed, uncompact

IGNORED = -100  # label that no loss counts
# Weights that a ByT5 does not have.
_SHORTENING = re.compile(r"\.(delete_gate|down_ln|boundary_predictor|downsampling_module)\.")


class MrT5ForConditionalGeneration(PreTrainedModel, MrT5GenerationMixin):  # type: ignore[misc]
    """A byte-level T5 that deletes bytes inside its encoder.

    Everything runs on packed rows: no pad is computed, no [H, L, L] tensor made. A row of the result does not
    depend on what else is in the batch. Names of weights are those of ByT5's and MrT5's checkpoints, which
    ``from_pretrained`` takes; ``save_pretrained`` writes the same.

    Where it differs from the original: attention weights have no dropout, since they never exist. Hidden
    states and logits of pads are zeros. An input may lose all its tokens: the decoder then attends to nothing
    and gets zeros, with softmax1 and without. ``lm_head`` starts with deviation 1/sqrt(d_model).

    ``torch.compile`` runs it in pieces: the graph breaks where lengths become numbers (docs/mrt5.md).

    Source: Kallini et al. (2024), https://github.com/jkallini/mrt5; backbone Xue et al. (2022).
    """

    config_class = MrT5Config
    base_model_prefix = "transformer"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False  # tells the Trainer that the loss is a mean over the micro-batch
    _no_split_modules = ("EncoderBlock", "BoundaryBlock", "ConvolutionBlock", "DecoderBlock")
    _keep_in_fp32_modules = ("wo",)
    _tied_weights_keys = {  # noqa: RUF012 (transformers reads it from the class)
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    }
    _keys_to_ignore_on_load_missing = (r"embed_tokens\.weight",)

    def __init__(self, config: MrT5Config) -> None:
        super().__init__(config)
        self.shared = Embedding(config.vocab_size, config.d_model, std=1.0)
        self.encoder = Encoder(config, self.shared)
        self.decoder = Decoder(config, self.shared)
        self.lm_head = Linear(config.d_model, config.vocab_size)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: MrT5EncoderOutput | None = None,
        past_key_values: DecoderCache | None = None,
        use_cache: bool | None = None,
        hard_delete: bool | None = None,
        deletion_threshold: float | None = None,
        return_dict: bool = True,
        **refused: Any,
    ) -> Any:
        """Encode, decode, and score.

        Args:
            input_ids: [B, L] integers; not needed with ``encoder_outputs``.
            attention_mask: [B, L], 0 where there is no token; None for where ``input_ids`` is a pad. A pad
                inside the mask is seen up to the gate, which always deletes it. Pooling takes it for a token.
            decoder_input_ids: [B, T]; None for ``labels``, one place later.
            labels: [B, T] int64; -100 does not count.
            decoder_attention_mask: [B, T], 0 where there is no token: no logits there, and no loss. None for
                all of them.
            encoder_outputs: what ``encoder`` returned, with its masks; the arguments above and below that
                concern the encoder are not looked at then.
            past_key_values: a cache, extended in place; ``decoder_input_ids`` are those after it.
            use_cache: make a cache where there is none.
            hard_delete: remove the rows that the gate deletes; else gates weigh on attention. None: in
                evaluation mode only. With hard deletion no gradient of the loss reaches the gate (unless
                ``keep_gate_bias``). Pooling always merges, and always learns.
            deletion_threshold: a token is kept if its G is above; None for the configuration's.
            return_dict: False for a tuple of what is not None.

        Returns:
            :class:`MrT5Output`. The loss is taken in float32; NaN where no label counts.

        Raises:
            InputError, InputTypeError: a shape, dtype, id or number is wrong, or an argument is not one of
                these and not false.
        """
        for name, value in refused.items():
            if value is not None and value is not False:
                raise InputError(f"{name}: MrT5 has no such argument")
        if encoder_outputs is None:
            if input_ids is None:
                raise InputError("input_ids: expected a tensor, or encoder_outputs in its place")
            encoded, memory = self.encoder.encode(input_ids, attention_mask, hard_delete, deletion_threshold)
        else:
            if not isinstance(encoder_outputs, MrT5EncoderOutput):
                kind = type(encoder_outputs).__name__
                raise InputTypeError(f"encoder_outputs: expected what model.encoder returns, got {kind}")
            encoded, memory = encoder_outputs, memory_of(encoder_outputs)
        if decoder_input_ids is None:
            if labels is None:
                raise InputError("decoder_input_ids: expected a tensor, or labels in its place")
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        cache = past_key_values
        if cache is None and use_cache:
            cache = DecoderCache(self.config.num_decoder_layers)
        decoded = self.decoder(decoder_input_ids, decoder_attention_mask, memory, cache)
        scores = Packed(self.lm_head(decoded.values), decoded.positions, decoded.cu_seqlens, decoded.length)
        logits = uncompact(scores)
        output = MrT5Output(
            loss=None if labels is None else _loss(logits, labels, decoder_attention_mask),
            logits=logits,
            gate_values=encoded.gate_values,
            gate_logits=encoded.gate_logits,
            keep=encoded.keep,
            n_kept=encoded.n_kept,
            boundary_loss=encoded.boundary_loss,
            encoder_last_hidden_state=encoded.last_hidden_state,
            encoder_attention_mask=encoded.attention_mask,
            cache=cache,
        )
        return output if return_dict else output.to_tuple()

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """``labels`` [B, T] one place later, the start token first, pads for -100."""
        shifted = labels.roll(1, dims=-1).masked_fill(
            labels.roll(1, dims=-1) == IGNORED, self.config.pad_token_id
        )
        shifted[..., 0] = self.config.decoder_start_token_id
        return shifted

    @property
    def deletion_generator(self) -> torch.Generator | None:
        """Where ``random`` gates, gate noise and boundaries draw from; None for torch's global generator."""
        return self.encoder.deletion_generator

    @deletion_generator.setter
    def deletion_generator(self, generator: torch.Generator | None) -> None:
        self.encoder.deletion_generator = generator

    def get_input_embeddings(self) -> nn.Embedding:
        """The embedding of encoder and decoder."""
        return self.shared

    def get_output_embeddings(self) -> nn.Module:
        """The last projection, with weights of its own."""
        return self.lm_head

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: "str | os.PathLike[str] | None", *args: Any, **kwargs: Any
    ) -> Any:
        """Load a checkpoint of this class, of the original, or of ByT5; arguments as in transformers.

        Keys of :class:`MrT5Config` among the keywords override those of config.json.

        Raises:
            InputError: see :class:`MrT5Config`; or weights are missing. Only a gate or a pooling may be, and
                only where the checkpoint has neither: then it is a fresh one.
        """
        wanted = kwargs.pop("output_loading_info", False)
        model, info = super().from_pretrained(
            pretrained_model_name_or_path, *args, output_loading_info=True, **kwargs
        )
        missing, unexpected = sorted(info["missing_keys"]), info["unexpected_keys"]
        shortens = any(_SHORTENING.search(name) for name in unexpected)
        if lacking := [name for name in missing if shortens or not _SHORTENING.search(name)]:
            raise InputError(f"checkpoint: expected weights {lacking[0]!r}, and there are none")
        return (model, info) if wanted else model

    def _init_weights(self, module: nn.Module) -> None:
        initialize(module, self.config.initializer_factor)


def _loss(logits: Tensor, labels: Tensor, mask: Tensor | None) -> Tensor:
    """Mean cross-entropy in nats: logits [B, T, V], labels [B, T]."""
    if labels.shape != logits.shape[:2]:
        raise InputError(f"labels: expected {list(logits.shape[:2])}, got shape {list(labels.shape)}")
    counted = labels if mask is None else labels.masked_fill(mask == 0, IGNORED)
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return F.cross_entropy(wide.flatten(0, 1), counted.flatten(), ignore_index=IGNORED)


AutoConfig.register(MrT5Config.model_type, MrT5Config, exist_ok=True)
AutoModelForSeq2SeqLM.register(MrT5Config, MrT5ForConditionalGeneration, exist_ok=True)
