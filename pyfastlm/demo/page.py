"""The page: one HTML file without scripts and without anything from elsewhere."""

import math
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from pyfastlm.demo import chart
from pyfastlm.demo.controls import NOISE_BITS
from pyfastlm.demo.run import MARK, Demo
from pyfastlm.demo.scoring import FEWEST, RESAMPLES, Row, ScoredDocument
from pyfastlm.demo.tokens import Piece, pieces

SHADES = (1, 2, 4, 6, 8, 12, 16)  # bits where the next shade begins
READABLE = 100  # bytes, for a document to be shown as the best or the worst
EXTREMES = 3
# Nothing is loaded and nothing runs, whatever a text may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}


def page(demo: Demo) -> str:
    """The whole page of a finished demo."""
    style = files("pyfastlm.demo").joinpath("style.css").read_text("utf-8")
    sections = [_opening(demo), _sources(demo), _ratios(demo), _tokens(demo), _table(demo), _method(demo)]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK}
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>pyfastlm demo: bits per byte</title>
<style>
{style}</style>
</head>
<body>
<main>
{"".join(sections)}</main>
</body>
</html>
"""


def _opening(demo: Demo) -> str:
    facts, scoring = demo.about, demo.scoring
    real = _real(demo)
    low, high = (f(real, key=lambda row: row.bits_per_byte) for f in (min, max))
    left_out = "".join(f'<p class="missing">Left out: {escape(reason)}</p>\n' for reason in demo.missing)
    quick = " This was a quick run with few documents." if facts.quick else ""
    return f"""<header>
<p class="kicker">pyfastlm {escape(facts.versions["pyfastlm"])} · demo</p>
<h1>How many bits a language model needs for a byte of text</h1>
<p class="lead">{escape(facts.model)} ({facts.parameters / 1e6:,.1f} M parameters) scored
{len(scoring.documents)} documents, {scoring.tokens:,} tokens, in {facts.seconds:.1f} s:
{facts.tokens_per_second:,.0f} tokens/s on {facts.threads} threads. The fewest bits went to
{escape(low.name)} ({low.bits_per_byte:.2f} bits/byte), the most to {escape(high.name)}
({high.bits_per_byte:.2f}).{quick}</p>
{left_out}</header>
"""


def _sources(demo: Demo) -> str:
    return f"""<section>
<h2>By source</h2>
<p>Fewer bits are better prediction. All bits of a source over all its bytes of UTF-8.</p>
<p class="legend"><span class="key bar"></span>model <span class="key control"></span>model, controls
<span class="key zlib"></span>zlib, level 9 <span class="key entropy"></span>entropy of single bytes
<span class="note">8 = uniform bytes</span></p>
<div class="scroll">{chart.bars(_groups(demo, parallel=False))}</div>
</section>
"""


def _ratios(demo: Demo) -> str:
    band = '<span class="key interval"></span>95 % interval of bits'
    shown = band if any(row.interval for row in demo.scoring.rows) else ""
    return f"""<section>
<h2>The same content, in other languages</h2>
<p>Scripts differ in bytes per letter, so bits per byte do not compare languages. These texts are parallel:
the same documents in each language. What does a document cost, compared with its English version?</p>
<p class="legend"><span class="key bits"></span>bits <span class="key tokens"></span>tokens
<span class="key bytes"></span>bytes {shown}</p>
<div class="scroll">{chart.ratios(_groups(demo, parallel=True))}</div>
</section>
"""


def _groups(demo: Demo, *, parallel: bool) -> chart.Groups:
    kept = [c for c in demo.collections if c.parallel or not parallel]
    return [(_title(c.name), [r for r in demo.scoring.rows if r.collection == c.name]) for c in kept]


def _title(collection: str) -> str:
    titles = {
        "UDHR": "Universal Declaration of Human Rights",
        "own": "Paragraphs written for pyfastlm",
        "control": "Controls",
    }
    return titles[collection]


def _real(demo: Demo) -> list[Row]:
    return [row for row in demo.scoring.rows if row.relative_bits is not None]


def _tokens(demo: Demo) -> str:
    rows = demo.scoring.rows
    real = [d for d in demo.scoring.documents if rows[d.source].relative_bits is not None]
    ordered = sorted((d for d in real if d.n_bytes >= READABLE), key=lambda document: document.bits_per_byte)
    best = _one_of_each_source(ordered)[:EXTREMES]
    worst = [d for d in _one_of_each_source(reversed(ordered)) if d not in best][:EXTREMES]
    firsts = "".join(_first_documents(demo, collection.name) for collection in demo.collections)
    return f"""<section>
