"""``pyfastlm icl``: what examples in the context change; its commands are the modules ``icl_*``."""

import typer

from pyfastlm.cli import icl_curve, icl_fit, icl_ginc, icl_report, icl_train


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("ginc")(icl_ginc.command)
    app.command("train")(icl_train.command)
    app.command("curve")(icl_curve.command)
    app.command("fit")(icl_fit.command)
    app.command("report")(icl_report.command)
    return app


def _about() -> None:
    """Scaling laws of in-context learning: measure curves, fit laws to them, go on from their beginnings."""
