"""The report as Markdown: tables and sentences."""

import re

from pyfastlm.selection.report import tables as report_tables
from pyfastlm.selection.study.analysis import Analysis

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#$~])")


def text(analysis: Analysis) -> str:
    """All of it."""
    prediction = analysis.prediction
    parts = [
        "# Which text to train on",
        _plain(report_tables.lead(analysis)),
        "## Selection",
        *(_table(report_tables.of_selection(one)) for one in analysis.selections),
        "## Prediction",
        "\n".join(f"- {_plain(report_tables.verdict(one))}" for one in prediction.benchmarks),
        _table(report_tables.of_prediction(analysis)),
        "## Correlations",
        *(_table(report_tables.of_correlation(one)) for one in analysis.correlations),
        "## Stability",
        *map(_table, report_tables.of_stability(analysis)),
        "## Run",
        "\n".join(f"- {name}: {_plain(value)}" for name, value in report_tables.facts(analysis)),
    ]
    if gone := report_tables.left_out(analysis):
        parts += ["## Left out", "\n".join(f"- {_plain(f'{one.model} {one.reason}')}" for one in gone)]
    return "\n\n".join(parts) + "\n"


def _table(table: report_tables.Table) -> str:
    lines = [
        f"### {_plain(table.title)}",
        "",
        _row(table.columns),
        "|---|" + "---:|" * (len(table.columns) - 1),
        *map(_row, table.rows),
        "",
        _plain(table.note),
    ]
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(value: str) -> str:
    """Text that Markdown does not read as more than text, in one line."""
    return SPECIAL.sub(r"\\\1", " ".join(value.split()))