<h2>Token by token</h2>
<p>The redder, the more bits the model needed. Point at a piece for its numbers. Tokens that share a character
of several bytes, or part a letter from its marks, are shown as one piece with the sum of their bits.</p>
{_scale()}
<h3>Fewest bits per byte</h3>
<p class="note">Of documents of at least {READABLE} bytes, one of each source.</p>
{_documents(demo, best)}
<h3>Most bits per byte</h3>
{_documents(demo, worst)}
<h3>One document in every version</h3>
{firsts}</section>
"""


def _one_of_each_source(documents: Iterable[ScoredDocument]) -> list[ScoredDocument]:
    seen: dict[int, ScoredDocument] = {}
    for document in documents:
        seen.setdefault(document.source, document)
    return list(seen.values())


def _first_documents(demo: Demo, collection: str) -> str:
    rows = [row for row in demo.scoring.rows if row.collection == collection]
    firsts = [demo.scoring.of(row)[0] for row in rows]
    return f"""<details><summary>{escape(_title(collection))}: {escape(firsts[0].key)}</summary>
{_documents(demo, firsts)}</details>
"""


def _scale() -> str:
    edges = [0, *SHADES]
    names = [f"{a}–{b}" for a, b in zip(edges, SHADES, strict=False)] + [f"≥ {SHADES[-1]}"]
    keys = "".join(f'<span class="s{n}">{name}</span>' for n, name in enumerate(names))
    return f'<p class="shades">{keys} <span class="note">bits</span></p>'


def _documents(demo: Demo, documents: Iterable[ScoredDocument]) -> str:
    return "".join(_document(demo.scoring.rows[d.source], d) for d in documents)


def _document(row: Row, document: ScoredDocument) -> str:
    spans = "".join(map(_span, pieces(document.text, document.tokens)))
    return f"""<article>
<h4>{escape(row.name)}, {escape(document.key)}
<span class="note">{document.bits_per_byte:.2f} bits/byte · {len(document.tokens.ids)} tokens ·
{document.n_bytes} bytes</span></h4>
<p class="text" lang="{escape(row.code)}" dir="auto">{spans}</p>
</article>
"""


def _span(piece: Piece) -> str:
    shade = sum(piece.bits >= edge for edge in SHADES)
    line = " nl" if "\n" in piece.text else ""
    text, readout = escape(_shown(piece.text)), escape(_readout(piece))
    return f'<span class="s{shade}{line}" data-i="{readout}">{text}</span>'


def _readout(piece: Piece) -> str:
    # Isolated, so that right-to-left text does not turn the numbers around.
    name = "\u2068" + _shown(piece.text).replace(" ", "␣").replace("\n", "↵") + "\u2069"
    several = f" in {len(piece.token_bits)} tokens" if len(piece.token_bits) > 1 else ""
    nats = piece.bits * math.log(2)
    return f"{name}{several}: {piece.bits:.2f} bits, {nats:.2f} nats, p = {math.exp(-nats):.3g}"


def _shown(text: str) -> str:
    """``text`` with its control characters made visible: HTML has no way to hold them."""
    return text.translate(CONTROLS)


def _table(demo: Demo) -> str:
    rows = "".join(_table_row(row) for row in demo.scoring.rows)
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


def _method(demo: Demo) -> str:
    facts = demo.about
    real = _real(demo)
    first = sum(row.first_token_bits for row in real)
    each, share = first / sum(row.documents for row in real), 100 * first / sum(row.bits for row in real)
    texts = [f"<b>{escape(_title(c.name))}.</b> {escape(c.about)}." for c in demo.collections]
    items = "".join(f"<li>{item}</li>\n" for item in [*texts, *map(escape, facts.notes)])
    terms = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>\n" for name, value in _conditions(demo).items())
    return f"""<section>
<h2>Method</h2>
<p>Each document is scored alone, every token once, with its first token predicted from the bos token (eos
where there is none), in windows of {facts.max_length:,} tokens as lm-evaluation-harness makes them. The cost of
a document is the sum of −log₂ p over its tokens; bits per byte of a source are all its bits over all its bytes.
First tokens, which see nothing but bos, take {each:.1f} bits each and {share:.1f} % of all bits of the texts:
a score that skips them is lower.</p>
<p>zlib gets all documents of a source in one stream, the model each document alone. The entropy of single bytes
is that of the source's own byte counts, which a real code would have to send too. No model can spend fewer than
log₂ 95 = {NOISE_BITS:.2f} bits per byte on average on random printable ASCII. The Declaration is printed in many
places and the model may have read it; the paragraphs written for pyfastlm are there to compare. An interval
holds 95 % of the ratios when documents are drawn again with replacement ({RESAMPLES:,} times, at least {FEWEST}
documents); it says nothing about other texts of a language.</p>
<ul>
{items}</ul>
<dl>
{terms}</dl>
</section>
"""


def _conditions(demo: Demo) -> dict[str, str]:
    facts = demo.about
    return {
        "model": f"{facts.model}: {facts.architecture}, {facts.parameters:,} parameters, "
        f"{facts.vocabulary:,} tokens, {facts.dtype}",
        "fingerprint": facts.fingerprint,
        "seed": f"{facts.seed}",
        "date": facts.date,
        "machine": f"{facts.machine}; {facts.threads} threads",
        "speed": f"{demo.scoring.tokens:,} tokens in {facts.seconds:.1f} s: "
        f"{facts.tokens_per_second:,.0f} tokens/s",
        "versions": ", ".join(f"{name} {version}" for name, version in facts.versions.items()),
    }
