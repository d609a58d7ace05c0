"""Which commands there are, and how a failure looks: one line, never a traceback for a user's mistake."""

import importlib
import os
import sys
from typing import Annotated, Any

import typer

import pyfastlm
from pyfastlm.errors import InputError, MissingExtra, Unavailable

# Each is a module of this package with a function `command`. What is heavy they import when they run.
COMMANDS = ("bench", "demo", "estimate", "score")
# Each is a module with a function `group`, which gives a typer application of several commands.
GROUPS = ("icl", "ir", "memorize", "mrt5", "onion", "prefer", "qac", "select", "spell", "together")

# Recent typer carries its own copy of click, so the base of all usage errors is only found from here.
UsageProblem: Any = next(b for b in typer.BadParameter.__mro__ if b.__name__ == "ClickException")

# Harmless chatter of the libraries below; set before they load, and only where the user has not.
QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "error",
}

USAGE = 2
INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        code = _app()(arguments or ["--help"], prog_name="pyfastlm", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except UsageProblem as error:
        return _fail(f"{error.format_message()} (see pyfastlm --help)")
    except BrokenPipeError:
        # The reader of standard output went away; nothing more may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.strerror is None:
            return _fail(str(error))
        return _fail(f"{error.strerror}: {error.filename}" if error.filename else error.strerror)
    except (InputError, MissingExtra, Unavailable) as error:
        return _fail(str(error))
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        return _fail("out of memory; smaller batches or a smaller model need less")
    # Recent typer turns Ctrl-C into this exit code, earlier ones into Abort.
    return _fail("interrupted; rerun to resume", INTERRUPTED) if code == INTERRUPTED else int(code or 0)


def _app() -> typer.Typer:
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,  # plain help: boxes cut long option names at 80 columns
        help="Native kernels and published systems for people who train and study language models.",
    )
    app.callback()(_options)
    for name in COMMANDS:
        app.command(name)(importlib.import_module(f"pyfastlm.cli.{name}").command)
    for name in GROUPS:
        app.add_typer(importlib.import_module(f"pyfastlm.cli.{name}").group(), name=name)
    return app


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=lambda v: _version(v)
        ),
    ] = False,
) -> None:
    """Options before the command."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"pyfastlm {pyfastlm.__version__}")
        raise typer.Exit


def _fail(message: str, code: int = USAGE) -> int:
    line = " ".join(message.split())
    print(f"pyfastlm: error: {line}", file=sys.stderr)
    return code


def _out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate" in str(error)
    )
