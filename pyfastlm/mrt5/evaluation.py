"""Bits per byte, deletion and speed: soft and hard, beside deletion without learning and no gate at all."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast, get_args

import numpy as np
import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.mrt5.examples import IGNORED, Data, Example, collate
from pyfastlm.mrt5.kinds import LEARNED, POOLING
from pyfastlm.mrt5.report import Mode, Report, Tally
from pyfastlm.mrt5.variants import Segments, evaluating, variant

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

MODES: tuple[Mode, ...] = ("soft", "hard", "hard+bias")
EQUAL: tuple[Mode, ...] = ("random", "fixed")  # they delete what "hard" deleted


def evaluate(
    model: "MrT5ForConditionalGeneration",
    data: Data,
    *,
    modes: Sequence[str] | None = None,
    control: "MrT5ForConditionalGeneration | None" = None,
    pooled: "Sequence[MrT5ForConditionalGeneration]" = (),
    batch_size: int = 8,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Run ``model`` over all of ``data`` in each of ``modes``; neither it nor a controller changes.

    - ``soft``: gates as a bias, nothing removed. ``hard``: rows removed, kept gates become 0, as the original
      does it. ``hard+bias``: rows removed, kept gates stay. ``full``: the same weights without their gate or
      pooling.
    - ``random`` and ``fixed``: the same weights, hard deletion of random ids, or of the tail of each segment,
      at the rate that ``hard`` had on this data (``fixed`` as near as its steps allow). What they delete is
      counted and shown.
    - ``boundary`` and ``convolution``: a model of that ``deletion_type``, as it is: pooling has no soft form.
    - ``control``, a model of its own, is run without deletion: the same training without a gate, say.

    The modes take turns batch by batch, and each runs once before its clock starts.

    Args:
        model: with a gate, or one that pools; without either only ``full`` makes sense.
        data: examples of epoch 0, in their order; batches are padded to their longest.
        modes: any of ``full``, ``soft``, ``hard``, ``hard+bias``, ``random``, ``fixed``; where the model
            pools, ``full`` and its ``deletion_type``. None for ``soft``, ``hard``, ``hard+bias``, or for its
            ``deletion_type``.
        control: another model to hold against it; adds rows of mode ``control``.
        pooled: models that pool, to hold against it likewise; adds rows of their ``deletion_type``.
        batch_size: examples run at once. Padding makes speed depend on it.
        seed: of ``random``.
        progress: a bar on standard error.

    Raises:
        InputError: a mode is unknown, or the model cannot do it; a number is out of range.

    Source: Kallini et al. (2024), section 4; the definitions are in :class:`~pyfastlm.mrt5.report.Row`.
    """
    kind = model.config.deletion_type
    if modes is None:
        modes = (kind,) if kind in POOLING else MODES
    _check(kind, data, modes, batch_size, seed)
    _check_pooled(modes, [one.config.deletion_type for one in pooled])
    order = cast("list[Mode]", list(dict.fromkeys(modes)))
    subjects: dict[Mode, tuple[MrT5ForConditionalGeneration, bool]] = {}
    for mode in order:
        if mode in ("soft", "hard"):
            subjects[mode] = (_plain(model), mode == "hard")
        elif mode == "hard+bias":
            subjects[mode] = (variant(model, keep_gate_bias=True), True)
        elif mode in POOLING:
            subjects[mode] = (model, True)
        elif mode == "full":
            subjects[mode] = (variant(model, deletion_type=None), False)
    for one in pooled:
        order.append(one.config.deletion_type)
        subjects[one.config.deletion_type] = (one, True)
    if control is not None:
        subjects["control"] = (variant(control, deletion_type=None), False)
    work = _Work(data, batch_size, seed, progress)
    work.run(subjects)
    if wanted := [mode for mode in EQUAL if mode in order]:
        deleted = work.deleted("hard")
        amounts = {
            "random": {"random_deletion_probability": deleted},
            "fixed": {"fixed_deletion_amount": work.segments.amount(deleted)},
        }
        work.run({mode: (variant(model, deletion_type=mode, **amounts[mode]), True) for mode in wanted})
    return work.report([*order, "control"] if control is not None else order)


