"""The console script: starts fast, loads nothing heavy, ends with the right code."""

import importlib.util
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import pyfastlm

MAIN = "from pyfastlm.cli import main; main()"
NEEDS_TYPER = pytest.mark.skipif(importlib.util.find_spec("typer") is None, reason="needs the extra cli")
COST = """
import resource, sys
from pyfastlm.cli import main
try:
    main()
except SystemExit as end:
    print(end.code, resource.getrusage(resource.RUSAGE_SELF).ru_utime)
    print(*sorted({"torch", "transformers", "triton", "numpy", "pyarrow"} & set(sys.modules)))
"""


def python(code: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_console_script_is_registered() -> None:
    (script,) = entry_points(group="console_scripts", name="pyfastlm")
    assert script.value == "pyfastlm.cli:main"
    assert callable(script.load())


def test_without_typer_one_line_names_the_extra(tmp_path: Path) -> None:
    done = python(f"import sys; sys.modules['typer'] = None; {MAIN}", "score", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'pyfastlm: error: typer is not installed; run: pip install "pyfastlm[cli]"\n'


@NEEDS_TYPER
def test_version(tmp_path: Path) -> None:
    done = python(MAIN, "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pyfastlm {pyfastlm.__version__}\n", "")


@NEEDS_TYPER
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["score", "--help"],
        ["mrt5", "train", "--help"],
        ["qac", "serve", "--help"],
        ["spell", "fix", "--help"],
        ["spell", "serve", "--help"],
    ],
    ids=" ".join,
)
def test_help_is_fast_and_light(arguments: list[str], tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        done = python(COST, *arguments, cwd=tmp_path)
        *text, cost, loaded = done.stdout.split("\n")[:-1]
        assert "Usage: pyfastlm" in "\n".join(text)
        code, spent = cost.split()
        assert code == "0"
        assert loaded == ""
        seconds.append(float(spent))
    assert min(seconds) < 0.5


@NEEDS_TYPER
@pytest.mark.parametrize(
    "arguments",
    [
        ["scoree"],
        ["--colour"],
        ["score"],
        ["score", "no.jsonl", "-o", "o"],
        ["mrt5"],
        ["mrt5", "trane"],
        ["qac"],
        ["spell"],
        ["spell", "fxi"],
        ["spell", "fix"],
        ["spell", "fix", "no.index", "wirless"],
        ["spell", "serve", "no.index"],
    ],
)
def test_mistakes_end_with_one_line(arguments: list[str], tmp_path: Path) -> None:
    done = python(MAIN, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pyfastlm: error: ")
    assert done.stderr.count("\n") == 1
