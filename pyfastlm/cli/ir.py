"""``pyfastlm ir``: rerankers from ten labels; its commands are ``ir_*``."""

import typer

from pyfastlm.cli import ir_eval, ir_generate, ir_optimize, ir_report, ir_study, ir_train


def group() -> typer.Typer:
    """The commands."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("generate")(ir_generate.command)
    app.command("train")(ir_train.command)
    app.command("optimize")(ir_optimize.command)
    app.command("eval")(ir_eval.command)
    app.command("study")(ir_study.command)
    app.command("report")(ir_report.command)
    return app


def _about() -> None:
    """PATH: a language model writes queries, a reranker learns from them, ten labels choose the prompt."""
