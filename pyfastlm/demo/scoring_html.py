"""Section one, drawn: two pictures, documents token by token, the table, and how it was done."""

from collections.abc import Iterable
from html import escape

from pyfastlm.demo import chart
from pyfastlm.demo.about import About
from pyfastlm.demo.controls import NOISE_BITS
from pyfastlm.demo.scoring import FEWEST, RESAMPLES, Row, ScoredDocument, Scoring
from pyfastlm.demo.texts import Collection
from pyfastlm.demo.tokens import coloured, shades

READABLE = 100  # bytes, for a document to be shown as the best or the worst
EXTREMES = 3


def sections(scoring: Scoring, about: About) -> str:
    """All of it as HTML."""
    return _sources(scoring) + _ratios(scoring) + _tokens(scoring) + _table(scoring) + _method(scoring, about)


def _sources(scoring: Scoring) -> str:
    return f"""<section>
<h2>By source</h2>
<p>Fewer bits are better prediction. All bits of a source over all its bytes of UTF-8.</p>
<p class="legend">{_key("bar", "model")} {_key("control", "model, controls")} {_key("zlib", "zlib, level 9")}
{_key("entropy", "entropy of single bytes")} <span>8 = uniform bytes</span></p>
<div class="scroll">{chart.bars(_groups(scoring, parallel=False))}</div>
</section>
"""


def _ratios(scoring: Scoring) -> str:
    band = _key("interval", "95 % interval of bits") if any(row.interval for row in scoring.rows) else ""
    return f"""<section>
<h2>The same content, in other languages</h2>
<p>Scripts differ in bytes per letter, so bits per byte do not compare languages. These texts are parallel:
the same documents in each language. What does a document cost, compared with its English version?</p>
<p class="legend">{_key("bits", "bits")} {_key("tokens", "tokens")} {_key("bytes", "bytes")} {band}</p>
<div class="scroll">{chart.ratios(_groups(scoring, parallel=True))}</div>
</section>
"""


def _key(mark: str, meaning: str) -> str:
    return f'<span><span class="key {mark}"></span>{meaning}</span>'


def _groups(scoring: Scoring, *, parallel: bool) -> chart.Groups:
    return [(c.title, scoring.rows_of(c)) for c in scoring.collections if c.parallel or not parallel]


def _tokens(scoring: Scoring) -> str:
    texts = [d for row in scoring.texts for d in scoring.documents_of(row) if d.n_bytes >= READABLE]
    ordered = sorted(texts, key=lambda document: document.bits_per_byte)
    best = _one_of_each_source(ordered)[:EXTREMES]
    worst = [d for d in _one_of_each_source(reversed(ordered)) if d not in best][:EXTREMES]
    firsts = "".join(_first_documents(scoring, collection) for collection in scoring.collections)
    return f"""<section>
<h2>Token by token</h2>
<p>The redder, the more bits the model needed. Point at a piece for its numbers. Tokens that share a character
of several bytes, or part a letter from its marks, are shown as one piece with the sum of their bits.</p>
{shades()}
<h3>Fewest bits per byte</h3>
<p class="note">Of documents of at least {READABLE} bytes, one of each source. Scripts with more bytes per
letter are at an advantage here.</p>
{_documents(scoring, best)}
<h3>Most bits per byte</h3>
{_documents(scoring, worst)}
<h3>One document in every version</h3>
{firsts}</section>
"""


def _one_of_each_source(documents: Iterable[ScoredDocument]) -> list[ScoredDocument]:
    seen: dict[int, ScoredDocument] = {}
    for document in documents:
        seen.setdefault(document.source, document)
    return list(seen.values())


def _first_documents(scoring: Scoring, collection: Collection) -> str:
    firsts = [scoring.documents_of(row)[0] for row in scoring.rows_of(collection)]
    which = f": {firsts[0].key}" if collection.parallel else ""
    return f"""<details><summary>{escape(collection.title + which)}</summary>
{_documents(scoring, firsts)}</details>
"""


def _documents(scoring: Scoring, documents: Iterable[ScoredDocument]) -> str:
    return "".join(_document(scoring.rows[d.source], d) for d in documents)


def _document(row: Row, document: ScoredDocument) -> str:
    return f"""<article>
<h4>{escape(row.name)}, {escape(document.key)}
<span class="note">{document.bits_per_byte:.2f} bits/byte · {len(document.tokens.ids)} tokens ·
{document.n_bytes} bytes</span></h4>
<p class="text" lang="{escape(row.code)}" dir="auto">{coloured(document.text, document.tokens)}</p>
</article>
"""


def _table(scoring: Scoring) -> str:
    rows = "".join(_table_row(row) for row in scoring.rows)
    return f"""<section>
<h2>All numbers</h2>
<div class="scroll"><table>
<thead><tr><th rowspan="2">source</th><th rowspan="2">docu&shy;ments</th><th rowspan="2">tokens</th>
<th rowspan="2">bytes</th><th colspan="3">bits per byte</th><th colspan="4">times English</th></tr>
<tr><th>model</th><th>zlib</th><th>single bytes</th>
<th>bits</th><th>95 %</th><th>tokens</th><th>bytes</th></tr>
</thead>
<tbody>
{rows}</tbody>
</table></div>
</section>
"""


def _table_row(row: Row) -> str:
    interval = "–".join(f"{end:.2f}" for end in row.interval) if row.interval else ""
    relative = (row.relative_bits, row.relative_tokens, row.relative_bytes)
    bits, tokens, size = ("" if value is None else f"{value:.2f}" for value in relative)
    cells = (
        f"{row.documents}", f"{row.tokens:,}", f"{row.bytes:,}", f"<b>{row.bits_per_byte:.4f}</b>",
        f"{row.zlib:.4f}", f"{row.byte_entropy:.4f}", bits, interval, tokens, size,
    )  # fmt: skip
    return f"<tr><th>{escape(row.name)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def _method(scoring: Scoring, about: About) -> str:
    first = sum(row.first_token_bits for row in scoring.texts)
    each = first / sum(row.documents for row in scoring.texts)
    share = 100 * first / sum(row.bits for row in scoring.texts)
    origins = [f"<b>{escape(c.title)}.</b> {escape(c.about)}." for c in scoring.collections]
    items = "".join(f"<li>{item}</li>\n" for item in [*origins, *map(escape, about.notes)])
    return f"""<section>
<h2>Method</h2>
<p>Each document is scored alone, every token once, with its first token predicted from the bos token (eos
where there is none), in windows of {about.max_length:,} tokens as lm-evaluation-harness makes them. The cost
of a document is the sum of −log₂ p over its tokens; bits per byte of a source are all its bits over all its
bytes. First tokens, which see nothing but bos, take {each:.1f} bits each and {share:.1f} % of all bits of the
texts: a score that skips them is lower.</p>
<p>zlib gets all documents of a source in one stream, the model each document alone. The entropy of single
bytes is that of the source's own byte counts, which a real code would have to send too. No model can spend
fewer than log₂ 95 = {NOISE_BITS:.2f} bits per byte on average on random printable ASCII. An interval holds
95 % of the ratios when documents are drawn again with replacement ({RESAMPLES:,} times, at least
{FEWEST} documents); it says nothing about other texts of a language.</p>
<ul>
{items}</ul>
</section>
"""
