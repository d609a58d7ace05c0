"""Every kind of model gets the fastest way that is right for it, and never one that is not."""

import math
from typing import Any

import harness
import pytest
import torch
from architectures import WIDTH, build
from tiny import SENTENCES

from pyfastlm.errors import InputError
from pyfastlm.lm import LM, Scorer
from pyfastlm.lm.head import LinearHead, linear_head

LENGTH = 40
HEADS = {"head_dim": 8}
SMALL_GPT = {"n_embd": WIDTH, "n_head": 4, "n_layer": 2, "n_positions": 128}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [4.0] * 4,
}
PACKED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"tie_word_embeddings": False}),
    "mistral, window longer than what is scored": ("Mistral", {"sliding_window": LENGTH}),
    "qwen2 (biases)": ("Qwen2", {}),
    "qwen3 (norms in attention)": ("Qwen3", HEADS),
    "gemma (scaled embeddings)": ("Gemma", HEADS),
    "gemma3": ("Gemma3Text", HEADS | {"sliding_window": 64}),
    "granite (four multipliers)": (
        "Granite",
        {"logits_scaling": 4.0, "embedding_multiplier": 2.0, "residual_multiplier": 0.5},
    ),
    "cohere (parallel blocks, logit scale)": ("Cohere", {"logit_scale": 0.25}),
    "phi (bias in the last projection)": ("Phi", {}),
    "phi3 (fused projections)": ("Phi3", {"pad_token_id": 0}),
    "gpt-neox": ("GPTNeoX", {}),
    "mixtral (experts)": ("Mixtral", {"num_local_experts": 2}),
    "opt (learned positions)": ("OPT", {"ffn_dim": 48, "word_embed_proj_dim": WIDTH}),
    "gpt2": ("GPT2", SMALL_GPT),
    "gptj (bias in the last projection)": ("GPTJ", SMALL_GPT | {"rotary_dim": 8}),
}
SINGLE: dict[str, tuple[str, dict[str, Any], str]] = {
    "mistral, short window": ("Mistral", {"sliding_window": 16}, "sliding_window 16 is shorter"),
    "gemma2": ("Gemma2", HEADS | {"query_pre_attn_scalar": 8, "sliding_window": 64}, "softcap"),
    "gpt-oss": ("GptOss", HEADS | {"num_local_experts": 2, "num_experts_per_tok": 1}, "s_aux"),
    "bloom (alibi)": ("Bloom", {"n_head": 4, "n_layer": 2}, "cannot be replaced"),
    "mamba": ("Mamba", {"state_size": 4}, "cannot be replaced"),
    "lfm2 (convolutions)": ("Lfm2", {"layer_types": ["conv", "full_attention"]}, "results differ"),
    "phi3, longrope": (
        "Phi3",
        {"rope_parameters": LONGROPE, "original_max_position_embeddings": 16},
        "longrope position embedding",
    ),
}


def check(lm: LM) -> Scorer:
    scorer = Scorer(lm, max_length=LENGTH, tokens_per_batch=100)
    texts = [*SENTENCES, "", "b", SENTENCES[1] + SENTENCES[2]]
    theirs = harness.rolling(lm, texts, max_length=LENGTH)
    for score, expected in zip(scorer.rolling(texts), theirs, strict=True):
        assert score.logp == pytest.approx(expected, abs=1e-3, rel=1e-5)
    pairs = [(SENTENCES[0][:30], end) for end in (" one", " two things", "!")]
    theirs = harness.conditional(lm, pairs, max_length=LENGTH)
    for score, (expected, greedy) in zip(scorer.conditional(pairs), theirs, strict=True):
        assert score.logp == pytest.approx(expected, abs=1e-3, rel=1e-5)
        assert score.is_greedy == greedy
    return scorer


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    import transformers

    transformers.utils.logging.set_verbosity_error()


@pytest.mark.parametrize("case", PACKED)
def test_packed(case):
    assert check(build(*PACKED[case])).notes == ()


@pytest.mark.parametrize("case", SINGLE)
def test_one_sequence_per_call(case):
    name, changes, reason = SINGLE[case]
    [note] = check(build(name, changes)).notes
    assert note.startswith("one sequence per call: ")
    assert reason in note


def test_final_softcap_and_scale_are_read_from_the_configuration():
    gemma = build("Gemma2", HEADS | {"query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0})
    head = linear_head(gemma.model)
    assert head is not None
    assert head.softcap == 3.0
    check(gemma)
    assert linear_head(build("Granite", {"logits_scaling": 4.0}).model).scale == 0.25


class OddHead(torch.nn.Linear):
    """A last step that no configuration tells of."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(super().forward(x)) * 4


def test_an_unknown_head_means_full_logits():
    lm = build("Llama", {"tie_word_embeddings": False})
    lm.model.lm_head.__class__ = OddHead
    assert check(lm).notes == ("full logits: the last projection is not a plain linear layer",)


def test_a_head_that_only_looks_plain_means_full_logits():
    """A factor that the model applies outside the last module."""
    lm = build("Llama", {"tie_word_embeddings": False})
    lm.model.lm_head.register_forward_hook(lambda module, args, out: out * 1.5)
    assert check(lm).notes == ("full logits: the last projection is not a plain linear layer",)


def test_bias_is_scaled_with_the_logits():
    head = LinearHead(torch.randn(7, 4), torch.randn(7), scale=0.5, softcap=2.0)
    hidden, targets = torch.randn(5, 4), torch.arange(5)
    expected = head.logits(hidden).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    logp, greedy = head.logp(hidden, targets, greedy=True)
    torch.testing.assert_close(logp, expected)
    assert torch.equal(greedy, head.logits(hidden).argmax(1) == targets)


def test_a_model_that_sees_the_future_is_refused():
    lm = build("Bert", {})
    with pytest.raises(InputError, match="expected a causal language model"):
        Scorer(lm)


def test_bits_per_byte_of_a_single_body_matches_a_packed_one():
    packed = build("Mistral", {"sliding_window": 128})
    single = build("Mistral", {"sliding_window": 128})
    single.model._supports_attention_backend = False
    for a, b in zip(Scorer(packed).rolling(SENTENCES), Scorer(single).rolling(SENTENCES), strict=True):
        assert math.isclose(a.bits_per_byte, b.bits_per_byte, rel_tol=1e-5)
