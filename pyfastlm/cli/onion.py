"""``pyfastlm onion``: how small GRUs store a sequence; its commands are the modules ``onion_*``."""

import typer

from pyfastlm.cli import onion_grid, onion_intervene, onion_probe, onion_report, onion_train


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("train")(onion_train.command)
    app.command("intervene")(onion_intervene.command)
    app.command("probe")(onion_probe.command)
    app.command("grid")(onion_grid.command)
    app.command("report")(onion_report.command)
    return app


def _about() -> None:
    """Onion representations: train GRUs that repeat sequences, and edit what they store."""
