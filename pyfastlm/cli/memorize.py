"""``pyfastlm memorize``: what models know word for word; its commands are the modules ``memorize_*``."""

import typer

from pyfastlm.cli import (
    memorize_count,
    memorize_index,
    memorize_inject,
    memorize_measure,
    memorize_stress,
    memorize_trace,
    memorize_unlearn,
)


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("measure")(memorize_measure.command)
    app.command("index")(memorize_index.command)
    app.command("count")(memorize_count.command)
    app.command("inject")(memorize_inject.command)
    app.command("trace")(memorize_trace.command)
    app.command("stress")(memorize_stress.command)
    app.command("unlearn")(memorize_unlearn.command)
    return app


def _about() -> None:
    """What a model knows word for word: measure it, plant it, trace it, unlearn it, count it in a corpus."""
