"""What can run here is reported as it is, and a missing extra says what to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyfastlm
from pyfastlm._require import require
from pyfastlm.errors import MissingExtra


def report(cwd: Path, **environment: str) -> str:
    """``backends().native`` as a new interpreter sees it under ``environment``."""
    run = subprocess.run(
        [sys.executable, "-c", "import pyfastlm; print(*pyfastlm.backends().native)"],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout.strip()


def test_native_extension_is_there() -> None:
    status = pyfastlm.backends().native
    assert status.available, status.detail


def test_portable_path_can_be_forced(tmp_path: Path) -> None:
    assert report(tmp_path, PYFASTLM_ISA="portable") == "True instruction set portable"


def test_unknown_instruction_set_is_reported(tmp_path: Path) -> None:
    said = report(tmp_path, PYFASTLM_ISA="mmx")
    assert said.startswith("False ")
    assert "PYFASTLM_ISA" in said
    assert "portable" in said


def test_missing_extra_names_the_command() -> None:
    with pytest.raises(
        MissingExtra, match=r'^no_such_module is not installed; run: pip install "pyfastlm\[lm\]"$'
    ):
        require("no_such_module", "lm")


def test_broken_dependency_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_dependency.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as caught:
        require("broken_dependency", "lm")
    assert not isinstance(caught.value, MissingExtra)
