"""Attention without padding inside transformers: what it computes, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from architectures import WIDTH, build
from tiny import tiny_config
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.training import register_attention

SMALL_GPT = {"n_embd": WIDTH, "n_head": 4, "n_layer": 2, "n_positions": 128, "attn_pdrop": 0.0}
HEADS = {"head_dim": 8}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"num_key_value_heads": 4}),
    "grouped queries": ("Qwen3", HEADS),
    "gpt-2": ("GPT2", SMALL_GPT),
    "gpt-neox": ("GPTNeoX", {}),
    "a window that holds all": ("Mistral", {"sliding_window": 64}),
    "two kinds of layers": ("Gemma3Text", HEADS | {"sliding_window": 64}),
    "scaled logits": ("Granite", {"logits_scaling": 4.0}),
}
LENGTHS = (3, 40, 1, 17, 8)


def sequences() -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randint(3, 400, (length,), generator=random) for length in LENGTHS]


def packed(rows: list[Tensor]) -> dict[str, Tensor]:
    return {
        "input_ids": torch.cat(rows)[None],
        "position_ids": torch.cat([torch.arange(len(row)) for row in rows])[None],
        "labels": torch.cat([row.where(torch.arange(len(row)) > 0, -100) for row in rows])[None],
    }


def padded(rows: list[Tensor]) -> dict[str, Tensor]:
    def pad(parts: list[Tensor], value: int) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=value)

    return {
        "input_ids": pad(rows, 0),
        "attention_mask": pad([torch.ones_like(row) for row in rows], 0),
        "labels": pad(rows, -100),
    }


def differentiated(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    loss = model(**batch, use_cache=False).loss
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def ours(name: str, changes: dict[str, Any]) -> Any:
    model = build(name, changes).model
    model.set_attn_implementation(register_attention())
    return model


@pytest.mark.parametrize("case", MODELS)
def test_packed_without_padding_equals_padded(case: str) -> None:
    model = build(*MODELS[case]).model
    loss, gradients = differentiated(model, padded(sequences()))
    model.set_attn_implementation(register_attention())
    found, others = differentiated(model, packed(sequences()))
    torch.testing.assert_close(found, loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(others, gradients, rtol=1e-5, atol=1e-5)


def test_rows_of_one_length_need_no_packing() -> None:
    rows = torch.stack([row.repeat(40)[:20] for row in sequences()])
    model = build(*MODELS["grouped queries"]).model
    batch = {"input_ids": rows, "labels": rows}
    loss, gradients = differentiated(model, batch)
    model.set_attn_implementation(register_attention())
    for mask in {}, {"attention_mask": torch.ones_like(rows)}:
        found, others = differentiated(model, batch | mask)
        torch.testing.assert_close(found, loss, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(others, gradients, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", ["llama", "two kinds of layers"])
def test_there_is_no_mask_but_where_sequences_start(case: str) -> None:
    model = ours(*MODELS[case])
    seen: list[Tensor] = []
    for layer in model.model.layers:
        layer.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(kwargs["attention_mask"]), with_kwargs=True
        )
    model(**packed(sequences()), use_cache=False)
    starts = torch.tensor([0, *LENGTHS], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    assert len(seen) == 2
    assert all(torch.equal(mask, starts) for mask in seen)


def test_autocast() -> None:
    model = ours(*MODELS["grouped queries"])
    exact, _ = differentiated(model, packed(sequences()))
    with torch.autocast("cpu", torch.bfloat16):
        narrow, gradients = differentiated(model, packed(sequences()))
    torch.testing.assert_close(narrow, exact, rtol=2e-2, atol=0)
    assert all(bool(gradient.isfinite().all()) for gradient in gradients.values())


def with_padding(model: Any) -> None:
    model(**padded(sequences()), use_cache=False)


def in_training(model: Any) -> None:
    model.train()(**packed(sequences()), use_cache=False)


def with_cache(model: Any) -> None:
    model(**packed(sequences()), use_cache=True)


def generating(model: Any) -> None:
    model.generate(sequences()[1][None], max_new_tokens=2)


def alone(model: Any) -> None:
    model(**packed(sequences()), use_cache=False)


def with_a_mask(model: Any) -> None:
    ids = sequences()[1][None]
    seen = torch.ones(1, 1, ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    model(input_ids=ids, attention_mask=seen, use_cache=False)


GEMMA2 = HEADS | {"query_pre_attn_scalar": 8, "sliding_window": 64}
REFUSED: dict[str, tuple[str, dict[str, Any], Callable[[Any], None], str]] = {
    "padding": (
        "Llama",
        {},
        with_padding,
        "attention_mask: expected no padding; collate by transformers.Data",
    ),
    "dropout": (
        "Llama",
        {"attention_dropout": 0.1},
        in_training,
        "dropout: expected 0 in attention, got 0.1",
    ),
    "cache": ("Llama", {}, with_cache, "use_cache: expected False, got True"),
    "cache, gpt-2": ("GPT2", SMALL_GPT, with_cache, "use_cache: expected False, got True"),
    "generation": ("Llama", {}, generating, "use_cache: expected False, got True"),
    "window": ("Mistral", {"sliding_window": 16}, alone, "sliding_window: expected one that holds every"),
    "softcap": ("Gemma2", GEMMA2, alone, "softcap: expected none"),
    "sinks": ("GptOss", HEADS | {"num_local_experts": 2, "num_experts_per_tok": 1}, alone, "s_aux: expected"),
    "both directions": ("Llama", {"is_causal": False}, alone, "attention_mask: expected a causal one"),
    "a mask of one's own": ("Llama", {}, with_a_mask, "attention_mask: expected what transformers makes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_does_not_know_is_refused(case: str) -> None:
    name, changes, run, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        run(ours(name, changes))


def test_it_can_be_asked_for_by_name() -> None:
    from transformers import AutoModelForCausalLM

    config = tiny_config(vocab_size=50)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=register_attention())
    assert model.config._attn_implementation == "pyfastlm_varlen"
