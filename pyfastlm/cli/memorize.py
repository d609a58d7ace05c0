"""``pyfastlm memorize``: what models know word for word; its commands are the modules ``memorize_*``."""

import typer

from pyfastlm.cli import memorize_count, memorize_index


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("index")(memorize_index.command)
    app.command("count")(memorize_count.command)
    return app


def _about() -> None:
    """What a model knows word for word: measure it, plant it, trace it, unlearn it, count it in a corpus."""
