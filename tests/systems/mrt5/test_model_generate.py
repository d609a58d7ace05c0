"""Generation: against transformers' T5, with a cache and without, batched and alone, greedy to beams."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mrt5_cases import example, make
from test_model_checkpoints import byt5
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.mrt5 import MrT5ForConditionalGeneration

NEW = 9
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "beams": {"num_beams": 3, "do_sample": False},
    "sampling": {"do_sample": True, "top_k": 20},
    "two of four beams": {"num_beams": 4, "num_return_sequences": 2, "do_sample": False},
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def generate(model: Any, ids: Tensor, **options: Any) -> Tensor:
    torch.manual_seed(3)
    options = {"max_new_tokens": NEW} | options
    return model.generate(ids, **options)


@EVERY_WAY
def test_as_transformers(tmp_path: Path, way: dict[str, Any]) -> None:
    theirs = byt5(tmp_path)
    ours = MrT5ForConditionalGeneration.from_pretrained(tmp_path)
    ids, mask, _ = example()
    expected = generate(theirs, ids, attention_mask=mask.long(), **way)
    assert torch.equal(generate(ours, ids, attention_mask=mask.long(), **way), expected)
    assert torch.equal(generate(ours, ids, **way), expected)  # pads are not tokens


@EVERY_WAY
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("softmax1", [False, True])
def test_cache(way: dict[str, Any], hard: bool, softmax1: bool) -> None:
    model = make(use_softmax1=softmax1)
    ids, _, _ = example()
    cached = generate(model, ids, hard_delete=hard, **way)
    assert torch.equal(cached, generate(model, ids, hard_delete=hard, use_cache=False, **way))
    assert len(torch.unique(cached, dim=0)) > 1


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("way", ["greedy", "beams"])
def test_batched_is_one_by_one(way: str, hard: bool) -> None:
    model = make()
    ids, mask, _ = example()
    together = generate(model, ids, hard_delete=hard, **WAYS[way])
    for b in range(len(ids)):
        alone = generate(model, ids[b : b + 1, mask[b]], hard_delete=hard, **WAYS[way])[0]
        padded = torch.zeros_like(together[b])
        padded[: len(alone)] = alone
        assert torch.equal(together[b], padded)


def test_steps_are_the_logits_of_forward() -> None:
    model = make()
    ids, _, _ = example()
    result = generate(model, ids, return_dict_in_generate=True, output_logits=True)
    with torch.no_grad():
        logits = model(ids, decoder_input_ids=result.sequences[:, :-1]).logits
    torch.testing.assert_close(torch.stack(result.logits, 1), logits, rtol=1e-5, atol=1e-5)


def test_defaults_follow_the_mode() -> None:
    model = make()
    ids, _, _ = example()
    soft, hard = (generate(model, ids, hard_delete=hard) for hard in (False, True))
    assert not torch.equal(soft, hard)
    assert torch.equal(generate(model, ids), hard)
    assert torch.equal(generate(model.train(), ids), soft)


def test_threshold() -> None:
    model = make()
    ids, _, _ = example()
    assert not torch.equal(generate(model, ids), generate(model, ids, deletion_threshold=-29.0))


def test_everything_deleted() -> None:
    model = make()
    ids, _, _ = example()
    rows = generate(model, ids, deletion_threshold=0.0, num_beams=2)
    assert (rows == rows[0]).all()  # nothing is left to tell the inputs apart


def test_prompts_of_the_decoder() -> None:
    model = make()
    ids, _, labels = example()
    prompt = model.prepare_decoder_input_ids_from_labels(labels)
    result = generate(model, ids, decoder_input_ids=prompt, decoder_attention_mask=torch.ones_like(prompt))
    assert torch.equal(result[:, : prompt.shape[1]], prompt)
    assert torch.equal(result, generate(model, ids, decoder_input_ids=prompt, use_cache=False))


@torch.no_grad()
def test_cache_by_hand() -> None:
    model = make()
    ids, _, labels = example()
    decoder_ids = model.prepare_decoder_input_ids_from_labels(labels)
    whole = model(ids, decoder_input_ids=decoder_ids).logits
    encoded = model.encoder(ids)
    first = model(encoder_outputs=encoded, decoder_input_ids=decoder_ids[:, :3], use_cache=True)
    assert first.cache is first.past_key_values
    assert first.cache.get_seq_length() == 3
    rest = model(
        encoder_outputs=encoded, decoder_input_ids=decoder_ids[:, 3:], past_key_values=first.past_key_values
    )
    joined = torch.cat([first.logits, rest.logits], dim=1)
    torch.testing.assert_close(joined, whole, rtol=1e-5, atol=1e-5)
    mask = torch.ones_like(decoder_ids)
    mask[0, -1] = 0
    with pytest.raises(InputError, match=r"^decoder_attention_mask: expected only ones with a cache"):
        model(ids, decoder_input_ids=decoder_ids, decoder_attention_mask=mask, use_cache=True)


@torch.no_grad()
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
def test_encoder_alone(hard: bool) -> None:
    model = make(keep_gate_bias=True)
    ids, mask, labels = example()
    whole = model(ids, mask, labels=labels, hard_delete=hard)
    encoded = model.encoder(ids, mask, hard_delete=hard)
    for name in ("gate_values", "gate_logits", "keep", "n_kept"):
        assert torch.equal(encoded[name], whole[name])
    assert torch.equal(encoded.last_hidden_state, whole.encoder_last_hidden_state)
    output = model(labels=labels, encoder_outputs=encoded)
    assert torch.equal(output.logits, whole.logits)
    assert torch.equal(model.encoder(ids, mask, hard_delete=hard, return_dict=False)[0], encoded[0])
    with pytest.raises(
        InputTypeError, match=r"^encoder_outputs: expected what model.encoder returns, got tuple"
    ):
        model(labels=labels, encoder_outputs=(encoded[0],))


def test_unknown_arguments_are_refused() -> None:
    model = make()
    ids, _, _ = example()
    with pytest.raises(ValueError, match="hard_deletion"):
        generate(model, ids, hard_deletion=True)
