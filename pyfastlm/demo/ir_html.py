"""Section on rerankers from ten labels, drawn: what gold words say of a prompt, and what test words do."""

from html import escape

from pyfastlm.demo.definitions import POOL
from pyfastlm.demo.ir import LENGTH, NEGATIVES, Reranking
from pyfastlm.demo.table_html import table_html
from pyfastlm.ir.report import tables
from pyfastlm.ir.study.records import BM25_LINE, COSINES_LINE, FIRST_SENTENCE, RANDOM_START

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 820, 380, 60, 210, 20, 50
GAP = 15  # between labels
LINES = {
    BM25_LINE: "BM25",
    COSINES_LINE: "cosines, no training",
    FIRST_SENTENCE: "first sentences, no model",
    RANDOM_START: "from random weights",
}


def sections(found: Reranking) -> str:
    """All of it as HTML."""
    study = found.study
    return f"""<section>
<h2>What ten labels say of a prompt</h2>
<p>{escape(found.verdict)}</p>
<div class="scroll">{_picture(found)}</div>
<p class="legend">Prompts have their numbers of the table; the chosen one is red, the manual one has a ring.
Lines are what needs no prompt, and the chosen prompt's queries from random weights.</p>
{table_html(found.overview)}{table_html(tables.prompts(study))}
{_queries(found)}
{_words(found)}
{_method(found)}</section>
"""


def _picture(found: Reranking) -> str:
    """A point for each prompt, its gold score against its test score; lines for the test scores of others."""
    study = found.study
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def x(share: float) -> float:
        return LEFT + (right - LEFT) * share

    def y(share: float) -> float:
        return bottom - (bottom - TOP) * share

    marks = [
        f'<path class="grid" d="M{x(tick):.1f} {TOP}V{bottom}M{LEFT} {y(tick):.1f}H{right}"/>'
        f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 16}">{100 * tick:.0f}</text>'
        f'<text class="label" x="{LEFT - 8}" y="{y(tick) + 4:.1f}">{100 * tick:.0f}</text>'
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    place = 0.0
    for name in sorted(LINES, key=lambda name: -float(study.test(name).mean())):
        level = y(float(study.test(name).mean()))
        place = max(level, place + GAP)
        marks.append(
            f'<path stroke="var(--control)" stroke-width="1.5" stroke-dasharray="4 3" d="M{LEFT} {level:.1f}'
            f'H{right}l8 {place - level:.1f}"/>'
            f'<text x="{right + 12}" y="{place + 4:.1f}">{LINES[name]}</text>'
        )
    for number, name in enumerate(study.order, 1):
        gold, test = (float(of(name).mean()) for of in (study.gold, study.test))
        at = f'cx="{x(gold):.1f}" cy="{y(test):.1f}"'
        colour = "var(--mark)" if name == study.best else "var(--bar)"
        ring = f'<circle fill="none" stroke="var(--ink)" {at} r="8"/>' if name == study.manual else ""
        marks.append(
            f"<g><title>{escape(name)}: gold {100 * gold:.1f}, test {100 * test:.1f}</title>{ring}"
            f'<circle fill="{colour}" {at} r="4.5"/>'
            f'<text class="value" x="{x(gold) + 11:.1f}" y="{y(test) - 6:.1f}">{number}</text></g>'
        )
    gold_queries, test_queries = (len(of(study.manual)) for of in (study.gold, study.test))
    marks.append(
        f'<text class="unit" x="{LEFT}" y="{HEIGHT - 12}">NDCG@10 in %: {gold_queries} gold words to the '
        f"right, {test_queries} test words upwards</text>"
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Gold score of every prompt against its test score">' + "".join(marks) + "</svg>"
    )


def _queries(found: Reranking) -> str:
    """What each prompt has made of the first definitions."""
    names = dict(enumerate(found.study.order, 1))
    body = ""
    for place, first in enumerate(found.study.written[found.study.manual]):
        definition = f'<td class="left" rowspan="{len(names)}">{escape(first.document)}</td>'
        for number, name in names.items():
            each = found.study.written[name][place]
            reason = f' <span class="missing">{escape(each.reason)}</span>' if each.reason else ""
            body += (
                f'<tr>{definition}<td>{number}</td><td class="left">{escape(each.query)}{reason}</td></tr>\n'
            )
            definition = ""
    return f"""<details><summary>What the prompts made of the first definitions</summary>
<div class="scroll"><table>
<thead><tr><th class="left">definition</th><th>prompt</th>
<th class="left">query, and why it was left out</th></tr></thead>
<tbody>
{body}</tbody>
</table></div></details>"""


def _words(found: Reranking) -> str:
    """Every test word, and how well each way finds its definition."""
    study, test = found.study, found.test
    ways = {
        "BM25": BM25_LINE,
        "cosines": COSINES_LINE,
        **{f"{number}": name for number, name in enumerate(study.order, 1)},
    }
    values = [study.test(name) for name in ways.values()]
    heads = "".join(f"<th>{way}</th>" for way in ways)
    body = ""
    for place, (key, word) in enumerate(test.query.items()):
        meaning = max(test.qrel[key], key=lambda document: test.qrel[key][document])
        cells = "".join(f"<td>{100 * float(of[place]):.0f}</td>" for of in values)
        text = f"{escape(word)}: {escape(test.corpus[meaning])}"
        body += f'<tr><td class="left">{text}</td>{cells}</tr>\n'
    return f"""<details><summary>Every test word: NDCG@10 in %</summary>
<div class="scroll"><table>
<thead><tr><th class="left">word and its most frequent meaning</th>{heads}</tr></thead>
<tbody>
{body}</tbody>
</table></div></details>"""


def _method(found: Reranking) -> str:
    size, study = found.size, found.study
    return f"""<h3>Method</h3>
<p>A noun asks for its definitions among {POOL} of WordNet: its most frequent meaning counts 2, others 1; up
to 15 of the rest lie under the same term. By each prompt the model writes a query for the same
{study.rungs[-1].documents} definitions; copies and duplicates are left out. BM25 gives {NEGATIVES} negatives
each, and a cross-encoder, all-MiniLM-L6-v2 with a new last layer, learns to tell them apart (InfoNCE,
{LENGTH} tokens, {size.epochs} epoch(s), {size.seeds} seed(s)). NDCG@10 on the gold words chooses a prompt;
the test words are looked at once, for all. Definitions of gold words are in no training, and no prompt quotes
them. Prompts beside the manual one are drawn from a grammar. MiniLM has learnt from about a billion pairs,
many of them questions with answers: that is what its cosines show, and what ten labels begin from. After PATH
(arXiv 2406.11706). {found.took.wall:.0f} s.</p>
"""
