"""Extraction by greedy decoding and by sampling, against transformers' own warpers and real samples."""

import math

import numpy as np
import pytest
import torch

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import LM
from pyfastlm.memorization import (
    ExtractionProbability,
    extractable,
    extraction_probability,
    verbatim_lengths,
)

SAMPLINGS = [
    {},
    {"temperature": 0.7},
    {"temperature": 1.5, "top_k": 5},
    {"top_p": 0.8},
    {"temperature": 2.0, "top_k": 8, "top_p": 0.6},
    {"top_k": 10**6, "top_p": 1.0},
]


def warped(model, tokens, n, k, *, temperature=1.0, top_k=None, top_p=None):
    """Log-probability of each start's suffix, from all logits and transformers' warpers."""
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    warpers = [TemperatureLogitsWarper(temperature)]
    warpers += [TopKLogitsWarper(top_k)] if top_k else []
    warpers += [TopPLogitsWarper(top_p)] if top_p else []
    found = []
    for start in range(len(tokens) - n - k + 1):
        ids = torch.tensor([tokens[start : start + n + k]])
        with torch.inference_mode():
            scores = model(ids).logits[0, n - 1 : -1]
        for warper in warpers:
            scores = warper(ids, scores)
        logp = scores.double().log_softmax(-1).gather(1, ids[0, n:, None])
        found.append(logp.sum().item())
    return np.array(found)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_probability_is_that_of_the_warped_logits(knowing, known, sampling):
    tokens = [*known[:30], *known[90:60:-1]]
    found = extraction_probability(knowing, tokens, 4, 6, **sampling)
    expected = warped(knowing.model, tokens, 4, 6, **sampling)
    assert found.starts.tolist() == [*range(51)]
    assert (np.isinf(found.logp) == np.isinf(expected)).all()
    assert np.allclose(found.logp, expected, rtol=1e-4, atol=1e-4)
    if {"top_k": 5, "top_p": 0.8}.items() & sampling.items():
        assert np.isinf(found.logp).any()


@pytest.mark.parametrize("sampling", [{"temperature": 1.3}, {"temperature": 2.0, "top_k": 8, "top_p": 0.9}])
def test_probability_is_how_often_samples_are_the_suffix(knowing, known, sampling):
    found = extraction_probability(knowing, known[:40], 6, 3, **sampling)
    order = np.argsort(np.abs(found.logp - math.log(0.3)))
    samples = 1000
    for start in order[:1].tolist():
        ids = torch.tensor([known[start : start + 6]]).repeat(samples, 1)
        with torch.random.fork_rng():
            torch.manual_seed(start)
            out = knowing.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                max_new_tokens=3,
                pad_token_id=0,
                **({"top_k": 0, "top_p": 1.0} | sampling),
            )
        hits = (out[:, 6:].numpy() == known[start + 6 : start + 9]).all(1).mean()
        p = math.exp(found.logp[start])
        assert 0.05 < p < 0.9
        assert abs(hits - p) < 4 * math.sqrt(p * (1 - p) / samples)


def test_a_capped_head(known):
    """Gemma2 caps its logits, and the temperature comes after that."""
    import transformers
    from tiny import EXTRA_ROWS, tiny_tokenizer

    tokenizer = tiny_tokenizer()
    config = transformers.Gemma2Config(
        vocab_size=len(tokenizer) + EXTRA_ROWS,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        final_logit_softcapping=2.0,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lm = LM(transformers.Gemma2ForCausalLM(config).eval(), tokenizer, "gemma2")
    found = extraction_probability(lm, known[:20], 4, 3, temperature=0.5)
    assert np.allclose(found.logp, warped(lm.model, known[:20], 4, 3, temperature=0.5), rtol=1e-4)


def test_extractable_is_a_length_of_k(knowing, known):
    found = extractable(knowing, known, 8, 12)
    lengths = verbatim_lengths(knowing, known, (8,), 12)
    assert len(found.starts) == len(known) - 19
    assert (found.extracted == (lengths.lengths[: len(found.starts), 0] == 12)).all()
    assert 0 < found.share < 1
    some = extractable(knowing, known, 8, 12, starts=[5, 2])
    assert (some.extracted == found.extracted[[5, 2]]).all()
    none = extractable(knowing, known[:19], 8, 12)
    assert len(none.starts) == 0
    assert math.isnan(none.share)


def test_several_samples():
    p = np.array([0.0, 1e-12, 0.01, 0.5, 1.0])
    with np.errstate(divide="ignore"):
        found = ExtractionProbability(np.arange(5), np.log(p))
    assert found.within(1) == pytest.approx(p, rel=1e-9)
    assert found.within(10)[2:] == pytest.approx(1 - (1 - p[2:]) ** 10)
    assert found.within(10)[1] == pytest.approx(1e-11, rel=1e-6)
    needed = found.samples_for(0.9)
    assert needed[0] == math.inf
    assert needed[2:].tolist() == [230, 4, 1]
    for start in (2, 3, 4):
        assert found.within(int(needed[start]))[start] >= 0.9
        assert needed[start] == 1 or found.within(int(needed[start]) - 1)[start] < 0.9
    with pytest.raises(InputError, match=r"samples: .* got 0"):
        found.within(0)
    with pytest.raises(InputError, match="p: expected a probability"):
        found.samples_for(1.0)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"n": 0}, InputError, "n: .* >= 1"),
        ({"k": "x"}, InputTypeError, "k: expected a whole number"),
        ({"starts": [95]}, InputError, r"starts: expected n \+ k = 10 tokens after each|places"),
        ({"tokens": "text"}, InputTypeError, "tokens: expected token ids"),
        ({"tokens": [[1, 2]]}, InputTypeError, "tokens: expected a sequence of whole numbers"),
        ({"temperature": 0}, InputError, "temperature: expected a finite number > 0"),
        ({"temperature": "hot"}, InputTypeError, "temperature: expected a number"),
        ({"temperature": math.nan}, InputError, "temperature"),
        ({"top_k": 0}, InputError, "top_k"),
        ({"top_p": 0.0}, InputError, "top_p"),
        ({"top_p": 1.1}, InputError, "top_p"),
        ({"k": 200}, InputError, "context of 128 tokens"),
    ],
)
def test_refusals(knowing, known, changes, kind, message):
    arguments = {"tokens": known[:100], "n": 5, "k": 5} | changes
    with pytest.raises(kind, match=message):
        extraction_probability(knowing, **arguments)
