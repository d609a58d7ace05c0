"""Section on what a small network stores, drawn: tables of repairs, and its gates over time."""

from html import escape
from statistics import fmean

from pyfastlm.demo.onion import Peeling
from pyfastlm.demo.table_html import table_html
from pyfastlm.onion.grid import COMMON, CellResult
from pyfastlm.onion.report import tables

SQUARE, LEFT, TOP = 26, 70, 26  # of the heat map
TALL = 6  # of a channel


def sections(found: Peeling) -> str:
    """All of it as HTML."""
    return f"""<section>
<h2>How a small network stores a sequence</h2>
<p>{escape(found.verdict)}</p>
{table_html(tables.own(found.cells))}
{"".join(table_html(tables.common(found.cells, each)) for each in COMMON)}
{table_html(tables.convergence(found.cells))}
<h3>Gates while a sequence is read, and said</h3>
<div class="scroll">{_gates(found.cells[0])}</div>
<p class="note">How much of each unit's state a step writes anew, mean over the longest sequences: light is
all of it. Units by how much they take in while reading.</p>
{_method(found)}</section>
"""


def _gates(cell: CellResult) -> str:
    steps = cell.model.gates
    reading = len(steps) // 2
    channels = sorted(range(len(steps[0])), key=lambda c: -fmean(step[c] for step in steps[:reading]))
    marks = []
    for number, step in enumerate(steps):
        x = LEFT + number * SQUARE + (6 if number >= reading else 0)
        for row, channel in enumerate(channels):
            light = 12 + 83 * step[channel]
            marks.append(
                f'<rect x="{x}" y="{TOP + row * TALL}" width="{SQUARE}" height="{TALL}" '
                f'fill="hsl(215 45% {light:.0f}%)"/>'
            )
    height = TOP + len(channels) * TALL + 10
    marks.append(f'<text x="{LEFT}" y="{TOP - 8}">read</text>')
    marks.append(f'<text x="{LEFT + reading * SQUARE + 6}" y="{TOP - 8}">said</text>')
    marks.append(f'<text class="label" x="{LEFT - 8}" y="{TOP + 12}">units</text>')
    return (
        f'<svg viewBox="0 0 820 {height}" role="img" aria-label="Update gates over time">'
        + "".join(marks)
        + "</svg>"
    )


def _method(found: Peeling) -> str:
    size = found.size
    return f"""<h3>Method</h3>
<p>A GRU reads a random sequence of 2 to {size.longest} out of {size.symbols} symbols and says it again from
its last state; {size.steps:,} steps on {size.sequences:,} sequences, scored on others. Then the network is
frozen and an edit of its state is learned ({size.fit_steps:,} steps each) that undoes an exchange of symbols:
by <em>linear</em> subspaces, one for each place or for each two neighbouring ones (a learned rotation, whose
channels belong to one place each), or by the <em>onion</em>, the same directions for a symbol wherever it
stands, at a size that its place decides; its control holds that size fixed. A large symbol hides the smaller
ones below it, so an onion is peeled from outside. After Csordás et al. (2024). {found.seconds:.0f} s.</p>
"""
