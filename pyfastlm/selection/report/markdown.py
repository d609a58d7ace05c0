"""The report as Markdown: tables and sentences."""

from pyfastlm._markdown import plain, written
from pyfastlm.selection.report import tables as report_tables
from pyfastlm.selection.study.analysis import Analysis


def text(analysis: Analysis) -> str:
    """All of it."""
    prediction = analysis.prediction
    parts = [
        "# Which text to train on",
        plain(report_tables.lead(analysis)),
        "## Selection",
        *(written(report_tables.of_selection(one)) for one in analysis.selections),
        "## Prediction",
        "\n".join(f"- {plain(report_tables.verdict(one))}" for one in prediction.benchmarks),
        written(report_tables.of_prediction(analysis)),
        "## Correlations",
        *(written(report_tables.of_correlation(one)) for one in analysis.correlations),
        "## Stability",
        *map(written, report_tables.of_stability(analysis)),
        "## Run",
        "\n".join(f"- {name}: {plain(value)}" for name, value in report_tables.facts(analysis)),
    ]
    if gone := report_tables.left_out(analysis):
        parts += ["## Left out", "\n".join(f"- {plain(f'{one.model} {one.reason}')}" for one in gone)]
    return "\n\n".join(parts) + "\n"