class _Work:
    """The passes over the data, and what they count."""

    def __init__(self, data: Data, batch_size: int, seed: int, progress: bool) -> None:
        self.data = data
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress
        self.segments = Segments()
        self._tallies: dict[tuple[Mode, str | None], Tally] = {}

    def run(self, subjects: "dict[Mode, tuple[MrT5ForConditionalGeneration, bool]]") -> None:
        """One pass, all ``subjects`` (model, whether it deletes for real) on each batch."""
        starts = range(0, len(self.data), self.batch_size)
        what = ", ".join(subjects)
        models = [model for model, _ in subjects.values()]
        with evaluating(*models), torch.random.fork_rng():
            for start in watched(starts, len(starts), what, self.progress):
                stop = min(start + self.batch_size, len(self.data))
                examples = self.data.examples(0, np.arange(start, stop))
                for mode, (model, hard) in subjects.items():
                    if start == 0:
                        self._batch(mode, model, hard, examples, start, counted=False)
                    self._batch(mode, model, hard, examples, start)
                if "hard" in subjects:
                    self.segments.add([example.input_ids for example in examples])

    def _batch(
        self,
        mode: Mode,
        model: "MrT5ForConditionalGeneration",
        hard: bool,
        examples: list[Example],
        start: int,
        counted: bool = True,
    ) -> None:
        batch = {name: tensor.to(model.device) for name, tensor in collate(examples).items()}
        labels = batch.pop("labels")
        torch.manual_seed(int(np.random.default_rng((self.seed, start)).integers(2**63)))
        _wait(model.device)
        started = time.perf_counter()
        output = model(**batch, hard_delete=hard)
        _wait(model.device)
        seconds = time.perf_counter() - started
        if not counted:
            return
        nats = _nats(output.logits, labels).tolist()
        targets = (labels != IGNORED).sum(dim=1).tolist()
        totals = batch["attention_mask"].sum(dim=1)
        kept = (totals if output.keep is None else output.keep.sum(dim=1)).tolist()
        for row, example in enumerate(examples):
            for language in (None, example.language):
                tally = self._tallies.setdefault((mode, language), Tally())
                tally.examples += 1
                tally.targets += targets[row]
                tally.nats += nats[row]
                tally.kept += kept[row]
                tally.total += int(totals[row])
                tally.seconds += seconds / len(examples)

    def deleted(self, mode: Mode) -> float:
        """Fraction of all ids that ``mode`` deleted."""
        tally = self._tallies[mode, None]
        return 1 - tally.kept / tally.total

    def report(self, order: list[Mode]) -> Report:
        """All rows, mode by mode; languages only where there are several."""
        languages = list(dict.fromkeys(language for _, language in self._tallies))
        shown = languages if len(languages) > 2 else [None]
        rows = [self._tallies[mode, language].row(mode, language) for mode in order for language in shown]
        return Report(tuple(rows), self.batch_size, self.seed)


def _plain(model: "MrT5ForConditionalGeneration") -> "MrT5ForConditionalGeneration":
    """``model`` itself, or a twin where it is set to keep its gates' bias."""
    return variant(model, keep_gate_bias=False) if model.config.keep_gate_bias else model


def _nats(logits: Tensor, labels: Tensor) -> Tensor:
    """[B] float64: the cross entropy of each example's labels, summed."""
    each = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return each.double().reshape(labels.shape).sum(dim=1)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _check(kind: str | None, data: Data, modes: Sequence[str], batch_size: int, seed: int) -> None:
    known = [mode for mode in get_args(Mode) if mode != "control"]
    for mode in modes:
        if mode not in known:
            raise InputError(f"modes: expected some of {', '.join(known)}, got {mode!r}")
        if mode in POOLING and mode != kind:
            raise InputError(f"modes: {mode!r} needs a model that pools so, and deletion_type is {kind!r}")
        if mode not in ("full", *POOLING) and kind not in LEARNED:
            raise InputError(f"modes: {mode!r} needs a gate that learned, and deletion_type is {kind!r}")
        if mode in EQUAL and "hard" not in modes:
            raise InputError(f"modes: {mode!r} deletes as much as 'hard' did; add 'hard'")
    if not modes:
        raise InputError("modes: expected at least one, got none")
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1, got {batch_size}")
    if seed < 0:
        raise InputError(f"seed: expected at least 0, got {seed}")
    if not len(data):
        raise InputError("data: expected at least one example, got none")


def _check_pooled(modes: Sequence[str], kinds: list[str | None]) -> None:
    for number, kind in enumerate(kinds):
        if kind not in POOLING:
            raise InputError(f"pooled: expected models that pool, got one whose deletion_type is {kind!r}")
        if kind in (*modes, *kinds[:number]):
            raise InputError(f"pooled: expected one model for each deletion_type, got two of {kind!r}")
