"""Tables of the section on preferences, for the terminal and the page."""

from pyfastlm._markdown import Table
from pyfastlm.demo.preference import Preferences
from pyfastlm.preference.contrast import tables
from pyfastlm.preference.runs.changes import Interval


def outcomes(found: Preferences) -> Table:
    """What became of the sentences that the model was given to revise."""
    return Table(
        f"{len(found.asked)} sentences with a real error, revised by the model",
        ["outcome", "sentences", "share"],
        found.model.statistics.cells(),
        "In brackets: 95 % intervals. A sentence without a pair has its reason.",
    )


def contrast(found: Preferences) -> Table:
    """How far revisions are from what they revise."""
    table = tables(found.contrasts)[0]
    return table._replace(columns=["reviser", *table.columns[1:]], title="How much a revision changes")


def held_out(found: Preferences) -> Table:
    """What the trainings did to pairs that were not learnt from."""
    rows = [
        [
            run.name,
            *(_nats(each) for each in (run.held_out.chosen, run.held_out.rejected, run.held_out.margin)),
            "{:.2f} [{:.2f}, {:.2f}]".format(*run.held_out.accuracy),
            f"{run.drift:+.4f}",
        ]
        for run in found.runs
    ]
    return Table(
        f"{found.runs[0].held_out.pairs} pairs with other prompts, before and after",
        ["loss", "chosen", "rejected", "margin", "accuracy", "other text"],
        rows,
        "Chosen, rejected: mean change of the log-probability of an answer, in nats; margin: their "
        "difference. Accuracy: pairs whose chosen answer gained more. Other text: change in bits/byte. "
        "In brackets: 95 % intervals over pairs, of one training each (one seed). Shuffled: half of the "
        "pairs were learnt the wrong way round.",
    )


def _nats(each: Interval) -> str:
    return f"{each.value:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"
