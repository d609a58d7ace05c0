"""Section on learning in context, drawn: curves of the model and of exact Bayes, and how far laws are off."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from pyfastlm.demo.icl import COLUMNS, DRAWN, K, Learning
from pyfastlm.icl.laws import Doubles

WIDTH, HEIGHT = 820, 240
LEFT, RIGHT, TOP, BOTTOM = 50, 200, 15, 40
SMOOTH = 100  # points of a line


class Series(NamedTuple):
    """Probabilities after so many shots: a line in ``colour``, or dots."""

    name: str
    shots: Doubles
    p: Doubles
    colour: str
    dots: bool = False


def sections(found: Learning) -> str:
    """All of it as HTML."""
    return _curves(found) + _laws(found) + _method(found)


def _curves(found: Learning) -> str:
    real, made = found.fits
    smooth = np.geomspace(1, found.curve.shots[-1], SMOOTH)
    model = [
        Series("measured", found.curve.shots, found.curve.p.mean(axis=0), "var(--bar)", dots=True),
        Series(DRAWN, smooth, np.exp(-real.predict(smooth)[0]), "var(--bar)"),
        Series(
            "answers dealt anew", found.control.shots, found.control.p.mean(axis=0), "var(--control)", True
        ),
    ]
    smooth = np.geomspace(1, found.shots[-1], SMOOTH)
    lines = np.exp(-made.predict(smooth))
    bayes = [
        series
        for hmm, nll in enumerate(found.ginc)
        for series in (
            Series("exact Bayes" if hmm == 0 else "", found.shots, np.exp(-nll), "var(--mark)", dots=True),
            Series(DRAWN if hmm == 0 else "", smooth, lines[hmm], "var(--bar)"),
        )
    ]
    return f"""<section>
<h2>What examples in the context are worth</h2>
<p>{escape(found.verdict)}</p>
<h3>The model: words, and what they name</h3>
<div class="scroll">{_picture("Probability of the right answer against examples", model)}</div>
<h3>Exact Bayes: which of {len(found.ginc)} hidden Markov models wrote the prompt</h3>
<div class="scroll">{_picture("Probability of the likeliest word against shots", bayes)}</div>
</section>
"""


def _picture(title: str, series: Sequence[Series]) -> str:
    last = max(float(each.shots[-1]) for each in series)
    across = (WIDTH - LEFT - RIGHT) / math.log2(last)
    up = HEIGHT - TOP - BOTTOM

    def at(n: float, p: float) -> str:
        return f"{LEFT + across * math.log2(n):.1f} {HEIGHT - BOTTOM - up * p:.1f}"

    marks = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = at(1, tick).split()
        marks.append(f'<path class="grid" d="M{x} {y}H{WIDTH - RIGHT}"/>')
        marks.append(f'<text class="label" x="{LEFT - 8}" y="{float(y) + 4:.1f}">{tick:g}</text>')
    for power in range(int(math.log2(last)) + 1):
        x = at(2**power, 0).split()[0]
        marks.append(f'<text class="tick" x="{x}" y="{HEIGHT - BOTTOM + 18}">{2**power}</text>')
    marks.append(f'<text class="unit" x="{WIDTH - RIGHT + 15}" y="{HEIGHT - BOTTOM + 18}">example</text>')
    key, level = WIDTH - RIGHT + 15, TOP + 12
    for each in series:
        points = [at(n, p) for n, p in zip(each.shots, each.p, strict=True)]
        line = f'stroke="{each.colour}" stroke-width="1.6" fill="none"'
        if each.dots:
            places = (point.split() for point in points)
            marks += (f'<circle fill="{each.colour}" cx="{x}" cy="{y}" r="2.4"/>' for x, y in places)
        else:
            marks.append(f'<path {line} d="M{"L".join(points)}"/>')
        if each.name:
            dot = f'<circle fill="{each.colour}" cx="{key + 15}" cy="{level}" r="2.4"/>'
            marks.append(dot if each.dots else f'<path {line} d="M{key} {level}h30"/>')
            marks.append(f'<text x="{key + 37}" y="{level + 4}">{escape(each.name)}</text>')
            level += 22
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(marks)
        + "</svg>"
    )


def _laws(found: Learning) -> str:
    heads = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
    rows = "".join(
        f'<tr><th class="left">{escape(row.law)}</th><td>{row.n_params}</td>'
        + "".join(f"<td>{error:.4f}</td>" for error in row.errors)
        + "</tr>\n"
        for row in found.rows
    )
    return f"""<section>
<h3>Laws of these curves</h3>
<div class="scroll"><table>
<thead><tr><th class="left">law</th><th>numbers</th>{heads}</tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Root mean square error of probabilities over their mean; of the last column, on the shots that
were not fitted. Numbers: fitted to the {len(found.ginc)} curves of GINC.</p>
</section>
"""


def _method(found: Learning) -> str:
    prompts, shots = found.curve.p.shape
    return f"""<section>
<h3>Method</h3>
<p>{prompts} prompts of {shots} words of WordNet, each with what it names, one of {found.labels} kinds; each
prompt is read once, which gives the probability of every answer after those before it. The control deals the
same answers anew among the words. GINC (Xie et al., 2022) is a world of {len(found.ginc)} hidden Markov
models; a shot is {K} of their words, and exact Bayes predicts the last by the forward algorithm. Curves are
of the mean probability over prompts; laws after Arora et al. (2024). {found.seconds:.0f} s.</p>
</section>
"""
