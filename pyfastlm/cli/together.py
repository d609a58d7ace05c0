"""``pyfastlm together``: prompts and weights optimised in turn; its commands are ``together_*``."""

import typer

from pyfastlm.cli import together_report, together_run


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("run")(together_run.command)
    app.command("report")(together_report.command)
    return app


def _about() -> None:
    """BetterTogether: strategies of prompt and weight optimisation under equal budgets, with controls."""
