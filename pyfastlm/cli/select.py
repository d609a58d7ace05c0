"""``pyfastlm select``: which data to pretrain on; its commands are the modules ``select_*``."""

import typer

from pyfastlm.cli import select_correlate, select_project, select_report


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("correlate")(select_correlate.command)
    app.command("project")(select_project.command)
    app.command("report")(select_report.command)
    return app


def _about() -> None:
    """Select domains by perplexity correlations: correlate, select within a budget, report."""
