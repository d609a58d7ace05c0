"""The configuration of MrT5: T5's names and the original's keys, none of them guessed."""

import math
from typing import Any, get_args

from pyfastlm.errors import InputError
from pyfastlm.mrt5._transformers import PretrainedConfig
from pyfastlm.mrt5.kinds import DeletionType

# What decides the numbers of a model; a config.json that lacks one of these is refused.
T5_KEYS = (
    "vocab_size",
    "d_model",
    "d_kv",
    "d_ff",
    "num_layers",
    "num_decoder_layers",
    "num_heads",
    "relative_attention_num_buckets",
    "layer_norm_epsilon",
    "feed_forward_proj",
)
MRT5_KEYS = (
    "deletion_type",
    "sigmoid_mask_scale",
    "deletion_threshold",
    "delete_gate_layer",
    "gate_layer_norm",
    "use_softmax1",
    "use_gumbel_noise",
    "has_absolute_position_embeddings",
)
OUR_KEYS = (
    "keep_gate_bias",
    "random_deletion_probability",
    "fixed_deletion_amount",
    "boundary_prior",
    "boundary_temperature",
    "convolution_rate",
)


class MrT5Config(PretrainedConfig):  # type: ignore[misc]
    """Everything that decides what an MrT5 computes; the defaults are ByT5-small with the paper's gate.

    Args:
        vocab_size, d_model, d_kv, d_ff, num_layers, num_decoder_layers, num_heads: of T5; the inner width of
            attention is ``num_heads * d_kv``, not ``d_model``.
        relative_attention_num_buckets, relative_attention_max_distance: of T5's relative bias.
        dropout_rate, layer_norm_epsilon, initializer_factor: of T5.
        feed_forward_proj: only ``gated-gelu``, as ByT5 has it.
        pad_token_id, eos_token_id, decoder_start_token_id: ids.
        deletion_type: the gate. ``scaled_sigmoid``: G = k sigmoid(-z). ``log_sigmoid``: G = log sigmoid(z).
            ``random`` and ``fixed``: baselines without weights. ``boundary`` and ``convolution``: baselines
            without a gate, which merge neighbours (BPT5, CanineT5). None: plain ByT5.
        sigmoid_mask_scale: k, below 0; also the G of whatever is deleted for sure.
        deletion_threshold: a token is kept if G is *above* it.
        delete_gate_layer: g, the index of the encoder block at whose entry the gate sits, or the pooling.
        gate_layer_norm: whether the gate normalises what it reads, with a norm of its own.
        use_softmax1: attention that may attend to nothing, in all of the model.
        use_gumbel_noise: add -log(-log U) to z in training.
        has_absolute_position_embeddings: the original's key; only False.
        keep_gate_bias: hard deletion leaves G on the keys that survive. The original sets it to 0.
        random_deletion_probability: of ``random``, from 0 to 1.
        fixed_deletion_amount: of ``fixed``, the fraction of each segment, from 0 to 1.
        boundary_prior: of ``boundary``, the fraction of rows that should be left, between 0 and 1.
        boundary_temperature: of ``boundary``, of the relaxed draws in training, above 0.
        convolution_rate: of ``convolution``, how many neighbours make one row.
        tie_word_embeddings: only False: ByT5's last projection has weights of its own.

    Raises:
        InputError: a value is out of range; and in ``from_pretrained`` and ``from_dict``, a key that decides
            the numbers is missing.

    ``from_pretrained`` of a ByT5 checkpoint (``model_type`` t5) gives a model without a gate, or with a fresh
    one (or a fresh pooling) where the caller passes ``deletion_type``.

    Source: ``models/configuration_mrt5.py``; defaults of ``train.py`` where the two differ (k, g).
    """

    model_type = "mrt5"
    keys_to_ignore_at_inference = ("cache", "past_key_values")
    attribute_map = {  # noqa: RUF012 (transformers reads it from the class)
        "hidden_size": "d_model",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "num_layers",
        "head_dim": "d_kv",
    }

    def __init__(
        self,
        *,
        vocab_size: int = 384,
        d_model: int = 1472,
        d_kv: int = 64,
        d_ff: int = 3584,
        num_layers: int = 12,
        num_decoder_layers: int = 4,
        num_heads: int = 6,
        relative_attention_num_buckets: int = 32,
        relative_attention_max_distance: int = 128,
        dropout_rate: float = 0.1,
        layer_norm_epsilon: float = 1e-6,
        initializer_factor: float = 1.0,
        feed_forward_proj: str = "gated-gelu",
        pad_token_id: int = 0,
        eos_token_id: int = 1,
        decoder_start_token_id: int = 0,
        deletion_type: DeletionType | None = "scaled_sigmoid",
        sigmoid_mask_scale: float = -30.0,
        deletion_threshold: float = -15.0,
        delete_gate_layer: int = 3,
        gate_layer_norm: bool = True,
        use_softmax1: bool = True,
        use_gumbel_noise: bool = False,
        has_absolute_position_embeddings: bool = False,
        keep_gate_bias: bool = False,
        random_deletion_probability: float | None = None,
        fixed_deletion_amount: float | None = None,
        boundary_prior: float = 0.2,
        boundary_temperature: float = 0.5,
        convolution_rate: int = 4,
        tie_word_embeddings: bool = False,
        is_encoder_decoder: bool = True,
        **rest: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in _OF_THE_MODEL}
        super().__init__(
            pad_token_id=pad_token_id,
            eos_token_id=eos_token_id,
            decoder_start_token_id=decoder_start_token_id,
            tie_word_embeddings=tie_word_embeddings,
            is_encoder_decoder=is_encoder_decoder,
            **rest,
        )
        for name, value in given.items():
            setattr(self, name, value)
        _check(self)

    @classmethod
    def get_config_dict(cls, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a directory's config.json says, a T5's in MrT5's terms."""
        found, rest = super().get_config_dict(*args, **kwargs)
        return (_from_t5(found) if found.get("model_type") == "t5" else found), rest

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """A configuration from its keys, of which ``kwargs`` override some.

        Raises:
            InputError: a key that decides the numbers is missing, or ``model_type`` is another.
        """
        kind = config_dict.get("model_type", cls.model_type)
        if kind == "t5":
            config_dict = _from_t5(config_dict)
        elif kind != cls.model_type:
            raise InputError(f"model_type: expected 'mrt5' or 't5' (ByT5), got {kind!r}")
        overrides = {name: kwargs.pop(name) for name in _OF_THE_MODEL if name in kwargs}
        found = config_dict | overrides
        if missing := [name for name in (*T5_KEYS, *MRT5_KEYS) if name not in found]:
            names = repr(missing[0]) + f" and {len(missing) - 1} more" * (len(missing) > 1)
            raise InputError(
                f"config: expected the key {names}; without it the checkpoint could mean another model: add "
                "it to config.json or pass it"
            )
        return super().from_dict(found, **kwargs)


_OF_THE_MODEL = (
    *T5_KEYS,
    "relative_attention_max_distance",
    "dropout_rate",
    "initializer_factor",
    "pad_token_id",
    "eos_token_id",
    "decoder_start_token_id",
    *MRT5_KEYS,
    *OUR_KEYS,
    "tie_word_embeddings",
    "is_encoder_decoder",
)


def _from_t5(found: dict[str, Any]) -> dict[str, Any]:
    """The keys of a ByT5 as those of an MrT5 without a gate."""
    # transformers 5 writes tie_word_embeddings true for every T5; only this other key still tells.
    if found.get("tie_word_embeddings", True) and found.get("scale_decoder_outputs", True):
        raise InputError(
            "tie_word_embeddings: expected false, as in ByT5 and T5 v1.1; a T5 whose last projection is its "
            "embedding also scales its logits, which MrT5 does not"
        )
    layers = {"num_decoder_layers": found.get("num_decoder_layers") or found.get("num_layers")}
    without = {
        "deletion_type": None,
        "sigmoid_mask_scale": -30.0,
        "deletion_threshold": -15.0,
        "delete_gate_layer": 3,
        "gate_layer_norm": True,
        "use_softmax1": False,
        "use_gumbel_noise": False,
        "has_absolute_position_embeddings": False,
    }
    dropped = ("scale_decoder_outputs", "dense_act_fn", "is_gated_act", "classifier_dropout", "architectures")
    kept = {name: value for name, value in found.items() if name not in dropped}
    return kept | layers | without | {"model_type": MrT5Config.model_type, "tie_word_embeddings": False}


def _check(config: Any) -> None:
    """Refuse values that no MrT5 has, the first of them by name."""
    for name in (*T5_KEYS[:-2], "relative_attention_max_distance"):
        _expect(config, name, _is_integer(getattr(config, name), 1), "an integer of at least 1")
    buckets, radius = config.relative_attention_num_buckets, config.relative_attention_max_distance
    _expect(
        config, "relative_attention_num_buckets", buckets % 2 == 0 and buckets >= 4, "even and at least 4"
    )
    _expect(config, "relative_attention_max_distance", radius > buckets // 2, f"more than {buckets // 2}")
    for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id"):
        value = getattr(config, name)
        is_id = _is_integer(value, 0) and value < config.vocab_size
        _expect(config, name, is_id, f"an id below vocab_size, {config.vocab_size}")
    for name in ("layer_norm_epsilon", "initializer_factor"):
        _expect(config, name, _is_number(getattr(config, name), 0, open_below=True), "a number above 0")
    dropout = config.dropout_rate
    _expect(config, "dropout_rate", _is_number(dropout, 0, 1) and dropout < 1, "from 0 to below 1")
    _expect(config, "feed_forward_proj", config.feed_forward_proj == "gated-gelu", "'gated-gelu'")
    for name in ("tie_word_embeddings", "has_absolute_position_embeddings"):
        _expect(config, name, getattr(config, name) is False, "False")
    _expect(config, "is_encoder_decoder", config.is_encoder_decoder is True, "True")
    for name in ("gate_layer_norm", "use_softmax1", "use_gumbel_noise", "keep_gate_bias"):
        _expect(config, name, isinstance(getattr(config, name), bool), "True or False")
    _check_deletion(config)


def _check_deletion(config: Any) -> None:
    kinds = get_args(DeletionType)
    known = config.deletion_type is None or config.deletion_type in kinds
    _expect(config, "deletion_type", known, f"None or one of {', '.join(kinds)}")
    scale = config.sigmoid_mask_scale
    _expect(config, "sigmoid_mask_scale", _is_number(scale) and scale < 0, "a number below 0")
    _expect(config, "deletion_threshold", _is_number(config.deletion_threshold), "a finite number")
    _expect(config, "delete_gate_layer", _is_integer(config.delete_gate_layer, 0), "an integer of at least 0")
    if config.deletion_type is not None:
        inside = config.delete_gate_layer < config.num_layers
        _expect(config, "delete_gate_layer", inside, f"a block of the encoder, which has {config.num_layers}")
    for name, kind in (("random_deletion_probability", "random"), ("fixed_deletion_amount", "fixed")):
        value = getattr(config, name)
        right = _is_number(value, 0, 1) or (value is None and config.deletion_type != kind)
        _expect(config, name, right, f"from 0 to 1 where deletion_type is {kind!r}")
    prior = config.boundary_prior
    between = _is_number(prior, 0, open_below=True) and prior < 1
    _expect(config, "boundary_prior", between, "a number between 0 and 1")
    warm = _is_number(config.boundary_temperature, 0, open_below=True)
    _expect(config, "boundary_temperature", warm, "a number above 0")
    _expect(config, "convolution_rate", _is_integer(config.convolution_rate, 1), "an integer of at least 1")


def _expect(config: Any, name: str, right: bool, expected: str) -> None:
    if not right:
        raise InputError(f"{name}: expected {expected}, got {getattr(config, name)!r}")


def _is_integer(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(
    value: object, least: float = -math.inf, most: float = math.inf, open_below: bool = False
) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return number and least <= value <= most and not (open_below and value == least)  # type: ignore[operator]
