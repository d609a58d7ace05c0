"""``pyfastlm prefer``: pairs of answers and learning from them; its commands are the modules ``prefer_*``."""

import typer

from pyfastlm.cli import prefer_clair, prefer_contrast


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("clair")(prefer_clair.command)
    app.command("contrast")(prefer_contrast.command)
    return app


def _about() -> None:
    """Learning from preferences: pairs by minimal revision, and how much their answers differ."""
