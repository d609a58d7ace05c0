"""Names and words for the benchmarks of spelling, from the packages of Debian and npm."""

import io
import json
import random
import tarfile
from pathlib import Path

from pyfastlm.demo import debian, npm
from pyfastlm.demo.debian import package_names

__all__ = ["american", "npm_names", "package_names", "some_npm_names"]

WORDS = "wamerican-huge"
NPM = "all-the-package-names@2.0.2578"
NPM_SHA256 = "89cccbb8825c8b60fa65a69aa558facd9dcebff951024d321478ed720adf1b85"


def npm_names(cache: Path) -> list[str]:
    """Names of 4.5 million npm packages, as they are."""
    with tarfile.open(fileobj=io.BytesIO(npm.archive(NPM, NPM_SHA256, cache))) as archive:
        file = archive.extractfile("package/names.json")
        assert file is not None
        names: list[str] = json.load(file)
    return names


def some_npm_names(cache: Path, count: int) -> list[str]:
    """``count`` of them, drawn with a seed, with spaces for their signs and in small letters, each once."""
    signs = str.maketrans(dict.fromkeys("-_./@", " "))
    found = {" ".join(name.translate(signs).casefold().split()) for name in npm_names(cache)}
    return random.Random(0).sample(sorted(found - {""}), count)


def american(cache: Path) -> list[str]:
    """The words of the largest American list, possessives left out."""
    return debian.kept(WORDS, cache, _words)


def _words() -> list[str]:
    ((_, data),) = debian.members(WORDS, "american-english-huge")
    return [word for word in data.decode().splitlines() if not word.endswith("'s")]
