"""The code blocks of README.md, CONTRIBUTING.md and docs/*.md."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(pyfastlm [a-z][^`<]*)`")


class Block(NamedTuple):
    """Code, and where it is, as "icl.md:24"."""

    code: str
    where: str


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of one language, in their order."""
    text = page.read_text("utf-8")
    return [
        Block(match[2], f"{page.name}:{text.count(chr(10), 0, match.start(2)) + 1}")
        for match in BLOCK.finditer(text)
        if match[1] == language
    ]


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Where each shell command is, and its words; without comments, redirections and what a pipe leads to."""
    found = []
    for block in blocks(page, "sh"):
        for line in block.code.replace("\\\n", " ").splitlines():
            for part in line.split(" && "):
                words = [word for word in shlex.split(part, comments=True) if not word.startswith(">")]
                if words:
                    found.append((block.where, words))
    return found


def named(page: Path) -> list[list[str]]:
    """The words of each command that the text names, as `pyfastlm score`."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    return [shlex.split(match[1]) for match in INLINE.finditer(text)]
