"""Names and words for the benchmarks of spelling, from the packages of Debian."""

import subprocess
from pathlib import Path

from pyfastlm.demo import debian

WORDS = "wamerican-huge"


def package_names() -> list[str]:
    """Names of all packages that apt knows, hyphens and dots as spaces, each once and sorted.

    Needs `apt-get update` once.
    """
    listed = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True, check=True).stdout
    names = {" ".join(name.replace("-", " ").replace(".", " ").split()) for name in listed.split()}
    return sorted(names)


def american(cache: Path) -> list[str]:
    """The words of the largest American list, possessives left out."""
    return debian.kept(WORDS, cache, _words)


def _words() -> list[str]:
    ((_, data),) = debian.members(WORDS, "american-english-huge")
    return [word for word in data.decode().splitlines() if not word.endswith("'s")]
