"""The report as a page: one HTML file without scripts and without anything from elsewhere."""

from html import escape
from importlib.resources import files

import pyfastlm
from pyfastlm._markdown import Table
from pyfastlm.selection.report import pictures as report_pictures
from pyfastlm.selection.report import tables as report_tables
from pyfastlm.selection.study.analysis import Analysis

# Nothing is loaded and nothing runs, whatever a name may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(analysis: Analysis) -> str:
    """The whole page."""
    style = files("pyfastlm.selection.report").joinpath("report.css").read_text("utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Which text to train on</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<p class="kicker">pyfastlm {escape(pyfastlm.__version__)} · select</p>
<h1>Which text to train on</h1>
<p class="lead">{escape(report_tables.lead(analysis))}</p>
</header>
{sections(analysis)}</main>
</body>
</html>
"""


def sections(analysis: Analysis) -> str:
    """What the page holds, to be put into another one; the colours are its variables ``--ink``, ``--soft``,
    ``--line``, ``--mark``, ``--dot`` and ``--paper``."""
    return (
        _selections(analysis) + _prediction(analysis) + _correlations(analysis) + _stability(analysis)
        + _run(analysis)
    )  # fmt: skip


def _selections(analysis: Analysis) -> str:
    parts = []
    for one in analysis.selections:
        table = report_tables.of_selection(one)
        parts.append(
            f"<h3>{escape(table.title)}</h3>\n"
            f'<div class="scroll">{report_pictures.domains(one)}</div>\n'
            f'<p class="note">Dots: the estimate, filled where the domain is selected, and its interval. '
            f"{escape(table.note)}</p>\n" + _folded("The numbers", table)
        )
    return f"<section>\n<h2>Selection</h2>\n{''.join(parts)}</section>\n"


def _prediction(analysis: Analysis) -> str:
    prediction = analysis.prediction
    said = "".join(f"<li>{escape(report_tables.verdict(one))}</li>\n" for one in prediction.benchmarks)
    table = report_tables.of_prediction(analysis)
    return f"""<section>
<h2>Does it predict which models are good?</h2>
<ul>
{said}</ul>
<div class="scroll">{report_pictures.ways(prediction)}</div>
{_table(table, "ways")}
<p class="note">{escape(table.note)}</p>
</section>
"""


def _correlations(analysis: Analysis) -> str:
    parts = "".join(
        _folded(table.title, table) for table in map(report_tables.of_correlation, analysis.correlations)
    )
    return f"""<section>
<h2>What each domain says about each benchmark</h2>
<p>To the right: domains that go with the errors. Above the line: those that do so beyond how many bits a
model needs on average.</p>
<div class="scroll">{report_pictures.partials(analysis.correlations)}</div>
{parts}</section>
"""


def _stability(analysis: Analysis) -> str:
    parts = "".join(_folded(table.title, table) for table in report_tables.of_stability(analysis))
    return f"<section>\n<h2>What it hangs on</h2>\n{parts}</section>\n"


def _run(analysis: Analysis) -> str:
    listed = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in report_tables.facts(analysis)
    )
    gone = "".join(
        f"<li>{escape(one.model)} {escape(one.reason)}</li>\n" for one in report_tables.left_out(analysis)
    )
    left_out = f"<h3>Models left out</h3>\n<ul>\n{gone}</ul>\n" if gone else ""
    return f"<section>\n<h2>Run</h2>\n{left_out}<dl>\n{listed}</dl>\n</section>\n"


def _folded(title: str, table: Table) -> str:
    note = "" if title == "The numbers" else f'<p class="note">{escape(table.note)}</p>\n'
    return f"<details><summary>{escape(title)}</summary>\n{note}{_table(table)}</details>\n"


def _table(table: Table, kind: str = "") -> str:
    heads = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in table.rows
    )
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )
