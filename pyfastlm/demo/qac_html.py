"""Section three, drawn: what the index answers, and the engines side by side."""

from html import escape

from pyfastlm.demo import ngrams
from pyfastlm.demo.qac import Completion
from pyfastlm.qac.comparison import BASE, SHUFFLED, Compared

MEANING = {
    "no order": "terms that begin so, at random",
    BASE: "terms that begin so, by their counts",
    "typos": "the same, then those with one or two typos",
    "conjunctive": "the same, then those with these words in another order",
    "context": "by counts and words in common with the session",
    "semantic": "nearest embeddings of all-MiniLM-L6-v2",
    "rerank": "by counts and a language model that read the session",
    "generate": "written by the language model",
    "generate inside": "the same, held to terms that were searched before",
}


def sections(completion: Completion) -> str:
    """All of it as HTML."""
    return _examples(completion) + _engines(completion) + _method(completion)


def _examples(completion: Completion) -> str:
    median, slowest = completion.microseconds
    rows = "".join(
        f'<tr><th>{escape(typed)}</th><td class="left">'
        + ", ".join(
            escape(answer.term) + (f" <small>({answer.stage})</small>" if answer.stage != "exact" else "")
            for answer in answers
        )
        + "</td></tr>\n"
        for typed, answers in completion.examples
    )
    return f"""<section>
<h2>What is being typed</h2>
<p>An index of {completion.terms:,} terms with their counts, built in {completion.build_seconds:.1f} s:
{completion.bytes_per_term:.1f} bytes a term. Ten completions take {median:.1f} µs (median) from Python,
{slowest:.1f} µs at the 99th percentile.</p>
<div class="scroll"><table>
<thead><tr><th class="left">typed</th><th class="left">completed</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</section>
"""


def _engines(completion: Completion) -> str:
    compared = completion.comparison.rows
    report = compared[0].report
    rows = "".join(map(_engine, compared))
    limits = report.ceilings
    return f"""<section>
<h3>Ways to complete</h3>
<p>{report.n:,} searches of {report.sessions:,} sessions, a prefix drawn from each. The term is known from
earlier days in {limits.in_dictionary:.1%} of them: more is not to be had from a dictionary. It also begins as
typed in {limits.true_prefix:.1%}.</p>
<div class="scroll"><table>
<thead><tr><th class="left">way</th><th>first</th><th>among {report.k}</th><th>95 %</th><th>1/place</th>
<th>against {BASE}</th><th>ms</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="note">Share of searches whose term was the first answer, or among the first {report.k}; intervals by
drawing sessions anew. With <i>other contexts</i> each search has the session of another one: a gain from the
session must vanish there.</p>
</section>
"""


def _engine(row: Compared) -> str:
    report = row.report
    low, high = report.success_interval
    gain = "" if row.name == BASE else "{:+.3f} ({:+.2f} to {:+.2f})".format(row.gain, *row.gain_interval)
    meaning = "" if row.name.endswith(SHUFFLED) else MEANING.get(row.name, "")
    return (
        f'<tr><th class="left">{escape(row.name)}<br><small>{escape(meaning)}</small></th>'
        f"<td>{report.success_at_1:.3f}</td><td>{report.success_at_k:.3f}</td><td>{low:.2f}–{high:.2f}</td>"
        f"<td>{report.rr_at_k:.3f}</td><td>{gain}</td><td>{row.milliseconds:,.2f}</td></tr>\n"
    )


def _method(completion: Completion) -> str:
    weights = "".join(
        f" Weights of {name}, fitted on days between: {count:.2f} for log(1 + count), {context:.2f} for "
        f"log P(term | session), {plain:.2f} for log P(term)."
        for name, (count, context, plain) in completion.comparison.weights.items()
    )
    return f"""<section>
<h3>Method</h3>
<p>Terms: {escape(ngrams.ABOUT)}. Sessions: {completion.sessions:,}, made up from these counts in the form of
AmazonQAC (Everaert et al., 2024): typed key by key with slips and deletions, over thirty days; people repeat
searches and stay with words of theirs, so what a session is worth here is what the generator put there.
Counts are of the {completion.logged:,} searches of the first days, tests of the last ones.{weights}
{completion.seconds:.0f} s.</p>
</section>
"""
