"""Of which code, with which packages, a report is."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import pyfastlm

# What we stand on, and the peers; those that are installed are named.
PACKAGES = (
    "torch", "numpy", "scipy", "numba", "transformers", "tokenizers", "trl", "dspy", "lm-eval",
    "perplexity-correlations", "datrie", "marisa-trie", "fast-autocomplete", "symspellpy", "rapidfuzz",
    "pydivsufsort", "pytest-benchmark",
)  # fmt: skip


def versions() -> dict[str, str]:
    """By package, ours and Python's first."""
    found = {"pyfastlm": pyfastlm.__version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path) -> str:
    """That of the clone around ``folder``, with "+" where tracked files were changed; "" without a clone."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    return head + ("+" if head and _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
