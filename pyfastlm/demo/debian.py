"""What Debian's packages hold: help pages of LibreOffice in many languages, and names of packages."""

import contextlib
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm.demo.texts import TextsMissing

SECONDS = 180
SUFFIXES = {"de": "de", "el": "el", "en": "en-us", "es": "es", "fr": "fr", "hi": "hi", "ru": "ru", "tr": "tr",
            "zh": "zh-cn"}  # fmt: skip
ABOUT = "help pages of LibreOffice (MPL-2.0), Debian packages libreoffice-help-*"
BLOCKS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td"}
SHORTEST = 20  # characters of a paragraph
FEWEST_NAMES = 20_000  # of packages; without its lists apt knows those that are installed


def help_pages(code: str, cache: Path) -> list[str]:
    """Paragraphs in the language ``code`` (one of ``SUFFIXES``), each once, in the order of the pages.

    Kept in ``cache`` after the first time.

    Raises:
        TextsMissing: the package is neither kept nor to be had.
    """
    package = f"libreoffice-help-{SUFFIXES[code]}"
    return kept(package, cache, lambda: _paragraphs(package))


def sample(texts: Sequence[str], size: int, seed: int) -> list[str]:
    """Texts of ``size`` bytes or a little more, drawn by ``seed``; all of them where they are fewer."""
    found: list[str] = []
    total = 0
    for text in random.Random(f"{seed} help").sample(texts, len(texts)):
        if total >= size:
            break
        found.append(text)
        total += len(text.encode())
    return found


def package_names() -> list[str]:
    """Names of all packages that apt knows, hyphens and dots as spaces, each once and sorted.

    Raises:
        TextsMissing: apt is not there or knows none.
    """
    with tempfile.TemporaryDirectory() as directory:
        listed = run(["apt-cache", "pkgnames"], directory).decode("utf-8", "replace")
    names = {" ".join(name.replace("-", " ").replace(".", " ").split()) for name in listed.split()}
    if len(names) < FEWEST_NAMES:
        raise TextsMissing(f"it lists {len(names):,} packages; run apt-get update")
    return sorted(names)


def members(package: str, suffix: str = "") -> list[tuple[str, bytes]]:
    """Name and contents of the files in a package whose names end in ``suffix``, ordered by name.

    Raises:
        TextsMissing: the package is not to be had.
    """
    with tempfile.TemporaryDirectory() as directory:
        run(["apt-get", "download", package], directory)
        names = list(Path(directory).glob("*.deb"))
        if len(names) != 1:
            raise TextsMissing(f"apt-get download {package} left {len(names)} packages, expected 1")
        data = run(["dpkg-deb", "--fsys-tarfile", str(names[0])], directory)
    found = []
    # Read in memory: nothing of the package is ever unpacked to disk.
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in sorted(tar, key=lambda member: member.name):
            file = tar.extractfile(member) if member.name.endswith(suffix) and member.isfile() else None
            if file is not None:
                found.append((member.name, file.read()))
    return found


def kept(name: str, cache: Path, make: Callable[[], list[str]]) -> list[str]:
    """Texts under ``name`` in ``cache``; made and put there the first time."""
    path = cache / f"{name}.json.gz"
    with contextlib.suppress(OSError, ValueError, EOFError):
        found: list[str] = json.loads(gzip.decompress(path.read_bytes()))
        return found
    texts = make()
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs the next run its time
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(path, path.with_suffix(f".{os.getpid()}")) as file:
            file.write(gzip.compress(json.dumps(texts).encode()))
    return texts


def _paragraphs(package: str) -> list[str]:
    found: list[str] = []
    for _, data in members(package, ".html"):
        page = Page()
        page.feed(data.decode("utf-8", "replace"))
        page.close()
        found += page.paragraphs
    texts = list(dict.fromkeys(found))
    if not texts:
        raise TextsMissing(f"{package} holds no text")
    return texts


def run(command: list[str], directory: str) -> bytes:
    """What a command says; raises :class:`TextsMissing` where it fails."""
    if shutil.which(command[0]) is None:
        raise TextsMissing(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TextsMissing(f"{command[0]} took longer than {SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise TextsMissing(f"{' '.join(command[:3])} failed: {lines[-1][:200]}")
    return done.stdout


class Page(HTMLParser):
    """The paragraphs of what a help page shows: blocks inside ``<div id="DisplayArea">``."""

    def __init__(self) -> None:
        super().__init__()
        self.paragraphs: list[str] = []
        self._divs = 0  # open ones from the shown one on; 0 outside
        self._block: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter the shown part, or begin a paragraph."""
        if tag == "div" and (self._divs or dict(attrs).get("id") == "DisplayArea"):
            self._divs += 1
        elif tag in BLOCKS and self._divs:
            self._end()
            self._block = []

    def handle_data(self, data: str) -> None:
        """Text of a paragraph."""
        if self._block is not None:
            self._block.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag == "div" and self._divs:
            self._divs -= 1
        if tag in BLOCKS or not self._divs:
            self._end()

    def _end(self) -> None:
        text = " ".join("".join(self._block or []).split())
        self._block = None
        if len(text) >= SHORTEST and not text.startswith("This page is:"):
            self.paragraphs.append(text)
