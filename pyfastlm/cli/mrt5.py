"""``pyfastlm mrt5``: byte-level T5s that delete bytes; its commands are the modules ``mrt5_*``."""

import typer

from pyfastlm.cli import mrt5_eval, mrt5_generate, mrt5_show, mrt5_train


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("train")(mrt5_train.command)
    app.command("eval")(mrt5_eval.command)
    app.command("generate")(mrt5_generate.command)
    app.command("show")(mrt5_show.command)
    return app


def _about() -> None:
    """Train, evaluate and look at MrT5: a byte-level T5 that learns which bytes it can delete."""
