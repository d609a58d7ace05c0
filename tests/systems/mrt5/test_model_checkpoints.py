"""Names of weights, saving and loading: ours, the original's, ByT5's; and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mrt5_cases import SMALL, example, make
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModelForSeq2SeqLM, T5Config, T5ForConditionalGeneration

from pyfastlm.errors import InputError
from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration

ALIASES = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
DELETED = (
    "deletion_type",
    "sigmoid_mask_scale",
    "deletion_threshold",
    "delete_gate_layer",
    "gate_layer_norm",
    "use_softmax1",
    "use_gumbel_noise",
    "has_absolute_position_embeddings",
    "num_heads",
    "d_kv",
    "layer_norm_epsilon",
)


def names(layers: int, decoder_layers: int, gate: int | None) -> set[str]:
    """As the original has them."""
    found = {"shared.weight", "lm_head.weight", *ALIASES}
    for stack, count in (("encoder", layers), ("decoder", decoder_layers)):
        attention = {"layer.0.SelfAttention": "layer.0"}
        if stack == "decoder":
            attention["layer.1.EncDecAttention"] = "layer.1"
        last = f"layer.{len(attention)}"
        for i in range(count):
            for name, layer in attention.items():
                found |= {f"{stack}.block.{i}.{name}.{part}.weight" for part in "qkvo"}
                found.add(f"{stack}.block.{i}.{layer}.layer_norm.weight")
            found |= {
                f"{stack}.block.{i}.{last}.DenseReluDense.{part}.weight" for part in ("wi_0", "wi_1", "wo")
            }
            found.add(f"{stack}.block.{i}.{last}.layer_norm.weight")
        found.add(f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
        found.add(f"{stack}.final_layer_norm.weight")
    if gate is not None:
        gates = ("layer_norm.weight", "feed_forward.weight", "feed_forward.bias")
        found |= {f"encoder.block.{gate}.delete_gate.{part}" for part in gates}
    return found


def rewrite(directory: Path, **changes: Any) -> None:
    """Change keys of config.json; those that become ... are left out."""
    path = directory / "config.json"
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in found.items() if value is not ...}))


def same(a: MrT5ForConditionalGeneration, b: MrT5ForConditionalGeneration) -> bool:
    ids, _, labels = example()
    with torch.no_grad():
        return torch.equal(a(ids, labels=labels).logits, b(ids, labels=labels).logits)


@pytest.mark.parametrize("gate", [None, 1, 3])
def test_names(gate: int | None) -> None:
    changes = {"deletion_type": None} if gate is None else {"delete_gate_layer": gate}
    assert set(make(**changes).state_dict()) == names(4, 2, gate)


def test_shapes_of_the_gate() -> None:
    gate = make().encoder.block[2].delete_gate
    shapes = {name: tuple(weight.shape) for name, weight in gate.named_parameters()}
    assert shapes == {
        "layer_norm.weight": (48,),
        "feed_forward.weight": (1, 48),
        "feed_forward.bias": (1,),
    }
    assert sum(w.numel() for w in gate.parameters()) == 2 * 48 + 1


def test_lm_head_is_not_the_embedding() -> None:
    model = make()
    assert model.lm_head.weight.data_ptr() != model.shared.weight.data_ptr()
    for stack in (model.encoder, model.decoder):
        assert stack.embed_tokens.weight is model.shared.weight
    with torch.no_grad():
        ids, _, labels = example()
        output = model(ids, labels=labels)
        model.lm_head.weight.mul_(2)
        torch.testing.assert_close(model(ids, labels=labels).logits, 2 * output.logits)  # no scale in between


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"deletion_type": None, "use_softmax1": False},
        {"deletion_type": "log_sigmoid", "deletion_threshold": -0.5, "keep_gate_bias": True},
        {"deletion_type": "fixed", "fixed_deletion_amount": 0.4},
    ],
    ids=lambda changes: ", ".join(changes) or "defaults",
)
def test_round_trip(tmp_path: Path, changes: dict[str, Any]) -> None:
    model = make(**changes)
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert set(saved) == set(model.state_dict()) - ALIASES
    found, info = MrT5ForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert type(found) is MrT5ForConditionalGeneration
    for name in (*DELETED, "keep_gate_bias", "fixed_deletion_amount", "decoder_start_token_id"):
        assert getattr(found.config, name) == getattr(model.config, name)
    assert same(model, found)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["model_type"] == "mrt5"
    assert not {name for name in DELETED if name not in written}
    assert written["tie_word_embeddings"] is False


def test_auto_classes(tmp_path: Path) -> None:
    model = make()
    model.save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is MrT5Config
    found = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert type(found) is MrT5ForConditionalGeneration
    assert same(model, found)


def test_a_state_dict_with_all_names(tmp_path: Path) -> None:
    """As torch.save of the original writes it: aliases included."""
    model, other = make(seed=0), make(seed=1)
    assert not same(model, other)
    state = {name: weight.clone() for name, weight in model.state_dict().items()}
    assert set(state) == names(4, 2, 2)
    other.load_state_dict(state)
    assert same(model, other)
    model.save_pretrained(tmp_path)
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    assert same(model, MrT5ForConditionalGeneration.from_pretrained(tmp_path))


def test_an_original_config(tmp_path: Path) -> None:
    """What the original writes has none of our keys."""
    model = make()
    model.save_pretrained(tmp_path)
    rewrite(
        tmp_path,
        keep_gate_bias=...,
        random_deletion_probability=...,
        fixed_deletion_amount=...,
        transformers_version="4.39.1",
        torch_dtype="float32",
        is_gated_act=True,
        dense_act_fn="gelu_new",
        classifier_dropout=0.0,
        use_cache=True,
    )
    assert same(model, MrT5ForConditionalGeneration.from_pretrained(tmp_path))


@pytest.mark.parametrize("name", DELETED)
def test_a_missing_key_is_refused(tmp_path: Path, name: str) -> None:
    make().save_pretrained(tmp_path)
    rewrite(tmp_path, **{name: ...})
    for load in (MrT5ForConditionalGeneration, MrT5Config, AutoConfig, AutoModelForSeq2SeqLM):
        with pytest.raises(InputError, match=rf"^config: expected the key '{name}'; without it"):
            load.from_pretrained(tmp_path)


def test_a_missing_key_can_be_passed(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    rewrite(tmp_path, delete_gate_layer=..., sigmoid_mask_scale=...)
    with pytest.raises(InputError, match=r"'sigmoid_mask_scale' and 1 more;"):
        MrT5Config.from_pretrained(tmp_path)
    config = MrT5Config.from_pretrained(tmp_path, delete_gate_layer=2, sigmoid_mask_scale=-10.0)
    assert config.delete_gate_layer == 2
    assert config.sigmoid_mask_scale == -10


def test_overrides(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    model = MrT5ForConditionalGeneration.from_pretrained(
        tmp_path, deletion_threshold=-3.0, keep_gate_bias=True
    )
    assert model.config.deletion_threshold == -3
    assert model.config.keep_gate_bias
    with pytest.raises(InputError, match=r"^deletion_threshold: expected a finite number, got nan"):
        MrT5ForConditionalGeneration.from_pretrained(tmp_path, deletion_threshold=float("nan"))


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    whole = load_file(file)
    for name in ("lm_head.weight", "encoder.block.1.layer.1.DenseReluDense.wo.weight", "shared.weight"):
        save_file({key: value for key, value in whole.items() if key != name}, file, {"format": "pt"})
        with pytest.raises(InputError, match=r"^checkpoint: expected weights '"):
            MrT5ForConditionalGeneration.from_pretrained(tmp_path)


def test_a_gate_in_another_block_is_refused(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"^checkpoint: expected weights 'encoder.block.1.delete_gate."):
        MrT5ForConditionalGeneration.from_pretrained(tmp_path, delete_gate_layer=1)


def byt5(directory: Path) -> T5ForConditionalGeneration:
    """A ByT5 with random weights, as transformers writes it, its last projection a weight of its own."""
    shape = {name: value for name, value in SMALL.items() if name != "delete_gate_layer"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(
            T5Config(
                vocab_size=384,
                feed_forward_proj="gated-gelu",
                tie_word_embeddings=False,
                decoder_start_token_id=0,
                **shape,
            )
        ).eval()
        model.lm_head.weight = nn.Parameter(torch.randn(384, 48) / 7)
        # Of the size of a trained model's; transformers' own would make attention all but uniform.
        for name, parameter in model.named_parameters():
            if "relative_attention_bias" in name:
                nn.init.normal_(parameter)
    model.save_pretrained(directory)
    return model


def test_byt5(tmp_path: Path) -> None:
    theirs = byt5(tmp_path)
    ids, mask, labels = example()
    ours, info = MrT5ForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert ours.config.deletion_type is None
    assert ours.config.use_softmax1 is False
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask.long(), labels=labels)
        for hard in (False, True):
            output = ours(ids, labels=labels, hard_delete=hard)
            torch.testing.assert_close(output.logits, expected.logits, rtol=1e-5, atol=2e-5)
            torch.testing.assert_close(output.loss, expected.loss)
            assert output.gate_values is output.gate_logits is None
            assert torch.equal(output.keep, mask)
            hidden = expected.encoder_last_hidden_state
            torch.testing.assert_close(
                output.encoder_last_hidden_state[mask], hidden[mask], rtol=1e-5, atol=2e-5
            )


def test_byt5_as_google_wrote_it(tmp_path: Path) -> None:
    byt5(tmp_path)
    rewrite(
        tmp_path,
        tie_word_embeddings=False,
        scale_decoder_outputs=...,
        relative_attention_max_distance=...,
        gradient_checkpointing=False,
        tokenizer_class="ByT5Tokenizer",
        use_cache=True,
    )
    model = MrT5ForConditionalGeneration.from_pretrained(tmp_path)
    assert model.config.relative_attention_max_distance == 128


def test_byt5_with_a_fresh_gate(tmp_path: Path) -> None:
    byt5(tmp_path)
    model = MrT5ForConditionalGeneration.from_pretrained(
        tmp_path, deletion_type="scaled_sigmoid", delete_gate_layer=1, use_softmax1=True
    )
    gate = model.encoder.block[1].delete_gate
    assert float(gate.feed_forward.bias.detach()) == 1
    assert (gate.layer_norm.weight == 1).all()
    bound = (6 / 49) ** 0.5  # Xavier
    assert 0.8 * bound < float(gate.feed_forward.weight.detach().abs().max()) <= bound
    assert model.config.use_softmax1
    plain = MrT5ForConditionalGeneration.from_pretrained(tmp_path)
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name


def test_a_tied_t5_is_refused(tmp_path: Path) -> None:
    byt5(tmp_path)
    rewrite(tmp_path, scale_decoder_outputs=True)
    with pytest.raises(InputError, match=r"^tie_word_embeddings: expected false"):
        MrT5ForConditionalGeneration.from_pretrained(tmp_path)


def test_a_tied_head_in_the_weights_is_refused(tmp_path: Path) -> None:
    """Its config says that nothing is tied, and then there is no last projection."""
    byt5(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file({k: v for k, v in load_file(file).items() if k != "lm_head.weight"}, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"^checkpoint: expected weights 'lm_head.weight'"):
        MrT5ForConditionalGeneration.from_pretrained(tmp_path)


def test_another_model_is_refused(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    rewrite(tmp_path, model_type="llama")
    with pytest.raises(InputError, match=r"^model_type: expected 'mrt5' or 't5' \(ByT5\), got 'llama'"):
        MrT5ForConditionalGeneration.from_pretrained(tmp_path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    model = make()
    model.save_pretrained(tmp_path)
    ids, _, labels = example()
    half = MrT5ForConditionalGeneration.from_pretrained(tmp_path, dtype=dtype)
    wo = half.encoder.block[0].layer[1].DenseReluDense.wo.weight
    assert wo.dtype == (torch.float32 if dtype == torch.float16 else dtype)  # as T5
    assert half.shared.weight.dtype == dtype
    with torch.no_grad():
        exact, rounded = (
            model(ids, labels=labels, hard_delete=False),
            half(ids, labels=labels, hard_delete=False),
        )
        assert half(ids, labels=labels).loss.isfinite()
    torch.testing.assert_close(rounded.loss, exact.loss, rtol=0.02, atol=0.02)
