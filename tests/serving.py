"""`pyfastlm qac serve` and others as processes of their own, and terms with known answers."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TERMS = {
    "receipt": 900.0,
    "receipt book": 300.0,
    "receptor": 80.0,
    "red": 700.0,
    "red shoes": 600.0,
    "red shoes for men": 90.0,
    "red wine": 500.0,
    "running shoes": 400.0,
    "rice cooker": 350.0,
    "café crème": 60.0,
    "日本語": 50.0,
    "<img src=x onerror=alert(1)>": 40.0,
}


@contextlib.contextmanager
def served(index: Path, *options: str, system: str = "qac") -> Iterator[str]:
    """The address of a server over ``index`` at a free port; it must end well when it is interrupted."""
    command = [sys.executable, "-c", "from pyfastlm.cli import main; main()"]
    server = subprocess.Popen(
        [*command, system, "serve", str(index), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("Serving "), server.communicate(timeout=10)
        yield line.split(" at ")[1].split()[0]
        assert server.poll() is None, server.communicate(timeout=10)
        server.send_signal(signal.SIGINT)
        ended = (*server.communicate(timeout=20), server.returncode)
        assert ended == ("", "", 0), ended
    finally:
        server.kill()
        server.communicate()


def error_of(answer: Any, status: int) -> str:
    """The one line of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    line = answer.json()["error"]
    assert isinstance(line, str)
    assert line
    assert "\n" not in line
    return line
