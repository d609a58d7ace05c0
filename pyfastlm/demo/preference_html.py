"""Section on preferences, drawn: revisions word by word, what pairs do to a model, how it was done."""

from html import escape

from pyfastlm.demo.preference import LR, MOST, OTHER, Preferences
from pyfastlm.demo.preference_tables import contrast, held_out, outcomes
from pyfastlm.demo.preference_texts import PACKAGES
from pyfastlm.demo.table_html import table_html
from pyfastlm.preference.builders import Outcome
from pyfastlm.preference.contrast import contrast as compared
from pyfastlm.preference.pairs import PreferencePair

WIDTH, LEFT, RIGHT, TOP, STEP, BOTTOM = 820, 150, 170, 10, 44, 34
SIDES = {"chosen": ("var(--bar)", -7), "rejected": ("var(--mark)", 7)}  # colour, and how far below its line


def sections(found: Preferences) -> str:
    """All of it as HTML."""
    written = zip(found.model.outcomes, found.rule.outcomes, strict=True)
    return f"""<section>
<h2>What pairs of right and wrong teach</h2>
<p>{escape(found.verdict)}</p>
{table_html(outcomes(found))}
<details open><summary>Every sentence</summary>
<div class="scroll"><table>
<thead><tr><th class="left">the model</th><th class="left">the rule</th></tr></thead>
<tbody>
{"".join(_row(found.asked[n].text, *each) for n, each in enumerate(written))}</tbody>
</table></div></details>
{table_html(contrast(found))}{table_html(held_out(found))}
<div class="scroll">{_picture(found)}</div>
{_method(found)}</section>
"""


def _row(text: str, model: Outcome, rule: Outcome) -> str:
    cells = "".join(f'<td class="left">{_shown(text, outcome)}</td>' for outcome in (model, rule))
    return f"<tr>{cells}</tr>\n"


def _shown(text: str, outcome: Outcome) -> str:
    if outcome.pair is not None:
        return _difference(outcome.pair)
    return f'{escape(text)} <span class="missing">{escape(outcome.reason or "")}</span>'


def _difference(pair: PreferencePair) -> str:
    """The revision, with what was taken out and put in."""
    parts, place = [], 0
    for span in compared(pair).spans:
        (start, end), (begin, stop) = span
        old, new = escape(pair.rejected[start:end]), escape(pair.chosen[begin:stop])
        changed = " ".join(
            part for part in (old and f"<del>{old}</del>", new and f"<ins>{new}</ins>") if part
        )
        if start == end:  # before a word, or at the end
            changed = f" {changed}" if start == len(pair.rejected) else f"{changed} "
        parts.append(escape(pair.rejected[place:start]) + changed)
        place = end
    return "".join(parts) + escape(pair.rejected[place:])


def _picture(found: Preferences) -> str:
    shown = [getattr(run.held_out, side) for run in found.runs for side in SIDES]
    low, high = min(0.0, *(each.low for each in shown)), max(0.0, *(each.high for each in shown))
    across = (WIDTH - LEFT - RIGHT) / ((high - low) or 1.0)

    def at(nats: float) -> str:
        return f"{LEFT + across * (nats - low):.1f}"

    bottom = TOP + STEP * len(found.runs)
    marks = []
    for tick in (0.0, *(end for end in (low, high) if abs(end) > 0.1 * (high - low))):  # none too close
        marks.append(f'<path class="grid" d="M{at(tick)} {TOP}V{bottom}"/>')
        marks.append(f'<text class="tick" x="{at(tick)}" y="{bottom + 18}">{tick:.1f}</text>')
    marks.append(f'<text class="unit" x="{WIDTH - RIGHT + 25}" y="{bottom + 18}">nats</text>')
    for number, run in enumerate(found.runs):
        y = TOP + STEP * number + STEP // 2
        marks.append(f'<text class="label" x="{LEFT - 15}" y="{y + 4}">{escape(run.name)}</text>')
        for side, (colour, below) in SIDES.items():
            each = getattr(run.held_out, side)
            marks.append(
                f"<g><title>{escape(run.name)}, {side}: {each.value:+.2f} nats</title>"
                f'<path stroke="{colour}" stroke-width="2" d="M{at(each.low)} {y + below}H{at(each.high)}"/>'
                f'<circle fill="{colour}" cx="{at(each.value)}" cy="{y + below}" r="4"/></g>'
            )
    for number, (side, (colour, _)) in enumerate(SIDES.items()):
        y = TOP + 12 + 22 * number
        marks.append(f'<circle fill="{colour}" cx="{WIDTH - RIGHT + 30}" cy="{y}" r="4"/>')
        marks.append(f'<text x="{WIDTH - RIGHT + 42}" y="{y + 4}">{side}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" '
        'aria-label="Change of log-probability of held-out answers">' + "".join(marks) + "</svg>"
    )


def _method(found: Preferences) -> str:
    size, example = found.size, found.example
    return f"""<h3>Method</h3>
<p>A rule finds {found.flawed} sentences in docstrings of {" and ".join(PACKAGES)} with "a" for "an" or the
other way round, or a small word twice: errors of their authors. The model itself is asked, in a sentence, to
mend spelling and grammar (greedy, at most {MOST} tokens), in the place of the stronger writer that CLAIR
has, and the rule's own mends stand beside. For training there are too few of these, so the pairs are
<em>synthetic</em>: first sentences of docstrings against themselves with one misspelling by a rule, to a
prompt with the name, as &#8220;{escape(example.prompt)}&#8221; {_difference(example)} Adapters of a copy of
the model learn from {found.learnt} pairs for {size.steps} steps of {size.batch_size}, at a rate of {LR:g},
by two losses from the same seed; prompts of the other {found.runs[0].held_out.pairs} pairs are not among
them. The other text, {OTHER} paragraphs written for this package, took {found.bits:.3f} bits/byte before.
After D'Oosterlinck et al. (2024). {found.seconds:.0f} s.</p>
"""
