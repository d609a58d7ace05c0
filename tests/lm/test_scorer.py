"""The scorer on a tiny model: what it computes, what it refuses, what must not matter."""

import math
import random

import harness
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import SENTENCES

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import LM, PairScore, Scorer, TextScore

LENGTH = 24
TEXTS = [
    *SENTENCES,
    "",
    "a",
    "\n",
    " ",
    "é",
    "<s>",
    "<s>spelled prefix",
    "a<s>b</s>",
    " ".join(SENTENCES),
    "x" * 500,
    "🏳️‍🌈",
]
PAIRS = [
    (SENTENCES[0], " And then?"),
    (SENTENCES[0], " And then"),
    (SENTENCES[0] + " ", "And then?"),
    (SENTENCES[0] + " \n ", "And then?"),
    (SENTENCES[0], SENTENCES[1]),
    (SENTENCES[0] + SENTENCES[1], "!"),
    ("", "no context"),
    ("", "<s>prefix as continuation"),
    ("<s>", "spelled prefix as context"),
    ("<s>" + SENTENCES[2], "."),
    ("q", "one token before"),
    (SENTENCES[0], "图"),
]


@pytest.fixture(scope="module")
def scorer(tiny_lm: LM) -> Scorer:
    return Scorer(tiny_lm, max_length=LENGTH, tokens_per_batch=64)


@pytest.fixture(scope="module")
def wide(tiny_lm: LM) -> Scorer:
    return Scorer(tiny_lm)


def test_it_packs_and_holds_no_logits(scorer):
    assert scorer.notes == ()


def test_rolling_equals_the_harness(scorer, tiny_lm):
    scores = scorer.rolling(TEXTS)
    theirs = harness.rolling(tiny_lm, TEXTS, max_length=LENGTH, batch_size=3)
    for score, expected in zip(scores, theirs, strict=True):
        assert score.logp == pytest.approx(
            expected, abs=1e-3 + harness.HARNESS_ROUNDING * score.n_tokens, rel=0
        )


def test_rolling_is_exact(scorer, tiny_exact):
    for score, exact in zip(
        scorer.rolling(TEXTS), harness.exact_rolling(tiny_exact, TEXTS, LENGTH), strict=True
    ):
        assert score.logp == pytest.approx(exact.logp, abs=1e-3, rel=0)
        assert score.n_tokens == exact.n_tokens


def test_conditional_equals_the_harness(wide, tiny_lm):
    theirs = harness.conditional(tiny_lm, PAIRS, batch_size=3)
    for score, (expected, greedy) in zip(wide.conditional(PAIRS), theirs, strict=True):
        assert score.logp == pytest.approx(
            expected, abs=1e-3 + harness.HARNESS_ROUNDING * score.n_tokens, rel=0
        )
        assert score.is_greedy == greedy


def test_conditional_truncates_on_the_left_like_the_harness(scorer, tiny_lm, tiny_exact):
    pairs = [(SENTENCES[3] * 5, " fin"), (SENTENCES[4] * 3, "x" * 10)]
    theirs = harness.conditional(tiny_lm, pairs, max_length=LENGTH)
    exact = harness.exact_conditional(tiny_exact, pairs, LENGTH)
    for score, (expected, _), truth in zip(scorer.conditional(pairs), theirs, exact, strict=True):
        assert score.logp == pytest.approx(expected, abs=2e-3, rel=0)
        assert score.logp == pytest.approx(truth.logp, abs=1e-3, rel=0)
        assert score.n_tokens == truth.n_tokens


def greedy_continuation(lm: LM, context: str) -> str:
    """What the model itself goes on with, as text that encodes to the same tokens again."""
    ids = lm.tokenizer.encode(context)
    more: list[int] = []
    for _ in range(4):
        with torch.inference_mode():
            more.append(int(lm.model(torch.tensor([ids + more])).logits[0, -1].argmax()))
        text = lm.tokenizer.decode(more)
        if lm.tokenizer.encode(context + text) != ids + more:
            return lm.tokenizer.decode(more[:-1])
    return lm.tokenizer.decode(more)


