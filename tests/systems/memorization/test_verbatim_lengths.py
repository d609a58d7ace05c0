"""One pass per start finds just what decoding every prompt finds."""

from typing import Any

import memorised
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import EXTRA_ROWS, tiny_config, tiny_tokenizer

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import LM
from pyfastlm.lm.head import LinearHead
from pyfastlm.lm.runner import Runner
from pyfastlm.memorization import VerbatimLengths, verbatim_lengths

PREFIXES = (1, 2, 4, 8, 16, 32)
HORIZON = 24


@pytest.fixture(scope="module")
def found(knowing, known) -> VerbatimLengths:
    return verbatim_lengths(knowing, known, PREFIXES, HORIZON)


def test_equals_generate_on_a_model_that_knows_the_text(knowing, known, found):
    expected = memorised.decoded_lengths(knowing.model, known, PREFIXES, HORIZON)
    assert (found.limits > 0).sum() >= 1000
    differ = found.lengths != expected
    assert not differ[~found.ties].any()
    assert found.ties.mean() < 0.01
    # Worth comparing: some prompts give all, some nothing, some stop in between.
    assert (found.lengths == HORIZON).sum() >= 200
    assert (found.lengths == 0).sum() >= 50
    assert ((found.lengths > 3) & (found.lengths < found.limits)).sum() >= 30


def test_shape_and_limits(known, found):
    assert found.prefix_lengths == PREFIXES
    assert (found.starts == np.arange(len(known) - 1)).all()
    left = len(known) - found.starts[:, None] - np.array(PREFIXES)
    assert (found.limits == np.where(left > 0, np.minimum(left, HORIZON), -1)).all()
    assert ((found.lengths < 0) == (found.limits < 0)).all()
    assert (found.lengths <= found.limits).all()
    assert found.at_limit == pytest.approx((found.lengths == found.limits)[found.limits > 0].mean())


def test_summaries(found):
    kept = np.where(found.copied, 0, found.lengths)
    assert found.longest == kept.max()
    assert (found.max_by_prefix == kept.max(axis=0)).all()
    room = found.limits >= 16
    assert found.share(16) == pytest.approx((kept >= 16)[room].mean())
    assert np.isnan(found.share(HORIZON + 1))


@pytest.mark.parametrize("budget", [1, 100, 100_000])
def test_batches_change_nothing(knowing, known, found, budget):
    starts = [*range(10, 190, 15)]
    again = verbatim_lengths(knowing, known, PREFIXES, HORIZON, starts=starts, tokens_per_batch=budget)
    assert (again.lengths == found.lengths[starts])[~found.ties[starts]].all()


def test_starts_are_those_asked_for(knowing, known, found):
    starts = [30, 3, len(known) - 1, 3]
    some = verbatim_lengths(knowing, np.array(known), PREFIXES[::-1], HORIZON, starts=starts)
    assert some.starts.tolist() == starts
    assert (some.lengths[[0, 1, 3], ::-1] == found.lengths[[30, 3, 3]]).all()
    assert (some.lengths[2] == -1).all()
    assert (some.limits[2] == -1).all()


def test_several_sequences_are_each_as_alone(knowing, known):
    given = [known[:50], known[20:22], known[:1], known[7:60]]
    together = verbatim_lengths(knowing, given, (2, 8), 16)
    assert [len(one.starts) for one in together] == [48, 0, 0, 51]
    for tokens, one in zip(given, together, strict=True):
        alone = verbatim_lengths(knowing, tokens, (2, 8), 16)
        assert (one.lengths == alone.lengths).all()
    assert together[2].longest == 0
    assert np.isnan(together[2].at_limit)


