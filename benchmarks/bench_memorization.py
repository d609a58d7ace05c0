"""Verbatim lengths beside decoding every prompt, with a SmolLM2-135M that knows passages; equal results.

    python -m pytest -s benchmarks/bench_memorization.py --benchmark-json=out.json

The model is trained on four passages of a play for some minutes until it gives much of them back; with a
directory in PYFASTLM_BENCH_MEMORISED it is kept there for the next time. Measured are 16 starts with prefixes
of 8, 16, 32 and 64 tokens and 64 more: of a passage that it knows, and of one that it does not. float32;
PYFASTLM_BENCH_STARTS sets another number of starts. Every peer gets tokens and gives the 64 lengths.

``generate`` decodes all prompts of a length in one batch, with its cache, so nothing is padded;
``generate, stopped`` ends when all rows of a batch have erred; ``full logits`` reads each start once, as
pyfastlm does, and holds the logits of the batch. Rounds are few: quote ratios within one run, on a machine
that does nothing else.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from rates import least

from pyfastlm.lm import LM, load
from pyfastlm.memorization import verbatim_lengths

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
PLAY = Path(__file__).parents[2] / "shared/data/text/tiny_shakespeare.txt"
STARTS = range(0, 128, 128 // int(os.environ.get("PYFASTLM_BENCH_STARTS", "16")))
PREFIXES = (8, 16, 32, 64)
HORIZON = 64
STEPS = int(os.environ.get("PYFASTLM_BENCH_STEPS", "17"))  # of training
LENGTH = 256
BATCH = 16  # windows of which logits are held


@cache
def tokens() -> list[int]:
    """Of some scenes."""
    if not PLAY.exists():
        pytest.skip(f"there is no {PLAY}")
    text = PLAY.read_text()[400_000:420_000]
    found: list[int] = load("smollm2").tokenizer(text).input_ids
    return found


def passage(known: bool) -> list[int]:
    start = 0 if known else 300
    return tokens()[start : start + LENGTH]


@cache
def lm() -> LM:
    kept = os.environ.get("PYFASTLM_BENCH_MEMORISED")
    if kept and Path(kept, "config.json").exists():
        return load(kept)
    lm = load("smollm2")
    batch = torch.tensor([tokens()[start : start + LENGTH] for start in range(0, 2400, 600)])
    optimizer = torch.optim.AdamW(lm.model.parameters(), lr=1e-4, weight_decay=0)
    lm.model.train()
    for _ in range(STEPS):
        lm.model(batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    lm.model.eval()
    if kept:
        lm.model.save_pretrained(kept)
        lm.tokenizer.save_pretrained(kept)
    return lm


def pyfastlm(ids: list[int]) -> np.ndarray:
    return verbatim_lengths(lm(), ids, PREFIXES, HORIZON, starts=STARTS).lengths


def runs(hits: np.ndarray) -> np.ndarray:
    return np.logical_and.accumulate(hits, axis=1).sum(1)


def generate(ids: list[int], *, stopped: bool = False) -> np.ndarray:
    lengths = []
    lm().model.generation_config.eos_token_id = None
    for p in PREFIXES:
        prompts = torch.tensor([ids[start : start + p] for start in STARTS])
        true = torch.tensor([ids[start + p : start + p + HORIZON] for start in STARTS])

        def erred(rows: torch.Tensor, scores: object, p: int = p, true: torch.Tensor = true) -> torch.Tensor:
            made = rows[:, p:]
            return (made != true[:, : made.shape[1]]).any(dim=1)

        out = lm().model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            max_new_tokens=HORIZON,
            do_sample=False,
            pad_token_id=0,
            stopping_criteria=[erred] if stopped else None,
        )[:, p:]
        lengths.append(runs((out == true[:, : out.shape[1]]).numpy()))
    return np.stack(lengths, axis=1)


def full_logits(ids: list[int]) -> np.ndarray:
    lengths = []
    windows = torch.tensor([ids[start : start + max(PREFIXES) + HORIZON] for start in STARTS])
    for batch in windows.split(BATCH):
        hits = (lm().model(batch[:, :-1], use_cache=False).logits.argmax(-1) == batch[:, 1:]).numpy()
        lengths.append(np.stack([runs(hits[:, p - 1 : p - 1 + HORIZON]) for p in PREFIXES], axis=1))
    return np.concatenate(lengths)


PEERS: dict[str, Callable[[list[int]], np.ndarray]] = {
    "pyfastlm": pyfastlm,
    "full logits": full_logits,
    "generate, stopped": lambda ids: generate(ids, stopped=True),
    "generate": generate,
}


@cache
def reference(known: bool) -> np.ndarray:
    return pyfastlm(passage(known))


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@torch.inference_mode()
def test_verbatim_lengths(benchmark, capsys: pytest.CaptureFixture[str], known: bool, peer: str) -> None:
    benchmark.group = f"verbatim lengths, {'known' if known else 'unknown'}"
    expected = reference(known)
    found = benchmark.pedantic(PEERS[peer], args=(passage(known),), rounds=1)
    assert (found == expected).all()
    prompts = expected.size
    seconds = least(benchmark)
    benchmark.extra_info.update(
        prompts=prompts, mean_length=expected.mean(), longest=int(expected.max()), seconds=seconds
    )
    with capsys.disabled():
        print(f"\n{peer}, {'known' if known else 'unknown'}: {seconds:.2f} s for {prompts} prompts")


@pytest.mark.parametrize("mode", ["token", "normalized"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_modes(benchmark, known: bool, mode: str) -> None:
    benchmark.group = f"by tokens and by words, {'known' if known else 'unknown'}"
    benchmark.extra_info["peer"] = f"pyfastlm, {mode}"
    ids = passage(known)
    benchmark.pedantic(
        lambda: verbatim_lengths(lm(), ids, PREFIXES, HORIZON, starts=STARTS, mode=mode), rounds=1
    )
