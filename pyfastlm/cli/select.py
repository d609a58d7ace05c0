"""``pyfastlm select``: which data to pretrain on; its commands are the modules ``select_*``."""

import typer

from pyfastlm.cli import (
    select_bpb,
    select_correlate,
    select_filter,
    select_project,
    select_report,
    select_sample,
)


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("sample")(select_sample.command)
    app.command("bpb")(select_bpb.command)
    app.command("correlate")(select_correlate.command)
    app.command("project")(select_project.command)
    app.add_typer(select_filter.group(), name="filter")
    app.command("report")(select_report.command)
    return app


def _about() -> None:
    """Select data by perplexity correlations: sample, score by many models, correlate, project, filter."""
