"""Section two, drawn: the table of the ways to delete, languages, the gate byte by byte, how it was done."""

from html import escape

from pyfastlm.demo import debian
from pyfastlm.demo.mrt5 import Deletion
from pyfastlm.mrt5 import show_html
from pyfastlm.mrt5.report import Mode
from pyfastlm.mrt5.show import rates

MEANING: dict[Mode, str] = {
    "soft": "learned gate, as a bias on attention; nothing gets shorter",
    "hard": "learned gate, bytes removed",
    "hard+bias": "the same, kept gates stay as a bias",
    "random": "as many bytes removed, at random",
    "fixed": "as many bytes removed, the ends of words",
    "boundary": "segments merged, whose ends are learned",
    "convolution": "equal groups merged by a learned convolution",
    "control": "no gate, the same steps of training",
}


def sections(deletion: Deletion) -> str:
    """All of it as HTML."""
    return _modes(deletion) + _languages(deletion) + _bytes(deletion) + _method(deletion)


def _modes(deletion: Deletion) -> str:
    rows = "".join(
        f'<tr><th>{mode}</th><td class="left">{MEANING[mode]}</td>'
        f"<td>{_number(deletion, 'bits_per_byte', mode, 3)}</td><td>{deletion.mean('deleted', mode):.1%}</td>"
        f"<td>{deletion.mean('length', mode):.1f}</td>"
        f"<td>{1000 * deletion.mean('seconds_per_example', mode):.2f}</td></tr>\n"
        for mode in deletion.modes
    )
    return f"""<section>
<h2>Bytes that a model can do without</h2>
<p>{escape(deletion.verdict)}</p>
<div class="scroll"><table>
<thead><tr><th class="left">mode</th><th></th>
<th>bits/byte</th><th>deleted</th><th>length</th><th>ms/example</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Bits for each masked byte of documents that no training saw; fewer are better. Lengths are of
inputs of {deletion.size.input_length} ids. At such lengths and widths, most of the time is not in what gets
shorter.</p>
</section>
"""


def _number(deletion: Deletion, what: str, mode: Mode, digits: int) -> str:
    each = deletion.each(what, mode)
    spread = f" ({min(each):.{digits}f}–{max(each):.{digits}f})" if len(each) > 1 else ""
    return f"{deletion.mean(what, mode):.{digits}f}{spread}"


def _languages(deletion: Deletion) -> str:
    widths = {rate.language: rate.bytes / max(rate.characters, 1) for rate in rates(deletion.shown)}
    rows = "".join(
        f"<tr><th>{escape(language)}</th><td>{widths[language]:.2f}</td>"
        f"<td>{deletion.mean('deleted', 'hard', language):.1%}</td>"
        + "".join(f"<td>{deletion.mean('bits_per_byte', m, language):.3f}</td>" for m in ("hard", "control"))
        + "</tr>\n"
        for language, _ in deletion.languages
    )
    return f"""<section>
<h3>By language</h3>
<div class="scroll"><table>
<thead><tr><th>language</th><th>bytes/character</th><th>deleted</th><th>bits/byte, hard</th>
<th>bits/byte, control</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</section>
"""


def _bytes(deletion: Deletion) -> str:
    return f"""<section>
<h3>Byte by byte</h3>
<p>{show_html.legend()} The first document held out, by the gate of the first seed.</p>
<details><summary>Show {len(deletion.shown)} languages</summary>
{show_html.articles(deletion.shown)}</details>
</section>
"""


def _method(deletion: Deletion) -> str:
    size = deletion.size
    more = f", and of {escape(debian.ABOUT)}, in {', '.join(deletion.more)}" if deletion.more else ""
    return f"""<section>
<h3>Method</h3>
<p>A byte-level T5 of {deletion.parameters:,} parameters is trained from scratch with span corruption on
{deletion.trained_bytes:,} bytes of the Declaration in {len(deletion.languages)} languages{more}:
{size.plain:,} steps of {size.batch_size} windows with cross entropy alone, then {size.gated:,} with a
delete gate that a PI controller steers (MrT5, Kallini et al., 2024). The control is a copy from before the
gate that goes on without one, for the same steps on the same batches. Random and fixed deletion use the
gated model's weights.{_pooling(deletion)}
Held out in every language: {escape(", ".join(deletion.held_out))}. {deletion.seconds:.0f} s in all,
{len(deletion.runs)} {"seeds" if len(deletion.runs) > 1 else "seed"}.</p>
</section>
"""


def _pooling(deletion: Deletion) -> str:
    if not deletion.size.pooling:
        return ""
    names = " and ".join(deletion.size.pooling)
    return f"""
Models that merge bytes ({names}) are more such copies, set to shorten as much as the gate did."""
