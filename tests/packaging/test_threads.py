"""How the number of threads is found: argument, environment, torch, affinity, in that order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyfastlm._threads import ENVIRONMENT, num_threads
from pyfastlm.errors import InputError


def fresh(code: str, cwd: Path, **environment: str) -> str:
    """What ``code`` prints in a new interpreter where torch is not loaded unless ``code`` loads it."""
    clean = {name: value for name, value in os.environ.items() if name != ENVIRONMENT}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "3")
    assert num_threads(5) == 5


def test_environment_beats_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv(ENVIRONMENT, str(torch.get_num_threads() + 1))
    assert num_threads() == torch.get_num_threads() + 1


def test_torch_beats_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 17)
    assert num_threads() == 17


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_without_torch(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from pyfastlm._threads import num_threads\n"
        "print(num_threads(), 'torch' in sys.modules)"
    )
    assert fresh(code, tmp_path) == "1 False"


@pytest.mark.parametrize("given", ["0", "-1", "", "two", "1.5", " ", "1e3", "²"])
def test_bad_environment(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, given)
    with pytest.raises(InputError, match=rf"^{ENVIRONMENT}: expected a whole number >= 1, got "):
        num_threads()


@pytest.mark.parametrize("given", [0, -1, -(2**40)])
def test_bad_argument(given: int) -> None:
    with pytest.raises(InputError, match=r"^threads: expected a whole number >= 1, got "):
        num_threads(given)


@pytest.mark.parametrize("given", [2.5, "2", True, float("nan")])
def test_argument_of_a_wrong_type(given: object) -> None:
    with pytest.raises(InputError, match=r"^threads: expected a whole number >= 1, got "):
        num_threads(given)  # type: ignore[arg-type]
