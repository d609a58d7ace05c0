"""Section four, drawn: what training on each selection gives, and how each domain was judged."""

from html import escape

import numpy as np
from numpy.typing import NDArray

from pyfastlm.demo import domains
from pyfastlm.demo.selection import BASE, DRAWN, ITEMS, ORDER, REPLICATES, WAYS, Choice, Target
from pyfastlm.demo.tasks import WINDOW

MEANING = {
    "selected": "domains where models that need few bits have small errors",
    "at random": "documents of all domains",
    "fewest bits/byte": "the domains that are easiest for all models, which asks no task",
    "inverted": "the same estimates with the other sign: a control",
    "its own domain": "further documents of the domain that the task is made of, then at random",
}


def sections(choice: Choice) -> str:
    """All of it as HTML."""
    return _outcomes(choice) + _domains(choice) + _method(choice)


def _outcomes(choice: Choice) -> str:
    rows = "".join(_way(choice, way) for way in WAYS)
    tasks = "".join(f"<th>{escape(target.task.sources[0])}</th>" for target in choice.targets)
    by_task = "".join(_by_task(choice, way) for way in WAYS)
    return f"""<section>
<h2>What to train on</h2>
<p>{choice.models} small models, each of another mixture of {len(choice.domains)} domains of English, were
measured on every domain (bits per byte) and on {len(choice.targets)} tasks (errors). Domains were selected
for each task by the correlation of the two, and a new model was trained on {choice.budget / 1000:,.0f} kB of
what was selected; beside it are other ways to spend the same budget.</p>
<div class="scroll"><table>
<thead><tr><th class="left">trained on</th><th>error</th><th>against random</th><th>bits/byte</th></tr>
</thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Means of the tasks with the standard error of {choice.seeds} seeds; bits per byte of the
task's domain, on the documents that its items are from. Guessing is wrong in 75 %.</p>
<div class="scroll"><table>
<thead><tr><th class="left">error, by the domain of the task</th>{tasks}</tr></thead>
<tbody>
{by_task}</tbody>
</table></div>
</section>
"""


def _way(choice: Choice, way: str) -> str:
    wrong = choice.mean(way, "error")
    gain = "" if way == BASE else _spread(wrong - choice.mean(BASE, "error"), sign=True)
    return (
        f'<tr><th class="left">{escape(way)}<br><small>{escape(MEANING[way])}</small></th>'
        f"<td>{_spread(wrong)}</td><td>{gain}</td>"
        f"<td>{_spread(choice.mean(way, 'bits_per_byte'))}</td></tr>\n"
    )


def _by_task(choice: Choice, way: str) -> str:
    cells = "".join(f"<td>{_spread(target.values(way, 'error'))}</td>" for target in choice.targets)
    return f'<tr><th class="left">{escape(way)}</th>{cells}</tr>\n'


def _domains(choice: Choice) -> str:
    tables = "".join(_judged(choice, target, first=target is choice.targets[0]) for target in choice.targets)
    return f"""<section>
<h3>How domains were judged</h3>
{tables}<p class="note">Estimate: Spearman's correlation over the models of bits per byte on the domain and
error on the task, with an interval by drawing models anew ({REPLICATES} times); <i>chosen</i>: in what
share of these draws the domain was selected. Bits per byte are means of the models.</p>
</section>
"""


def _judged(choice: Choice, target: Target, *, first: bool) -> str:
    chosen, own = target.selection, target.task.sources[0]
    best, worst = target.family
    rows = ""
    for place in chosen.order():
        name = escape(chosen.domains[place])
        weight = f"{chosen.weights[place]:.0%}" if chosen.weights[place] > 0 else ""
        rows += (
            f'<tr><th class="left">{f"<b>{name}</b>" if chosen.domains[place] == own else name}</th>'
            f"<td>{chosen.estimate[place]:.2f}</td>"
            f"<td>{chosen.low[place]:.2f} to {chosen.high[place]:.2f}</td>"
            f"<td>{chosen.frequency[place]:.0%}</td><td>{weight}</td>"
            f"<td>{choice.bits_per_byte[place]:.2f}</td><td>{choice.bytes[place] / 1000:,.0f}</td></tr>\n"
        )
    return f"""<details{" open" if first else ""}>
<summary>{escape(own)}: the task's own domain is number {target.place} of {len(chosen.domains)}</summary>
<p class="note">{len(target.task.items)} items; models of the family are wrong in {best:.0%} to {worst:.0%}.
{target.task.met:.0%} of the passages were left out, because models may have
learned {WINDOW} bytes of them.</p>
<div class="scroll"><table>
<thead><tr><th class="left">domain</th><th>estimate</th><th>95 %</th><th>chosen</th><th>weight</th>
<th>bits/byte</th><th>kB</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</details>
"""


def _method(choice: Choice) -> str:
    last = choice.seed + choice.seeds - 1
    return f"""<section>
<h3>Method</h3>
<p>Perplexity correlations (Thrush et al., 2024). Domains: {escape(domains.ABOUT)}. Each is split by whole
documents into what models learn, what they are measured on, the pool that is selected from, and tasks. All
models are byte n-grams of order {ORDER} with modified Kneser-Ney smoothing, so that they differ in what they
know: in a trial with 40 mixtures and two orders, selections were no better than random ones. A task has up to
{ITEMS} words, each with the two after it, against three other words of the domain that are as long. Seeds
{choice.seed} to {last} draw {DRAWN:.0%} of the pool each. {choice.seconds:.0f} s.</p>
</section>
"""


def _spread(values: NDArray[np.float64], *, sign: bool = False) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():{'+' if sign else ''}.3f} ± {error:.3f}"
