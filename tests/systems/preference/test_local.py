"""Models in this process as writers: greedy decoding, and draws that follow the softmax in any batch."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import one_thread
from scipy.stats import chisquare
from tiny import SENTENCES, save_tiny_lm

from pyfastlm.errors import InputError
from pyfastlm.lm import LM, load
from pyfastlm.lm.sampling import Sampling
from pyfastlm.preference.asking import Completion, HFReviser, sample_answers
from pyfastlm.preference.asking.local import _Gumbel
from pyfastlm.preference.builders import Reason
from pyfastlm.preference.revising import clair

PROMPTS = [text[:n] for text, n in zip(SENTENCES, (9, 30, 14, 22, 5, 11, 8, 40), strict=True)]
CHAT = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}<s>assistant: "


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    with one_thread():
        yield


def plainly(lm: LM, prompt: str, count: int) -> tuple[str, bool]:
    """Greedy decoding, written out."""
    ids = lm.tokenizer(prompt)["input_ids"]
    made: list[int] = []
    for _ in range(count):
        with torch.no_grad():
            token = int(lm.model(torch.tensor([ids + made])).logits[0, -1].argmax())
        if token == lm.tokenizer.eos_token_id:
            return lm.tokenizer.decode(made), True
        made.append(token)
    return lm.tokenizer.decode(made), False


def test_greedy_is_greedy(lm: LM) -> None:
    writer = HFReviser(lm, max_new_tokens=12)
    expected = [Completion(*plainly(lm, prompt, 12)) for prompt in PROMPTS]
    assert writer(PROMPTS) == expected
    assert [found for prompt in PROMPTS for found in writer([prompt])] == expected
    assert writer([]) == []


def test_an_end_ends_a_text(lm: LM) -> None:
    text, _ = plainly(lm, PROMPTS[0], 12)
    own = lm.model.generation_config.eos_token_id
    ids = lm.tokenizer(PROMPTS[0])["input_ids"]
    third = int(
        lm.model.generate(torch.tensor([ids]), max_new_tokens=3, do_sample=False, pad_token_id=0)[0, -1]
    )
    lm.model.generation_config.eos_token_id = [own, third]
    try:
        (found,) = HFReviser(lm, max_new_tokens=12)([PROMPTS[0]])
    finally:
        lm.model.generation_config.eos_token_id = own
    assert found.finished
    assert text.startswith(found.text)
    assert len(found.text) < len(text)


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(0.7), Sampling(1.3, top_k=20), Sampling(0.9, top_p=0.8)]
)
def test_draws_depend_on_prompt_and_seed_alone(lm: LM, sampling: Sampling) -> None:
    writer = HFReviser(lm, sampling=sampling, seed=3, max_new_tokens=10)
    together = writer(PROMPTS)
    assert [found for prompt in PROMPTS for found in writer([prompt])] == together
    assert writer(PROMPTS[::-1]) == together[::-1]
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    assert HFReviser(lm, sampling=sampling, seed=3, max_new_tokens=10)(PROMPTS) == together
    assert torch.equal(torch.random.get_rng_state(), state)
    for other in ({"seed": 4}, {"seed": 3, "stream": 1}):
        assert HFReviser(lm, sampling=sampling, max_new_tokens=10, **other)(PROMPTS) != together


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.6, top_k=9), Sampling(1.5, top_p=0.7)])
def test_draws_follow_the_softmax(lm: LM, sampling: Sampling) -> None:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    prompt, count = PROMPTS[1], 3000
    ids = torch.tensor([lm.tokenizer(prompt)["input_ids"]])
    with torch.no_grad():
        logits = lm.model(ids).logits[:, -1]
    logits = TemperatureLogitsWarper(sampling.temperature)(ids, logits)
    if sampling.top_k:
        logits = TopKLogitsWarper(sampling.top_k)(ids, logits)
    if sampling.top_p:
        logits = TopPLogitsWarper(sampling.top_p)(ids, logits)
    p = logits.softmax(-1)[0].double().numpy()
    # The noise itself, for many seeds; through generate it would take minutes.
    noisy = _Gumbel([f"0 0 {n}" for n in range(count)])(ids, logits.expand(count, -1))
    drawn = torch.bincount(noisy.argmax(-1), minlength=len(p)).numpy()
    assert drawn[p == 0].sum() == 0
    often = count * p >= 5
    seen, expected = [*drawn[often], drawn[~often].sum()], [*(count * p[often]), count * p[~often].sum()]
    if expected[-1] < 5:
        seen, expected = seen[:-1], expected[:-1]
    expected = [each * sum(seen) / sum(expected) for each in expected]  # its sum must be exact
    assert chisquare(seen, expected).pvalue > 1e-3


def test_the_context_is_a_limit(lm: LM) -> None:
    long = "x" * 500
    fits = lm.tokenizer.decode(lm.tokenizer(long)["input_ids"][:120])
    found = HFReviser(lm, max_new_tokens=50)([PROMPTS[0], long, fits, ""])
    assert found[0] == HFReviser(lm, max_new_tokens=50)([PROMPTS[0]])[0]
    assert "the model reads 128" in found[1].error
    assert found[3].error == "the prompt is empty"
    used = len(lm.tokenizer(fits)["input_ids"])
    assert found[2] == Completion(*plainly(lm, fits, 128 - used))


def test_a_chat_template_is_used(tiny_lm_dir: Path) -> None:
    lm, plain = load(tiny_lm_dir), load(tiny_lm_dir)
    lm.tokenizer.chat_template = CHAT
    (found,) = HFReviser(lm, max_new_tokens=8)(["hello"])
    assert found == Completion(*plainly(lm, "<s>user: hello</s><s>assistant: ", 8))
    assert HFReviser(lm).identity != HFReviser(plain).identity


def test_identities(lm: LM, tmp_path: Path) -> None:
    save_tiny_lm(tmp_path, seed=1)
    made = [
        HFReviser(lm),
        HFReviser(load(tmp_path)),
        HFReviser(lm, max_new_tokens=5),
        HFReviser(lm, sampling=Sampling()),
        HFReviser(lm, sampling=Sampling(0.5)),
        HFReviser(lm, sampling=Sampling(), seed=1),
        HFReviser(lm, sampling=Sampling(), stream=1),
    ]
    assert len({writer.identity for writer in made}) == len(made)
    assert HFReviser(lm, seed=1, batch_size=2).identity == made[0].identity


def test_samples_are_kept(lm: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"samples": 3, "max_new_tokens": 6, "seed": 2, "batch_size": 3}
    expected = sample_answers(lm, PROMPTS, **given)
    assert [len(each) for each in expected] == [3] * len(PROMPTS)
    assert any(len(set(each)) == 3 for each in expected)
    assert sample_answers(lm, PROMPTS, tmp_path / "answers", **given) == expected
    lines = (tmp_path / "answers").read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 3 * 3
    (tmp_path / "answers").write_bytes(b"".join(lines[:5]) + b'{"')
    assert sample_answers(lm, PROMPTS, tmp_path / "answers", **given) == expected
    assert (tmp_path / "answers").read_bytes() == b"".join(lines)
    monkeypatch.setattr(HFReviser, "__call__", lambda *_: pytest.fail("asked"))
    assert sample_answers(lm, PROMPTS, tmp_path / "answers", **given) == expected
    assert sample_answers(lm, PROMPTS, tmp_path / "answers", **given | {"samples": 1}) == [
        each[:1] for each in expected
    ]


def test_random_weights_have_no_yield(lm: LM, tmp_path: Path) -> None:
    rows = [(prompt, prompt[::-1]) for prompt in PROMPTS]
    found = clair(HFReviser(lm, max_new_tokens=8), rows, tmp_path / "answers")
    assert {outcome.reason for outcome in found.outcomes} <= {Reason.FAILED, Reason.CUT_OFF, Reason.NO_MARKER}
    assert json.dumps(found.statistics.as_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens: expected"),
        ({"batch_size": 0}, "batch_size: expected"),
        ({"batch_size": 1.5}, "batch_size: expected"),
    ],
)
def test_wrong_settings(lm: LM, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HFReviser(lm, **change)
    with pytest.raises(InputError, match="samples: expected"):
        sample_answers(lm, PROMPTS, samples=0)
