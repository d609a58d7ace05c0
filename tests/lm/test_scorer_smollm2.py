"""The scorer on a real model and real texts in 14 languages and scripts, beside the harness and float64."""

import random

import corpus
import harness
import numpy as np
import pytest

from pyfastlm.lm import LM, Scorer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("real_texts")]
LENGTH = 64
WINDOWS = 20
ROUNDING = 5e-4  # nats of a text: float32 through 30 layers, sums in another order in other batches


@pytest.fixture(scope="module")
def texts(smollm2: LM, real_texts: None) -> list[str]:
    rng = random.Random(5)
    one_byte = ["a", "Z", "7", "\n", " ", "\x00", "~"]
    around_a_window = [cut(smollm2, "en", n, rng) for n in (LENGTH - 1, LENGTH, LENGTH + 1, 2 * LENGTH)]
    long = [cut(smollm2, source, n * LENGTH - 60, rng) for source, n in (("zh-cn", 5), ("de", WINDOWS))]
    return [*one_byte, *around_a_window, *long, *corpus.documents(200, seed=2, median_bytes=16.0, sigma=1.0)]


def cut(lm: LM, source: str, tokens: int, rng: random.Random) -> str:
    """A passage of exactly so many tokens."""
    text = corpus.passage(source, tokens * 12, rng)
    ids = lm.tokenizer.encode(text)
    for stop in range(tokens, len(ids)):
        part = lm.tokenizer.decode(ids[:stop])
        if len(lm.tokenizer.encode(part)) == tokens:
            return part
    raise AssertionError(f"no passage of {tokens} tokens in {source}")


def test_rolling(smollm2: LM, smollm2_exact: LM, texts: list[str]) -> None:
    scores = Scorer(smollm2, max_length=LENGTH).rolling(texts)
    assert len(scores) >= 200
    assert {score.n_windows for score in scores} >= {1, 2, 5, WINDOWS}
    assert min(score.n_bytes for score in scores) == 1

    exact = harness.exact_rolling(smollm2_exact, texts, LENGTH)
    off = [abs(score.logp - truth.logp) for score, truth in zip(scores, exact, strict=True)]
    print(f"\nfurthest from float64: {max(off):.1e} nats")
    assert max(off) < 1e-3
    assert [score.n_tokens for score in scores] == [truth.n_tokens for truth in exact]

    theirs = harness.rolling(smollm2, texts, max_length=LENGTH, batch_size=1)
    for score, expected in zip(scores, theirs, strict=True):
        assert abs(score.logp - expected) < 1e-3 + harness.HARNESS_ROUNDING * score.n_tokens


def test_order_and_company_do_not_matter(smollm2: LM, texts: list[str]) -> None:
    scorer = Scorer(smollm2, max_length=LENGTH)
    chosen = random.Random(0).sample(range(len(texts)), 40)
    together = scorer.rolling([texts[i] for i in chosen])
    backwards = Scorer(smollm2, max_length=LENGTH, tokens_per_batch=300).rolling(
        [texts[i] for i in reversed(chosen)]
    )
    assert [score.logp for score in together] == pytest.approx(
        [score.logp for score in reversed(backwards)], abs=ROUNDING
    )
    for i, score in [*zip(chosen, together, strict=True)][:10]:
        [alone] = scorer.rolling([texts[i]])
        assert alone.logp == pytest.approx(score.logp, abs=ROUNDING)


@pytest.fixture(scope="module")
def pairs(smollm2: LM, texts: list[str]) -> list[tuple[str, str]]:
    """Contexts with four continuations each: what follows, the model's own choice, and two from elsewhere."""
    made: list[tuple[str, str]] = [("", "The"), ("", texts[40]), ("   ", "blank context")]
    for number, text in enumerate([text for text in texts if 60 < len(text) < 600][:12]):
        at = text.find(" ", len(text) // 2)
        at = at if at > 0 else len(text) // 2
        context, rest = text[:at], text[at : at + 30]
        if number % 3 == 0:
            context += " "
        ids = smollm2.tokenizer(context, return_tensors="pt")
        generated = smollm2.model.generate(**ids, max_new_tokens=3, do_sample=False, pad_token_id=2)
        own = smollm2.tokenizer.decode(generated[0, ids["input_ids"].shape[1] :])
        made += [(context, rest), (context, own or "."), (context, " the"), (context, "。図")]
    return made


def test_conditional(smollm2: LM, smollm2_exact: LM, pairs: list[tuple[str, str]]) -> None:
    scores = Scorer(smollm2).conditional(pairs)
    asked = pairs[:2] + pairs[3:]  # the harness stops at a blank context
    exact = harness.exact_conditional(smollm2_exact, asked)
    theirs = harness.conditional(smollm2, asked, batch_size=4)
    assert any(greedy for _, greedy in theirs)
    assert not all(greedy for _, greedy in theirs)
    for score, truth, (expected, greedy) in zip(scores[:2] + scores[3:], exact, theirs, strict=True):
        assert abs(score.logp - truth.logp) < 1e-3
        assert abs(score.logp - expected) < 1e-3 + harness.HARNESS_ROUNDING * score.n_tokens
        assert score.n_tokens == truth.n_tokens
        assert score.is_greedy == greedy
    backwards = Scorer(smollm2, tokens_per_batch=200).conditional(pairs[::-1])[::-1]
    assert [s.logp for s in scores] == pytest.approx([s.logp for s in backwards], abs=ROUNDING)
    assert [s.is_greedy for s in scores] == [s.is_greedy for s in backwards]


def test_tokens_locate_every_character(smollm2: LM, texts: list[str]) -> None:
    some = texts[20:30]
    for text, tokens in zip(some, Scorer(smollm2, max_length=LENGTH).token_logp(some), strict=True):
        covered = np.zeros(len(text), bool)
        for start, stop in tokens.spans:
            covered[start:stop] = True
        assert covered.all()