def test_nothing_is_put_in_front_of_a_prompt(knowing, known, found):
    """Also where the tokenizer puts a bos in front of every text."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing("<s> $A", None, [("<s>", 1)])
    assert tokenizer("a").input_ids[0] == 1
    other = verbatim_lengths(LM(knowing.model, tokenizer, "bos"), known, PREFIXES, HORIZON)
    assert (other.lengths == found.lengths).all()
    with_bos = verbatim_lengths(knowing, [1, *known[:40]], (9,), 8, starts=[0])
    out = memorised.greedy(knowing.model, [[1, *known[:8]]], 8)[0]
    assert with_bos.lengths[0, 0] == np.logical_and.accumulate(out == known[8:16]).sum()


def test_what_no_run_needs_is_not_computed(knowing, known, monkeypatch):
    """Tokens behind the end of all runs are not read, and the head sees little more than the runs."""
    read: list[int] = []
    rows: list[int] = []
    hidden, choose = Runner.hidden, LinearHead.choose

    def counting(self, batch, later):
        read.extend(len(piece.tokens) for piece in batch)
        return hidden(self, batch, later)

    def counting_rows(self, outputs, targets, **options):
        rows.append(len(outputs))
        return choose(self, outputs, targets, **options)

    monkeypatch.setattr(Runner, "hidden", counting)
    monkeypatch.setattr(LinearHead, "choose", counting_rows)
    unknown = known[::-1][:100]
    found = verbatim_lengths(knowing, unknown, (4, 16), 64, starts=range(20))
    assert found.longest < 6
    assert sum(read) == 20 * (16 + 8)
    assert sum(rows) <= 20 * 2 * 4
    read.clear()
    found = verbatim_lengths(knowing, known, (16,), 64, starts=[40, 50])
    assert (found.lengths == 64).all()
    assert sum(read) == 2 * (16 + 64 - 1)


def test_an_end_token_is_a_token_like_others(knowing, known):
    """Decoding goes on behind it, as ``generate`` does without one."""
    made = [*known[:8]]
    while len(made) < 40:
        made.append(int(memorised.greedy(knowing.model, [made], 1)[0, 0]))
    knowing.model.generation_config.eos_token_id = made[12]
    found = verbatim_lengths(knowing, made, (8,), 32, starts=[0])
    assert found.lengths.tolist() == [[32]]


COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {"num_key_value_heads": 2, "intermediate_size": 48}),
    "gpt-neox": ("GPTNeoXForCausalLM", {"intermediate_size": 48}),
    "gpt2": ("GPT2LMHeadModel", {"n_positions": 64}),
    "gpt-neo (one sequence per call)": (
        "GPTNeoForCausalLM",
        {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 16},
    ),
    "opt": ("OPTForCausalLM", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
}


def family(name: str) -> LM:
    import transformers

    tokenizer = tiny_tokenizer()
    kind, changes = FAMILIES[name]
    make = getattr(transformers, kind)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = make(make.config_class(vocab_size=len(tokenizer) + EXTRA_ROWS, **(COMMON | changes)))
    return LM(model.eval(), tokenizer, name)


@pytest.mark.parametrize("name", FAMILIES)
def test_families(name, known):
    """What the model itself decodes after a prompt is what it knows of it."""
    lm = family(name)
    made = known[:12]
    made = [*made, *memorised.greedy(lm.model, [made], 30)[0].tolist()]
    for tokens in (made, known[:30]):
        found = verbatim_lengths(lm, tokens, (4, 12), 20)
        expected = memorised.decoded_lengths(lm.model, tokens, (4, 12), 20)
        assert (found.lengths == expected)[~found.ties].all()
        if tokens is made:
            assert found.lengths[0, 1] == found.limits[0, 1] == 20
    words = verbatim_lengths(lm, made, (4, 12), 20, starts=[0], mode="normalized")
    assert words.lengths[0, 1] == words.limits[0, 1]


@pytest.fixture(scope="module")
def coin() -> LM:
    """Random, with a vocabulary of three tokens: it is often right by chance."""
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(tiny_config(vocab_size=3, bos_token_id=0, eos_token_id=1))
    return LM(model.eval(), tiny_tokenizer(), "coin")


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_runs_of_hits(coin, data):
    tokens = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=40))
    prefixes = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True))
    horizon = data.draw(st.integers(1, 20))
    found = verbatim_lengths(coin, tokens, prefixes, horizon, tokens_per_batch=data.draw(st.integers(1, 99)))
    with torch.inference_mode():
        for i, start in enumerate(found.starts):
            best = coin.model(torch.tensor([tokens[start:]])).logits[0].argmax(-1).tolist()
            for j, p in enumerate(prefixes):
                true = tokens[start + p : start + p + horizon]
                assert found.limits[i, j] == (len(true) or -1)
                misses = [t for t, token in enumerate(true) if best[p - 1 + t] != token]
                assert found.lengths[i, j] == ((misses or [len(true)])[0] if true else -1)


def test_files_rows(found):
    rows = found.rows("s1", transform="shuffled", checkpoint="c", step=3, repetitions=40)
    assert len(rows) == (found.limits > 0).sum()
    row = rows[len(PREFIXES) + 2]
    assert (row.sequence_id, row.transform, row.checkpoint, row.step, row.repetitions) == (
        "s1",
        "shuffled",
        "c",
        3,
        40,
    )
    assert (row.start, row.p, row.mode) == (1, 4, "token")
    assert (row.length, row.limit) == (found.lengths[1, 2], found.limits[1, 2])
    assert all(type(value) in (int, str, bool) for value in row)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"tokens": "a text"}, InputTypeError, "tokens: expected token ids, got str"),
        ({"tokens": ["a", "b"]}, InputTypeError, r"tokens\[0\]: expected token ids, got str"),
        ({"tokens": []}, InputError, "tokens: expected at least one sequence of token ids, got nothing"),
        ({"tokens": 7}, InputTypeError, "tokens: expected token ids, got int"),
        ({"tokens": [1.0, 2.0]}, InputTypeError, "tokens: expected a sequence of whole numbers"),
        ({"tokens": [True, False]}, InputTypeError, "tokens: expected a sequence of whole numbers"),
        ({"tokens": [[1, 2], [1, -2]]}, InputError, r"tokens\[1\]: expected ids in \[0, .* got -2"),
        ({"tokens": [1, 10**6]}, InputError, "got 1000000; use the model's own tokenizer"),
        ({"tokens": [1, 10**30]}, InputTypeError, "whole numbers"),
        ({"prefix_lengths": ()}, InputError, "prefix_lengths: .* at least one"),
        ({"prefix_lengths": (4, 4)}, InputError, "prefix_lengths: expected different lengths"),
        ({"prefix_lengths": (0,)}, InputError, "prefix_lengths: .* >= 1, got 0"),
        ({"prefix_lengths": 8}, InputTypeError, "prefix_lengths: expected a sequence"),
        ({"horizon": 0}, InputError, "horizon: .* >= 1"),
        ({"horizon": 1.5}, InputTypeError, "horizon: expected a whole number"),
        ({"starts": [0, 400]}, InputError, "starts: expected places in .* got 400"),
        ({"starts": [-1]}, InputError, "starts: .* got -1"),
        ({"mode": "words"}, InputError, "mode: expected 'token' or 'normalized', got 'words'"),
        ({"tokens_per_batch": 0}, InputError, "tokens_per_batch"),
        ({"prefix_lengths": (100,), "horizon": 100}, InputError, "context of 128 tokens, got 199; shorten"),
    ],
)
def test_refusals(knowing, known, changes, kind, message):
    arguments = {"tokens": [*known, *known], "prefix_lengths": (4,), "horizon": 8} | changes
    with pytest.raises(kind, match=message):
        verbatim_lengths(knowing, **arguments)


@pytest.mark.parametrize("where", [slice(None), 328])
def test_weights_that_are_nan(known, where):
    """Also those of a single token that the text has."""
    lm = family("llama")
    lm.model.model.embed_tokens.weight.data[where] = torch.nan
    assert known[0] == 328
    with pytest.raises(InputError, match="lm: its predictions are NaN"):
        verbatim_lengths(lm, known, (4,), 8, starts=[0])
