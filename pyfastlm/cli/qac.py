"""``pyfastlm qac``: completing searches; its commands are the modules ``qac_*``."""

import typer

from pyfastlm.cli import qac_build, qac_complete, qac_count, qac_eval, qac_serve, qac_sessions


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("count")(qac_count.command)
    app.command("build")(qac_build.command)
    app.command("complete")(qac_complete.command)
    app.command("eval")(qac_eval.command)
    app.command("serve")(qac_serve.command)
    app.command("sessions")(qac_sessions.command)
    return app


def _about() -> None:
    """Complete searches: count terms, build an index, ask it, compare engines, serve it."""
