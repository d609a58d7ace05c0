"""``pyfastlm qac``: completing searches; its commands are the modules ``qac_*``."""

import typer

from pyfastlm.cli import qac_build, qac_complete, qac_eval, qac_serve


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("build")(qac_build.command)
    app.command("complete")(qac_complete.command)
    app.command("eval")(qac_eval.command)
    app.command("serve")(qac_serve.command)
    return app


def _about() -> None:
    """Complete searches: build an index of terms with counts, ask it, compare engines, serve it."""
