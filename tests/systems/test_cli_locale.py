"""Where the locale is C: names and tables in any script go into a pipe, and files are read as UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from pyfastlm.cli import main; main()"
NAMES = "café crème\t30\n図書館\t9\nWireless Headphones\t50\n"
C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def pyfastlm(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=folder,
        env=os.environ | C,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["table", "json"])
def test_non_ascii_output_to_a_pipe(tmp_path: Path, how: list[str]) -> None:
    (tmp_path / "names.tsv").write_text(NAMES, "utf-8")
    (tmp_path / "asked.txt").write_text("café crème\n図書館\n", "utf-8")
    built = pyfastlm(tmp_path, "spell", "build", "names.tsv", "names.index", *how)
    assert (built.returncode, built.stderr) == (0, b"")
    fixed = pyfastlm(tmp_path, "spell", "fix", "names.index", "--input", "asked.txt", *how)
    assert (fixed.returncode, fixed.stderr) == (0, b"")
    assert b"Traceback" not in fixed.stdout
    assert (b"caf\\xe9" if not how else b"caf\\u00e9") in fixed.stdout
    missing = pyfastlm(tmp_path, "spell", "fix", "none.index", "a", *how)
    assert missing.returncode == 2
    assert missing.stderr.startswith(b"pyfastlm: error: ")
    assert missing.stderr.count(b"\n") == 1
