"""Misspelt and new names, drawn: the correctors side by side, examples, and a name that is added."""

from html import escape

from pyfastlm.demo.spelling import ENGLISH, FITTED, HELD_OUT, NAMES, NOTHING, OURS, RATE, Correctors, Example
from pyfastlm.spelling.evaluation.report import Interval, Report

MEANING = {
    NOTHING: "every query as it was typed",
    ENGLISH: "each word to the nearest of English, two edits at most",
    NAMES: "the whole query to the nearest name, two edits at most",
    OURS: "names and English, odds fitted to English",
    FITTED: "the same, odds fitted to other names of this catalogue",
}
HEADS = ("precision", "recall", "F1", "right changed", "new changed", "ms")


def sections(found: Correctors) -> str:
    """All of it as HTML."""
    return _correctors(found) + _kinds(found) + _examples(found) + _method(found)


def _correctors(found: Correctors) -> str:
    report = found.reports[NOTHING]
    rows = "".join(_row(name, one) for name, one in found.reports.items())
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    return f"""<section>
<h2>What was meant</h2>
<p>A catalogue of {found.names:,} names. {report.n:,} queries are names of it, misspelt; {report.n_clean:,}
are right as they are: names of it, and words of English. {report.n_novel:,} are new names that neither the
catalogue nor the dictionary has, and that should be left alone.</p>
<div class="scroll"><table>
<thead><tr><th class="left">corrector</th>{heads}</tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Recall: misspelt names that became what was meant; precision: of the misspelt ones that were
changed. In small print 95 % intervals from queries drawn anew. {_added(found)}</p>
</section>
"""


def _row(name: str, report: Report) -> str:
    shares = ("precision", "recall", "f1", "false_correction_rate", "novel_false_correction_rate")
    cells = "".join(_cell(getattr(report, share), getattr(report.intervals, share)) for share in shares)
    return (
        f'<tr><th class="left">{escape(name)}<br><small>{escape(MEANING[name])}</small></th>'
        f"{cells}<td>{report.latency.mean:.2g}</td></tr>\n"
    )


def _cell(share: float, interval: Interval) -> str:
    if share != share:
        return "<td></td>"
    return f"<td>{share:.3f}<br><small>{interval[0]:.2f}–{interval[1]:.2f}</small></td>"


def _added(found: Correctors) -> str:
    added = found.added
    if added is None:
        return "No new name was changed, so none was added to the catalogue."
    return (
        f"Then the {added.changed:,} new names that {escape([*found.reports][-1])} had changed were added to "
        f"the catalogue, without a new index: {added.still:,} of them were changed still. "
        f"<b>{escape(added.name)}</b> had become <b>{escape(added.before)}</b> and is now "
        f"<b>{escape(added.after)}</b>; adding it took {added.microseconds:.0f} µs."
    )


def _kinds(found: Correctors) -> str:
    asked = [name for name in found.reports if name != NOTHING]
    heads = "".join(f"<th>{escape(name)}</th>" for name in asked)
    rows = "".join(
        f'<tr><th class="left">{escape(parts[0].kind)}</th><td>{parts[0].n}</td>'
        + "".join(f"<td>{part.recall:.2f}</td>" for part in parts)
        + "</tr>\n"
        for parts in zip(*(found.reports[name].by_kind for name in asked), strict=True)
    )
    return f"""<section>
<h3>By class of error</h3>
<div class="scroll"><table>
<thead><tr><th class="left">recall</th><th>queries</th>{heads}</tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">kb: a key beside the right one, left out or struck twice; ph: sounds alike; sp: a space; kb3:
three slips.</p>
</section>
"""


def _examples(found: Correctors) -> str:
    heads = "".join(f'<th class="left">{escape(name)}</th>' for name in found.reports if name != NOTHING)
    rows = "".join(_example(one) for one in found.examples)
    return f"""<section>
<h3>The first queries of each sort</h3>
<div class="scroll"><table>
<thead><tr><th class="left">query</th><th class="left">sort</th>{heads}</tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Bold: it ended as it was meant.</p>
</section>
"""


def _example(one: Example) -> str:
    cells = ""
    for text in one.texts[1:]:  # the first corrector does nothing
        begin, end = ("<b>", "</b>") if text == one.meant else ("", "")
        cells += f'<td class="left">{begin}{escape(text)}{end}</td>'
    return f'<tr><th class="left">{escape(one.query)}</th><td class="left">{one.sort}</td>{cells}</tr>\n'


def _method(found: Correctors) -> str:
    thresholds = ", ".join(f"{escape(name)} {value:.2f}" for name, value in found.thresholds.items())
    return f"""<section>
<h3>Method</h3>
<p>Names: of Debian's packages (apt-cache), hyphens as spaces; {HELD_OUT:.0%} of them, by their first word,
are held out, and those that are one word of 5 to 14 letters which no list has are the new names. Misspellings
are made up in eight classes (<code>pyfastlm.spelling.misspell</code>). English: {found.words:,} words with
counts, PyPI package symspellpy. Thresholds ({thresholds}) were chosen to change {RATE:.0%} of other new
names. The index takes {found.bytes_per_name:.0f} bytes a name and was built in {found.build_seconds:.1f} s.
{found.seconds:.0f} s.</p>
</section>
"""
