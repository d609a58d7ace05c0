"""The report as Markdown."""

from collections.abc import Iterator

from pyfastlm import _markdown
from pyfastlm._markdown import plain
from pyfastlm.bench import tables, text
from pyfastlm.bench.regressions import Comparison
from pyfastlm.bench.results import Report


def written(report: Report, comparison: Comparison | None = None) -> str:
    """The whole of it."""
    return "\n\n".join(part.strip() for part in _parts(report, comparison) if part) + "\n"


def _parts(report: Report, comparison: Comparison | None) -> Iterator[str]:
    yield f"# {text.TITLE}"
    yield plain(text.opening(report))
    yield "\n".join(f"- {plain(name)}: {plain(value)}" for name, value in text.conditions(report).items())
    yield _markdown.written(tables.limits(report))
    if comparison is not None:
        yield _markdown.written(tables.regressions(comparison))
        yield _markdown.written(tables.gains(comparison))
        yield "\n".join(f"- {plain(note)}" for note in comparison.notes)
    yield "## Ours beside the fastest peer"
    yield plain(text.HOW_TO_READ)
    for suite in report.suites:
        yield _markdown.written(tables.summary(suite, report.reached))
    yield "## All contenders"
    for suite in report.suites:
        for group in suite.groups:
            table = tables.detail(group, report.reached)
            yield _markdown.written(table._replace(title=f"{suite.name}: {group.name}"))
    yield "## How it went"
    yield _markdown.written(tables.runs(report))
    yield "\n".join(f"- {plain(line)}" for line in text.troubles(report))