def test_is_greedy_where_it_is(wide, tiny_lm):
    found = 0
    for end in range(4, 60):
        context = SENTENCES[0][:end]
        best = greedy_continuation(tiny_lm, context)
        if not best or context.endswith(" "):
            continue
        [score, spoiled] = wide.conditional([(context, best), (context, best + "図")])
        assert score.is_greedy
        assert (score.logp, score.is_greedy) == (
            pytest.approx(harness.conditional(tiny_lm, [(context, best)])[0][0], abs=1e-3),
            harness.conditional(tiny_lm, [(context, best)])[0][1],
        )
        assert not spoiled.is_greedy
        found += 1
        if found == 3:
            return
    pytest.fail("no context whose greedy continuation survives the tokenizer")


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)


def test_nothing_depends_on_the_batch(tiny_lm, scorer):
    alone = [scorer.rolling([text])[0] for text in TEXTS]
    for budget, seed in ((1, 0), (50, 1), (10_000, 2)):
        order = random.Random(seed).sample(range(len(TEXTS)), len(TEXTS))
        together = Scorer(tiny_lm, max_length=LENGTH, tokens_per_batch=budget).rolling(
            [TEXTS[i] for i in order]
        )
        for i, score in zip(order, together, strict=True):
            assert close(score.logp, alone[i].logp)
            assert (score.n_tokens, score.n_windows) == (alone[i].n_tokens, alone[i].n_windows)


def test_a_neighbour_changes_no_bit(scorer):
    """Same batch shape, other text beside it: not a trace of the neighbour."""
    shape = [SENTENCES[0][:20], SENTENCES[1][:20]]
    tokens = scorer.token_logp(shape)
    changed = scorer.token_logp([shape[0], shape[1][::-1]])
    if len(tokens[1].ids) != len(changed[1].ids):
        changed = scorer.token_logp([shape[0], "".join(sorted(shape[1]))])
    assert np.array_equal(tokens[0].logp, changed[0].logp)


def test_no_conditional_score_depends_on_the_others(tiny_lm, wide):
    alone = [wide.conditional([pair])[0] for pair in PAIRS]
    for budget, seed in ((1, 0), (30, 1), (10_000, 2)):
        order = random.Random(seed).choices(range(len(PAIRS)), k=30)
        together = Scorer(tiny_lm, tokens_per_batch=budget).conditional([PAIRS[i] for i in order])
        for i, score in zip(order, together, strict=True):
            assert close(score.logp, alone[i].logp)
            assert (score.n_tokens, score.is_greedy) == (alone[i].n_tokens, alone[i].is_greedy)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=5))
def test_any_unicode_text(scorer, tiny_exact, texts):
    exact = harness.exact_rolling(tiny_exact, texts, LENGTH)
    for text, score, truth in zip(texts, scorer.rolling(texts), exact, strict=True):
        assert score.logp == pytest.approx(truth.logp, abs=1e-3, rel=0)
        assert score.n_tokens == truth.n_tokens
        assert score.n_bytes == len(text.encode())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([*(s[:30] for s in SENTENCES), "", " "]), min_size=1, max_size=3).map("".join),
    st.lists(st.text("abc dé図", max_size=8), min_size=1, max_size=6),
)
def test_any_continuations_of_one_context(wide, tiny_exact, context, continuations):
    pairs = [(context, continuation) for continuation in continuations]
    scores = wide.conditional(pairs)
    # The harness stops at a continuation without a token, and at a context that is all blank.
    kept = [i for i, score in enumerate(scores) if score.n_tokens and (context.strip() or not context)]
    exact = harness.exact_conditional(tiny_exact, [pairs[i] for i in kept])
    for i, truth in zip(kept, exact, strict=True):
        assert scores[i].logp == pytest.approx(truth.logp, abs=1e-3, rel=0)
        assert scores[i].n_tokens == truth.n_tokens
        if truth.margin > 1e-4:
            assert scores[i].is_greedy == truth.is_greedy


def test_edges(scorer, wide):
    empty, one = scorer.rolling(["", "a"])
    assert empty == TextScore(0.0, 0, 0, 0)
    assert math.isnan(empty.bits_per_byte)
    assert (one.n_tokens, one.n_bytes, one.n_windows) == (1, 1, 1)
    assert one.bits_per_byte == pytest.approx(-one.logp / math.log(2))
    assert scorer.rolling([]) == []
    assert scorer.rolling(iter(["", ""])) == [empty, empty]
    assert scorer.conditional([]) == []
    assert wide.conditional([("some context", "")]) == [PairScore(0.0, 0, True)]
    [blank, prefixed] = wide.conditional([(" ", "x"), ("", " x")])
    assert blank == prefixed


