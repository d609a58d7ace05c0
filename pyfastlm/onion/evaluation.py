"""How often whole sequences come out right: of the model, and from states corrupted and repaired."""

from dataclasses import dataclass
from typing import Literal

import torch

from pyfastlm.errors import InputError
from pyfastlm.onion.codes import Coder
from pyfastlm.onion.interventions.base import Intervention
from pyfastlm.onion.interventions.conditions import check_shapes, check_task, resolved
from pyfastlm.onion.interventions.corruption import Lengths, chosen_lengths, corrupt
from pyfastlm.onion.scoring import Share, share
from pyfastlm.onion.sequences import Sequences
from pyfastlm.onion.tallying import Scores, Tally
from pyfastlm.onion.task import RepeatTask

BATCH = 1024  # even, for pairs
DONORS = 1 << 40  # from the seed of the corruption to that of donors


@dataclass(frozen=True, slots=True)
class Report:
    """What :func:`evaluate` found.

    Attributes:
        scores: from the states that were asked for: repaired by the intervention, corrupted where there is
            none, or whole without edits.
        identity: the same corrupted states as they are, unrepaired: how much is right by doing nothing. None
            without edits.
        changed: share of sequences that the corruption changed at all.
        whole: share of sequences that have a donor with the whole original in it: an intervention that took
            all channels from there would repair them, whatever the model does. Many among short sequences.
        lengths, edits: the condition, with "own" spelled out; ``edits`` is "none" without.
        n: sequences.
        seed: of the corruption.
    """

    scores: Scores
    identity: Scores | None
    changed: Share
    whole: Share
    lengths: Lengths
    edits: Literal["none", "one", "half"]
    n: int
    seed: int


@torch.no_grad()
def evaluate(
    model: Coder,
    data: "RepeatTask | Sequences",
    intervention: Intervention | None = None,
    *,
    lengths: Literal["own", "all", "max"] = "own",
    edits: Literal["own", "none", "one", "half"] = "own",
    n: int | None = None,
    seed: int = 0,
) -> Report:
    """Score a model, or an intervention on it, on sequences that it was not trained on.

    Args:
        model: trained, or a known code of :mod:`pyfastlm.onion.controls`.
        data: a task, for its validation sequences; or sequences, which may be longer than in training.
        intervention: learned; it is put into evaluation mode. None scores the model itself.
        lengths: "all", "max" (only those as long as the model's longest), or "own": as the paper's code does
            for this intervention, "all" without one.
        edits: "one" token drawn anew, "half" of them swapped between pairs (an odd sequence is left out),
            "none", or "own": as the paper's code does for this intervention, "none" without one.
        n: only the first so many sequences of these lengths.
        seed: of the corruption.

    Raises:
        InputError: a name or number is wrong, there is no such sequence, or the intervention is for another
            model.
    """
    if intervention is None:
        lengths = "all" if lengths == "own" else lengths
        edits = "none" if edits == "own" else edits
    else:
        check_shapes(intervention, model)
        if edits == "none":
            raise InputError("edits: expected 'own', 'one' or 'half' for an intervention, got 'none'")
        intervention.eval()
    wanted, kind = resolved(intervention, lengths, "one" if edits == "none" else edits)
    held = _held(model, data, wanted, n, even=edits != "none" and kind == "half")
    copier, n_symbols = model.frozen(), model.config.n_symbols
    corrupting, donating = (torch.Generator().manual_seed(each) for each in (seed, seed + DONORS))
    plain, repaired, changed, whole = Tally(copier), Tally(copier), [], []
    for start in range(0, len(held), BATCH):
        batch = held.rows(torch.arange(start, min(start + BATCH, len(held))))
        if edits == "none":
            plain.add(copier.encode(batch.tokens, batch.lengths), batch)
            continue
        corrupted = corrupt(batch, kind, n_symbols, corrupting)  # the same for every intervention
        changed.append((corrupted.tokens != batch.tokens).any(dim=1))
        plain.add(copier.encode(corrupted.tokens, batch.lengths), batch, corrupted.edited)
        if intervention is not None:
            plan = intervention.plan(corrupted, donating)
            repaired.add(intervention.edit(plan.encode(copier), plan), batch, corrupted.edited)
            whole.append(plan.whole())
    scores = plain.scores()
    return Report(
        scores=scores if intervention is None else repaired.scores(),
        identity=None if edits == "none" else scores,
        changed=share(torch.cat(changed)) if changed else Share(0, len(held)),
        whole=share(torch.cat(whole)) if whole else Share(0, len(held)),
        lengths=wanted,
        edits="none" if edits == "none" else kind,
        n=len(held),
        seed=seed,
    )


def _held(
    model: Coder, data: "RepeatTask | Sequences", lengths: Lengths, n: int | None, *, even: bool
) -> Sequences:
    if isinstance(data, RepeatTask):
        check_task(data, model)
        data = data.valid
    if data.real.any() and int(data.tokens[data.real].max()) >= model.config.n_symbols:
        raise InputError(f"data: expected symbols below {model.config.n_symbols}, as the model has them")
    held = chosen_lengths(data, lengths, model.config.max_len)
    count = len(held) if n is None else min(n, len(held))
    count -= count % 2 if even else 0
    if count < 1:
        raise InputError(f"n: expected at least {2 if even else 1} sequences of these lengths, got {count}")
    return held.rows(torch.arange(count))
