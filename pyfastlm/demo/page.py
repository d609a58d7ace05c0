"""The page: one HTML file without scripts and without anything from elsewhere."""

from html import escape
from importlib.resources import files

from pyfastlm.demo import (
    icl_html,
    ir_html,
    memorization_html,
    mrt5_html,
    onion_html,
    preference_html,
    qac_html,
    scoring_html,
    selection_html,
    spelling_html,
    together_html,
)
from pyfastlm.demo.run import MARK, Demo
from pyfastlm.mrt5 import show_html

# Nothing is loaded and nothing runs, whatever a text may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(demo: Demo) -> str:
    """The whole page of a finished demo."""
    style = files("pyfastlm.demo").joinpath("style.css").read_text("utf-8")
    deletion = mrt5_html.sections(demo.deletion) if demo.deletion else ""
    completion = qac_html.sections(demo.completion) if demo.completion else ""
    correctors = spelling_html.sections(demo.correctors) if demo.correctors else ""
    choice = selection_html.sections(demo.choice) if demo.choice else ""
    learning = icl_html.sections(demo.learning) if demo.learning else ""
    memory = memorization_html.sections(demo.memory) if demo.memory else ""
    peeling = onion_html.sections(demo.peeling) if demo.peeling else ""
    preferences = preference_html.sections(demo.preferences) if demo.preferences else ""
    together = together_html.sections(demo.together) if demo.together else ""
    reranking = ir_html.sections(demo.reranking) if demo.reranking else ""
    scoring = scoring_html.sections(demo.scoring, demo.about)
    parts = scoring + learning + completion + correctors + choice + deletion + memory + peeling
    parts += preferences + together + reranking
    body = _opening(demo) + parts + _conditions(demo)
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
{style}{show_html.style()}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def _opening(demo: Demo) -> str:
    facts, scoring = demo.about, demo.scoring
    low, high = (f(scoring.texts, key=lambda row: row.bits_per_byte) for f in (min, max))
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


def _conditions(demo: Demo) -> str:
    facts = demo.about
    listed = {
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
    terms = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>\n" for name, value in listed.items())
    return f"""<section>
<h2>Run</h2>
<dl>
{terms}</dl>
</section>
"""
