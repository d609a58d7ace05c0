"""Tables of a grid: over seeds, every intervention beside the others, and under the same conditions."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, stdev

from pyfastlm._markdown import Table
from pyfastlm.onion.grid.plan import COMMON, KINDS, Condition
from pyfastlm.onion.grid.rows import CellResult, FitResult, Row
from pyfastlm.onion.scoring import Share

NAMES = {False: "autoregressive", True: "no input"}
EXACT = "Whole sequences right, mean +- standard deviation over seeds, (lowest to highest)."


def models(found: Sequence[CellResult]) -> Table:
    """What the models say from their own states."""
    rows = []
    for model, cells in by_model(found):
        results = [cell.model for cell in cells]
        rows.append(
            [
                model,
                str(len(cells)),
                spread([r.exact.share for r in results]),
                spread([r.longest.share for r in results]),
                *(spread([r.longer[extra].share for r in results]) for extra in (0, 1)),
                f"{results[0].log[-1].step:,}",
                f"{fmean(r.seconds for r in results) / 60:.1f}",
            ]
        )
    columns = ["model", "seeds", "exact", "longest", "+1 token", "+2 tokens", "steps", "minutes"]
    note = (
        f"{EXACT} Validation sequences, none of training; greedy decoding from the last state. +1 and +2 are "
        "longer than any of training. Steps and minutes (one thread) are of training."
    )
    return Table("Models", columns, rows, note)


def own(found: Sequence[CellResult]) -> Table:
    """Every intervention as the paper's code trains and scores it."""

    def scored(fit: FitResult) -> Row | None:
        return _row(fit, Condition(fit.lengths, fit.edits)) if fit.own else None

    note = (
        f"{EXACT} Each intervention has its own setting: the onion all lengths and one edit, unigrams the "
        "longest sequences and half of the tokens swapped, bigrams the longest and one edit. So columns are "
        "not comparable here; the next tables are. An asterisk: the loss of some seed was still falling."
    )
    return Table("Interventions, each in the setting of the paper's code", *_grid(found, scored), note)


def common(found: Sequence[CellResult], condition: Condition) -> Table:
    """Every intervention under one condition: learned under it where there is such a fit, else as in the
    paper's code."""

    def scored(fit: FitResult) -> Row | None:
        return _row(fit, condition) if fit.own or learned_there(fit, condition) else None

    here = any(learned_there(fit, condition) and not fit.own for cell in found for fit in cell.fits)
    learned = "also learned under this condition" if here else "learned in their own settings"
    note = (
        f'{EXACT} All interventions scored on the same sequences and edits, {learned}. "Identity" does '
        "nothing to the corrupted state."
    )
    return Table(f"The same for all: {condition}", *_grid(found, scored, condition), note)


def places(found: Sequence[CellResult]) -> Table:
    """Accuracy by the edited place, longest sequences, one edit."""
    longest = max((len(row.by_edit) for cell in found for fit in cell.fits for row in fit.rows), default=0)
    rows = []
    for model, cells in by_model(found):
        for kind in KINDS:
            fits = [_pick(cell, kind, COMMON[0]) for cell in cells]
            shares = [row.by_edit for fit in fits if fit and (row := _row(fit, COMMON[0]))]
            if shares:
                means = [fmean(each[place].share for each in shares) for place in range(len(shares[0]))]
                rows.append([f"{model}, {kind}", *(f"{mean:.2f}" for mean in means)])
    note = "Whole sequences right by the place of the only edit, longest sequences, mean over seeds."
    return Table("By place", ["model, intervention", *map(str, range(1, longest + 1))], rows, note)


def convergence(found: Sequence[CellResult]) -> Table:
    """Whether each fit came to rest."""
    rows = []
    for model, cells in by_model(found):
        for kind in KINDS:
            fits = [fit for cell in cells for fit in cell.fits if fit.kind == kind and fit.own]
            if not fits:
                continue
            turned = max(fit.orthogonality for fit in fits)
            rows.append(
                [
                    f"{model}, {kind}",
                    f"{fits[0].curve[-1].step:,}",
                    spread([fit.curve[-1].loss for fit in fits]),
                    spread([100 * fit.fall for fit in fits], digits=1),
                    f"{sum(fit.converged for fit in fits)} of {len(fits)}",
                    f"{turned:.0e}" if turned else "",
                    _channels(fits),
                ]
            )
    columns = [
        "model, intervention",
        "steps",
        "loss",
        "fall, %",
        "at rest",
        "off orthogonal",
        "channels used",
    ]
    note = (
        "Loss in nats a token at the end. Fall: of the mean loss between the last two fifths of the steps at "
        "full learning rate; at rest from 2 % down. Off orthogonal: largest entry of |Q Q^T - 1| of any "
        "seed. Channels: those of the state that the mask gives to a variable, mean over seeds."
    )
    return Table("Convergence, own settings", columns, rows, note)