def test_every_prefix_of_one_text_is_its_own_score(wide):
    """Windows that are prefixes of each other share all they have; none may lose its end."""
    text = SENTENCES[0]
    pairs = [(text[:end], text[end : end + 3]) for end in range(1, 60) if text[end - 1] != " "]
    for pair, score in zip(pairs, wide.conditional(pairs), strict=True):
        assert close(score.logp, wide.conditional([pair])[0].logp)


@pytest.mark.parametrize("budget", [1, 30, 10_000])
def test_a_context_is_read_once(tiny_lm, monkeypatch, budget):
    """Also where its continuations do not fit into one batch: then keys and values are kept."""
    scorer = Scorer(tiny_lm, tokens_per_batch=budget)
    read: list[int] = []
    hidden = scorer._runner.body.hidden

    def counting(batch, later):
        read.extend(len(piece.tokens) for piece in batch)
        return hidden(batch, later)

    monkeypatch.setattr(scorer._runner.body, "hidden", counting)
    context = SENTENCES[0][:60]
    pairs = [(context, f" {word}") for word in ("one", "two three", "図", "four five six")]
    scores = scorer.conditional(pairs)
    inputs = [tiny_lm.tokenizer.encode(a + b)[:-1] for a, b in pairs]
    trie = {tuple(tokens[: n + 1]) for tokens in inputs for n in range(len(tokens))}
    assert len(trie) <= sum(read) <= len(trie) + 2 * len(pairs)  # a space may be read with each
    assert sum(read) < 0.5 * sum(map(len, inputs))
    assert all(score.n_tokens for score in scores)


def test_tokens_sum_to_the_text(scorer, tiny_lm):
    texts = [*SENTENCES, "", "🏳️‍🌈 ok"]
    for text, tokens, score in zip(texts, scorer.token_logp(texts), scorer.rolling(texts), strict=True):
        assert float(tokens.logp.sum(dtype=np.float64)) == score.logp
        assert tokens.ids.tolist() == tiny_lm.tokenizer.encode(text)
        assert tokens.spans.shape == (len(tokens.ids), 2)
        covered = set()
        for start, stop in tokens.spans:
            covered |= set(range(start, stop))
        assert covered == set(range(len(text)))


def test_one_token_windows(tiny_lm, tiny_exact):
    texts = [SENTENCES[0][:20], "ab"]
    exact = harness.exact_rolling(tiny_exact, texts, 1)
    for score, truth in zip(Scorer(tiny_lm, max_length=1).rolling(texts), exact, strict=True):
        assert score.logp == pytest.approx(truth.logp, abs=1e-3, rel=0)
        assert score.n_windows == truth.n_tokens


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        (["fine", "bad \ud800"], InputError, r"texts\[1\]: .*lone surrogate '\\ud800' at character 4"),
        (["fine", b"bytes"], InputTypeError, r"texts\[1\]: expected a string, got bytes"),
        ("one string", InputTypeError, r"texts: .*pass \[text\]"),
    ],
)
def test_texts_it_refuses(scorer, texts, error, message):
    with pytest.raises(error, match=message):
        scorer.rolling(texts)


def test_the_index_of_a_bad_text_counts_from_the_start(scorer):
    with pytest.raises(InputError, match=r"texts\[200\]"):
        scorer.rolling(["a"] * 200 + ["\udc00"])


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ([("a", "b"), ("a",)], InputTypeError, r"pairs\[1\]: expected \(context, continuation\)"),
        (["ab"], InputTypeError, r"pairs\[0\]"),
        ([("a", None)], InputTypeError, r"pairs\[0\], continuation: expected a string, got NoneType"),
        ([("\ud800", "b")], InputError, r"pairs\[0\], context: .*lone surrogate"),
        ([("a", "b"), ("a", "x " * 100)], InputError, r"pairs\[1\]: .*at most 24 tokens"),
    ],
)
def test_pairs_it_refuses(scorer, pairs, error, message):
    with pytest.raises(error, match=message):
        scorer.conditional(pairs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_length": 0}, InputError, "max_length: expected a whole number >= 1, got 0"),
        ({"max_length": 129}, InputError, "max_length: expected at most the model's context of 128"),
        ({"max_length": 2.5}, InputTypeError, "max_length: expected a whole number"),
        ({"max_length": True}, InputTypeError, "max_length"),
        ({"tokens_per_batch": 0}, InputError, "tokens_per_batch: expected a whole number >= 1"),
        ({"tokens_per_batch": "many"}, InputTypeError, "tokens_per_batch"),
    ],
)
def test_options_it_refuses(tiny_lm, options, error, message):
    with pytest.raises(error, match=message):
        Scorer(tiny_lm, **options)


