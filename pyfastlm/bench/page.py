"""The report as one HTML file without scripts and without anything from elsewhere."""

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from pyfastlm.bench import tables, text
from pyfastlm.bench.regressions import Comparison
from pyfastlm.bench.results import Report, Suite
from pyfastlm.demo.table_html import table_html

# Nothing is loaded and nothing runs, whatever a name may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report, comparison: Comparison | None = None) -> str:
    """The whole of it."""
    style = files("pyfastlm.demo").joinpath("style.css").read_text("utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text.TITLE}</title>
<style>
{style}</style>
</head>
<body>
<main>
{"".join(_parts(report, comparison))}</main>
</body>
</html>
"""


def _parts(report: Report, comparison: Comparison | None) -> Iterator[str]:
    yield f"""<header>
<p class="kicker">pyfastlm {escape(report.versions["pyfastlm"])} · bench</p>
<h1>{text.TITLE}</h1>
<p class="lead">{escape(text.opening(report))}</p>
</header>
"""
    if comparison is not None:
        yield "<section>\n<h2>Beside the earlier report</h2>\n"
        yield table_html(tables.regressions(comparison)) + table_html(tables.gains(comparison))
        yield _listed(list(comparison.notes)) + "</section>\n"
    yield f"<section>\n<h2>Ours beside the fastest peer</h2>\n<p>{escape(text.HOW_TO_READ)}</p>\n"
    for suite in report.suites:
        yield table_html(tables.summary(suite, report.reached)) + _details(suite, report)
    yield "</section>\n<section>\n<h2>Run</h2>\n<dl>\n"
    for name, value in text.conditions(report).items():
        yield f"<dt>{name}</dt><dd>{escape(value)}</dd>\n"
    yield "</dl>\n" + table_html(tables.limits(report)) + table_html(tables.runs(report))
    yield _listed(text.troubles(report)) + "</section>\n"


def _details(suite: Suite, report: Report) -> str:
    """Closed until somebody wants it."""
    inside = "".join(table_html(tables.detail(group, report.reached)) for group in suite.groups)
    return f"<details><summary>All contenders of {escape(suite.name)}</summary>\n{inside}</details>\n"


def _listed(lines: list[str]) -> str:
    return "<ul>\n" + "".join(f"<li>{escape(line)}</li>\n" for line in lines) + "</ul>\n" if lines else ""
