"""The machine that numbers came from."""

import os
import platform
from pathlib import Path

from pyfastlm._backends import backends


def machine() -> str:
    """Processor, how many, system, and the instruction set that native code takes, in one line."""
    system = f"{platform.system()} {platform.machine()}"
    return f"{processor()}, {os.cpu_count()} CPUs, {system}, {backends().native.detail}"


def processor() -> str:
    """Its name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or "unknown processor"
