"""Training a cross-encoder on queries with their documents."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.ir.examples import RankingExample, check_example
from pyfastlm.ir.held_out import HeldOut
from pyfastlm.ir.training.batches import batches
from pyfastlm.ir.training.losses import LOSSES
from pyfastlm.ir.training.options import RerankerOptions
from pyfastlm.ir.training.reranker import Reranker
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.progress import watched
from pyfastlm.lm.sentence_encoder import MINILM

TOGETHER = 16  # pairs that are read at a time
CLIP = 1.0  # norm of the gradient
HEADS = {"pooler", "classifier"}  # modules above the layers of an encoder
DEFAULTS = RerankerOptions()


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained reranker.

    Attributes:
        reranker: in evaluation mode.
        losses: mean of each step, float.
        seconds: of the steps.
    """

    reranker: Reranker
    losses: tuple[float, ...]
    seconds: float


def train_reranker(
    examples: Sequence[RankingExample],
    *,
    base: StrPath = MINILM,
    options: RerankerOptions = DEFAULTS,
    held_out: HeldOut | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Trained:
    """Train a cross-encoder: [CLS] query [SEP] document [SEP] -> one score.

    Args:
        examples: queries with a document of another label besides, as :func:`pyfastlm.ir.mine_negatives`
            gives them.
        base: the encoder to begin with; see :meth:`Reranker.load`.
        options: loss, rate, length and so on.
        held_out: queries and documents that must not be in the examples; an error if one is.
        seed: of new weights, of the order of examples and of dropout. The same seed gives the same reranker
            on the same machine.
        progress: show a bar on standard error.

    Raises:
        InputError, InputTypeError: there is no example, or one cannot be learnt from, or there is no base.
        Leak: an example has something that is held out.
    """
    if not examples:
        raise InputError("examples: expected at least one, got none")
    for number, example in enumerate(examples):
        check_example(example, f"examples[{number}]")
    if held_out is not None:
        held_out.check(examples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reranker = Reranker.load(base, max_length=options.max_length)
        _reset(reranker.model.model, options.reset)
        losses, seconds = _train(reranker.model, examples, options, seed, progress)
    return Trained(reranker, tuple(losses), seconds)


def _train(
    model: Any, examples: Sequence[RankingExample], options: RerankerOptions, seed: int, progress: bool
) -> tuple[list[float], float]:
    steps = options.epochs * -(-len(examples) // options.batch_size)
    optimizer = torch.optim.AdamW(_groups(model, options), lr=options.learning_rate, fused=True)
    rise = round(options.warmup * steps)

    def rate(step: int) -> float:
        left = (steps - step) / (steps - rise)
        return (step + 1) / (rise + 1) if step < rise else left

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    losses: list[float] = []
    started = time.perf_counter()
    model.train()
    stream = batches(examples, options.epochs, options.batch_size, options.in_batch, seed)
    for batch in watched(stream, steps, "steps", progress):
        loss = _loss(model, batch, options)
        if not bool(loss.isfinite()):
            raise InputError("options: the loss is no number any more; take a lower learning_rate")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    model.eval()
    return losses, time.perf_counter() - started


def _loss(model: Any, batch: Sequence[RankingExample], options: RerankerOptions) -> Tensor:
    """Mean over the queries of a batch."""
    pairs = [(example.query, text) for example in batch for text in example.texts]
    scores = _scores(model, pairs) / options.temperature
    lists = scores.split([len(example.texts) for example in batch])
    loss = LOSSES[options.loss]
    each = [loss(of, torch.tensor(example.labels)) for of, example in zip(lists, batch, strict=True)]
    return torch.stack(each).mean()


def _scores(model: Any, pairs: Sequence[tuple[str, str]]) -> Tensor:
    """[pairs]; those of about the same length are read together, so that there is little padding."""
    order = sorted(range(len(pairs)), key=lambda number: len(pairs[number][1]))
    parts = []
    for start in range(0, len(order), TOGETHER):
        some = [pairs[number] for number in order[start : start + TOGETHER]]
        parts.append(model(model.preprocess(some))["scores"].view(-1).float())
    return torch.cat(parts)[torch.tensor(order).argsort()]


def _groups(model: Any, options: RerankerOptions) -> list[dict[str, Any]]:
    """Matrices decay; biases and norms do not. The classifier, which begins at random, learns faster."""
    learnt = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    new = [p for name, p in learnt if "classifier" in name.split(".")]
    old = [p for name, p in learnt if "classifier" not in name.split(".")]
    fast = options.learning_rate * options.classifier_rate
    groups: list[dict[str, Any]] = []
    for parameters, rate in ((old, options.learning_rate), (new, fast)):
        for several, decay in ((True, options.weight_decay), (False, 0.0)):
            of = [p for p in parameters if (p.ndim > 1) == several]
            groups.append({"params": of, "weight_decay": decay, "lr": rate})
    return groups


def _reset(model: Any, which: str) -> None:
    """Draw weights anew, as a new model would: its head, or everything."""
    if which == "all":
        fresh = type(model)(model.config)
        model.load_state_dict(fresh.state_dict())
    elif which == "head":
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and not HEADS.isdisjoint(name.split(".")):
                torch.nn.init.normal_(module.weight, std=model.config.initializer_range)
                if module.bias is not None:
                    torch.nn.init.zeros_(module.bias)
