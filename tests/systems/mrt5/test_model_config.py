"""Configurations that are refused, one clear line each."""

import math
from typing import Any

import pytest

from pyfastlm.errors import InputError
from pyfastlm.mrt5 import MrT5Config


def test_defaults_are_byt5_small_with_the_papers_gate() -> None:
    config = MrT5Config()
    assert (config.num_heads * config.d_kv, config.d_model, config.d_ff) == (384, 1472, 3584)
    assert (config.num_layers, config.num_decoder_layers, config.vocab_size) == (12, 4, 384)
    assert (config.delete_gate_layer, config.sigmoid_mask_scale, config.deletion_threshold) == (3, -30, -15)
    assert (config.hidden_size, config.num_hidden_layers) == (1472, 12)
    assert config.tie_word_embeddings is False
    assert config.is_encoder_decoder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 0}, "vocab_size: expected an integer of at least 1, got 0"),
        ({"d_model": 32.0}, "d_model: expected an integer of at least 1, got 32.0"),
        ({"num_layers": True}, "num_layers: expected an integer of at least 1, got True"),
        ({"num_decoder_layers": None}, "num_decoder_layers: expected an integer"),
        (
            {"relative_attention_num_buckets": 31},
            "relative_attention_num_buckets: expected even and at least 4",
        ),
        ({"relative_attention_max_distance": 16}, "relative_attention_max_distance: expected more than 16"),
        ({"dropout_rate": 1.0}, "dropout_rate: expected from 0 to below 1, got 1.0"),
        ({"layer_norm_epsilon": 0}, "layer_norm_epsilon: expected a number above 0, got 0"),
        ({"initializer_factor": math.inf}, "initializer_factor: expected a number above 0, got inf"),
        ({"feed_forward_proj": "relu"}, "feed_forward_proj: expected 'gated-gelu', got 'relu'"),
        ({"pad_token_id": 384}, "pad_token_id: expected an id below vocab_size, 384, got 384"),
        ({"deletion_type": "bp"}, "deletion_type: expected None or one of scaled_sigmoid, log_sigmoid"),
        ({"sigmoid_mask_scale": 30}, "sigmoid_mask_scale: expected a number below 0, got 30"),
        ({"deletion_threshold": math.nan}, "deletion_threshold: expected a finite number, got nan"),
        (
            {"delete_gate_layer": 12},
            "delete_gate_layer: expected a block of the encoder, which has 12, got 12",
        ),
        ({"delete_gate_layer": -1}, "delete_gate_layer: expected an integer of at least 0, got -1"),
        ({"gate_layer_norm": 1}, "gate_layer_norm: expected True or False, got 1"),
        ({"use_softmax1": None}, "use_softmax1: expected True or False, got None"),
        (
            {"has_absolute_position_embeddings": True},
            "has_absolute_position_embeddings: expected False, got True",
        ),
        ({"tie_word_embeddings": True}, "tie_word_embeddings: expected False, got True"),
        ({"is_encoder_decoder": False}, "is_encoder_decoder: expected True, got False"),
        (
            {"deletion_type": "random"},
            "random_deletion_probability: expected from 0 to 1 where deletion_type",
        ),
        ({"deletion_type": "fixed"}, "fixed_deletion_amount: expected from 0 to 1 where deletion_type"),
        ({"random_deletion_probability": 1.5}, "random_deletion_probability: expected from 0 to 1"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        MrT5Config(**changes)
    assert str(caught.value).startswith(message)


def test_without_a_gate_its_place_does_not_matter() -> None:
    assert MrT5Config(deletion_type=None, num_layers=2).delete_gate_layer == 3


def test_dictionaries() -> None:
    config = MrT5Config(d_model=64, deletion_type="random", random_deletion_probability=0.25)
    again = MrT5Config.from_dict(config.to_dict())
    assert again.to_dict() == config.to_dict()
    changed = MrT5Config.from_dict(config.to_dict(), deletion_type=None)
    assert changed.deletion_type is None