def test_a_tokenizer_without_bos_falls_back_to_eos(tiny_lm):
    import copy

    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.bos_token = None
    other = LM(tiny_lm.model, tokenizer, "no bos")
    [score] = Scorer(other).rolling(["hello"])
    assert score.logp == pytest.approx(harness.rolling(other, ["hello"])[0], abs=1e-3)
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="neither a bos nor an eos token"):
        Scorer(other)


def test_a_tokenizer_that_adds_bos_by_itself(tiny_lm):
    """As in Llama: the harness then scores that token too, after the prefix."""
    import copy

    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    other = LM(tiny_lm.model, tokenizer, "adds bos")
    texts = ["hello", "", "<s>hello"]
    scores = Scorer(other).rolling(texts)
    for score, expected in zip(scores, harness.rolling(other, texts), strict=True):
        assert score.logp == pytest.approx(expected, abs=1e-3)
    assert math.isnan(scores[1].bits_per_byte)
    pairs = [("ctx", " more"), ("", "alone"), ("<s>ctx", " more")]
    for score, expected in zip(
        Scorer(other).conditional(pairs), harness.conditional(other, pairs), strict=True
    ):
        assert (score.logp, score.is_greedy) == (pytest.approx(expected[0], abs=1e-3), expected[1])


def test_a_tokenizer_that_is_too_large(tiny_lm):
    import copy

    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.add_tokens([f"<new{i}>" for i in range(20)])
    other = Scorer(LM(tiny_lm.model, tokenizer, "grown"))
    assert other.rolling(["<new3>"])[0].n_tokens == 1
    with pytest.raises(InputError, match="its tokenizer gives token 419, but the model has 413 entries"):
        other.rolling(["fine", "<new19>"])


def test_it_leaves_the_model_as_it_was(tiny_lm, scorer):
    before = tiny_lm.model.config._attn_implementation
    scorer.rolling(TEXTS[:2])
    assert tiny_lm.model.config._attn_implementation == before
    with pytest.raises(InputError):
        scorer.rolling(["\ud800"])
    assert tiny_lm.model.config._attn_implementation == before


def test_fingerprint_tells_policies_apart(tiny_lm, scorer):
    assert scorer.fingerprint == Scorer(tiny_lm, max_length=LENGTH, tokens_per_batch=9).fingerprint
    assert scorer.fingerprint != Scorer(tiny_lm, max_length=LENGTH + 1).fingerprint


def test_progress_goes_to_standard_error(scorer, capsys):
    assert scorer.rolling(TEXTS, progress=True) == scorer.rolling(TEXTS)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "texts" in captured.err


def test_half_precision_stays_close(tiny_lm_dir):
    from pyfastlm.lm import load

    full = Scorer(load(tiny_lm_dir)).rolling(SENTENCES)
    for dtype in (torch.bfloat16, torch.float16):
        half = Scorer(load(tiny_lm_dir, dtype=dtype))
        assert half.notes == ()
        for a, b in zip(half.rolling(SENTENCES), full, strict=True):
            assert a.logp == pytest.approx(b.logp, rel=0.02)


def test_nan_weights_show(tiny_lm_dir):
    from pyfastlm.lm import load

    lm = load(tiny_lm_dir)
    scorer = Scorer(lm)
    with torch.no_grad():
        lm.model.model.layers[1].mlp.down_proj.weight[0, 0] = float("nan")
    assert math.isnan(scorer.rolling(["hello"])[0].logp)
