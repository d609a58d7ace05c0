"""``pyfastlm spell``: correcting searches; its commands are the modules ``spell_*``."""

import typer

from pyfastlm.cli import spell_build, spell_eval, spell_fix, spell_serve, spell_train


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("build")(spell_build.command)
    app.command("fix")(spell_fix.command)
    app.command("eval")(spell_eval.command)
    app.command("serve")(spell_serve.command)
    app.command("train")(spell_train.command)
    return app


def _about() -> None:
    """Correct the spelling of searches: index a catalogue, fix queries, evaluate, fit to the
    catalogue, serve a page."""
