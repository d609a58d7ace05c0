"""The command line: argument parsing, progress bars, tables; no logic of its own.

A command is one module here, whose function ``command`` typer reads, and one name in ``app.COMMANDS``.
"""

import io
import sys

from pyfastlm._require import require
from pyfastlm.errors import MissingExtra

__all__ = ["main"]


def main() -> None:
    """Run ``pyfastlm`` with the arguments of the process and exit: 0 done, 2 bad input, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where the locale has no such letter, its number is shown
            stream.reconfigure(errors="backslashreplace")
    try:
        require("typer", "cli")
        require("rich", "cli")
    except MissingExtra as error:
        print(f"pyfastlm: error: {error}", file=sys.stderr)
        sys.exit(2)
    from pyfastlm.cli.app import run

    sys.exit(run(sys.argv[1:]))
