"""The domains of the experiment: English of many kinds, from Debian's packages, split by whole documents."""

import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import selection_texts as texts

from pyfastlm.demo import debian
from pyfastlm.demo import domains as shared
from pyfastlm.demo.texts import TextsMissing

LEAST, MOST = 95_000, 360_000  # bytes of a domain: those with less are left out, of more a part is drawn
LONGEST = 8_000  # bytes of a document; a longer one is cut at the end of a paragraph
SHORTEST = 60
PARTS = {"training": 0.44, "matrix": 0.036, "pool": 0.344, "tasks": 0.18}  # shares of the bytes

Reader = Callable[[bytes], str]

# Package, where its files are, how they are read; the name of the domain.
PACKAGES: dict[str, tuple[str, str, Reader]] = {
    "anarchism": ("anarchism", r"\.html$", texts.html),
    "debian policy": ("debian-policy", r"policy\.html/.*\.html$", texts.html),
    "git manual": ("git-doc", r"git-doc/[^/]*\.txt$", texts.plain),
    "octave": ("octave-doc", r"octave\.html/.*\.html$", texts.html),
    "perl functions": ("perl-doc", r"pod/perl(?!.*delta).*\.pod$", texts.pod),
    "perl changes": ("perl-doc", r"pod/perl.*delta\.pod$", texts.pod),
    "postgresql sql": ("postgresql-doc-15", r"html/(sql|app)-.*\.html$", texts.html),
    "postgresql manual": ("postgresql-doc-15", r"html/(?!sql-|app-|release).*\.html$", texts.html),
    "python library": ("python3.11-doc", r"library/.*\.txt$", texts.plain),
    "python howto": ("python3.11-doc", r"(howto|tutorial|whatsnew|reference|faq)/.*\.txt$", texts.plain),
    "python c api": ("python3.11-doc", r"c-api/.*\.txt$", texts.plain),
    "vim": ("vim-doc", r"html/.*\.html$", texts.html),
    "linux calls": ("manpages-dev", r"man2/.*\.gz$", texts.roff),
    "c library": ("manpages-dev", r"man3/.*\.gz$", texts.roff),
    "linux files": ("manpages", r"man[457]/.*\.gz$", texts.roff),
    "freebsd kernel": ("freebsd-manpages", r"man9/.*\.gz$", texts.roff),
    "freebsd devices": ("freebsd-manpages", r"man4/.*\.gz$", texts.roff),
    "installation": ("installation-guide-amd64", r"/en/.*\.html$", texts.html),
}
GLOSSES = {"wordnet nouns": "data.noun", "wordnet verbs": "data.verb", "wordnet adjectives": "data.adj"}
GLOSSES_TOGETHER = 20
HELP_TOGETHER = 12


@dataclass(frozen=True)
class Domain:
    """``parts``: documents by part; no document is in two of them."""

    name: str
    parts: dict[str, list[str]]

    def n_bytes(self, part: str) -> int:
        return sum(len(text.encode()) for text in self.parts[part])


def load(cache: Path, seed: int) -> tuple[list[Domain], list[str]]:
    """Domains of at least ``LEAST`` bytes, and why others are missing."""
    found, missing = shared.domains(cache)
    readers: dict[str, Callable[[], dict[str, list[str]]]] = {
        name: (lambda name=name: {name: _package(*PACKAGES[name])}) for name in PACKAGES
    }
    readers["wordnet"] = _glosses
    readers["office help"] = lambda: {"office help": _grouped(debian.help_pages("en", cache), HELP_TOGETHER)}
    for name, read in readers.items():
        try:
            found |= shared.by_name(f"domain-{name.replace(' ', '-')}", cache, read)
        except TextsMissing as reason:
            missing.append(f"{name}: {reason}")
    domains = []
    met: set[str] = set()
    for name, documents in sorted(found.items()):
        chosen = _chosen(name, documents, seed, met)
        size = sum(len(text.encode()) for text in chosen)
        if size < LEAST:
            missing.append(f"{name}: {size:,} bytes, fewer than {LEAST:,}")
        else:
            domains.append(Domain(name, shared.split(chosen, PARTS)))
    return domains, missing


def _package(package: str, pattern: str, read: Reader) -> list[str]:
    found = []
    for path, data in debian.members(package):
        if re.search(pattern, path):
            found.append(read(gzip.decompress(data) if path.endswith(".gz") else data))
    if not found:
        raise TextsMissing(f"{package} has no such files")
    return found


def _glosses() -> dict[str, list[str]]:
    files = {Path(path).name: data for path, data in debian.members("wordnet-base")}
    found = {}
    for name, file in GLOSSES.items():
        rows = [line.split(" | ") for line in files[file].decode().splitlines() if not line.startswith("  ")]
        lines = [f"{row[0].split()[4].replace('_', ' ')}: {row[1].strip()}" for row in rows if len(row) == 2]
        found[name] = _grouped(lines, GLOSSES_TOGETHER)
    return found


def _grouped(lines: list[str], together: int) -> list[str]:
    return ["\n".join(lines[start : start + together]) for start in range(0, len(lines), together)]


def _chosen(name: str, documents: list[str], seed: int, met: set[str]) -> list[str]:
    """Documents in an order by ``seed``, up to ``MOST`` bytes, without paragraphs that were met before."""
    chosen, size = [], 0
    for document in random.Random(f"{seed} {name}").sample(documents, len(documents)):
        kept = []
        for paragraph in document.split("\n\n"):
            if len(paragraph) < 40 or paragraph not in met:
                kept.append(paragraph)
                met.add(paragraph)
        text = _cut("\n\n".join(kept).strip())
        if len(text) >= SHORTEST and size < MOST:
            chosen.append(text)
            size += len(text.encode())
    return chosen


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return text[: max(text.rfind("\n\n", 0, LONGEST), LONGEST // 2)]
