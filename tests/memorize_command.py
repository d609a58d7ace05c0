"""``pyfastlm memorize`` in this process: what it prints, and how it refuses."""

import pytest

from pyfastlm.cli.app import run


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Standard output of a command that ends well."""
    capsys.readouterr()
    assert run(["memorize", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error with which a command refuses."""
    capsys.readouterr()
    assert run(["memorize", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]  # bars may come before
    assert last.startswith("pyfastlm: error: ")
    return last