def verdicts(found: Sequence[CellResult]) -> list[str]:
    """A sentence for each model: what repairs its state, and what does not, whichever way it falls."""
    said = []
    for model, cells in by_model(found):
        parts = []
        for kind in KINDS:
            fits = [fit for cell in cells for fit in cell.fits if fit.kind == kind and fit.own]
            rows = [row for fit in fits if (row := _row(fit, Condition(fit.lengths, fit.edits)))]
            if rows:
                doubt = "" if all(fit.converged for fit in fits) else " (still learning)"
                parts.append(f"{kind} {fmean(row.exact.share for row in rows):.3f}{doubt}")
        exact = fmean(cell.model.exact.share for cell in cells)
        said.append(f"{model} repeats {exact:.3f} of new sequences; repaired: {', '.join(parts)}.")
    return said


def by_model(found: Sequence[CellResult]) -> list[tuple[str, list[CellResult]]]:
    """The cells of each size and variant, under its name."""
    groups: dict[tuple[bool, int], list[CellResult]] = {}
    for each in found:
        groups.setdefault((each.cell.no_input, each.cell.size), []).append(each)
    return [(f"N {size}, {NAMES[no_input]}", cells) for (no_input, size), cells in sorted(groups.items())]


def learned_there(fit: FitResult, condition: Condition) -> bool:
    """Whether the fit was made under this condition."""
    return (fit.lengths, fit.edits) == condition


def spread(values: Iterable[float], digits: int = 3) -> str:
    """Mean +- standard deviation (lowest to highest); a single one as it is."""
    given = [value for value in values if not math.isnan(value)]
    if len(given) < 2:
        return f"{given[0]:.{digits}f}" if given else "-"
    low, high = min(given), max(given)
    return f"{fmean(given):.{digits}f} +- {stdev(given):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _grid(
    found: Sequence[CellResult],
    scored: Callable[[FitResult], Row | None],
    condition: Condition | None = None,
) -> tuple[list[str], list[list[str]]]:
    """A row for each model, a column for each way of learning; and the identity under a condition."""
    ways = []
    for cell in found:
        for fit in cell.fits:
            if scored(fit) and _way(fit, condition) not in ways:
                ways.append(_way(fit, condition))
    ways.sort(key=lambda way: (list(KINDS).index(way[0]), way[1]))
    rows = []
    for model, cells in by_model(found):
        row = [model]
        for way in ways:
            fits = [fit for cell in cells for fit in cell.fits if scored(fit) and _way(fit, condition) == way]
            shares = [got.exact.share for fit in fits if (got := scored(fit))]
            row.append(spread(shares) + ("" if all(fit.converged for fit in fits) else " *"))
        if condition:
            row.append(spread(_identity(cells, condition)))
        rows.append(row)
    names = [kind + (", learned here" if there else "") for kind, there in ways]
    return ["model", *names, *(["identity"] if condition else [])], rows


def _way(fit: FitResult, condition: Condition | None) -> tuple[str, bool]:
    """The kind, and whether it was learned under the condition but is not of the paper's code."""
    return fit.kind, bool(condition) and learned_there(fit, condition or COMMON[0]) and not fit.own


def _identity(cells: Sequence[CellResult], condition: Condition) -> list[float]:
    """Of each model: the same corruptions for all its interventions, so any of them tells."""
    shares: list[Share] = []
    for cell in cells:
        rows = [row for fit in cell.fits if (row := _row(fit, condition))]
        shares += [row.identity for row in rows[:1]]
    return [each.share for each in shares]


def _row(fit: FitResult, condition: Condition) -> Row | None:
    return next((row for row in fit.rows if (row.lengths, row.edits) == condition), None)


def _pick(cell: CellResult, kind: str, condition: Condition) -> FitResult | None:
    """The fit of a kind that was learned under a condition, else in its own setting."""
    fits = [fit for fit in cell.fits if fit.kind == kind]
    there = [fit for fit in fits if learned_there(fit, condition)]
    return next(iter(there or [fit for fit in fits if fit.own]), None)


def _channels(fits: Sequence[FitResult]) -> str:
    used = [sum(fit.channels[:-1]) for fit in fits if fit.channels]
    return f"{fmean(used):.0f} of {sum(fits[0].channels)}" if used else ""
