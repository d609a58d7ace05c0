"""Tables of runs, and what not to trust in them."""

from collections.abc import Mapping

from pyfastlm._markdown import Table
from pyfastlm.preference.runs.changes import Change, Interval
from pyfastlm.preference.runs.result import RunResult

LEGEND = (
    "Chosen, rejected: mean change of the log-probability of an answer, in nats; margin: their difference. "
    "Accuracy: pairs whose chosen answer gained more. Likelier: pairs whose chosen answer is the likelier "
    "one, before > after. In brackets: 95 % intervals over pairs, of one training each."
)
COLUMNS = ("run", "pairs", "chosen", "rejected", "margin", "accuracy", "likelier")
EVEN = 0.5  # the accuracy of a coin


def settings(runs: Mapping[str, RunResult]) -> Table:
    """What each run was."""
    columns = ["run", "loss", "beta", "rate", "steps", "pairs a step", "adapters", "seed", "model", "pairs"]
    rows = []
    for name, run in runs.items():
        o = run.options
        rows.append(
            [
                name,
                o.objective,
                f"{o.beta:g}",
                f"{o.lr:g}",
                f"{o.steps:,}",
                f"{o.batch_size:,}",
                "none" if o.rank is None else f"rank {o.rank}",
                f"{o.seed}",
                run.model,
                f"{run.learnt.pairs:,}" + (", half exchanged" if run.shuffled else ""),
            ]
        )
    return Table("Runs", columns, rows, "Adapters: none where all weights learn. Pairs: learnt from.")


def held_out(runs: Mapping[str, RunResult]) -> Table:
    """Changes on pairs that were not learnt from."""
    columns = [*COLUMNS, "other texts, bits/byte"]
    rows = [
        [*_row(name, run.held_out), "" if run.drift is None else f"{run.drift:+.4f}"]
        for name, run in runs.items()
    ]
    return Table("Held out", columns, rows, LEGEND)


def learnt(runs: Mapping[str, RunResult]) -> Table:
    """Changes on pairs that were."""
    rows = [_row(name, run.learnt) for name, run in runs.items()]
    return Table("Learnt from", [*COLUMNS], rows, LEGEND)


def doubts(runs: Mapping[str, RunResult]) -> list[str]:
    """What the tables do not show, in sentences."""
    found = []
    if len({run.fingerprint for run in runs.values()}) > 1:
        found.append("The runs began with different models.")
    if len({run.digest for run in runs.values()}) > 1:
        found.append("The runs held out different pairs: their numbers are not of the same thing.")
    for name, run in runs.items():
        if run.held_out.accuracy.low <= EVEN <= run.held_out.accuracy.high:
            count = run.held_out.pairs
            found.append(f"{name}: of {count:,} held-out pairs, its accuracy is not told from a coin's.")
    return found


def _row(name: str, found: Change) -> list[str]:
    return [
        name,
        f"{found.pairs:,}",
        *(_nats(each) for each in (found.chosen, found.rejected, found.margin)),
        f"{found.accuracy.value:.2f} [{found.accuracy.low:.2f}, {found.accuracy.high:.2f}]",
        f"{found.likelier_before:.2f} > {found.likelier_after:.2f}",
    ]


def _nats(each: Interval) -> str:
    return f"{each.value:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"
