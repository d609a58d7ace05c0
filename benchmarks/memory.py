"""Peak resident memory that a call adds: Linux only, in a fresh process where earlier peaks hide nothing."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
CHILD = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
function = getattr(importlib.import_module(sys.argv[2]), sys.argv[3])
print(json.dumps(function(*sys.argv[4:])))
"""


def in_fresh_process(module: str, function: str, *arguments: str) -> Any:
    """What ``function`` of the benchmark ``module`` returns, by way of JSON."""
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), module, function, *arguments]
    # Each tensor a mapping of its own, which is given back when it is freed.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


class Peak:
    """The highest that resident memory gets from now on, above what it is now."""

    def __init__(self) -> None:
        trim()
        self.before = resident("VmRSS")
        """KiB"""
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here

    def mib(self) -> float:
        return (resident("VmHWM") - self.before) / 1024


def trim() -> None:
    """Give back what is freed."""
    ctypes.CDLL(None).malloc_trim(0)


def growth(run: Callable[[], Any]) -> float:
    """MiB."""
    peak = Peak()
    run()
    return peak.mib()


def resident(what: str) -> int:
    """KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])
