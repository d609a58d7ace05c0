"""Section on memorisation, drawn: length against repetitions, the table, the runs, how it was done."""

import math
from collections.abc import Sequence
from html import escape

from pyfastlm.demo import memorization_texts
from pyfastlm.demo.memorization import Memory
from pyfastlm.demo.memorization_plan import TRANSFORMS
from pyfastlm.demo.memorization_runs import LONG, PREFIXES
from pyfastlm.demo.memorization_tables import REPLICATES, Cell
from pyfastlm.demo.memorization_world import WINDOW

WIDTH, HEIGHT = 820, 260
LEFT, RIGHT, TOP, BOTTOM = 50, 200, 15, 40
COLOURS = ("var(--bar)", "var(--mark)")  # of the checkpoints
DASHES = {"original": "none", "shuffled": "5 4"}


def sections(memory: Memory) -> str:
    """All of it as HTML."""
    return _lengths(memory) + _runs(memory) + _method(memory)


def _lengths(memory: Memory) -> str:
    rows = "".join(_row(cell) for cell in memory.cells)
    changes = "".join(
        f'<tr><th class="left">{escape(change.transform)}</th><td>{change.repetitions}</td>'
        f"<td>{change.difference:+.1f}</td><td>{change.low:+.1f} to {change.high:+.1f}</td></tr>\n"
        for change in memory.contrasts
    )
    early, late = memory.size.base
    return f"""<section>
<h2>What a model knows word for word</h2>
<p>{escape(memory.verdict)}</p>
<div class="scroll">{_picture(memory)}</div>
<div class="scroll"><table>
<thead><tr><th class="left">checkpoint, sentences</th><th>repetitions</th><th>measured</th><th>longest</th>
<th>95 %</th><th>before</th><th>twin</th><th>all prompts</th><th>{LONG} or more</th><th>at limit</th></tr>
</thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Tokens that greedy decoding gives back. Longest: of {memory.prompts} prompts of each sentence
(every start, {" and ".join(map(str, PREFIXES))} tokens), mean over sentences; at most {memory.limit}.
Before: by the checkpoint itself. Twin: after the same training without planted sentences. At limit: prompts
that could not have given more.</p>
<details><summary>Checkpoint of step {late:,} less that of step {early:,}</summary>
<div class="scroll"><table>
<thead><tr><th class="left">sentences</th><th>repetitions</th><th>tokens</th><th>95 %</th></tr></thead>
<tbody>
{changes}</tbody>
</table></div></details>
</section>
"""


def _row(cell: Cell) -> str:
    twin = "" if math.isnan(cell.twin) else f"{cell.twin:.1f}"
    return (
        f'<tr><th class="left">step {cell.checkpoint:,}, {escape(cell.transform)}</th>'
        f"<td>{cell.repetitions}</td><td>{cell.measured}</td><td>{cell.longest:.1f}</td>"
        f"<td>{cell.low:.1f} to {cell.high:.1f}</td><td>{cell.before:.1f}</td><td>{twin}</td>"
        f"<td>{cell.mean:.2f}</td><td>{cell.long:.1%}</td><td>{cell.at_limit:.1%}</td></tr>\n"
    )


def _picture(memory: Memory) -> str:
    levels = sorted(memory.size.repetitions)
    across = (WIDTH - LEFT - RIGHT) / math.log1p(levels[-1])
    up = (HEIGHT - TOP - BOTTOM) / memory.limit
    marks = []
    for tick in range(0, memory.limit + 1, 5):
        y = HEIGHT - BOTTOM - tick * up
        marks.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        marks.append(f'<text class="label" x="{LEFT - 8}" y="{y + 4:.1f}">{tick}</text>')
    for level in levels:
        x = LEFT + math.log1p(level) * across
        marks.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}">{level}</text>')
    marks.append(f'<text class="unit" x="{WIDTH - RIGHT + 15}" y="{HEIGHT - BOTTOM + 18}">repetitions</text>')
    number = 0
    for checkpoint, colour in zip(memory.size.base, COLOURS, strict=True):
        for transform in TRANSFORMS:
            own = [c for c in memory.cells if (c.checkpoint, c.transform) == (checkpoint, transform)]
            line = f"step {checkpoint:,}, {transform}"
            style = f'stroke="{colour}" stroke-width="2" fill="none" stroke-dasharray="{DASHES[transform]}"'
            marks.append(f'<path {style} d="{_path(own, across, up)}"><title>{line}</title></path>')
            y = TOP + 12 + 22 * number
            marks.append(f'<path {style} d="M{WIDTH - RIGHT + 15} {y}h30"/>')
            marks.append(f'<text x="{WIDTH - RIGHT + 52}" y="{y + 4}">{line}</text>')
            number += 1
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Longest verbatim continuation against repetitions">' + "".join(marks) + "</svg>"
    )


def _path(cells: Sequence[Cell], across: float, up: float) -> str:
    points = [
        f"{LEFT + math.log1p(cell.repetitions) * across:.1f} {HEIGHT - BOTTOM - cell.longest * up:.1f}"
        for cell in cells
    ]
    return "M" + "L".join(points)


def _runs(memory: Memory) -> str:
    rows = "".join(
        f'<tr><th class="left">step {run.task.checkpoint:,}, seed {run.task.seed}, '
        f"{'twin' if run.task.group is None else f'group {run.task.group}'}</th>"
        f"<td>{run.before:.4f}</td><td>{run.after:.4f}</td><td>{run.planted:,}</td><td>{run.share:.2%}</td>"
        f"<td>{run.densest:.1%}</td></tr>\n"
        for run in memory.runs
    )
    return f"""<section>
<h3>Runs</h3>
<details><summary>{len(memory.runs)} runs of {memory.size.steps:,} steps</summary>
<div class="scroll"><table>
<thead><tr><th class="left">run</th><th>bits/byte before</th><th>after</th><th>planted</th><th>share</th>
<th>most of a batch</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Bits per byte of text that no run learns from. Planted: examples that were counted in the
batches, by their tokens.</p></details>
</section>
"""


def _method(memory: Memory) -> str:
    size = memory.size
    early, late = size.base
    return f"""<section>
<h3>Method</h3>
<p>After Huang, Yang and Potts (2024), on a small scale. A Llama of {memory.parameters:,} parameters and
{size.shape.vocabulary:,} tokens is trained on one half of {escape(memorization_texts.ABOUT)}, and continued
from steps {early:,} and {late:,}, with its optimiser's state, on the other half, for {size.steps:,} steps of
{size.batch_size} examples of {WINDOW} tokens: the same examples in the same order from both. In each run
{size.share:.0%} of the examples are replaced by quotations, as they are or with their tokens shuffled, each
{", ".join(map(str, size.repetitions))} times, {size.sequences} of each kind, spread over the run. No
quotation shares 50 characters with the text. Over seeds a sentence goes through levels of repetition; in no
run is one both in order and shuffled. Learning rate {size.lr:g}, constant after {size.warmup} steps;
intervals are of {REPLICATES:,} replicates, which draw seeds and in each sentences. {memory.seconds:.0f} s,
{len({run.task.seed for run in memory.runs})} seeds.</p>
</section>
"""
