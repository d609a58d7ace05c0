"""``pyfastlm prefer``: pairs of answers and learning from them; its commands are the modules ``prefer_*``."""

import typer

from pyfastlm.cli import prefer_clair, prefer_contrast, prefer_report, prefer_suggest, prefer_train


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("clair")(prefer_clair.command)
    app.command("contrast")(prefer_contrast.command)
    app.command("suggest")(prefer_suggest.command)
    app.command("train")(prefer_train.command)
    app.command("report")(prefer_report.command)
    return app


def _about() -> None:
    """Learning from preferences: pairs by minimal revision, how much they differ, and training on them."""
