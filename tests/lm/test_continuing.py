"""Continuations that are decoded together are those of transformers' generate, one prompt at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from preferences import small_lm

from pyfastlm.errors import InputError
from pyfastlm.lm import LM
from pyfastlm.lm.continuing import continued
from pyfastlm.lm.runner import Runner
from pyfastlm.lm.sampling import Sampling

CONTEXT = 128


@pytest.fixture(scope="module")
def lm() -> LM:
    return small_lm()


def prompts(count: int, shared: int, *, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    start = rng.integers(3, 400, shared)
    ends = [rng.integers(3, 400, rng.integers(1, 25)) for _ in range(count)]
    return [np.concatenate([start, end]).astype(np.int32) for end in ends]


def found(lm: LM, given: Sequence[Any], **options: Any) -> dict[int, tuple[tuple[int, ...], bool]]:
    defaults = {"ends": [2], "limit": 12, "context": CONTEXT}
    every = [*continued(Runner(lm, CONTEXT), given, **(defaults | options))]
    assert sorted(each.prompt for each in every) == list(range(len(given)))
    return {each.prompt: (each.tokens, each.ended) for each in every}


def by_generate(lm: LM, prompt: Any, end: int, limit: int) -> tuple[int, ...]:
    ids = torch.tensor(prompt[None].astype(np.int64))
    with torch.inference_mode():
        out = lm.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit,
            eos_token_id=end, pad_token_id=end,
        )  # fmt: skip
    new = out[0, len(prompt) :].tolist()
    return tuple(new[: new.index(end)] if end in new else new)


@pytest.mark.parametrize("shared", [0, 40])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_equal_to_generate(lm: LM, shared: int, batch_size: int) -> None:
    given = prompts(9, shared)
    limit = 12
    # Of a random model no token ends a text often: the one that it writes most is taken for it.
    alone = [by_generate(lm, prompt, 2, limit) for prompt in given]
    end = int(np.bincount(np.concatenate([np.array(each) for each in alone])).argmax())
    wanted = [by_generate(lm, prompt, end, limit) for prompt in given]
    ours = found(lm, given, ends=[end], batch_size=batch_size)
    assert [ours[n] for n in range(9)] == [(each, len(each) < limit) for each in wanted]
    assert 0 < sum(len(each) < limit for each in wanted) < 9  # both ways to end are seen


def test_a_model_that_cannot_share(lm: LM) -> None:
    gpt = small_lm("GPT2", n_embd=48, n_layer=2, n_head=4)
    given = prompts(3, 20)
    ours = found(gpt, given)
    assert [ours[n][0] for n in range(3)] == [by_generate(gpt, prompt, 2, 12) for prompt in given]


def test_small_budgets_read_in_portions(lm: LM) -> None:
    given = prompts(5, 40)
    small = Runner(lm, CONTEXT, 16)
    some = {e.prompt: e.tokens for e in continued(small, given, ends=[2], limit=6, context=CONTEXT)}
    assert some == {n: tokens for n, (tokens, _) in found(lm, given, limit=6).items()}


def test_draws_depend_on_the_seed_alone(lm: LM) -> None:
    given = prompts(6, 30)
    options: dict[str, Any] = {"sampling": Sampling(0.9, top_p=0.95), "seeds": [f"s{n}" for n in range(6)]}
    together = found(lm, given, batch_size=6, **options)
    assert together == found(lm, given, batch_size=2, **options)
    turned = found(lm, given[::-1], batch_size=4, sampling=options["sampling"], seeds=options["seeds"][::-1])
    assert [turned[n] for n in range(6)] == [together[5 - n] for n in range(6)]
    assert together != found(lm, given, sampling=options["sampling"], seeds=["other"] * 6)


def test_draws_have_the_probabilities_of_the_model(lm: LM) -> None:
    prompt = prompts(1, 0)[0]
    count = 3000
    drawn = found(
        lm, [prompt] * count, limit=1, batch_size=500, sampling=Sampling(1.5, top_k=8),
        seeds=[str(n) for n in range(count)],
    )  # fmt: skip
    with torch.inference_mode():
        logits = lm.model(input_ids=torch.tensor(prompt[None].astype(np.int64))).logits[0, -1]
    best = logits.topk(8)
    shares = (
        np.array([sum(tokens == (int(t),) for tokens, _ in drawn.values()) for t in best.indices]) / count
    )
    expected = (best.values / 1.5).softmax(0).numpy()
    assert shares == pytest.approx(expected, abs=4 * (0.25 / count) ** 0.5)


def test_stop_and_context(lm: LM) -> None:
    given = prompts(2, 0)
    whole = found(lm, given)
    stopped = found(lm, given, stop=lambda tokens: len(tokens) == 3)
    assert stopped == {n: (tokens[:3], True) for n, (tokens, _) in whole.items()}
    full = prompts(1, 110)[:1]
    room = CONTEXT - len(full[0])
    assert len(found(lm, full, limit=500, ends=[])[0][0]) == room
    with pytest.raises(InputError, match=r"prompts\[0\]: expected 1 to 127 tokens.*got 0"):
        found(lm, [np.empty(0, np.int32)])
    with pytest.raises(InputError, match=r"prompts\[1\]: expected 1 to 127 tokens.*got 128"):
        found(lm, [full[0], np.full(128, 5, np.int32)])


def test_nothing_to_continue(lm: LM) -> None:
    assert found(lm, []) == {}
