"""One step of preference training beside its peers, in time and in peak memory; equal results asserted.

    OMP_NUM_THREADS=1 python -m pytest -s benchmarks/bench_preference.py --benchmark-json=out.json
    OMP_NUM_THREADS=1 python benchmarks/bench_preference.py answers adapters  # a group, the peers in turns

A step: log-probabilities of chosen and rejected under the reference and under the model that learns, the
apo_zero loss, its gradients. SmolLM2-135M in float32, four pairs; the tokens of the prompts are half of all.
Two sets of pairs:

``answers``: prompts of users with an answer of a model and its revision by another, cut to 64 tokens, in the
chat template, so that all begin with the same 24 tokens. ``apart``: passages of a play; two answers have
nothing in common but their prompt, all are of one length, and no two prompts begin alike: the hardest case
for what shares beginnings.

Two models: ``adapters`` of rank 16 on all layers of the blocks, and ``all`` weights, those of the tied
embedding too; for the latter, the reference is another copy.

Peers: all logits; the logits of the answers' tokens alone, then logsumexp; the same without padding, sequence
by sequence; the fused head of TRL as its trainer for pairs uses it (it keeps entropy and more for its log),
and without these. All but the third read batches padded as TRL's are. A round takes seconds, in which a
shared machine may change: for ratios run the peers in turns.
"""

import contextlib
import copy
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import memory
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.lm import load
from pyfastlm.preference import PreferencePair, apo_loss
from pyfastlm.preference.encoding import TokenPair, encode
from pyfastlm.preference.logps import longest
from pyfastlm.preference.policy import Policy

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
SHARED = Path(__file__).parents[2] / "shared/data"
ANSWERS = SHARED / "preference/clair_gpt4_20.jsonl"
PLAY = SHARED / "text/tiny_shakespeare.txt"
SHORT = (1, 3, 15, 17)  # rows with prompts of some 30 tokens
CUT = 64
ROUNDS = int(os.environ.get("PYFASTLM_BENCH_ROUNDS", "3"))
PADDING = 0


class Learner(NamedTuple):
    """``model`` learns; ``reference`` is the same one where ``without`` takes its adapters away."""

    model: Any
    reference: Any
    without: Callable[[], contextlib.AbstractContextManager[Any]]

    @property
    def bare(self) -> tuple[Any, Any]:
        return bare(self.model), bare(self.reference)


def bare(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@cache
def pairs(which: str) -> list[TokenPair]:
    tokenizer = load("smollm2").tokenizer
    path = ANSWERS if which == "answers" else PLAY
    if not path.exists():
        pytest.skip(f"there is no {path}")
    if which == "answers":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        texts = [
            PreferencePair(*(rows[row][name] for name in ("prompt", "chosen", "rejected"))) for row in SHORT
        ]
        return [
            pair._replace(chosen=pair[1][:CUT], rejected=pair[2][:CUT]) for pair in encode(tokenizer, texts)
        ]
    ids = np.array(tokenizer(path.read_text()[:20_000]).input_ids, np.int32)[: 12 * CUT].reshape(4, 3, CUT)
    return [TokenPair(*passages) for passages in ids]


def learner(which: str, shape: dict[str, int] | None = None) -> Learner:
    model = load("smollm2").model if shape is None else random_model(**shape)
    if which == "all":
        reference = copy.deepcopy(model).requires_grad_(False)
        return Learner(model, reference, contextlib.nullcontext)
    import peft

    config = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = peft.get_peft_model(model, config).eval()
    return Learner(model, model, model.disable_adapter)


def random_model(vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


class Padded(NamedTuple):
    """[2N, T] each, chosen first; ``labels`` are -100 but for the answers."""

    ids: Tensor
    mask: Tensor
    labels: Tensor


def padded(given: list[TokenPair]) -> Padded:
    rows = [(pair.prompt, pair[side]) for side in (1, 2) for pair in given]
    shape = len(rows), max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, mask, labels = (torch.full(shape, fill) for fill in (PADDING, 0, -100))
    for row, (prompt, answer) in enumerate(rows):
        start, stop = len(prompt), len(prompt) + len(answer)
        ids[row, :stop] = torch.from_numpy(np.concatenate([prompt, answer]))
        mask[row, :stop] = 1
        labels[row, start:stop] = ids[row, start:stop]
    return Padded(ids, mask, labels)


Logps = Callable[[Any, Padded], Tensor]


def all_logits(model: Any, batch: Padded) -> Tensor:
    logits = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits[:, :-1]
    targets = batch.labels[:, 1:]
    logp = torch.log_softmax(logits, -1).gather(2, targets.clamp(min=0)[..., None])[..., 0]
    return (logp * (targets != -100)).sum(1)


def gathered(model: Any, batch: Padded) -> Tensor:
    decoder, head = bare(model).get_decoder(), bare(model).lm_head
    hidden = decoder(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).last_hidden_state[
        :, :-1
    ]
    targets = batch.labels[:, 1:]
    kept = targets != -100
    logits = F.linear(hidden[kept], head.weight)
    logp = logits.gather(1, targets[kept][:, None])[:, 0] - logits.logsumexp(1)
    return torch.zeros(len(batch.ids)).index_add(0, kept.nonzero()[:, 0], logp)


def gathered_apart(model: Any, batch: Padded) -> Tensor:
    sums = []
    for ids, mask, labels in zip(*batch, strict=True):
        stop = int(mask.sum())
        sums.append(gathered(model, Padded(*(row[None, :stop] for row in (ids, mask, labels)))))
    return torch.cat(sums)


def trl(model: Any, batch: Padded) -> Tensor:
    """Of a model that :func:`fused_by_trl` has changed."""
    options = {"use_cache": False, "labels": batch.labels, "fused_lm_head": True}
    return model(input_ids=batch.ids, attention_mask=batch.mask, **options).log_probs.sum(1)


@contextlib.contextmanager
def fused_by_trl(given: Learner, outputs: tuple[str, ...]) -> Iterator[None]:
    from trl.trainer.utils import add_fused_lm_head

    model, reference = given.bare
    add_fused_lm_head(model, outputs=outputs)
    if reference is not model:
        add_fused_lm_head(reference)
    try:
        yield
    finally:
        for changed in {model, reference}:
            vars(changed).pop("forward")


class Step(NamedTuple):
    """``gradient``: norm over all that learns."""

    loss: float
    gradient: float


def stepped(given: Learner, reference: Callable[[], Tensor], policy: Callable[[], Tensor]) -> Step:
    """One step; the gradients are thrown away."""
    with torch.no_grad(), given.without():
        before = reference()
    loss = apo_loss(*policy().chunk(2), *before.chunk(2))
    loss.backward()
    found = [p.grad for p in given.model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(found)
    given.model.zero_grad(set_to_none=True)
    return Step(float(loss.detach()), float(norm))


METRICS = ("log_probs", "entropy", "mean_logits", "is_top1")
PEERS: dict[str, tuple[Logps, tuple[str, ...]]] = {
    "all logits": (all_logits, ()),
    "gather, logsumexp": (gathered, ()),
    "gather, logsumexp, no padding": (gathered_apart, ()),
    "trl": (trl, METRICS),
    "trl, log-probabilities only": (trl, METRICS[:1]),
}
NAMES = ["pyfastlm", *PEERS]


@contextlib.contextmanager
def prepared(name: str, given: Learner, tokens: list[TokenPair]) -> Iterator[Callable[[], Step]]:
    """A step of one peer, ready to be run."""
    if name == "pyfastlm":
        policies = [Policy(model, longest(tokens)) for model in (given.reference, given.model)]
        yield partial(stepped, given, *(partial(logps_of, policy, tokens) for policy in policies))
        return
    run, outputs = PEERS[name]
    batch = padded(tokens)
    with fused_by_trl(given, outputs) if outputs else contextlib.nullcontext():
        yield partial(
            stepped, given, *(partial(run, model, batch) for model in (given.reference, given.model))
        )


def logps_of(policy: Policy, tokens: list[TokenPair]) -> Tensor:
    return torch.cat(policy.logps(tokens))


@cache
def kept(which: str) -> Learner:
    return learner(which)


@cache
def expected(which: str, texts: str) -> Step:
    with prepared("gather, logsumexp", kept(which), pairs(texts)) as run:
        return run()


@pytest.mark.parametrize("peer", NAMES)
@pytest.mark.parametrize("which", ["adapters", "all"])
@pytest.mark.parametrize("texts", ["answers", "apart"])
def test_step(benchmark, texts: str, which: str, peer: str) -> None:
    benchmark.group = f"{texts}, {which}"
    with prepared(peer, kept(which), pairs(texts)) as run:
        found = run()
        # At the start all ratios are 0, so that the loss is 1 and the gradient tells.
        assert found.loss == pytest.approx(expected(which, texts).loss, abs=2e-5)
        assert found.gradient == pytest.approx(expected(which, texts).gradient, rel=1e-4)
        benchmark.pedantic(run, rounds=ROUNDS)
    benchmark.extra_info |= {"loss": found.loss, "gradient": found.gradient}


def peak(name: str, which: str, texts: str, vocabulary: str) -> float:
    """MiB that a step adds, in this process; ``vocabulary`` 0 is SmolLM2."""
    torch.set_num_threads(1)
    size = int(vocabulary)
    given = learner(which, {"vocabulary": size} if size else None)
    tokens = pairs(texts) if size == 0 else drawn(size)
    with prepared(name, given, tokens) as run:
        return memory.growth(run)


def drawn(vocabulary: int) -> list[TokenPair]:
    random = np.random.default_rng(0)
    return [TokenPair(*random.integers(0, vocabulary, (3, CUT), dtype=np.int32)) for _ in range(4)]


@memory.linux_only
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["adapters", "all"])
def test_peak_memory(benchmark, which: str, name: str) -> None:
    benchmark.group = f"peak memory, answers, {which}"
    pairs("answers")  # skips without them
    found = memory.in_fresh_process("bench_preference", "peak", name, which, "answers", "0")
    benchmark.pedantic(lambda: None)
    benchmark.extra_info["MiB"] = found
    print(f"\n{which}, {name}: {found:.0f} MiB")


@memory.linux_only
@pytest.mark.parametrize("name", ["pyfastlm", "gather, logsumexp", "trl, log-probabilities only"])
def test_memory_of_vocabularies(benchmark, name: str) -> None:
    """Adapters in a small model: what a step adds at 16, 64 and 256 thousand tokens."""
    benchmark.group = "peak memory by vocabulary"
    sizes = [1 << 14, 1 << 16, 1 << 18]
    found = [
        memory.in_fresh_process("bench_preference", "peak", name, "adapters", "", str(size)) for size in sizes
    ]
    benchmark.pedantic(lambda: None)
    benchmark.extra_info |= {f"MiB at {size}": mib for size, mib in zip(sizes, found, strict=True)}
    print(f"\n{name}: {[f'{mib:.0f}' for mib in found]} MiB")
    if name == "pyfastlm":
        assert max(found) - min(found) < 8


def in_turns(texts: str, which: str) -> dict[str, list[float]]:
    """Seconds of each peer, one step of each after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for name in NAMES * ROUNDS:
        with prepared(name, kept(which), pairs(texts)) as run:
            started = time.perf_counter()
            found = run()
            seconds[name].append(time.perf_counter() - started)
        assert found.gradient == pytest.approx(expected(which, texts).gradient, rel=1e-4)
    return seconds


if __name__ == "__main__":
    found = in_turns(*sys.argv[1:])
    for title, of in ("least", min), ("median", statistics.median):
        print(title, {name: round(of(seconds) / of(found["pyfastlm"]), 2) for name, seconds in found.items()})
    print(json.dumps(found))
